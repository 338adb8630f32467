// Brackets, braces and bars: groups, sets, tuples, intervals, absolute values, norms.
#include <cstring>
#include <string_view>

#include "verifiers/math/syntax/parser/grammar.h"

namespace assay::math {
namespace {

NodeId ParseBuilder(Parser& p, NodeId element, Tok closing);
NodeId BracketNode(Parser& p, char open, char close, const Ids& items);

}  // namespace

NodeId ParseGroup(Parser& p) {
  const Deeper deeper(p);
  if (p.Dead()) return kNoNode;
  p.Next();
  if (p.Is(Tok::kGroupClose)) {
    p.Next();
    if (p.AtEnd() && p.depth <= 8) return p.tree.Add(Op::kNamedSet, {}, 0);
    return ParsePrimary(p);
  }
  const std::string_view saved = p.pending_digits;
  const int saved_bars = p.bar_level;
  const bool saved_number = p.last_was_number;
  const int saved_builder = p.in_builder;
  p.bar_level = 0;
  p.pending_digits = {};
  ++p.open_groups;
  Ids items;
  ParseParts(p, &items, false);
  NodeId id = kNoNode;
  if (!p.failed && (p.Is(Tok::kChoose) || p.Is(Tok::kOver)) && items.size() == 1)
    id = ParseInfix(p, items[0]);
  --p.open_groups;
  p.bar_level = saved_bars;
  p.pending_digits = saved;
  p.last_was_number = saved_number;
  p.in_builder = saved_builder;
  if (p.failed || items.empty()) return p.Fail();
  if (p.Is(Tok::kBar) && items.size() == 1) return ParseBuilder(p, items[0], Tok::kGroupClose);
  if (!p.Is(Tok::kGroupClose)) return p.Fail();
  p.Next();
  if (id != kNoNode) return id;
  if (items.size() == 1) {
    p.tree.nodes[items[0]].flags |= kGrouped;
    return items[0];
  }
  const NodeId set = p.Add(Op::kSet, items);
  if (p.loose_braces) p.tree.nodes[set].flags |= kLoose;
  p.box_braces = set;
  return set;
}

NodeId ParseInfix(Parser& p, NodeId left) {
  const bool choose = p.Is(Tok::kChoose);
  p.Next();
  const NodeId right = ParseAdditive(p);
  if (p.failed) return kNoNode;
  return p.tree.Add(choose ? Op::kBinom : Op::kDiv, {left, right});
}

NodeId ParseBrackets(Parser& p) {
  const Deeper deeper(p);
  if (p.Dead()) return kNoNode;
  const char open = static_cast<char>(p.Now().aux);
  p.Next();
  if (open == '{' && p.IsA(Tok::kClose, '}')) {
    p.Next();
    return p.tree.Add(Op::kNamedSet, {}, 0);
  }
  if (open == '{' && p.Is(Tok::kBegin)) {
    // The brace of a system; \right. closes it without a sign.
    const NodeId system = ParseEnvironment(p);
    if (p.failed) return kNoNode;
    if (!p.IsA(Tok::kClose, '}')) return system;
    p.Next();
    return p.tree[system].op == Op::kMatrix ? p.tree.Add(Op::kSet, {system}) : system;
  }
  const int saved_bars = p.bar_level;
  const bool saved_number = p.last_was_number;
  const int saved_builder = p.in_builder;
  p.bar_level = 0;
  p.in_builder = open == '{' ? 1 : 0;
  ++p.open_groups;
  Ids items;
  ParseParts(p, &items, open != '{');
  --p.open_groups;
  p.bar_level = saved_bars;
  p.last_was_number = saved_number;
  p.in_builder = saved_builder;
  if (p.failed || items.empty()) return p.Fail();
  if (open == '{' && items.size() == 1 && (p.Is(Tok::kBar) || p.Is(Tok::kColon)))
    return ParseBuilder(p, items[0], Tok::kClose);
  if (!p.Is(Tok::kClose)) return p.Fail();
  const char close = static_cast<char>(p.Now().aux);
  p.Next();
  return BracketNode(p, open, close, items);
}

NodeId ParseBars(Parser& p) {
  const Deeper deeper(p);
  if (p.Dead()) return kNoNode;
  const bool sized = p.Is(Tok::kBarOpen);
  p.Next();
  const int saved = p.bar_level;
  p.bar_level = sized ? 0 : p.bar_level + 1;
  const bool saved_number = p.last_was_number;
  const NodeId x = ParseAdditive(p);
  p.bar_level = saved;
  p.last_was_number = saved_number;
  if (p.failed) return kNoNode;
  if (!p.Is(Tok::kBar) && !p.Is(Tok::kBarClose)) return p.Fail();
  p.Next();
  return p.tree.Add(Op::kAbs, {x});
}

NodeId ParseNorm(Parser& p) {
  const Deeper deeper(p);
  if (p.Dead()) return kNoNode;
  p.Next();
  ++p.norm_level;
  const NodeId x = ParseAdditive(p);
  --p.norm_level;
  if (p.failed || !p.Is(Tok::kNormBar)) return p.Fail();
  p.Next();
  return p.tree.Add(Op::kNorm, {x});
}

namespace {

NodeId ParseBuilder(Parser& p, NodeId element, Tok closing) {
  p.Next();
  Ids conditions;
  ParseItems(p, &conditions);
  if (p.failed || conditions.empty() || !p.Is(closing)) return p.Fail();
  p.Next();
  const NodeId condition = conditions.size() == 1 ? conditions[0] : p.Add(Op::kList, conditions);
  if (conditions.size() > 1) p.tree.nodes[condition].aux = static_cast<uint8_t>(p.joint);
  return p.tree.Add(Op::kBuilder, {element, condition});
}

NodeId BracketNode(Parser& p, char open, char close, const Ids& items) {
  if (open == 'F' || open == 'C') {
    if (items.size() != 1 || close != open) return p.Fail();
    return p.tree.Add(open == 'F' ? Op::kFloor : Op::kCeil, {items[0]});
  }
  if (open == '{') return close == '}' ? p.Add(Op::kSet, items) : p.Fail();
  if (open == '<') {
    if (close != '>') return p.Fail();
    const NodeId v = p.Add(Op::kTuple, items);
    p.tree.nodes[v].flags |= kVector;
    return v;
  }
  if (close != ')' && close != ']') return p.Fail();
  if (items.size() == 1) {
    if ((open == '(') != (close == ')')) return p.Fail();
    p.tree.nodes[items[0]].flags |= kGrouped;
    return items[0];
  }
  const int closed = (open == '[' ? 1 : 0) | (close == ']' ? 2 : 0);
  if (items.size() == 2 && closed != 0)
    return p.tree.Add(Op::kInterval, {items[0], items[1]}, static_cast<uint8_t>(closed));
  if (closed == 0) return p.Add(Op::kTuple, items);
  return closed == 3 ? p.Add(Op::kSeq, items) : p.Fail();
}

}  // namespace

}  // namespace assay::math

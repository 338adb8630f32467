// Lists: items joined by commas, conjunctions, semicolons and line ends; names and values that belong together.
#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

#include "verifiers/math/syntax/parser/grammar.h"
#include "verifiers/math/syntax/words.h"

namespace assay::math {
namespace {

void SkipCondition(Parser& p);
bool AtConditionText(const Parser& p);
bool MergeResidues(Parser& p, Ids* items);
void MergeAssignments(Parser& p, Ids* items);
bool IsPlainRelation(const Parser& p, NodeId id, char* op);
bool IsValueNode(const Node& n);

}  // namespace

bool AtMembership(const Parser& p) {
  return p.IsA(Tok::kOpen, '(') && p.Ahead(1).kind == Tok::kLetter &&
         p.Ahead(2).kind == Tok::kRel && p.Ahead(2).aux == kIn;
}

NodeId ParseTop(Parser& p) {
  std::vector<Ids> parts;
  bool several = false;
  while (!p.AtEnd()) {
    Ids items;
    ParseItems(p, &items);
    if (p.failed) return kNoNode;
    if ((p.Is(Tok::kOver) || p.Is(Tok::kChoose)) && items.size() == 1 && parts.empty()) {
      const NodeId infix = ParseInfix(p, items[0]);
      if (p.failed) return kNoNode;
      items = {infix};
    }
    several = several || items.size() > 1;
    if (!items.empty()) parts.push_back(std::move(items));
    if (!p.Is(Tok::kSemi) && !p.Is(Tok::kRowSep)) break;
    SkipPunctuation(p);
  }
  if (parts.empty()) return p.Fail();
  if (parts.size() == 1) {
    if (parts[0].size() == 1) return parts[0][0];
    const NodeId list = p.Add(Op::kList, parts[0]);
    p.tree.nodes[list].aux = static_cast<uint8_t>(p.joint);
    return list;
  }
  Ids all;
  for (const Ids& items : parts)
    all.push_back(items.size() == 1 ? items[0] : p.Add(Op::kTuple, items));
  return p.Add(Op::kList, all);
}

void SkipPunctuation(Parser& p) {
  while (p.Is(Tok::kComma) || p.Is(Tok::kSemi) || p.Is(Tok::kRowSep) || (p.Is(Tok::kColon)) ||
         p.Is(Tok::kAmp))
    p.Next();
}

void ParseItems(Parser& p, Ids* items) {
  bool conjunction = false;
  bool disjunction = false;
  while (!p.Dead()) {
    for (; AtSeparator(p); p.Next()) {
      if (!AtConjunction(p)) continue;
      (IsDisjunction(NormalizeWords(p.Now().text)) ? disjunction : conjunction) = true;
    }
    if (AtListEnd(p)) break;
    if (p.in_cases && AtConditionText(p) && !items->empty()) {
      p.Next();  // x^2, if x > 0
      continue;
    }
    if (items->size() > 0 && AtConditionText(p)) {
      SkipCondition(p);
      break;
    }
    const NodeId item = ParseItem(p);
    if (p.failed) return;
    if (item != kNoNode) items->push_back(item);
    if (AtMembership(p)) continue;  // x = 7k + 3 (k \in \mathbb{Z})
    if (AtConditionText(p)) {
      if (p.in_cases) continue;
      SkipCondition(p);
      break;
    }
    if (!AtSeparator(p)) {
      // Two answers with a wide blank between them and no comma.
      if (p.Now().wide && p.depth <= 1 && !AtListEnd(p) && !p.Is(Tok::kBar)) continue;
      break;
    }
  }
  MergeAssignments(p, items);
  p.joint = conjunction == disjunction ? Joint::kComma : disjunction ? Joint::kOr : Joint::kAnd;
}

void ParseParts(Parser& p, Ids* items, bool flat) {
  ParseItems(p, items);
  if (p.failed || !p.Is(Tok::kSemi)) return;
  Ids all;
  Ids part = *items;
  while (!p.failed) {
    if (flat || part.size() == 1) {
      all.insert(all.end(), part.begin(), part.end());
    } else if (!part.empty()) {
      all.push_back(p.Add(Op::kTuple, part));
    }
    if (!p.Accept(Tok::kSemi)) break;
    part.clear();
    ParseItems(p, &part);
  }
  *items = all;
}

bool AtConjunction(const Parser& p) {
  if (!p.Is(Tok::kText) && !p.Is(Tok::kWord)) return false;
  return IsConjunction(NormalizeWords(p.Now().text));
}

bool AtSeparator(const Parser& p) {
  return p.Is(Tok::kComma) || (p.Is(Tok::kAmp) && !p.ignore_amp) || AtConjunction(p);
}

bool AtListEnd(const Parser& p) {
  return p.AtEnd() || p.Is(Tok::kSemi) || p.Is(Tok::kRowSep) || p.Is(Tok::kClose) ||
         p.Is(Tok::kGroupClose) || p.Is(Tok::kEndEnv);
}

namespace {

// "where k is an integer", "for x > 0". Not: "for even n and 6 for odd n", a value for each of several cases.
void SkipCondition(Parser& p) {
  static constexpr std::string_view kCases[] = {"even", "odd", "otherwise", "else", "respectively"};
  int conditions = 0;
  while (!p.AtEnd() && !p.Is(Tok::kSemi) && !p.Is(Tok::kEndEnv) && !p.Is(Tok::kRowSep) &&
         !p.Is(Tok::kClose)) {
    if (p.Is(Tok::kWord) || p.Is(Tok::kText)) {
      const std::string words = NormalizeWords(p.Now().text);
      if (words == "for" || words == "if" || words == "when") ++conditions;
      for (const std::string_view w : kCases) {
        if ((" " + words + " ").find(" " + std::string(w) + " ") != std::string::npos)
          conditions = 2;
      }
    }
    if (conditions > 1) {
      p.Fail();
      return;
    }
    p.Next();
  }
}

// A condition in one text command or as words.
bool AtConditionText(const Parser& p) {
  if (!p.Is(Tok::kWord) && !p.Is(Tok::kText)) return false;
  const std::string words = NormalizeWords(p.Now().text);
  return IsCondition(words.substr(0, words.find(' ')));
}

// n = 2, 3, 4 and (x, y) = (5, 8), (8, 5) mean one name and several values; x, y = 1, 2 means names and values.
void MergeAssignments(Parser& p, Ids* items) {
  if (items->size() < 2 || MergeResidues(p, items)) return;
  for (size_t k = 1; k < items->size(); ++k) {  // x \neq 1, 3
    const NodeId before = (*items)[k - 1];
    char sign = 0;
    if (IsValueNode(p.tree[(*items)[k]]) && IsPlainRelation(p, before, &sign) && sign == kNe)
      (*items)[k] =
          p.tree.Named(Op::kRel, std::string(1, kNe), {p.tree.Kid(before, 0), (*items)[k]});
  }
  char op = 0;
  size_t relations = 0;
  size_t first = 0;
  for (size_t i = 0; i < items->size(); ++i) {
    char o = 0;
    if (!IsValueNode(p.tree[(*items)[i]])) {
      ++relations;
      first = i;
      if (!IsPlainRelation(p, (*items)[i], &o)) return;
      op = o;
    }
  }
  if (relations != 1) return;
  const NodeId relation = (*items)[first];
  const NodeId left = p.tree.Kid(relation, 0);
  Ids names(items->begin(), items->begin() + static_cast<int64_t>(first));
  Ids values(items->begin() + static_cast<int64_t>(first) + 1, items->end());
  values.insert(values.begin(), p.tree.Kid(relation, 1));
  if (!names.empty()) {
    const bool symbols = std::all_of(names.begin(), names.end(),
                                     [&p](NodeId id) { return p.tree[id].op == Op::kSym; });
    if (!symbols || names.size() + 1 != values.size() || op != kEq) return;
    names.push_back(left);
    const NodeId l = p.Add(Op::kTuple, names);
    const NodeId r = p.Add(Op::kTuple, values);
    *items = {p.tree.Named(Op::kRel, std::string(1, kEq), {l, r})};
    return;
  }
  const Op kind = p.tree[left].op;
  if (kind != Op::kSym && kind != Op::kTuple && kind != Op::kApply && kind != Op::kInterval) return;
  const NodeId list = p.Add(Op::kList, values);
  *items = {p.tree.Named(Op::kRel, std::string(1, op), {left, list})};
}

bool IsPlainRelation(const Parser& p, NodeId id, char* op) {
  const Node& n = p.tree[id];
  if (n.op != Op::kRel || n.n != 2) return false;
  *op = p.tree.Name(id)[0];
  return *op == kEq || *op == kIn || *op == kNe;
}

// x \equiv 1, 4 \pmod 5: the modulus at the end is that of all.
bool MergeResidues(Parser& p, Ids* items) {
  const NodeId first = items->front();
  const NodeId last = items->back();
  if (p.tree[first].op != Op::kRel || p.tree[first].n != 2 || p.tree.Name(first)[0] != kEquiv ||
      p.tree[last].op != Op::kCongruent || p.tree[p.tree.Kid(last, 0)].op != Op::kSym ||
      p.tree.Name(p.tree.Kid(last, 0)) != "_")
    return false;
  for (size_t k = 1; k + 1 < items->size(); ++k) {
    if (!IsValueNode(p.tree[(*items)[k]])) return false;
  }
  const NodeId name = p.tree.Kid(first, 0);
  const NodeId modulus = p.tree.Kid(last, 2);
  for (size_t k = 0; k < items->size(); ++k) {
    const NodeId residue = k == 0                   ? p.tree.Kid(first, 1)
                           : k + 1 == items->size() ? p.tree.Kid(last, 1)
                                                    : (*items)[k];
    (*items)[k] = p.tree.Add(Op::kCongruent, {name, residue, modulus});
  }
  return true;
}

bool IsValueNode(const Node& n) {
  return n.op != Op::kRel && n.op != Op::kCongruent && n.op != Op::kText;
}

}  // namespace

}  // namespace assay::math

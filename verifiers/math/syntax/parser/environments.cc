// What stands between \begin and \end: matrices, cases, aligned rows.
#include <algorithm>
#include <cstring>
#include <string>

#include "verifiers/math/syntax/parser/grammar.h"
#include "verifiers/math/syntax/rewrite.h"

namespace assay::math {
namespace {

NodeId ParseMatrix(Parser& p, const std::string& name);
NodeId ParseRows(Parser& p, const std::string& name);
NodeId ContinueChain(Parser& p, NodeId row);
bool SolvesForLast(const Parser& p, const Ids& rows);

// No symbol but `name` occurs; HasSymbol: any does.
bool OnlySymbol(const Tree& tree, NodeId id, const std::string& name) {
  if (tree[id].op == Op::kApply) return false;
  if (tree[id].op == Op::kSym && tree.Name(id) != name) return false;
  for (uint32_t k = 0; k < tree[id].n; ++k) {
    if (!OnlySymbol(tree, tree.Kid(id, k), name)) return false;
  }
  return true;
}

bool HasSymbol(const Tree& tree, NodeId id) { return !OnlySymbol(tree, id, ""); }

}  // namespace

NodeId ParseEnvironment(Parser& p) {
  const Deeper deeper(p);
  if (p.Dead()) return kNoNode;
  const std::string name(p.Now().text);
  p.Next();
  const bool matrix = name == "matrix" || name == "pmatrix" || name == "bmatrix" ||
                      name == "vmatrix" || name == "Bmatrix" || name == "Vmatrix" ||
                      name == "smallmatrix" || name == "array" || name == "psmallmatrix" ||
                      name == "bsmallmatrix";
  const int saved_bars = p.bar_level;
  p.bar_level = 0;
  ++p.open_groups;
  const NodeId id = matrix ? ParseMatrix(p, name) : ParseRows(p, name);
  --p.open_groups;
  p.bar_level = saved_bars;
  if (p.failed || !p.Is(Tok::kEndEnv)) return p.Fail();
  p.Next();
  return id;
}

namespace {

bool IsRelationNode(Op op) { return op == Op::kRel || op == Op::kCongruent; }

NodeId ParseMatrix(Parser& p, const std::string& name) {
  Ids cells;
  size_t columns = 0;
  size_t rows = 0;
  bool relations = true;  // a system in an array of one column
  while (!p.failed && !p.Is(Tok::kEndEnv) && !p.AtEnd()) {
    size_t in_row = 0;
    while (!p.failed) {
      const NodeId cell = ParseItem(p);
      if (p.failed) return kNoNode;
      cells.push_back(cell == kNoNode ? p.tree.Symbol("") : cell);
      ++in_row;
      if (!p.Is(Tok::kAmp)) break;
      p.Next();
    }
    relations = relations && in_row == 1 && IsRelationNode(p.tree[cells.back()].op);
    while (p.Is(Tok::kComma) || p.Is(Tok::kSemi)) p.Next();
    if (columns != 0 && in_row != columns) return p.Fail();
    columns = in_row;
    ++rows;
    if (!p.Is(Tok::kRowSep)) break;
    p.Next();
  }
  if (rows == 0 || rows > 255) return p.Fail();
  if (relations && name == "array") return rows == 1 ? cells[0] : p.Add(Op::kList, cells);
  const NodeId m = p.Add(Op::kMatrix, cells, static_cast<uint8_t>(rows));
  return name == "vmatrix" ? p.tree.Add(Op::kDet, {m}) : m;
}

// cases, aligned and the like: a list of rows. Rows of two cells in cases are values with their conditions.
NodeId ParseRows(Parser& p, const std::string& name) {
  const bool cases = name == "cases" || name == "dcases" || name == "rcases";
  const bool saved_amp = p.ignore_amp;
  const bool saved_cases = p.in_cases;
  p.ignore_amp = !cases;
  p.in_cases = cases;
  Ids rows;
  bool pieces = false;
  while (!p.failed && !p.Is(Tok::kEndEnv) && !p.AtEnd()) {
    Ids items;
    if (!cases && !rows.empty() && p.Is(Tok::kRel)) {
      rows.back() = ContinueChain(p, rows.back());
      while (AtSeparator(p)) p.Next();
    } else {
      ParseItems(p, &items);
    }
    if (p.failed) return kNoNode;
    if (p.Is(Tok::kEndEnv) || p.Is(Tok::kRowSep))
      pieces = pieces || (cases && items.size() == 2 && p.tree[items[0]].op != Op::kRel);
    rows.insert(rows.end(), items.begin(), items.end());
    if (!p.Is(Tok::kRowSep) && !p.Is(Tok::kSemi)) break;
    p.Next();
  }
  p.ignore_amp = saved_amp;
  p.in_cases = saved_cases;
  if (p.failed || rows.empty()) return p.Fail();
  if (pieces) {
    const NodeId id = p.Add(Op::kApply, rows);
    p.tree.nodes[id].num = p.tree.Intern("cases");
    return id;
  }
  if (!cases && SolvesForLast(p, rows)) return rows.back();
  return rows.size() == 1 ? rows[0] : p.Add(Op::kList, rows);
}

// x = 6
bool IsAssignedNumber(const Tree& tree, NodeId id) {
  return tree[id].op == Op::kRel && tree[id].n == 2 && tree.Name(id)[0] == kEq &&
         tree[tree.Kid(id, 0)].op == Op::kSym && !HasSymbol(tree, tree.Kid(id, 1));
}

// 3x + 1 &= 19 \\ 3x &= 18 \\ x &= 6: equations in one unknown, of which the last one solves them.
bool SolvesForLast(const Parser& p, const Ids& rows) {
  const Tree& tree = p.tree;
  if (rows.size() < 2 || !IsAssignedNumber(tree, rows.back())) return false;
  const std::string& name = tree.Name(tree.Kid(rows.back(), 0));
  return std::all_of(rows.begin(), rows.end() - 1, [&](NodeId row) {
    return tree[row].op == Op::kRel && tree.Name(row).find_first_not_of(kEq) == std::string::npos &&
           !IsAssignedNumber(tree, row) && OnlySymbol(tree, row, name) &&
           ContainsSymbol(tree, row, name);
  });
}

// x &= 1 + 2 \\ &= 3: a row that begins with a relation goes on with the one above.
NodeId ContinueChain(Parser& p, NodeId row) {
  Ids operands = {row};
  std::string ops;
  if (p.tree[row].op == Op::kRel) {
    ops = p.tree.Name(row);
    operands.clear();
    for (uint32_t k = 0; k < p.tree[row].n; ++k) operands.push_back(p.tree.Kid(row, k));
  }
  while (const char op = ParseRelationOp(p)) {
    operands.push_back(ParseOperand(p));
    if (p.failed) return kNoNode;
    ops += op;
  }
  return p.failed ? kNoNode : FinishRelation(p, operands, ops);
}

}  // namespace

}  // namespace assay::math

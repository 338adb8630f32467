// What stands between \begin and \end: matrices, cases, aligned rows.
#include <cstring>
#include <string>

#include "verifiers/math/syntax/parser/grammar.h"

namespace assay::math {
namespace {

NodeId ParseMatrix(Parser& p, const std::string& name);
NodeId ParseRows(Parser& p, const std::string& name);

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

NodeId ParseMatrix(Parser& p, const std::string& name) {
  Ids cells;
  size_t columns = 0;
  size_t rows = 0;
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
    if (columns != 0 && in_row != columns) return p.Fail();
    columns = in_row;
    ++rows;
    if (!p.Is(Tok::kRowSep)) break;
    p.Next();
  }
  if (rows == 0 || rows > 255) return p.Fail();
  const NodeId m = p.Add(Op::kMatrix, cells, static_cast<uint8_t>(rows));
  return name == "vmatrix" ? p.tree.Add(Op::kDet, {m}) : m;
}

// cases, aligned and the like: a list of rows. Rows of two cells in cases are values with their conditions.
NodeId ParseRows(Parser& p, const std::string& name) {
  const bool cases = name == "cases" || name == "dcases" || name == "rcases";
  const bool saved_amp = p.ignore_amp;
  p.ignore_amp = !cases;
  Ids rows;
  bool pieces = false;
  while (!p.failed && !p.Is(Tok::kEndEnv) && !p.AtEnd()) {
    Ids items;
    ParseItems(p, &items);
    if (p.failed) return kNoNode;
    if (p.Is(Tok::kEndEnv) || p.Is(Tok::kRowSep))
      pieces = pieces || (cases && items.size() == 2 && p.tree[items[0]].op != Op::kRel);
    rows.insert(rows.end(), items.begin(), items.end());
    if (!p.Is(Tok::kRowSep) && !p.Is(Tok::kSemi)) break;
    p.Next();
  }
  p.ignore_amp = saved_amp;
  if (p.failed || rows.empty()) return p.Fail();
  if (pieces) {
    const NodeId id = p.Add(Op::kApply, rows);
    p.tree.nodes[id].num = p.tree.Intern("cases");
    return id;
  }
  return rows.size() == 1 ? rows[0] : p.Add(Op::kList, rows);
}

}  // namespace

}  // namespace assay::math

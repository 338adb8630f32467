#include "verifiers/math/value/matrix.h"

#include <vector>

#include "verifiers/math/syntax/rewrite.h"

namespace assay::math {
namespace {

constexpr uint32_t kMaxPower = 16;
constexpr uint32_t kMaxDeterminant = 5;
constexpr uint32_t kMaxInverse = 4;

struct Matrix {
  uint32_t rows = 0;
  uint32_t columns = 0;
  std::vector<NodeId> cells;
  NodeId At(uint32_t r, uint32_t c) const { return cells[r * columns + c]; }
};

class Evaluator {
 public:
  Evaluator(Tree* tree, Budget* budget) : tree_(*tree), budget_(*budget) {}

  // kNoNode: leave it.
  NodeId Run(NodeId id) {
    const Node n = tree_[id];
    switch (n.op) {
      case Op::kMatrix:
        return kNoNode;
      case Op::kAdd:
        return Sum(id);
      case Op::kMul:
        return Product(id);
      case Op::kNeg:
      case Op::kDiv:
      case Op::kPow:
        return Scaled(id);
      case Op::kDet:
      case Op::kAbs: {
        const NodeId inner = EvaluateMatrices(&tree_, &budget_, tree_.Kid(id, 0));
        if (tree_[inner].op != Op::kMatrix) return kNoNode;
        const Matrix m = Get(inner);
        if (m.rows != m.columns || m.rows > kMaxDeterminant) return kNoNode;
        std::vector<uint32_t> columns(m.columns);
        for (uint32_t k = 0; k < m.columns; ++k) columns[k] = k;
        return Determinant(m, 0, columns);
      }
      default:
        return kNoNode;
    }
  }

 private:
  Matrix Get(NodeId id) const {
    Matrix m;
    m.rows = tree_[id].aux;
    m.columns = tree_[id].n / m.rows;
    for (uint32_t k = 0; k < tree_[id].n; ++k) m.cells.push_back(tree_.Kid(id, k));
    return m;
  }

  NodeId Put(const Matrix& m) {
    return tree_.Add(Op::kMatrix, m.cells.data(), static_cast<uint32_t>(m.cells.size()),
                     static_cast<uint8_t>(m.rows));
  }

  bool IsMatrix(NodeId id) const { return tree_[id].op == Op::kMatrix; }
  NodeId Value(NodeId id) { return EvaluateMatrices(&tree_, &budget_, id); }

  NodeId Sum(NodeId id) {
    Matrix total;
    for (uint32_t k = 0; k < tree_[id].n; ++k) {
      const NodeId x = Value(tree_.Kid(id, k));
      if (!IsMatrix(x)) return kNoNode;
      const Matrix m = Get(x);
      if (k == 0) {
        total = m;
        continue;
      }
      if (m.rows != total.rows || m.columns != total.columns ||
          !budget_.Spend(static_cast<int64_t>(m.cells.size())))
        return kNoNode;
      for (size_t j = 0; j < m.cells.size(); ++j)
        total.cells[j] = tree_.Add(Op::kAdd, {total.cells[j], m.cells[j]});
    }
    return Put(total);
  }

  Matrix Times(const Matrix& m, NodeId scalar) {
    Matrix out = m;
    for (NodeId& cell : out.cells) cell = tree_.Add(Op::kMul, {scalar, cell});
    return out;
  }

  bool Multiply(const Matrix& a, const Matrix& b, Matrix* out) {
    if (a.columns != b.rows ||
        !budget_.Spend(static_cast<int64_t>(a.rows) * a.columns * b.columns * 4))
      return false;
    out->rows = a.rows;
    out->columns = b.columns;
    out->cells.clear();
    for (uint32_t r = 0; r < a.rows; ++r) {
      for (uint32_t c = 0; c < b.columns; ++c) {
        std::vector<NodeId> terms;
        for (uint32_t k = 0; k < a.columns; ++k)
          terms.push_back(tree_.Add(Op::kMul, {a.At(r, k), b.At(k, c)}));
        out->cells.push_back(
            tree_.Add(Op::kAdd, terms.data(), static_cast<uint32_t>(terms.size())));
      }
    }
    return true;
  }

  NodeId Product(NodeId id) {
    Matrix total;
    std::vector<NodeId> scalars;
    for (uint32_t k = 0; k < tree_[id].n; ++k) {
      const NodeId x = Value(tree_.Kid(id, k));
      if (!IsMatrix(x)) {
        scalars.push_back(x);
        continue;
      }
      const Matrix m = Get(x);
      if (total.cells.empty()) {
        total = m;
        continue;
      }
      Matrix next;
      if (!Multiply(total, m, &next)) return kNoNode;
      total = next;
    }
    if (total.cells.empty()) return kNoNode;
    for (const NodeId s : scalars) total = Times(total, s);
    return Put(total);
  }

  NodeId Scaled(NodeId id) {
    const NodeId x = Value(tree_.Kid(id, 0));
    if (!IsMatrix(x)) return kNoNode;
    const Matrix m = Get(x);
    if (tree_[id].op == Op::kNeg) return Put(Times(m, tree_.Number(-1)));
    const NodeId other = tree_.Kid(id, 1);
    if (tree_[id].op == Op::kDiv) {
      if (ContainsOp(tree_, other, Op::kMatrix)) return kNoNode;
      return Put(Times(m, tree_.Add(Op::kDiv, {tree_.Number(1), other})));
    }
    const Node e = tree_[other];
    if (e.op == Op::kSym && (tree_.Name(other) == "T" || tree_.Name(other) == "\\top"))
      return Put(Transposed(m));
    if (IsMinusOne(other)) return Inverse(m);
    if (e.op != Op::kNum || e.den != 1 || e.num < 1 || e.num > kMaxPower || m.rows != m.columns)
      return kNoNode;
    Matrix power = m;
    for (int64_t k = 1; k < e.num; ++k) {
      Matrix next;
      if (!Multiply(power, m, &next)) return kNoNode;
      power = next;
    }
    return Put(power);
  }

  bool IsMinusOne(NodeId id) const {
    const Node& n = tree_[id];
    if (n.op == Op::kNum) return n.num == -1 && n.den == 1;
    return n.op == Op::kNeg && tree_[tree_.Kid(id, 0)].op == Op::kNum &&
           tree_[tree_.Kid(id, 0)].num == 1 && tree_[tree_.Kid(id, 0)].den == 1;
  }

  static Matrix Transposed(const Matrix& m) {
    Matrix out;
    out.rows = m.columns;
    out.columns = m.rows;
    for (uint32_t c = 0; c < m.columns; ++c) {
      for (uint32_t r = 0; r < m.rows; ++r) out.cells.push_back(m.At(r, c));
    }
    return out;
  }

  // The adjugate over the determinant.
  NodeId Inverse(const Matrix& m) {
    if (m.rows != m.columns || m.rows < 2 || m.rows > kMaxInverse ||
        !budget_.Spend(static_cast<int64_t>(m.cells.size()) * 64))
      return kNoNode;
    Matrix adjugate = m;
    for (uint32_t r = 0; r < m.rows; ++r) {
      for (uint32_t c = 0; c < m.columns; ++c) {
        const NodeId minor = Minor(m, r, c);
        adjugate.cells[c * m.rows + r] = (r + c) % 2 == 0 ? minor : tree_.Neg(minor);
      }
    }
    std::vector<uint32_t> columns(m.columns);
    for (uint32_t k = 0; k < m.columns; ++k) columns[k] = k;
    return Put(Times(adjugate, tree_.Add(Op::kDiv, {tree_.Number(1), Determinant(m, 0, columns)})));
  }

  NodeId Minor(const Matrix& m, uint32_t row, uint32_t column) {
    Matrix rest;
    rest.rows = rest.columns = m.rows - 1;
    for (uint32_t r = 0; r < m.rows; ++r) {
      for (uint32_t c = 0; c < m.columns; ++c) {
        if (r != row && c != column) rest.cells.push_back(m.At(r, c));
      }
    }
    std::vector<uint32_t> columns(rest.columns);
    for (uint32_t k = 0; k < rest.columns; ++k) columns[k] = k;
    return Determinant(rest, 0, columns);
  }

  // By minors of the first row.
  NodeId Determinant(const Matrix& m, uint32_t row, const std::vector<uint32_t>& columns) {
    if (columns.size() == 1) return m.At(row, columns[0]);
    std::vector<NodeId> terms;
    for (size_t k = 0; k < columns.size(); ++k) {
      std::vector<uint32_t> rest;
      for (size_t j = 0; j < columns.size(); ++j) {
        if (j != k) rest.push_back(columns[j]);
      }
      const NodeId term =
          tree_.Add(Op::kMul, {m.At(row, columns[k]), Determinant(m, row + 1, rest)});
      terms.push_back(k % 2 == 0 ? term : tree_.Neg(term));
    }
    return tree_.Add(Op::kAdd, terms.data(), static_cast<uint32_t>(terms.size()));
  }

  Tree& tree_;
  Budget& budget_;
};

}  // namespace

NodeId EvaluateMatrices(Tree* tree, Budget* budget, NodeId id) {
  if (!ContainsOp(*tree, id, Op::kMatrix) || !budget->Spend(2)) return id;
  const Op op = (*tree)[id].op;
  if (op == Op::kMatrix) return id;
  const NodeId whole = Evaluator(tree, budget).Run(id);
  if (whole != kNoNode) return whole;
  return CopyWith(tree, id, [&](NodeId at) -> NodeId {
    if (at == id || (*tree)[at].n == 0) return kNoNode;
    const NodeId value = EvaluateMatrices(tree, budget, at);
    return value == at ? kNoNode : value;
  });
}

}  // namespace assay::math

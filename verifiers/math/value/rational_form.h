// Expressions as quotients of polynomials (FLINT's multivariate ones), bounded in terms, degree and size of coefficients. What
// polynomial.h and real_breaks.h are made of. Private to verifiers/math/value.
#pragma once

#include <algorithm>
#include <vector>

#include "verifiers/math/syntax/tree.h"
#include "verifiers/math/value/eval.h"

namespace assay::math {

// Polynomials over a fixed list of atoms: symbols, and subterms that are no polynomials.
class Ring {
 public:
  explicit Ring(const std::vector<NodeId>& atoms) : atoms_(atoms) {
    fmpz_mpoly_ctx_init(ctx_, static_cast<slong>(std::max<size_t>(1, atoms.size())), ORD_LEX);
  }
  ~Ring() { fmpz_mpoly_ctx_clear(ctx_); }
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;
  const fmpz_mpoly_ctx_struct* ctx() const { return ctx_; }
  const std::vector<NodeId>& atoms() const { return atoms_; }

 private:
  fmpz_mpoly_ctx_t ctx_;
  std::vector<NodeId> atoms_;
};

class Poly {
 public:
  explicit Poly(const Ring& ring) : ctx_(ring.ctx()) { fmpz_mpoly_init(v_, ctx_); }
  ~Poly() { fmpz_mpoly_clear(v_, ctx_); }
  Poly(const Poly& o) : ctx_(o.ctx_) {
    fmpz_mpoly_init(v_, ctx_);
    fmpz_mpoly_set(v_, o.v_, ctx_);
  }
  Poly& operator=(const Poly& o) {
    fmpz_mpoly_set(v_, o.v_, ctx_);
    return *this;
  }
  fmpz_mpoly_struct* get() { return v_; }
  const fmpz_mpoly_struct* get() const { return v_; }

 private:
  const fmpz_mpoly_ctx_struct* ctx_;
  fmpz_mpoly_t v_;
};

// num / den, kept as it comes: common factors are taken out only where that is asked for.
struct Quotient {
  explicit Quotient(const Ring& ring) : num(ring), den(ring) {
    fmpz_mpoly_one(den.get(), ring.ctx());
  }
  Poly num;
  Poly den;
};

// Between trees and quotients. False, or no node: too many terms, too high a degree, or the budget is spent.
class Forms {
 public:
  Forms(Tree* tree, Budget* budget) : tree_(*tree), budget_(*budget) {}

  // The atoms of an expression, added to `atoms`. False: too many, or not a scalar.
  bool Atoms(NodeId id, std::vector<NodeId>* atoms);
  // The expression over a ring of its atoms.
  bool Build(NodeId id, const Ring& ring, Quotient* out);
  // Back to a tree.
  NodeId ToNode(const Poly& p, const Ring& ring);
  // Within the limits.
  bool Small(const Poly& p, const Ring& ring);
  bool Gcd(const Poly& a, const Poly& b, const Ring& ring, Poly* out);
  // To the product of the distinct factors of a squarefree factorisation, up to a constant.
  bool SquareFree(const Ring& ring, Poly* p);

 private:
  size_t Find(const std::vector<NodeId>& atoms, NodeId id);
  // A whole exponent between -20 and 20 other than zero; else 0.
  int64_t SmallExponent(NodeId id);
  bool Leaf(NodeId id, const Ring& ring, Quotient* out);
  bool Times(const Ring& ring, Poly* a, const Poly& b);
  bool Multiply(const Ring& ring, Quotient* a, const Quotient& b);
  bool Add(const Ring& ring, Quotient* a, const Quotient& b);
  bool Invert(const Ring& ring, Quotient* a);

  Tree& tree_;
  Budget& budget_;
};

}  // namespace assay::math

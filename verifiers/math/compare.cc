#include "verifiers/math/math.h"
#include "verifiers/math/tree.h"

namespace assay::math {

const char* MethodName(Method method) {
  switch (method) {
    case Method::kNone:
      return "none";
    case Method::kExact:
      return "exact";
    case Method::kField:
      return "field";
    case Method::kBall:
      return "ball";
    case Method::kText:
      return "text";
  }
  return "";
}

std::string CompareResult::MethodText() const {
  if (method != Method::kBall) return MethodName(method);
  return "ball(" + std::to_string(ball_bits) + ")";
}

CompareResult Compare(const ParsedAnswer& gold, const ParsedAnswer& answer, const CompareOptions&) {
  CompareResult r;
  if (!gold.ok() || !answer.ok()) return r;
  r.method = Method::kExact;
  if (gold.impl()->source == answer.impl()->source) {
    r.outcome = Outcome::kEqual;
    return r;
  }
  const Tree& a = gold.impl()->tree;
  const Tree& b = answer.impl()->tree;
  const Node& x = a[gold.impl()->readings[0].root];
  const Node& y = b[answer.impl()->readings[0].root];
  if (x.op == Op::kNum && y.op == Op::kNum && x.num == y.num && x.den == y.den)
    r.outcome = Outcome::kEqual;
  if (x.op == Op::kText && y.op == Op::kText &&
      a.Name(gold.impl()->readings[0].root) == b.Name(answer.impl()->readings[0].root)) {
    r.outcome = Outcome::kEqual;
    r.method = Method::kText;
  }
  return r;
}

}  // namespace assay::math

#include "verifiers/math/value/ball_size.h"

#include <algorithm>
#include <cmath>

namespace assay::math {
namespace {

constexpr slong kMaxWholeBits = slong{1} << 20;

// The exponent e of the least power of two above |x|; without bounds for what no double holds.
double ExponentOf(const arf_t x) {
  fmpz_t e;
  fmpz_init(e);
  arf_abs_bound_lt_2exp_fmpz(e, x);
  const double out =
      COEFF_IS_MPZ(*e) ? (fmpz_sgn(e) > 0 ? 1e30 : -1e30) : static_cast<double>(fmpz_get_si(e));
  fmpz_clear(e);
  return out;
}

double MagLog2(const mag_t m) {
  if (mag_is_zero(m)) return -1e18;
  return mag_is_inf(m) ? 1e18 : mag_get_d_log2_approx(m);
}

}  // namespace

double UpperLog2(const Complex& z) {
  Real magnitude;
  acb_abs(magnitude.get(), z.get(), 30);
  arf_t up;
  arf_init(up);
  arb_get_ubound_arf(up, magnitude.get(), 30);
  double out = -INFINITY;
  if (!arf_is_zero(up)) out = arf_is_finite(up) ? ExponentOf(up) : INFINITY;
  arf_clear(up);
  return out;
}

double LowerLog2(const Complex& z) {
  Real magnitude;
  acb_abs(magnitude.get(), z.get(), 30);
  arf_t low;
  arf_init(low);
  arb_get_lbound_arf(low, magnitude.get(), 30);
  const double out = arf_sgn(low) > 0 ? ExponentOf(low) : -INFINITY;
  arf_clear(low);
  return out;
}

double RadiusLog2(const Complex& z) {
  return std::max(MagLog2(arb_radref(z.re())), MagLog2(arb_radref(z.im())));
}

double SizeLog2(const Complex& z) {
  mag_t m;
  mag_init(m);
  acb_get_mag(m, z.get());
  const double out = MagLog2(m);
  mag_clear(m);
  return out;
}

bool WholeNumberIn(arb_srcptr x, Integer* out) {
  return arf_cmpabs_2exp_si(arb_midref(x), kMaxWholeBits) < 0 &&
         arb_get_unique_fmpz(out->get(), x) != 0;
}

}  // namespace assay::math

// The FLINT, Arb and Calcium headers from where this machine keeps them (FLINT 2 with Arb beside it, or FLINT 3), and owners for
// their objects. Private to verifiers/math.
#pragma once

#include <flint/flint.h>
#include <flint/fmpq.h>
#include <flint/fmpz.h>
#include <flint/fmpz_mpoly.h>
#include <flint/fmpz_mpoly_factor.h>
#include <flint/fmpz_poly.h>
#include <flint/ulong_extras.h>
#if __has_include(<flint/arb.h>)
#include <flint/acb.h>
#include <flint/acb_hypgeom.h>
#include <flint/arb.h>
#include <flint/arb_fmpz_poly.h>
#include <flint/arb_hypgeom.h>
#else
#include <acb.h>
#include <acb_hypgeom.h>
#include <arb.h>
#include <arb_fmpz_poly.h>
#include <arb_hypgeom.h>
#endif

namespace assay::math {

class Integer {
 public:
  Integer() { fmpz_init(v_); }
  explicit Integer(slong x) { fmpz_init_set_si(v_, x); }
  ~Integer() { fmpz_clear(v_); }
  Integer(const Integer& o) { fmpz_init_set(v_, o.v_); }
  Integer& operator=(const Integer& o) {
    fmpz_set(v_, o.v_);
    return *this;
  }
  fmpz* get() { return v_; }
  const fmpz* get() const { return v_; }

 private:
  fmpz_t v_;
};

class Rational {
 public:
  Rational() { fmpq_init(v_); }
  ~Rational() { fmpq_clear(v_); }
  Rational(const Rational& o) {
    fmpq_init(v_);
    fmpq_set(v_, o.v_);
  }
  Rational& operator=(const Rational& o) {
    fmpq_set(v_, o.v_);
    return *this;
  }
  fmpq* get() { return v_; }
  const fmpq* get() const { return v_; }
  fmpz* num() { return fmpq_numref(v_); }
  fmpz* den() { return fmpq_denref(v_); }
  const fmpz* num() const { return fmpq_numref(v_); }
  const fmpz* den() const { return fmpq_denref(v_); }
  bool IsZero() const { return fmpq_is_zero(v_) != 0; }
  bool IsInteger() const { return fmpz_is_one(den()) != 0; }
  int Sign() const { return fmpq_sgn(v_); }
  slong Bits() const { return static_cast<slong>(fmpq_height_bits(v_)); }
  void Set(slong num, slong den = 1) {
    fmpz_set_si(this->num(), num);
    fmpz_set_si(this->den(), den);
    fmpq_canonicalise(v_);
  }

 private:
  fmpq_t v_;
};

class Real {
 public:
  Real() { arb_init(v_); }
  ~Real() { arb_clear(v_); }
  Real(const Real& o) {
    arb_init(v_);
    arb_set(v_, o.v_);
  }
  Real& operator=(const Real& o) {
    arb_set(v_, o.v_);
    return *this;
  }
  arb_ptr get() { return v_; }
  arb_srcptr get() const { return v_; }

 private:
  arb_t v_;
};

class Complex {
 public:
  Complex() { acb_init(v_); }
  ~Complex() { acb_clear(v_); }
  Complex(const Complex& o) {
    acb_init(v_);
    acb_set(v_, o.v_);
  }
  Complex& operator=(const Complex& o) {
    acb_set(v_, o.v_);
    return *this;
  }
  acb_ptr get() { return v_; }
  acb_srcptr get() const { return v_; }
  arb_ptr re() { return acb_realref(v_); }
  arb_ptr im() { return acb_imagref(v_); }
  arb_srcptr re() const { return acb_realref(v_); }
  arb_srcptr im() const { return acb_imagref(v_); }
  bool IsReal() const { return arb_is_zero(acb_imagref(v_)) != 0; }

 private:
  acb_t v_;
};

}  // namespace assay::math

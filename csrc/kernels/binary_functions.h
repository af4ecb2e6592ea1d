// The functions of two operands, y = f(a, b), on vectors: each with dy df/da and dy df/db.
#pragma once

#include "math.h"

namespace pynn {
namespace PYNN_ISA {
namespace {

template <typename T>
PYNN_INLINE Vec<T> to_the_power(Vec<T> a, Vec<T> b) {
#pragma GCC unroll 16
  for (int64_t i = 0; i < kWidth<T>; ++i)
    a[i] = sizeof(T) == 4 ? __builtin_powf(static_cast<float>(a[i]), static_cast<float>(b[i]))
                          : static_cast<T>(__builtin_pow(a[i], b[i]));
  return a;
}

template <typename T>
struct Add {
  PYNN_INLINE Vec<T> y(Vec<T> a, Vec<T> b) { return a + b; }
  PYNN_INLINE Vec<T> da(Vec<T> dy, Vec<T>, Vec<T>, Vec<T>) { return dy; }
  PYNN_INLINE Vec<T> db(Vec<T> dy, Vec<T>, Vec<T>, Vec<T>) { return dy; }
};

template <typename T>
struct Subtract {
  PYNN_INLINE Vec<T> y(Vec<T> a, Vec<T> b) { return a - b; }
  PYNN_INLINE Vec<T> da(Vec<T> dy, Vec<T>, Vec<T>, Vec<T>) { return dy; }
  PYNN_INLINE Vec<T> db(Vec<T> dy, Vec<T>, Vec<T>, Vec<T>) { return -dy; }
};

template <typename T>
struct Multiply {
  PYNN_INLINE Vec<T> y(Vec<T> a, Vec<T> b) { return a * b; }
  PYNN_INLINE Vec<T> da(Vec<T> dy, Vec<T>, Vec<T> b, Vec<T>) { return dy * b; }
  PYNN_INLINE Vec<T> db(Vec<T> dy, Vec<T> a, Vec<T>, Vec<T>) { return dy * a; }
};

template <typename T>
struct Divide {
  PYNN_INLINE Vec<T> y(Vec<T> a, Vec<T> b) { return a / b; }
  PYNN_INLINE Vec<T> da(Vec<T> dy, Vec<T>, Vec<T> b, Vec<T>) { return dy / b; }
  PYNN_INLINE Vec<T> db(Vec<T> dy, Vec<T>, Vec<T> b, Vec<T> y) { return -(dy / b) * y; }
};

template <typename T>
struct Power {
  PYNN_INLINE Vec<T> y(Vec<T> a, Vec<T> b) { return to_the_power<T>(a, b); }
  // a^(b - 1) is infinite for a = b = 0.
  PYNN_INLINE Vec<T> da(Vec<T> dy, Vec<T> a, Vec<T> b, Vec<T>) {
    return b == 0 ? Vec<T>{} : dy * (b * to_the_power<T>(a, b - 1));
  }
  PYNN_INLINE Vec<T> db(Vec<T> dy, Vec<T> a, Vec<T>, Vec<T> y) { return a <= 0 ? Vec<T>{} : dy * (y * log<T>(a)); }
};

// Powers whose exponent is one number for all: the same formulas for b = 2, 1/2 and -1.
template <typename T>
struct Square {
  PYNN_INLINE Vec<T> y(Vec<T> a, Vec<T>) { return a * a; }
  PYNN_INLINE Vec<T> da(Vec<T> dy, Vec<T> a, Vec<T>, Vec<T>) { return dy * (a + a); }
};

template <typename T>
struct SquareRoot {
  PYNN_INLINE Vec<T> y(Vec<T> a, Vec<T>) { return square_root<T>(a); }
  PYNN_INLINE Vec<T> da(Vec<T> dy, Vec<T>, Vec<T>, Vec<T> y) { return dy * (static_cast<T>(0.5) / y); }
};

template <typename T>
struct Reciprocal {
  PYNN_INLINE Vec<T> y(Vec<T> a, Vec<T>) { return 1 / a; }
  PYNN_INLINE Vec<T> da(Vec<T> dy, Vec<T>, Vec<T>, Vec<T> y) { return -dy * (y * y); }
};

// dy where an operand is the one that counts, half of it where both do.
template <typename T>
PYNN_INLINE Vec<T> part_of(Vec<T> dy, IVec<T> counts, IVec<T> equal) {
  return equal ? dy * static_cast<T>(0.5) : (counts ? dy : Vec<T>{});
}

// NaN in either operand stays.
template <typename T>
struct Maximum {
  PYNN_INLINE Vec<T> y(Vec<T> a, Vec<T> b) { return (a > b) | (a != a) ? a : b; }
  PYNN_INLINE Vec<T> da(Vec<T> dy, Vec<T> a, Vec<T> b, Vec<T>) { return part_of<T>(dy, a > b, a == b); }
  PYNN_INLINE Vec<T> db(Vec<T> dy, Vec<T> a, Vec<T> b, Vec<T>) { return part_of<T>(dy, b > a, a == b); }
};

template <typename T>
struct Minimum {
  PYNN_INLINE Vec<T> y(Vec<T> a, Vec<T> b) { return (a < b) | (a != a) ? a : b; }
  PYNN_INLINE Vec<T> da(Vec<T> dy, Vec<T> a, Vec<T> b, Vec<T>) { return part_of<T>(dy, a < b, a == b); }
  PYNN_INLINE Vec<T> db(Vec<T> dy, Vec<T> a, Vec<T> b, Vec<T>) { return part_of<T>(dy, b < a, a == b); }
};

// What a comparison says, as 1 and 0.
template <typename T>
PYNN_INLINE Vec<T> as_number(IVec<T> holds) {
  return holds ? splat<T>(1) : Vec<T>{};
}

// Base of functions that are constant in pieces.
template <typename T>
struct Flat {
  PYNN_INLINE Vec<T> da(Vec<T>, Vec<T>, Vec<T>, Vec<T>) { return Vec<T>{}; }
  PYNN_INLINE Vec<T> db(Vec<T>, Vec<T>, Vec<T>, Vec<T>) { return Vec<T>{}; }
};

template <typename T>
struct Less : Flat<T> {
  PYNN_INLINE Vec<T> y(Vec<T> a, Vec<T> b) { return as_number<T>(a < b); }
};

template <typename T>
struct LessEqual : Flat<T> {
  PYNN_INLINE Vec<T> y(Vec<T> a, Vec<T> b) { return as_number<T>(a <= b); }
};

template <typename T>
struct NotEqual : Flat<T> {
  PYNN_INLINE Vec<T> y(Vec<T> a, Vec<T> b) { return as_number<T>(a != b); }
};

PYNN_INLINE float rest_of(float a, float b) { return __builtin_fmodf(a, b); }
PYNN_INLINE double rest_of(double a, double b) { return __builtin_fmod(a, b); }

// The remainder of a / b with the sign of b, exactly, and the quotient that belongs to it: as NumPy has them, of
// infinite numbers and of 0, too.
template <typename T>
PYNN_INLINE T remainder_of(T a, T b) {
  const T rest = rest_of(a, b);
  if (rest == 0) return static_cast<T>(__builtin_copysign(0.0, b));
  return (rest < 0) != (b < 0) ? rest + b : rest;
}

template <typename T>
PYNN_INLINE T whole_quotient_of(T a, T b) {
  if (b == 0) return a / b;
  const T rest = rest_of(a, b);
  T quotient = (a - rest) / b;
  if (rest != 0 && (rest < 0) != (b < 0)) quotient -= 1;
  if (quotient == 0) return static_cast<T>(__builtin_copysign(0.0, a / b));
  const T whole = static_cast<T>(__builtin_floor(quotient));
  return quotient - whole > static_cast<T>(0.5) ? whole + 1 : whole;
}

template <typename T>
PYNN_INLINE Vec<T> whole_quotients_of(Vec<T> a, Vec<T> b) {
#pragma GCC unroll 16
  for (int64_t i = 0; i < kWidth<T>; ++i) a[i] = whole_quotient_of<T>(a[i], b[i]);
  return a;
}

template <typename T>
struct FloorDivide : Flat<T> {
  PYNN_INLINE Vec<T> y(Vec<T> a, Vec<T> b) { return whole_quotients_of<T>(a, b); }
};

template <typename T>
struct Remainder {
  PYNN_INLINE Vec<T> y(Vec<T> a, Vec<T> b) {
#pragma GCC unroll 16
    for (int64_t i = 0; i < kWidth<T>; ++i) a[i] = remainder_of<T>(a[i], b[i]);
    return a;
  }
  PYNN_INLINE Vec<T> da(Vec<T> dy, Vec<T>, Vec<T>, Vec<T>) { return dy; }
  PYNN_INLINE Vec<T> db(Vec<T> dy, Vec<T> a, Vec<T> b, Vec<T>) { return -dy * whole_quotients_of<T>(a, b); }
};

}  // namespace
}  // namespace PYNN_ISA
}  // namespace pynn

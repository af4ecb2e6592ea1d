// The gradient of a penalty, as it is added to that of the loss.
#pragma once

#include "simd.h"

namespace pynn {
namespace PYNN_ISA {
namespace {

// Of l1 |w| + l2 w^2: l1 sign(w) + 2 l2 w. `Square`: l1 is 0. One product, so that there is no choice of what to fuse.
template <typename T, bool Square>
struct PenaltySlope {
  T l1, factor;
  PenaltySlope(double of_size, double of_square) : l1(static_cast<T>(of_size)), factor(static_cast<T>(2 * of_square)) {}

  Vec<T> added_to(Vec<T> g, Vec<T> w) const {
    if constexpr (Square) return g + factor * w;
    const Vec<T> zero{}, above = splat(l1);
    const Vec<T> step = w > zero ? above : (w < zero ? -above : zero);
    return g + step + factor * w;
  }
};

}  // namespace
}  // namespace PYNN_ISA
}  // namespace pynn

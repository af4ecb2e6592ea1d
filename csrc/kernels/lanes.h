// Vectors and parts of them whose lanes are moved.
#pragma once

#include "simd.h"

namespace pynn {
namespace PYNN_ISA {
namespace {

// N numbers: a vector, or part of one.
template <typename T, int N>
struct Lanes {
  typedef T vec __attribute__((vector_size(N * sizeof(T))));
  typedef typename Simd<T>::integer ivec __attribute__((vector_size(N * sizeof(T))));
  typedef T unaligned __attribute__((vector_size(N * sizeof(T)), aligned(sizeof(T)), may_alias));
};

// Swaps the lanes of a whose number has the bit `step` with the lanes of b whose number has not.
template <typename T, int N, int Step>
PYNN_INLINE void swap_lanes(typename Lanes<T, N>::vec& a, typename Lanes<T, N>::vec& b) {
  typename Lanes<T, N>::ivec low{}, high{};  // a's lanes are 0 to N - 1, b's follow
#pragma GCC unroll 16
  for (int lane = 0; lane < N; ++lane) {
    low[lane] = lane & Step ? N + lane - Step : lane;
    high[lane] = lane & Step ? N + lane : lane + Step;
  }
  const typename Lanes<T, N>::vec first = __builtin_shuffle(a, b, low);
  b = __builtin_shuffle(a, b, high);
  a = first;
}

}  // namespace
}  // namespace PYNN_ISA
}  // namespace pynn

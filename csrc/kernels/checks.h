// What kernels assert of their arguments where NDEBUG is not defined, as in the builds with sanitizers. The arguments
// were checked where they came in; this finds the mistakes of who hands them on.
#pragma once

#include <assert.h>
#include <stdint.h>

#include "../runtime/team.h"
#include "simd.h"

namespace pynn {
namespace PYNN_ISA {
namespace {

// Whether there may be n elements at p.
PYNN_INLINE bool has(const void* p, int64_t n) { return n >= 0 && (n == 0 || p != nullptr); }

// The same for something that may be left out.
PYNN_INLINE bool may_have(const void* p, int64_t n) { return p == nullptr || n >= 0; }

// Whether no element is in both arrays of n and m elements.
template <typename T, typename U>
PYNN_INLINE bool apart(const T* a, int64_t n, const U* b, int64_t m) {
  const auto first = reinterpret_cast<uintptr_t>(a), second = reinterpret_cast<uintptr_t>(b);
  return a == nullptr || b == nullptr || first + static_cast<uintptr_t>(n) * sizeof(T) <= second ||
         second + static_cast<uintptr_t>(m) * sizeof(U) <= first;
}

// Whether arrays of one size and type are the same, or have no element in common.
template <typename T>
PYNN_INLINE bool same_or_apart(const T* a, const T* b, int64_t n) {
  return a == b || apart(a, n, b, n);
}

PYNN_INLINE bool is_member(const Team& team) { return team.rank >= 0 && team.rank < team.size; }

}  // namespace
}  // namespace PYNN_ISA
}  // namespace pynn

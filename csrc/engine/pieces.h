// Long loops outside of regions, in pieces between which Ctrl-C is looked for.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "../runtime/parallel.h"

namespace pynn {

// Calls body(begin, end) for pieces of 0..n-1, in order.
template <typename Body>
void in_pieces(int64_t n, const Body& body) {
  constexpr int64_t piece = 1 << 18;  // a millisecond or a few
  for (int64_t begin = 0; begin < n; begin += piece) {
    body(begin, std::min(begin + piece, n));
    poll_outside();
  }
}

// The n numbers from `from` on, as others. Their memory is new, and touching it takes most of the time.
template <typename To, typename From>
std::vector<To> copied(const From* from, int64_t n) {
  std::vector<To> to;
  to.reserve(static_cast<std::size_t>(n));
  in_pieces(n, [&](int64_t begin, int64_t end) { to.insert(to.end(), from + begin, from + end); });
  return to;
}

template <typename To, typename From>
std::vector<To> copied(const std::vector<From>& from) {
  return copied<To>(from.data(), static_cast<int64_t>(from.size()));
}

}  // namespace pynn

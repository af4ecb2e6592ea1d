#include "resample.h"

#include "checks.h"
#include "register.h"
#include "simd.h"

namespace pynn {
namespace PYNN_ISA {
namespace {

// Groups that go to one member together: where a group is one number, members then write to no common cache line.
constexpr int64_t kGrain = 32;

// Terms and groups, times their elements, between two looks for Ctrl-C.
constexpr int64_t kLook = 32768;

// Groups shorter than this are taken number by number: most of a vector would be empty.
constexpr int64_t kVectorFrom = 4;

// The sum of term(k) over the terms of a group. It begins with the first term, so that a single term of weight 1 is a
// copy.
template <typename Sum, typename Term>
PYNN_INLINE Sum sum_terms(Range terms, Term term) {
  if (terms.begin == terms.end) return Sum{};
  Sum total = term(terms.begin);
  for (int64_t k = terms.begin + 1; k < terms.end; ++k) total += term(k);
  return total;
}

// One group of y, given those of x.
template <bool weighted, bool vectors, typename T>
PYNN_INLINE void resample_group(T* y, const T* x, const SparseMap<T>& map, int64_t inner, Range terms) {
  if constexpr (vectors) {
    for_vectors<T>(0, inner, [&](int64_t j, int64_t count) {
      store(y + j,
            sum_terms<Vec<T>>(terms,
                              [&](int64_t k) {
                                const Vec<T> v = load(x + map.index[k] * inner + j, count);
                                return weighted ? map.weight[k] * v : v;
                              }),
            count);
    });
  } else {
    for (int64_t j = 0; j < inner; ++j)
      y[j] = sum_terms<T>(terms, [&](int64_t k) {
        const T v = x[map.index[k] * inner + j];
        return weighted ? map.weight[k] * v : v;
      });
  }
}

// inner: that of the map, known when compiling where that pays off.
template <bool weighted, bool vectors, typename T>
PYNN_INLINE void resample_groups(const Team& team, T* y, const T* x, int64_t samples, const SparseMap<T>& map,
                                 int64_t inner) {
  const Range mine = team.share(samples * map.outputs, kGrain);
  const int64_t look = kLook / inner + 1;
  int64_t left = look;  // until the next look
  for (int64_t i = mine.begin; i < mine.end;) {
    const int64_t sample = i / map.outputs, first = i - sample * map.outputs;
    const T* from = x + sample * map.inputs * inner;
    int64_t group = first, begin = map.begin[first], look_at = begin + first + left;
    for (; group < map.outputs && i < mine.end; ++group, ++i) {
      const int64_t end = map.begin[group + 1];
      resample_group<weighted, vectors>(y + i * inner, from, map, inner, {begin, end});
      begin = end;
      if (end + group < look_at) continue;
      team.poll();
      look_at = end + group + look;
    }
    left = look_at - (begin + group);
  }
}

template <bool weighted, typename T>
void resample_any(const Team& team, T* y, const T* x, int64_t samples, const SparseMap<T>& map) {
  if (map.inner == 1)
    resample_groups<weighted, false>(team, y, x, samples, map, 1);
  else if (map.inner < kVectorFrom)
    resample_groups<weighted, false>(team, y, x, samples, map, map.inner);
  else
    resample_groups<weighted, true>(team, y, x, samples, map, map.inner);
}

template <typename T>
void resample(const Team& team, T* y, const T* x, int64_t samples, const SparseMap<T>& map) {
  assert(is_member(team) && samples >= 0 && map.inputs >= 0 && map.outputs >= 0 && map.inner > 0);
  assert(has(x, samples * map.inputs * map.inner) && has(y, samples * map.outputs * map.inner));
  assert(apart(y, samples * map.outputs * map.inner, x, samples * map.inputs * map.inner));
  assert(map.begin != nullptr && map.begin[0] == 0 && has(map.index, map.begin[map.outputs]));
  if (map.weight != nullptr)
    resample_any<true>(team, y, x, samples, map);
  else
    resample_any<false>(team, y, x, samples, map);
}

template <typename T>
void fill(ResampleKernels<T>& k) {
  k.resample = resample<T>;
}

}  // namespace

PYNN_DEFINE_REGISTER(resample, ResampleKernels)

}  // namespace PYNN_ISA
}  // namespace pynn

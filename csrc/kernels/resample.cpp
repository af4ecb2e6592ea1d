#include "register.h"
#include "simd.h"

namespace pynn {
namespace PYNN_ISA {
namespace {

// Groups that go to one member together: where a group is one number, members then write to no common cache line.
constexpr int64_t kGrain = 32;

// One group of y, given those of x: the first term, plus the second, and so on. Begun with the first term, a single one
// of weight 1 is a copy.
template <bool weighted, typename T>
PYNN_INLINE void resample_group(T* y, const T* x, const SparseMap<T>& map, int64_t group) {
  const Range terms{map.begin[group], map.begin[group + 1]};
  if (map.inner == 1) {
    const auto term = [&](int64_t k) { return weighted ? map.weight[k] * x[map.index[k]] : x[map.index[k]]; };
    T total = terms.begin < terms.end ? term(terms.begin) : T{};
    for (int64_t k = terms.begin + 1; k < terms.end; ++k) total += term(k);
    *y = total;
    return;
  }
  for_vectors<T>(0, map.inner, [&](int64_t j, int64_t count) {
    const auto term = [&](int64_t k) {
      const Vec<T> v = load(x + map.index[k] * map.inner + j, count);
      return weighted ? map.weight[k] * v : v;
    };
    Vec<T> total = terms.begin < terms.end ? term(terms.begin) : Vec<T>{};
    for (int64_t k = terms.begin + 1; k < terms.end; ++k) total += term(k);
    store(y + j, total, count);
  });
}

template <bool weighted, typename T>
void resample_groups(const Team& team, T* y, const T* x, int64_t samples, const SparseMap<T>& map) {
  const Range mine = team.share(samples * map.outputs, kGrain);
  int64_t sample = mine.begin / map.outputs, group = mine.begin % map.outputs;
  for (int64_t i = mine.begin; i < mine.end; ++i) {
    resample_group<weighted>(y + i * map.inner, x + sample * map.inputs * map.inner, map, group);
    if (++group == map.outputs) {
      group = 0;
      ++sample;
    }
  }
}

template <typename T>
void resample(const Team& team, T* y, const T* x, int64_t samples, const SparseMap<T>& map) {
  if (map.weight != nullptr)
    resample_groups<true>(team, y, x, samples, map);
  else
    resample_groups<false>(team, y, x, samples, map);
}

template <typename T>
void fill(Kernels<T>& k) {
  k.resample = resample<T>;
}

}  // namespace

PYNN_DEFINE_REGISTER(resample)

}  // namespace PYNN_ISA
}  // namespace pynn

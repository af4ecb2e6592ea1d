#include "register.h"
#include "simd.h"

namespace pynn {
namespace PYNN_ISA {
namespace {

constexpr int64_t kAhead = 4;         // rows
constexpr int64_t kMostAhead = 4096;  // bytes

// Wide rows are shared by columns, as dense_forward shares the inputs: who gathers them is who multiplies them.
template <typename T, typename Source, typename Copy>
void gather_rows(const Team& team, T* out, const Source* x, const int64_t* order, int64_t rows, int64_t columns,
                 Copy copy) {
  const bool by_columns = columns >= 256;
  const Range r = by_columns ? Range{0, rows} : team.share(rows);
  const Range c = by_columns ? team.share(columns, 16) : Range{0, columns};
  for (int64_t i = r.begin; i < r.end; ++i) {
    const int64_t row = order == nullptr ? i : order[i];
    // Rows in random order are news to the hardware's prefetchers.
    if (order != nullptr && i + kAhead < r.end) {
      const char* next = reinterpret_cast<const char*>(x + order[i + kAhead] * columns + c.begin);
      const int64_t bytes = (c.end - c.begin) * static_cast<int64_t>(sizeof(Source));
      for (int64_t at = 0; at < bytes && at < kMostAhead; at += 64) __builtin_prefetch(next + at);
    }
    copy(out + i * columns + c.begin, x + row * columns + c.begin, c.end - c.begin);
  }
}

template <typename T>
void gather(const Team& team, T* out, const T* x, const int64_t* order, int64_t rows, int64_t columns) {
  gather_rows(team, out, x, order, rows, columns,
              [](T* to, const T* from, int64_t n) { memcpy(to, from, static_cast<size_t>(n) * sizeof(T)); });
}

template <typename T>
void gather_bytes(const Team& team, T* out, const uint8_t* x, const int64_t* order, int64_t rows, int64_t columns) {
  gather_rows(team, out, x, order, rows, columns, [](T* to, const uint8_t* from, int64_t n) {
    for (int64_t j = 0; j < n; ++j) to[j] = from[j];
  });
}

template <typename T>
int64_t first_non_finite(const T* x, Range part) {
  // x - x is 0 for a finite number and NaN otherwise; blocks without any are passed over by vectors.
  constexpr int64_t block = 1024;
  for (int64_t i = part.begin; i < part.end; i += block) {
    const int64_t end = i + block < part.end ? i + block : part.end;
    IVec<T> bad{};
    for_vectors<T>(i, end, [&](int64_t j, int64_t count) {
      const Vec<T> v = load(x + j, count);
      bad |= (v - v) != 0;
    });
    bool any = false;
    for (int64_t lane = 0; lane < kWidth<T>; ++lane) any |= bad[lane] != 0;
    if (!any) continue;
    for (int64_t j = i; j < end; ++j)
      if (!__builtin_isfinite(x[j])) return j;
  }
  return -1;
}

template <typename T>
void fill(Kernels<T>& k) {
  k.gather = gather<T>;
  k.gather_bytes = gather_bytes<T>;
  k.first_non_finite = first_non_finite<T>;
}

}  // namespace

PYNN_DEFINE_REGISTER(rows)

}  // namespace PYNN_ISA
}  // namespace pynn

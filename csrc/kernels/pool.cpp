#include "pool.h"

#include "checks.h"
#include "chunks.h"
#include "register.h"

namespace pynn {
namespace PYNN_ISA {
namespace {

PYNN_INLINE int64_t image_size(const PoolShape& s) { return s.height * s.width * s.channels; }
PYNN_INLINE int64_t out_size(const PoolShape& s) { return s.out_height * s.out_width * s.channels; }

// Whether each window has an element of the image.
PYNN_INLINE bool is_pool(const PoolShape& s) {
  return s.height > 0 && s.width > 0 && s.channels > 0 && s.out_height > 0 && s.out_width > 0 && s.stride_y > 0 &&
         s.stride_x > 0 && s.window_height > s.top && s.window_width > s.left && s.top >= 0 && s.left >= 0 &&
         (s.out_height - 1) * s.stride_y - s.top < s.height && (s.out_width - 1) * s.stride_x - s.left < s.width;
}

int64_t window_begin(int64_t out, int64_t stride, int64_t before) {
  const int64_t at = out * stride - before;
  return at > 0 ? at : 0;
}

int64_t window_end(int64_t out, int64_t stride, int64_t before, int64_t size, int64_t n) {
  const int64_t at = out * stride - before + size;
  return at < n ? at : n;
}

// The part of the image that an output element is made of.
struct Window {
  Range rows, columns;
};

Window window_of(const PoolShape& s, int64_t i, int64_t j) {
  return {{window_begin(i, s.stride_y, s.top), window_end(i, s.stride_y, s.top, s.window_height, s.height)},
          {window_begin(j, s.stride_x, s.left), window_end(j, s.stride_x, s.left, s.window_width, s.width)}};
}

// Calls body(offset) for each pixel of a window, offset being that of its channels in the image.
template <typename Body>
PYNN_INLINE void for_pixels(const Window& w, const PoolShape& s, Body body) {
  for (int64_t i = w.rows.begin; i < w.rows.end; ++i)
    for (int64_t j = w.columns.begin; j < w.columns.end; ++j) body((i * s.width + j) * s.channels);
}

// Whether the pixels of a window are a run, as it has all columns of the image: many of them, where a pooling is
// global.
bool has_runs(const PoolShape& s) { return s.out_width == 1 && s.window_width - s.left >= s.width; }

template <typename T>
T reciprocal_count(const Window& w) {
  return T{1} / static_cast<T>((w.rows.end - w.rows.begin) * (w.columns.end - w.columns.begin));
}

// Elements that the windows of a row of the output have, for it to be worth while to poll after each window.
constexpr int64_t kLargeRow = 65536;

// Calls body(image, window, element, count) for this member's output elements: vectors of channels.
template <typename T, typename Body>
PYNN_INLINE void for_outputs(const Team& team, const PoolShape& s, Range out_rows, Body body) {
  const int64_t row_work = s.window_height * s.window_width * s.channels * s.out_width;
  const bool large = row_work >= kLargeRow;
  Look look(team);
  for (int64_t row = out_rows.begin; row < out_rows.end; ++row) {
    for (int64_t j = 0; j < s.out_width; ++j) {
      const int64_t image = row / s.out_height, i = row % s.out_height;
      const Window w = window_of(s, i, j);
      for_vectors<T>(0, s.channels, [&](int64_t c, int64_t count) {
        body(image * s.height * s.width * s.channels + c, w, (row * s.out_width + j) * s.channels + c, count);
      });
      if (large) look.after(row_work / s.out_width);
    }
    if (!large) look.after(row_work);
  }
}

template <typename T>
void pool_forward(const Team& team, T* y, const T* x, int64_t images, const PoolShape& s, Pooling kind) {
  assert(is_member(team) && is_pool(s) && images >= 0 && has(x, images * image_size(s)) &&
         has(y, images * out_size(s)));
  assert(apart(y, images * out_size(s), x, images * image_size(s)));
  const Range mine = team.share(images * s.out_height);
  // Folds the pixels of each window, beginning with `first`, and stores what `end` makes of the result.
  const auto fold_windows = [&](Vec<T> first, auto combine, auto end) {
    if (has_runs(s))
      for_outputs<T>(team, s, mine, [&](int64_t from, const Window& w, int64_t to, int64_t count) {
        const auto take = [&](Vec<T>& so_far, int64_t pixel) {
          so_far = combine(so_far, load(x + from + pixel * s.channels, count));
        };
        store(y + to, end(fold_terms(w.rows.begin * s.width, w.rows.end * s.width, first, take, combine), w), count);
      });
    else
      for_outputs<T>(team, s, mine, [&](int64_t from, const Window& w, int64_t to, int64_t count) {
        Vec<T> all = first;
        for_pixels(w, s, [&](int64_t at) { all = combine(all, load(x + from + at, count)); });
        store(y + to, end(all, w), count);
      });
  };
  if (kind == Pooling::max)
    fold_windows(
        splat(static_cast<T>(-__builtin_inf())),
        [](Vec<T> best, Vec<T> v) { return (v > best) | (v != v) ? v : best; },  // NaN wins, and stays
        [](Vec<T> best, const Window&) { return best; });
  else
    fold_windows(
        Vec<T>{}, [](Vec<T> total, Vec<T> v) { return total + v; },
        [](Vec<T> total, const Window& w) { return total * reciprocal_count<T>(w); });
}

template <typename T>
void pool_backward(const Team& team, T* dx, const T* dy, const T* x, const T* y, int64_t images, const PoolShape& s,
                   Pooling kind) {
  assert(is_member(team) && is_pool(s) && images >= 0 && has(dx, images * image_size(s)) &&
         has(dy, images * out_size(s)));
  assert(kind != Pooling::max || (has(x, images * image_size(s)) && has(y, images * out_size(s))));
  assert(apart(dx, images * image_size(s), dy, images * out_size(s)));
  const Range mine = team.share(images);
  constexpr int64_t kPiece = 65536;  // elements between two looks for Ctrl-C
  const int64_t size = s.height * s.width * s.channels, end = mine.end * size;
  for (int64_t begin = mine.begin * size; begin < end; begin += kPiece) {
    memset(dx + begin, 0, static_cast<size_t>(begin + kPiece < end ? kPiece : end - begin) * sizeof(T));
    team.poll();
  }
  const Range out_rows{mine.begin * s.out_height, mine.end * s.out_height};
  if (kind == Pooling::max)
    for_outputs<T>(team, s, out_rows, [&](int64_t from, const Window& w, int64_t to, int64_t count) {
      const Vec<T> best = load(y + to, count), gradient = load(dy + to, count);
      IVec<T> open = ~IVec<T>{};  // lanes whose maximum has not been met yet
      for_pixels(w, s, [&](int64_t at) {
        const Vec<T> v = load(x + from + at, count);
        const IVec<T> here = open & ((v == best) | (v != v));
        open &= ~here;
        T* sum = dx + from + at;
        store(sum, load(sum, count) + (here ? gradient : Vec<T>{}), count);
      });
    });
  else
    for_outputs<T>(team, s, out_rows, [&](int64_t from, const Window& w, int64_t to, int64_t count) {
      const Vec<T> gradient = load(dy + to, count) * reciprocal_count<T>(w);
      for_pixels(w, s, [&](int64_t at) {
        T* sum = dx + from + at;
        store(sum, load(sum, count) + gradient, count);
      });
    });
}

template <typename T>
void fill(PoolKernels<T>& k) {
  k.pool_forward = pool_forward<T>;
  k.pool_backward = pool_backward<T>;
}

}  // namespace

PYNN_DEFINE_REGISTER(pool, PoolKernels)

}  // namespace PYNN_ISA
}  // namespace pynn

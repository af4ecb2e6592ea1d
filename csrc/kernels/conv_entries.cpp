#include "conv_gradients.h"

namespace pynn {
namespace PYNN_ISA {
namespace {

// Zeros are passed over where no more than one in so many elements is not 0.
constexpr int64_t kSparse = 3;

// Pixels that tell whether to go on looking: not if half of their elements are not 0.
constexpr int64_t kSample = 32;

// Vectors that are added up in registers, twice.
constexpr int kBlock = 6;

// An image of the input as the output sees it: with padding, if there is any.
struct Frame {
  bool padded;
  int64_t stride, size;  // of rows; of all, 0 where the image is used as it lies
};

Frame frame_of(const ConvShape& s) {
  const bool padded = s.top > 0 || !fits(s) || seen_height(s) > s.height;
  const int64_t stride = (padded ? seen_width(s) : s.width) * s.channels;
  return {padded, stride, padded ? seen_height(s) * stride : 0};
}

// to += the sum over k of factor[k] * (the row that begins at position[k] * stride): NV vectors, of which the last has
// `last` elements. Every other row has a sum of its own, to hide the latency of the multiply-add.
template <typename T, int NV>
void add_rows(T* to, const T* rows, int64_t stride, const int32_t* position, const T* factor, int64_t n, int64_t last) {
  Vec<T> even[NV] = {}, odd[NV] = {};
  const auto add = [&](Vec<T>(&sum)[NV], int64_t k) {
    const Vec<T> by = splat(factor[k]);
    const T* row = rows + position[k] * stride;
#pragma GCC unroll 8
    for (int v = 0; v < NV; ++v) sum[v] += by * load(row + v * kWidth<T>, v < NV - 1 ? kWidth<T> : last);
  };
  int64_t k = 0;
  for (; k + 2 <= n; k += 2) {
    add(even, k);
    add(odd, k + 1);
  }
  if (k < n) add(even, k);
#pragma GCC unroll 8
  for (int v = 0; v < NV; ++v) {
    T* at = to + v * kWidth<T>;
    const int64_t count = v < NV - 1 ? kWidth<T> : last;
    store(at, load(at, count) + (even[v] + odd[v]), count);
  }
}

template <typename T>
using AddRows = void (*)(T*, const T*, int64_t, const int32_t*, const T*, int64_t, int64_t);

// Calls body(at, last, add) for each block of rows of `length` elements, add being add_rows for it.
template <typename T, typename Body>
void for_blocks(int64_t length, Body body) {
  static constexpr AddRows<T> add[kBlock] = {add_rows<T, 1>, add_rows<T, 2>, add_rows<T, 3>,
                                             add_rows<T, 4>, add_rows<T, 5>, add_rows<T, 6>};
  for (int64_t at = 0; at < length; at += kBlock * kWidth<T>) {
    const int64_t vectors = smaller(kBlock, (length - at + kWidth<T> - 1) / kWidth<T>);
    body(at, smaller(kWidth<T>, length - at - (vectors - 1) * kWidth<T>), add[vectors - 1]);
  }
}

template <typename T>
Entries<T> take_entries(const ConvShape& s, Scratch<T>& scratch) {
  const int64_t most = out_size(s) / kSparse + s.filters + 2 * kMostLanes;  // a pixel and a vector more
  Entries<T> e;
  e.pixel_begin = scratch.template take<int32_t>(s.out_height * s.out_width + 1);
  e.filter = scratch.template take<int32_t>(most);
  e.value = scratch.template take<T>(most);
  e.filter_end = scratch.template take<typename Simd<T>::integer>(s.filters + kMostLanes);
  e.offset = scratch.template take<int32_t>(most);
  e.factor = scratch.template take<T>(most);
  return e;
}

template <typename T>
bool find(const Entries<T>& e, const T* g, const ConvShape& s) {
  const int64_t row_stride = frame_of(s).stride, pixels = s.out_height * s.out_width, most = out_size(s) / kSparse;
  memset(e.filter_end, 0, static_cast<size_t>(s.filters + kMostLanes) * sizeof(*e.filter_end));
  int64_t n = 0;
  for (int64_t pixel = 0; pixel < pixels; ++pixel) {
    e.pixel_begin[pixel] = static_cast<int32_t>(n);
    if (n > most || (pixel == kSample && 2 * n > kSample * s.filters)) return false;
    for_vectors<T>(0, s.filters, [&](int64_t c, int64_t count) {
      const Vec<T> v = load(g + pixel * s.filters + c, count);
      const IVec<T> is = v != 0;
      const uint32_t bits = lane_bits<T>(is);
      if (bits == 0) return;
      store_integers<T>(e.filter_end + c, load_integers<T>(e.filter_end + c) - is);
      append_lanes<T>(e.filter + n, e.value + n, static_cast<int32_t>(c), v, bits);
      n += __builtin_popcount(bits);
    });
  }
  e.pixel_begin[pixels] = static_cast<int32_t>(n);
  typename Simd<T>::integer at = 0;
  for (int64_t c = 0; c < s.filters; ++c) {
    const auto count = e.filter_end[c];
    e.filter_end[c] = at;  // where they begin; the loop below brings it to the end
    at += count;
  }
  for (int64_t i = 0; i < s.out_height; ++i)
    for (int64_t j = 0; j < s.out_width; ++j) {
      const auto offset = static_cast<int32_t>(i * s.stride_y * row_stride + j * s.stride_x * s.channels);
      const int64_t pixel = i * s.out_width + j;
      for (int32_t k = e.pixel_begin[pixel]; k < e.pixel_begin[pixel + 1]; ++k) {
        const auto place = e.filter_end[e.filter[k]]++;
        e.offset[place] = offset;
        e.factor[place] = e.value[k];
      }
    }
  return true;
}

template <typename T>
void make_input(T* dx, const Entries<T>& e, const T* turned, const ConvShape& s, T* padded) {
  const Frame frame = frame_of(s);
  const int64_t columns = s.kernel_width * s.channels;
  T* sum = frame.padded ? padded : dx;
  memset(sum, 0, static_cast<size_t>(frame.padded ? frame.size : image_size(s)) * sizeof(T));
  for (int64_t ky = 0; ky < s.kernel_height; ++ky)
    for_blocks<T>(columns, [&](int64_t at, int64_t last, AddRows<T> add) {
      const T* rows = turned + ky * s.filters * columns + at;
      for (int64_t i = 0; i < s.out_height; ++i) {
        T* to = sum + (i * s.stride_y + ky * s.dilation_y) * frame.stride + at;
        for (int64_t j = 0; j < s.out_width; ++j, to += s.stride_x * s.channels) {
          const int32_t *begin = e.pixel_begin + i * s.out_width + j, n = begin[1] - begin[0];
          if (n > 0) add(to, rows, columns, e.filter + *begin, e.value + *begin, n, last);
        }
      }
    });
  if (!frame.padded) return;
  const int64_t row = s.width * s.channels, rows = smaller(s.height, seen_height(s) - s.top);
  const int64_t length = larger(0, smaller(row, frame.stride - s.left * s.channels));
  if (rows < s.height || length < row) memset(dx, 0, static_cast<size_t>(image_size(s)) * sizeof(T));
  copy_rows(dx, row, sum + s.top * frame.stride + s.left * s.channels, frame.stride, rows, length);
}

template <typename T>
void add_kernel(T* sum, const T* x, const Entries<T>& e, const ConvShape& s, T* padded) {
  const Frame frame = frame_of(s);
  if (frame.padded) {
    const int64_t row = s.width * s.channels, rows = smaller(s.height, seen_height(s) - s.top);
    memset(padded, 0, static_cast<size_t>(frame.size) * sizeof(T));
    copy_rows(padded + s.top * frame.stride + s.left * s.channels, frame.stride, x, row, rows,
              larger(0, smaller(row, frame.stride - s.left * s.channels)));
    x = padded;
  }
  const int64_t columns = s.kernel_width * s.channels;
  for (int64_t c = 0; c < s.filters; ++c) {
    const int64_t begin = c == 0 ? 0 : e.filter_end[c - 1], n = e.filter_end[c] - begin;
    if (n == 0) continue;
    for (int64_t ky = 0; ky < s.kernel_height; ++ky)
      for_blocks<T>(columns, [&](int64_t at, int64_t last, AddRows<T> add) {
        add(sum + (ky * s.filters + c) * columns + at, x + ky * s.dilation_y * frame.stride + at, 1, e.offset + begin,
            e.factor + begin, n, last);
      });
  }
}

}  // namespace

int64_t frame_size(const ConvShape& s) { return frame_of(s).size; }

#define PYNN_DEFINE_ENTRIES(T)                                                                           \
  Entries<T> entries_in(const ConvShape& s, Scratch<T>& scratch) { return take_entries<T>(s, scratch); } \
  bool find_entries(const Entries<T>& e, const T* g, const ConvShape& s) { return find<T>(e, g, s); }    \
  void input_from_entries(T* dx, const Entries<T>& e, const T* turned, const ConvShape& s, T* padded) {  \
    make_input<T>(dx, e, turned, s, padded);                                                             \
  }                                                                                                      \
  void add_kernel_from_entries(T* sum, const T* x, const Entries<T>& e, const ConvShape& s, T* padded) { \
    add_kernel<T>(sum, x, e, s, padded);                                                                 \
  }
PYNN_DEFINE_ENTRIES(float)
PYNN_DEFINE_ENTRIES(double)

}  // namespace PYNN_ISA
}  // namespace pynn

#include "activations.h"
#include "register.h"
#include "rows.h"
#include "tile.h"

// Convolution without im2col: the pixels of an output row are the rows of a product, and what a pixel sees of one input
// row lies side by side in memory, a strip of the sum. Rows that the padding would add are left out of the sum; columns
// that it adds are zeros in a copy of the rows at hand.

namespace pynn {
namespace PYNN_ISA {
namespace {

// Elements of the input rows that are copied together, and output pixels that one product makes.
constexpr int64_t kBand = 16384, kPixels = 256;

// Gradients of a kernel of at most so many elements are added up in so many sums over parts of the batch; of a larger
// one each member makes some rows.
constexpr int64_t kSmallKernel = 65536, kSums = 8;

int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }
int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

// Columns of the input that the output sees, padding included.
int64_t seen_width(const ConvShape& s) {
  return (s.out_width - 1) * s.stride_x + (s.kernel_width - 1) * s.dilation_x + 1;
}

// Whether the columns of the input can be used as they lie.
bool fits(const ConvShape& s) { return s.left == 0 && seen_width(s) <= s.width; }

// The terms of a sum that lie side by side: a row of the kernel or, where that is torn apart, one position of it.
bool whole_rows(const ConvShape& s) { return s.groups == 1 && (s.dilation_x == 1 || s.kernel_width == 1); }

int64_t kernel_size(const ConvShape& s) {
  return s.kernel_height * s.kernel_width * (s.channels / s.groups) * s.filters;
}

// Output rows whose input rows are copied together.
int64_t band_rows(const ConvShape& s) {
  return larger(1, smaller(s.out_height, kBand / larger(1, s.stride_y * seen_width(s) * s.channels)));
}

int64_t bands(const ConvShape& s) { return (s.out_height + band_rows(s) - 1) / band_rows(s); }

// Elements that hold so many strips, and a copied band.
template <typename T>
int64_t strip_elements(int64_t count) {
  return (count * static_cast<int64_t>(sizeof(Strip) / sizeof(T)) + 15) / 16 * 16;
}
int64_t band_elements(const ConvShape& s) {
  const int64_t rows = (band_rows(s) - 1) * s.stride_y + (s.kernel_height - 1) * s.dilation_y + 1;
  return fits(s) ? 0 : smaller(rows, s.height) * seen_width(s) * s.channels;
}

// Rows of an image, as wide as the output sees them: row i of the image is at data + (i - first) * stride.
template <typename T>
struct Rows {
  const T* data;
  int64_t first, stride;
};

// What the output rows see of the image x.
template <typename T>
Rows<T> rows_for(const ConvShape& s, const T* x, Range out_rows, T* copy) {
  if (fits(s)) return {x, 0, s.width * s.channels};
  const int64_t first = larger(0, out_rows.begin * s.stride_y - s.top);
  const int64_t last = (out_rows.end - 1) * s.stride_y - s.top + (s.kernel_height - 1) * s.dilation_y;
  const int64_t end = smaller(s.height, last + 1), stride = seen_width(s) * s.channels;
  const int64_t before = s.left * s.channels;
  const int64_t length = smaller(s.width * s.channels, stride - before);
  for (int64_t i = first; i < end; ++i) {
    T* to = copy + (i - first) * stride;
    memset(to, 0, static_cast<size_t>(before) * sizeof(T));
    memcpy(to + before, x + i * s.width * s.channels, static_cast<size_t>(length) * sizeof(T));
    memset(to + before + length, 0, static_cast<size_t>(stride - before - length) * sizeof(T));
  }
  return {copy, first, stride};
}

// ---- forward

// The strips of the sums of one output row; returns their number.
template <typename T>
int64_t forward_strips(const ConvShape& s, const Rows<T>& x, int64_t out_row, Strip* strips) {
  const int64_t inner = s.channels / s.groups, pieces = whole_rows(s) ? 1 : s.kernel_width;
  int64_t count = 0;
  for (int64_t ky = 0; ky < s.kernel_height; ++ky) {
    const int64_t i = out_row * s.stride_y - s.top + ky * s.dilation_y;
    if (i < 0 || i >= s.height) continue;
    for (int64_t kx = 0; kx < pieces; ++kx)
      strips[count++] = {(i - x.first) * x.stride + kx * s.dilation_x * s.channels,
                         (ky * s.kernel_width + kx) * inner * s.filters};
  }
  return count;
}

// y = f(y + bias)
template <typename T>
void finish(T* y, const T* bias, int64_t pixels, int64_t columns, const ActivationSpec& activation) {
  if (bias != nullptr)
    for (int64_t i = 0; i < pixels; ++i)
      for_vectors<T>(0, columns, [&](int64_t j, int64_t count) {
        T* at = y + i * columns + j;
        store(at, load(at, count) + load(bias + j, count), count);
      });
  activate_block(y, pixels, columns, columns, activation);
}

template <typename T>
void conv_forward(const Team& team, T* y, const T* x, const T* kernel, const T* bias, int64_t images,
                  const ConvShape& s, const ActivationSpec& activation, T* own) {
  Strip* strips = reinterpret_cast<Strip*>(own);
  T* copy = own + strip_elements<T>(s.kernel_height * s.kernel_width);
  const int64_t inner = s.channels / s.groups, outer = s.filters / s.groups;
  const int64_t strip = whole_rows(s) ? s.kernel_width * inner : inner;
  const Range mine = team.share(images * bands(s));
  for (int64_t unit = mine.begin; unit < mine.end; ++unit) {
    if (unit > mine.begin) team.poll();
    const int64_t image = unit / bands(s), begin = unit % bands(s) * band_rows(s);
    const Range out_rows{begin, smaller(begin + band_rows(s), s.out_height)};
    const Rows<T> rows = rows_for(s, x + image * s.height * s.width * s.channels, out_rows, copy);
    for (int64_t o = out_rows.begin; o < out_rows.end; ++o) {
      const int64_t terms = forward_strips(s, rows, o, strips) * strip;
      for (int64_t at = 0; at < s.out_width; at += kPixels) {
        const int64_t pixels = smaller(kPixels, s.out_width - at);
        T* to = y + ((image * s.out_height + o) * s.out_width + at) * s.filters;
        for (int64_t g = 0; g < s.groups; ++g) {
          Product<T> p =
              product<T>(pixels, outer, terms, rows.data + at * s.stride_x * s.channels + g * inner,
                         s.stride_x * s.channels, 1, kernel + g * outer, s.filters, false, to + g * outer, s.filters);
          p.strips = strips;
          p.strip = strip;
          multiply_block(p);
        }
        finish(to, bias, pixels, s.filters, activation);
      }
    }
  }
}

// ---- backward

// kernel (kernel_height, kernel_width, inner, filters) to (groups, kernel_height, outer, kernel_width, inner), so that
// what an output pixel hands back to an input row is a strip of a product too.
template <typename T>
void turn_kernel(const Team& team, T* out, const T* kernel, const ConvShape& s) {
  const int64_t inner = s.channels / s.groups, outer = s.filters / s.groups, columns = s.kernel_width * inner;
  const Range mine = team.share(s.groups * s.kernel_height);
  for (int64_t unit = mine.begin; unit < mine.end; ++unit) {
    const int64_t g = unit / s.kernel_height, ky = unit % s.kernel_height;
    transpose_block(columns, outer, kernel + ky * columns * s.filters + g * outer, s.filters,
                    out + unit * outer * columns, columns);
  }
}

// The strips of the gradient of one input row; returns their number.
int64_t backward_strips(const ConvShape& s, int64_t row, Strip* strips) {
  const int64_t outer = s.filters / s.groups, columns = s.kernel_width * (s.channels / s.groups);
  int64_t count = 0;
  for (int64_t ky = 0; ky < s.kernel_height; ++ky) {
    const int64_t from = row + s.top - ky * s.dilation_y;
    if (from < 0 || from % s.stride_y != 0 || from / s.stride_y >= s.out_height) continue;
    strips[count++] = {from / s.stride_y * s.out_width * s.filters, ky * outer * columns};
  }
  return count;
}

template <typename T>
void conv_backward_input(const Team& team, T* dx, const T* dy, const T* kernel, const T* bias, int64_t images,
                         const ConvShape& s, const ActivationSpec& activation, T* shared, T* own) {
  turn_kernel(team, shared, kernel, s);
  team.barrier();
  Strip* strips = reinterpret_cast<Strip*>(own);
  T* padded_row = own + strip_elements<T>(s.kernel_height);
  const int64_t inner = s.channels / s.groups, outer = s.filters / s.groups, columns = s.kernel_width * inner;
  const int64_t pieces = whole_rows(s) ? 1 : s.kernel_width, width = columns / pieces;
  const int64_t row_size = s.width * s.channels, seen = seen_width(s) * s.channels, before = s.left * s.channels;
  const bool in_place = fits(s);
  const Range mine = team.share(images * s.height);
  for (int64_t unit = mine.begin; unit < mine.end; ++unit) {
    if (unit % 16 == 0) team.poll();
    T* to = dx + unit * row_size;
    T* sum = in_place ? to : padded_row;
    memset(sum, 0, static_cast<size_t>(in_place ? row_size : seen) * sizeof(T));
    const int64_t terms = backward_strips(s, unit % s.height, strips) * outer;
    const T* from = dy + unit / s.height * s.out_height * s.out_width * s.filters;
    for (int64_t g = 0; g < s.groups; ++g)
      for (int64_t kx = 0; kx < pieces; ++kx) {
        Product<T> p = product<T>(s.out_width, width, terms, from + g * outer, s.filters, 1,
                                  shared + g * s.kernel_height * outer * columns + kx * width, columns, true,
                                  sum + kx * s.dilation_x * s.channels + g * inner, s.stride_x * s.channels);
        p.strips = strips;
        p.strip = outer;
        multiply_block(p);
      }
    if (!in_place) {
      const int64_t length = larger(0, smaller(row_size, seen - before));
      memcpy(to, sum + before, static_cast<size_t>(length) * sizeof(T));
      memset(to + length, 0, static_cast<size_t>(row_size - length) * sizeof(T));
    }
    finish(to, bias, s.width, s.channels, activation);
  }
}

// sum += the gradient of the kernel for one image, and dbias += that of the bias, where it is not null.
template <typename T>
void add_kernel_gradient(const Team& team, T* sum, T* dbias, const T* x, const T* dy, const ConvShape& s, T* own) {
  Strip* strips = reinterpret_cast<Strip*>(own);
  T* copy = own + strip_elements<T>(s.out_height);
  const int64_t inner = s.channels / s.groups, outer = s.filters / s.groups;
  const int64_t pieces = whole_rows(s) ? 1 : s.kernel_width, height = s.kernel_width * inner / pieces;
  for (int64_t begin = 0; begin < s.out_height; begin += band_rows(s)) {
    const Range out_rows{begin, smaller(begin + band_rows(s), s.out_height)};
    const Rows<T> rows = rows_for(s, x, out_rows, copy);
    for (int64_t ky = 0; ky < s.kernel_height; ++ky) {
      int64_t count = 0;
      for (int64_t o = out_rows.begin; o < out_rows.end; ++o) {
        const int64_t i = o * s.stride_y - s.top + ky * s.dilation_y;
        if (i >= 0 && i < s.height) strips[count++] = {(i - rows.first) * rows.stride, o * s.out_width * s.filters};
      }
      for (int64_t kx = 0; kx < pieces; ++kx)
        for (int64_t g = 0; g < s.groups; ++g) {
          Product<T> p =
              product<T>(height, outer, count * s.out_width, rows.data + kx * s.dilation_x * s.channels + g * inner, 1,
                         s.stride_x * s.channels, dy + g * outer, s.filters, true,
                         sum + (ky * s.kernel_width + kx) * inner * s.filters + g * outer, s.filters);
          p.strips = strips;
          p.strip = s.out_width;
          multiply_block(p);
        }
    }
    team.poll();
  }
  if (dbias == nullptr) return;
  for_vectors<T>(0, s.filters, [&](int64_t j, int64_t count) {
    Vec<T> total{};
    for (int64_t i = 0; i < s.out_height * s.out_width; ++i) total += load(dy + i * s.filters + j, count);
    store(dbias + j, load(dbias + j, count) + total, count);
  });
}

// Images are cut into parts, whose gradients are added up in order: the cut depends on the shapes alone.
int64_t kernel_sums(int64_t images, const ConvShape& s) {
  return kernel_size(s) <= kSmallKernel ? larger(1, smaller(images, kSums)) : 1;
}

template <typename T>
void conv_backward_kernel(const Team& team, T* dkernel, T* dbias, const T* x, const T* dy, int64_t images,
                          const ConvShape& s, bool accumulate, T* shared, T* own) {
  const int64_t size = kernel_size(s), each = size + s.filters, sums = kernel_sums(images, s);
  const int64_t x_size = s.height * s.width * s.channels, y_size = s.out_height * s.out_width * s.filters;
  const Range mine = team.share(sums);
  for (int64_t part = mine.begin; part < mine.end; ++part) {
    T* sum = shared + part * each;
    memset(sum, 0, static_cast<size_t>(each) * sizeof(T));
    for (int64_t i = images * part / sums; i < images * (part + 1) / sums; ++i)
      add_kernel_gradient(team, sum, dbias == nullptr ? nullptr : sum + size, x + i * x_size, dy + i * y_size, s, own);
  }
  team.barrier();
  const auto add_up = [&](T* to, int64_t offset, int64_t n) {
    const Range part = team.share(n, 16);
    for_vectors<T>(part.begin, part.end, [&](int64_t j, int64_t count) {
      Vec<T> total = load(shared + offset + j, count);
      for (int64_t k = 1; k < sums; ++k) total += load(shared + k * each + offset + j, count);
      store(to + j, accumulate ? load(to + j, count) + total : total, count);
    });
  };
  if (dkernel != nullptr) add_up(dkernel, 0, size);
  if (dbias != nullptr) add_up(dbias, size, s.filters);
}

template <typename T>
int64_t conv_shared(int64_t images, const ConvShape& s, bool backward) {
  if (!backward) return 0;
  return larger(kernel_size(s), kernel_sums(images, s) * (kernel_size(s) + s.filters));
}

template <typename T>
int64_t conv_own(const ConvShape& s, bool backward) {
  const int64_t forward = strip_elements<T>(s.kernel_height * s.kernel_width) + band_elements(s);
  if (!backward) return forward;
  const int64_t kernel = strip_elements<T>(s.out_height) + band_elements(s);
  const int64_t input = strip_elements<T>(s.kernel_height) + seen_width(s) * s.channels;
  return larger(forward, larger(kernel, input));
}

template <typename T>
void fill(Kernels<T>& k) {
  k.conv_forward = conv_forward<T>;
  k.conv_backward_input = conv_backward_input<T>;
  k.conv_backward_kernel = conv_backward_kernel<T>;
  k.conv_shared = conv_shared<T>;
  k.conv_own = conv_own<T>;
}

}  // namespace

PYNN_DEFINE_REGISTER(conv)

}  // namespace PYNN_ISA
}  // namespace pynn

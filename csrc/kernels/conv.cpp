#include "conv.h"

#include "checks.h"
#include "conv_common.h"
#include "few_columns.h"
#include "register.h"

// Convolution without im2col: the pixels of an output row are the rows of a product, and what a pixel sees of one input
// row lies side by side in memory, a strip of the sum. Rows that the padding would add are left out of the sum; columns
// that it adds are zeros in a copy of the rows at hand. A pooling that follows takes its rows while they are in the
// nearest cache.

namespace pynn {
namespace PYNN_ISA {
namespace {

// Output pixels that one product makes.
constexpr int64_t kPixels = 256;

// A kernel of more elements is copied to panels for so many output pixels: a panel stays in the second-level cache
// while a band of rows is made.
constexpr int64_t kLargeKernel = 131072, kManyPixels = 256;

bool in_panels(int64_t images, const ConvShape& s) {
  return s.groups == 1 && kernel_size(s) > kLargeKernel && images * s.out_height * s.out_width >= kManyPixels;
}

// Whether there are so few filters that y is summed by terms.
template <typename T>
bool has_few_filters(const ConvShape& s) {
  const int64_t inner = s.channels / s.groups, strip = whole_rows(s) ? s.kernel_width * inner : inner;
  return s.groups == 1 && pays_by_terms(T{}, s.filters, kernel_size(s) / s.filters, strip);
}

// Multiply-adds of a row of the result that make it worth while to poll after each.
constexpr int64_t kLongRow = 1 << 20;

// Filters that are made together: where they begin in the kernel, and how far its rows lie apart. Few filters are all
// made together, of the kernel's transpose, whose columns are its rows.
template <typename T>
struct Filters {
  const T* kernel;
  int64_t ld, begin, count;
};

// The strips of the sums of one output row, for a kernel whose rows lie ld apart; returns their number.
template <typename T>
int64_t forward_strips(const ConvShape& s, const Rows<T>& x, int64_t out_row, int64_t ld, Strip* strips) {
  const int64_t inner = s.channels / s.groups, pieces = whole_rows(s) ? 1 : s.kernel_width;
  int64_t count = 0;
  for (int64_t ky = 0; ky < s.kernel_height; ++ky) {
    const int64_t i = out_row * s.stride_y - s.top + ky * s.dilation_y;
    if (i < 0 || i >= s.height) continue;
    for (int64_t kx = 0; kx < pieces; ++kx)
      strips[count++] = {(i - x.first) * x.stride + kx * s.dilation_x * s.channels,
                         (ky * s.kernel_width + kx) * inner * ld};
  }
  return count;
}

// Some filters of the first `width` pixels of an output row; bias may be null.
template <typename T>
void convolve_row(T* y, const Rows<T>& x, const Filters<T>& filters, const T* bias, const ConvShape& s, int64_t out_row,
                  int64_t width, Ahead& ahead, Strip* strips) {
  if (has_small_groups(s)) {
    ask_for(ahead, width);
    return small_groups_row(y, x, filters.kernel, bias, s, out_row, width, strips);
  }
  const int64_t inner = s.channels / s.groups, outer = filters.count / s.groups;
  const int64_t strip = whole_rows(s) ? s.kernel_width * inner : inner;
  const int64_t terms = forward_strips(s, x, out_row, filters.ld, strips) * strip;
  const bool few = has_few_filters<T>(s);
  for (int64_t at = 0; at < width; at += kPixels)
    for (int64_t g = 0; g < s.groups; ++g) {
      const int64_t first = filters.begin + g * outer;
      Product<T> p = product<T>(smaller(kPixels, width - at), outer, terms,
                                x.data + at * s.stride_x * s.channels + g * inner, s.stride_x * s.channels, 1,
                                filters.kernel + g * outer, filters.ld, false, y + at * s.filters + first, s.filters);
      p.strips = strips;
      p.strip = strip;
      p.bias = bias == nullptr ? nullptr : bias + first;
      p.ahead = &ahead;
      if (few) {
        p.ldb = kernel_size(s) / s.filters;
        multiply_by_terms(p);
      } else {
        multiply_block(p);
      }
    }
}

// Whether the activation may follow the max pooling instead of going before it: then it is applied to fewer elements.
// It never falls, so the largest element stays the largest. Where it makes elements equal its slope is 0, so it does
// not matter which of them the gradient goes to.
bool may_wait(const ActivationSpec& activation) {
  return activation.kind == Activation::linear || activation.kind == Activation::relu ||
         activation.kind == Activation::relu6;
}

// Some channels of a row of the pooling of x (rows, x_width, filters), as in pool.cpp; which: the numbers of the
// elements in their windows, if asked for.
template <typename T>
void pool_row(T* y, uint8_t* which, const T* x, int64_t rows, int64_t x_width, const PoolShape& s, Range channels) {
  for (int64_t j = 0; j < s.out_width; ++j) {
    const int64_t left = j * s.stride_x, width = smaller(s.window_width, x_width - left);
    for_vectors<T>(channels.begin, channels.end, [&](int64_t c, int64_t count) {
      const T* from = x + left * s.channels + c;
      Vec<T> best = load(from, count);
      IVec<T> number{};
      typename Simd<T>::integer next = 1;
      for (int64_t row = 0; row < rows; ++row, from += x_width * s.channels)
        for (int64_t column = row == 0; column < width; ++column) {
          const Vec<T> v = load(from + column * s.channels, count);
          const IVec<T> larger_here = (v > best) | ((v != v) & (best == best));  // the first NaN wins
          best = larger_here ? v : best;
          number = larger_here ? IVec<T>{} + next : number;
          ++next;
        }
      store(y + j * s.channels + c, best, count);
      if (which != nullptr) store_bytes<T>(which + j * s.channels + c, number, count);
    });
  }
}

// Result rows that are made of the same copied rows, and the output rows from one of them to the next.
template <typename T>
int64_t row_step(const ConvLayer<T>& layer) {
  return layer.pooled ? layer.pool.stride_y : 1;
}
template <typename T>
int64_t band_of_results(const ConvLayer<T>& layer) {
  return larger(1, band_rows(layer.shape) / row_step(layer));
}
template <typename T>
int64_t output_rows(const ConvLayer<T>& layer, int64_t result_rows) {
  return (result_rows - 1) * row_step(layer) + (layer.pooled ? layer.pool.window_height : 1);
}

// Columns of the output that are used.
template <typename T>
int64_t used_width(const ConvLayer<T>& layer) {
  const PoolShape& p = layer.pool;
  return layer.pooled ? smaller(layer.shape.out_width, (p.out_width - 1) * p.stride_x + p.window_width)
                      : layer.shape.out_width;
}

template <typename T>
struct ForwardSpace {
  Strip* strips;
  T *copy, *rows;  // of the input; of the output, where it is pooled
  T* turned;       // the transpose of a kernel of few filters
};

template <typename T>
ForwardSpace<T> forward_space(const ConvLayer<T>& layer, Scratch<T>& scratch) {
  const ConvShape& s = layer.shape;
  Strip* strips =
      scratch.template take<Strip>(has_small_groups(s) ? small_groups_space(s) : s.kernel_height * s.kernel_width);
  T* copy = scratch.template take<T>(band_elements(s, output_rows(layer, band_of_results(layer))));
  T* rows = scratch.template take<T>(layer.pooled ? layer.pool.window_height * used_width(layer) * s.filters : 0);
  return {strips, copy, rows, scratch.template take<T>(has_few_filters<T>(s) ? kernel_size(s) : 0)};
}

// Some filters of row i of the result for an image.
template <typename T>
void result_row(T* y, uint8_t* which, const Rows<T>& x, const ConvLayer<T>& layer, const Filters<T>& filters, int64_t i,
                Ahead& ahead, const ForwardSpace<T>& space) {
  const ConvShape& s = layer.shape;
  const int64_t width = used_width(layer), begin = filters.begin, count = filters.count;
  if (!layer.pooled) {
    convolve_row(y, x, filters, layer.bias, s, i, width, ahead, space.strips);
    activate_block(y + begin, width, count, s.filters, layer.activation);
    return;
  }
  const int64_t top = i * layer.pool.stride_y, rows = smaller(layer.pool.window_height, s.out_height - top);
  for (int64_t row = 0; row < rows; ++row)
    convolve_row(space.rows + row * width * s.filters, x, filters, layer.bias, s, top + row, width, ahead,
                 space.strips);
  const bool waits = may_wait(layer.activation);
  if (!waits) activate_block(space.rows + begin, rows * width, count, s.filters, layer.activation);
  pool_row(y, which, space.rows, rows, width, layer.pool, {begin, begin + count});
  if (waits) activate_block(y + begin, layer.pool.out_width, count, s.filters, layer.activation);
}

template <typename T>
int64_t conv_forward_shared(int64_t images, const ConvLayer<T>& layer) {
  return in_panels(images, layer.shape) ? kernel_size(layer.shape) : 0;
}

template <typename T>
void conv_forward(const Team& team, T* y, uint8_t* which, const T* x, int64_t images, const ConvLayer<T>& layer,
                  T* shared, T* own) {
  assert(is_member(team) && is_layer(layer) && images >= 0 && has(x, images * image_size(layer.shape)));
  assert(has(y, images * result_size(layer)));
  assert(apart(y, images * result_size(layer), x, images * image_size(layer.shape)));
  assert((shared != nullptr || conv_forward_shared(images, layer) == 0) && own != nullptr);
  const ConvShape& s = layer.shape;
  Scratch<T> scratch(own);
  const ForwardSpace<T> space = forward_space(layer, scratch);
  const bool few = has_few_filters<T>(s), panels = !few && in_panels(images, s);
  const int64_t together = panels ? panel_width(T{}) : s.filters, terms = kernel_size(s) / s.filters;
  if (panels) {
    pack_block(terms, s.filters, layer.kernel, s.filters, 1, team.share(s.filters, together), shared);
    team.barrier();
  }
  if (few) transpose_block(terms, s.filters, layer.kernel, s.filters, space.turned, terms);
  const int64_t height = layer.pooled ? layer.pool.out_height : s.out_height, row_size = result_size(layer) / height;
  // Bands of nearly equal height; a team shares a single image too. A cut changes no sum.
  const int64_t most = larger(1, smaller(band_of_results(layer), images * height / team.size));
  const int64_t bands = (height + most - 1) / most, band = (height + bands - 1) / bands;
  const Range mine = team.share(images * bands);
  const bool long_rows = row_step(layer) * used_width(layer) * together * terms >= kLongRow;
  for (int64_t unit = mine.begin; unit < mine.end; ++unit) {
    if (unit > mine.begin) team.poll();
    const int64_t image = unit / bands, begin = unit % bands * band, end = smaller(begin + band, height);
    const int64_t first = begin * row_step(layer);
    const Range rows{first, smaller(first + output_rows(layer, end - begin), s.out_height)};
    const Rows<T> input = rows_for(s, x + image * image_size(s), rows, space.copy);
    // What is asked for lies behind what this unit sees, and is as much.
    const int64_t seen = (rows.end - rows.begin) * s.stride_y * s.width * s.channels;
    const int64_t behind = image * image_size(s) + larger(0, rows.end * s.stride_y - s.top) * s.width * s.channels;
    Ahead ahead = ahead_of(x + behind, larger(0, smaller(seen, images * image_size(s) - behind)),
                           (rows.end - rows.begin) * s.out_width);
    for (int64_t f = 0; f < s.filters; f += together) {
      const int64_t count = smaller(together, s.filters - f);
      const T* kernel = few ? space.turned : panels ? shared + f * terms : layer.kernel;
      const Filters<T> filters{kernel, few ? 1 : count, f, count};
      for (int64_t i = begin; i < end; ++i) {
        T* to = y + (image * height + i) * row_size;
        result_row(to, which == nullptr ? nullptr : which + (to - y), input, layer, filters, i, ahead, space);
        if (long_rows) team.poll();
      }
    }
  }
}

template <typename T>
int64_t conv_forward_own(const ConvLayer<T>& layer) {
  Scratch<T> scratch(nullptr);
  forward_space(layer, scratch);
  return scratch.used();
}

template <typename T>
void fill(ConvKernels<T>& k) {
  k.conv_forward = conv_forward<T>;
  k.conv_forward_shared = conv_forward_shared<T>;
  k.conv_forward_own = conv_forward_own<T>;
}

}  // namespace

PYNN_DEFINE_REGISTER(conv, ConvKernels)

}  // namespace PYNN_ISA
}  // namespace pynn

#include "conv_gradients.h"

#include "register.h"

namespace pynn {
namespace PYNN_ISA {
namespace {

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

}  // namespace

template <typename T>
void turn_kernel(const Team& team, T* out, const T* kernel, const ConvShape& s) {
  if (is_depthwise(s)) {  // as it is
    const Range part = team.share(kernel_size(s), 16);
    memcpy(out + part.begin, kernel + part.begin, static_cast<size_t>(part.end - part.begin) * sizeof(T));
    return;
  }
  const int64_t inner = s.channels / s.groups, outer = s.filters / s.groups, columns = s.kernel_width * inner;
  const Range mine = team.share(s.groups * s.kernel_height);
  for (int64_t unit = mine.begin; unit < mine.end; ++unit) {
    const int64_t g = unit / s.kernel_height, ky = unit % s.kernel_height;
    transpose_block(columns, outer, kernel + ky * columns * s.filters + g * outer, s.filters,
                    out + unit * outer * columns, columns);
  }
}

template <typename T>
RowSpace<T> row_space(const ConvShape& s, Scratch<T>& scratch) {
  Strip* strips = scratch.template take<Strip>(s.kernel_height);
  return {strips, scratch.template take<T>(fits(s) ? 0 : seen_width(s) * s.channels)};
}

template <typename T>
void input_row(T* to, const T* dy, const T* turned, const ConvShape& s, int64_t row, const RowSpace<T>& space) {
  const int64_t inner = s.channels / s.groups, outer = s.filters / s.groups, columns = s.kernel_width * inner;
  const int64_t pieces = whole_rows(s) ? 1 : s.kernel_width, width = columns / pieces;
  const int64_t row_size = s.width * s.channels, seen = seen_width(s) * s.channels, before = s.left * s.channels;
  const bool in_place = fits(s);
  T* sum = in_place ? to : space.padded;
  const int64_t terms = backward_strips(s, row, space.strips) * outer;
  // Where each output pixel has a pixel of the input to itself, nothing is added up in memory.
  const bool apart = in_place && s.groups == 1 && s.kernel_width == 1 && s.stride_x == 1 && s.out_width == s.width;
  if (!apart || terms == 0) memset(sum, 0, static_cast<size_t>(in_place ? row_size : seen) * sizeof(T));
  if (is_depthwise(s)) depthwise_input_row(sum, dy, turned, s, row);
  for (int64_t g = 0; g < s.groups && !is_depthwise(s); ++g)
    for (int64_t kx = 0; kx < pieces; ++kx) {
      Product<T> p = product<T>(s.out_width, width, terms, dy + g * outer, s.filters, 1,
                                turned + g * s.kernel_height * outer * columns + kx * width, columns, !apart,
                                sum + kx * s.dilation_x * s.channels + g * inner, s.stride_x * s.channels);
      p.strips = space.strips;
      p.strip = outer;
      multiply_block(p);
    }
  if (in_place) return;
  const int64_t length = larger(0, smaller(row_size, seen - before));
  memcpy(to, sum + before, static_cast<size_t>(length) * sizeof(T));
  memset(to + length, 0, static_cast<size_t>(row_size - length) * sizeof(T));
}

namespace {

// y (pixels, columns) += bias, where there is one.
template <typename T>
void add_bias(T* y, const T* bias, int64_t pixels, int64_t columns) {
  if (bias == nullptr) return;
  for (int64_t i = 0; i < pixels; ++i)
    for_vectors<T>(0, columns, [&](int64_t j, int64_t count) {
      T* at = y + i * columns + j;
      store(at, load(at, count) + load(bias + j, count), count);
    });
}

template <typename T>
void conv_transpose(const Team& team, T* y, const T* x, int64_t images, const ConvLayer<T>& layer, T* shared, T* own) {
  const ConvShape& s = layer.shape;
  turn_kernel(team, shared, layer.kernel, s);
  team.barrier();
  Scratch<T> scratch(own);
  const RowSpace<T> space = row_space(s, scratch);
  const Range mine = team.share(images * s.height);
  for (int64_t unit = mine.begin; unit < mine.end; ++unit) {
    if (unit % 16 == 0) team.poll();
    T* to = y + unit * s.width * s.channels;
    input_row(to, x + unit / s.height * out_size(s), shared, s, unit % s.height, space);
    add_bias(to, layer.bias, s.width, s.channels);
    activate_block(to, s.width, s.channels, s.channels, layer.activation);
  }
}

template <typename T>
void fill(Kernels<T>& k) {
  k.conv_transpose = conv_transpose<T>;
}

}  // namespace

#define PYNN_INSTANTIATE(T)                                                  \
  template void turn_kernel<T>(const Team&, T*, const T*, const ConvShape&); \
  template RowSpace<T> row_space<T>(const ConvShape&, Scratch<T>&);          \
  template void input_row<T>(T*, const T*, const T*, const ConvShape&, int64_t, const RowSpace<T>&);
PYNN_INSTANTIATE(float)
PYNN_INSTANTIATE(double)

PYNN_DEFINE_REGISTER(conv_input)

}  // namespace PYNN_ISA
}  // namespace pynn

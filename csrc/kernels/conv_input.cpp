#include "conv.h"

#include "checks.h"
#include "conv_gradients.h"
#include "register.h"

namespace pynn {
namespace PYNN_ISA {
namespace {

// Rows of the input whose gradient is made together, if so many are no more than kBand elements.
constexpr int64_t kInputRows = 8;

// Whether the turned kernel is in panels, each of which then stays in the second-level cache for some rows.
bool in_panels(const ConvShape& s) { return whole_rows(s) && kernel_size(s) > kSmallKernel; }

// Columns of the turned kernel that are used together, and lie together.
template <typename T>
int64_t columns_together(const ConvShape& s) {
  return in_panels(s) ? panel_width(T{}) : s.kernel_width * (s.channels / s.groups);
}

// The strips of the gradient of one input row, for a turned kernel whose rows lie ld apart; returns their number.
int64_t backward_strips(const ConvShape& s, int64_t row, int64_t ld, Strip* strips) {
  int64_t count = 0;
  for (int64_t ky = 0; ky < s.kernel_height; ++ky) {
    const int64_t from = row + s.top - ky * s.dilation_y;
    if (from < 0 || from % s.stride_y != 0 || from / s.stride_y >= s.out_height) continue;
    strips[count++] = {from / s.stride_y * s.out_width * s.filters, ky * (s.filters / s.groups) * ld};
  }
  return count;
}

// Whether each output pixel sees one input pixel, which no other pixel of its row sees. Then what it hands back is
// stored, and nothing is added up in memory.
bool is_apart(const ConvShape& s) {
  return fits(s) && s.groups == 1 && s.kernel_width == 1 && s.stride_x == 1 && s.out_width == s.width;
}

// sum += what `count` columns of the turned kernel, from column `at` on, hand back to a row of the input. Where
// is_apart, that is stored instead of added. `sum` is as wide as what the output sees of the row, padding included.
template <typename T>
void hand_back(T* sum, const T* dy, const T* turned, const ConvShape& s, int64_t row, int64_t at, int64_t count,
               Ahead* ahead, Strip* strips) {
  const int64_t outer = s.filters / s.groups, terms = backward_strips(s, row, count, strips) * outer;
  if (is_apart(s) && terms == 0) memset(sum + at, 0, static_cast<size_t>(s.width * s.channels - at) * sizeof(T));
  const auto multiply = [&](int64_t g, int64_t column, int64_t columns, int64_t to) {
    Product<T> p = product<T>(s.out_width, columns, terms, dy + g * outer, s.filters, 1,
                              turned + (g * count + at) * s.kernel_height * outer + column, count, !is_apart(s),
                              sum + to, s.stride_x * s.channels);
    p.strips = strips;
    p.strip = outer;
    p.ahead = ahead;
    multiply_block(p);
  };
  if (whole_rows(s)) return multiply(0, 0, count, at);
  const int64_t inner = s.channels / s.groups;
  for (int64_t g = 0; g < s.groups; ++g)
    for (int64_t kx = 0; kx < s.kernel_width; ++kx)
      multiply(g, kx * inner, inner, kx * s.dilation_x * s.channels + g * inner);
}

template <typename T>
void turn(const Team& team, T* out, const T* kernel, const ConvShape& s) {
  if (has_small_groups(s)) {  // as it is
    const Range part = team.share(kernel_size(s), 16);
    memcpy(out + part.begin, kernel + part.begin, static_cast<size_t>(part.end - part.begin) * sizeof(T));
    return;
  }
  const int64_t outer = s.filters / s.groups, columns = s.kernel_width * (s.channels / s.groups);
  const int64_t together = columns_together<T>(s), panels = (columns + together - 1) / together;
  const Range mine = team.share(s.groups * panels * s.kernel_height);
  for (int64_t unit = mine.begin; unit < mine.end; ++unit) {
    const int64_t g = unit / s.kernel_height / panels, at = unit / s.kernel_height % panels * together;
    const int64_t ky = unit % s.kernel_height, count = smaller(together, columns - at);
    transpose_block(count, outer, kernel + (ky * columns + at) * s.filters + g * outer, s.filters,
                    out + ((g * columns + at) * s.kernel_height + ky * count) * outer, count);
  }
}

template <typename T>
RowSpace<T> row_space_in(const ConvShape& s, Scratch<T>& scratch) {
  Strip* strips = scratch.template take<Strip>(has_small_groups(s) ? small_groups_space(s) : s.kernel_height);
  const int64_t together = needs_planes(s) ? 1 : input_rows_together(s);
  return {strips, scratch.template take<T>(fits(s) ? 0 : together * copied_row(s))};
}

template <typename T>
void make_rows(T* dx, const T* dy, const T* turned, const ConvShape& s, Range rows, Ahead* ahead,
               const RowSpace<T>& space) {
  const int64_t count = rows.end - rows.begin, row_size = s.width * s.channels;
  if (has_small_groups(s)) {
    for (int64_t i = 0; i < count; ++i) {
      if (ahead != nullptr) ask_for(*ahead, s.out_width);
      small_groups_input_row(dx + i * row_size, dy, turned, s, rows.begin + i, space.rows, space.strips);
    }
    return;
  }
  const int64_t columns = s.kernel_width * (s.channels / s.groups), together = columns_together<T>(s);
  const int64_t stride = fits(s) ? row_size : seen_width(s) * s.channels, before = s.left * s.channels;
  T* sums = fits(s) ? dx : space.rows;
  if (!is_apart(s)) memset(sums, 0, static_cast<size_t>(count * stride) * sizeof(T));
  for (int64_t at = 0; at < columns; at += together)
    for (int64_t i = 0; i < count; ++i)
      hand_back(sums + i * stride, dy, turned, s, rows.begin + i, at, smaller(together, columns - at), ahead,
                space.strips);
  if (fits(s)) return;
  const int64_t length = larger(0, smaller(row_size, stride - before));
  for (int64_t i = 0; i < count; ++i) {
    memcpy(dx + i * row_size, sums + i * stride + before, static_cast<size_t>(length) * sizeof(T));
    memset(dx + i * row_size + length, 0, static_cast<size_t>(row_size - length) * sizeof(T));
  }
}

// y (pixels, columns) += bias, where there is one.
template <typename T>
void add_bias(T* y, const T* bias, int64_t pixels, int64_t columns) {
  if (bias == nullptr) return;
  if (columns < kWidth<T>) {  // a pixel would leave most of a vector empty
    T repeated[kWidth<T> * kWidth<T>];
    for (int64_t i = 0; i < kWidth<T>; ++i)
      memcpy(repeated + i * columns, bias, static_cast<size_t>(columns) * sizeof(T));
    const int64_t n = pixels * columns, together = kWidth<T> * columns;
    for (int64_t begin = 0; begin < n; begin += together)
      for_vectors<T>(0, smaller(together, n - begin), [&](int64_t j, int64_t count) {
        T* at = y + begin + j;
        store(at, load(at, count) + load(repeated + j, count), count);
      });
    return;
  }
  for (int64_t i = 0; i < pixels; ++i)
    for_vectors<T>(0, columns, [&](int64_t j, int64_t count) {
      T* at = y + i * columns + j;
      store(at, load(at, count) + load(bias + j, count), count);
    });
}

template <typename T>
void conv_transpose(const Team& team, T* y, const T* x, int64_t images, const ConvLayer<T>& layer, T* shared, T* own) {
  assert(is_member(team) && is_layer(layer) && !layer.pooled && images >= 0 && has(x, images * out_size(layer.shape)));
  assert(has(y, images * image_size(layer.shape)) && shared != nullptr && own != nullptr);
  assert(apart(y, images * image_size(layer.shape), x, images * out_size(layer.shape)));
  const ConvShape& s = layer.shape;
  turn_kernel(team, shared, layer.kernel, s);
  team.barrier();
  Scratch<T> scratch(own);
  const RowSpace<T> space = row_space(s, scratch);
  for_input_rows(team, images, s, [&](int64_t image, Range rows) {
    T* to = y + (image * s.height + rows.begin) * s.width * s.channels;
    input_rows(to, x + image * out_size(s), shared, s, rows, nullptr, space);
    add_bias(to, layer.bias, (rows.end - rows.begin) * s.width, s.channels);
    activate_block(to, (rows.end - rows.begin) * s.width, s.channels, s.channels, layer.activation);
  });
}

template <typename T>
int64_t conv_transpose_own(const ConvLayer<T>& layer) {
  Scratch<T> scratch(nullptr);
  row_space_in(layer.shape, scratch);
  return scratch.used();
}

template <typename T>
void fill(ConvKernels<T>& k) {
  k.conv_transpose = conv_transpose<T>;
  k.conv_transpose_own = conv_transpose_own<T>;
}

}  // namespace

int64_t input_rows_together(const ConvShape& s) {
  return larger(1, smaller(kInputRows, kBand / larger(1, seen_width(s) * s.channels)));
}

#define PYNN_DEFINE_INPUT(T)                                                                                         \
  RowSpace<T> row_space(const ConvShape& s, Scratch<T>& scratch) { return row_space_in<T>(s, scratch); }             \
  void turn_kernel(const Team& team, T* out, const T* kernel, const ConvShape& s) { turn<T>(team, out, kernel, s); } \
  void input_rows(T* dx, const T* dy, const T* turned, const ConvShape& s, Range rows, Ahead* ahead,                 \
                  const RowSpace<T>& space) {                                                                        \
    make_rows<T>(dx, dy, turned, s, rows, ahead, space);                                                             \
  }
PYNN_DEFINE_INPUT(float)
PYNN_DEFINE_INPUT(double)

PYNN_DEFINE_REGISTER(conv_input, ConvKernels)

}  // namespace PYNN_ISA
}  // namespace pynn

#include "conv.h"

#include "checks.h"
#include "conv_gradients.h"
#include "polling.h"
#include "register.h"

// The gradients of a convolution. Those of small images are made image by image: what has come back through pooling and
// activation is mostly zeros there, and these are passed over.

namespace pynn {
namespace PYNN_ISA {
namespace {

// An image of up to so many elements, or its frame, has its gradient in a member's own scratch.
constexpr int64_t kImage = 65536;

// The gradient of a small kernel is made in kSums sums, each over a part of the batch; they are added in order. For a
// large kernel, or fewer than kLeastImages images, each member makes some rows of the gradient instead.
constexpr int64_t kSums = 8, kLeastImages = 4;

// Terms of the sums of the kernel's gradient that are added together: a panel of so many rows stays in the nearest
// cache.
constexpr int64_t kTerms = 128;

// Columns of turned sums that are turned back together.
constexpr int64_t kColumns = 16;

// ---- the gradient of an image

// to (out_height, out_width, filters) = the gradient in front of the activation, given dy, that of the result y. Where
// it is pooled, elements outside all windows are left as they are. row: pool.out_width * filters elements.
template <typename T>
void spread(T* to, const T* dy, const T* y, const uint8_t* which, const ConvLayer<T>& layer, T* row) {
  const ConvShape& s = layer.shape;
  const PoolShape& p = layer.pool;
  if (!layer.pooled) {
    memcpy(to, dy, static_cast<size_t>(out_size(s)) * sizeof(T));
    slope_block(to, y, 1, out_size(s), out_size(s), layer.activation);
    return;
  }
  const int64_t row_size = p.out_width * s.filters;
  for (int64_t i = 0; i < p.out_height; ++i, dy += row_size, y += row_size, which += row_size) {
    memcpy(row, dy, static_cast<size_t>(row_size) * sizeof(T));
    slope_block(row, y, 1, row_size, row_size, layer.activation);
    const int64_t top = i * p.stride_y, height = smaller(p.window_height, s.out_height - top);
    for (int64_t j = 0; j < p.out_width; ++j) {
      const int64_t left = j * p.stride_x, width = smaller(p.window_width, s.out_width - left);
      for_vectors<T>(0, s.filters, [&](int64_t c, int64_t count) {
        const Vec<T> gradient = load(row + j * s.filters + c, count);
        const Vec<T> number = load_bytes<T>(which + j * s.filters + c, count);
        T next = 0;
        for (int64_t window_row = top; window_row < top + height; ++window_row)
          for (int64_t column = left; column < left + width; ++column) {
            store(to + (window_row * s.out_width + column) * s.filters + c, number == next ? gradient : Vec<T>{},
                  count);
            ++next;
          }
      });
    }
  }
}

// ---- the gradient of the kernel

template <typename T>
struct KernelSpace {
  Strip* strips;
  T* copy;  // of rows of the input
};

template <typename T>
KernelSpace<T> kernel_space(const ConvShape& s, Scratch<T>& scratch) {
  Strip* strips = scratch.template take<Strip>(has_small_groups(s) ? small_groups_space(s) : s.out_height);
  return {strips, scratch.template take<T>(band_elements(s, band_rows(s)))};
}

// Whether sums of the gradient of a kernel are laid out as turn_kernel does: where its rows are long enough for
// vectors.
bool sums_turned(const ConvShape& s) { return whole_rows(s) && s.kernel_width * s.channels >= 16; }

// sum += what some output rows add to some rows of the gradient of the kernel (kernel_height * kernel_width * inner,
// filters).
template <typename T>
void add_terms(T* sum, const Rows<T>& x, const T* dy, const ConvShape& s, bool turned, Range out_rows,
               Range kernel_rows, Ahead* ahead, Strip* strips) {
  const int64_t inner = s.channels / s.groups, outer = s.filters / s.groups;
  const int64_t pieces = whole_rows(s) ? 1 : s.kernel_width, height = s.kernel_width * inner / pieces;
  for (int64_t ky = 0; ky < s.kernel_height; ++ky) {
    int64_t count = 0;
    for (int64_t o = out_rows.begin; o < out_rows.end; ++o) {
      const int64_t i = o * s.stride_y - s.top + ky * s.dilation_y;
      const int64_t from_x = (i - x.first) * x.stride, from_dy = o * s.out_width * s.filters;
      if (i >= 0 && i < s.height) strips[count++] = turned ? Strip{from_dy, from_x} : Strip{from_x, from_dy};
    }
    for (int64_t kx = 0; kx < pieces; ++kx) {
      const int64_t first = (ky * pieces + kx) * height;  // of the kernel's rows, in this piece
      const Range part{larger(0, kernel_rows.begin - first), smaller(height, kernel_rows.end - first)};
      if (part.begin >= part.end) continue;
      const T* seen = x.data + kx * s.dilation_x * s.channels + part.begin;
      const int64_t x_stride = s.stride_x * s.channels, terms = count * s.out_width;
      for (int64_t g = 0; g < s.groups; ++g) {
        Product<T> p =
            turned ? product<T>(outer, part.end - part.begin, terms, dy, 1, s.filters, seen, x_stride, true,
                                sum + ky * outer * height + part.begin, height)
                   : product<T>(part.end - part.begin, outer, terms, seen + g * inner, 1, x_stride, dy + g * outer,
                                s.filters, true, sum + (first + part.begin) * s.filters + g * outer, s.filters);
        p.strips = strips;
        p.strip = s.out_width;
        p.ahead = ahead;
        multiply_block(p);
      }
    }
  }
}

// Output rows whose terms are added together.
int64_t rows_together(const ConvShape& s) { return larger(1, kTerms / s.out_width); }

// The same of all output rows of an image.
template <typename T>
void add_kernel_rows(const Team& team, T* sum, const T* x, const T* dy, const ConvShape& s, bool turned,
                     Range kernel_rows, const KernelSpace<T>& space, Ahead* ahead = nullptr) {
  const int64_t together = rows_together(s);
  Look look(team);
  for (int64_t begin = 0; begin < s.out_height; begin += band_rows(s)) {
    team.poll();
    const Range band{begin, smaller(begin + band_rows(s), s.out_height)};
    const Rows<T> rows = rows_for(s, x, band, space.copy);
    if (has_small_groups(s)) {
      add_small_groups_rows(sum, rows, dy, s, band, kernel_rows, space.strips);
      continue;
    }
    for (int64_t at = band.begin; at < band.end; at += together) {
      const Range some{at, smaller(at + together, band.end)};
      add_terms(sum, rows, dy, s, turned, some, kernel_rows, ahead, space.strips);
      look.after_product((some.end - at) * s.out_width, (kernel_rows.end - kernel_rows.begin), s.filters / s.groups);
    }
  }
}

// Rows of the products of add_kernel_rows.
int64_t product_rows(const ConvShape& s) {
  const int64_t together = rows_together(s), blocks = (s.out_height + together - 1) / together;
  return blocks * s.kernel_height * (sums_turned(s) ? s.filters : s.kernel_width * s.channels);
}

// dbias += the sums of some columns of dy.
template <typename T>
void add_columns(T* dbias, const T* dy, const ConvShape& s, Range part) {
  for_vectors<T>(part.begin, part.end, [&](int64_t j, int64_t count) {
    const int64_t pixels = s.out_height * s.out_width;
    Vec<T> total[4] = {};  // an addition takes as long as four loads
    int64_t i = 0;
    for (; i + 4 <= pixels; i += 4)
#pragma GCC unroll 4
      for (int64_t k = 0; k < 4; ++k) total[k] += load(dy + (i + k) * s.filters + j, count);
    for (; i < pixels; ++i) total[0] += load(dy + i * s.filters + j, count);
    store(dbias + j, load(dbias + j, count) + ((total[0] + total[1]) + (total[2] + total[3])), count);
  });
}

// ---- all gradients

// Whether a member makes all gradients of an image, one image after the other.
bool image_by_image(int64_t images, const ConvShape& s) {
  return images >= kLeastImages && out_size(s) <= kImage && kernel_size(s) <= kSmallKernel;
}

// Whether it looks for zeros to pass over.
bool looks_for_zeros(const ConvShape& s) { return sums_turned(s) && larger(frame_size(s), image_size(s)) <= kImage; }

// The gradient of the kernel is added up in so many sums, in order: the cut depends on the shapes alone.
int64_t kernel_sums(int64_t images, const ConvShape& s) {
  return images >= kLeastImages && kernel_size(s) <= kSmallKernel ? smaller(images, kSums) : 0;
}

// What a member has for itself.
template <typename T>
struct BackwardSpace {
  RowSpace<T> row;
  KernelSpace<T> kernel;
  T *result_row, *image;  // see spread; the gradient of an image
  T* frame;               // an image of the input as the output sees it
  T* columns;             // (2, filters, kColumns)
  Entries<T> entries;
};

template <typename T>
BackwardSpace<T> backward_space(const ConvLayer<T>& layer, Scratch<T>& scratch) {
  const ConvShape& s = layer.shape;
  BackwardSpace<T> space{};
  space.row = row_space(s, scratch);
  space.kernel = kernel_space(s, scratch);
  space.columns = scratch.template take<T>(2 * s.filters * kColumns);
  if (layer.pooled) space.result_row = scratch.template take<T>(layer.pool.out_width * s.filters);
  if (!image_by_image(kLeastImages, s)) return space;
  space.image = scratch.template take<T>(out_size(s));
  if (!looks_for_zeros(s)) return space;
  space.frame = scratch.template take<T>(frame_size(s));
  space.entries = entries_in(s, scratch);
  return space;
}

// dkernel [+]= the sums of the turned sums.
template <typename T>
void turn_back(const Team& team, T* dkernel, const T* sums, int64_t count, int64_t each, const ConvShape& s,
               bool accumulate, T* space) {
  const int64_t columns = s.kernel_width * s.channels, blocks = (columns + kColumns - 1) / kColumns;
  T *block = space, *turned = space + s.filters * kColumns;
  const Range mine = team.share(s.kernel_height * blocks);
  for (int64_t unit = mine.begin; unit < mine.end; ++unit) {
    const int64_t ky = unit / blocks, at = unit % blocks * kColumns, width = smaller(kColumns, columns - at);
    for (int64_t c = 0; c < s.filters; ++c)
      for_vectors<T>(0, width, [&](int64_t j, int64_t n) {
        const T* from = sums + (ky * s.filters + c) * columns + at + j;
        Vec<T> total = load(from, n);
        for (int64_t k = 1; k < count; ++k) total += load(from + k * each, n);
        store(block + c * width + j, total, n);
      });
    T* to = dkernel + (ky * columns + at) * s.filters;
    transpose_block(s.filters, width, block, width, accumulate ? turned : to, s.filters);
    if (accumulate)
      for_vectors<T>(0, width * s.filters,
                     [&](int64_t j, int64_t n) { store(to + j, load(to + j, n) + load(turned + j, n), n); });
  }
}

// to [+]= the sums, added up in order.
template <typename T>
void add_up(const Team& team, T* to, const T* sums, int64_t count, int64_t each, int64_t n, bool accumulate) {
  const Range part = team.share(n, 16);
  for_vectors<T>(part.begin, part.end, [&](int64_t j, int64_t elements) {
    Vec<T> total = load(sums + j, elements);
    for (int64_t k = 1; k < count; ++k) total += load(sums + k * each + j, elements);
    store(to + j, accumulate ? load(to + j, elements) + total : total, elements);
  });
}

// The gradients of the kernel and of the bias from sums over parts of the batch; each sum is that of the kernel, and
// behind it that of the bias.
template <typename T>
void finish_sums(const Team& team, const ConvGradients<T>& d, const T* sums, int64_t count, const ConvShape& s,
                 bool accumulate, T* space) {
  const int64_t size = kernel_size(s), each = size + s.filters;
  if (d.kernel != nullptr && sums_turned(s))
    turn_back(team, d.kernel, sums, count, each, s, accumulate, space);
  else if (d.kernel != nullptr)
    add_up(team, d.kernel, sums, count, each, size, accumulate);
  if (d.bias != nullptr) add_up(team, d.bias, sums + size, count, each, s.filters, accumulate);
}

// All gradients, image by image.
template <typename T>
void backward_by_images(const Team& team, const ConvGradients<T>& d, const T* dy, const T* x, const T* y,
                        const uint8_t* which, int64_t images, const ConvLayer<T>& layer, const T* turned, T* sums,
                        const BackwardSpace<T>& space) {
  const ConvShape& s = layer.shape;
  const int64_t count = kernel_sums(images, s), size = kernel_size(s), each = size + s.filters;
  const int64_t result = result_size(layer);
  const bool as_it_is = !layer.pooled && layer.activation.kind == Activation::linear;
  if (layer.pooled) memset(space.image, 0, static_cast<size_t>(out_size(s)) * sizeof(T));
  Look look(team);
  const Range mine = team.share(count);
  for (int64_t part = mine.begin; part < mine.end; ++part) {
    T* sum = sums + part * each;
    memset(sum, 0, static_cast<size_t>(each) * sizeof(T));
    for (int64_t i = images * part / count; i < images * (part + 1) / count; ++i) {
      const T *from = x + i * image_size(s), *gradient = dy + i * result;
      if (!as_it_is) {
        spread(space.image, gradient, y + i * result, layer.pooled ? which + i * result : nullptr, layer,
               space.result_row);
        gradient = space.image;
      }
      const bool sparse = looks_for_zeros(s) && find_entries(space.entries, gradient, s);
      // Each pass asks for what the next one is going to read.
      Ahead input = ahead_of(from, d.kernel != nullptr ? image_size(s) : 0, s.height * s.out_width);
      Ahead next = ahead_of(dy + (i + 1) * result, i + 1 < images ? result : 0, product_rows(s));
      if (d.x != nullptr) {
        T* to = d.x + i * image_size(s);
        if (sparse)
          input_from_entries(to, space.entries, turned, s, space.frame);
        else
          for (int64_t row = 0, end; row < s.height; row = end) {
            end = smaller(s.height, row + input_rows_together(s));
            input_rows(to + row * s.width * s.channels, gradient, turned, s, {row, end}, &input, space.row);
            look.after_product((end - row) * s.width, size, 1);
          }
      }
      if (d.kernel != nullptr && sparse)
        add_kernel_from_entries(sum, from, space.entries, s, space.frame);
      else if (d.kernel != nullptr)
        add_kernel_rows(team, sum, from, gradient, s, sums_turned(s), {0, size / s.filters}, space.kernel, &next);
      if (d.bias != nullptr) add_columns(sum + size, gradient, s, {0, s.filters});
      team.poll();
    }
  }
}

// The gradients from dy, that of the output: each the whole team together.
template <typename T>
void backward_by_rows(const Team& team, const ConvGradients<T>& d, const T* dy, const T* x, int64_t images,
                      const ConvShape& s, bool accumulate, const T* turned, T* sums, const BackwardSpace<T>& space) {
  if (d.x != nullptr)
    for_input_rows(team, images, s, [&](int64_t image, Range rows) {
      input_rows(d.x + (image * s.height + rows.begin) * s.width * s.channels, dy + image * out_size(s), turned, s,
                 rows, nullptr, space.row);
    });
  const int64_t count = kernel_sums(images, s), size = kernel_size(s), each = size + s.filters;
  if (count > 0) {
    const Range mine = team.share(count);
    for (int64_t part = mine.begin; part < mine.end; ++part) {
      T* sum = sums + part * each;
      memset(sum, 0, static_cast<size_t>(each) * sizeof(T));
      for (int64_t i = images * part / count; i < images * (part + 1) / count; ++i) {
        const T* gradient = dy + i * out_size(s);
        if (d.kernel != nullptr)
          add_kernel_rows(team, sum, x + i * image_size(s), gradient, s, sums_turned(s), {0, size / s.filters},
                          space.kernel);
        if (d.bias != nullptr) add_columns(sum + size, gradient, s, {0, s.filters});
      }
    }
    return;
  }
  const int64_t grain = has_small_groups(s) ? s.kernel_width * (s.channels / s.groups) : 8;
  const Range rows = team.share(size / s.filters, grain), columns = team.share(s.filters, 16);
  if (d.kernel != nullptr && !accumulate)
    memset(d.kernel + rows.begin * s.filters, 0, static_cast<size_t>((rows.end - rows.begin) * s.filters) * sizeof(T));
  if (d.bias != nullptr && !accumulate)
    memset(d.bias + columns.begin, 0, static_cast<size_t>(columns.end - columns.begin) * sizeof(T));
  for (int64_t i = 0; i < images; ++i) {
    const T* gradient = dy + i * out_size(s);
    if (d.kernel != nullptr && rows.begin < rows.end)
      add_kernel_rows(team, d.kernel, x + i * image_size(s), gradient, s, false, rows, space.kernel);
    if (d.bias != nullptr) add_columns(d.bias, gradient, s, columns);
  }
}

// What the team shares: the turned kernel, and the sums or the gradient of the output.
template <typename T>
struct SharedSpace {
  T *turned, *sums, *gradient;
};

template <typename T>
SharedSpace<T> shared_space(int64_t images, const ConvLayer<T>& layer, Scratch<T>& scratch) {
  const ConvShape& s = layer.shape;
  T* turned = scratch.template take<T>(kernel_size(s));
  T* sums = scratch.template take<T>(kernel_sums(images, s) * (kernel_size(s) + s.filters));
  const bool whole = layer.pooled && !image_by_image(images, s);
  return {turned, sums, scratch.template take<T>(whole ? images * out_size(s) : 0)};
}

template <typename T>
void conv_backward(const Team& team, const ConvGradients<T>& d, T* dy, const T* x, const T* y, const uint8_t* which,
                   int64_t images, const ConvLayer<T>& layer, bool accumulate, T* shared, T* own) {
  assert(is_member(team) && is_layer(layer) && images >= 0 && has(x, images * image_size(layer.shape)));
  assert(has(dy, images * result_size(layer)) && (!layer.pooled || images == 0 || (y != nullptr && which != nullptr)));
  assert(y != nullptr || images == 0 || layer.activation.kind == Activation::linear);
  assert(apart(d.x, images * image_size(layer.shape), dy, images * result_size(layer)));
  assert(shared != nullptr && own != nullptr);
  const ConvShape& s = layer.shape;
  Scratch<T> of_team(shared), of_member(own);
  const SharedSpace<T> common = shared_space(images, layer, of_team);
  const BackwardSpace<T> space = backward_space(layer, of_member);
  if (d.x != nullptr) turn_kernel(team, common.turned, layer.kernel, s);
  const bool by_images = image_by_image(images, s);
  if (!by_images) {
    const Range mine = team.share(images);
    const int64_t result = result_size(layer);
    for (int64_t i = mine.begin; i < mine.end; ++i) {
      if (layer.pooled) {
        T* to = common.gradient + i * out_size(s);
        memset(to, 0, static_cast<size_t>(out_size(s)) * sizeof(T));
        spread(to, dy + i * result, y + i * result, which + i * result, layer, space.result_row);
      } else {
        slope_block(dy + i * result, y + i * result, 1, result, result, layer.activation);
      }
      team.poll();
    }
  }
  team.barrier();
  if (by_images)
    backward_by_images(team, d, dy, x, y, which, images, layer, common.turned, common.sums, space);
  else
    backward_by_rows(team, d, layer.pooled ? common.gradient : dy, x, images, s, accumulate, common.turned, common.sums,
                     space);
  const int64_t count = kernel_sums(images, s);
  if (count == 0 || (d.kernel == nullptr && d.bias == nullptr)) return;
  team.barrier();
  finish_sums(team, d, common.sums, count, s, accumulate, space.columns);
}

template <typename T>
int64_t conv_backward_shared(int64_t images, const ConvLayer<T>& layer) {
  const auto of = [&](int64_t count) {
    Scratch<T> scratch(nullptr);
    shared_space(count, layer, scratch);
    return scratch.used();
  };
  return larger(of(images), of(smaller(images, kLeastImages - 1)));  // fewer images may go another way
}

template <typename T>
int64_t conv_backward_own(const ConvLayer<T>& layer) {
  Scratch<T> scratch(nullptr);
  backward_space(layer, scratch);
  return scratch.used();
}

template <typename T>
void fill(ConvKernels<T>& k) {
  k.conv_backward = conv_backward<T>;
  k.conv_backward_shared = conv_backward_shared<T>;
  k.conv_backward_own = conv_backward_own<T>;
}

}  // namespace

PYNN_DEFINE_REGISTER(conv_backward, ConvKernels)

}  // namespace PYNN_ISA
}  // namespace pynn

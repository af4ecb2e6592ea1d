#include "conv.h"

#include "register.h"

// The gradients of a convolution. Those of small images are made image by image: what has come back through pooling and
// activation is mostly zeros there, and these are passed over.

namespace pynn {
namespace PYNN_ISA {
namespace {

// Elements of an image whose gradient a member keeps for itself.
constexpr int64_t kImage = 65536;

// Of a kernel with at most so many elements the gradient is added up in so many sums over parts of the batch, of at
// least so many images; of another one each member makes some rows.
constexpr int64_t kSmallKernel = 262144, kSums = 8, kBatch = 4;

// Zeros are passed over where no more than one in so many elements is not 0.
constexpr int64_t kSparse = 3;

// Vectors that are added up in registers, twice.
constexpr int kBlock = 6;

// ---- the gradient of an image

// to (out_height, out_width, filters) = what the gradient dy of the result y is behind the bias. Where it is pooled,
// elements outside all windows are left as they are. row: pool.out_width * filters elements.
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

// What is not 0 of the gradient of an image: by pixels, and by filters.
template <typename T>
struct Entries {
  int32_t* begin;   // (pixels + 1): where those of a pixel begin
  int32_t* filter;  // by pixels
  T* value;
  typename Simd<T>::integer* end;  // (filters): where those of a filter end
  int32_t* offset;                 // by filters: where what the pixel saw begins
  T* factor;                       // by filters: the value
};

template <typename T>
Entries<T> entries_in(const ConvShape& s, Scratch<T>& scratch) {
  const int64_t most = out_size(s) / kSparse + s.filters + 2 * kMostLanes;  // a pixel and a vector more
  Entries<T> e;
  e.begin = scratch.template take<int32_t>(s.out_height * s.out_width + 1);
  e.filter = scratch.template take<int32_t>(most);
  e.value = scratch.template take<T>(most);
  e.end = scratch.template take<typename Simd<T>::integer>(s.filters + kMostLanes);
  e.offset = scratch.template take<int32_t>(most);
  e.factor = scratch.template take<T>(most);
  return e;
}

// Finds the entries of the gradient g; false if there are too many.
template <typename T>
bool find_entries(const Entries<T>& e, const T* g, const ConvShape& s, int64_t row_stride) {
  const int64_t pixels = s.out_height * s.out_width, most = out_size(s) / kSparse;
  memset(e.end, 0, static_cast<size_t>(s.filters + kMostLanes) * sizeof(*e.end));
  int64_t n = 0;
  for (int64_t pixel = 0; pixel < pixels; ++pixel) {
    e.begin[pixel] = static_cast<int32_t>(n);
    if (n > most) return false;
    for_vectors<T>(0, s.filters, [&](int64_t c, int64_t count) {
      const Vec<T> v = load(g + pixel * s.filters + c, count);
      const IVec<T> is = v != 0;
      const uint32_t bits = lane_bits<T>(is);
      store_integers<T>(e.end + c, load_integers<T>(e.end + c) - is);
      append_lanes<T>(e.filter + n, e.value + n, static_cast<int32_t>(c), v, bits);
      n += __builtin_popcount(bits);
    });
  }
  e.begin[pixels] = static_cast<int32_t>(n);
  typename Simd<T>::integer at = 0;
  for (int64_t c = 0; c < s.filters; ++c) {
    const auto count = e.end[c];
    e.end[c] = at;  // where they begin; the loop below brings it to the end
    at += count;
  }
  for (int64_t i = 0; i < s.out_height; ++i)
    for (int64_t j = 0; j < s.out_width; ++j) {
      const auto offset = static_cast<int32_t>(i * s.stride_y * row_stride + j * s.stride_x * s.channels);
      const int64_t pixel = i * s.out_width + j;
      for (int32_t k = e.begin[pixel]; k < e.begin[pixel + 1]; ++k) {
        const auto place = e.end[e.filter[k]]++;
        e.offset[place] = offset;
        e.factor[place] = e.value[k];
      }
    }
  return true;
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

// ---- the gradient of the input

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
struct RowSpace {
  Strip* strips;
  T* padded;  // a row of the input as wide as the output sees it
};

template <typename T>
RowSpace<T> row_space(const ConvShape& s, Scratch<T>& scratch) {
  Strip* strips = scratch.template take<Strip>(s.kernel_height);
  return {strips, scratch.template take<T>(fits(s) ? 0 : seen_width(s) * s.channels)};
}

// Row `row` of the gradient of an image of the input, given that of the image of the output.
template <typename T>
void input_row(T* to, const T* dy, const T* turned, const ConvShape& s, int64_t row, const RowSpace<T>& space) {
  const int64_t inner = s.channels / s.groups, outer = s.filters / s.groups, columns = s.kernel_width * inner;
  const int64_t pieces = whole_rows(s) ? 1 : s.kernel_width, width = columns / pieces;
  const int64_t row_size = s.width * s.channels, seen = seen_width(s) * s.channels, before = s.left * s.channels;
  const bool in_place = fits(s);
  T* sum = in_place ? to : space.padded;
  memset(sum, 0, static_cast<size_t>(in_place ? row_size : seen) * sizeof(T));
  const int64_t terms = backward_strips(s, row, space.strips) * outer;
  for (int64_t g = 0; g < s.groups; ++g)
    for (int64_t kx = 0; kx < pieces; ++kx) {
      Product<T> p = product<T>(s.out_width, width, terms, dy + g * outer, s.filters, 1,
                                turned + g * s.kernel_height * outer * columns + kx * width, columns, true,
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

// The same for all rows of an image, from the entries of its gradient.
template <typename T>
void input_from_entries(T* dx, const Entries<T>& e, const T* turned, const ConvShape& s, T* padded) {
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
          const int32_t *begin = e.begin + i * s.out_width + j, n = begin[1] - begin[0];
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

// ---- the gradient of the kernel

template <typename T>
struct KernelSpace {
  Strip* strips;
  T* copy;  // of rows of the input
};

template <typename T>
KernelSpace<T> kernel_space(const ConvShape& s, Scratch<T>& scratch) {
  Strip* strips = scratch.template take<Strip>(s.out_height);
  return {strips, scratch.template take<T>(band_elements(s, band_rows(s)))};
}

// Whether sums of the gradient of a kernel are laid out as turn_kernel does: where its rows are long enough for
// vectors.
bool sums_turned(const ConvShape& s) { return whole_rows(s) && s.kernel_width * s.channels >= 16; }

// sum += some rows of the gradient of the kernel (kernel_height * kernel_width * inner, filters) for one image.
template <typename T>
void add_kernel_rows(const Team& team, T* sum, const T* x, const T* dy, const ConvShape& s, bool turned,
                     Range kernel_rows, const KernelSpace<T>& space) {
  const int64_t inner = s.channels / s.groups, outer = s.filters / s.groups;
  const int64_t pieces = whole_rows(s) ? 1 : s.kernel_width, height = s.kernel_width * inner / pieces;
  for (int64_t begin = 0; begin < s.out_height; begin += band_rows(s)) {
    team.poll();
    const Range out_rows{begin, smaller(begin + band_rows(s), s.out_height)};
    const Rows<T> rows = rows_for(s, x, out_rows, space.copy);
    for (int64_t ky = 0; ky < s.kernel_height; ++ky) {
      int64_t count = 0;
      for (int64_t o = out_rows.begin; o < out_rows.end; ++o) {
        const int64_t i = o * s.stride_y - s.top + ky * s.dilation_y;
        const int64_t from_x = (i - rows.first) * rows.stride, from_dy = o * s.out_width * s.filters;
        if (i >= 0 && i < s.height) space.strips[count++] = turned ? Strip{from_dy, from_x} : Strip{from_x, from_dy};
      }
      for (int64_t kx = 0; kx < pieces; ++kx) {
        const int64_t first = (ky * pieces + kx) * height;  // of the kernel's rows, in this piece
        const Range part{larger(0, kernel_rows.begin - first), smaller(height, kernel_rows.end - first)};
        if (part.begin >= part.end) continue;
        const T* seen = rows.data + kx * s.dilation_x * s.channels + part.begin;
        const int64_t x_stride = s.stride_x * s.channels, terms = count * s.out_width;
        for (int64_t g = 0; g < s.groups; ++g) {
          Product<T> p =
              turned ? product<T>(outer, part.end - part.begin, terms, dy, 1, s.filters, seen, x_stride, true,
                                  sum + ky * outer * height + part.begin, height)
                     : product<T>(part.end - part.begin, outer, terms, seen + g * inner, 1, x_stride, dy + g * outer,
                                  s.filters, true, sum + (first + part.begin) * s.filters + g * outer, s.filters);
          p.strips = space.strips;
          p.strip = s.out_width;
          multiply_block(p);
        }
      }
    }
  }
}

// sum += the gradient of the kernel for one image, turned, from the entries of the gradient of the output.
template <typename T>
void add_kernel_from_entries(T* sum, const T* x, const Entries<T>& e, const ConvShape& s, T* padded) {
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
    const int64_t begin = c == 0 ? 0 : e.end[c - 1], n = e.end[c] - begin;
    if (n == 0) continue;
    for (int64_t ky = 0; ky < s.kernel_height; ++ky)
      for_blocks<T>(columns, [&](int64_t at, int64_t last, AddRows<T> add) {
        add(sum + (ky * s.filters + c) * columns + at, x + ky * s.dilation_y * frame.stride + at, 1, e.offset + begin,
            e.factor + begin, n, last);
      });
  }
}

// dbias += the sums of some columns of dy.
template <typename T>
void add_columns(T* dbias, const T* dy, const ConvShape& s, Range part) {
  for_vectors<T>(part.begin, part.end, [&](int64_t j, int64_t count) {
    Vec<T> total{};
    for (int64_t i = 0; i < s.out_height * s.out_width; ++i) total += load(dy + i * s.filters + j, count);
    store(dbias + j, load(dbias + j, count) + total, count);
  });
}

// ---- all gradients

// Whether a member makes all gradients of an image, one image after the other.
bool image_by_image(int64_t images, const ConvShape& s) {
  return images >= kBatch && out_size(s) <= kImage && kernel_size(s) <= kSmallKernel;
}

// Whether it looks for zeros to pass over.
bool looks_for_zeros(const ConvShape& s) { return sums_turned(s) && larger(frame_of(s).size, image_size(s)) <= kImage; }

// The gradient of the kernel is added up in so many sums, in order: the cut depends on the shapes alone.
int64_t kernel_sums(int64_t images, const ConvShape& s) {
  return images >= kBatch && kernel_size(s) <= kSmallKernel ? smaller(images, kSums) : 0;
}

// What a member has for itself.
template <typename T>
struct BackwardSpace {
  RowSpace<T> row;
  KernelSpace<T> kernel;
  T *result_row, *image, *padded;  // see spread; the gradient of an image; a frame
  T* columns;                      // (2, filters, kColumns)
  Entries<T> entries;
};

// Columns of turned sums that are turned back together.
constexpr int64_t kColumns = 16;

template <typename T>
BackwardSpace<T> backward_space(const ConvLayer<T>& layer, Scratch<T>& scratch) {
  const ConvShape& s = layer.shape;
  BackwardSpace<T> space{};
  space.row = row_space(s, scratch);
  space.kernel = kernel_space(s, scratch);
  space.columns = scratch.template take<T>(2 * s.filters * kColumns);
  if (layer.pooled) space.result_row = scratch.template take<T>(layer.pool.out_width * s.filters);
  if (!image_by_image(kBatch, s)) return space;
  space.image = scratch.template take<T>(out_size(s));
  if (!looks_for_zeros(s)) return space;
  space.padded = scratch.template take<T>(frame_of(s).size);
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
  const Range mine = team.share(count);
  for (int64_t part = mine.begin; part < mine.end; ++part) {
    T* sum = sums + part * each;
    memset(sum, 0, static_cast<size_t>(each) * sizeof(T));
    for (int64_t i = images * part / count; i < images * (part + 1) / count; ++i) {
      const T *from = x + i * image_size(s), *gradient = dy + i * result;
      if (!as_it_is) {
        spread(space.image, gradient, y + i * result, which + i * result, layer, space.result_row);
        gradient = space.image;
      }
      const bool sparse = looks_for_zeros(s) && find_entries(space.entries, gradient, s, frame_of(s).stride);
      if (d.x != nullptr) {
        T* to = d.x + i * image_size(s);
        if (sparse)
          input_from_entries(to, space.entries, turned, s, space.padded);
        else
          for (int64_t row = 0; row < s.height; ++row)
            input_row(to + row * s.width * s.channels, gradient, turned, s, row, space.row);
      }
      if (d.kernel != nullptr && sparse)
        add_kernel_from_entries(sum, from, space.entries, s, space.padded);
      else if (d.kernel != nullptr)
        add_kernel_rows(team, sum, from, gradient, s, sums_turned(s), {0, size / s.filters}, space.kernel);
      if (d.bias != nullptr) add_columns(sum + size, gradient, s, {0, s.filters});
      team.poll();
    }
  }
}

// The gradients from dy, that of the output: each the whole team together.
template <typename T>
void backward_by_rows(const Team& team, const ConvGradients<T>& d, const T* dy, const T* x, int64_t images,
                      const ConvShape& s, bool accumulate, const T* turned, T* sums, const BackwardSpace<T>& space) {
  if (d.x != nullptr) {
    const Range mine = team.share(images * s.height);
    for (int64_t unit = mine.begin; unit < mine.end; ++unit) {
      if (unit % 16 == 0) team.poll();
      input_row(d.x + unit * s.width * s.channels, dy + unit / s.height * out_size(s), turned, s, unit % s.height,
                space.row);
    }
  }
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
  const Range rows = team.share(size / s.filters, 8), columns = team.share(s.filters, 16);
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
  const ConvShape& s = layer.shape;
  Scratch<T> of_team(shared), of_member(own);
  const SharedSpace<T> common = shared_space(images, layer, of_team);
  const BackwardSpace<T> space = backward_space(layer, of_member);
  if (d.x != nullptr) turn_kernel(team, common.turned, layer.kernel, s);
  const bool by_images = image_by_image(images, s);
  if (!by_images) {
    const Range mine = team.share(images);
    const int64_t result = result_size(layer);
    for (int64_t i = mine.begin; i < mine.end; ++i)
      if (layer.pooled) {
        T* to = common.gradient + i * out_size(s);
        memset(to, 0, static_cast<size_t>(out_size(s)) * sizeof(T));
        spread(to, dy + i * result, y + i * result, which + i * result, layer, space.result_row);
      } else {
        slope_block(dy + i * result, y + i * result, 1, result, result, layer.activation);
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
  return larger(of(images), of(smaller(images, kBatch - 1)));  // fewer images may go another way
}

template <typename T>
int64_t conv_backward_own(const ConvLayer<T>& layer) {
  Scratch<T> scratch(nullptr);
  backward_space(layer, scratch);
  return scratch.used();
}

template <typename T>
void fill(Kernels<T>& k) {
  k.conv_transpose = conv_transpose<T>;
  k.conv_backward = conv_backward<T>;
  k.conv_backward_shared = conv_backward_shared<T>;
  k.conv_backward_own = conv_backward_own<T>;
}

}  // namespace

PYNN_DEFINE_REGISTER(conv_backward)

}  // namespace PYNN_ISA
}  // namespace pynn

#include "dense.h"

#include "../runtime/blas.h"
#include "activation_blocks.h"
#include "checks.h"
#include "few_columns.h"
#include "polling.h"
#include "reductions.h"
#include "register.h"
#include "tile.h"

namespace pynn {
namespace PYNN_ISA {
namespace {

// Long sums are cut into slices of the inputs. Two chains of them are added up in order, and then the two sums: so a
// member of the team can own the rows of the kernel of a few slices. Its forward product, its gradients and its updates
// touch only them, and they never leave its core's cache. The cut depends on the number of inputs alone, so neither the
// batch nor the team changes a bit.
constexpr int64_t kSlices = 8, kChain = 4, kSliceFrom = 256;

int64_t slices(int64_t inputs) { return inputs < kSliceFrom ? 1 : kSlices; }

// Where slice s begins: at a multiple of 32, for the cache lines of x and the words of Nonzero.
int64_t slice_begin(int64_t s, int64_t inputs) {
  return s == slices(inputs) ? inputs : inputs * s / slices(inputs) / 32 * 32;
}

// Slices are shared out where the partial sums are smaller than the kernel; otherwise rows or columns of y are.
bool split_by_inputs(int64_t rows, int64_t inputs) { return slices(inputs) > 1 && rows * slices(inputs) <= inputs; }

// Rows of the batch that go through together.
constexpr int64_t kRows = 256, kRowsOfAShare = 64;

int64_t longest_slice(int64_t inputs) { return inputs / slices(inputs) + 32; }

// Inputs of a part of the backward pass: few enough for its gradients to be in the nearest cache when the optimizer
// comes for them, and more where dy is packed, and comes from a farther cache for each part. Multiples of 32, for the
// words of Nonzero.
constexpr int64_t kPart = 32, kPackedPart = 64;

// Zeros are passed over where fewer than one element in so many is not 0. (A product of one row passes over any zero.)
constexpr int64_t kSparse = 3;

template <typename T>
PYNN_INLINE bool is_layer(const DenseLayer<T>& d) {
  return d.rows >= 0 && d.inputs > 0 && d.units > 0 && has(d.x, d.rows * d.inputs) && d.kernel != nullptr &&
         (d.nonzero.by_row == nullptr || d.nonzero.stride >= d.rows);
}

template <typename T>
bool calls_blas(const DenseLayer<T>& d) {
  return large_product(d.rows, d.units, d.inputs);
}

// Inputs of a part that goes to BLAS.
int64_t blas_part(int64_t inputs) { return inputs < 1024 ? 128 : 256; }

// Lets p pass over the zeros of its a if there are enough of them. nonzero: see Product.
template <typename T>
void pass_over_zeros(Product<T>& p, const uint32_t* nonzero, int64_t row, int64_t word) {
  int64_t count = 0;
  for (int64_t w = 0; w * 32 < p.k; ++w)
    for (int64_t i = 0; i < p.m; ++i) count += __builtin_popcount(nonzero[i * row + w * word]);
  if (p.m == 1 ? count == p.k : count * kSparse >= p.m * p.k) return;
  p.nonzero = nonzero;
  p.nonzero_row = row;
  p.nonzero_word = word;
}

// ---- forward

// y = f(y [+ second] + bias)
template <typename T>
void finish(T* y, const T* second, int64_t ldsecond, const DenseLayer<T>& d, int64_t column, int64_t rows,
            int64_t columns, const ActivationSpec& activation) {
  if (second != nullptr || d.bias != nullptr)
    for (int64_t i = 0; i < rows; ++i)
      for_vectors<T>(0, columns, [&](int64_t j, int64_t count) {
        T* at = y + i * d.units + j;
        Vec<T> sum = load(at, count);
        if (second != nullptr) sum += load(second + i * ldsecond + j, count);
        if (d.bias != nullptr) sum += load(d.bias + column + j, count);
        store(at, sum, count);
      });
  activate_block(y, rows, columns, d.units, activation);
}

// What a slice adds to c, for some rows and columns.
template <typename T>
Product<T> slice_product(const DenseLayer<T>& d, int64_t s, int64_t rows, int64_t columns, int64_t row, int64_t column,
                         bool accumulate, T* c, int64_t ldc) {
  const int64_t i = slice_begin(s, d.inputs), length = slice_begin(s + 1, d.inputs) - i;
  Product<T> p = product<T>(rows, columns, length, d.x + row * d.inputs + i, d.inputs, 1,
                            d.kernel + i * d.units + column, d.units, accumulate, c, ldc);
  if (const Nonzero& nonzero = d.nonzero; nonzero.by_row != nullptr)
    pass_over_zeros(p, nonzero.by_row + i / 32 * nonzero.stride + row, 1, nonzero.stride);
  return p;
}

// Rows and columns of y, at most kRows rows.
template <typename T>
void forward_block(Look& look, T* y, const DenseLayer<T>& d, const ActivationSpec& activation, int64_t row,
                   int64_t rows, Range columns, T* own) {
  // Few rows take all columns at once: multiply_block then has the widest tiles.
  const int64_t most = kRows * panel_width(T{}), count = slices(d.inputs);
  const bool pack = pays_to_pack(rows, d.units);
  const int64_t width = !pack && d.units * rows <= most ? d.units : panel_width(T{});
  T *panel = own, *second = panel + longest_slice(d.inputs) * panel_width(T{});
  for (int64_t j = columns.begin; j < columns.end; j += width) {
    const int64_t n = columns.end - j < width ? columns.end - j : width;
    T* to = y + row * d.units + j;
    for (int64_t s = 0; s < count; ++s) {
      const bool first_chain = s < kChain;
      Product<T> p = slice_product(d, s, rows, n, row, j, s % kChain > 0, first_chain ? to : second,
                                   first_chain ? d.units : width);
      if (pack) {
        pack_block(p.k, n, p.b, p.ldb, 1, {0, n}, panel);
        p.b = panel;
        p.ldb = n;
      }
      multiply_block(p);
      look.after_product(rows, n, p.k);
    }
    finish(to, count > 1 ? second : nullptr, width, d, j, rows, n, activation);
  }
}

template <typename T>
void forward_blas(const Team& team, T* y, const DenseLayer<T>& d, const ActivationSpec& activation) {
  const int64_t down = (d.rows + kBlasRows - 1) / kBlasRows, across = (d.units + kBlasColumns - 1) / kBlasColumns;
  const Range tasks = team.share(down * across);
  for (int64_t task = tasks.begin; task < tasks.end; ++task) {
    const int64_t i = task % down * kBlasRows, j = task / down * kBlasColumns;
    const int64_t m = d.rows - i < kBlasRows ? d.rows - i : kBlasRows;
    const int64_t n = d.units - j < kBlasColumns ? d.units - j : kBlasColumns;
    T* to = y + i * d.units + j;
    blas::gemm(false, false, m, n, d.inputs, d.x + i * d.inputs, d.inputs, d.kernel + j, d.units, false, to, d.units);
    finish<T>(to, nullptr, 0, d, j, m, n, activation);
    team.poll();
  }
}

// Whether slice s starts a partial sum of its own: a chain, or a part of one that begins in another member's range.
void find_starts(const Team& team, bool (&starts)[kSlices]) {
  for (int member = 0; member < team.size; ++member) {
    const Range own = Team{member, team.size, team.state}.share(kSlices);
    for (int64_t s = own.begin; s < own.end; ++s) starts[s] = s % kChain == 0 || s / kChain * kChain < own.begin;
  }
}

// Columns of y that a slice's product makes between two looks for Ctrl-C: all of them, but for large layers. As many
// as the widest tiles have, or a multiple.
template <typename T>
int64_t columns_together(const DenseLayer<T>& d) {
  constexpr int64_t unit = 512, most = int64_t{1} << 26;  // multiply-adds: a few milliseconds
  const int64_t units = most / (longest_slice(d.inputs) * (d.rows + 1)) / unit;
  return units < 1 ? unit : units * unit;
}

template <typename T>
void forward_by_inputs(const Team& team, T* y, const DenseLayer<T>& d, const ActivationSpec& activation, T* shared) {
  const int64_t size = d.rows * d.units;
  bool starts[kSlices];
  find_starts(team, starts);
  const Range mine = team.share(kSlices);
  const int64_t together = columns_together(d);
  Look look(team);
  for (int64_t s = mine.begin, to = s; s < mine.end; ++s) {
    if (starts[s]) to = s;
    for (int64_t j = 0; j < d.units; j += together) {
      const int64_t n = d.units - j < together ? d.units - j : together;
      multiply_block(slice_product(d, s, d.rows, n, 0, j, !starts[s], shared + to * size + j, d.units));
      look.after_product(d.rows, n, longest_slice(d.inputs));
    }
  }
  team.barrier();
  const Range part = team.share(d.rows);
  for (int64_t row = part.begin; row < part.end; ++row)
    for_vectors<T>(0, d.units, [&](int64_t j, int64_t count) {
      const T* at = shared + row * d.units + j;
      Vec<T> chain[] = {load(at, count), load(at + kChain * size, count)};
      for (int64_t s = 1; s < kSlices; ++s)
        if (starts[s] && s != kChain) chain[s / kChain] += load(at + s * size, count);
      store(y + row * d.units + j, chain[0] + chain[1], count);
    });
  finish<T>(y + part.begin * d.units, nullptr, 0, d, 0, part.end - part.begin, d.units, activation);
}

// Whether the layer has so few units that y is summed by terms, in no slices.
template <typename T>
bool has_few_units(int64_t inputs, int64_t units) {
  return pays_by_terms(T{}, units, inputs, inputs);
}

template <typename T>
void forward_of_few_units(const Team& team, T* y, const DenseLayer<T>& d, const ActivationSpec& activation, T* own) {
  const T* columns = d.kernel;
  if (d.units > 1) {
    transpose_block(d.inputs, d.units, d.kernel, d.units, own, d.inputs);
    columns = own;
  }
  const Range mine = team.share(d.rows);
  Look look(team);
  for (int64_t i = mine.begin; i < mine.end; i += kRows) {
    const int64_t rows = mine.end - i < kRows ? mine.end - i : kRows;
    T* to = y + i * d.units;
    Product<T> p =
        product<T>(rows, d.units, d.inputs, d.x + i * d.inputs, d.inputs, 1, columns, d.inputs, false, to, d.units);
    p.bias = d.bias;
    multiply_by_terms(p);
    activate_block(to, rows, d.units, d.units, activation);
    look.after_product(rows, d.units, d.inputs);
  }
}

template <typename T>
int64_t dense_shared(int64_t rows, int64_t inputs, int64_t units, int members, bool backward) {
  const int64_t split_rows = rows < inputs / kSlices ? rows : inputs / kSlices;  // more are not split by inputs
  const bool in_slices = members > 1 && slices(inputs) > 1 && !has_few_units<T>(inputs, units);
  const int64_t partials = in_slices ? kSlices * split_rows * units : 0;
  const int64_t copies = backward ? 2 * rows * units : 0;
  return partials > copies ? partials : copies;
}

template <typename T>
void dense_forward(const Team& team, T* y, const DenseLayer<T>& d, const ActivationSpec& activation, T* shared,
                   T* own) {
  assert(is_member(team) && is_layer(d) && has(y, d.rows * d.units) &&
         apart(y, d.rows * d.units, d.x, d.rows * d.inputs));
  assert(shared != nullptr || dense_shared<T>(d.rows, d.inputs, d.units, team.size, false) == 0);
  assert(own != nullptr);
  if (has_few_units<T>(d.inputs, d.units)) {
    forward_of_few_units(team, y, d, activation, own);
    return;
  }
  if (calls_blas(d)) {
    forward_blas(team, y, d, activation);
    return;
  }
  if (team.size > 1 && split_by_inputs(d.rows, d.inputs)) {
    forward_by_inputs(team, y, d, activation, shared);
    return;
  }
  const int64_t width = panel_width(T{});
  const bool by_rows =
      !pays_to_pack(d.rows, d.units) && (d.rows >= kRowsOfAShare * team.size || d.units < width * team.size);
  const Range rows = by_rows ? team.share(d.rows) : Range{0, d.rows};
  const Range columns = by_rows ? Range{0, d.units} : team.share(d.units, width);
  Look look(team);
  for (int64_t i = rows.begin; i < rows.end && columns.begin < columns.end; i += kRows) {
    forward_block(look, y, d, activation, i, rows.end - i < kRows ? rows.end - i : kRows, columns, own);
  }
}

// ---- backward

// A backward pass through a layer, as one member sees it.
template <typename T>
struct Backward {
  const Team& team;
  const DenseLayer<T>& d;
  const T* dy;
  const T* turned;     // for the gradient of the input: dy^T, packed, or the kernel's transpose
  const T* dy_panels;  // dy, packed; null where it is used as it lies
  bool by_blas, accumulate, with_zeros;
  T* own;
};

// The gradient of the input for a batch of one: no columns for a tile.
template <typename T>
void input_gradient_of_row(T* dx, const T* dy, const DenseLayer<T>& d, Range part) {
  for (int64_t i = part.begin; i < part.end; ++i) {
    const T* row = d.kernel + i * d.units;
    Vec<T> total{};
    for_vectors<T>(0, d.units, [&](int64_t j, int64_t count) { total += load(row + j, count) * load(dy + j, count); });
    dx[i] = sum<T>(total);
  }
}

// dx[:, part] = (kernel[part, :] dy^T)^T, times the slope of the activation that made x.
template <typename T>
void input_gradient(const Backward<T>& b, T* dx, Range part, const ActivationSpec& below) {
  const DenseLayer<T>& d = b.d;
  const int64_t length = part.end - part.begin;
  const T* kernel = d.kernel + part.begin * d.units;
  if (d.rows == 1) {
    input_gradient_of_row(dx, b.dy, d, part);
  } else if (b.by_blas) {
    blas::gemm(false, true, d.rows, length, d.units, b.dy, d.units, kernel, d.units, false, dx + part.begin, d.inputs);
  } else {
    for (int64_t row = 0; row < d.rows; row += kRows) {
      if (row > 0) b.team.poll();
      const int64_t rows = d.rows - row < kRows ? d.rows - row : kRows;
      multiply_packed(
          product<T>(length, rows, d.units, kernel, d.units, 1, b.turned + row * d.units, 0, false, b.own, rows));
      transpose_block(length, rows, b.own, rows, dx + row * d.inputs + part.begin, d.inputs);
    }
  }
  slope_block(dx + part.begin, d.x + part.begin, d.rows, length, d.inputs, below);
}

// Whether the gradient of the input is made with the kernel turned, in place of dy and dx: there are so many rows that
// this is cheaper. The bits are the same.
template <typename T>
bool turns_kernel(const DenseLayer<T>& d) {
  return d.rows >= 2 * d.inputs && d.rows > kRows / 2;
}

// dx[rows] = dy[rows] kernel^T, times the slope of the activation that made x.
template <typename T>
void input_gradient_of_rows(const Backward<T>& b, T* dx, Range rows, const ActivationSpec& below) {
  const DenseLayer<T>& d = b.d;
  for (int64_t row = rows.begin; row < rows.end; row += kRows) {
    const int64_t count = rows.end - row < kRows ? rows.end - row : kRows, at = row * d.inputs;
    multiply_packed(
        product<T>(count, d.inputs, d.units, b.dy + row * d.units, d.units, 1, b.turned, 0, false, dx + at, d.inputs));
    slope_block(dx + at, d.x + at, count, d.inputs, d.inputs, below);
    b.team.poll();
  }
}

// The gradient of a kernel's rows for a batch of one.
template <typename T>
void outer_product(T* gradient, const T* x, const T* dy, int64_t length, int64_t units, bool accumulate) {
  for (int64_t i = 0; i < length; ++i)
    for_vectors<T>(0, units, [&](int64_t j, int64_t count) {
      T* at = gradient + i * units + j;
      const Vec<T> value = load(dy + j, count) * x[i] + Vec<T>{};  // +0, as multiply_block would have it
      store(at, accumulate ? value + load(at, count) : value, count);
    });
}

// Whether the gradient of the kernel is made as its transpose: columns of so few units would leave vectors empty. The
// bits are the same.
template <typename T>
bool turns_gradient(const DenseLayer<T>& d) {
  return d.units <= kWidth<T> / 4;
}

// gradient (the part's rows of the kernel) [+]= (dy^T x[:, part])^T
template <typename T>
void kernel_gradient_of_few_units(const Backward<T>& b, T* gradient, Range part) {
  const DenseLayer<T>& d = b.d;
  const int64_t length = part.end - part.begin;
  T* sums = d.units == 1 ? gradient : b.own;
  if (d.units > 1 && b.accumulate) transpose_block(length, d.units, gradient, d.units, sums, length);
  for (int64_t row = 0; row < d.rows || row == 0; row += kRows) {
    if (row > 0) b.team.poll();
    multiply_block(product<T>(d.units, length, d.rows - row < kRows ? d.rows - row : kRows, b.dy + row * d.units, 1,
                              d.units, d.x + row * d.inputs + part.begin, d.inputs, b.accumulate || row > 0, sums,
                              length));
  }
  if (d.units > 1) transpose_block(d.units, length, sums, length, gradient, d.units);
}

// gradient (the part's rows of the kernel) [+]= x[:, part]^T dy
template <typename T>
void kernel_gradient(const Backward<T>& b, T* gradient, Range part) {
  const DenseLayer<T>& d = b.d;
  const int64_t length = part.end - part.begin;
  if (b.by_blas) {
    blas::gemm(true, false, length, d.units, d.rows, d.x + part.begin, d.inputs, b.dy, d.units, b.accumulate, gradient,
               d.units);
    return;
  }
  if (d.rows == 1) {
    outer_product(gradient, d.x + part.begin, b.dy, length, d.units, b.accumulate);
    return;
  }
  if (turns_gradient(d)) {
    kernel_gradient_of_few_units(b, gradient, part);
    return;
  }
  for (int64_t row = 0; row < d.rows || row == 0; row += kRows) {
    if (row > 0) b.team.poll();
    const int64_t rows = d.rows - row < kRows ? d.rows - row : kRows;
    const T* x = d.x + row * d.inputs + part.begin;
    Product<T> p = product<T>(length, d.units, rows, x, 1, d.inputs, b.dy + row * d.units, d.units,
                              b.accumulate || row > 0, gradient, d.units);
    if (!b.with_zeros) pass_over_zeros(p, d.nonzero.by_column + row / 32 * d.inputs + part.begin, 1, d.inputs);
    if (b.dy_panels == nullptr) {
      multiply_block(p);
      continue;
    }
    copy_a(p, b.own);
    p.b = b.dy_panels + row * d.units;
    multiply_packed(p);
  }
}

// The inputs in use, a bit each: those that are not 0 in some row of the batch. A gap of one or two inputs between them
// counts as in use, since a new run of inputs costs more than the rows of the gap. The part begins at a multiple of 32
// and has at most 64 inputs.
template <typename T>
uint64_t inputs_in_use(const DenseLayer<T>& d, Range part) {
  uint64_t used = 0;
  for (int64_t word = part.begin / 32; word * 32 < part.end; ++word) {
    uint32_t any = 0;
    for (int64_t i = 0; i < d.rows; ++i) any |= d.nonzero.by_row[word * d.nonzero.stride + i];
    used |= static_cast<uint64_t>(any) << (word * 32 - part.begin);
  }
  return used | (used << 1 & (used >> 1 | used >> 2)) | (used << 2 & used >> 1);
}

// The gradient of the part's rows of the kernel, handed to `ready`. kept: someone wants its elements.
template <typename T>
void finish_part(const Backward<T>& b, T* gradient, bool kept, Range part, const PartReady<T>& ready) {
  // A batch of one hands out factors, but for rows shorter than a vector: updated one by one, each would wait for the
  // store of the one before.
  const bool factors = b.d.rows == 1 && !kept && b.d.units >= kWidth<T>;
  const auto make = [&](Range inputs) {
    T* rows = gradient + (inputs.begin - part.begin) * b.d.units;
    if (!factors) kernel_gradient(b, rows, inputs);
    if (ready.call == nullptr) return;
    ready.call(ready.context, inputs, {factors ? nullptr : rows, b.d.x + inputs.begin, b.dy, b.d.units});
  };
  if (b.with_zeros || !ready.skip_zero_gradients) {
    make(part);
    return;
  }
  int64_t begin = part.begin;
  for (uint64_t used = inputs_in_use(b.d, part); used != 0;) {
    const int skipped = __builtin_ctzll(used);
    used >>= skipped;
    const int length = ~used == 0 ? 64 : __builtin_ctzll(~used);
    used = length == 64 ? 0 : used >> length;
    begin += skipped + length;
    make({begin - length, begin});
  }
}

template <typename T>
void dense_backward(const Team& team, T* dx, T* dkernel, const T* dy, const DenseLayer<T>& d,
                    const ActivationSpec& below, bool accumulate, T* shared, T* own, const PartReady<T>& ready) {
  assert(is_member(team) && is_layer(d) && has(dy, d.rows * d.units));
  assert(apart(dx, d.rows * d.inputs, dy, d.rows * d.units) && apart(dx, d.rows * d.inputs, d.x, d.rows * d.inputs));
  assert(apart(dkernel, d.inputs * d.units, d.kernel, d.inputs * d.units));
  assert((shared != nullptr || d.rows * d.units == 0) && own != nullptr);
  const bool by_blas = calls_blas(d), wants_kernel = dkernel != nullptr || ready.call != nullptr;
  const bool pack = wants_kernel && !by_blas && pays_to_pack(d.rows, d.units);
  const bool transpose = dx != nullptr && !by_blas && d.rows > 1;
  const bool by_rows = transpose && turns_kernel(d);
  T *turned = shared, *panels = shared + d.rows * d.units;
  const T* to_turn = by_rows ? d.kernel : dy;
  const int64_t lines = by_rows ? d.inputs : d.rows;
  const Range mine_to_turn = team.share(lines, panel_width(T{}));
  for (int64_t line = mine_to_turn.begin; line < mine_to_turn.end && transpose; line += kRows) {
    const int64_t end = line + kRows < mine_to_turn.end ? line + kRows : mine_to_turn.end;
    pack_block(d.units, lines, to_turn, 1, d.units, {line, end}, turned);
    team.poll();
  }
  for (int64_t row = 0; row < d.rows && pack; row += kRows)
    pack_block(d.rows - row < kRows ? d.rows - row : kRows, d.units, dy + row * d.units, d.units, 1,
               team.share(d.units, panel_width(T{})), panels + row * d.units);
  if (pack || transpose) team.barrier();

  const bool with_zeros =
      d.nonzero.by_column == nullptr || !wants_kernel || by_blas || !all_finite(dy, d.rows * d.units);
  const Backward<T> b{team, d, dy, turned, pack ? panels : nullptr, by_blas, accumulate, with_zeros, own};
  if (by_rows) input_gradient_of_rows(b, dx, team.share(d.rows, kRowsOfAShare), below);
  if (by_rows && !wants_kernel) return;
  T* block = own + kPackedPart * kRows;
  const int64_t most = by_blas ? blas_part(d.inputs) : pack ? kPackedPart : kPart;
  const Range mine = team.share(d.inputs, most);
  for (int64_t i = mine.begin; i < mine.end; i += most) {
    if (i > mine.begin) team.poll();
    const Range part{i, i + most < mine.end ? i + most : mine.end};
    if (dx != nullptr && !by_rows) input_gradient(b, dx, part, below);
    if (wants_kernel)
      finish_part(b, dkernel == nullptr ? block : dkernel + i * d.units, dkernel != nullptr, part, ready);
  }
}

template <typename T>
void dense_backward_bias(const Team& team, T* dbias, const T* dy, int64_t rows, int64_t units, Range part,
                         bool accumulate) {
  assert(has(dy, rows * units) && has(dbias, units) && 0 <= part.begin && part.end <= units);
  constexpr int64_t together = 4;  // sums that do not wait for each other
  Look look(team);
  const auto put = [&](int64_t j, int64_t count, Vec<T> sum) {
    store(dbias + j, accumulate ? load(dbias + j, count) + sum : sum, count);
  };
  int64_t j = part.begin;
  for (; j + together * kWidth<T> <= part.end; j += together * kWidth<T>) {
    Vec<T> sums[together] = {};
    for (int64_t i = 0; i < rows; ++i)
      for (int64_t v = 0; v < together; ++v) sums[v] += load(dy + i * units + j + v * kWidth<T>);
    for (int64_t v = 0; v < together; ++v) put(j + v * kWidth<T>, kWidth<T>, sums[v]);
    look.after(rows * together * kWidth<T>);
  }
  for_vectors<T>(j, part.end, [&](int64_t at, int64_t count) {
    Vec<T> sum{};
    for (int64_t i = 0; i < rows; ++i) sum += load(dy + i * units + at, count);
    put(at, count, sum);
    look.after(rows * count);
  });
}

template <typename T>
int64_t dense_own(int64_t inputs, int64_t units, bool backward) {
  const int64_t forward =
      has_few_units<T>(inputs, units) ? inputs * units : (longest_slice(inputs) + kRows) * panel_width(T{});
  if (!backward) return forward;
  const int64_t part = large_product(INT32_MAX, units, inputs) ? blas_part(inputs) : kPackedPart;
  const int64_t parts = kPackedPart * kRows + part * units;
  return forward > parts ? forward : parts;
}

template <typename T>
bool dense_splits_rows(int64_t rows, int64_t inputs, int64_t units) {
  return has_few_units<T>(inputs, units) ||
         (!split_by_inputs(rows, inputs) && !pays_to_pack(rows, units) && !large_product(rows, units, inputs));
}

template <typename T>
void fill(DenseKernels<T>& k) {
  k.dense_forward = dense_forward<T>;
  k.dense_backward = dense_backward<T>;
  k.dense_shared = dense_shared<T>;
  k.dense_splits_rows = dense_splits_rows<T>;
  k.dense_own = dense_own<T>;
  k.dense_backward_bias = dense_backward_bias<T>;
}

}  // namespace

PYNN_DEFINE_REGISTER(dense, DenseKernels)

}  // namespace PYNN_ISA
}  // namespace pynn

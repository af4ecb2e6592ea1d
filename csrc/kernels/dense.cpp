#include "../runtime/blas.h"
#include "activations.h"
#include "register.h"
#include "rows.h"
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

// Where slice s begins: at a multiple of 16, for the cache lines of x.
int64_t slice_begin(int64_t s, int64_t inputs) {
  return s == slices(inputs) ? inputs : inputs * s / slices(inputs) / 16 * 16;
}

// Slices are shared out where the partial sums are smaller than the kernel; otherwise rows or columns of y are.
bool split_by_inputs(int64_t rows, int64_t inputs) { return slices(inputs) > 1 && rows * slices(inputs) <= inputs; }

// Rows of the batch that go through together.
constexpr int64_t kRows = 256, kRowsOfAShare = 64, kFewRows = 3;

int64_t longest_slice(int64_t inputs) { return inputs / slices(inputs) + 16; }

// Inputs of a part of the backward pass: few enough for its gradients to be in the nearest cache when the optimizer
// comes for them, and more where dy is packed, and comes from a farther cache for each part.
constexpr int64_t kPart = 32, kPackedPart = 64;

// Copies of the kernel or of dy in panels pay where rows lie far apart and are used often.
bool pays_to_pack(int64_t rows, int64_t units) { return rows >= 128 && units >= 256; }

template <typename T>
bool calls_blas(const DenseLayer<T>& d) {
  return large_product(d.rows, d.units, d.inputs);
}

constexpr int64_t kBlasRows = 128, kBlasColumns = 256;  // of blocks handed to BLAS; fixed: its sums depend on them
int64_t blas_part(int64_t inputs) { return inputs < 1024 ? 128 : 256; }

// The inputs of a slice that are not 0 in the whole batch, or null where there is no use in knowing them.
struct Chosen {
  const int32_t* list;
  int64_t count;
};

// space: `length` elements.
Chosen choose(const uint8_t* nonzero, int64_t length, int32_t* space) {
  int64_t count = 0;
  for (int64_t i = 0; i < length; ++i) {
    space[count] = static_cast<int32_t>(i);
    count += nonzero[i] != 0;
  }
  return {count * 16 < length * 15 ? space : nullptr, count};
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
                         const Chosen& chosen, bool accumulate, T* c, int64_t ldc) {
  const int64_t i = slice_begin(s, d.inputs), length = slice_begin(s + 1, d.inputs) - i;
  Product<T> p = product<T>(rows, columns, length, d.x + row * d.inputs + i, d.inputs, 1,
                            d.kernel + i * d.units + column, d.units, accumulate, c, ldc);
  if (chosen.list != nullptr) {
    p.chosen = chosen.list;
    p.k = chosen.count;
  }
  return p;
}

// Rows and columns of y, at most kRows rows.
template <typename T>
void forward_block(T* y, const DenseLayer<T>& d, const ActivationSpec& activation, int64_t row, int64_t rows,
                   Range columns, T* own) {
  // A few rows take all columns at once: multiply_block then has accumulators enough to hide its latency.
  const int64_t most = kRows * panel_width(T{}), count = slices(d.inputs);
  const int64_t width = rows <= kFewRows && d.units * rows <= most ? d.units : panel_width(T{});
  T *panel = own, *second = panel + longest_slice(d.inputs) * panel_width(T{});
  Chosen chosen[kSlices] = {};
  auto* lists = reinterpret_cast<int32_t*>(second + most);
  const bool pack = pays_to_pack(rows, d.units);
  for (int64_t s = 0; s < count && d.nonzero != nullptr; ++s) {
    const int64_t i = slice_begin(s, d.inputs);
    chosen[s] = choose(d.nonzero + i, slice_begin(s + 1, d.inputs) - i, lists + i);
  }
  for (int64_t j = columns.begin; j < columns.end; j += width) {
    const int64_t n = columns.end - j < width ? columns.end - j : width;
    T* to = y + row * d.units + j;
    for (int64_t s = 0; s < count; ++s) {
      const bool first_chain = s < kChain;
      Product<T> p = slice_product(d, s, rows, n, row, j, chosen[s], s % kChain > 0, first_chain ? to : second,
                                   first_chain ? d.units : width);
      if (pack) {
        pack_block(p.b_rows, n, p.b, p.ldb, 1, {0, n}, panel);
        p.b = panel;
        p.ldb = n;
      }
      multiply_block(p);
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
void find_heads(const Team& team, bool (&head)[kSlices]) {
  for (int member = 0; member < team.size; ++member) {
    const Range own = Team{member, team.size, team.state}.share(kSlices);
    for (int64_t s = own.begin; s < own.end; ++s) head[s] = s % kChain == 0 || s / kChain * kChain < own.begin;
  }
}

template <typename T>
void forward_by_inputs(const Team& team, T* y, const DenseLayer<T>& d, const ActivationSpec& activation, T* shared,
                       T* own) {
  const int64_t size = d.rows * d.units;
  bool head[kSlices];
  find_heads(team, head);
  const Range mine = team.share(kSlices);
  auto* list = reinterpret_cast<int32_t*>(own);
  for (int64_t s = mine.begin, to = s; s < mine.end; ++s) {
    const int64_t i = slice_begin(s, d.inputs);
    Chosen chosen{};
    if (d.nonzero != nullptr) chosen = choose(d.nonzero + i, slice_begin(s + 1, d.inputs) - i, list);
    if (head[s]) to = s;
    multiply_block(slice_product(d, s, d.rows, d.units, 0, 0, chosen, !head[s], shared + to * size, d.units));
  }
  team.barrier();
  const Range part = team.share(d.rows);
  for (int64_t row = part.begin; row < part.end; ++row)
    for_vectors<T>(0, d.units, [&](int64_t j, int64_t count) {
      const T* at = shared + row * d.units + j;
      Vec<T> chain[] = {load(at, count), load(at + kChain * size, count)};
      for (int64_t s = 1; s < kSlices; ++s)
        if (head[s] && s != kChain) chain[s / kChain] += load(at + s * size, count);
      store(y + row * d.units + j, chain[0] + chain[1], count);
    });
  finish<T>(y + part.begin * d.units, nullptr, 0, d, 0, part.end - part.begin, d.units, activation);
}

template <typename T>
void dense_forward(const Team& team, T* y, const DenseLayer<T>& d, const ActivationSpec& activation, T* shared,
                   T* own) {
  if (calls_blas(d)) {
    forward_blas(team, y, d, activation);
    return;
  }
  if (team.size > 1 && split_by_inputs(d.rows, d.inputs)) {
    forward_by_inputs(team, y, d, activation, shared, own);
    return;
  }
  const int64_t width = panel_width(T{});
  const bool by_rows =
      !pays_to_pack(d.rows, d.units) && (d.rows >= kRowsOfAShare * team.size || d.units < width * team.size);
  const Range rows = by_rows ? team.share(d.rows) : Range{0, d.rows};
  const Range columns = by_rows ? Range{0, d.units} : team.share(d.units, width);
  for (int64_t i = rows.begin; i < rows.end && columns.begin < columns.end; i += kRows) {
    if (i > rows.begin) team.poll();
    forward_block(y, d, activation, i, rows.end - i < kRows ? rows.end - i : kRows, columns, own);
  }
}

// ---- backward

// dx[:, part] = (kernel[part, :] dy^T)^T, times the slope of the activation that made x.
template <typename T>
void input_gradient(T* dx, const T* dy_t, const DenseLayer<T>& d, Range part, const ActivationSpec& below, T* own) {
  const int64_t length = part.end - part.begin;
  for (int64_t row = 0; row < d.rows; row += kRows) {
    const int64_t rows = d.rows - row < kRows ? d.rows - row : kRows;
    multiply_packed(product<T>(length, rows, d.units, d.kernel + part.begin * d.units, d.units, 1, dy_t + row * d.units,
                               0, false, own, rows));
    T* to = dx + row * d.inputs + part.begin;
    transpose_block(length, rows, own, rows, to, d.inputs);
    slope_block(to, d.x + row * d.inputs + part.begin, rows, length, d.inputs, below);
  }
}

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

// The gradient of a kernel's rows for a batch of one.
template <typename T>
void outer_product(T* gradient, const T* x, const T* dy, int64_t length, int64_t units, bool accumulate) {
  for (int64_t i = 0; i < length; ++i)
    for_vectors<T>(0, units, [&](int64_t j, int64_t count) {
      T* at = gradient + i * units + j;
      const Vec<T> value = load(dy + j, count) * x[i] + Vec<T>{};  // as multiply_block would have it
      store(at, accumulate ? value + load(at, count) : value, count);
    });
}

// gradient (the part's rows of the kernel) [+]= x[:, part]^T dy
template <typename T>
void kernel_gradient(T* gradient, const T* dy, bool packed, const DenseLayer<T>& d, Range part, bool accumulate,
                     T* own) {
  const int64_t length = part.end - part.begin;
  if (d.rows == 1) {
    outer_product(gradient, d.x + part.begin, dy, length, d.units, accumulate);
    return;
  }
  for (int64_t row = 0; row < d.rows || row == 0; row += kRows) {
    const int64_t rows = d.rows - row < kRows ? d.rows - row : kRows;
    const T* x = d.x + row * d.inputs + part.begin;
    Product<T> p = product<T>(length, d.units, rows, x, 1, d.inputs, dy + row * d.units, d.units, accumulate || row > 0,
                              gradient, d.units);
    if (!packed) {
      multiply_block(p);
      continue;
    }
    // Rows of x that lie a power of two apart would push each other out of the cache.
    for (int64_t i = 0; i < rows; ++i)
      memcpy(own + i * length, x + i * d.inputs, static_cast<size_t>(length) * sizeof(T));
    p.a = own;
    p.a_column = length;
    multiply_packed(p);
  }
}

// The end of the inputs from `begin` on that are alike: all of them 0 in the whole batch or not, but for a few.
int64_t run_end(const uint8_t* nonzero, int64_t begin, int64_t end) {
  constexpr int64_t few = 2;  // zeros that are not worth an end of the product
  const bool kind = nonzero[begin] != 0;
  int64_t last = begin, i = begin + 1;
  if (!kind) {
    for (uint64_t eight; i + 8 <= end; i += 8) {
      memcpy(&eight, nonzero + i, sizeof(eight));
      if (eight != 0) break;
    }
    while (i < end && nonzero[i] == 0) ++i;
    return i;
  }
  for (; i < end && i - last <= few + 1; ++i)
    if (nonzero[i] != 0) last = i;
  return last + 1;
}

template <typename T>
void dense_backward(const Team& team, T* dx, T* dkernel, const T* dy, const DenseLayer<T>& d,
                    const ActivationSpec& below, bool accumulate, T* shared, T* own, const PartReady<T>& ready) {
  const bool large = calls_blas(d), wants_kernel = dkernel != nullptr || ready.call != nullptr;
  const bool pack = wants_kernel && !large && pays_to_pack(d.rows, d.units);
  T *dy_t = shared, *packed = shared + d.rows * d.units;
  const bool one_row = d.rows == 1;
  if (!large && dx != nullptr && !one_row)
    pack_block(d.units, d.rows, dy, 1, d.units, team.share(d.rows, panel_width(T{})), dy_t);
  if (pack)
    for (int64_t row = 0; row < d.rows; row += kRows)
      pack_block(d.rows - row < kRows ? d.rows - row : kRows, d.units, dy + row * d.units, d.units, 1,
                 team.share(d.units, panel_width(T{})), packed + row * d.units);
  if (pack || (dx != nullptr && !one_row)) team.barrier();

  const int64_t most = large ? blas_part(d.inputs) : pack ? kPackedPart : kPart;
  const Range mine = team.share(d.inputs, most);
  const uint8_t* nonzero = d.nonzero != nullptr && !large && all_finite(dy, d.rows * d.units) ? d.nonzero : nullptr;
  T* block = own + kPackedPart * kRows;
  for (int64_t i = mine.begin; i < mine.end; i += most) {
    if (i > mine.begin) team.poll();
    const Range part{i, i + most < mine.end ? i + most : mine.end};
    if (dx != nullptr && large) {
      blas::gemm(false, true, d.rows, part.end - i, d.units, dy, d.units, d.kernel + i * d.units, d.units, false,
                 dx + i, d.inputs);
      slope_block(dx + i, d.x + i, d.rows, part.end - i, d.inputs, below);
    } else if (dx != nullptr && one_row) {
      input_gradient_of_row(dx, dy, d, part);
      slope_block(dx + i, d.x + i, 1, part.end - i, d.inputs, below);
    } else if (dx != nullptr) {
      input_gradient(dx, dy_t, d, part, below, own);
    }
    if (!wants_kernel) continue;
    T* gradient = dkernel == nullptr ? block : dkernel + i * d.units;
    if (large)
      blas::gemm(true, false, part.end - i, d.units, d.rows, d.x + i, d.inputs, dy, d.units, accumulate, gradient,
                 d.units);
    for (int64_t from = i, to = 0; from < part.end && !large; from = to) {
      to = nonzero == nullptr ? part.end : run_end(nonzero, from, part.end);
      T* rows = gradient + (from - i) * d.units;
      const bool zero = nonzero != nullptr && nonzero[from] == 0;
      if (!zero)
        kernel_gradient(rows, pack ? packed : dy, pack, d, {from, to}, accumulate, own);
      else if (!accumulate && !ready.not_for_zeros)
        memset(rows, 0, static_cast<size_t>((to - from) * d.units) * sizeof(T));
      if (ready.not_for_zeros && !zero) ready.call(ready.context, {from, to}, rows);
    }
    if (ready.call != nullptr && (large || !ready.not_for_zeros)) ready.call(ready.context, part, gradient);
  }
}

template <typename T>
void dense_backward_bias(T* dbias, const T* dy, int64_t rows, int64_t units, Range part, bool accumulate) {
  for_vectors<T>(part.begin, part.end, [&](int64_t j, int64_t count) {
    Vec<T> sum{};
    for (int64_t i = 0; i < rows; ++i) sum += load(dy + i * units + j, count);
    store(dbias + j, accumulate ? load(dbias + j, count) + sum : sum, count);
  });
}

template <typename T>
int64_t dense_shared(int64_t rows, int64_t inputs, int64_t units) {
  const int64_t split_rows = rows < inputs / kSlices ? rows : inputs / kSlices;  // more are not split by inputs
  const int64_t partials = slices(inputs) == 1 ? 0 : kSlices * split_rows * units;
  return partials > 2 * rows * units ? partials : 2 * rows * units;
}

template <typename T>
int64_t dense_own(int64_t inputs, int64_t units) {
  const int64_t forward = (longest_slice(inputs) + kRows) * panel_width(T{}) + inputs;
  const int64_t part = large_product(INT32_MAX, units, inputs) ? blas_part(inputs) : kPackedPart;
  const int64_t backward = kPackedPart * kRows + part * units;
  return forward > backward ? forward : backward;
}

template <typename T>
void fill(Kernels<T>& k) {
  k.dense_forward = dense_forward<T>;
  k.dense_backward = dense_backward<T>;
  k.dense_shared = dense_shared<T>;
  k.dense_own = dense_own<T>;
  k.dense_backward_bias = dense_backward_bias<T>;
}

}  // namespace

PYNN_DEFINE_REGISTER(dense)

}  // namespace PYNN_ISA
}  // namespace pynn

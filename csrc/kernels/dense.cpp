#include "dense.h"

#include "../runtime/blas.h"
#include "activation_blocks.h"
#include "checks.h"
#include "dense_common.h"
#include "few_columns.h"
#include "polling.h"
#include "register.h"

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

int64_t longest_slice(int64_t inputs) { return inputs / slices(inputs) + 32; }

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
  k.dense_shared = dense_shared<T>;
  k.dense_splits_rows = dense_splits_rows<T>;
  k.dense_own = dense_own<T>;
}

}  // namespace

PYNN_DEFINE_REGISTER(dense, DenseKernels)

}  // namespace PYNN_ISA
}  // namespace pynn

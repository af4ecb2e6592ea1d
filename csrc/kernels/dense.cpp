#include "../runtime/blas.h"
#include "register.h"
#include "simd.h"
#include "tile.h"

namespace pynn {
namespace PYNN_ISA {
namespace {

// Long sums are cut into slices of the inputs, whose partial sums are added in order: then a member of the team can own
// the rows of the kernel of a few slices. Its forward product, its gradients and its updates touch only them, and they
// never leave its core's cache. The cut depends on the number of inputs alone, so neither the batch nor the team
// changes a bit.
constexpr int64_t kSlices = 8, kSliceFrom = 256;

int64_t slices(int64_t inputs) { return inputs < kSliceFrom ? 1 : kSlices; }

// Where slice s begins: at a multiple of 16, for the cache lines of x.
int64_t slice_begin(int64_t s, int64_t inputs) {
  return s == slices(inputs) ? inputs : inputs * s / slices(inputs) / 16 * 16;
}

// Slices are shared out where the partial sums are smaller than the kernel; otherwise the rows of the batch are.
bool split_by_inputs(int64_t rows, int64_t inputs) { return slices(inputs) > 1 && rows * slices(inputs) <= inputs; }

constexpr int64_t kBlasRows = 128,
                  kBlasColumns = 256;  // of the blocks handed to BLAS; fixed, as its sums depend on them
constexpr int64_t kRows = 64;          // of the blocks of the own kernel

template <typename T>
void add_bias(T* y, const T* bias, int64_t rows, int64_t units, int64_t ldy) {
  for (int64_t i = 0; i < rows; ++i)
    for_vectors<T>(0, units, [&](int64_t j, int64_t count) {
      T* at = y + i * ldy + j;
      store(at, load(at, count) + load(bias + j, count), count);
    });
}

// y = x kernel + bias for some rows and columns: the slices one after the other, so that each stays in the nearest
// cache.
template <typename T>
void forward_block(T* y, const T* x, const T* kernel, const T* bias, int64_t rows, int64_t columns, int64_t inputs,
                   int64_t units) {
  for (int64_t s = 0; s < slices(inputs); ++s) {
    const int64_t i = slice_begin(s, inputs), length = slice_begin(s + 1, inputs) - i;
    multiply_block(rows, columns, length, x + i, inputs, 1, kernel + i * units, units, s > 0, y, units);
  }
  if (bias != nullptr) add_bias(y, bias, rows, columns, units);
}

template <typename T>
void forward_blas(const Team& team, T* y, const T* x, const T* kernel, const T* bias, int64_t rows, int64_t inputs,
                  int64_t units) {
  const int64_t down = (rows + kBlasRows - 1) / kBlasRows, across = (units + kBlasColumns - 1) / kBlasColumns;
  const Range tasks = team.share(down * across);
  for (int64_t task = tasks.begin; task < tasks.end; ++task) {
    const int64_t i = task % down * kBlasRows, j = task / down * kBlasColumns;
    const int64_t m = rows - i < kBlasRows ? rows - i : kBlasRows;
    const int64_t n = units - j < kBlasColumns ? units - j : kBlasColumns;
    blas::gemm(false, false, m, n, inputs, x + i * inputs, inputs, kernel + j, units, false, y + i * units + j, units);
    if (bias != nullptr) add_bias(y + i * units + j, bias + j, m, n, units);
    team.poll();
  }
}

template <typename T>
void forward_by_inputs(const Team& team, T* y, const T* x, const T* kernel, const T* bias, int64_t rows, int64_t inputs,
                       int64_t units, T* partials) {
  const int64_t size = rows * units;
  const Range mine = team.share(slices(inputs));
  for (int64_t s = mine.begin; s < mine.end; ++s) {
    const int64_t i = slice_begin(s, inputs), length = slice_begin(s + 1, inputs) - i;
    multiply_block(rows, units, length, x + i, inputs, 1, kernel + i * units, units, false, partials + s * size, units);
  }
  team.barrier();
  const Range part = team.share(rows);
  for (int64_t row = part.begin; row < part.end; ++row)
    for_vectors<T>(0, units, [&](int64_t j, int64_t count) {
      const T* at = partials + row * units + j;
      Vec<T> sum = load(at, count);
      for (int64_t s = 1; s < slices(inputs); ++s) sum += load(at + s * size, count);
      store(y + row * units + j, bias == nullptr ? sum : sum + load(bias + j, count), count);
    });
}

template <typename T>
void dense_forward(const Team& team, T* y, const T* x, const T* kernel, const T* bias, int64_t rows, int64_t inputs,
                   int64_t units, T* partials) {
  if (large_product(rows, units, inputs)) {
    forward_blas(team, y, x, kernel, bias, rows, inputs, units);
    return;
  }
  if (team.size > 1 && split_by_inputs(rows, inputs)) {
    forward_by_inputs(team, y, x, kernel, bias, rows, inputs, units, partials);
    return;
  }
  if (rows >= team.size) {
    const Range mine = team.share(rows);
    for (int64_t i = mine.begin; i < mine.end; i += kRows) {
      if (i > mine.begin) team.poll();
      const int64_t m = mine.end - i < kRows ? mine.end - i : kRows;
      forward_block(y + i * units, x + i * inputs, kernel, bias, m, units, inputs, units);
    }
  } else {
    const Range mine = team.share(units, panel_width(T{}));
    if (mine.begin < mine.end)
      forward_block(y + mine.begin, x, kernel + mine.begin, bias == nullptr ? bias : bias + mine.begin, rows,
                    mine.end - mine.begin, inputs, units);
  }
}

template <typename T>
int64_t dense_partials(int64_t rows, int64_t inputs, int64_t units) {
  if (slices(inputs) == 1) return 0;
  const int64_t most = inputs / slices(inputs);  // more rows are not split by inputs
  return slices(inputs) * (rows < most ? rows : most) * units;
}

// Inputs in a part: columns enough of dx for a tile, and few enough for the gradients to be in the nearest cache when
// the optimizer comes for them. For BLAS, enough to pay for its packing of dy, but parts enough to share.
constexpr int64_t kPart = 32;
int64_t blas_part(int64_t inputs) { return inputs < 1024 ? 128 : 256; }

// Up to so many rows dy is transposed, once, rather than the kernel, part by part.
constexpr int64_t kFewRows = 64;

// dx[:, part] = dy kernel[part, :]^T for few rows, as the transpose of kernel[part, :] dy^T; dy_t (units, rows).
template <typename T>
void input_gradient_few(T* dx, const T* dy_t, const T* kernel, int64_t rows, int64_t inputs, int64_t units, Range part,
                        T* scratch) {
  const int64_t length = part.end - part.begin;
  multiply_block(length, rows, units, kernel + part.begin * units, units, 1, dy_t, rows, false, scratch, rows);
  transpose_block(length, rows, scratch, rows, dx + part.begin, inputs);
}

template <typename T>
void input_gradient(T* dx, const T* dy, const T* kernel, int64_t rows, int64_t inputs, int64_t units, Range part,
                    T* scratch) {
  const int64_t length = part.end - part.begin;
  transpose_block(length, units, kernel + part.begin * units, units, scratch, length);
  multiply_block(rows, length, units, dy, units, 1, scratch, length, false, dx + part.begin, inputs);
}

template <typename T>
void dense_backward(const Team& team, T* dx, T* dkernel, const T* dy, const T* x, const T* kernel, int64_t rows,
                    int64_t inputs, int64_t units, bool accumulate, T* scratch, const PartReady& ready) {
  const bool large = large_product(rows, units, inputs), few = rows <= kFewRows;
  const int64_t most = large ? blas_part(inputs) : kPart;
  const Range mine = team.share(inputs, most);
  if (mine.begin == mine.end) return;
  if (dx != nullptr && few && !large) transpose_block(rows, units, dy, units, scratch, rows);
  for (int64_t i = mine.begin; i < mine.end; i += most) {
    if (i > mine.begin) team.poll();
    const Range part{i, i + most < mine.end ? i + most : mine.end};
    const int64_t length = part.end - i;
    if (large) {
      if (dx != nullptr)
        blas::gemm(false, true, rows, length, units, dy, units, kernel + i * units, units, false, dx + i, inputs);
      if (dkernel != nullptr)
        blas::gemm(true, false, length, units, rows, x + i, inputs, dy, units, accumulate, dkernel + i * units, units);
    } else {
      if (dx != nullptr && few)
        input_gradient_few(dx, scratch, kernel, rows, inputs, units, part, scratch + rows * units);
      else if (dx != nullptr)
        input_gradient(dx, dy, kernel, rows, inputs, units, part, scratch);
      if (dkernel != nullptr)
        multiply_block(length, units, rows, x + i, 1, inputs, dy, units, accumulate, dkernel + i * units, units);
    }
    if (ready.call != nullptr) ready.call(ready.context, part);
  }
}

template <typename T>
int64_t dense_scratch(int64_t units) {
  return kFewRows * units + kPart * kFewRows;  // dy transposed and a part of dx, or a part of the kernel transposed
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
void fill(Kernels<T>& k) {
  k.dense_forward = dense_forward<T>;
  k.dense_partials = dense_partials<T>;
  k.dense_backward = dense_backward<T>;
  k.dense_scratch = dense_scratch<T>;
  k.dense_backward_bias = dense_backward_bias<T>;
}

}  // namespace

PYNN_DEFINE_REGISTER(dense)

}  // namespace PYNN_ISA
}  // namespace pynn

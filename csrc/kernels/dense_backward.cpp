#include "../runtime/blas.h"
#include "activation_blocks.h"
#include "checks.h"
#include "dense.h"
#include "dense_common.h"
#include "polling.h"
#include "reductions.h"
#include "register.h"

namespace pynn {
namespace PYNN_ISA {
namespace {

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
void fill(DenseKernels<T>& k) {
  k.dense_backward = dense_backward<T>;
  k.dense_backward_bias = dense_backward_bias<T>;
}

}  // namespace

PYNN_DEFINE_REGISTER(dense_backward, DenseKernels)

}  // namespace PYNN_ISA
}  // namespace pynn

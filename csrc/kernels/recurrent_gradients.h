// The gradients of the parameters of recurrent layers, from those of all steps.
#pragma once

#include "recurrent_common.h"

namespace pynn {
namespace PYNN_ISA {
namespace {

// Their sums are made for a few groups of samples, and added up in order. How many depends on the samples and on the
// sizes of the layer, and not on the steps: padding shall change no bit. Of large kernels there is one, as sums of
// several would be more to exchange than what they are made from.
constexpr int64_t kMostGroups = 8, kLeastSamples = 16, kMostElements = 1 << 18;

int64_t groups_of(const RecurrentShape& s) {
  const int64_t groups = s.batch / kLeastSamples;
  if (groups <= 1 || (s.features + s.units) * columns_of(s) > kMostElements) return 1;
  return groups < kMostGroups ? groups : kMostGroups;
}

// Rows of a product with a near cache full of the other operand.
constexpr int64_t kRowsNear = 64;

// Some columns of the gradient of one of the parameters, as a product: with a row of a for each of its rows.
template <typename T>
struct Piece {
  int64_t rows, columns;  // of the gradient; 0 rows: of the bias, the sums of the columns of b
  T* to;
  int64_t ldc;
  const T *a, *b;  // of the first step
  int64_t a_sample, a_step;
};

// The sums of N vectors of columns, the last of which has `count` elements: a chain each.
template <typename T, int N>
void sum_vectors(const RecurrentShape& s, T* to, const T* rows, Range samples, int64_t count, bool accumulate) {
  constexpr int64_t wide = kWidth<T>;
  Vec<T> sums[N];
#pragma GCC unroll 4
  for (int n = 0; n < N; ++n) sums[n] = accumulate ? load(to + n * wide, n < N - 1 ? wide : count) : Vec<T>{};
  for (int64_t p = 0; p < s.steps; ++p) {
    const T* row = rows + (p * s.batch + samples.begin) * row_width(s);
    for (int64_t i = samples.begin; i < samples.end; ++i, row += row_width(s))
#pragma GCC unroll 4
      for (int n = 0; n < N; ++n) sums[n] += load(row + n * wide, n < N - 1 ? wide : count);
  }
#pragma GCC unroll 4
  for (int n = 0; n < N; ++n) store(to + n * wide, sums[n], n < N - 1 ? wide : count);
}

template <typename T>
void sum_columns(Look& look, const RecurrentShape& s, const Piece<T>& piece, Range samples, bool accumulate) {
  constexpr int64_t wide = kWidth<T>, together = 4 * wide;  // a single chain would wait for its own additions
  for (int64_t j = 0; j < piece.columns;) {
    const int64_t left = piece.columns - j;
    if (left >= together) {
      sum_vectors<T, 4>(s, piece.to + j, piece.b + j, samples, wide, accumulate);
      j += together;
    } else {
      sum_vectors<T, 1>(s, piece.to + j, piece.b + j, samples, left < wide ? left : wide, accumulate);
      j += wide;
    }
    look.after(s.steps * (samples.end - samples.begin) * together);
  }
}

// One chain of terms for each element, over the steps and the samples of a group: a term that is 0, as that of a masked
// step is, changes nothing wherever it stands.
template <typename T>
void make_piece(Look& look, const RecurrentShape& s, const Piece<T>& piece, Range samples, bool accumulate) {
  if (piece.rows == 0) {
    sum_columns(look, s, piece, samples, accumulate);
    return;
  }
  const int64_t count = samples.end - samples.begin, width = row_width(s), b_step = s.batch * width;
  const int64_t together = kRowsNear < count ? 1 : kRowsNear / count;
  Strip strips[kRowsNear];
  for (int64_t p = 0; p < s.steps; p += together) {
    const int64_t steps = s.steps - p < together ? s.steps - p : together;
    for (int64_t k = 0; k < steps; ++k) strips[k] = {k * piece.a_step, k * b_step};
    Product<T> sums = product<T>(piece.rows, piece.columns, steps * count,
                                 piece.a + p * piece.a_step + samples.begin * piece.a_sample, 1, piece.a_sample,
                                 piece.b + p * b_step + samples.begin * width, width, false, piece.to, piece.ldc);
    sums.strips = strips;
    sums.strip = count;
    sums.continues = accumulate || p > 0;
    multiply_block(sums);
    look.after_product(piece.rows, piece.columns, steps * count);
  }
}

// Where the gradients of a group go; each may be null.
template <typename T>
struct Targets {
  T *kernel, *recurrent, *bias;
};

// Calls use(piece) for all pieces of a group.
template <typename T, typename Use>
void for_pieces(const RecurrentShape& s, const RecurrentInputs<T>& in, const Saved<T>& saved, const Targets<T>& to,
                Use use) {
  const int64_t units = s.units, columns = columns_of(s), states = s.batch * units, width = row_width(s);
  // The parts of a row that belong to the last gate of gru beside x are not behind those of the other gates.
  const bool gru = s.cell == Cell::gru, two = gru && s.reset_after;
  const int64_t front = gru ? 2 * units : columns;
  const auto cut = [&](Range range, Piece<T> piece, T* gradient, int64_t row_column) {
    constexpr int64_t wide = 64;
    for (int64_t j = range.begin; j < range.end && gradient != nullptr; j += wide) {
      piece.columns = range.end - j < wide ? range.end - j : wide;
      piece.to = gradient + j;
      piece.b = saved.rows + row_column + j - range.begin;
      use(piece);
    }
  };
  const int64_t x_step = s.backwards ? -s.features : s.features;
  const Piece<T> x{s.features,           0,     nullptr, columns, in.x + time_of(s, 0) * s.features, nullptr,
                   s.steps * s.features, x_step};
  const Piece<T> h{units, 0, nullptr, columns, in.dropped == nullptr ? saved.h : saved.dropped, nullptr, units, states};
  const Piece<T> reset{units, 0, nullptr, columns, saved.rows + 3 * units, nullptr, width, s.batch * width};
  const Piece<T> bias{0, 0, nullptr, 0, nullptr, nullptr, 0, 0};
  const int64_t last = (two ? 3 : 2) * units;
  cut({0, front}, x, to.kernel, 0);
  cut({front, columns}, x, to.kernel, last);
  cut({0, two ? columns : front}, h, to.recurrent, 0);
  if (!two) cut({front, columns}, reset, to.recurrent, last);
  cut({0, front}, bias, to.bias, 0);
  cut({front, columns}, bias, to.bias, last);
  if (two) cut({columns, 2 * columns}, bias, to.bias, 0);
}

template <typename T>
void parameter_gradients(const Team& team, const RecurrentShape& s, const RecurrentInputs<T>& in, const Saved<T>& saved,
                         const RecurrentGradients<T>& gradients, T* shared) {
  const int64_t groups = groups_of(s), columns = columns_of(s);
  const int64_t kernel = s.features * columns, recurrent = s.units * columns, bias = bias_elements(s);
  const auto target = [&](int64_t group) {
    T* at = shared + group * (kernel + recurrent + bias);
    const auto choose = [&](T* gradient, T* partial) {
      return gradient == nullptr || groups == 1 ? gradient : partial;
    };
    return Targets<T>{choose(gradients.dkernel, at), choose(gradients.drecurrent, at + kernel),
                      choose(gradients.dbias, at + kernel + recurrent)};
  };
  int64_t pieces = 0, number = 0;
  for_pieces<T>(s, in, saved, target(0), [&](const Piece<T>&) { ++pieces; });
  const Range mine = team.share(groups * pieces);
  Look look(team);
  for (int64_t group = 0; group < groups; ++group)
    for_pieces<T>(s, in, saved, target(group), [&](const Piece<T>& piece) {
      if (number >= mine.begin && number < mine.end)
        make_piece(look, s, piece, Range{s.batch * group / groups, s.batch * (group + 1) / groups},
                   gradients.accumulate && groups == 1);
      ++number;
    });
  if (groups == 1) return;
  team.barrier();
  const auto add_up = [&](T* to, int64_t size, int64_t offset) {
    const Range part = team.share(to == nullptr ? 0 : size, 64);
    for_vectors<T>(part.begin, part.end, [&](int64_t j, int64_t n) {
      Vec<T> sum = gradients.accumulate ? load(to + j, n) : Vec<T>{};
      for (int64_t group = 0; group < groups; ++group)
        sum += load(shared + group * (kernel + recurrent + bias) + offset + j, n);
      store(to + j, sum, n);
      look.after(n * groups);
    });
  };
  add_up(gradients.dkernel, kernel, 0);
  add_up(gradients.drecurrent, recurrent, kernel);
  add_up(gradients.dbias, bias, kernel + recurrent);
}

}  // namespace
}  // namespace PYNN_ISA
}  // namespace pynn

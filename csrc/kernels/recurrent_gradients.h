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

// Terms that are added up together, with the other operand in a near cache: where operands are copied, where tiles are
// wide, and otherwise.
constexpr int64_t kTermsCopied = 256, kTermsNear = 128, kTermsNearest = 64;
// Operands of products of fewer rows are not copied.
constexpr int64_t kRowsToCopy = 48;

// Some columns of the gradient of one of the parameters, as a product: with a row of a for each of its rows.
template <typename T>
struct Piece {
  int64_t rows, columns;  // of the gradient; 0 rows: of the bias, the sums of the columns of b
  T* to;
  int64_t ldc;
  const T *a, *b;  // of the first step
  int64_t a_sample, a_step;
};

constexpr int64_t kPieceColumns = 64;  // at most

// Pieces with the same a, which are made together, some terms after the others, so that a and b come from afar once.
template <typename T>
struct Run {
  static constexpr int64_t kMost = 8, kBytes = 1 << 18;  // of the sums, which shall stay in the second-level cache
  Piece<T> pieces[kMost];
  int64_t count = 0;

  int64_t rows() const { return pieces[0].rows; }
  bool takes(const Piece<T>& piece) const {
    const int64_t bytes = (count + 1) * piece.rows * kPieceColumns * static_cast<int64_t>(sizeof(T));
    return count == 0 || (count < kMost && bytes <= kBytes && piece.a == pieces[0].a && piece.rows == rows());
  }
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

// The terms of a sum are those of all samples of a group in step 0, then in step 1, ... Calls use(step, sample, count,
// at) for all stretches of some terms that lie in one step; `at` is the first one's place among them.
template <typename Use>
void for_stretches(Range samples, Range terms, Use use) {
  const int64_t together = samples.end - samples.begin;
  for (int64_t t = terms.begin; t < terms.end;) {
    const int64_t sample = samples.begin + t % together, rest = samples.end - sample;
    const int64_t count = rest < terms.end - t ? rest : terms.end - t;
    use(t / together, sample, count, t - terms.begin);
    t += count;
  }
}

// Where tiles are narrow, their rows of b are single lines that lie far apart, and push each other out of the cache.
template <typename T>
void make_from_copies(Look& look, const RecurrentShape& s, const Run<T>& run, Range samples, bool accumulate, T* own) {
  const int64_t width = row_width(s), terms = s.steps * (samples.end - samples.begin), rows = run.rows();
  T *const a = own, *const b = own + kTermsCopied * rows;
  for (int64_t from = 0; from < terms || from == 0; from += kTermsCopied) {  // once at least: no terms make 0
    const Range some{from, terms - from < kTermsCopied ? terms : from + kTermsCopied};
    const int64_t k = some.end - some.begin;
    for_stretches(samples, some, [&](int64_t step, int64_t sample, int64_t count, int64_t at) {
      const T* row = run.pieces[0].a + step * run.pieces[0].a_step + sample * run.pieces[0].a_sample;
      for (int64_t i = 0; i < count; ++i, row += run.pieces[0].a_sample)
        for_vectors<T>(0, rows, [&](int64_t j, int64_t n) { store(a + (at + i) * rows + j, load(row + j, n), n); });
    });
    for (int64_t number = 0; number < run.count; ++number) {
      const Piece<T>& piece = run.pieces[number];
      for_stretches(samples, some, [&](int64_t step, int64_t sample, int64_t count, int64_t at) {
        const T* row = piece.b + (step * s.batch + sample) * width;
        for (int64_t j = 0; j < piece.columns; j += panel_width(T{})) {
          const int64_t n = piece.columns - j < panel_width(T{}) ? piece.columns - j : panel_width(T{});
          pack_block(count, n, row + j, width, 1, {0, n}, b + j * k + at * n);
        }
      });
      Product<T> sums = product<T>(rows, piece.columns, k, a, 1, rows, b, 0, false, piece.to, piece.ldc);
      sums.continues = accumulate || from > 0;
      multiply_packed(sums);
      look.after_product(rows, piece.columns, k);
    }
  }
}

template <typename T>
void make_from_strips(Look& look, const RecurrentShape& s, const Run<T>& run, Range samples, bool accumulate) {
  const int64_t count = samples.end - samples.begin, width = row_width(s), b_step = s.batch * width;
  const int64_t most = narrow_panels(T{}) ? kTermsNearest : kTermsNear;
  const int64_t together = count == 0 || count > most ? 1 : most / count;
  Strip strips[kTermsNear];
  for (int64_t p = 0; p < s.steps; p += together) {
    const int64_t steps = s.steps - p < together ? s.steps - p : together;
    for (int64_t k = 0; k < steps; ++k) strips[k] = {k * run.pieces[0].a_step, k * b_step};
    for (int64_t number = 0; number < run.count; ++number) {
      const Piece<T>& piece = run.pieces[number];
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
}

// One chain of terms for each element, over the steps and the samples of a group: a term that is 0, as that of a masked
// step is, changes nothing wherever it stands.
template <typename T>
void make_run(Look& look, const RecurrentShape& s, Run<T>& run, Range samples, bool accumulate, T* own) {
  if (run.count == 0) return;
  if (run.rows() == 0)
    for (int64_t number = 0; number < run.count; ++number)
      sum_columns(look, s, run.pieces[number], samples, accumulate);
  else if (narrow_panels(T{}) && run.rows() >= kRowsToCopy)
    make_from_copies(look, s, run, samples, accumulate, own);
  else
    make_from_strips(look, s, run, samples, accumulate);
  run.count = 0;
}

// What make_run needs of a member's scratch.
template <typename T>
int64_t own_of_gradients(const RecurrentShape& s) {
  const int64_t rows = s.units < s.features ? s.features : s.units;
  return narrow_panels(T{}) ? kTermsCopied * (rows + kPieceColumns) : 0;
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
    for (int64_t j = range.begin; j < range.end && gradient != nullptr; j += kPieceColumns) {
      piece.columns = range.end - j < kPieceColumns ? range.end - j : kPieceColumns;
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
                         const RecurrentGradients<T>& gradients, T* shared, T* own) {
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
  Run<T> run;
  for (int64_t group = 0; group < groups; ++group) {
    const Range samples{s.batch * group / groups, s.batch * (group + 1) / groups};
    const bool accumulate = gradients.accumulate && groups == 1;
    for_pieces<T>(s, in, saved, target(group), [&](const Piece<T>& piece) {
      if (number >= mine.begin && number < mine.end) {
        if (!run.takes(piece)) make_run(look, s, run, samples, accumulate, own);
        run.pieces[run.count++] = piece;
      }
      ++number;
    });
    make_run(look, s, run, samples, accumulate, own);
  }
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

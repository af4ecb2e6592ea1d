// What the two directions of recurrent layers share: what is kept between them, and where.
#pragma once

#include "activation_functions.h"
#include "polling.h"
#include "recurrent.h"
#include "tile.h"

namespace pynn {
namespace PYNN_ISA {
namespace {

// Samples that go through time together. Of fewer than kFewSamples, several steps are taken together where they can be.
constexpr int64_t kTogether = 32, kFewSamples = 8;

PYNN_INLINE int64_t gates_of(Cell cell) { return cell == Cell::lstm ? 4 : cell == Cell::gru ? 3 : 1; }

PYNN_INLINE int64_t columns_of(const RecurrentShape& s) { return gates_of(s.cell) * s.units; }

PYNN_INLINE int64_t bias_elements(const RecurrentShape& s) {
  return (s.cell == Cell::gru && s.reset_after ? 2 : 1) * columns_of(s);
}

// What is known of a step of a sample lies in a row, in parts of `units` elements. On the way back, gradients of the
// sums that go into the gates take the place of
//   simple_rnn  h'
//   lstm        i f c o, and f(c') behind them
//   gru         z r, then with reset_after h U + b1 and f(...), the gradient of x W behind it; else f(...) and r h
// The sums themselves follow, where they are kept: those of the gates, in the order of the gates.
PYNN_INLINE int64_t row_parts(Cell cell) { return cell == Cell::lstm ? 5 : cell == Cell::gru ? 4 : 1; }

PYNN_INLINE int64_t row_width(const RecurrentShape& s) {
  return (row_parts(s.cell) + (s.keeps_sums ? gates_of(s.cell) : 0)) * s.units;
}

// Steps are numbered in the order in which they are made; samples of a step lie one behind the other.
template <typename T>
struct Saved {
  T* rows;     // (steps, batch, row_width)
  T* h;        // (steps + 1, batch, units): the states, from the one at the beginning on
  T* c;        // the same, of lstm
  T* dropped;  // (steps, batch, units): h as it meets the recurrent kernel, where it is not h
};

template <typename T>
PYNN_INLINE Saved<T> saved_at(const RecurrentShape& s, T* memory) {
  Saved<T> saved{};
  const int64_t states = s.batch * s.units;
  saved.rows = memory;
  saved.h = saved.rows + s.steps * s.batch * row_width(s);
  saved.c = saved.h + (s.steps + 1) * states;
  saved.dropped = saved.c + (s.cell == Cell::lstm ? (s.steps + 1) * states : 0);
  return saved;
}

PYNN_INLINE int64_t saved_elements(const RecurrentShape& s) {
  const int64_t states = s.batch * s.units;
  return s.steps * s.batch * row_width(s) + (s.cell == Cell::lstm ? 2 : 1) * (s.steps + 1) * states + s.steps * states;
}

// The place in x of the step that is made as number p.
PYNN_INLINE int64_t time_of(const RecurrentShape& s, int64_t p) { return s.backwards ? s.steps - 1 - p : p; }

// A product in parts of its columns, with a look for Ctrl-C behind each: of large layers, one takes milliseconds.
template <typename T>
void multiply_looking(Look& look, Product<T> p, bool packed) {
  constexpr int64_t together = 512;  // a multiple of a panel
  const Product<T> whole = p;
  for (int64_t j = 0; j < whole.n; j += together) {
    p.n = whole.n - j < together ? whole.n - j : together;
    p.b = whole.b + (packed ? j * p.k : j);
    p.c = whole.c + j;
    p.bias = whole.bias == nullptr ? nullptr : whole.bias + j;
    if (packed)
      multiply_packed(p);
    else
      multiply_block(p);
    look.after_product(p.m, p.n, p.k);
  }
}

// An activation that is looked up for each vector.
template <typename T>
struct AnyActivation {
  const ActivationSpec& spec;
  Vec<T> forward(Vec<T> x) const {
    Vec<T> y = x;
    with_activation<T>(spec, [&](auto f) { y = f.forward(x); });
    return y;
  }
  Vec<T> gradient(Vec<T> x, Vec<T> y) const {
    Vec<T> slope{};
    with_activation<T>(spec, [&](auto f) { slope = f.gradient(x, y); });
    return slope;
  }
};

// Calls use(activation, recurrent activation): the usual ones as themselves.
template <typename T, typename Use>
PYNN_INLINE void with_both(const RecurrentShape& s, Use use) {
  const bool usual = s.activation.kind == Activation::tanh &&
                     (s.cell == Cell::simple_rnn || s.recurrent_activation.kind == Activation::sigmoid);
  if (usual)
    use(Tanh<T>{}, Sigmoid<T>{});
  else
    use(AnyActivation<T>{s.activation}, AnyActivation<T>{s.recurrent_activation});
}

}  // namespace
}  // namespace PYNN_ISA
}  // namespace pynn

#include "recurrent.h"

#include "checks.h"
#include "recurrent_common.h"
#include "register.h"

namespace pynn {
namespace PYNN_ISA {
namespace {

// Rows of a product of few samples; rows for which copies of the kernels in panels pay, where panels are narrow.
constexpr int64_t kRowsTogether = 64, kRowsToPack = 256;

int64_t steps_together(const RecurrentShape& s, int64_t samples) {
  if (samples >= kFewSamples) return 1;
  const int64_t most = kRowsTogether / samples;
  return s.steps < most ? s.steps : most;
}

// The weights as the products read them.
template <typename T>
struct Weights {
  const T* bias;  // of the product with x, or null
  const T *kernel, *recurrent;
  bool packed;  // both kernels are, the last gate of gru by itself

  // The columns of a kernel of so many rows, from `begin` on.
  const T* from_column(const T* kernel_, int64_t rows, int64_t begin) const {
    return kernel_ + (packed ? begin * rows : begin);
  }
};

// Some samples on their way through time.
template <typename T>
struct Block {
  const RecurrentShape& s;
  const RecurrentInputs<T>& in;
  const Weights<T>& w;
  int64_t first, samples;  // of the batch
  // Of step p: rows, with `next_step` between those of a step and of the next one; states, likewise.
  T *rows, *h, *c, *dropped;
  int64_t next_rows, next_states;
  int64_t width;
};

// The part of a member's scratch for each of these.
template <typename T>
struct Own {
  T *bias, *h, *c, *dropped, *rows, *kernel, *recurrent;
};

template <typename T>
Own<T> own_at(const RecurrentShape& s, T* own) {
  const int64_t states = kTogether * s.units;
  T *const h = own + 3 * s.units, *const rows = h + 3 * states, *const kernel = rows + kRowsTogether * row_width(s);
  return {own, h, h + states, h + 2 * states, rows, kernel, kernel + s.features * columns_of(s)};
}

template <typename T>
int64_t own_elements(const RecurrentShape& s) {
  const int64_t packed = narrow_panels(T{}) ? (s.features + s.units) * columns_of(s) : 0;
  return 3 * s.units + 3 * kTogether * s.units + kRowsTogether * row_width(s) + packed;
}

// Copies a kernel of so many rows to panels, the last gate of gru by itself.
template <typename T>
void pack_kernel(Look& look, const RecurrentShape& s, const T* kernel, int64_t rows, T* to) {
  const int64_t columns = columns_of(s), front = s.cell == Cell::gru ? 2 * s.units : columns, panel = panel_width(T{});
  for (int64_t j = 0; j < columns;) {
    const int64_t rest = (j < front ? front : columns) - j, n = rest < panel ? rest : panel;
    pack_block(rows, n, kernel + j, columns, 1, {0, n}, to + j * rows);
    look.after(rows * n);
    j += n;
  }
}

// x W + b of `steps` steps from p on.
template <typename T>
void input_products(Look& look, const Block<T>& b, T* rows, int64_t p, int64_t steps) {
  const RecurrentShape& s = b.s;
  const int64_t columns = columns_of(s), t = time_of(s, p);
  const auto multiply = [&](int64_t m, const T* x, int64_t apart, T* to, int64_t ldc) {
    const auto part = [&](int64_t begin, int64_t end, int64_t at) {
      Product<T> product_ = product<T>(m, end - begin, s.features, x, apart, 1,
                                       b.w.from_column(b.w.kernel, s.features, begin), columns, false, to + at, ldc);
      product_.bias = b.w.bias == nullptr ? nullptr : b.w.bias + begin;
      multiply_looking(look, product_, b.w.packed);
    };
    if (s.cell == Cell::gru) {
      part(0, 2 * s.units, 0);
      part(2 * s.units, columns, (s.reset_after ? 3 : 2) * s.units);
    } else {
      part(0, columns, 0);
    }
  };
  const T* x = b.in.x + (b.first * s.steps + t) * s.features;
  if (steps == 1)
    multiply(b.samples, x, s.steps * s.features, rows, b.width);
  else
    for (int64_t i = 0; i < b.samples; ++i)
      multiply(steps, x + i * s.steps * s.features, s.backwards ? -s.features : s.features, rows + i * b.width,
               b.next_rows);
}

// to [continued] = a times some columns of U.
template <typename T>
void state_product(Look& look, const Block<T>& b, const T* a, int64_t a_row, int64_t begin, int64_t end, T* to,
                   bool continues, const T* bias) {
  Product<T> p = product<T>(b.samples, end - begin, b.s.units, a, a_row, 1,
                            b.w.from_column(b.w.recurrent, b.s.units, begin), columns_of(b.s), false, to, b.width);
  p.continues = continues;
  p.bias = bias;
  multiply_looking(look, p, b.w.packed);
}

// Where a step of a sample finds and puts things.
template <typename T>
struct Moment {
  T* row;
  const T *h, *c;
  T *h_next, *c_next;
};

template <typename T>
void stay(const RecurrentShape& s, const Moment<T>& at) {
  for_vectors<T>(0, s.units, [&](int64_t j, int64_t n) {
    store(at.h_next + j, load(at.h + j, n), n);
    if (s.cell == Cell::lstm) store(at.c_next + j, load(at.c + j, n), n);
  });
}

template <typename T, typename F>
void step_simple(const RecurrentShape& s, const Moment<T>& at, F f) {
  const int64_t units = s.units;
  for_vectors<T>(0, units, [&](int64_t j, int64_t n) {
    const Vec<T> sum = load(at.row + j, n), h = f.forward(sum);
    if (s.keeps_sums) store(at.row + units + j, sum, n);
    store(at.row + j, h, n);
    store(at.h_next + j, h, n);
  });
}

template <typename T, typename F, typename G>
void step_lstm(const RecurrentShape& s, const Moment<T>& at, F f, G g) {
  const int64_t units = s.units;
  for_vectors<T>(0, units, [&](int64_t j, int64_t n) {
    T* row = at.row + j;
    const Vec<T> sum[] = {load(row, n), load(row + units, n), load(row + 2 * units, n), load(row + 3 * units, n)};
    if (s.keeps_sums)
      for (int64_t k = 0; k < 4; ++k) store(row + (5 + k) * units, sum[k], n);
    const Vec<T> i = g.forward(sum[0]), forget = g.forward(sum[1]), in = f.forward(sum[2]), o = g.forward(sum[3]);
    const Vec<T> c = forget * load(at.c + j, n) + i * in, out = f.forward(c);
    store(row, i, n);
    store(row + units, forget, n);
    store(row + 2 * units, in, n);
    store(row + 3 * units, o, n);
    store(row + 4 * units, out, n);
    store(at.c_next + j, c, n);
    store(at.h_next + j, o * out, n);
  });
}

// The gates z and r, and r h where that meets U.
template <typename T, typename G>
void step_gru_gates(const RecurrentShape& s, T* row, const T* h, G g) {
  const int64_t units = s.units;
  for_vectors<T>(0, units, [&](int64_t j, int64_t n) {
    const Vec<T> sum[] = {load(row + j, n), load(row + units + j, n)};
    if (s.keeps_sums)
      for (int64_t k = 0; k < 2; ++k) store(row + (4 + k) * units + j, sum[k], n);
    const Vec<T> r = g.forward(sum[1]);
    store(row + j, g.forward(sum[0]), n);
    store(row + units + j, r, n);
    if (!s.reset_after) store(row + 3 * units + j, r * load(h + j, n), n);
  });
}

template <typename T, typename F>
void step_gru_state(const RecurrentShape& s, const Moment<T>& at, F f) {
  const int64_t units = s.units;
  T* const made = at.row + (s.reset_after ? 3 : 2) * units;
  for_vectors<T>(0, units, [&](int64_t j, int64_t n) {
    Vec<T> sum = load(made + j, n);
    if (s.reset_after) sum += load(at.row + units + j, n) * load(at.row + 2 * units + j, n);
    if (s.keeps_sums) store(at.row + 6 * units + j, sum, n);
    const Vec<T> z = load(at.row + j, n), in = f.forward(sum);
    store(made + j, in, n);
    store(at.h_next + j, z * load(at.h + j, n) + (1 - z) * in, n);
  });
}

// Step p, whose products with x are in `rows`.
template <typename T, typename F, typename G>
void make_step(Look& look, const Block<T>& b, T* rows, int64_t p, F f, G g) {
  const RecurrentShape& s = b.s;
  const int64_t units = s.units;
  const T *h = b.h + p * b.next_states, *meets = h;
  if (b.in.dropped != nullptr) {
    T* to = b.dropped + p * b.next_states;
    const T* factors = b.in.dropped + b.first * units;
    for_vectors<T>(0, b.samples * units,
                   [&](int64_t j, int64_t n) { store(to + j, load(h + j, n) * load(factors + j, n), n); });
    meets = to;
  }
  if (s.cell != Cell::gru) {
    state_product<T>(look, b, meets, units, 0, columns_of(s), rows, true, nullptr);
  } else {
    state_product<T>(look, b, meets, units, 0, 2 * units, rows, true, nullptr);
    if (s.reset_after)
      state_product<T>(look, b, meets, units, 2 * units, 3 * units, rows + 2 * units, false,
                       b.in.bias == nullptr ? nullptr : b.in.bias + 5 * units);
    for (int64_t i = 0; i < b.samples; ++i) step_gru_gates<T>(s, rows + i * b.width, meets + i * units, g);
    if (!s.reset_after)
      state_product<T>(look, b, rows + 3 * units, b.width, 2 * units, 3 * units, rows + 2 * units, true, nullptr);
  }
  const T* mask = b.in.mask == nullptr ? nullptr : b.in.mask + b.first * s.steps + time_of(s, p);
  const int64_t next = (p + 1) * b.next_states;
  for (int64_t i = 0; i < b.samples; ++i) {
    const int64_t of = i * units;
    const Moment<T> at{rows + i * b.width, h + of, b.c + p * b.next_states + of, b.h + next + of, b.c + next + of};
    if (mask != nullptr && mask[i * s.steps] == 0)
      stay(s, at);
    else if (s.cell == Cell::simple_rnn)
      step_simple<T>(s, at, f);
    else if (s.cell == Cell::lstm)
      step_lstm<T>(s, at, f, g);
    else
      step_gru_state<T>(s, at, f);
  }
  look.after(8 * b.samples * columns_of(s));
}

template <typename T>
void copy(T* to, const T* from, int64_t n) {
  if (from == nullptr)
    for_vectors<T>(0, n, [&](int64_t j, int64_t count) { store(to + j, Vec<T>{}, count); });
  else
    for_vectors<T>(0, n, [&](int64_t j, int64_t count) { store(to + j, load(from + j, count), count); });
}

// The output of step p.
template <typename T>
void put_out(const Block<T>& b, const RecurrentOutputs<T>& out, int64_t p) {
  const RecurrentShape& s = b.s;
  for (int64_t i = 0; i < b.samples; ++i) {
    const int64_t sample = b.first + i;
    const bool zero = s.zero_masked && b.in.mask != nullptr && b.in.mask[sample * s.steps + time_of(s, p)] == 0;
    T* to = out.y + (s.sequences ? sample * s.steps + p : sample) * s.units;
    copy<T>(to, zero ? nullptr : b.h + (p + 1) * b.next_states + i * s.units, s.units);
  }
}

template <typename T>
void run_block(Look& look, const Block<T>& b, const RecurrentOutputs<T>& out) {
  const RecurrentShape& s = b.s;
  const int64_t states = b.samples * s.units, before = b.first * s.units, end = s.steps * b.next_states;
  copy<T>(b.h, b.in.h == nullptr ? nullptr : b.in.h + before, states);
  if (s.cell == Cell::lstm) copy<T>(b.c, b.in.c == nullptr ? nullptr : b.in.c + before, states);
  const int64_t together = steps_together(s, b.samples);
  const bool kept = b.next_states > 0;
  for (int64_t p = 0; p < s.steps; p += together) {
    const int64_t steps = s.steps - p < together ? s.steps - p : together;
    T* rows = b.rows + (kept ? p * b.next_rows : 0);
    input_products(look, b, rows, p, steps);
    for (int64_t k = 0; k < steps; ++k) {
      with_both<T>(s, [&](auto f, auto g) { make_step(look, b, rows + k * b.next_rows, p + k, f, g); });
      if (s.sequences || p + k == s.steps - 1) put_out(b, out, p + k);
    }
  }
  if (out.h != nullptr) copy<T>(out.h + before, b.h + end, states);
  if (out.c != nullptr) copy<T>(out.c + before, b.c + end, states);
}

template <typename T>
void recurrent_forward(const Team& team, const RecurrentShape& s, const RecurrentInputs<T>& in,
                       const RecurrentOutputs<T>& out, T* memory, T* own_memory) {
  assert(is_member(team) && has(in.x, s.batch * s.steps * s.features) && s.steps > 0 && s.units > 0);
  assert(in.kernel != nullptr && in.recurrent != nullptr && own_memory != nullptr);
  const Own<T> own = own_at(s, own_memory);
  const bool two = s.cell == Cell::gru && s.reset_after && in.bias != nullptr;
  if (two)  // of the gates z and r, both biases go in with x
    for_vectors<T>(0, columns_of(s), [&](int64_t j, int64_t n) { store(own.bias + j, load(in.bias + j, n), n); });
  if (two)
    for_vectors<T>(0, 2 * s.units, [&](int64_t j, int64_t n) {
      store(own.bias + j, load(in.bias + j, n) + load(in.bias + 3 * s.units + j, n), n);
    });
  const Saved<T> saved = memory == nullptr ? Saved<T>{} : saved_at(s, memory);
  const Range mine = team.share(s.batch);
  Look look(team);
  const bool packed = narrow_panels(T{}) && (mine.end - mine.begin) * s.steps >= kRowsToPack;
  if (packed) {
    pack_kernel(look, s, in.kernel, s.features, own.kernel);
    pack_kernel(look, s, in.recurrent, s.units, own.recurrent);
  }
  const Weights<T> weights{two ? own.bias : in.bias, packed ? own.kernel : in.kernel,
                           packed ? own.recurrent : in.recurrent, packed};
  for (int64_t first = mine.begin; first < mine.end; first += kTogether) {
    const int64_t samples = mine.end - first < kTogether ? mine.end - first : kTogether, width = row_width(s);
    Block<T> b{s, in, weights, first, samples, own.rows, own.h, own.c, own.dropped, samples * width, 0, width};
    if (memory != nullptr) {
      b.rows = saved.rows + first * width;
      b.h = saved.h + first * s.units;
      b.c = saved.c + first * s.units;
      b.dropped = saved.dropped + first * s.units;
      b.next_rows = s.batch * width;
      b.next_states = s.batch * s.units;
    }
    run_block(look, b, out);
  }
}

template <typename T>
void fill(RecurrentKernels<T>& k) {
  k.recurrent_forward = recurrent_forward<T>;
  k.recurrent_saved = [](const RecurrentShape& s) { return saved_elements(s); };
  k.recurrent_own_forward = [](const RecurrentShape& s) { return own_elements<T>(s); };
}

}  // namespace

PYNN_DEFINE_REGISTER(recurrent, RecurrentKernels)

}  // namespace PYNN_ISA
}  // namespace pynn

#include "checks.h"
#include "recurrent_common.h"
#include "recurrent_gradients.h"
#include "register.h"

namespace pynn {
namespace PYNN_ISA {
namespace {

// Some samples on their way back.
template <typename T>
struct Block {
  const RecurrentShape& s;
  const RecurrentInputs<T>& in;
  const RecurrentOutputs<T>& dout;
  const Saved<T>& saved;
  int64_t first, samples;
  // (samples, units): what reaches h before a step other than through U; the gradient of what meets U; that of c; for
  // gru without reset_after, that of r h.
  T *direct, *met, *dc, *reset;
  const T *to_state, *to_reset;  // U^T, packed: for what meets U, and for r h
};

// The parts of a member's scratch: kTogether rows of `units` each, and packed kernels.
template <typename T>
struct Own {
  T *direct, *met, *dc, *reset, *recurrent, *kernel;
};

template <typename T>
Own<T> own_at(const RecurrentShape& s, T* own) {
  const int64_t states = kTogether * s.units;
  T* const packed = own + 4 * states;
  return {own, own + states, own + 2 * states, own + 3 * states, packed, packed + s.units * columns_of(s)};
}

template <typename T>
int64_t own_elements(const RecurrentShape& s) {
  const int64_t on_the_way = 4 * kTogether * s.units + (s.units + s.features) * columns_of(s);
  const int64_t behind_it = own_of_gradients<T>(s);
  return on_the_way < behind_it ? behind_it : on_the_way;
}

// What a step of a sample finds and leaves. dh comes from the output and from the step behind.
template <typename T>
struct Moment {
  T* row;
  const T *h, *c, *c_next;  // the state before the step, and c behind it
  const T* dy;              // or null
  const T* dropped;         // or null
  T *direct, *met, *dc, *reset;
  Vec<T> dh(int64_t j, int64_t n) const {
    Vec<T> d = load(met + j, n);
    if (dropped != nullptr) d *= load(dropped + j, n);
    d += load(direct + j, n);
    return dy == nullptr ? d : d + load(dy + j, n);
  }
};

template <typename T>
void stay(const RecurrentShape& s, const Moment<T>& at) {
  for_vectors<T>(0, s.units, [&](int64_t j, int64_t n) {
    store(at.direct + j, at.dh(j, n), n);
    for (int64_t part = 0; part < row_parts(s.cell); ++part) store(at.row + part * s.units + j, Vec<T>{}, n);
  });
}

template <typename T, typename F>
void step_simple(const RecurrentShape& s, const Moment<T>& at, F f) {
  for_vectors<T>(0, s.units, [&](int64_t j, int64_t n) {
    const Vec<T> h = load(at.row + j, n), sum = s.keeps_sums ? load(at.row + s.units + j, n) : h;
    store(at.row + j, at.dh(j, n) * f.gradient(sum, h), n);
    store(at.direct + j, Vec<T>{}, n);
  });
}

template <typename T, typename F, typename G>
void step_lstm(const RecurrentShape& s, const Moment<T>& at, F f, G g) {
  const int64_t units = s.units;
  for_vectors<T>(0, units, [&](int64_t j, int64_t n) {
    T* row = at.row + j;
    const Vec<T> i = load(row, n), forget = load(row + units, n), in = load(row + 2 * units, n),
                 o = load(row + 3 * units, n), out = load(row + 4 * units, n), dh = at.dh(j, n);
    Vec<T> sum[] = {i, forget, in, o};
    if (s.keeps_sums)
      for (int64_t k = 0; k < 4; ++k) sum[k] = load(row + (5 + k) * units, n);
    const Vec<T> dc = load(at.dc + j, n) + dh * o * f.gradient(load(at.c_next + j, n), out);
    store(row, dc * in * g.gradient(sum[0], i), n);
    store(row + units, dc * load(at.c + j, n) * g.gradient(sum[1], forget), n);
    store(row + 2 * units, dc * i * f.gradient(sum[2], in), n);
    store(row + 3 * units, dh * out * g.gradient(sum[3], o), n);
    store(at.dc + j, dc * forget, n);
    store(at.direct + j, Vec<T>{}, n);
  });
}

template <typename T, typename F, typename G>
void step_gru(const RecurrentShape& s, const Moment<T>& at, F f, G g) {
  const int64_t units = s.units, made = (s.reset_after ? 3 : 2) * units;
  for_vectors<T>(0, units, [&](int64_t j, int64_t n) {
    T* row = at.row + j;
    const Vec<T> z = load(row, n), r = load(row + units, n), in = load(row + made, n), h = load(at.h + j, n);
    const Vec<T> dh = at.dh(j, n);
    Vec<T> sum[] = {z, r, in};
    if (s.keeps_sums)
      for (int64_t k = 0; k < 3; ++k) sum[k] = load(row + (4 + k) * units, n);
    const Vec<T> din = dh * (1 - z) * f.gradient(sum[2], in);
    store(row, dh * (h - in) * g.gradient(sum[0], z), n);
    store(row + made, din, n);
    store(at.direct + j, dh * z, n);
    if (s.reset_after) {
      const Vec<T> inner = load(row + 2 * units, n);
      store(row + 2 * units, din * r, n);
      store(row + units, din * inner * g.gradient(sum[1], r), n);
    }
  });
}

// The gradient of r, from that of r h.
template <typename T, typename G>
void step_gru_reset(const RecurrentShape& s, const Moment<T>& at, const T* meets, G g) {
  const int64_t units = s.units;
  for_vectors<T>(0, units, [&](int64_t j, int64_t n) {
    T* row = at.row + j;
    const Vec<T> r = load(row + units, n), d = load(at.reset + j, n);
    const Vec<T> sum = s.keeps_sums ? load(row + 5 * units, n) : r;
    Vec<T> direct = d * r;
    if (at.dropped != nullptr) direct *= load(at.dropped + j, n);
    store(at.direct + j, load(at.direct + j, n) + direct, n);
    store(row + units, d * load(meets + j, n) * g.gradient(sum, r), n);
  });
}

template <typename T>
void state_product(Look& look, const Block<T>& b, int64_t terms, const T* rows, const T* packed, T* to) {
  multiply_looking(
      look, product<T>(b.samples, b.s.units, terms, rows, row_width(b.s), 1, packed, 0, false, to, b.s.units), true);
}

template <typename T, typename F, typename G>
void step_back(Look& look, const Block<T>& b, int64_t p, F f, G g) {
  const RecurrentShape& s = b.s;
  const int64_t units = s.units, width = row_width(s), before = (p * s.batch + b.first) * units;
  T* const rows = b.saved.rows + (p * s.batch + b.first) * width;
  const T* mask = b.in.mask == nullptr ? nullptr : b.in.mask + b.first * s.steps + time_of(s, p);
  const auto masked = [&](int64_t i) { return mask != nullptr && mask[i * s.steps] == 0; };
  const auto at = [&](int64_t i) {
    const int64_t of = i * units;
    const T* dy = nullptr;
    if (b.dout.y != nullptr && (s.sequences || p == s.steps - 1) && !(s.zero_masked && masked(i)))
      dy = b.dout.y + (s.sequences ? (b.first + i) * s.steps + p : b.first + i) * units;
    return Moment<T>{rows + i * width,
                     b.saved.h + before + of,
                     b.saved.c + before + of,
                     b.saved.c + before + of + s.batch * units,
                     dy,
                     b.in.dropped == nullptr ? nullptr : b.in.dropped + b.first * units + of,
                     b.direct + of,
                     b.met + of,
                     b.dc + of,
                     b.reset + of};
  };
  for (int64_t i = 0; i < b.samples; ++i) {
    if (masked(i))
      stay<T>(s, at(i));
    else if (s.cell == Cell::simple_rnn)
      step_simple<T>(s, at(i), f);
    else if (s.cell == Cell::lstm)
      step_lstm<T>(s, at(i), f, g);
    else
      step_gru<T>(s, at(i), f, g);
  }
  int64_t terms = columns_of(s);
  if (s.cell == Cell::gru && !s.reset_after) {
    const T* meets = (b.in.dropped == nullptr ? b.saved.h : b.saved.dropped) + before;
    state_product(look, b, units, rows + 2 * units, b.to_reset, b.reset);
    for (int64_t i = 0; i < b.samples; ++i)
      if (!masked(i)) step_gru_reset<T>(s, at(i), meets + i * units, g);
    terms = 2 * units;
  }
  state_product(look, b, terms, rows, b.to_state, b.met);
  look.after(8 * b.samples * columns_of(s));
}

template <typename T>
void copy_or_clear(T* to, const T* from, int64_t n) {
  for_vectors<T>(0, n, [&](int64_t j, int64_t count) {
    store(to + j, from == nullptr ? Vec<T>{} : load(from + j, count), count);
  });
}

template <typename T>
void go_back(Look& look, const Block<T>& b, const RecurrentGradients<T>& gradients) {
  const RecurrentShape& s = b.s;
  const int64_t states = b.samples * s.units, before = b.first * s.units;
  copy_or_clear<T>(b.direct, b.dout.h == nullptr ? nullptr : b.dout.h + before, states);
  copy_or_clear<T>(b.dc, b.dout.c == nullptr ? nullptr : b.dout.c + before, states);
  copy_or_clear<T>(b.met, nullptr, states);
  for (int64_t p = s.steps; p-- > 0;) with_both<T>(s, [&](auto f, auto g) { step_back(look, b, p, f, g); });
  if (gradients.dc != nullptr) copy_or_clear<T>(gradients.dc + before, b.dc, states);
  if (gradients.dh == nullptr) return;
  for (int64_t of = 0; of < states; of += s.units) {  // row by row, as in any block
    const T* dropped = b.in.dropped == nullptr ? nullptr : b.in.dropped + before + of;
    const Moment<T> at{nullptr, nullptr,       nullptr,    nullptr, nullptr,
                       dropped, b.direct + of, b.met + of, nullptr, nullptr};
    for_vectors<T>(0, s.units, [&](int64_t j, int64_t n) { store(gradients.dh + before + of + j, at.dh(j, n), n); });
  }
}

// dx = (the gradient of x W) W^T, step by step, or where samples are few, sample by sample.
template <typename T>
void input_gradients(Look& look, const Block<T>& b, const T* packed, T* dx) {
  const RecurrentShape& s = b.s;
  const int64_t width = row_width(s), columns = columns_of(s);
  const auto multiply = [&](int64_t m, const T* rows, int64_t apart, T* to, int64_t ldc) {
    const auto part = [&](int64_t begin, int64_t end, int64_t at, bool continues) {
      Product<T> p =
          product<T>(m, s.features, end - begin, rows + at, apart, 1, packed + begin * s.features, 0, false, to, ldc);
      p.continues = continues;
      multiply_looking(look, p, true);
    };
    if (s.cell == Cell::gru) {
      part(0, 2 * s.units, 0, false);
      part(2 * s.units, columns, (s.reset_after ? 3 : 2) * s.units, true);
    } else {
      part(0, columns, 0, false);
    }
  };
  const T* rows = b.saved.rows + b.first * width;
  if (b.samples >= kFewSamples) {
    for (int64_t p = 0; p < s.steps; ++p)
      multiply(b.samples, rows + p * s.batch * width, width, dx + (b.first * s.steps + time_of(s, p)) * s.features,
               s.steps * s.features);
    return;
  }
  for (int64_t i = 0; i < b.samples; ++i)
    multiply(s.steps, rows + i * width, s.batch * width, dx + ((b.first + i) * s.steps + time_of(s, 0)) * s.features,
             s.backwards ? -s.features : s.features);
}

// Some rows of W^T or U^T, which are columns of W or U, packed.
template <typename T>
void turn(Look& look, const RecurrentShape& s, const T* kernel, int64_t rows, int64_t begin, int64_t end, T* to) {
  const int64_t terms = end - begin, panel = panel_width(T{});
  for (int64_t row = 0; row < rows; row += panel) {
    pack_block(terms, rows, kernel + begin, 1, columns_of(s), {row, row + panel < rows ? row + panel : rows},
               to + begin * rows);
    look.after(terms * panel);
  }
}

template <typename T>
void recurrent_backward(const Team& team, const RecurrentShape& s, const RecurrentInputs<T>& in,
                        const RecurrentOutputs<T>& dout, const RecurrentGradients<T>& gradients, T* memory, T* shared,
                        T* own_memory) {
  assert(is_member(team) && has(in.x, s.batch * s.steps * s.features) && memory != nullptr && own_memory != nullptr);
  const Own<T> own = own_at(s, own_memory);
  const Saved<T> saved = saved_at(s, memory);
  Look look(team);
  const bool two = s.cell == Cell::gru && !s.reset_after;
  if (two) {
    turn(look, s, in.recurrent, s.units, 0, 2 * s.units, own.recurrent);
    turn(look, s, in.recurrent, s.units, 2 * s.units, 3 * s.units, own.recurrent);
  } else {
    turn(look, s, in.recurrent, s.units, 0, columns_of(s), own.recurrent);
  }
  if (gradients.dx != nullptr && s.cell == Cell::gru) {
    turn(look, s, in.kernel, s.features, 0, 2 * s.units, own.kernel);
    turn(look, s, in.kernel, s.features, 2 * s.units, 3 * s.units, own.kernel);
  } else if (gradients.dx != nullptr) {
    turn(look, s, in.kernel, s.features, 0, columns_of(s), own.kernel);
  }
  const Range mine = team.share(s.batch);
  for (int64_t first = mine.begin; first < mine.end; first += kTogether) {
    const int64_t samples = mine.end - first < kTogether ? mine.end - first : kTogether;
    const Block<T> b{s,          in,      dout,   saved,     first,         samples,
                     own.direct, own.met, own.dc, own.reset, own.recurrent, own.recurrent + 2 * s.units * s.units};
    go_back(look, b, gradients);
    if (gradients.dx != nullptr) input_gradients(look, b, own.kernel, gradients.dx);
  }
  team.barrier();
  parameter_gradients(team, s, in, saved, gradients, shared, own_memory);
}

template <typename T>
void fill(RecurrentKernels<T>& k) {
  k.recurrent_backward = recurrent_backward<T>;
  k.recurrent_own_backward = [](const RecurrentShape& s) { return own_elements<T>(s); };
  k.recurrent_shared = [](const RecurrentShape& s) {
    return groups_of(s) == 1 ? 0 : groups_of(s) * ((s.features + s.units) * columns_of(s) + bias_elements(s));
  };
}

}  // namespace

PYNN_DEFINE_REGISTER(recurrent_backward, RecurrentKernels)

}  // namespace PYNN_ISA
}  // namespace pynn

// Recurrent layers, forwards against plain loops and backwards against central differences of these.
#include "check.h"

namespace pynn {
namespace {

using Doubles = std::vector<double>;

constexpr ActivationSpec kTanh{Activation::tanh, 0, 0, 0}, kSigmoid{Activation::sigmoid, 0, 0, 0},
    kSoftsign{Activation::softsign, 0, 0, 0}, kHardSigmoid{Activation::hard_sigmoid, 0, 0, 0};

double apply(const ActivationSpec& spec, double x) {
  switch (spec.kind) {
    case Activation::tanh: return std::tanh(x);
    case Activation::sigmoid: return 1 / (1 + std::exp(-x));
    case Activation::softsign: return x / (1 + std::abs(x));
    default: return std::fmin(std::fmax(x + 3, 0), 6) / 6;
  }
}

// The arrays of a layer, in the order in which gradients are made.
enum { x_at, h_at, c_at, kernel_at, recurrent_at, bias_at, array_count };

template <typename T>
struct Layer {
  RecurrentShape s;
  bool masked, initial, dropped;
  int64_t gates, states, columns;
  std::vector<T> arrays[array_count], mask, factors;

  Layer(const RecurrentShape& shape, bool with_mask, bool with_states, bool with_factors)
      : s(shape), masked(with_mask), initial(with_states), dropped(with_factors) {
    gates = s.cell == Cell::lstm ? 4 : s.cell == Cell::gru ? 3 : 1;
    states = s.batch * s.units;
    columns = gates * s.units;
    arrays[x_at] = random_values<T>(s.batch * s.steps * s.features);
    if (initial) arrays[h_at] = random_values<T>(states);
    if (initial && s.cell == Cell::lstm) arrays[c_at] = random_values<T>(states);
    arrays[kernel_at] = random_values<T>(s.features * columns);
    arrays[recurrent_at] = random_values<T>(s.units * columns, -0.5, 0.5);
    arrays[bias_at] = random_values<T>((s.reset_after ? 2 : 1) * columns);
    mask = random_values<T>(s.batch * s.steps);
    for (T& each : mask) each = each > T{-0.3} ? each + 1 : T{0};
    factors = random_values<T>(states);
  }

  std::string name() const {
    const char* const cells[] = {"simple_rnn", "lstm", "gru"};
    return text("%s in %s, %d x %d steps, %d features, %d units%s%s%s%s%s%s", cells[static_cast<int>(s.cell)],
                type_name<T>(), static_cast<int>(s.batch), static_cast<int>(s.steps), static_cast<int>(s.features),
                static_cast<int>(s.units), s.reset_after ? ", reset after" : "", s.backwards ? ", backwards" : "",
                masked ? ", masked" : "", initial ? ", with states" : "", dropped ? ", dropped" : "",
                s.keeps_sums ? ", other activations" : "");
  }
  static const T* or_null(const std::vector<T>& x) { return x.empty() ? nullptr : x.data(); }
  RecurrentInputs<T> inputs() const {
    return {arrays[x_at].data(),
            masked ? mask.data() : nullptr,
            or_null(arrays[h_at]),
            or_null(arrays[c_at]),
            dropped ? factors.data() : nullptr,
            arrays[kernel_at].data(),
            arrays[recurrent_at].data(),
            arrays[bias_at].data()};
  }
};

// What the layer gives, in double: y, then the states at the end.
template <typename T>
struct Plain {
  const Layer<T>& layer;
  std::vector<Doubles> arrays;
  Doubles y, h, c;

  explicit Plain(const Layer<T>& of) : layer(of) {
    for (const std::vector<T>& array : layer.arrays) arrays.push_back(as_double(array));
  }

  // The sum that goes into column j, but for the part of h where `inner` is given: that goes there.
  double sum(int64_t i, int64_t t, int64_t j, const Doubles& met, double* inner) const {
    const RecurrentShape& s = layer.s;
    double from_x = arrays[bias_at][static_cast<size_t>(j)], from_h = 0;
    if (s.reset_after) from_h = arrays[bias_at][static_cast<size_t>(layer.columns + j)];
    for (int64_t k = 0; k < s.features; ++k)
      from_x += arrays[x_at][static_cast<size_t>((i * s.steps + t) * s.features + k)] *
                arrays[kernel_at][static_cast<size_t>(k * layer.columns + j)];
    for (int64_t k = 0; k < s.units; ++k)
      from_h += met[static_cast<size_t>(k)] * arrays[recurrent_at][static_cast<size_t>(k * layer.columns + j)];
    if (inner == nullptr) return from_x + from_h;
    *inner = from_h;
    return from_x;
  }

  void step(int64_t i, int64_t t, Doubles& state, Doubles& cell) const {
    const RecurrentShape& s = layer.s;
    const auto f = [&](double v) { return apply(s.activation, v); };
    const auto g = [&](double v) { return apply(s.recurrent_activation, v); };
    Doubles met = state, next = state;
    for (size_t k = 0; k < met.size() && layer.dropped; ++k)
      met[k] *= static_cast<double>(layer.factors[static_cast<size_t>(i * s.units) + k]);
    Doubles reset_met = met;
    for (int64_t j = 0; j < s.units && s.cell == Cell::gru && !s.reset_after; ++j)
      reset_met[static_cast<size_t>(j)] *= g(sum(i, t, s.units + j, met, nullptr));
    for (int64_t j = 0; j < s.units; ++j) {
      const auto of = static_cast<size_t>(j);
      const auto gate = [&](int64_t number) { return sum(i, t, number * s.units + j, met, nullptr); };
      if (s.cell == Cell::simple_rnn) {
        next[of] = f(gate(0));
      } else if (s.cell == Cell::lstm) {
        cell[of] = g(gate(1)) * cell[of] + g(gate(0)) * f(gate(2));
        next[of] = g(gate(3)) * f(cell[of]);
      } else {
        double inner = 0;
        const double from_x = sum(i, t, 2 * s.units + j, reset_met, &inner), z = g(gate(0));
        if (s.reset_after) inner *= g(gate(1));
        next[of] = z * state[of] + (1 - z) * f(from_x + inner);
      }
    }
    state = next;
  }

  void run() {
    const RecurrentShape& s = layer.s;
    y.assign(static_cast<size_t>(layer.states * s.steps), 0);
    h.assign(static_cast<size_t>(layer.states), 0);
    c = h;
    const auto units = static_cast<std::ptrdiff_t>(s.units);
    for (int64_t i = 0; i < s.batch; ++i) {
      Doubles state(static_cast<size_t>(s.units)), cell(state.size());
      if (layer.initial) std::copy_n(arrays[h_at].begin() + i * units, units, state.begin());
      if (!arrays[c_at].empty()) std::copy_n(arrays[c_at].begin() + i * units, units, cell.begin());
      for (int64_t p = 0; p < s.steps; ++p) {
        const int64_t t = s.backwards ? s.steps - 1 - p : p;
        const bool real = !layer.masked || layer.mask[static_cast<size_t>(i * s.steps + t)] != 0;
        if (real) step(i, t, state, cell);
        if (real || !s.zero_masked) std::copy(state.begin(), state.end(), y.begin() + (i * s.steps + p) * units);
      }
      std::copy(state.begin(), state.end(), h.begin() + i * units);
      std::copy(cell.begin(), cell.end(), c.begin() + i * units);
    }
  }

  // The sum of what comes out times dy, dh, dc.
  double loss(const Doubles& dy, const Doubles& dh, const Doubles& dc) {
    run();
    double total = 0;
    for (size_t i = 0; i < y.size(); ++i) total += y[i] * dy[i];
    for (size_t i = 0; i < h.size(); ++i) total += h[i] * dh[i] + (layer.s.cell == Cell::lstm ? c[i] * dc[i] : 0);
    return total;
  }
};

template <typename T>
void check_layer(const Layer<T>& layer) {
  const Kernels<T>& k = kernels<T>();
  const RecurrentShape& s = layer.s;
  const std::string what = layer.name();
  const bool two = s.cell == Cell::lstm;
  const std::vector<T> dy = random_values<T>(layer.states * s.steps), dh = random_values<T>(layer.states),
                       dc = random_values<T>(layer.states);
  std::vector<std::vector<T>> parts;
  for (const std::vector<T>& array : layer.arrays) parts.push_back(unwritten<T>(static_cast<int64_t>(array.size())));
  const size_t y_at = parts.size();
  for (const int64_t steps : {s.steps, int64_t{1}, int64_t{1}}) parts.push_back(unwritten<T>(layer.states * steps));
  parts.push_back(unwritten<T>(k.recurrent_saved(s)));
  const Outputs<T> outputs(parts);
  Space<T> space(std::max(k.recurrent_own_forward(s), k.recurrent_own_backward(s)), k.recurrent_shared(s));
  const std::vector<T> result = on_teams(what, outputs.start(), [&](const Team& team, T* out) {
    const auto at = [&](size_t number) { return outputs.pointer(out, number); };
    const auto wanted = [&](size_t number) { return layer.arrays[number].empty() ? nullptr : at(number); };
    T *shared = space.of_all(team), *saved = at(y_at + 3);
    k.recurrent_forward(team, s, layer.inputs(), {at(y_at), at(y_at + 1), two ? at(y_at + 2) : nullptr}, saved,
                        space.of(team));
    team.barrier();
    const RecurrentOutputs<T> slopes{const_cast<T*>(dy.data()), const_cast<T*>(dh.data()),
                                     two ? const_cast<T*>(dc.data()) : nullptr};
    k.recurrent_backward(team, s, layer.inputs(), slopes,
                         {at(x_at), wanted(h_at), wanted(c_at), at(kernel_at), at(recurrent_at), at(bias_at), false},
                         saved, shared, space.of(team));
  });
  outputs.expect_gaps(what, result);
  space.expect_no_overrun(what);
  Plain<T> plain(layer);
  plain.run();
  expect_near(what + ", y", outputs.part(result, y_at), plain.y, 64);
  expect_near(what + ", h", outputs.part(result, y_at + 1), plain.h, 64);
  if (two) expect_near(what + ", c", outputs.part(result, y_at + 2), plain.c, 64);
  const std::vector<T> alone =
      on_teams(what + ", nothing saved", unwritten<T>(layer.states * s.steps), [&](const Team& team, T* out) {
        k.recurrent_forward(team, s, layer.inputs(), {out, nullptr, nullptr}, nullptr, space.of(team));
      });
  expect_equal(what + ", nothing saved", alone, outputs.part(result, y_at));
  constexpr double step = 1e-5, difference = 1e-7;  // the error of a central difference
  for (size_t number = 0; number < array_count; ++number) {
    const std::vector<T> got = outputs.part(result, number);
    if (got.empty()) continue;
    std::vector<T> some;
    Doubles expected;
    for (size_t i = 0; i < got.size(); i += got.size() / 7 + 1) {
      const double value = plain.arrays[number][i];
      double losses[2];
      for (int side = 0; side < 2; ++side) {
        plain.arrays[number][i] = side == 0 ? value - step : value + step;
        losses[side] = plain.loss(as_double(dy), as_double(dh), as_double(dc));
      }
      plain.arrays[number][i] = value;
      some.push_back(got[i]);
      expected.push_back((losses[1] - losses[0]) / (2 * step));
    }
    const double unit = static_cast<double>(std::numeric_limits<T>::epsilon());
    expect_near(what + text(", gradient %zu", number), some, expected, 1024 + difference / unit);
  }
}

template <typename T>
void check_all() {
  for (const Cell cell : {Cell::simple_rnn, Cell::lstm, Cell::gru})
    for (const bool after : {false, true}) {
      if (after && cell != Cell::gru) continue;
      const auto layer = [&](int64_t batch, int64_t steps, int64_t features, int64_t units, bool more, bool others) {
        RecurrentShape s{};
        s.cell = cell;
        s.batch = batch, s.steps = steps, s.features = features, s.units = units;
        s.reset_after = after;
        s.sequences = true;
        s.backwards = s.zero_masked = more;
        s.keeps_sums = others;
        s.activation = others ? kSoftsign : kTanh;
        s.recurrent_activation = others ? kHardSigmoid : kSigmoid;
        check_layer(Layer<T>(s, more, more, more));
      };
      for (const int64_t size : kSizes) {
        layer(3, 2, 2, size, true, false);
        layer(2, 3, size, 2, false, false);
      }
      for (const int64_t batch : {1, 8, 33}) layer(batch, 5, 3, 5, true, batch == 8);
      layer(40, 9, 2, 3, false, false);    // gradients of several groups
      layer(33, 9, 49, 5, false, false);   // the same, from copies where panels are narrow
      layer(8, 33, 49, 17, false, false);  // packed kernels, where one member has all samples
    }
}

}  // namespace

void check_recurrent() {
  check_all<float>();
  check_all<double>();
}

}  // namespace pynn

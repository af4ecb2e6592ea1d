// Recurrent layers over whole sequences: simple_rnn, lstm, gru.
//
// Inputs, in this order: x (steps, features); with `masked`, a mask (steps), where 0 is a padded step; with `initial`,
// the states at the beginning (units), h and for lstm c; with `dropped`, what h is multiplied by before each product
// with the recurrent kernel (units).
// Parameters: kernel (features, gates * units), recurrent kernel (units, gates * units), bias or none (gates * units;
// (2, 3 * units) for gru with `reset_after`); with `stateful`, states (batch, units), h and for lstm c, which a pass
// begins with and, when it is over, leaves behind.
// Attributes: steps, features, units; activation, and but for simple_rnn recurrent_activation, with the three numbers
// activation_numbers and recurrent_activation_numbers; for gru reset_after; and, 0 where they are left out:
// go_backwards, sequences, zero_masked, states, masked, initial, dropped, stateful.
// Outputs: with `sequences` (steps, units), in the order in which steps are made, otherwise the last one (units); with
// `states`, the states at the end (units).
#include <algorithm>

#include "../../kernels/dispatch.h"
#include "../names.h"
#include "../op.h"

namespace pynn {
namespace {

enum { kernel_at, recurrent_at, bias_at, state_at };

bool has_flag(const OpArguments& a, const char* name) { return a.attributes.has(name) && a.flag(name); }

Cell cell_of(const std::string& kind) {
  return kind == "lstm" ? Cell::lstm : kind == "gru" ? Cell::gru : Cell::simple_rnn;
}

int64_t gates_of(Cell cell) { return cell == Cell::lstm ? 4 : cell == Cell::gru ? 3 : 1; }

ActivationSpec activation_named(const OpArguments& a, const std::string& name) {
  const std::vector<double> numbers = a.numbers((name + "_numbers").c_str());
  a.expect(numbers.size() == 3, "3 numbers of the " + name, std::to_string(numbers.size()));
  return {activation_of(a.text(name.c_str())), numbers[0], numbers[1], numbers[2]};
}

// What the op is told, for a batch of any size.
RecurrentShape shape_of(const OpArguments& a) {
  RecurrentShape shape{};
  shape.cell = cell_of(a.kind);
  shape.steps = a.integer("steps");
  shape.features = a.integer("features");
  shape.units = a.integer("units");
  shape.reset_after = shape.cell == Cell::gru && a.flag("reset_after");
  shape.backwards = has_flag(a, "go_backwards");
  shape.sequences = has_flag(a, "sequences");
  shape.zero_masked = has_flag(a, "zero_masked");
  shape.activation = activation_named(a, "activation");
  shape.recurrent_activation =
      shape.cell == Cell::simple_rnn ? no_activation : activation_named(a, "recurrent_activation");
  shape.keeps_sums = !kernels<float>().gradient_from_output(shape.activation) ||
                     !kernels<float>().gradient_from_output(shape.recurrent_activation);
  return shape;
}

template <typename T>
class RecurrentOp : public Op<T> {
 public:
  explicit RecurrentOp(const OpArguments& a)
      : shape_(shape_of(a)),
        states_(shape_.cell == Cell::lstm ? 2 : 1),
        masked_(has_flag(a, "masked")),
        initial_(has_flag(a, "initial")),
        dropped_(has_flag(a, "dropped")),
        ends_(has_flag(a, "states")),
        state_samples_(has_flag(a, "stateful") ? a.parameters[state_at] / shape_.units : 0) {}

  static std::vector<int64_t> check(const OpArguments& a) {
    const RecurrentShape s = shape_of(a);
    const int64_t gates = gates_of(s.cell), states = s.cell == Cell::lstm ? 2 : 1;
    const bool masked = has_flag(a, "masked"), initial = has_flag(a, "initial"), dropped = has_flag(a, "dropped");
    const auto inputs = static_cast<std::size_t>(1 + masked + initial * states + dropped);
    const bool stateful = has_flag(a, "stateful");
    a.expect_counts(inputs, static_cast<std::size_t>(state_at + stateful * states));
    const int64_t x = a.product({s.steps, s.features}, "steps and features");
    const int64_t sequence = a.product({s.steps, s.units}, "steps and units");
    a.expect_input(x);
    std::size_t input = 1;
    const auto expect = [&](const char* name, int64_t size) {
      a.expect(a.inputs[input] == size, std::string(name) + " to have " + std::to_string(size) + " elements a sample",
               std::to_string(a.inputs[input]));
      ++input;
    };
    if (masked) expect("the mask", s.steps);
    for (int64_t i = 0; i < initial * states; ++i) expect("an initial state", s.units);
    if (dropped) expect("what the state is multiplied by", s.units);
    a.expect_parameter(kernel_at, "kernel", a.product({s.features, gates, s.units}, "features and units"));
    a.expect_parameter(recurrent_at, "recurrent_kernel", a.product({s.units, gates, s.units}, "units"));
    a.expect_parameter(bias_at, "bias", (s.reset_after ? 2 : 1) * gates * s.units, true);
    if (stateful) {
      const int64_t size = a.parameters[state_at];
      a.expect(size >= s.units && size % s.units == 0,
               "a state of samples * units elements with units=" + std::to_string(s.units), std::to_string(size));
      for (int64_t i = 1; i < states; ++i)
        a.expect_parameter(static_cast<std::size_t>(state_at + i), "the other state", size);
    }
    std::vector<int64_t> sizes{s.sequences ? sequence : s.units};
    if (has_flag(a, "states")) sizes.insert(sizes.end(), static_cast<std::size_t>(states), s.units);
    return sizes;
  }

  void forward(const Team& team, const Pass<T>& pass) const override {
    if (state_samples_ > 0 && pass.batch != state_samples_)  // before any member has begun
      refuse("states", "batches of " + std::to_string(state_samples_) + " samples", std::to_string(pass.batch));
    RecurrentOutputs<T> out{this->y(pass), nullptr, nullptr};
    if (ends_ || state_samples_ > 0) out.h = end(pass, 0);
    if ((ends_ || state_samples_ > 0) && states_ > 1) out.c = end(pass, 1);
    pass.k.recurrent_forward(team, shape(pass.batch), inputs_of(pass), out,
                             pass.keeps ? pass.saved + own_states(pass.batch) : nullptr, pass.own);
  }

  void backward(const Team& team, const Pass<T>& pass) const override {
    RecurrentOutputs<T> dout{this->dy(pass), nullptr, nullptr};
    if (ends_) dout.h = this->dy(pass, 1);
    if (ends_ && states_ > 1) dout.c = this->dy(pass, 2);
    RecurrentGradients<T> gradients{};
    gradients.dx = this->dx(pass);
    if (initial_) gradients.dh = this->dx(pass, first_state());
    if (initial_ && states_ > 1) gradients.dc = this->dx(pass, first_state() + 1);
    gradients.dkernel = pass.parameters[kernel_at].gradient;
    gradients.drecurrent = pass.parameters[recurrent_at].gradient;
    gradients.dbias = pass.parameters[bias_at].gradient;
    gradients.accumulate = pass.adds(kernel_at);
    pass.k.recurrent_backward(team, shape(pass.batch), inputs_of(pass), dout, gradients,
                              pass.saved + own_states(pass.batch), pass.shared, pass.own);
    announce_gradients(team, pass, state_at);
  }

  int64_t state_samples() const override { return state_samples_; }
  bool couples_samples() const override { return state_samples_ > 0; }
  int64_t samples_together() const override { return INT64_MAX; }  // they are the rows of its products
  bool ends_steps() const override { return state_samples_ > 0; }
  void end_step(const Team& team, const Pass<T>& pass) const override {
    const Range mine = team.share(pass.batch * shape_.units, 64);
    for (int64_t i = 0; i < states_; ++i)
      std::copy(end(pass, i) + mine.begin, end(pass, i) + mine.end, pass.parameters[state_at + i].value + mine.begin);
  }

  ScratchSize scratch(const Kernels<T>& k, int64_t batch, int, bool backward) const override {
    const RecurrentShape s = shape(batch);
    const int64_t forward = k.recurrent_own_forward(s);
    return backward ? ScratchSize{k.recurrent_shared(s), std::max(forward, k.recurrent_own_backward(s))}
                    : ScratchSize{0, forward};
  }
  int64_t saved(int64_t batch) const override { return own_states(batch) + kernels<T>().recurrent_saved(shape(batch)); }
  int64_t saved_without_way_back(int64_t batch) const override { return own_states(batch); }
  double work() const override {
    const int64_t columns = gates_of(shape_.cell) * shape_.units;
    return static_cast<double>(shape_.steps) * static_cast<double>((shape_.features + shape_.units + 8) * columns);
  }
  bool differentiable() const override {
    return shape_.activation.kind != Activation::step && shape_.recurrent_activation.kind != Activation::step;
  }

 private:
  RecurrentShape shape(int64_t batch) const {
    RecurrentShape shape = shape_;
    shape.batch = batch;
    return shape;
  }
  // Where the states at the end wait for the end of the step: outputs, or what comes first in what is saved.
  int64_t own_states(int64_t batch) const {
    return state_samples_ > 0 && !ends_ ? (states_ * batch * shape_.units + 15) / 16 * 16 : 0;
  }
  T* end(const Pass<T>& pass, int64_t state) const {
    return ends_ ? this->y(pass, static_cast<std::size_t>(1 + state)) : pass.saved + state * pass.batch * shape_.units;
  }
  std::size_t first_state() const { return masked_ ? 2 : 1; }
  RecurrentInputs<T> inputs_of(const Pass<T>& pass) const {
    RecurrentInputs<T> in{};
    in.x = this->x(pass);
    if (masked_) in.mask = this->x(pass, 1);
    if (state_samples_ > 0) in.h = pass.parameters[state_at].value;
    if (state_samples_ > 0 && states_ > 1) in.c = pass.parameters[state_at + 1].value;
    if (initial_) in.h = this->x(pass, first_state());
    if (initial_ && states_ > 1) in.c = this->x(pass, first_state() + 1);
    if (dropped_) in.dropped = this->x(pass, this->inputs.size() - 1);
    in.kernel = pass.parameters[kernel_at].value;
    in.recurrent = pass.parameters[recurrent_at].value;
    in.bias = pass.parameters[bias_at].value;
    return in;
  }

  const RecurrentShape shape_;  // without the batch
  const int64_t states_;
  const bool masked_, initial_, dropped_, ends_;
  const int64_t state_samples_;
};

const auto check_recurrent = RecurrentOp<float>::check;

}  // namespace

PYNN_DEFINE_OP(simple_rnn, check_recurrent, RecurrentOp)
PYNN_DEFINE_OP(lstm, check_recurrent, RecurrentOp)
PYNN_DEFINE_OP(gru, check_recurrent, RecurrentOp)

}  // namespace pynn

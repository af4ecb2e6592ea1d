// y = f(x kernel + bias) over the last axis of x.
#include "../op.h"

namespace pynn {
namespace {

enum { kernel_at, bias_at, parameter_count };

// Rows of a product that are worth another look at the kernel, for a team, too.
constexpr int64_t kRowsTogether = 512;

std::vector<int64_t> check_dense(const OpArguments& a) {
  a.expect_counts(1, parameter_count);
  const int64_t units = a.integer("units"), kernel = a.parameters[kernel_at];
  a.expect(units >= 1, "units of at least 1", std::to_string(units));
  a.expect(kernel >= 1 && kernel % units == 0,
           "a kernel of inputs * units elements with units=" + std::to_string(units), std::to_string(kernel));
  const int64_t inputs = kernel / units;
  a.expect(a.inputs[0] % inputs == 0, "x to end in " + std::to_string(inputs) + " inputs",
           std::to_string(a.inputs[0]) + " elements a sample");
  a.expect_parameter(bias_at, "bias", units, true);
  return {a.product({a.inputs[0] / inputs, units}, "sizes")};
}

template <typename T>
class DenseOp : public Op<T> {
 public:
  explicit DenseOp(const OpArguments& a)
      : units_(a.integer("units")), inputs_(a.parameters[kernel_at] / units_), rows_(a.inputs[0] / inputs_) {}

  void forward(const Team& team, const Pass<T>& pass) const override {
    pass.k.dense_forward(team, this->y(pass), layer(pass), activation_, pass.shared, pass.own);
  }

  void backward(const Team& team, const Pass<T>& pass) const override {
    const T* dy = this->dy(pass);
    const ParameterUse<T>&kernel = pass.parameters[kernel_at], &bias = pass.parameters[bias_at];
    auto ready = [&](Range part, const Gradient<T>& gradient) {
      pass.ready(kernel_at, {part.begin * units_, part.end * units_}, gradient);
    };
    PartReady<T> on_part{};
    const bool at_once = kernel.gradient != nullptr && kernel.early;
    if (at_once)
      on_part = {
          [](void* f, Range part, const Gradient<T>& gradient) { (*static_cast<decltype(ready)*>(f))(part, gradient); },
          &ready, pass.skip_zero_gradients && !kernel.penalized};
    pass.k.dense_backward(team, this->dx(pass), at_once ? nullptr : kernel.gradient, dy, layer(pass), slope_of_input_,
                          pass.adds(kernel_at), pass.shared, pass.own, on_part);
    if (bias.gradient == nullptr) return;
    const Range part = team.share(units_, 32);
    pass.k.dense_backward_bias(team, bias.gradient, dy, pass.batch * rows_, units_, part, pass.adds(bias_at));
    pass.ready(bias_at, part, {bias.gradient + part.begin, nullptr, nullptr, 0});
  }

  ScratchSize scratch(const Kernels<T>& k, int64_t batch, int members, bool backward) const override {
    return {k.dense_shared(batch * rows_, inputs_, units_, members, backward), k.dense_own(inputs_, units_, backward)};
  }
  bool splits_batch(const Kernels<T>& k, int64_t batch) const override {
    return k.dense_splits_rows(batch * rows_, inputs_, units_);
  }
  int64_t samples_together() const override { return (kRowsTogether - 1) / rows_ + 1; }
  double work() const override {
    return static_cast<double>(rows_) * static_cast<double>(inputs_) * static_cast<double>(units_);
  }
  // Not where a sample has several rows: its bits are not those of the rows.
  bool passes_over_zeros() const override { return rows_ == 1; }

  // The slope is then left to the reader, which has the output in its caches when it makes the gradient of it.
  bool take_activation(const ActivationSpec& activation, Op<T>* reader) override {
    if (reader == nullptr || !reader->take_slope_of_input(activation)) return false;
    activation_ = activation;
    return true;
  }
  bool take_slope_of_input(const ActivationSpec& activation) override {
    slope_of_input_ = activation;
    return true;
  }

 private:
  DenseLayer<T> layer(const Pass<T>& pass) const {
    return {pass.batch * rows_,
            inputs_,
            units_,
            this->x(pass),
            pass.parameters[kernel_at].value,
            pass.parameters[bias_at].value,
            passes_over_zeros() ? pass.nonzero : Nonzero{}};
  }

  const int64_t units_, inputs_, rows_;  // rows of a sample
  ActivationSpec activation_ = no_activation, slope_of_input_ = no_activation;
};

}  // namespace

PYNN_DEFINE_OP(dense, check_dense, DenseOp)

}  // namespace pynn

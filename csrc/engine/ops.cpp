#include "op.h"

#include <algorithm>

namespace pynn {
namespace {

// y = x kernel + bias over the last axis of x; a sample has `rows` rows.
template <typename T>
class DenseOp : public Op<T> {
 public:
  DenseOp(int x, int y, int kernel, int bias, int64_t rows, int64_t inputs, int64_t units)
      : Op<T>(x, y), kernel_(kernel), bias_(bias), rows_(rows), inputs_(inputs), units_(units) {}

  void forward(const Team& team, const Pass<T>& pass) const override {
    pass.k.dense_forward(team, pass.values[this->output], layer(pass), activation_, pass.shared, pass.own);
  }

  void backward(const Team& team, const Pass<T>& pass) const override {
    const T* dy = pass.gradients[this->output];
    const bool train_kernel = pass.parameters[kernel_].trainable(), at_once = static_cast<bool>(pass.gradients_ready);
    auto ready = [&](Range part, const Gradient<T>& gradient) {
      announce(pass, kernel_, {part.begin * units_, part.end * units_}, gradient);
    };
    PartReady<T> on_part{};
    if (train_kernel && at_once)
      on_part = {
          [](void* f, Range part, const Gradient<T>& gradient) { (*static_cast<decltype(ready)*>(f))(part, gradient); },
          &ready, pass.not_for_zeros};
    pass.k.dense_backward(team, pass.gradients[this->input],
                          train_kernel && !at_once ? pass.gradient_of(kernel_) : nullptr, dy, layer(pass), below_,
                          pass.accumulate, pass.shared, pass.own, on_part);
    if (bias_ >= 0 && pass.parameters[bias_].trainable()) {
      const Range part = team.share(units_, 32);
      pass.k.dense_backward_bias(team, pass.gradient_of(bias_), dy, pass.batch * rows_, units_, part, pass.accumulate);
      announce(pass, bias_, part, {pass.gradient_of(bias_) + part.begin, nullptr, nullptr, 0});
    }
  }

  std::vector<int> parameters() const override {
    return bias_ < 0 ? std::vector<int>{kernel_} : std::vector<int>{kernel_, bias_};
  }
  int64_t shared_scratch(const Kernels<T>& k, int64_t batch, int members, bool backward) const override {
    return k.dense_shared(batch * rows_, inputs_, units_, members, backward);
  }
  int64_t own_scratch(const Kernels<T>& k, bool backward) const override {
    return k.dense_own(inputs_, units_, backward);
  }
  double work() const override {
    return static_cast<double>(rows_) * static_cast<double>(inputs_) * static_cast<double>(units_);
  }

  // The activation of this layer, and that of the layer below it, are this op's to compute.
  void take(const ActivationSpec& activation, int to) {
    activation_ = activation;
    this->output = to;
  }
  void take_slope_of(const ActivationSpec& below) { below_ = below; }
  // Not where a sample has several rows: its bits are not those of the rows.
  bool passes_over_zeros() const override { return rows_ == 1; }

 private:
  DenseLayer<T> layer(const Pass<T>& pass) const {
    return {pass.batch * rows_,
            inputs_,
            units_,
            pass.values[this->input],
            pass.value_of(kernel_),
            bias_ < 0 ? nullptr : pass.value_of(bias_),
            passes_over_zeros() && this->input == pass.loaded ? pass.nonzero : Nonzero{}};
  }

  // Tells the pass that these gradients of a parameter are complete.
  static void announce(const Pass<T>& pass, int parameter, Range part, const Gradient<T>& gradient) {
    const int64_t offset = pass.parameters[parameter].offset;
    if (pass.gradients_ready && part.begin < part.end)
      pass.gradients_ready({offset + part.begin, offset + part.end}, gradient);
  }

  const int kernel_, bias_;
  const int64_t rows_, inputs_, units_;
  ActivationSpec activation_{Activation::linear, 0, 0, 0}, below_{Activation::linear, 0, 0, 0};
};

template <typename T>
class ActivationOp : public Op<T> {
 public:
  ActivationOp(int x, int y, int64_t size, const ActivationSpec& spec) : Op<T>(x, y), size_(size), spec_(spec) {}

  void forward(const Team& team, const Pass<T>& pass) const override {
    pass.k.activation_forward(team, pass.values[this->output], pass.values[this->input], pass.batch * size_, spec_);
  }
  void backward(const Team& team, const Pass<T>& pass) const override {
    pass.k.activation_backward(team, pass.gradients[this->input], pass.gradients[this->output],
                               pass.values[this->input], pass.values[this->output], pass.batch * size_, spec_);
  }
  double work() const override { return 8 * static_cast<double>(size_); }
  bool differentiable() const override { return spec_.kind != Activation::step; }
  const ActivationSpec& spec() const { return spec_; }

 private:
  const int64_t size_;
  const ActivationSpec spec_;
};

template <typename T>
class SoftmaxOp : public Op<T> {
 public:
  SoftmaxOp(int x, int y, int64_t outer, int64_t axis, int64_t inner, bool log)
      : Op<T>(x, y), outer_(outer), axis_(axis), inner_(inner), log_(log) {}

  void forward(const Team& team, const Pass<T>& pass) const override {
    pass.k.softmax_forward(team, pass.values[this->output], pass.values[this->input], pass.batch * outer_, axis_,
                           inner_, log_);
  }
  void backward(const Team& team, const Pass<T>& pass) const override {
    pass.k.softmax_backward(team, pass.gradients[this->input], pass.gradients[this->output], pass.values[this->output],
                            pass.batch * outer_, axis_, inner_, log_);
  }
  double work() const override { return 16 * static_cast<double>(outer_ * axis_ * inner_); }

 private:
  const int64_t outer_, axis_, inner_;
  const bool log_;
};

template <typename T>
class RescalingOp : public Op<T> {
 public:
  RescalingOp(int x, int y, int64_t size, const std::vector<double>& mean, const std::vector<double>& scale,
              const std::vector<double>& offset)
      : Op<T>(x, y),
        size_(size),
        mean_(mean.begin(), mean.end()),
        scale_(scale.begin(), scale.end()),
        offset_(offset.begin(), offset.end()) {}

  void forward(const Team& team, const Pass<T>& pass) const override {
    pass.k.rescaling_forward(team, pass.values[this->output], pass.values[this->input], pass.batch * size_,
                             mean_.empty() ? nullptr : mean_.data(), scale_.data(), offset_.data(),
                             static_cast<int64_t>(scale_.size()));
  }
  void backward(const Team& team, const Pass<T>& pass) const override {
    pass.k.rescaling_backward(team, pass.gradients[this->input], pass.gradients[this->output], pass.batch * size_,
                              scale_.data(), static_cast<int64_t>(scale_.size()));
  }
  double work() const override { return static_cast<double>(size_); }

 private:
  const int64_t size_;
  const std::vector<T> mean_;            // may be empty
  const std::vector<T> scale_, offset_;  // of one length: 1, or the size of the last axis
};

// Whether op i takes over the activation that follows it; it has done so then.
template <typename T, typename IsReadOnce>
bool takes_activation(const std::vector<std::unique_ptr<Op<T>>>& ops, std::size_t i, const IsReadOnce& is_read_once,
                      const Kernels<T>& k) {
  if (i + 2 >= ops.size()) return false;
  const auto* activation = dynamic_cast<const ActivationOp<T>*>(ops[i + 1].get());
  if (activation == nullptr || activation->input != ops[i]->output) return false;
  if (!is_read_once(activation->input) || !is_read_once(activation->output)) return false;
  if (!k.gradient_from_output(activation->spec())) return false;
  auto* dense = dynamic_cast<DenseOp<T>*>(ops[i].get());
  auto* next = dynamic_cast<DenseOp<T>*>(ops[i + 2].get());
  if (dense == nullptr || next == nullptr || next->input != activation->output)
    return ops[i]->take_activation(activation->spec(), activation->output);
  dense->take(activation->spec(), activation->output);
  next->take_slope_of(activation->spec());
  return true;
}

}  // namespace

template <typename T>
std::unique_ptr<Op<T>> make_dense(int x, int y, int kernel, int bias, int64_t rows, int64_t inputs, int64_t units) {
  return std::make_unique<DenseOp<T>>(x, y, kernel, bias, rows, inputs, units);
}

template <typename T>
std::unique_ptr<Op<T>> make_activation(int x, int y, int64_t size, const ActivationSpec& spec) {
  return std::make_unique<ActivationOp<T>>(x, y, size, spec);
}

template <typename T>
std::unique_ptr<Op<T>> make_softmax(int x, int y, int64_t outer, int64_t axis, int64_t inner, bool log) {
  return std::make_unique<SoftmaxOp<T>>(x, y, outer, axis, inner, log);
}

template <typename T>
std::unique_ptr<Op<T>> make_rescaling(int x, int y, int64_t size, const std::vector<double>& mean,
                                      const std::vector<double>& scale, const std::vector<double>& offset) {
  return std::make_unique<RescalingOp<T>>(x, y, size, mean, scale, offset);
}

template <typename T>
std::vector<int> fuse(std::vector<std::unique_ptr<Op<T>>>& ops, const std::vector<int>& kept, const Kernels<T>& k) {
  std::vector<int> gone;
  const auto is_read_once = [&](int tensor) {
    return std::find(kept.begin(), kept.end(), tensor) == kept.end() &&
           std::count_if(ops.begin(), ops.end(), [&](const auto& op) { return op->input == tensor; }) == 1;
  };
  const auto take_out = [&](std::size_t op) {
    gone.push_back(ops[op]->input);
    ops.erase(ops.begin() + static_cast<std::ptrdiff_t>(op));
  };
  for (std::size_t i = 0; i + 1 < ops.size(); ++i) {
    if (takes_activation(ops, i, is_read_once, k)) take_out(i + 1);
    if (i + 1 == ops.size()) break;
    const Op<T>& next = *ops[i + 1];
    const PoolShape* pool = next.input == ops[i]->output ? next.max_pooling() : nullptr;
    if (pool != nullptr && is_read_once(next.input) && ops[i]->take_pooling(*pool, next.output)) take_out(i + 1);
  }
  return gone;
}

#define PYNN_INSTANTIATE(T)                                                                                            \
  template std::vector<int> fuse<T>(std::vector<std::unique_ptr<Op<T>>>&, const std::vector<int>&, const Kernels<T>&); \
  template std::unique_ptr<Op<T>> make_dense<T>(int, int, int, int, int64_t, int64_t, int64_t);                        \
  template std::unique_ptr<Op<T>> make_activation<T>(int, int, int64_t, const ActivationSpec&);                        \
  template std::unique_ptr<Op<T>> make_softmax<T>(int, int, int64_t, int64_t, int64_t, bool);                          \
  template std::unique_ptr<Op<T>> make_rescaling<T>(int, int, int64_t, const std::vector<double>&,                     \
                                                    const std::vector<double>&, const std::vector<double>&);
PYNN_INSTANTIATE(float)
PYNN_INSTANTIATE(double)

}  // namespace pynn

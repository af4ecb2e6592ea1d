// Functions of each element, and of an axis.
#include "../names.h"
#include "../op.h"

namespace pynn {
namespace {

// ---- activation

ActivationSpec activation_spec(const OpArguments& a) {
  return {activation_of(a.text("name")), a.number("a"), a.number("b"), a.number("c")};
}

std::vector<int64_t> check_activation(const OpArguments& a) {
  a.expect_counts(1, 0);
  activation_spec(a);
  return {a.inputs[0]};
}

template <typename T>
class ActivationOp : public Op<T> {
 public:
  explicit ActivationOp(const OpArguments& a) : size_(a.inputs[0]), spec_(activation_spec(a)) {}

  void forward(const Team& team, const Pass<T>& pass) const override {
    pass.k.activation_forward(team, this->y(pass), this->x(pass), pass.batch * size_, spec_);
  }
  void backward(const Team& team, const Pass<T>& pass) const override {
    pass.k.activation_backward(team, this->dx(pass), this->dy(pass), this->x(pass), this->y(pass), pass.batch * size_,
                               spec_);
  }
  bool splits_batch(const Kernels<T>&, int64_t) const override { return true; }
  double work() const override { return 8 * static_cast<double>(size_); }
  bool differentiable() const override { return spec_.kind != Activation::step; }
  const ActivationSpec* activation() const override { return &spec_; }
  Loss loss_of_input(Loss loss, int64_t) const override {
    if (spec_.kind == Activation::sigmoid && loss == Loss::binary_crossentropy)
      return Loss::binary_crossentropy_from_logits;
    if (spec_.kind == Activation::sigmoid && loss == Loss::binary_focal_crossentropy)
      return Loss::binary_focal_crossentropy_from_logits;
    if (spec_.kind == Activation::step && loss == Loss::perceptron) return Loss::perceptron;
    return Loss::count;
  }

 private:
  const int64_t size_;
  const ActivationSpec spec_;
};

// ---- softmax

std::vector<int64_t> check_softmax(const OpArguments& a) {
  a.expect_counts(1, 0);
  a.integer("log");
  const int64_t size = a.product({a.integer("outer"), a.integer("axis"), a.integer("inner")}, "outer, axis and inner");
  a.expect_input(size);
  return {size};
}

// Over the middle axis of x (outer, axis, inner).
template <typename T>
class SoftmaxOp : public Op<T> {
 public:
  explicit SoftmaxOp(const OpArguments& a)
      : outer_(a.integer("outer")), axis_(a.integer("axis")), inner_(a.integer("inner")), log_(a.flag("log")) {}

  void forward(const Team& team, const Pass<T>& pass) const override {
    pass.k.softmax_forward(team, this->y(pass), this->x(pass), pass.batch * outer_, axis_, inner_, log_);
  }
  void backward(const Team& team, const Pass<T>& pass) const override {
    pass.k.softmax_backward(team, this->dx(pass), this->dy(pass), this->y(pass), pass.batch * outer_, axis_, inner_,
                            log_);
  }
  bool splits_batch(const Kernels<T>&, int64_t) const override { return true; }
  double work() const override { return 16 * static_cast<double>(outer_ * axis_ * inner_); }
  Loss loss_of_input(Loss loss, int64_t columns) const override {
    if (log_ || inner_ != 1 || axis_ != columns) return Loss::count;
    if (loss == Loss::categorical_crossentropy) return Loss::categorical_crossentropy_from_logits;
    if (loss == Loss::categorical_focal_crossentropy) return Loss::categorical_focal_crossentropy_from_logits;
    if (loss == Loss::sparse_categorical_crossentropy) return Loss::sparse_categorical_crossentropy_from_logits;
    return Loss::count;
  }

 private:
  const int64_t outer_, axis_, inner_;
  const bool log_;
};

// ---- sparsemax

std::vector<int64_t> check_sparsemax(const OpArguments& a) {
  a.expect_counts(1, 0);
  const int64_t size = a.product({a.integer("outer"), a.integer("axis"), a.integer("inner")}, "outer, axis and inner");
  a.expect_input(size);
  return {size};
}

// Over the middle axis of x (outer, axis, inner).
template <typename T>
class SparsemaxOp : public Op<T> {
 public:
  explicit SparsemaxOp(const OpArguments& a)
      : outer_(a.integer("outer")), axis_(a.integer("axis")), inner_(a.integer("inner")) {}

  void forward(const Team& team, const Pass<T>& pass) const override {
    pass.k.sparsemax_forward(team, this->y(pass), this->x(pass), pass.batch * outer_, axis_, inner_);
  }
  void backward(const Team& team, const Pass<T>& pass) const override {
    pass.k.sparsemax_backward(team, this->dx(pass), this->dy(pass), this->y(pass), pass.batch * outer_, axis_, inner_);
  }
  bool splits_batch(const Kernels<T>&, int64_t) const override { return true; }
  double work() const override { return 16 * static_cast<double>(outer_ * axis_ * inner_); }

 private:
  const int64_t outer_, axis_, inner_;
};

// ---- glu

std::vector<int64_t> check_glu(const OpArguments& a) {
  a.expect_counts(1, 0);
  const int64_t size = a.product({a.integer("rows"), a.integer("half")}, "rows and half");
  a.expect_input(2 * size);
  return {size};
}

// Over the halves of the rows of x (rows, 2 half).
template <typename T>
class GluOp : public Op<T> {
 public:
  explicit GluOp(const OpArguments& a) : rows_(a.integer("rows")), half_(a.integer("half")) {}

  void forward(const Team& team, const Pass<T>& pass) const override {
    pass.k.glu_forward(team, this->y(pass), this->x(pass), pass.batch * rows_, half_);
  }
  void backward(const Team& team, const Pass<T>& pass) const override {
    pass.k.glu_backward(team, this->dx(pass), this->dy(pass), this->x(pass), pass.batch * rows_, half_);
  }
  bool splits_batch(const Kernels<T>&, int64_t) const override { return true; }
  double work() const override { return 16 * static_cast<double>(rows_ * half_); }

 private:
  const int64_t rows_, half_;
};

// ---- rescaling

std::vector<int64_t> check_rescaling(const OpArguments& a) {
  a.expect_counts(1, 0);
  const std::size_t length = a.numbers("scale").size(), other = a.numbers("offset").size();
  a.expect(length >= 1 && length == other, "scale and offset of one length",
           std::to_string(length) + " and " + std::to_string(other) + " numbers");
  if (a.attributes.has("mean"))
    a.expect(a.numbers("mean").size() == length, "a mean as long as scale and offset",
             std::to_string(a.numbers("mean").size()) + " numbers");
  a.expect(a.inputs[0] % static_cast<int64_t>(length) == 0, "a length that divides the size of x",
           std::to_string(length) + " for " + std::to_string(a.inputs[0]) + " elements a sample");
  return {a.inputs[0]};
}

// y = (x - mean) * scale + offset, all repeated along the last axis.
template <typename T>
class RescalingOp : public Op<T> {
 public:
  explicit RescalingOp(const OpArguments& a) : size_(a.inputs[0]) {
    const std::vector<double> scale = a.numbers("scale"), offset = a.numbers("offset");
    numbers_.scale.assign(scale.begin(), scale.end());
    numbers_.offset.assign(offset.begin(), offset.end());
    if (!a.attributes.has("mean")) return;
    const std::vector<double> mean = a.numbers("mean");
    numbers_.mean.assign(mean.begin(), mean.end());
    // What T cannot hold of a mean goes to the offset.
    for (std::size_t i = 0; i < mean.size(); ++i)
      numbers_.offset[i] = static_cast<T>(offset[i] - (mean[i] - static_cast<double>(numbers_.mean[i])) * scale[i]);
  }

  void forward(const Team& team, const Pass<T>& pass) const override {
    pass.k.rescaling_forward(team, this->y(pass), this->x(pass), pass.batch * size_,
                             numbers_.mean.empty() ? nullptr : numbers_.mean.data(), numbers_.scale.data(),
                             numbers_.offset.data(), period());
  }
  void backward(const Team& team, const Pass<T>& pass) const override {
    pass.k.rescaling_backward(team, this->dx(pass), this->dy(pass), pass.batch * size_, numbers_.scale.data(),
                              period());
  }
  bool splits_batch(const Kernels<T>&, int64_t) const override { return true; }
  double work() const override { return static_cast<double>(size_); }
  const Rescaling<T>* rescaling() const override { return &numbers_; }

 private:
  int64_t period() const { return static_cast<int64_t>(numbers_.scale.size()); }

  const int64_t size_;
  Rescaling<T> numbers_;
};

}  // namespace

PYNN_DEFINE_OP(activation, check_activation, ActivationOp)
PYNN_DEFINE_OP(softmax, check_softmax, SoftmaxOp)
PYNN_DEFINE_OP(sparsemax, check_sparsemax, SparsemaxOp)
PYNN_DEFINE_OP(glu, check_glu, GluOp)
PYNN_DEFINE_OP(rescaling, check_rescaling, RescalingOp)

}  // namespace pynn

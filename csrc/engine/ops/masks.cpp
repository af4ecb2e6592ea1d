// Masks: which steps of a sequence are real, 1, and which are padding, 0; and what goes by them. No gradient goes into
// a mask.
#include "../op.h"

namespace pynn {
namespace {

// ---- masks of ids

std::vector<int64_t> check_not_equal(const OpArguments& a) {
  a.expect_counts(1, 0);
  const int64_t value = a.integer("value");
  a.expect(value >= 0 && value <= INT32_MAX, "a value from 0 to 2^31 - 1", std::to_string(value));
  return {a.inputs[0]};
}

// y = 1 for each id that is not `value`.
template <typename T>
class NotEqualOp : public Op<T> {
 public:
  explicit NotEqualOp(const OpArguments& a) : size_(a.inputs[0]), value_(static_cast<int32_t>(a.integer("value"))) {}

  void forward(const Team& team, const Pass<T>& pass) const override {
    // Ids lie where numbers would (dataset.h).
    pass.k.not_equal_ids(team, this->y(pass), reinterpret_cast<const int32_t*>(this->x(pass)), value_,
                         pass.batch * size_);
  }
  void backward(const Team&, const Pass<T>&) const override {}
  bool takes_gradient(std::size_t) const override { return false; }
  double work() const override { return static_cast<double>(size_); }

 private:
  const int64_t size_;
  const int32_t value_;
};

// ---- masks of numbers

std::vector<int64_t> check_any_not_equal(const OpArguments& a) {
  a.expect_counts(1, 0);
  a.number("value");
  const int64_t rows = a.integer("rows"), columns = a.integer("columns");
  a.expect_input(a.product({rows, columns}, "rows and columns"));
  return {rows};
}

// y = 1 for each row that has an element other than `value`.
template <typename T>
class AnyNotEqualOp : public Op<T> {
 public:
  explicit AnyNotEqualOp(const OpArguments& a)
      : rows_(a.integer("rows")), columns_(a.integer("columns")), value_(static_cast<T>(a.number("value"))) {}

  void forward(const Team& team, const Pass<T>& pass) const override {
    pass.k.any_not_equal(team, this->y(pass), this->x(pass), value_, pass.batch * rows_, columns_);
  }
  void backward(const Team&, const Pass<T>&) const override {}
  bool takes_gradient(std::size_t) const override { return false; }
  bool splits_batch(const Kernels<T>&, int64_t) const override { return true; }
  double work() const override { return static_cast<double>(rows_ * columns_); }

 private:
  const int64_t rows_, columns_;
  const T value_;
};

// ---- what goes by a mask

std::vector<int64_t> check_keep_rows(const OpArguments& a) {
  a.expect_counts(2, 0);
  a.expect(a.inputs[1] >= 1 && a.inputs[0] % a.inputs[1] == 0,
           "a mask whose size divides that of x, " + std::to_string(a.inputs[0]), std::to_string(a.inputs[1]));
  return {a.inputs[0]};
}

// y = x in the rows that a mask keeps, 0 in the others.
template <typename T>
class KeepRowsOp : public Op<T> {
 public:
  explicit KeepRowsOp(const OpArguments& a) : rows_(a.inputs[1]), columns_(a.inputs[0] / a.inputs[1]) {}

  void forward(const Team& team, const Pass<T>& pass) const override {
    pass.k.keep_rows(team, this->y(pass), this->x(pass), this->x(pass, 1), pass.batch * rows_, columns_);
  }
  void backward(const Team& team, const Pass<T>& pass) const override {
    if (this->dx(pass) != nullptr)
      pass.k.keep_rows(team, this->dx(pass), this->dy(pass), this->x(pass, 1), pass.batch * rows_, columns_);
  }
  bool takes_gradient(std::size_t input) const override { return input == 0; }
  bool splits_batch(const Kernels<T>&, int64_t) const override { return true; }
  double work() const override { return static_cast<double>(rows_ * columns_); }

 private:
  const int64_t rows_, columns_;
};

std::vector<int64_t> check_masked_mean(const OpArguments& a) {
  a.expect_counts(2, 0);
  const int64_t outer = a.integer("outer"), steps = a.integer("steps"), inner = a.integer("inner");
  a.expect_input(a.product({outer, steps, inner}, "outer, steps and inner"));
  a.expect(a.inputs[1] == steps, "a mask of " + std::to_string(steps) + " steps", std::to_string(a.inputs[1]));
  return {outer * inner};
}

// y = the mean over the steps that a mask keeps.
template <typename T>
class MaskedMeanOp : public Op<T> {
 public:
  explicit MaskedMeanOp(const OpArguments& a) : shape_{a.integer("outer"), a.integer("steps"), a.integer("inner")} {}

  void forward(const Team& team, const Pass<T>& pass) const override {
    pass.k.masked_mean_forward(team, this->y(pass), this->x(pass), this->x(pass, 1), pass.batch, shape_);
  }
  void backward(const Team& team, const Pass<T>& pass) const override {
    if (this->dx(pass) != nullptr)
      pass.k.masked_mean_backward(team, this->dx(pass), this->dy(pass), this->x(pass, 1), pass.batch, shape_);
  }
  bool takes_gradient(std::size_t input) const override { return input == 0; }
  bool splits_batch(const Kernels<T>&, int64_t) const override { return true; }
  double work() const override { return static_cast<double>(shape_.outer * shape_.steps * shape_.inner); }

 private:
  const StepShape shape_;
};

}  // namespace

PYNN_DEFINE_OP_READING(not_equal, Reads::ids, check_not_equal, NotEqualOp)
PYNN_DEFINE_OP(any_not_equal, check_any_not_equal, AnyNotEqualOp)
PYNN_DEFINE_OP(keep_rows, check_keep_rows, KeepRowsOp)
PYNN_DEFINE_OP(masked_mean, check_masked_mean, MaskedMeanOp)

}  // namespace pynn

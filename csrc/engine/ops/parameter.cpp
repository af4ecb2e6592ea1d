// What lets users' own layers be put together: a parameter as a tensor, and what differs between training and
// prediction.
#include <algorithm>

#include "../op.h"

namespace pynn {
namespace {

// ---- parameter

std::vector<int64_t> check_parameter(const OpArguments& a) {
  a.expect_counts(0, 1);
  const int64_t size = a.product({a.integer("size")}, "size");
  a.expect_parameter(0, "the parameter", size);
  return {size};
}

// y = the parameter, for every sample; its gradient is the sum of dy over the samples. It has no inputs.
template <typename T>
class ParameterOp : public Op<T> {
 public:
  explicit ParameterOp(const OpArguments& a) : size_(a.integer("size")) {}

  void forward(const Team& team, const Pass<T>& pass) const override {
    pass.k.copy_columns(team, this->y(pass), pass.parameters[0].value, pass.batch, size_, size_, 0);
  }
  void backward(const Team& team, const Pass<T>& pass) const override {
    if (pass.parameters[0].gradient == nullptr) return;
    pass.k.bias_backward(team, pass.parameters[0].gradient, this->dy(pass), pass.batch, size_, pass.adds(0),
                         pass.shared);
    announce_gradients(team, pass, 1);
  }
  ScratchSize scratch(const Kernels<T>& k, int64_t batch, int, bool backward) const override {
    return {backward ? k.learned_sums(batch, size_) : 0, 0};
  }
  double work() const override { return static_cast<double>(size_); }

 private:
  const int64_t size_;
};

// ---- choose

std::vector<int64_t> check_choose(const OpArguments& a) {
  a.expect_counts(2, 0);
  a.expect(a.inputs[0] == a.inputs[1], "inputs of one size, " + std::to_string(a.inputs[0]),
           std::to_string(a.inputs[1]));
  return {a.inputs[0]};
}

// y = the first input in training, and the second one otherwise.
template <typename T>
class ChooseOp : public Op<T> {
 public:
  explicit ChooseOp(const OpArguments& a) : size_(a.inputs[0]) {}

  void forward(const Team& team, const Pass<T>& pass) const override {
    copy(team, pass, this->y(pass), this->x(pass, chosen(pass)));
  }
  void backward(const Team& team, const Pass<T>& pass) const override {
    if (T* const dx = this->dx(pass, chosen(pass))) copy(team, pass, dx, this->dy(pass));
    T* const other = this->dx(pass, 1 - chosen(pass));
    if (other == nullptr) return;
    const Range mine = team.share(pass.batch * size_, 64);
    std::fill(other + mine.begin, other + mine.end, T{});
  }
  bool splits_batch(const Kernels<T>&, int64_t) const override { return true; }
  double work() const override { return static_cast<double>(size_); }

 private:
  static std::size_t chosen(const Pass<T>& pass) { return pass.training ? 0 : 1; }
  void copy(const Team& team, const Pass<T>& pass, T* to, const T* from) const {
    pass.k.copy_columns(team, to, from, 1, pass.batch * size_, pass.batch * size_, pass.batch * size_);
  }

  const int64_t size_;
};

}  // namespace

PYNN_DEFINE_OP(parameter, check_parameter, ParameterOp)
PYNN_DEFINE_OP(choose, check_choose, ChooseOp)

}  // namespace pynn

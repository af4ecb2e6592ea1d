// States that lie in parameters that are not learned and live on from batch to batch, (samples, size) each: `state`
// gives each sample its own, `keep_state` has what it will be.
#include <algorithm>

#include "../op.h"

namespace pynn {
namespace {

void expect_state(const OpArguments& a, int64_t size) {
  const int64_t state = a.parameters[0];
  a.expect(state >= size && state % size == 0, "a state of samples * " + std::to_string(size) + " elements",
           std::to_string(state));
}

std::vector<int64_t> check_state(const OpArguments& a) {
  a.expect_counts(0, 1);
  const int64_t size = a.product({a.integer("size")}, "size");
  expect_state(a, size);
  return {size};
}

std::vector<int64_t> check_keep_state(const OpArguments& a) {
  a.expect_counts(1, 1);
  expect_state(a, a.inputs[0]);
  return {a.inputs[0]};
}

template <typename T>
class OpOfState : public Op<T> {
 public:
  OpOfState(const OpArguments& a, int64_t size) : size_(size), samples_(a.parameters[0] / size) {}

  int64_t state_samples() const override { return samples_; }
  bool couples_samples() const override { return true; }
  double work() const override { return static_cast<double>(size_); }

 protected:
  void copy(const Team& team, const Pass<T>& pass, T* to, const T* from) const {
    const Range mine = team.share(pass.batch * size_, 64);
    std::copy(from + mine.begin, from + mine.end, to + mine.begin);
  }
  void check_batch(const Pass<T>& pass) const {
    if (pass.batch != samples_)
      refuse("states", "batches of " + std::to_string(samples_) + " samples", std::to_string(pass.batch));
  }

 private:
  const int64_t size_, samples_;
};

// y = the state. It has no inputs, and no gradient.
template <typename T>
class StateOp : public OpOfState<T> {
 public:
  explicit StateOp(const OpArguments& a) : OpOfState<T>(a, a.integer("size")) {}

  void forward(const Team& team, const Pass<T>& pass) const override {
    this->check_batch(pass);
    this->copy(team, pass, this->y(pass), pass.parameters[0].value);
  }
  void backward(const Team&, const Pass<T>&) const override {}
};

// y = x, which is the state from the end of the step on.
template <typename T>
class KeepStateOp : public OpOfState<T> {
 public:
  explicit KeepStateOp(const OpArguments& a) : OpOfState<T>(a, a.inputs[0]) {}

  void forward(const Team& team, const Pass<T>& pass) const override {
    this->check_batch(pass);
    this->copy(team, pass, this->y(pass), this->x(pass));
  }
  void backward(const Team& team, const Pass<T>& pass) const override {
    if (T* const dx = this->dx(pass)) this->copy(team, pass, dx, this->dy(pass));
  }
  bool ends_steps() const override { return true; }
  void end_step(const Team& team, const Pass<T>& pass) const override {
    this->copy(team, pass, pass.parameters[0].value, this->y(pass));
  }
};

}  // namespace

PYNN_DEFINE_OP(state, check_state, StateOp)
PYNN_DEFINE_OP(keep_state, check_keep_state, KeepStateOp)

}  // namespace pynn

// An op that goes over several equal parts of each sample, such as the steps of a sequence: as memory lies, these are
// so many more samples.
#pragma once

#include "op.h"

namespace pynn {

// It hands on all that an op tells of itself, but for what has been asked before (plan.cpp): limits of ids, and what
// fusion wants to know. No op with states comes here.
template <typename T>
class TimesOp : public Op<T> {
 public:
  TimesOp(std::unique_ptr<Op<T>> op, int64_t times) : op_(std::move(op)), times_(times) {
    this->inputs = op_->inputs;
    this->outputs = op_->outputs;
    this->parameters = op_->parameters;
    this->trains = op_->trains;
  }

  void forward(const Team& team, const Pass<T>& pass) const override { op_->forward(team, of_parts(pass)); }
  void backward(const Team& team, const Pass<T>& pass) const override { op_->backward(team, of_parts(pass)); }
  ScratchSize scratch(const Kernels<T>& k, int64_t batch, int members, bool backward) const override {
    return op_->scratch(k, parts(batch), members, backward);
  }
  int64_t saved(int64_t batch) const override { return op_->saved(parts(batch)); }
  int64_t saved_without_way_back(int64_t batch) const override { return op_->saved_without_way_back(parts(batch)); }
  bool couples_samples() const override { return op_->couples_samples(); }
  bool splits_batch(const Kernels<T>& k, int64_t batch) const override { return op_->splits_batch(k, parts(batch)); }
  int64_t samples_together() const override { return (op_->samples_together() - 1) / times_ + 1; }
  bool runs_outside_code() const override { return op_->runs_outside_code(); }
  bool passes_on() const override { return op_->passes_on(); }
  bool ends_steps() const override { return op_->ends_steps(); }
  void end_step(const Team& team, const Pass<T>& pass) const override { op_->end_step(team, of_parts(pass)); }
  double work() const override { return static_cast<double>(times_) * op_->work(); }
  int64_t ids_below() const override { return op_->ids_below(); }
  int64_t marked_rows() const override { return op_->marked_rows(); }
  bool differentiable() const override { return op_->differentiable(); }
  bool takes_gradient(std::size_t input) const override { return op_->takes_gradient(input); }
  Loss loss_of_input(Loss loss, int64_t columns) const override { return op_->loss_of_input(loss, columns); }

 private:
  // A workspace that does not fit into memory is refused when it is made, by its tensors.
  int64_t parts(int64_t batch) const {
    int64_t product = 0;
    return __builtin_mul_overflow(batch, times_, &product) ? INT64_MAX / 64 : product;
  }
  // What is known of zeros is known by sample.
  Pass<T> of_parts(const Pass<T>& pass) const {
    Pass<T> found = pass;
    found.batch *= times_;
    found.first_sample *= times_;
    found.nonzero = {};
    return found;
  }

  const std::unique_ptr<Op<T>> op_;
  const int64_t times_;
};

}  // namespace pynn

// An op: one node of a network. It calls kernels with the right pointers; it owns no tensor and no parameter.
#pragma once

#include <functional>
#include <vector>

#include "../kernels/kernels.h"
#include "registry.h"

namespace pynn {

// A parameter as one op uses it. A parameter that is left out has no value and no gradient.
template <typename T>
struct ParameterUse {
  int number = -1;  // in the graph
  int64_t size = 0;
  T* value = nullptr;
  T* gradient = nullptr;   // null: not asked for
  bool adds = false;       // others use it, too: its gradient begins at 0, and each op adds to it
  bool early = false;      // it may be applied as soon as it is there, and need not be kept
  bool penalized = false;  // an update changes it also where its gradient is 0
  char* marks = nullptr;   // by row, or null: its gradient is 0 but for rows that it marks with 1 (Op::marked_rows)
  bool frozen = false;     // no training changes it, as it was when the call began
};

// What the op that runs sees of the network while `batch` samples pass through it. A member of the team has one of its
// own, and aims it at one op after the other (Plan::aim).
template <typename T>
struct Pass {
  explicit Pass(const Kernels<T>& kernels) : k(kernels) {}

  const Kernels<T>& k;
  int64_t batch = 0;
  bool network_trains = false;
  bool training = false;     // whether the op works as in training: where the network does, or it always does
  bool keeps = false;        // a way back follows: ops keep what it needs
  int64_t first_sample = 0;  // number in its batch of the first sample here
  uint64_t step = 0;         // of training: with it changes what is random
  bool accumulate = false;   // add to the parameters' gradients
  T* shared = nullptr;       // scratch of the whole team
  T* own = nullptr;          // scratch of this member

  T* const* values = nullptr;     // by tensor
  T* const* gradients = nullptr;  // by tensor; null where none is asked for

  // Of the op: where the gradients of its inputs go, by input; what it keeps from forward to backward; its parameters,
  // in its order; which elements of its first input are not 0, null where that is of no use.
  T* const* dx = nullptr;
  T* saved = nullptr;
  const ParameterUse<T>* parameters = nullptr;
  Nonzero nonzero{};

  // Called with the number of a parameter, a range of it, and its gradient there, as soon as that is complete, where
  // the parameter is one of the early ones; may change this part of the parameter.
  std::function<void(int, Range, const Gradient<T>&)> apply = {};
  bool skip_zero_gradients = false;  // apply need not be called where a gradient is known to be 0

  bool adds(int position) const { return accumulate || parameters[position].adds; }

  // This part of the gradient of a parameter is complete.
  void ready(int position, Range part, const Gradient<T>& gradient) const {
    const ParameterUse<T>& use = parameters[position];
    if (use.early && use.gradient != nullptr && part.begin < part.end) apply(use.number, part, gradient);
  }
};

// The gradients of the op's parameters are complete; the team has made them. Each member hands on its part.
template <typename T>
void announce_gradients(const Team& team, const Pass<T>& pass, int parameters) {
  bool any = false;
  for (int i = 0; i < parameters; ++i) any |= pass.parameters[i].early;
  if (!any) return;
  team.barrier();
  for (int i = 0; i < parameters; ++i) {
    const ParameterUse<T>& use = pass.parameters[i];
    if (use.gradient == nullptr) continue;
    const Range part = team.share(use.size, 64);
    pass.ready(i, part, {use.gradient + part.begin, nullptr, nullptr, 0});
  }
}

// Elements of scratch: of the team, and of each of its members.
struct ScratchSize {
  int64_t shared = 0, own = 0;
};

// (x - mean) * scale + offset, all repeated along the last axis, whose length they have, or single numbers. There may
// be no mean.
template <typename T>
struct Rescaling {
  std::vector<T> mean, scale, offset;
};

// What it tells the engine of itself. What is added here must be added to TimesOp (times.h), but for what fusion asks.
template <typename T>
class Op {
 public:
  virtual ~Op() = default;

  virtual void forward(const Team& team, const Pass<T>& pass) const = 0;
  // Makes the gradients of the inputs, where they are asked for, and those of the trainable parameters.
  virtual void backward(const Team& team, const Pass<T>& pass) const = 0;

  // For a team of at most so many members.
  virtual ScratchSize scratch(const Kernels<T>&, int64_t /*batch*/, int /*members*/, bool /*backward*/) const {
    return {};
  }
  // Elements that it keeps from the forward to the backward pass.
  virtual int64_t saved(int64_t /*batch*/) const { return 0; }
  // The same where no way back follows.
  virtual int64_t saved_without_way_back(int64_t batch) const { return saved(batch); }
  // Whether a sample's output depends on the others: a batch must then go through as a whole.
  virtual bool couples_samples() const { return false; }
  // Whether a member may take some of at most `batch` samples through it, forwards and backwards, as a batch of its
  // own. Such an op keeps nothing, and makes the gradients of its parameters, where those of its inputs are not asked
  // for, without a barrier and without scratch of the team.
  virtual bool splits_batch(const Kernels<T>&, int64_t /*batch*/) const { return false; }
  // How many samples it takes together, at least, at its full speed.
  virtual int64_t samples_together() const { return 1; }
  // Whether it runs code from outside: one member at a time, and it may throw.
  virtual bool runs_outside_code() const { return false; }
  // Whether its output is its input, but for training.
  virtual bool passes_on() const { return false; }
  // After a step of training, or a forward pass as in training: what it learns by itself, if it does.
  virtual bool ends_steps() const { return false; }
  virtual void end_step(const Team&, const Pass<T>&) const {}
  // The samples whose state it keeps from one batch to the next, in parameters that are not learned, or 0: each batch
  // must have as many, and end_step follows predictions, too.
  virtual int64_t state_samples() const { return 0; }
  // Multiply-adds per sample in the forward direction: how much work there is to share.
  virtual double work() const = 0;
  // Whether it is faster for knowing which elements of its first input are 0.
  virtual bool passes_over_zeros() const { return false; }
  // Where its input is ids: they must be at least 0, and below this.
  virtual int64_t ids_below() const { return INT64_MAX; }
  // Its output holds ids, and an op that reads them has this limit.
  virtual void limit_ids(int64_t /*below*/) {}
  // Where the gradient of its parameter is 0 but for some rows, and it can mark these: how many rows there are.
  // Otherwise 0.
  virtual int64_t marked_rows() const { return 0; }
  // Whether a gradient can pass.
  virtual bool differentiable() const { return true; }
  // Whether there is a gradient of this input. A mask, say, has none: what goes in there learns nothing.
  virtual bool takes_gradient(std::size_t /*input*/) const { return true; }
  // The loss, computed from its input, that equals this loss of its output, or Loss::count; `columns` make a row.
  virtual Loss loss_of_input(Loss, int64_t /*columns*/) const { return Loss::count; }

  // ---- fusion: what an op takes over from the one behind it (plan.cpp)

  // Whether it may be left out where nobody reads its output: another op has taken over what it did.
  virtual bool may_be_left_out() const { return false; }
  // The activation function that it is, or null.
  virtual const ActivationSpec* activation() const { return nullptr; }
  // The shape of the max pooling that it is, or null.
  virtual const PoolShape* max_pooling() const { return nullptr; }
  // The rescaling that it is, or null: samples are rescaled as they are loaded.
  virtual const Rescaling<T>* rescaling() const { return nullptr; }
  // Takes over the activation that follows, one whose slope can be told from its output. `reader` is the op that reads
  // the result, null where there are none or several, or one that goes over other parts of samples. False if it cannot.
  virtual bool take_activation(const ActivationSpec&, Op<T>* /*reader*/) { return false; }
  // Its input comes out of this activation: the op multiplies the gradient of it by the slope. False if it cannot.
  virtual bool take_slope_of_input(const ActivationSpec&) { return false; }
  // Takes over the max pooling that follows; false if it cannot.
  virtual bool take_pooling(const PoolShape&) { return false; }

  std::vector<int> inputs, outputs;  // tensors
  std::vector<int> parameters;       // numbers in the graph, -1 for none
  bool trains = false;               // it works as in training, whatever the network does

 protected:
  // The arrays of its inputs and outputs, and their gradients, null where none is asked for.
  T* x(const Pass<T>& pass, std::size_t input = 0) const { return pass.values[inputs[input]]; }
  T* y(const Pass<T>& pass, std::size_t output = 0) const { return pass.values[outputs[output]]; }
  T* dx(const Pass<T>& pass, std::size_t input = 0) const { return pass.dx[input]; }
  T* dy(const Pass<T>& pass, std::size_t output = 0) const { return pass.gradients[outputs[output]]; }
};

}  // namespace pynn

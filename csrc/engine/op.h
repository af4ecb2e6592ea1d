// An op: one node of a network. It calls kernels with the right pointers; it owns no tensor and no parameter.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "../kernels/kernels.h"

namespace pynn {

struct Parameter {
  int64_t offset = 0, size = 0;  // in the parameter buffer
  bool learned = true;           // by the optimizer; otherwise its op changes it, such as moving statistics
  bool frozen = false;           // no training changes it
  double l1 = 0, l2 = 0;         // of its penalty, a part of the loss
  ConstraintSpec constraint{};

  bool trainable() const { return learned && !frozen; }
  bool penalized() const { return trainable() && (l1 > 0 || l2 > 0); }
  bool constrained() const { return trainable() && constraint.kind != Constraint::none; }
};

// What an op sees of the network while `batch` samples pass through it. A member of the team has one of its own.
template <typename T>
struct Pass {
  const Kernels<T>& k;
  int64_t batch = 0;
  T* const* values = nullptr;     // by tensor number
  T* const* gradients = nullptr;  // by tensor number; null where no gradient is asked for
  const Parameter* parameters = nullptr;
  T* parameter_values = nullptr;
  T* parameter_gradients = nullptr;
  T* shared = nullptr;  // scratch of the whole team
  T* own = nullptr;     // scratch of this member
  // Which elements of the samples are not 0, or null where that is of no use; of the tensor `loaded`, what the samples
  // were loaded to.
  Nonzero nonzero{};
  int loaded = 0;
  bool accumulate = false;  // add to the parameters' gradients
  bool training = false;
  int64_t first_sample = 0;   // number in its batch of the first sample here
  uint64_t step = 0;          // of training: with it changes what is random
  T* const* saved = nullptr;  // by tensor number: what the op that makes the tensor keeps from forward to backward
  // Called with a range of the parameter buffer, and where its gradients are, as soon as they are complete; may change
  // these parameters. Where it is set, gradients need not be kept.
  std::function<void(Range, const Gradient<T>&)> gradients_ready = {};
  bool not_for_zeros = false;  // gradients_ready may leave out gradients that are known to be 0

  T* value_of(int parameter) const { return parameter_values + parameters[parameter].offset; }
  T* gradient_of(int parameter) const { return parameter_gradients + parameters[parameter].offset; }
};

// Where the gradient of a parameter goes, or null if it is not there or not trained.
template <typename T>
T* trained_gradient(const Pass<T>& pass, int parameter) {
  return parameter >= 0 && pass.parameters[parameter].trainable() ? pass.gradient_of(parameter) : nullptr;
}

// Tells the pass that the gradients of these parameters are complete, each member its part; the team has made them.
template <typename T>
void announce_gradients(const Team& team, const Pass<T>& pass, const std::vector<int>& parameters) {
  if (!pass.gradients_ready) return;
  team.barrier();
  for (const int parameter : parameters) {
    const T* gradient = trained_gradient(pass, parameter);
    if (gradient == nullptr) continue;
    const int64_t offset = pass.parameters[parameter].offset;
    const Range part = team.share(pass.parameters[parameter].size, 64);
    if (part.begin < part.end)
      pass.gradients_ready({offset + part.begin, offset + part.end}, {gradient + part.begin, nullptr, nullptr, 0});
  }
}

template <typename T>
class Op {
 public:
  Op(int x, int y) : input(x), output(y) {}
  virtual ~Op() = default;

  virtual void forward(const Team& team, const Pass<T>& pass) const = 0;
  // Makes the gradient of the input, where it is asked for, and those of the trainable parameters.
  virtual void backward(const Team& team, const Pass<T>& pass) const = 0;

  // Parameters it uses.
  virtual std::vector<int> parameters() const { return {}; }
  // Elements of scratch, of a team of at most so many members and of each of them.
  virtual int64_t shared_scratch(const Kernels<T>&, int64_t /*batch*/, int /*members*/, bool /*backward*/) const {
    return 0;
  }
  virtual int64_t own_scratch(const Kernels<T>&, bool /*backward*/) const { return 0; }
  // Elements that it keeps from the forward to the backward pass.
  virtual int64_t saved(int64_t /*batch*/) const { return 0; }
  // Whether a sample's output depends on the others: a batch must then go through as a whole.
  virtual bool couples_samples() const { return false; }
  // Whether its output is its input, but for training.
  virtual bool passes_on() const { return false; }
  // After a step of training, or a forward pass as in training: what it learns by itself.
  virtual void end_step(const Team&, const Pass<T>&) const {}
  // Multiply-adds per sample in the forward direction: how much work there is to share.
  virtual double work() const = 0;
  // Whether it is faster for knowing which elements of its input are 0.
  virtual bool passes_over_zeros() const { return false; }
  // Takes over the activation that follows, one whose slope can be told from its output, which becomes tensor `to`;
  // false if it cannot.
  virtual bool take_activation(const ActivationSpec&, int /*to*/) { return false; }
  // The shape of a max pooling, or null.
  virtual const PoolShape* max_pooling() const { return nullptr; }
  // Takes over the max pooling that follows, which makes tensor `to`; false if it cannot.
  virtual bool take_pooling(const PoolShape&, int /*to*/) { return false; }
  // Whether a gradient can pass.
  virtual bool differentiable() const { return true; }

  int input, output;  // tensor numbers
};

template <typename T>
std::unique_ptr<Op<T>> make_dense(int x, int y, int kernel, int bias, int64_t rows, int64_t inputs, int64_t units);
template <typename T>
std::unique_ptr<Op<T>> make_conv(int x, int y, int kernel, int bias, const ConvShape& shape, bool transposed);
template <typename T>
std::unique_ptr<Op<T>> make_pool(int x, int y, const PoolShape& shape, Pooling kind);
template <typename T>
std::unique_ptr<Op<T>> make_noise(int x, int y, const std::vector<int64_t>& sizes, const std::vector<bool>& sharing,
                                  const NoiseSpec& spec);
// gamma, beta: -1 for none.
template <typename T>
std::unique_ptr<Op<T>> make_batch_norm(int x, int y, int gamma, int beta, int moving_mean, int moving_variance,
                                       int64_t rows, int64_t columns, double momentum, double epsilon);
template <typename T>
std::unique_ptr<Op<T>> make_group_norm(int x, int y, int gamma, int beta, int64_t samples, const GroupShape& shape,
                                       double epsilon);
template <typename T>
std::unique_ptr<Op<T>> make_resample(int x, int y, const SparseMap<double>& map);
template <typename T>
std::unique_ptr<Op<T>> make_activation(int x, int y, int64_t size, const ActivationSpec& spec);
template <typename T>
std::unique_ptr<Op<T>> make_softmax(int x, int y, int64_t outer, int64_t axis, int64_t inner, bool log);
template <typename T>
std::unique_ptr<Op<T>> make_rescaling(int x, int y, int64_t size, const std::vector<double>& mean,
                                      const std::vector<double>& scale, const std::vector<double>& offset);

// Convolutions take over the activations that follow them, and then the max pooling; so do dense layers, where another
// dense layer comes next, which then makes their gradient: passes over a tensor and barriers less. Returns the tensors
// that no op writes any more. The last activation stays, as a loss may be computed from what goes into it. `kept` are
// the tensors that are read by others than ops, such as the one that predictions are: they and their gradients are
// made.
template <typename T>
std::vector<int> fuse(std::vector<std::unique_ptr<Op<T>>>& ops, const std::vector<int>& kept, const Kernels<T>& k);

}  // namespace pynn

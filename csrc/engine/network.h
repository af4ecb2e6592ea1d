// A network: ops in order over numbered tensors, one buffer of parameters, one of gradients, one for each slot of the
// optimizer, and a workspace planned once for a batch size. The Python face describes it; see pynn/_core.pyi.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "../kernels/kernels.h"
#include "../runtime/parallel.h"

namespace pynn {

// The rows that a call works on. Pointers are to numbers of the network's type, but for bytes and labels.
struct Samples {
  const void* values = nullptr;
  const uint8_t* bytes = nullptr;  // or these
  int64_t count = 0;
};

struct Targets {
  const void* values = nullptr;
  const int32_t* labels = nullptr;  // or these
};

struct TrainRange {
  int64_t batch_size;
  bool shuffle;
  uint64_t seed;
  int64_t epoch, first_step, steps;
};

class Network {
 public:
  virtual ~Network() = default;

  // Thrown where evaluation or prediction would see parameters that are being trained.
  struct Busy : std::runtime_error {
    using std::runtime_error::runtime_error;
  };

  // -- building; every add_* of an op returns the number of the tensor that it writes
  virtual int add_parameter(int64_t size, bool learned) = 0;  // learned: by the optimizer
  virtual int add_dense(int x, int kernel, int bias, int64_t inputs, int64_t units) = 0;
  // transposed: from what would be y to what would be x, whose channels the bias then has
  virtual int add_conv(int x, int kernel, int bias, const ConvShape& shape, bool transposed) = 0;
  virtual int add_pool(int x, const std::string& kind, const PoolShape& shape) = 0;
  // The noise is the same all along the axes that share it; sharing[0] tells of the samples, the others of the axes of
  // a sample.
  virtual int add_noise(int x, const std::string& kind, const std::vector<int64_t>& shape,
                        const std::vector<bool>& sharing, double amount, uint64_t seed) = 0;
  virtual int add_batch_norm(int x, int gamma, int beta, int moving_mean, int moving_variance, int64_t columns,
                             double momentum, double epsilon) = 0;
  virtual int add_group_norm(int x, int gamma, int beta, int64_t samples, int64_t groups, int64_t columns,
                             double epsilon) = 0;
  virtual int add_resample(int x, const SparseMap<double>& map) = 0;
  virtual int add_activation(int x, const std::string& name, double a, double b, double c) = 0;
  virtual int add_softmax(int x, int64_t outer, int64_t axis, int64_t inner, bool log) = 0;
  virtual int add_rescaling(int x, const std::vector<double>& scale, const std::vector<double>& offset,
                            const std::vector<double>& mean) = 0;
  // Adds (l1 * sum |x| + l2 * sum x^2) / samples to the loss, and its gradient to that of x.
  virtual void add_activity_penalty(int x, double l1, double l2) = 0;
  virtual void build(int output) = 0;

  // -- what the views of the bindings look at
  virtual bool is_double() const = 0;
  virtual int64_t input_size() const = 0;
  virtual int64_t output_size() const = 0;
  virtual int parameters() const = 0;
  virtual int64_t parameter_size(int number) const = 0;
  virtual void* parameter(int number) = 0;
  virtual int slots() const = 0;
  virtual void* slot(int slot, int number) = 0;

  // -- configuration of training
  virtual void set_trainable(const std::vector<bool>& trainable) = 0;
  // For each parameter: (l1, l2) of its penalty, which is part of the loss while it is trainable; and what holds after
  // each step that changes it.
  virtual void set_regularizers(const std::vector<std::pair<double, double>>& factors) = 0;
  virtual void set_constraints(const std::vector<ConstraintSpec>& constraints) = 0;
  virtual void set_loss(const std::string& name, int tensor, int64_t columns, double a, bool mean) = 0;
  virtual void set_metrics(const std::vector<std::tuple<std::string, int64_t, double>>& metrics) = 0;
  virtual void set_optimizer(const std::string& name, const std::map<std::string, double>& settings) = 0;
  virtual double learning_rate() const = 0;
  virtual void set_learning_rate(double value) = 0;
  virtual int64_t iterations() const = 0;
  virtual void set_iterations(int64_t value) = 0;
  virtual int metrics() const = 0;
  virtual bool loss_takes_labels() const = 0;
  virtual int64_t loss_rows() const = 0;  // of a sample

  // -- work; totals have `columns`, one for the loss and one for each metric, and train's a row for each epoch;
  // evaluate's have one more, for the penalties: those of the parameters for every sample, and those of activities
  virtual int64_t steps_done() const = 0;
  virtual bool train(double* totals, int64_t columns, const Samples& x, const Targets& y, const TrainRange& range,
                     int threads, const Interrupt& interrupt) = 0;
  virtual void evaluate(double* totals, int64_t columns, const Samples& x, const Targets& y, int threads,
                        const Interrupt& interrupt) = 0;
  // With check_finite, returns the index of the first element of x that is NaN or infinite, if there is one, and `out`
  // is of no use then; else -1. The check comes while the samples pass through the cache.
  virtual int64_t predict(void* out, const Samples& x, bool check_finite, int threads, const Interrupt& interrupt) = 0;
  // The output in training mode, as one batch: noise is made for this step, statistics are those of the batch, and
  // moving ones follow.
  virtual int64_t predict_training(void* out, const Samples& x, bool check_finite, uint64_t step, int threads,
                                   const Interrupt& interrupt) = 0;
};

std::unique_ptr<Network> make_network(bool is_double, int64_t input_size);

}  // namespace pynn

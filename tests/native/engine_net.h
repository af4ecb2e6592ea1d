// What the checks of the engine have in common: networks and data to try it with, and a step of training as a function.
#pragma once

#include "../../csrc/engine/trainer.h"
#include "check.h"

namespace pynn {

// The families of check_engine, all in double.
void check_blocks();  // of memory
void check_branches();
void check_alone();
void check_merges();
void check_fusion();
void check_sharing();
void check_heads();
void check_gradients();
void check_inputs();
void check_hooks();
void check_locks();
void check_refusals();
void check_state();

using Numbers = std::vector<double>;
using PlanPtr = std::shared_ptr<const Plan<double>>;

// The weights of a dense layer: random ones.
struct Weights {
  std::shared_ptr<Parameters> owner;
  int64_t inputs, units;

  double* kernel() const { return static_cast<double*>(owner->data(0)); }
  double* bias() const { return static_cast<double*>(owner->data(1)); }
};

// `kernel`: the settings of the kernel, but for its size.
Weights dense_weights(int64_t inputs, int64_t units, Parameter kernel = {});

// A graph in the making.
class Net {
 public:
  const Graph& graph() const { return graph_; }
  int input(int64_t size, InputKind kind = InputKind::real) { return graph_.add_input(size, kind); }
  int op(const std::string& kind, const std::vector<int>& inputs,
         const std::map<std::string, Attributes::Value>& attributes,
         const std::vector<ParameterRef>& parameters = {});  // its first output; an owner that is null: none
  int dense(int x, const Weights& weights);
  int dense(int x, int64_t units);  // with weights of its own
  int activation(int x, const std::string& name);
  int tanh_dense(int x, int64_t units) { return activation(dense(x, units), "tanh"); }
  int add(const std::vector<int>& xs) { return op("add", xs, {}); }
  int softmax(int x, int64_t outer, int64_t axis, int64_t inner);
  int rescaling(int x, const Numbers& scale, const Numbers& offset);
  std::vector<int> custom(const std::vector<int>& inputs, const std::vector<int64_t>& sizes, const Callback& callback);
  void penalize(int tensor, double l1, double l2, double linear = 0) {
    graph_.add_activity_penalty({tensor, {l1, l2, linear}});
  }

  PlanPtr plan(const std::vector<int>& outputs);

 private:
  Graph graph_;
};

// Samples, targets and weights.
class Samples {
 public:
  explicit Samples(int64_t samples) : samples_(samples) {}

  // Inputs, and targets. share_of_zeros: how many of the numbers are 0 instead.
  Samples& real(int64_t width, double low = -1, double high = 1, double share_of_zeros = 0);
  Samples& given(int64_t width, const Numbers& numbers);
  Samples& bytes(int64_t width);
  Samples& ids(int64_t width, int below);
  Samples& target(int64_t width, double low = -1, double high = 1);
  Samples& one_hot(int64_t rows, int64_t columns);
  Samples& labels(int64_t rows, int columns);
  // Beside the targets, in their order: numbers up to 2, of which some are 0, and some -1, which masks.
  Samples& weights(int64_t width);
  Samples& no_weights();

  int64_t samples() const { return samples_; }
  const Numbers& numbers(std::size_t i) const { return reals_[i]; }
  Numbers& numbers(std::size_t i) { return reals_[i]; }
  const std::vector<uint8_t>& byte_values(std::size_t i) const { return bytes_[i]; }
  const std::vector<int32_t>& whole(std::size_t i) const { return ids_[i]; }

  Dataset data() const { return rows(0, samples_); }
  Dataset rows(int64_t begin, int64_t count) const;
  // These samples in another order.
  Samples reordered(const std::vector<int64_t>& order) const;

 private:
  struct Place {
    ColumnKind kind;
    std::size_t number;
    int64_t width;
  };

  Column column(const Place& place) const;

  int64_t samples_;
  std::vector<Numbers> reals_;
  std::vector<std::vector<uint8_t>> bytes_;
  std::vector<std::vector<int32_t>> ids_;
  std::vector<Place> inputs_, targets_, weights_;
};

// How to train: by one step of plain gradient descent with learning rate 1, which takes away the gradient, and
// otherwise as the caller says.
struct Recipe {
  std::vector<HeadSetting> heads;
  int64_t batch_size = 0;  // 0: all samples
  int64_t steps = 1;
  std::string optimizer = "sgd";
  std::map<std::string, double> settings = {{"learning_rate", 1}};
  bool shuffle = false;
  uint64_t seed = 5;
  Hooks<double> hooks{};
};

HeadSetting mean_squared_error(int output, int64_t columns, double weight = 1);

struct Trained {
  std::vector<Numbers> weights;  // by parameter of the graph
  Numbers totals;
  int64_t steps;
  bool finite;
};

std::vector<Numbers> weights_of(const Graph& graph);
void set_weights(const Graph& graph, const std::vector<Numbers>& weights);

// Afterwards the weights are what they were before.
Trained train(const PlanPtr& plan, const Recipe& recipe, const Dataset& data, int threads);
// Checks that teams of all sizes do the same, and that the work is enough to have them.
Trained train_on_teams(const std::string& what, const PlanPtr& plan, const Recipe& recipe, const Dataset& data);
// What the step takes away from the weights.
std::vector<Numbers> taken_away(const PlanPtr& plan, const Trained& trained);
// Checks the step of the recipe: its gradients are those that central differences give of the loss in training.
std::vector<Numbers> expect_gradients(const std::string& what, const PlanPtr& plan, const Recipe& recipe,
                                      const Dataset& data);

// The output of an op with one, given all tensors before it; ids are given as numbers (engine_plain.cpp).
Numbers plain_op(const Graph& graph, const OpSpec& op, const std::vector<Numbers>& tensors);
std::vector<Numbers> predict(const PlanPtr& plan, const Dataset& data, int threads);
// Checks the outputs against plain loops (those of plain_op) and on teams of all sizes.
std::vector<Numbers> expect_predictions(const std::string& what, const PlanPtr& plan, const Dataset& data);
Numbers evaluate(const PlanPtr& plan, const Recipe& recipe, const Dataset& data, int threads);

void expect_same(const std::string& what, const std::vector<Numbers>& got, const std::vector<Numbers>& expected);
// |a - b| <= 1e-7 + 1e-5 * max(|a|, |b|): as close as differences of step 1e-6 come.
bool is_close(double a, double b);
void expect_close(const std::string& what, const Numbers& got, const Numbers& expected);

// What `body` throws, or nothing: its type is Error, or the check fails.
template <typename Error, typename Body>
std::string expect_throws(const std::string& what, const Body& body) {
  try {
    body();
  } catch (const Error& error) {
    check(true, what, "");
    return error.what();
  } catch (const std::exception& error) {
    check(false, what, std::string("another exception: ") + error.what());
    return {};
  }
  check(false, what, "no exception");
  return {};
}

}  // namespace pynn

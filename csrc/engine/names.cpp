#include "names.h"

#include <stdexcept>

namespace pynn {
namespace {

// In the order of the enumerations.
constexpr const char* kActivations[] = {
    "linear",    "relu",      "relu6",     "leaky_relu", "elu",      "selu",        "celu",
    "gelu",      "gelu_tanh", "silu",      "mish",       "sigmoid",  "log_sigmoid", "hard_sigmoid",
    "hard_silu", "tanh",      "hard_tanh", "softplus",   "softsign", "exponential", "step"};
constexpr const char* kPoolings[] = {"max", "average"};
constexpr const char* kNoises[] = {"dropout", "gaussian_dropout", "gaussian_noise"};
constexpr const char* kLosses[] = {"mean_squared_error",
                                   "mean_absolute_error",
                                   "mean_absolute_percentage_error",
                                   "mean_squared_logarithmic_error",
                                   "huber",
                                   "log_cosh",
                                   "cosine_similarity",
                                   "poisson",
                                   "kl_divergence",
                                   "binary_crossentropy",
                                   "binary_crossentropy_from_logits",
                                   "categorical_crossentropy",
                                   "categorical_crossentropy_from_logits",
                                   "sparse_categorical_crossentropy",
                                   "sparse_categorical_crossentropy_from_logits",
                                   "hinge",
                                   "squared_hinge",
                                   "categorical_hinge",
                                   "sum_squared_error",
                                   "perceptron"};
constexpr const char* kMetrics[] = {"binary_accuracy", "categorical_accuracy", "sparse_categorical_accuracy",
                                    "top_k_categorical_accuracy", "sparse_top_k_categorical_accuracy"};
constexpr const char* kConstraints[] = {"none", "non_neg", "norm"};
constexpr const char* kOptimizers[] = {"sgd", "rmsprop", "adagrad", "adadelta", "adam", "adamax", "nadam"};

template <typename Enum, std::size_t N>
Enum find(const char* const (&names)[N], const std::string& name, const char* what) {
  static_assert(N == static_cast<std::size_t>(Enum::count), "a name for each");
  for (std::size_t i = 0; i < N; ++i)
    if (name == names[i]) return static_cast<Enum>(i);
  throw std::invalid_argument("unknown " + std::string(what) + " '" + name + "'");
}

}  // namespace

Activation activation_of(const std::string& name) { return find<Activation>(kActivations, name, "activation"); }
Pooling pooling_of(const std::string& name) { return find<Pooling>(kPoolings, name, "pooling"); }
Noise noise_of(const std::string& name) { return find<Noise>(kNoises, name, "noise"); }
Loss loss_of(const std::string& name) { return find<Loss>(kLosses, name, "loss"); }
Metric metric_of(const std::string& name) { return find<Metric>(kMetrics, name, "metric"); }
Constraint constraint_of(const std::string& name) { return find<Constraint>(kConstraints, name, "constraint"); }
Optimizer optimizer_of(const std::string& name) { return find<Optimizer>(kOptimizers, name, "optimizer"); }

std::vector<std::string> activation_names() { return {std::begin(kActivations), std::end(kActivations)}; }
std::vector<std::string> loss_names() { return {std::begin(kLosses), std::end(kLosses)}; }
std::vector<std::string> metric_names() { return {std::begin(kMetrics), std::end(kMetrics)}; }

bool is_metric(const std::string& name) {
  for (const char* known : kMetrics)
    if (name == known) return true;
  return false;
}

bool takes_labels(Loss loss) {
  return loss == Loss::sparse_categorical_crossentropy || loss == Loss::sparse_categorical_crossentropy_from_logits;
}

bool takes_labels(Metric metric) {
  return metric == Metric::sparse_categorical_accuracy || metric == Metric::sparse_top_k_categorical_accuracy;
}

}  // namespace pynn

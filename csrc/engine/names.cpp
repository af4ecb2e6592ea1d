#include "names.h"

#include "attributes.h"

namespace pynn {
namespace {

template <typename Enum, std::size_t N>
Enum find(const char* const (&names)[N], const std::string& name, const char* what) {
  static_assert(N == static_cast<std::size_t>(Enum::count), "a name for each");
  for (std::size_t i = 0; i < N; ++i)
    if (name == names[i]) return static_cast<Enum>(i);
  std::string known;
  for (const char* each : names) known += (known.empty() ? "" : ", ") + std::string(each);
  refuse(what, "one of " + known, "'" + name + "'");
}

}  // namespace

Activation activation_of(const std::string& name) { return find<Activation>(kActivationNames, name, "activation"); }
Binary binary_of(const std::string& name) { return find<Binary>(kBinaryNames, name, "function"); }
Pooling pooling_of(const std::string& name) { return find<Pooling>(kPoolingNames, name, "pooling"); }
Noise noise_of(const std::string& name) { return find<Noise>(kNoiseNames, name, "noise"); }
AllMasked all_masked_of(const std::string& name) { return find<AllMasked>(kAllMaskedNames, name, "all_masked"); }
Loss loss_of(const std::string& name) { return find<Loss>(kLossNames, name, "loss"); }
Metric metric_of(const std::string& name) { return find<Metric>(kMetricNames, name, "metric"); }
Reduction reduction_of(const std::string& name) { return find<Reduction>(kReductionNames, name, "reduction"); }
Constraint constraint_of(const std::string& name) { return find<Constraint>(kConstraintNames, name, "constraint"); }
Optimizer optimizer_of(const std::string& name) { return find<Optimizer>(kOptimizerNames, name, "optimizer"); }

std::vector<std::string> activation_names() { return {std::begin(kActivationNames), std::end(kActivationNames)}; }
std::vector<std::string> loss_names() { return {std::begin(kLossNames), std::end(kLossNames)}; }
std::vector<std::string> metric_names() { return {std::begin(kMetricNames), std::end(kMetricNames)}; }

bool is_metric(const std::string& name) {
  for (const char* known : kMetricNames)
    if (name == known) return true;
  return false;
}

bool takes_labels(Loss loss) {
  return loss == Loss::sparse_categorical_crossentropy || loss == Loss::sparse_categorical_crossentropy_from_logits;
}

void check_by_class(const std::vector<double>& by_class, Loss loss, int64_t columns) {
  if (loss != Loss::categorical_focal_crossentropy && loss != Loss::categorical_focal_crossentropy_from_logits)
    refuse("loss", "three numbers at most", std::to_string(by_class.size()) + " by class");
  if (static_cast<int64_t>(by_class.size()) != columns)
    refuse("loss", "a number for each of " + std::to_string(columns) + " classes", std::to_string(by_class.size()));
}

bool takes_labels(Metric metric) {
  return metric == Metric::sparse_categorical_accuracy || metric == Metric::sparse_top_k_categorical_accuracy;
}

}  // namespace pynn

// The names by which the Python face calls activations, losses, metrics and optimizers: those of Keras.
#pragma once

#include <string>
#include <vector>

#include "../kernels/kernels.h"

namespace pynn {

// What becomes of the losses of the rows of a batch, l with the weights w: mean = sum(w l) / rows that are not masked,
// weighted_mean = sum(w l) / sum(w), sum = sum(w l). Of no rows, and of no weights, it is 0.
#define PYNN_REDUCTIONS(X) X(mean) X(weighted_mean) X(sum)
PYNN_ENUMERATION(Reduction, PYNN_REDUCTIONS)

// Each throws std::invalid_argument for a name it does not know.
Activation activation_of(const std::string& name);
Binary binary_of(const std::string& name);
Pooling pooling_of(const std::string& name);
Noise noise_of(const std::string& name);
AllMasked all_masked_of(const std::string& name);
Loss loss_of(const std::string& name);
Metric metric_of(const std::string& name);
Reduction reduction_of(const std::string& name);
Constraint constraint_of(const std::string& name);
Optimizer optimizer_of(const std::string& name);

std::vector<std::string> activation_names();
std::vector<std::string> loss_names();
std::vector<std::string> metric_names();
bool is_metric(const std::string& name);

// Whether the targets of it are class labels.
bool takes_labels(Loss loss);
bool takes_labels(Metric metric);
// Throws std::invalid_argument unless a loss of rows of so many columns may have these numbers, one for each class.
void check_by_class(const std::vector<double>& by_class, Loss loss, int64_t columns);

}  // namespace pynn

// The names by which the Python face calls activations, losses, metrics and optimizers: those of Keras.
#pragma once

#include <string>
#include <vector>

#include "../kernels/kernels.h"

namespace pynn {

// Each throws std::invalid_argument for a name it does not know.
Activation activation_of(const std::string& name);
Binary binary_of(const std::string& name);
Pooling pooling_of(const std::string& name);
Noise noise_of(const std::string& name);
Loss loss_of(const std::string& name);
Metric metric_of(const std::string& name);
Constraint constraint_of(const std::string& name);
Optimizer optimizer_of(const std::string& name);

std::vector<std::string> activation_names();
std::vector<std::string> loss_names();
std::vector<std::string> metric_names();
bool is_metric(const std::string& name);

// Whether the targets of it are class labels.
bool takes_labels(Loss loss);
bool takes_labels(Metric metric);

}  // namespace pynn

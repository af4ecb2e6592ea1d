// An optimizer's settings, and what they come to at a given step.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "../kernels/kernels.h"

namespace pynn {

struct OptimizerSettings {
  Optimizer kind = Optimizer::sgd;
  double learning_rate = 0.01, momentum = 0, rho = 0.9, beta_1 = 0.9, beta_2 = 0.999, epsilon = 1e-7;
  double initial_accumulator_value = 0.1;
  double weight_decay = 0, clipvalue = 0, clipnorm = 0, global_clipnorm = 0;  // 0: none
  // Of the average of the weights, and after how many updates they become it, 0 for never.
  double ema_momentum = 0.99, ema_overwrite_frequency = 0;
  double gradient_accumulation_steps = 0;  // 0: an update in each step
  bool nesterov = false, centered = false, amsgrad = false, use_ema = false;

  // From the names of the Python face; throws std::invalid_argument for one that is not known.
  OptimizerSettings(const std::string& name, const std::map<std::string, double>& settings);
  OptimizerSettings() = default;

  // What it keeps for each parameter beside the parameter itself.
  std::vector<std::string> slot_names() const;
  double slot_initial_value() const { return kind == Optimizer::adagrad ? initial_accumulator_value : 0; }

  // Whether a gradient of 0 changes nothing.
  bool ignores_zero_gradients() const { return kind == Optimizer::sgd && momentum == 0 && weight_decay == 0; }

  // Whether all gradients must be there before the first is applied.
  bool needs_all_gradients() const { return needs_penalty_slopes() || use_ema; }
  // Whether the slopes of penalties must be in them then: for their norms, or to be added up over steps.
  bool needs_penalty_slopes() const { return needs_norms() || accumulates(); }
  bool needs_norms() const { return clipnorm > 0 || global_clipnorm > 0; }
  bool accumulates() const { return gradient_accumulation_steps > 1; }

  // How many updates lie before step `iteration` (from 0), and whether it ends in one.
  int64_t updates_before(int64_t iteration) const { return iteration / steps_of_update(); }
  bool ends_in_update(int64_t iteration) const { return (iteration + 1) % steps_of_update() == 0; }
  bool overwrites(int64_t iteration) const {
    const auto every = static_cast<int64_t>(ema_overwrite_frequency);
    return every > 0 && (updates_before(iteration) + 1) % every == 0;
  }
  int64_t steps_of_update() const { return accumulates() ? static_cast<int64_t>(gradient_accumulation_steps) : 1; }
};

// The schedule of the bias corrections, step by step.
class OptimizerSchedule {
 public:
  // What update number `iteration` (from 1) does, at this learning rate.
  OptimizerStep step(const OptimizerSettings& settings, double learning_rate, int64_t iteration);

 private:
  // Nadam's product of momenta up to `product_at_`, which would take as many factors to work out anew.
  double product_ = 1;
  int64_t product_at_ = 0;
};

}  // namespace pynn

#include "optimizer.h"

#include <cmath>

#include "attributes.h"
#include "names.h"

namespace pynn {

OptimizerSettings::OptimizerSettings(const std::string& name, const std::map<std::string, double>& settings)
    : kind(optimizer_of(name)) {
  const std::map<std::string, double*> numbers = {{"learning_rate", &learning_rate},
                                                  {"momentum", &momentum},
                                                  {"rho", &rho},
                                                  {"beta_1", &beta_1},
                                                  {"beta_2", &beta_2},
                                                  {"epsilon", &epsilon},
                                                  {"initial_accumulator_value", &initial_accumulator_value},
                                                  {"weight_decay", &weight_decay},
                                                  {"clipvalue", &clipvalue},
                                                  {"clipnorm", &clipnorm},
                                                  {"global_clipnorm", &global_clipnorm},
                                                  {"ema_momentum", &ema_momentum},
                                                  {"ema_overwrite_frequency", &ema_overwrite_frequency},
                                                  {"gradient_accumulation_steps", &gradient_accumulation_steps}};
  const std::map<std::string, bool*> flags = {
      {"nesterov", &nesterov}, {"centered", &centered}, {"amsgrad", &amsgrad}, {"use_ema", &use_ema}};
  for (const auto& [key, value] : settings) {
    if (const auto number = numbers.find(key); number != numbers.end())
      *number->second = value;
    else if (const auto flag = flags.find(key); flag != flags.end())
      *flag->second = value != 0;
    else
      refuse("optimizer", "the name of a setting", "'" + key + "'");
  }
}

std::vector<std::string> OptimizerSettings::slot_names() const {
  std::vector<std::string> names;
  switch (kind) {
    case Optimizer::sgd:
      if (momentum != 0) names = {"velocity"};
      break;
    case Optimizer::rmsprop:
      names = {"velocity"};
      if (momentum > 0) names.push_back("momentum");
      if (centered) names.push_back("average_gradient");
      break;
    case Optimizer::adagrad: names = {"accumulator"}; break;
    case Optimizer::adadelta: names = {"accumulated_grad", "accumulated_delta_var"}; break;
    case Optimizer::adam:
      names = {"momentum", "velocity"};
      if (amsgrad) names.push_back("velocity_hat");
      break;
    case Optimizer::adamax: names = {"m", "u"}; break;
    case Optimizer::nadam: names = {"momentum", "velocity"}; break;
    case Optimizer::lion: names = {"momentum"}; break;
    case Optimizer::count: break;
  }
  return names;
}

OptimizerStep OptimizerSchedule::step(const OptimizerSettings& s, double learning_rate, int64_t iteration) {
  OptimizerStep step{};
  step.kind = s.kind;
  step.nesterov = s.nesterov;
  step.centered = s.centered;
  step.amsgrad = s.amsgrad;
  step.learning_rate = learning_rate;
  step.momentum = s.momentum;
  step.rho = s.rho;
  step.beta_1 = s.beta_1;
  step.beta_2 = s.beta_2;
  step.epsilon = s.epsilon;
  step.decay = s.weight_decay * learning_rate;
  step.clip = s.clipvalue;
  const auto t = static_cast<double>(iteration);
  if (s.kind == Optimizer::adam) {
    step.learning_rate *= std::sqrt(1 - std::pow(s.beta_2, t)) / (1 - std::pow(s.beta_1, t));
  } else if (s.kind == Optimizer::adamax) {
    step.learning_rate /= 1 - std::pow(s.beta_1, t);
  } else if (s.kind == Optimizer::nadam) {
    // The momentum schedule of Dozat (2016), Incorporating Nesterov momentum into Adam.
    const auto momentum_at = [&](int64_t i) { return s.beta_1 * (1 - 0.5 * std::pow(0.96, static_cast<double>(i))); };
    if (iteration < product_at_) product_ = 1, product_at_ = 0;
    while (product_at_ < iteration && product_ != 0) product_ *= momentum_at(++product_at_);
    product_at_ = iteration;
    const double now = momentum_at(iteration), next = momentum_at(iteration + 1);
    step.m_scale = next / (1 - product_ * next);
    step.g_scale = (1 - now) / (1 - product_);
    step.v_scale = 1 / (1 - std::pow(s.beta_2, t));
  }
  return step;
}

}  // namespace pynn

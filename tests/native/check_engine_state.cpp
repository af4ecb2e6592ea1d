// What an optimizer keeps, taken from one trainer and given to another; keys of noise that are set; and what a trainer
// remembers of teams that were held up.
#include "engine_net.h"

namespace pynn {
namespace {

constexpr int64_t kInputs = 12, kWide = 20, kUnits = 3;

using Settings = std::map<std::string, double>;

// With noise that has a key; `key` owns it.
PlanPtr noisy(const std::shared_ptr<const NoiseKey>& key) {
  Net net;
  const auto whole = [](int64_t n) { return Attributes::Value(n); };
  const int x = net.op("noise", {net.tanh_dense(net.input(kInputs), kWide)},
                       {{"kind", std::string("dropout")},
                        {"amount", 0.25},
                        {"seed", whole(3)},
                        {"key", key},
                        {"shape", std::vector<int64_t>{kWide}},
                        {"sharing", std::vector<int64_t>{0, 0}}});
  return net.plan({net.dense(x, kUnits)});
}

void steps(Trainer<double>& trainer, const Samples& samples, int64_t count, int threads) {
  Numbers totals(static_cast<std::size_t>(count));  // each step is an epoch
  trainer.train(totals.data(), samples.data(), {samples.samples(), false, 0, 0, 0, count}, threads, {});
}

// Copies, as the trainer may change what it shows.
std::vector<std::vector<Numbers>> copies(const Trainer<double>& trainer, const PlanPtr& plan, bool all) {
  std::vector<std::vector<Numbers>> found;
  const auto& parameters = plan->graph().parameters();
  for (std::size_t p = 0; p < parameters.size(); ++p) {
    found.emplace_back();
    for (const double* values : trainer.state_of(p, all)) {
      const auto size = static_cast<std::size_t>(parameters[p].parameter().size);
      found.back().push_back(values == nullptr ? Numbers{} : Numbers(values, values + size));
    }
  }
  return found;
}

std::vector<std::vector<const double*>> pointers(const std::vector<std::vector<Numbers>>& state) {
  std::vector<std::vector<const double*>> found;
  for (const auto& of_parameter : state) {
    found.emplace_back();
    for (const Numbers& each : of_parameter) found.back().push_back(each.empty() ? nullptr : each.data());
  }
  return found;
}

void check_state_of(const std::string& optimizer, const Settings& settings, std::size_t names) {
  const std::string what = "the state of " + optimizer;
  const Samples samples = Samples(40).real(kInputs).target(kUnits);
  const auto key = std::make_shared<NoiseKey>();
  const PlanPtr plan = noisy(key);
  const auto trainer = [&] {
    auto made = std::make_unique<Trainer<double>>(plan);
    made->set_heads({mean_squared_error(0, kUnits)});
    made->set_optimizer(optimizer, settings);
    return made;
  };
  const std::vector<Numbers> before = weights_of(plan->graph());
  for (const int threads : teams()) {
    set_weights(plan->graph(), before);
    key->value = 77;
    const auto one = trainer();
    check(one->state_names().size() == names, what, text("%zu names", one->state_names().size()));
    for (const auto& of_parameter : copies(*one, plan, false))
      for (const Numbers& each : of_parameter) check(each.empty(), what, "something is kept before the first step");
    steps(*one, samples, 5, threads);
    const std::vector<Numbers> middle = weights_of(plan->graph());
    const auto kept = copies(*one, plan, true);
    const int64_t iterations = one->iterations();
    steps(*one, samples, 4, threads);
    const std::vector<Numbers> after = weights_of(plan->graph());
    const auto kept_after = copies(*one, plan, true);

    // Another trainer, one that has a past, and the same one go on alike; with another key they do not.
    const auto other = trainer(), old = trainer();
    steps(*old, samples, 3, threads);
    for (Trainer<double>* each : {other.get(), old.get(), one.get()}) {
      set_weights(plan->graph(), middle);
      each->set_state(iterations, pointers(kept));
      check(each->iterations() == iterations, what, "the count of steps is another");
      steps(*each, samples, 4, threads);
      expect_same(what, weights_of(plan->graph()), after);
      for (std::size_t p = 0; p < kept.size(); ++p)
        expect_same(what + ": what is kept", copies(*each, plan, true)[p], kept_after[p]);
    }
    set_weights(plan->graph(), middle);
    other->set_state(iterations, pointers(kept));
    key->value = 78;
    steps(*other, samples, 4, threads);
    check(weights_of(plan->graph()) != after, what, "the key of the noise has no effect");

    // Nothing: as at the beginning.
    old->set_state(0, std::vector<std::vector<const double*>>(kept.size(), std::vector<const double*>(names, nullptr)));
    for (const auto& of_parameter : copies(*old, plan, false))
      for (const Numbers& each : of_parameter) check(each.empty(), what, "something is left");
  }
  set_weights(plan->graph(), before);

  const auto one = trainer();
  expect_throws<std::invalid_argument>(what, [&] { one->set_state(-1, pointers(copies(*one, plan, true))); });
  expect_throws<std::invalid_argument>(what, [&] { one->set_state(0, {}); });
  expect_throws<std::invalid_argument>(what, [&] {
    one->set_state(0, std::vector<std::vector<const double*>>(plan->graph().parameters().size(),
                                                              std::vector<const double*>(names + 1, nullptr)));
  });
  const Shared held = one->share_state();
  check(static_cast<bool>(held), what, "it cannot be held");
}

}  // namespace

void check_state() {
  check_state_of("sgd", {{"learning_rate", 0.1}}, 0);
  check_state_of("adam", {{"learning_rate", 0.01}, {"amsgrad", 1}}, 3);
  check_state_of("adagrad", {{"learning_rate", 0.1}}, 1);
  check_state_of("nadam", {{"learning_rate", 0.01}}, 2);
  check_state_of("sgd", {{"learning_rate", 0.1}, {"momentum", 0.5}, {"use_ema", 1}, {"gradient_accumulation_steps", 3}},
                 3);
}

}  // namespace pynn

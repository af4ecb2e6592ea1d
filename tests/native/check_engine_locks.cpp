// Who may use parameters while others do.
#include <thread>

#include "engine_net.h"

namespace pynn {
namespace {

constexpr int64_t kSamples = 40, kInputs = 6, kWide = 8, kUnits = 2;

struct TwoPlans {
  Weights shared = dense_weights(kInputs, kWide);
  Net first_net, second_net;
  PlanPtr first, second;
  Samples samples = Samples(kSamples).real(kInputs).target(kUnits);

  TwoPlans() {
    first = first_net.plan({first_net.dense(first_net.dense(first_net.input(kInputs), shared), kUnits)});
    second = second_net.plan({second_net.dense(second_net.dense(second_net.input(kInputs), shared), kUnits)});
  }
};

struct Setup {
  Trainer<double> trainer;
  Numbers totals = Numbers(2);

  explicit Setup(const PlanPtr& plan) : trainer(plan) {
    trainer.set_heads({mean_squared_error(0, kUnits)});
    trainer.set_optimizer("sgd", {{"learning_rate", 0.1}});
  }
  bool train(const Dataset& data, const Hooks<double>& hooks = {}) {
    return trainer.train(totals.data(), data, {kSamples, false, 0, 0, 0, 2}, 1, hooks);
  }
  Numbers evaluate(const Dataset& data) const {
    Numbers sums(2);
    trainer.evaluate(sums.data(), data, 1, {});
    return sums;
  }
};

// Hooks that do something once, in the second step of a training.
Hooks<double> in_the_middle(const std::function<void()>& action) {
  Hooks<double> hooks;
  const auto calls = std::make_shared<int>(0);
  hooks.reduce = [=](double*, int64_t, double*) {
    if (++*calls == 2) action();
  };
  return hooks;
}

void expect_free(const std::string& what, const PlanPtr& plan) {
  for (const auto& owner : plan->owners()) check(static_cast<bool>(Taken(owner->use)), what, "a lock is not free");
}

void check_training() {
  TwoPlans plans;
  Setup first(plans.first), second(plans.second);
  const Dataset data = plans.samples.data();
  const std::string what = "while another plan's training changes the parameters";
  int times = 0;
  const Hooks<double> hooks = in_the_middle([&] {
    ++times;
    expect_throws<Busy>(what + ": predict", [&] { predict(plans.second, data, 1); });
    expect_throws<Busy>(what + ": predict_training", [&] {
      Numbers out(kSamples * kUnits);
      plans.second->predict_training({out.data()}, data, false, 0, 1, {});
    });
    expect_throws<Busy>(what + ": evaluate", [&] { second.evaluate(data); });
    expect_throws<Busy>(what + ": train", [&] { second.train(data); });
    expect_throws<Busy>(what + ": the same plan", [&] { predict(plans.first, data, 1); });
    expect_throws<Busy>(what + ": the same trainer", [&] { first.train(data); });
    expect_throws<Busy>(what + ": set_heads", [&] { first.trainer.set_heads({mean_squared_error(0, kUnits)}); });
    expect_throws<Busy>(what + ": set_optimizer", [&] { first.trainer.set_optimizer("adam", {}); });
    std::thread([&] { expect_throws<Busy>(what + ": another thread", [&] { second.train(data); }); }).join();
  });
  check(first.train(data, hooks) && times == 1, what, "did not train");
  // What it was refused does no harm to the counts of those that train.
  check(first.trainer.iterations() == 2, what, text("%d iterations", static_cast<int>(first.trainer.iterations())));
  expect_free(what, plans.first);
  expect_free(what, plans.second);
  check(second.train(data), what, "does not train afterwards");
}

// Frozen parameters are read only: by training, and by others meanwhile.
void check_frozen() {
  TwoPlans plans;
  Setup first(plans.first), second(plans.second);
  const Dataset data = plans.samples.data();
  plans.shared.owner->frozen = true;
  const std::vector<Numbers> expected = predict(plans.second, data, 1);
  const std::string what = "frozen parameters";
  int times = 0;
  const Hooks<double> hooks = in_the_middle([&] {
    ++times;
    expect_same(what + ": predict", predict(plans.second, data, 1), expected);
    second.evaluate(data);
    check(second.train(data), what, "two trainings that read them");
    Taken taken(plans.shared.owner->use);
    check(!taken, what, "are not held by training");
  });
  check(first.train(data, hooks) && times == 1, what, "did not train");
  expect_free(what, plans.first);
  expect_free(what, plans.second);

  // Who changes them keeps training out that only reads them.
  const Taken taken(plans.shared.owner->use);
  expect_throws<Busy>(what + ", which another holds", [&] { first.train(data); });
  expect_throws<Busy>(what + ", which another holds: predict", [&] { predict(plans.first, data, 1); });
  plans.shared.owner->frozen = false;
  expect_throws<Busy>("parameters, which another holds", [&] { first.train(data); });
}

// Training waits for those who read; an interrupt ends the wait.
void check_waiting() {
  TwoPlans plans;
  Setup first(plans.first);
  const Dataset data = plans.samples.data();
  const Shared read(plans.shared.owner->use);
  Hooks<double> hooks;
  int polls = 0;
  hooks.interrupt = [&] {
    if (++polls > 20) throw std::domain_error("interrupted");
  };
  expect_throws<std::domain_error>("a wait for readers", [&] { first.train(data, hooks); });
  check(first.trainer.steps_done() == 0, "a wait for readers", "steps were done");
  // No op here learns by itself, so a prediction as in training changes nothing, and does not wait.
  polls = 0;
  Numbers out(kSamples * kUnits);
  check(!plans.first->predict_training({out.data()}, data, false, 0, 1, hooks.interrupt).has_value(),
        "predict_training beside readers", "found a bad number");
  predict(plans.second, data, 1);  // readers do not wait
}

void check_after_exceptions() {
  TwoPlans plans;
  Setup first(plans.first);
  const Dataset data = plans.samples.data();
  plans.first->owners().back()->frozen = true;
  const Hooks<double> hooks = in_the_middle([] { throw std::domain_error("from outside"); });
  const Recipe one_step{{mean_squared_error(0, kUnits)}, 0, 1, "sgd", {{"learning_rate", 0.1}}};
  const Trained expected = train(plans.first, one_step, data, 1);
  expect_throws<std::domain_error>("an exception in training", [&] { first.train(data, hooks); });
  expect_same("an exception in training", weights_of(plans.first->graph()), expected.weights);
  check(first.trainer.steps_done() == 1, "an exception in training", "the count of steps is wrong");
  expect_free("an exception in training", plans.first);
  check(first.train(data), "an exception in training", "does not train afterwards");

  Setup unset(plans.second);
  Trainer<double> no_heads(plans.second);
  Numbers totals(4);
  const auto expect_refused = [&](const std::string& what, const std::function<void()>& call) {
    expect_throws<std::invalid_argument>(what, call);
    expect_free(what, plans.second);
  };
  expect_refused("no heads", [&] { no_heads.train(totals.data(), data, {kSamples, false, 0, 0, 0, 1}, 1, {}); });
  expect_refused("no heads, evaluate", [&] { no_heads.evaluate(totals.data(), data, 1, {}); });
  unset.evaluate(data);
  expect_free("evaluate", plans.second);
  expect_throws<std::domain_error>("an interrupt of evaluate", [&] {
    const auto interrupt = [] { throw std::domain_error("interrupted"); };
    // The interrupt comes at most every few milliseconds: the call must take longer, however fast the processor is.
    for (int64_t samples = 400000; samples <= 6400000; samples *= 2) {
      const Samples many = Samples(samples).real(kInputs).target(kUnits);
      unset.trainer.evaluate(totals.data(), many.data(), 1, interrupt);
    }
  });
  expect_free("an interrupt of evaluate", plans.second);
}

// Readers and writers on many threads: each call does its work or is refused.
void check_many_threads() {
  TwoPlans plans;
  const Dataset data = plans.samples.data();
  std::atomic<int> done{0}, refused{0};
  std::vector<std::thread> threads;
  const auto repeat = [&](const auto& call) {
    for (int i = 0; i < 30; ++i) {
      try {
        call();
        ++done;
      } catch (const Busy&) {
        ++refused;
      }
    }
  };
  for (const PlanPtr& plan : {plans.first, plans.second}) {
    threads.emplace_back([&, plan] {
      Setup setup(plan);
      repeat([&] { setup.train(data); });
    });
    threads.emplace_back([&, plan] {
      Numbers out(kSamples * kUnits);
      repeat([&] { plan->predict({out.data()}, data, true, 0, 1, {}); });
    });
  }
  for (std::thread& thread : threads) thread.join();
  check(done + refused == 120 && done > 0, "many threads", text("%d done, %d refused", done.load(), refused.load()));
  expect_free("many threads", plans.first);
  expect_free("many threads", plans.second);
}

}  // namespace

void check_locks() {
  check_training();
  check_frozen();
  check_waiting();
  check_after_exceptions();
  check_many_threads();
}

}  // namespace pynn

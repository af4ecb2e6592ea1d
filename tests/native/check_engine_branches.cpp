// Networks that are no chains: gradients through every way, on teams of all sizes.
#include "engine_net.h"

namespace pynn {
namespace {

constexpr int64_t kSamples = 300;  // more than a slice
constexpr int64_t kInputs = 32, kWide = 96, kHidden = 48, kUnits = 8;

Samples some_samples() { return Samples(kSamples).real(kInputs).target(kUnits); }

void check_net(const std::string& what, Net& net, int output) {
  const Samples samples = some_samples();
  const PlanPtr plan = net.plan({output});
  expect_predictions(what, plan, samples.data());
  expect_gradients(what, plan, {{mean_squared_error(0, kUnits)}}, samples.data());
}

void check_two_ways() {
  Net net;
  const int a = net.tanh_dense(net.input(kInputs), kWide);
  const int sum = net.add({net.dense(a, kHidden), net.dense(a, kHidden)});
  check_net("two branches", net, net.dense(net.activation(sum, "tanh"), kUnits));
}

// A layer that is fused with its activation on one way, and passed by on the other.
void check_passed_by() {
  Net net;
  const int a = net.tanh_dense(net.input(kInputs), kHidden);
  const int inner = net.dense(net.activation(net.dense(a, kWide), "relu"), kHidden);
  check_net("a way past two layers", net, net.dense(net.activation(net.add({inner, a}), "sigmoid"), kUnits));
}

void check_three_readers() {
  Net net;
  const int a = net.tanh_dense(net.input(kInputs), kWide);
  const int b = net.activation(net.dense(a, kHidden), "sigmoid"), c = net.tanh_dense(a, kHidden);
  check_net("three readers", net, net.dense(net.add({b, c, net.dense(a, kHidden), b}), kUnits));
}

void check_read_twice() {
  Net net;
  const int a = net.tanh_dense(net.input(kInputs), kWide);
  const int twice = net.add({a, a});
  check_net("x + x", net, net.dense(net.tanh_dense(net.add({twice, a, twice}), kWide), kUnits));
}

// Of an input no gradient is asked for.
void check_input_read_twice() {
  Net net;
  const int x = net.input(kInputs);
  const int direct = net.dense(x, kWide);
  check_net("an input with two readers", net,
            net.dense(net.tanh_dense(net.add({net.dense(net.add({x, x}), kWide), direct}), kWide), kUnits));
}

// With a loss of its own, in between; `activation` ends it, and its loss may be that of what goes in.
void check_output_in_between(const std::string& loss, const std::string& activation) {
  Net net;
  const int a = net.tanh_dense(net.input(kInputs), kWide);
  const int between = net.activation(net.dense(a, kHidden), activation);
  const int end = net.dense(net.add({net.tanh_dense(between, kHidden), between}), kUnits);
  const PlanPtr plan = net.plan({between, end, between});
  const Samples samples = Samples(kSamples).real(kInputs).target(kHidden, 0, 1).target(kUnits).target(kHidden, 0, 1);
  Recipe recipe;
  recipe.heads = {
      {0, loss, kHidden, 0, "mean", 0.5, {}}, mean_squared_error(1, kUnits, 2), mean_squared_error(2, kHidden)};
  const std::string what = "an output that others read, " + activation;
  const std::vector<Numbers> outputs = expect_predictions(what, plan, samples.data());
  expect_equal(what + ", given twice", outputs[2], outputs[0]);
  expect_gradients(what, plan, recipe, samples.data());
}

// y0 = x * x and y1 = 2 x, which nobody reads: its gradient is 0.
void check_unread_output() {
  Net net;
  const int a = net.tanh_dense(net.input(kInputs), kWide);
  bool only_zeros = true;
  int backwards = 0;
  Callback callback;
  callback.forward = [](const std::vector<void*>& y, const std::vector<const void*>& x, int64_t samples) {
    const auto* from = static_cast<const double*>(x[0]);
    for (int64_t i = 0; i < samples * kWide; ++i) {
      static_cast<double*>(y[0])[i] = from[i] * from[i];
      static_cast<double*>(y[1])[i] = 2 * from[i];
    }
  };
  callback.backward = [&](const std::vector<void*>& dx, const std::vector<const void*>& dy,
                          const std::vector<const void*>& x, int64_t samples) {
    ++backwards;
    for (int64_t i = 0; i < samples * kWide; ++i) {
      const double unread = static_cast<const double*>(dy[1])[i];
      only_zeros = only_zeros && unread == 0;
      static_cast<double*>(dx[0])[i] =
          2 * static_cast<const double*>(x[0])[i] * static_cast<const double*>(dy[0])[i] + 2 * unread;
    }
  };
  const int square = net.custom({a}, {kWide, kWide}, callback)[0];
  const PlanPtr plan = net.plan({net.dense(net.tanh_dense(net.add({square, a}), kWide), kUnits)});
  const std::string what = "an output that nobody reads";
  expect_gradients(what, plan, {{mean_squared_error(0, kUnits)}}, some_samples().data());
  check(backwards > 0 && only_zeros, what, "its gradient is not 0");
}

// Its parameters stay as they are, whatever the optimizer does to others.
void check_dead_end() {
  Net net;
  const int a = net.tanh_dense(net.input(kInputs), kWide);
  const Weights dead = dense_weights(kWide, kHidden), behind = dense_weights(kHidden, kHidden);
  net.dense(net.activation(net.dense(a, dead), "tanh"), behind);
  check_net("a dead end", net, net.dense(net.tanh_dense(a, kWide), kUnits));
  const PlanPtr plan = net.plan({net.graph().tensors() - 1});
  Recipe recipe{{mean_squared_error(0, kUnits)}, 150, 3, "adam", {{"learning_rate", 0.1}, {"weight_decay", 0.1}}};
  const Trained trained = train_on_teams("a dead end, adam", plan, recipe, some_samples().data());
  const std::vector<Numbers> before = weights_of(plan->graph());
  for (size_t p = 0; p < before.size(); ++p) {
    const auto& owner = plan->graph().parameters()[p].owner;
    const bool stays = owner == dead.owner || owner == behind.owner;
    check((trained.weights[p] == before[p]) == stays, "a dead end, adam",
          text("parameter %zu %s", p, stays ? "changed" : "did not change"));
  }
}

// Gradients pass a layer that is frozen, and it stays as it is.
void check_frozen() {
  Net net;
  const int a = net.tanh_dense(net.input(kInputs), kWide);
  const Weights frozen = dense_weights(kWide, kWide);
  const int end = net.dense(net.add({net.activation(net.dense(a, frozen), "tanh"), a}), kUnits);
  frozen.owner->frozen = true;
  const PlanPtr plan = net.plan({end});
  const Samples samples = some_samples();
  Recipe recipe{{mean_squared_error(0, kUnits)}};
  expect_gradients("a frozen layer", plan, recipe, samples.data());

  // The same trainer notices what is frozen from the next call on.
  const std::vector<Numbers> before = weights_of(plan->graph());
  Trainer<double> trainer(plan);
  trainer.set_heads(recipe.heads);
  trainer.set_optimizer("sgd", {{"learning_rate", 1}});
  Numbers totals(1);
  const TrainRange range{kSamples, false, 0, 0, 0, 1};
  const Numbers kernel(frozen.kernel(), frozen.kernel() + kWide * kWide);
  trainer.train(totals.data(), samples.data(), range, 2, {});
  expect_equal("a frozen layer, its kernel", Numbers(frozen.kernel(), frozen.kernel() + kWide * kWide), kernel);
  frozen.owner->frozen = false;
  set_weights(plan->graph(), before);
  const Trained expected = train(plan, recipe, samples.data(), 2);
  trainer.train(totals.data(), samples.data(), range, 2, {});
  expect_same("a layer that is no longer frozen", weights_of(plan->graph()), expected.weights);
}

}  // namespace

void check_branches() {
  check_two_ways();
  check_passed_by();
  check_three_readers();
  check_read_twice();
  check_input_read_twice();
  check_output_in_between("mean_absolute_error", "tanh");
  check_output_in_between("binary_crossentropy", "sigmoid");
  check_unread_output();
  check_dead_end();
  check_frozen();
}

}  // namespace pynn

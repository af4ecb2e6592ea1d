// Small ops, which each member of a team takes its samples through alone, with others in between.
#include "engine_net.h"

namespace pynn {
namespace {

constexpr int64_t kSamples = 300, kSlice = 256;  // a slice, and some more
constexpr int64_t kInputs = 32, kWidth = 48, kWide = 2800, kUnits = 8;

// A layer that the team shares, for the work that a team of 7 is worth.
int wide(Net& net, int x) { return net.tanh_dense(net.tanh_dense(x, kWide), kWidth); }

int with_way_around(Net& net, int x) { return net.add({x, net.tanh_dense(x, kWidth)}); }

int noise(Net& net, int x) {
  return net.op("noise", {x},
                {{"kind", "dropout"},
                 {"amount", 0.4},
                 {"seed", int64_t{3}},
                 {"shape", std::vector<int64_t>{kWidth}},
                 {"sharing", std::vector<int64_t>{0, 0}}});
}

int concat(Net& net, const std::vector<int>& xs) { return net.op("concat", xs, {{"outer", int64_t{1}}}); }

int product(Net& net, int a, int b) {
  const std::vector<int64_t> shape{kWidth};
  return net.op("binary", {a, b}, {{"function", "multiply"}, {"shape_a", shape}, {"shape_b", shape}});
}

int64_t count_alone(const PlanPtr& plan, int64_t batch) {
  int64_t count = 0;
  for (const auto& op : plan->ops()) count += plan->goes_alone(*op, batch);
  return count;
}

// Gradients, and the bits of several teams where members have all samples, some, a few, or none.
void check_net(const std::string& what, Net& net, int output, int64_t alone) {
  const Samples samples = Samples(kSamples).real(kInputs).target(kUnits);
  const PlanPtr plan = net.plan({output});
  expect_equal(what + ": ops that are taken alone", Numbers{static_cast<double>(count_alone(plan, kSlice))},
               Numbers{static_cast<double>(alone)});
  expect_gradients(what, plan, {{mean_squared_error(0, kUnits)}}, samples.data());
  for (const int64_t batch : {100, 31, 17, 9}) {
    const Recipe recipe{{mean_squared_error(0, kUnits)}, batch, 4, "adam", {{"learning_rate", 0.01}}};
    train_on_teams(what + text(", batches of %d", static_cast<int>(batch)), plan, recipe, samples.data());
  }
}

void check_ways_around() {
  Net net;
  int x = wide(net, net.tanh_dense(net.input(kInputs), kWidth));
  for (int i = 0; i < 3; ++i) x = with_way_around(net, x);
  x = with_way_around(net, wide(net, x));
  check_net("ways around small layers", net, net.dense(x, kUnits), 16);
}

void check_kinds_of_ops() {
  Net net;
  const int x = wide(net, net.tanh_dense(net.input(kInputs), kWidth));
  const int gate = net.softmax(net.dense(x, kWidth), 1, kWidth, 1);
  const int both = concat(net, {noise(net, product(net, x, gate)), net.rescaling(x, {0.5}, {0.1})});
  net.penalize(gate, 0.1, 0.2);
  check_net("small ops of several kinds", net, net.dense(net.tanh_dense(both, kWidth), kUnits), 10);
}

// The two layers cut their kernel in other ways.
void check_shared() {
  Net net;
  const Weights kernel = dense_weights(kWidth, 2 * kWidth);
  const auto use = [&](int x, int64_t units) {
    return net.activation(net.op("dense", {x}, {{"units", units}}, {{kernel.owner, 0}, {nullptr, 0}}), "tanh");
  };
  int x = wide(net, net.tanh_dense(net.input(kInputs), kWidth));
  for (int i = 0; i < 3; ++i) x = use(use(x, 2 * kWidth), kWidth);
  check_net("a kernel that small layers share", net, net.dense(x, kUnits), 8);
}

// Not where members own rows of the kernel, as in the second layer, nor where there is much to do.
void check_large() {
  Net net;
  const PlanPtr plan = net.plan({net.activation(wide(net, net.input(kInputs)), "relu")});
  expect_equal("a small batch", Numbers{static_cast<double>(count_alone(plan, 16))}, Numbers{3});
  expect_equal("a large batch", Numbers{static_cast<double>(count_alone(plan, 1 << 20))}, Numbers{0});
}

}  // namespace

void check_alone() {
  check_ways_around();
  check_kinds_of_ops();
  check_shared();
  check_large();
}

}  // namespace pynn

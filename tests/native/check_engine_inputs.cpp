// Columns of every kind, in order and shuffled, rescaled while they are loaded.
#include "../../csrc/runtime/philox.h"
#include "engine_net.h"

namespace pynn {
namespace {

constexpr int64_t kSamples = 500, kReal = 40, kBytes = 30, kIds = 3, kRow = 16, kWide = 96, kUnits = 8;
constexpr int kRows = 10;

// Looks ids up in a table that stays as it is.
Callback lookup(const std::shared_ptr<const Numbers>& table) {
  Callback callback;
  callback.forward = [table](const std::vector<void*>& y, const std::vector<const void*>& x, int64_t samples) {
    for (int64_t i = 0; i < samples * kIds; ++i)
      std::copy_n(table->begin() + static_cast<const int32_t*>(x[0])[i] * kRow, kRow,
                  static_cast<double*>(y[0]) + i * kRow);
  };
  callback.backward = [](const std::vector<void*>&, const std::vector<const void*>&, const std::vector<const void*>&,
                         int64_t) { throw std::logic_error("nobody asked for a gradient"); };
  return callback;
}

struct ThreeInputs {
  Net net;
  std::shared_ptr<const Numbers> table = std::make_shared<Numbers>(random_values<double>(kRows * kRow));
  PlanPtr plan;
  Samples samples = Samples(kSamples).real(kReal, -1, 1, 0.3).bytes(kBytes).ids(kIds, kRows).target(kUnits);
  Recipe recipe{{mean_squared_error(0, kUnits)}};

  ThreeInputs() {
    const int real = net.input(kReal), bytes = net.input(kBytes), ids = net.input(kIds, InputKind::ids);
    const int scaled = net.rescaling(bytes, {1 / 64.0}, {-2});
    const int found = net.custom({ids}, {kIds * kRow}, lookup(table))[0];
    const int sum = net.add({net.dense(real, kWide), net.dense(scaled, kWide), net.dense(found, kWide)});
    plan = net.plan({net.dense(net.activation(sum, "tanh"), kUnits)});
  }
};

// What the ids stand for may as well be given as numbers, and so may the bytes.
void check_kinds() {
  ThreeInputs inputs;
  const std::string what = "three inputs";
  expect_gradients(what, inputs.plan, inputs.recipe, inputs.samples.data());
  Numbers found, bytes;
  for (const int32_t id : inputs.samples.whole(0))
    found.insert(found.end(), inputs.table->begin() + id * kRow, inputs.table->begin() + (id + 1) * kRow);
  for (const uint8_t byte : inputs.samples.byte_values(0)) bytes.push_back(byte / 64.0 - 2);

  Net net;
  const std::vector<OpSpec>& ops = inputs.net.graph().ops();
  const auto dense = [&](int x, size_t op) {  // with the weights of that op
    const auto weight = [&](size_t i) {
      return inputs.net.graph().parameters()[static_cast<size_t>(ops[op].parameters[i])];
    };
    return net.op("dense", {x}, {{"units", ops[op].attributes.integer("dense", "units")}}, {weight(0), weight(1)});
  };
  const int real = net.input(kReal), scaled = net.input(kBytes), vectors = net.input(kIds * kRow);
  const int sum = net.add({dense(real, 2), dense(scaled, 3), dense(vectors, 4)});
  const PlanPtr plan = net.plan({dense(net.activation(sum, "tanh"), 7)});
  Samples given(kSamples);
  given.given(kReal, inputs.samples.numbers(0)).given(kBytes, bytes).given(kIds * kRow, found);
  const std::vector<Numbers> expected = expect_predictions(what, plan, given.data());
  for (const int threads : teams())
    expect_near(what + text(": predictions of %d threads", threads),
                predict(inputs.plan, inputs.samples.data(), threads)[0], expected[0], 50);
}

// Shuffled: as if the samples lay in the order of the permutation of the epoch.
void check_order() {
  ThreeInputs inputs;
  constexpr int64_t batch = 200, batches = 3, epochs = 2;
  Recipe recipe = inputs.recipe;
  recipe.optimizer = "adam";
  recipe.settings = {{"learning_rate", 0.01}};
  recipe.batch_size = batch;
  recipe.shuffle = true;
  recipe.seed = 77;
  recipe.steps = batches * epochs;
  const Trained shuffled = train_on_teams("shuffled", inputs.plan, recipe, inputs.samples.data());

  std::vector<int64_t> order(kSamples);
  const std::vector<Numbers> before = weights_of(inputs.plan->graph());
  Trainer<double> trainer(inputs.plan);
  trainer.set_heads(recipe.heads);
  trainer.set_optimizer(recipe.optimizer, recipe.settings);
  Numbers totals(epochs);
  for (uint64_t epoch = 0; epoch < epochs; ++epoch) {
    permute(order.data(), kSamples, {recipe.seed, epoch});
    const Samples samples = inputs.samples.reordered(order);
    trainer.train(totals.data() + epoch, samples.data(), {batch, false, 0, 0, 0, batches}, 2, {});
  }
  expect_same("shuffled", shuffled.weights, weights_of(inputs.plan->graph()));
  expect_equal("shuffled: totals", shuffled.totals, totals);

  // In two calls, the second from the middle of an epoch.
  set_weights(inputs.plan->graph(), before);
  trainer.set_optimizer(recipe.optimizer, recipe.settings);
  std::fill(totals.begin(), totals.end(), 0);
  trainer.train(totals.data(), inputs.samples.data(), {batch, true, 77, 0, 0, 2}, 3, {});
  trainer.train(totals.data(), inputs.samples.data(), {batch, true, 77, 0, 2, 4}, 1, {});
  expect_same("shuffled, in two calls", weights_of(inputs.plan->graph()), shuffled.weights);
  expect_equal("shuffled, in two calls: totals", totals, shuffled.totals);
}

// Bytes that are rescaled while they are loaded, against the same numbers given as such, which the op rescales: an
// input that is an output is kept as it is.
void check_rescaling(const Numbers& scale, const Numbers& offset) {
  Net net;
  const int x = net.input(kBytes);
  const int scaled = net.rescaling(x, scale, offset);
  const int end = net.dense(net.tanh_dense(net.dense(scaled, kWide), kWide), kUnits);
  const std::string what = text("rescaling, period %zu", scale.size());
  const Samples bytes = Samples(kSamples).bytes(kBytes).target(kUnits);
  Samples numbers = Samples(kSamples);
  numbers.given(kBytes, {bytes.byte_values(0).begin(), bytes.byte_values(0).end()}).target(kUnits);
  Dataset given = numbers.data();
  given.targets = bytes.data().targets;
  Recipe recipe{{mean_squared_error(0, kUnits)}, 200, 3, "sgd", {{"learning_rate", 0.1}}};
  const PlanPtr loading = net.plan({end});
  const Trained loaded = train_on_teams(what, loading, recipe, bytes.data());
  const Trained same = train_on_teams(what, loading, recipe, given);
  const Numbers first = expect_predictions(what, loading, bytes.data())[0];
  expect_equal(what + ": numbers while they are loaded", predict(loading, given, 2)[0], first);

  const PlanPtr op = net.plan({end, x});
  check(op->ops().size() == loading->ops().size() + 1, what, "both are done while samples are loaded");
  const Trained done = train_on_teams(what, op, recipe, given);
  const std::vector<Numbers> outputs = expect_predictions(what, op, given);
  expect_equal(what + ": the input as an output", outputs[1], numbers.numbers(0));
  expect_equal(what + ": bytes and the op", predict(op, bytes.data(), 3)[0], first);
  expect_equal(what + ": numbers and the op", outputs[0], first);
  expect_same(what + ": numbers", same.weights, loaded.weights);
  expect_same(what + ": the op", done.weights, loaded.weights);

  // The rescaled numbers themselves as an output.
  const PlanPtr shown = net.plan({scaled, end});
  expect_predictions(what + ", shown", shown, bytes.data());
}

// The first element that is not finite, of the first input that has one.
void check_finite() {
  Net net;
  const int a = net.dense(net.input(kReal), kWide), b = net.dense(net.input(kBytes), kWide);
  const PlanPtr plan = net.plan({net.dense(net.add({a, b}), kUnits)});
  Numbers x = random_values<double>(kSamples * kReal), y = random_values<double>(kSamples * kBytes);
  y[5000] = std::numeric_limits<double>::infinity();
  Numbers out = unwritten<double>(kSamples * kUnits);
  for (const bool both : {false, true}) {
    if (both) x[7000] = x[3000] = std::numeric_limits<double>::quiet_NaN();
    Samples samples(kSamples);
    samples.given(kReal, x).given(kBytes, y);
    for (const int threads : teams()) {
      const auto bad = plan->predict({out.data()}, samples.data(), true, 0, threads, {});
      check(bad && bad->input == (both ? 0 : 1) && bad->index == (both ? 3000 : 5000), "numbers that are not finite",
            bad ? text("found number %d of input %d", static_cast<int>(bad->index), bad->input) : "found none");
    }
  }
}

}  // namespace

void check_inputs() {
  check_kinds();
  check_order();
  check_rescaling({1 / 255.0}, {-0.5});
  check_rescaling(random_values<double>(3), random_values<double>(3));
  check_rescaling(random_values<double>(kBytes), random_values<double>(kBytes));
  check_finite();
}

}  // namespace pynn

// Parameters that several ops use, and what is updated before the end of a step and what at the end.
#include "engine_net.h"

namespace pynn {
namespace {

constexpr int64_t kSamples = 600;  // three slices
constexpr int64_t kWide = 64, kUnits = 8;

// A layer on two inputs, and three times in a chain behind.
struct Shared3 {
  Net net;
  std::vector<Weights> layers;  // for each of the five uses: those of one layer, or each its own
  Weights last = dense_weights(kWide, kUnits);
  PlanPtr plan;

  explicit Shared3(const std::vector<Weights>& of_uses) : layers(of_uses) {
    const int x0 = net.input(kWide), x1 = net.input(kWide);
    const auto use = [&](int x, size_t which) { return net.activation(net.dense(x, layers[which]), "tanh"); };
    int end = net.add({use(x0, 0), use(x1, 1)});
    for (size_t i = 2; i < 5; ++i) end = use(end, i);
    plan = net.plan({net.dense(end, last)});
  }
};

Samples some_samples() { return Samples(kSamples).real(kWide).real(kWide).target(kUnits); }

Weights copy_of(const Weights& weights) {
  const Weights copy = dense_weights(weights.inputs, weights.units);
  std::copy_n(weights.kernel(), weights.inputs * weights.units, copy.kernel());
  std::copy_n(weights.bias(), weights.units, copy.bias());
  return copy;
}

Parameter penalized(double l1, double l2, bool by_rows = false) {
  Parameter p;
  p.l1 = l1;
  p.l2 = l2;
  p.by_rows = by_rows;
  return p;
}

Parameter with_most_norm(double most, int64_t axis, int64_t inner) {
  Parameter p;
  p.constraint = {Constraint::norm, 0, most, 0.5, 1, axis, inner};
  return p;
}

// The gradient is the sum of those that the uses would have by themselves.
void check_sum() {
  const Weights layer = dense_weights(kWide, kWide);
  Shared3 shared(std::vector<Weights>(5, layer));
  Shared3 apart({copy_of(layer), copy_of(layer), copy_of(layer), copy_of(layer), copy_of(layer)});
  std::copy_n(shared.last.kernel(), kWide * kUnits, apart.last.kernel());
  std::copy_n(shared.last.bias(), kUnits, apart.last.bias());
  const Samples samples = some_samples();
  expect_predictions("a shared layer", shared.plan, samples.data());
  for (const int64_t batch : {kSamples, int64_t{200}}) {
    const std::string what = text("a shared layer, %d samples", static_cast<int>(batch));
    const Recipe recipe{{mean_squared_error(0, kUnits)}};
    const Dataset data = samples.rows(0, batch);
    const std::vector<Numbers> gradients = expect_gradients(what, shared.plan, recipe, data);
    const std::vector<Numbers> parts = taken_away(apart.plan, train(apart.plan, recipe, data, 2));
    for (size_t p = 0; p < 2; ++p) {
      Numbers sum(gradients[p].size());
      for (size_t use = 0; use < 5; ++use)
        for (size_t i = 0; i < sum.size(); ++i) sum[i] += parts[2 * use + p][i];
      expect_near(what + ": the sum of its uses", gradients[p], sum, 50);
    }
    expect_near(what + ": the layer behind", gradients[2], parts[10], 50);
  }
}

// A penalty and a constraint count once, however many ops use the weight.
void check_penalty_once() {
  const Weights plain = dense_weights(kWide, kWide), with = dense_weights(kWide, kWide, penalized(0, 0.3));
  std::copy_n(plain.kernel(), kWide * kWide, with.kernel());
  std::copy_n(plain.bias(), kWide, with.bias());
  Shared3 a(std::vector<Weights>(5, plain)), b(std::vector<Weights>(5, with));
  std::copy_n(a.last.kernel(), kWide * kUnits, b.last.kernel());
  std::copy_n(a.last.bias(), kUnits, b.last.bias());
  const Samples samples = some_samples();
  const std::string what = "a penalty of a shared layer";
  const Recipe recipe{{mean_squared_error(0, kUnits)}};
  const Trained without = train(a.plan, recipe, samples.data(), 2);
  expect_gradients(what, b.plan, recipe, samples.data());
  const Trained trained = train(b.plan, recipe, samples.data(), 2);
  Numbers expected;
  double squares = 0;
  for (size_t i = 0; i < trained.weights[0].size(); ++i) {
    const double w = with.kernel()[i];
    expected.push_back(without.weights[0][i] - 0.6 * w);
    squares += w * w;
  }
  expect_near(what, trained.weights[0], expected, 50);
  expect_near(what + ": loss", trained.totals, {without.totals[0] + 0.3 * squares * kSamples}, 1000);
  const Numbers evaluated = evaluate(b.plan, recipe, samples.data(), 3);
  expect_near(what + ": evaluated", evaluated, {without.totals[0] + 0.3 * squares * kSamples}, 1000);
}

// A penalty that is divided by the weights of a batch, beside one that is not.
void check_penalty_by_rows() {
  const Weights first = dense_weights(kWide, kWide, penalized(0.2, 3, true)),
                last = dense_weights(kWide, kUnits, penalized(0, 0.01));
  const Weights between[] = {dense_weights(kWide, kWide), dense_weights(kWide, kWide)};
  const auto chain = [&](const Weights& begin, const Weights& end) {
    Net net;
    int x = net.activation(net.dense(net.input(kWide), begin), "tanh");
    for (const Weights& weights : between) x = net.activation(net.dense(x, weights), "tanh");
    return net.plan({net.dense(x, end)});
  };
  const PlanPtr plan = chain(first, last), plain = chain(copy_of(first), copy_of(last));
  double size = 0, squares = 0, others = 0;
  for (int64_t i = 0; i < kWide * kWide; ++i) {
    size += std::abs(first.kernel()[i]);
    squares += first.kernel()[i] * first.kernel()[i];
  }
  for (int64_t i = 0; i < kWide * kUnits; ++i) others += last.kernel()[i] * last.kernel()[i];
  const Recipe recipe{{mean_squared_error(0, kUnits)}};
  for (const bool weighted : {false, true}) {
    for (const int64_t count : {int64_t{200}, kSamples}) {  // updated early, and late
      const std::string what =
          text("a penalty by rows, %d samples, weighted %d", static_cast<int>(count), static_cast<int>(weighted));
      Samples samples = Samples(count).real(kWide).target(kUnits);
      double weights = static_cast<double>(count);
      if (weighted) {
        samples.weights(1);
        weights = 0;
        for (const double w : samples.numbers(2)) weights += std::fmax(w, 0);
      }
      expect_gradients(what, plan, recipe, samples.data());
      const double penalty = (0.2 * size + 3 * squares) / weights + 0.01 * others;
      const double expected = train(plain, recipe, samples.data(), 1).totals[0] + penalty * static_cast<double>(count);
      expect_near(what + ": loss", train_on_teams(what, plan, recipe, samples.data()).totals, {expected}, 1000);
      expect_near(what + ": evaluated", evaluate(plan, recipe, samples.data(), 3), {expected}, 1000);
    }
  }
}

void check_constraint_once() {
  const Weights plain = dense_weights(kWide, kWide);
  const Weights with = dense_weights(kWide, kWide, with_most_norm(0.5, kWide, kWide));
  std::copy_n(plain.kernel(), kWide * kWide, with.kernel());
  std::copy_n(plain.bias(), kWide, with.bias());
  Shared3 a(std::vector<Weights>(5, plain)), b(std::vector<Weights>(5, with));
  std::copy_n(a.last.kernel(), kWide * kUnits, b.last.kernel());
  std::copy_n(a.last.bias(), kUnits, b.last.bias());
  const Samples samples = some_samples();
  const Recipe recipe{{mean_squared_error(0, kUnits)}};
  Numbers expected = train(a.plan, recipe, samples.data(), 2).weights[0];
  for (size_t j = 0; j < kWide; ++j) {
    double norm = 0;
    for (size_t i = 0; i < kWide; ++i) norm += expected[i * kWide + j] * expected[i * kWide + j];
    norm = std::sqrt(norm);
    for (size_t i = 0; i < kWide; ++i)
      expected[i * kWide + j] *= (0.5 * std::fmin(norm, 0.5) + 0.5 * norm) / (norm + 1e-7);
  }
  const Trained trained = train_on_teams("a constraint of a shared layer", b.plan, recipe, samples.data());
  expect_near("a constraint of a shared layer", trained.weights[0], expected, 1000);
}

Attributes::Value number(double x) { return x; }
Attributes::Value whole(int64_t x) { return x; }

ParameterRef weight(int64_t size, double low, double high, bool learned = true) {
  const ParameterRef p{std::make_shared<Parameters>(true), 0};
  Parameter parameter;
  parameter.size = size;
  parameter.learned = learned;
  p.owner->add(parameter);
  const Numbers values = random_values<double>(size, low, high);
  std::copy(values.begin(), values.end(), values_of<double>(p));
  return p;
}

// Ops that add all their gradients or none: also where the first of their parameters is missing, or is not learned.
void check_incomplete(const std::string& kind, const std::map<std::string, Attributes::Value>& attributes,
                      const std::vector<ParameterRef>& parameters, int64_t samples) {
  Net net;
  const int a = net.tanh_dense(net.input(kWide), kWide), b = net.tanh_dense(net.input(kWide), kWide);
  const int first = net.op(kind, {a}, attributes, parameters), second = net.op(kind, {b}, attributes, parameters);
  const int both = net.add({net.activation(first, "tanh"), second});
  const PlanPtr plan = net.plan({net.dense(net.tanh_dense(both, kWide), kUnits)});
  expect_gradients("shared " + kind + text(", %d samples", static_cast<int>(samples)), plan,
                   {{mean_squared_error(0, kUnits)}}, some_samples().rows(0, samples));
}

void check_all_incomplete() {
  const ParameterRef none{}, gamma = weight(16, 0.5, 1.5), beta = weight(16, -1, 1);
  const ParameterRef mean = weight(16, -1, 1, false), variance = weight(16, 0.5, 2, false);
  const std::map<std::string, Attributes::Value> batch{
      {"momentum", number(0.9)}, {"epsilon", number(1e-3)}, {"inference", whole(0)}};
  const std::map<std::string, Attributes::Value> group{
      {"samples", whole(1)}, {"groups", whole(4)}, {"columns", whole(4)}, {"epsilon", number(1e-3)}};
  const std::map<std::string, Attributes::Value> conv{
      {"transposed", whole(0)}, {"shape", std::vector<int64_t>{1, 8, 8, 1, 8, 8, 1, 3, 1, 1, 1, 1, 0, 1, 1}}};
  for (const int64_t samples : {int64_t{200}, kSamples}) {
    check_incomplete("batch_norm", batch, {gamma, beta, mean, variance}, samples);
    check_incomplete("batch_norm", batch, {none, beta, mean, variance}, samples);
    check_incomplete("batch_norm", batch, {gamma, none, mean, variance}, samples);
    check_incomplete("group_norm", group, {none, beta}, samples);
    check_incomplete("group_norm", group, {gamma, none}, samples);
    check_incomplete("conv", conv, {weight(192, -0.3, 0.3), weight(8, -1, 1)}, samples);
    check_incomplete("conv", conv, {weight(192, -0.3, 0.3, false), weight(8, -1, 1)}, samples);
    check_incomplete("dense", {{"units", whole(kWide)}},
                     {weight(kWide * kWide, -0.2, 0.2, false), weight(kWide, -1, 1)}, samples);
  }
  // One of two layers has a weight of its own, the other weight is that of both.
  Net net;
  const int x = net.tanh_dense(net.input(kWide), kWide), x1 = net.input(kWide);
  const ParameterRef bias = weight(kWide, -1, 1);
  const auto dense = [&](int from) {
    return net.op("dense", {from}, {{"units", whole(kWide)}}, {weight(kWide * kWide, -0.2, 0.2), bias});
  };
  const PlanPtr plan = net.plan({net.dense(net.activation(net.add({dense(x), dense(x1)}), "tanh"), kUnits)});
  expect_gradients("a shared bias", plan, {{mean_squared_error(0, kUnits)}}, some_samples().data());
}

// What has a constraint is updated at the end of a step, and the rest as soon as its gradient is there. A reduction
// that changes nothing makes all wait: the weights are the same.
void check_early_and_late() {
  const std::vector<std::pair<std::string, std::map<std::string, double>>> optimizers{
      {"sgd", {{"learning_rate", 0.5}}},
      {"sgd", {{"learning_rate", 0.1}, {"momentum", 0.9}, {"weight_decay", 0.01}}},
      {"adam", {{"learning_rate", 0.01}, {"amsgrad", 1}}},
      {"nadam", {{"learning_rate", 0.01}, {"clipvalue", 0.001}}},
      {"lion", {{"learning_rate", 0.01}, {"gradient_accumulation_steps", 2}, {"global_clipnorm", 0.1}}},
      {"adam",
       {{"learning_rate", 0.01},
        {"gradient_accumulation_steps", 2},
        {"use_ema", 1},
        {"ema_momentum", 0.5},
        {"ema_overwrite_frequency", 2}}}};
  Parameter both = penalized(0.01, 0.1);
  both.constraint = with_most_norm(0.9, kWide, kWide).constraint;
  for (const Parameter& extra : {Parameter{}, penalized(0, 0.1), penalized(0.01, 0), penalized(2, 20, true),
                                 with_most_norm(0.9, kWide, kWide), both}) {
    Net net;
    // Of 250 samples, some inputs are 0 in all: with plain gradient descent only a penalty moves their weights.
    const int a = net.activation(net.dense(net.input(kWide), dense_weights(kWide, kWide, extra)), "relu");
    const int b = net.activation(net.dense(a, dense_weights(kWide, kWide, extra)), "relu");
    const PlanPtr plan = net.plan({net.dense(net.add({net.tanh_dense(b, kWide), a}), kUnits)});
    Samples samples = Samples(250).real(kWide, 0, 1, 0.8).target(kUnits);
    Numbers& x = samples.numbers(0);
    for (size_t i = 0; i < x.size(); ++i)
      if (i % kWide % 5 == 2) x[i] = 0;
    for (const auto& [name, settings] : optimizers) {
      const std::string what =
          text("%s, l1 %g, l2 %g, constraint %d", name.c_str(), extra.l1, extra.l2, extra.constrained());
      Recipe recipe{{mean_squared_error(0, kUnits)}, 200, 3, name, settings};
      const Trained early = train_on_teams(what, plan, recipe, samples.data());
      int reductions = 0;
      recipe.hooks.reduce = [&](double*, int64_t, double*) { ++reductions; };
      const Trained late = train_on_teams(what + ", reduced", plan, recipe, samples.data());
      check(reductions == 12, what, text("%d reductions", reductions));
      expect_same(what + ": updated early or late", early.weights, late.weights);
      expect_equal(what + ": totals", early.totals, late.totals);
    }
  }
}

// A weight with a penalty that no loss depends on: the penalty alone moves it.
void check_penalty_alone() {
  Net net;
  const int x = net.input(kWide), a = net.tanh_dense(x, kWide);
  const Weights alone = dense_weights(kWide, kWide, penalized(0, 0.25));
  net.dense(a, alone);
  const PlanPtr plan = net.plan({net.dense(net.tanh_dense(a, kWide), kUnits)});
  const Samples samples = Samples(200).real(kWide).target(kUnits);
  expect_gradients("a penalty in a dead end", plan, {{mean_squared_error(0, kUnits)}}, samples.data());
}

}  // namespace

void check_sharing() {
  check_sum();
  check_penalty_once();
  check_penalty_by_rows();
  check_constraint_once();
  check_all_incomplete();
  check_early_and_late();
  check_penalty_alone();
}

}  // namespace pynn

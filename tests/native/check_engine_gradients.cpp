// Gradients on demand, steps with gradients from elsewhere, optimizers that are handed on, and losses of overlaps.
#include "../../csrc/engine/gradients.h"
#include "engine_net.h"

namespace pynn {
namespace {

constexpr int64_t kSamples = 600, kInputs = 24, kWide = 48;  // three slices

// A layer that is used twice and behind itself, a branch, and three heads; one head has no loss, and one row weights.
struct Branched {
  Net net;
  Weights shared, frozen = dense_weights(kInputs, kWide);
  PlanPtr plan;
  std::vector<HeadSetting> heads;
  Samples samples = Samples(kSamples).real(kInputs).real(kInputs).target(kInputs).one_hot(2, 4).target(6);

  explicit Branched(double l2 = 0) {
    Parameter kernel;
    kernel.l2 = l2;
    shared = dense_weights(kInputs, kInputs, kernel);
    const int x = net.input(kInputs), other = net.input(kInputs);
    const auto use = [&](int from) { return net.activation(net.dense(from, shared), "tanh"); };
    const int a = net.add({use(x), use(use(other))});
    const int wide = net.activation(net.dense(a, frozen), "tanh");
    const int classes = net.softmax(net.dense(wide, 8), 2, 4, 1);
    const int numbers = net.dense(net.tanh_dense(wide, kWide), 6);
    net.penalize(wide, 0, 0.01);
    plan = net.plan({a, classes, numbers});
    samples.no_weights().weights(2).weights(1);
    heads = {mean_squared_error(0, kInputs, 0.7),
             {1, "categorical_crossentropy", 4, 0, "mean", 2, {}},
             {2, "mean_squared_error", 3, 0, "weighted_mean", 1.5, {}}};
    frozen.owner->frozen = true;
  }
};

struct Asked {
  std::vector<Numbers> parameters, inputs;
  double loss = 0;
};

// All gradients there are; dys: those of the outputs, in place of losses.
Asked gradients_of(const PlanPtr& plan, const Heads<double>* heads, const std::vector<const double*>& dys,
                   const Dataset& data, int threads) {
  Asked asked;
  std::vector<double*> to, to_inputs;
  for (const ParameterRef& p : plan->graph().parameters())
    asked.parameters.push_back(unwritten<double>(p.parameter().size));
  for (Numbers& each : asked.parameters) to.push_back(each.data());
  if (heads == nullptr)
    for (const PlanInput<double>& in : plan->inputs())
      asked.inputs.push_back(unwritten<double>(data.samples * in.width));
  for (Numbers& each : asked.inputs) to_inputs.push_back(each.data());
  const Interrupt none;
  const GradientCall<double> call{data, false, 0, to, to_inputs, threads, none};
  if (heads != nullptr)
    asked.loss = loss_gradients(*plan, *heads, call);
  else
    vector_jacobian_product(*plan, dys, call);
  return asked;
}

Asked on_teams(const std::string& what, const PlanPtr& plan, const Heads<double>* heads,
               const std::vector<const double*>& dys, const Dataset& data) {
  const std::vector<Numbers> before = weights_of(plan->graph());
  Asked first;
  for (const int threads : teams()) {
    Asked asked = gradients_of(plan, heads, dys, data, threads);
    if (first.parameters.empty()) first = asked;
    const std::string name = what + text(", %d threads", threads);
    expect_same(name, asked.parameters, first.parameters);
    expect_same(name + ", inputs", asked.inputs, first.inputs);
    expect_equal(name + ", loss", Numbers{asked.loss}, Numbers{first.loss});
  }
  expect_same(what + ": the weights", weights_of(plan->graph()), before);
  return first;
}

// The central difference of value() by *x.
template <typename Value>
double slope(double* x, const Value& value) {
  constexpr double step = 1e-6;
  const double at = *x;
  *x = at + step;
  const double above = value();
  *x = at - step;
  const double below = value();
  *x = at;
  return (above - below) / (2 * step);
}

template <typename Value>
void expect_slopes(const std::string& what, const PlanPtr& plan, const std::vector<Numbers>& found,
                   const Value& value) {
  for (size_t p = 0; p < found.size(); ++p) {
    const ParameterRef& parameter = plan->graph().parameters()[p];
    for (const size_t i : {found[p].size() / 3, found[p].size() - 1}) {
      const double expected = parameter.trainable() ? slope(values_of<double>(parameter) + i, value) : 0;
      check(is_close(found[p][i], expected), what,
            text("gradient of element %zu of parameter %zu is %.9g, expected %.9g", i, p, found[p][i], expected));
    }
  }
}

void check_loss_gradients() {
  Branched net(0.02);
  const Dataset data = net.samples.data();
  const Heads<double> heads(*net.plan, net.heads);
  const Asked asked = on_teams("loss_gradients", net.plan, &heads, {}, data);
  Recipe recipe;
  recipe.heads = net.heads;
  const auto loss = [&] { return evaluate(net.plan, recipe, data, 2)[0] / kSamples; };
  expect_near("loss_gradients: the loss", Numbers{asked.loss}, Numbers{loss()}, 1000);
  expect_slopes("loss_gradients", net.plan, asked.parameters, loss);
  const std::vector<Numbers> step = taken_away(net.plan, train(net.plan, recipe, data, 3));
  for (size_t p = 0; p < step.size(); ++p)
    expect_close(text("loss_gradients: a step, parameter %zu", p), step[p], asked.parameters[p]);
}

void check_products_with_vectors() {
  Branched net;
  std::vector<Numbers> dys;
  std::vector<const double*> pointers;
  for (const int output : net.plan->graph().outputs())
    dys.push_back(random_values<double>(kSamples * net.plan->size(output)));
  for (const Numbers& dy : dys) pointers.push_back(dy.data());
  const Asked asked = on_teams("vector_jacobian_product", net.plan, nullptr, pointers, net.samples.data());
  const auto value = [&] {
    const std::vector<Numbers> y = predict(net.plan, net.samples.data(), 2);
    double sum = 0;
    for (size_t i = 0; i < y.size(); ++i)
      for (size_t j = 0; j < y[i].size(); ++j) sum += y[i][j] * dys[i][j];
    return sum;
  };
  expect_slopes("vector_jacobian_product", net.plan, asked.parameters, value);
  for (size_t input = 0; input < 2; ++input)
    for (const size_t i : {size_t{5}, asked.inputs[input].size() - 1}) {
      const double expected = slope(&net.samples.numbers(input)[i], value);
      check(is_close(asked.inputs[input][i], expected), "vector_jacobian_product",
            text("gradient of element %zu of input %zu is %.9g, expected %.9g", i, input, asked.inputs[input][i],
                 expected));
    }
}

// Steps with the gradients of the loss, given from outside, are those of training.
void check_steps_with_given_gradients() {
  for (const std::string optimizer : {"sgd", "adam"}) {
    const std::string what = "apply_gradients, " + optimizer;
    Branched net;
    const Dataset data = net.samples.data();
    Recipe recipe;
    recipe.heads = net.heads;
    recipe.optimizer = optimizer;
    recipe.settings = {{"learning_rate", 0.05}};
    recipe.steps = 3;
    const Trained expected = train(net.plan, recipe, data, 2);
    const std::vector<Numbers> before = weights_of(net.plan->graph());
    std::vector<Numbers> first;
    for (const int threads : teams()) {
      Trainer<double> trainer(net.plan);
      trainer.set_heads(recipe.heads);
      trainer.set_optimizer(recipe.optimizer, recipe.settings);
      for (int64_t step = 0; step < recipe.steps; ++step) {
        const Asked asked = gradients_of(net.plan, trainer.heads(), {}, data, threads);
        std::vector<const double*> given;
        for (size_t p = 0; p < asked.parameters.size(); ++p)
          given.push_back(net.plan->graph().parameters()[p].trainable() ? asked.parameters[p].data() : nullptr);
        trainer.apply_gradients(given, threads, {});
      }
      check(trainer.iterations() == recipe.steps, what, "the steps are not counted");
      const std::vector<Numbers> weights = weights_of(net.plan->graph());
      if (first.empty()) first = weights;
      expect_same(what + text(", %d threads", threads), weights, first);
      set_weights(net.plan->graph(), before);
    }
    for (size_t p = 0; p < first.size(); ++p) {
      expect_close(what + text(", parameter %zu", p), first[p], expected.weights[p]);
      const bool moved = first[p] != before[p], learns = net.plan->graph().parameters()[p].trainable();
      check(moved == learns, what, text("parameter %zu has %smoved", p, moved ? "" : "not "));
    }
  }
}

// A trainer of the same parameters goes on where the other stopped.
void check_optimizers_handed_on() {
  Branched net;
  const Dataset data = net.samples.data();
  const std::map<std::string, double> settings{{"learning_rate", 0.05}};
  const TrainRange one{kSamples, false, 5, 0, 0, 1}, two{kSamples, false, 5, 0, 0, 2};
  const std::vector<Numbers> before = weights_of(net.plan->graph());
  const auto steps = [&](Trainer<double>& trainer, const TrainRange& range) {
    Numbers totals(static_cast<size_t>(trainer.heads()->columns() * range.steps));
    trainer.train(totals.data(), data, range, 2, {});
  };
  Trainer<double> whole(net.plan), a(net.plan), b(net.plan);
  for (Trainer<double>* each : {&whole, &a, &b}) each->set_heads(net.heads);
  whole.set_optimizer("adam", settings);
  steps(whole, two);
  const std::vector<Numbers> expected = weights_of(net.plan->graph());
  set_weights(net.plan->graph(), before);
  a.set_optimizer("adam", settings);
  steps(a, one);
  b.take_optimizer(a);
  const auto slots = [](const Trainer<double>& trainer) { return trainer.state_names().size(); };
  check(b.iterations() == 1 && slots(b) == 2 && slots(a) == 0, "take_optimizer", "the state was not handed on");
  check(b.learning_rate() == 0.05, "take_optimizer", "the rate was not handed on");
  steps(b, one);
  expect_same("take_optimizer", weights_of(net.plan->graph()), expected);
  b.take_optimizer(b);
  check(slots(b) == 2 && b.iterations() == 2, "take_optimizer", "a trainer that takes its own has lost it");
  Branched others;
  Trainer<double> stranger(others.plan);
  expect_throws<std::invalid_argument>("take_optimizer of other parameters", [&] { stranger.take_optimizer(b); });
  check(slots(b) == 2 && b.iterations() == 2, "take_optimizer", "a refused one has taken something");
  set_weights(net.plan->graph(), before);
}

// ---- losses of overlaps

constexpr int64_t kRows = 5, kColumns = 12;

// Tversky's loss by plain loops. Each sample has its groups, or the batch has; what they sum over: rows, columns.
double plain_overlap(const Numbers& y, const Numbers& p, size_t samples, bool of_batch, bool rows, bool columns,
                     const std::string& reduction, const Numbers& weights) {
  std::map<size_t, std::array<double, 3>> groups;
  for (size_t s = 0; s < samples; ++s)
    for (size_t r = 0; r < kRows; ++r)
      for (size_t c = 0; c < kColumns; ++c) {
        const size_t i = (s * kRows + r) * kColumns + c;
        std::array<double, 3>& sums =
            groups[((of_batch ? 0 : s) * kRows + (rows ? 0 : r)) * kColumns + (columns ? 0 : c)];
        sums[0] += y[i] * p[i];
        sums[1] += y[i];
        sums[2] += p[i];
      }
  double total = 0, divisor = 0, all = 0, counted = 0;
  for (const double w : weights) {
    all += std::fmax(w, 0);
    counted += w >= 0;
  }
  for (const auto& [key, sums] : groups) {
    const double value = 1 - sums[0] / (sums[0] + 0.3 * (sums[1] - sums[0]) + 0.8 * (sums[2] - sums[0]) + 1e-7);
    if (of_batch) {
      const double by = weights.empty() ? 1 : all;
      total += by * value;
      divisor += weights.empty() || reduction == "sum" ? 1 : reduction == "mean" ? counted : all;
      continue;
    }
    const double w = weights.empty() ? 1 : weights[key / (kRows * kColumns)];
    if (w < 0) continue;
    total += w * value;
    divisor += reduction == "mean" ? 1 : w;
  }
  return reduction == "sum" ? total : total / divisor;
}

void check_overlaps() {
  for (const bool of_batch : {true, false})
    for (const bool rows : {true, false})
      for (const bool columns : {true, false})
        for (const bool weighted : {false, true})
          for (const std::string reduction : {"mean", "sum", "weighted_mean"}) {
            const std::string what = text("overlaps%s%s%s%s, ", of_batch ? " of batches" : "", rows ? " of rows" : "",
                                          columns ? " of columns" : "", weighted ? ", weighted" : "") +
                                     reduction;
            Net net;
            const int wide = net.tanh_dense(net.tanh_dense(net.input(kInputs), 3 * kWide), 3 * kWide);
            // Sums of many values are large, and differences of them not exact.
            const double weight = reduction == "sum" ? 0.01 : 1.3;
            const PlanPtr plan = net.plan({net.activation(net.dense(wide, kRows * kColumns), "sigmoid")});
            Samples samples = Samples(kSamples).real(kInputs).target(kRows * kColumns, 0, 1);
            if (weighted) samples.weights(1);
            Recipe recipe;
            recipe.heads = {{0, "tversky", kColumns, 0.3, reduction, weight, {{"mean_squared_error", 0}}, 0.8, 1e-7}};
            recipe.heads[0].axes = SummedAxes{of_batch, {{kRows, rows}, {kColumns, columns}}};
            const Dataset data = samples.data();
            const Numbers p = predict(plan, data, 3)[0], w = weighted ? samples.numbers(2) : Numbers{};
            const double expected =
                weight * plain_overlap(samples.numbers(1), p, kSamples, of_batch, rows, columns, reduction, w);
            Numbers evaluated = evaluate(plan, recipe, data, 1);
            expect_near(what, Numbers{evaluated[0]}, Numbers{kSamples * expected}, 5000);
            for (const int threads : teams()) expect_equal(what, evaluate(plan, recipe, data, threads), evaluated);
            expect_gradients(what, plan, recipe, data);
          }
}

void check_overlap_refusals() {
  Net net;
  const PlanPtr plan = net.plan({net.dense(net.input(kInputs), kRows * kColumns)});
  const auto refused = [&](const std::string& what, const std::string& loss, const SummedAxes& axes) {
    HeadSetting head{0, loss, kColumns, 0.5, "mean", 1, {}, 0.5, 1e-7};
    head.axes = axes;
    expect_throws<std::invalid_argument>(what, [&] { Heads<double>(*plan, {head}); });
  };
  refused("axes of another loss", "mean_squared_error", {true, {{kRows * kColumns, true}}});
  refused("axes of another size", "tversky", {true, {{kRows, true}}});
  refused("axes without elements", "tversky", {true, {{0, true}, {kRows * kColumns, true}}});
  expect_throws<std::invalid_argument>("a loss of overlaps without axes",
                                       [&] { Heads<double>(*plan, {{0, "tversky", kColumns, 0.5, "mean", 1, {}}}); });
  HeadSetting head = mean_squared_error(0, kColumns);
  head.metrics = {{"tversky", 0.5}};
  expect_throws<std::invalid_argument>("a metric of overlaps", [&] { Heads<double>(*plan, {head}); });
}

}  // namespace

void check_gradients() {
  check_loss_gradients();
  check_products_with_vectors();
  check_steps_with_given_gradients();
  check_optimizers_handed_on();
  check_overlaps();
  check_overlap_refusals();
}

}  // namespace pynn

// Several losses with weights and metrics, what is told of them, and losses that are computed from logits.
#include "engine_net.h"

namespace pynn {
namespace {

constexpr int64_t kSamples = 300, kInputs = 32, kWide = 96;

// Cross-entropy of rows of `columns` probabilities, as the mean over the rows.
double plain_crossentropy(const Numbers& p, const Numbers& y, int64_t columns) {
  double sum = 0;
  for (size_t i = 0; i < p.size(); ++i) sum -= y[i] == 0 ? 0 : y[i] * std::log(p[i]);
  return sum / static_cast<double>(p.size()) * static_cast<double>(columns);
}

double plain_error(const Numbers& p, const Numbers& y, bool squared) {
  double sum = 0;
  for (size_t i = 0; i < p.size(); ++i) sum += squared ? (p[i] - y[i]) * (p[i] - y[i]) : std::abs(p[i] - y[i]);
  return sum / static_cast<double>(p.size());
}

double plain_accuracy(const Numbers& p, const std::vector<int32_t>& labels, size_t columns) {
  size_t right = 0;
  for (size_t row = 0; row < labels.size(); ++row) {
    const auto begin = p.begin() + static_cast<std::ptrdiff_t>(row * columns);
    const auto best = std::max_element(begin, begin + static_cast<std::ptrdiff_t>(columns));
    right += best - begin == labels[row];
  }
  return static_cast<double>(right) / static_cast<double>(labels.size());
}

// Two rows of classes a sample, numbers, and labels.
struct ThreeHeads {
  Net net;
  PlanPtr plan;
  Samples samples = Samples(kSamples).real(kInputs).one_hot(2, 5).target(12).labels(1, 7);
  Recipe recipe;

  ThreeHeads() {
    const int a = net.tanh_dense(net.tanh_dense(net.input(kInputs), kWide), kWide);
    const int classes = net.softmax(net.dense(a, 10), 2, 5, 1), numbers = net.dense(a, 12);
    const int labels = net.softmax(net.dense(a, 7), 1, 7, 1);
    net.penalize(a, 0, 0.02);
    plan = net.plan({classes, numbers, labels});
    recipe.heads = {
        {0, "categorical_crossentropy", 5, 0, true, 0.7, {}},
        {1, "mean_squared_error", 4, 0, true, 2, {{"mean_absolute_error", 12, 0}, {"mean_squared_error", 4, 0}}},
        {2, "sparse_categorical_crossentropy", 7, 0, true, 1.5, {{"sparse_categorical_accuracy", 7, 0}}}};
  }
};

void check_totals() {
  ThreeHeads heads;
  const std::string what = "three heads";
  const std::vector<Numbers> p = expect_predictions(what, heads.plan, heads.samples.data());
  const Numbers& y = heads.samples.numbers(1);
  Numbers one_hot(p[2].size());
  for (size_t i = 0; i < kSamples; ++i) one_hot[i * 7 + static_cast<size_t>(heads.samples.whole(0)[i])] = 1;
  const Numbers losses{plain_crossentropy(p[0], y, 5), plain_error(p[1], heads.samples.numbers(2), true),
                       plain_crossentropy(p[2], one_hot, 7)};
  const Numbers metrics{plain_error(p[1], heads.samples.numbers(2), false), losses[1],
                        plain_accuracy(p[2], heads.samples.whole(0), 7)};
  const double loss = 0.7 * losses[0] + 2 * losses[1] + 1.5 * losses[2];

  const Dataset data = heads.samples.data();
  const std::vector<int> sizes = teams();
  const Numbers evaluated = evaluate(heads.plan, heads.recipe, data, sizes[0]);
  for (const int threads : sizes)
    expect_equal(what + ": evaluated", evaluate(heads.plan, heads.recipe, data, threads), evaluated);
  // Rows have losses and metrics of their own: 2, 3 and 1 in a sample.
  const double n = kSamples;
  const Numbers expected{n * loss,       n * 2 * losses[0],  n * 3 * losses[1], n * losses[2],
                         n * metrics[0], n * 3 * metrics[1], n * metrics[2]};
  const double penalties = evaluated.back();
  expect_near(what + ": evaluated", Numbers(evaluated.begin(), evaluated.end() - 1), expected, 5000);

  Recipe standing = heads.recipe;
  standing.settings["learning_rate"] = 0;
  for (const int64_t batch : {kSamples, int64_t{7}, int64_t{100}}) {
    standing.batch_size = batch;
    standing.steps = (kSamples + batch - 1) / batch;
    const Trained trained = train(heads.plan, standing, data, 3);
    Numbers as_trained = expected;
    as_trained[0] += penalties;
    as_trained[1] /= 2;
    as_trained[2] /= 3;
    expect_near(what + ": trained at rate 0", trained.totals, as_trained, 5000);
    expect_same(what + ": rate 0", trained.weights, weights_of(heads.plan->graph()));
  }
  check(penalties > 0, what, "there is no penalty");
  expect_gradients(what, heads.plan, heads.recipe, data);
}

// Without a mean, a loss is the sum over the rows of the batch.
void check_sums() {
  ThreeHeads heads;
  Recipe recipe = heads.recipe;
  recipe.batch_size = 200;
  const Trained means = train_on_teams("means", heads.plan, recipe, heads.samples.data());
  for (HeadSetting& head : recipe.heads) {
    head.weight /= head.output == 0 ? 400 : head.output == 1 ? 600 : 200;
    head.mean = false;
  }
  const Trained sums = train_on_teams("sums", heads.plan, recipe, heads.samples.data());
  for (size_t p = 0; p < means.weights.size(); ++p)
    expect_near("sums in place of means", sums.weights[p], means.weights[p], 100);
  expect_near("sums in place of means: totals", sums.totals,
              {means.totals[0], 400 * means.totals[1], 600 * means.totals[2], 200 * means.totals[3], means.totals[4],
               means.totals[5], means.totals[6]},
              5000);
}

// A network whose last dense layer is so steep that probabilities are 0 or 1. Its ends: the logits, and what an
// activation makes of them.
struct Steep {
  Net net;
  Weights last;
  int logits;

  Steep(int64_t units, double steepness) : last(dense_weights(kWide, units)) {
    logits = net.dense(net.tanh_dense(net.tanh_dense(net.input(kInputs), kWide), kWide), last);
    for (int64_t i = 0; i < kWide * units; ++i) last.kernel()[i] *= steepness;
  }
};

double largest(const std::vector<Numbers>& gradients) {
  double most = 0;
  for (const Numbers& of : gradients)
    for (const double g : of) most = std::fmax(most, std::abs(g));
  return most;
}

void check_logits(const std::string& loss, const std::string& activation, const Samples& samples) {
  for (const double steepness : {1.0, 4000.0}) {
    Steep steep(6, steepness);
    const int output = activation == "softmax" ? steep.net.softmax(steep.logits, 1, 6, 1)
                                               : steep.net.activation(steep.logits, activation);
    const std::string what = loss + text(", steepness %g", steepness);
    const PlanPtr end = steep.net.plan({output}), logits = steep.net.plan({steep.logits});
    const Recipe of_end{{{0, loss, 6, 0, true, 1, {}}}}, of_logits{{{0, loss + "_from_logits", 6, 0, true, 1, {}}}};
    const Trained found = train_on_teams(what, end, of_end, samples.data());
    const Trained expected = train_on_teams(what, logits, of_logits, samples.data());
    expect_same(what + ": from logits", found.weights, expected.weights);
    expect_equal(what + ": totals", found.totals, expected.totals);
    check(largest(taken_away(end, found)) > 1e-3, what, "there is no gradient");
    if (steepness == 1) expect_gradients(what, end, of_end, samples.data());
  }
}

// Where the loss must be that of the output: it comes from what the output is, and its gradient passes the activation.
// That of a saturated softmax is 0.
void check_no_logits() {
  const Recipe recipe{{{0, "categorical_crossentropy", 6, 0, true, 1, {}}}};
  const Samples samples = Samples(kSamples).real(kInputs).one_hot(1, 6);
  {
    Steep steep(6, 1);
    const int output = steep.net.softmax(steep.logits, 1, 6, 1);
    steep.net.penalize(output, 0.1, 0.3);
    const std::string what = "a penalty of the output";
    const PlanPtr plan = steep.net.plan({output});
    expect_gradients(what, plan, recipe, samples.data());
    const Numbers p = predict(plan, samples.data(), 1)[0];
    double penalty = 0;
    for (const double each : p) penalty += 0.1 * std::abs(each) + 0.3 * each * each;
    const Numbers evaluated = evaluate(plan, recipe, samples.data(), 2);
    expect_near<double>(what, {evaluated[1]}, {penalty}, 5000);
  }
  for (const bool penalized : {false, true}) {
    Steep steep(6, 1e6);
    const int output = steep.net.softmax(steep.logits, 1, 6, 1);
    if (penalized) steep.net.penalize(output, 0, 0);
    const double most =
        largest(taken_away(steep.net.plan({output}), train(steep.net.plan({output}), recipe, samples.data(), 2)));
    check(penalized ? most < 1e-9 : most > 1e-3, "a saturated output",
          text("penalized %d: gradient %g", penalized, most));
  }
}

// Softmax along the middle axis of (2, 6, 3); the loss sees rows of 6 (or 3) that are not those of the softmax.
void check_other_axis() {
  for (const int64_t columns : {int64_t{6}, int64_t{3}}) {
    const Samples samples = Samples(kSamples).real(kInputs).one_hot(36 / columns, columns);
    const Recipe recipe{{{0, "categorical_crossentropy", columns, 0, true, 1, {}}}};
    Steep steep(36, 1);
    const PlanPtr plan = steep.net.plan({steep.net.softmax(steep.logits, 2, 6, 3)});
    const std::string what = text("softmax of another axis, %d columns", static_cast<int>(columns));
    expect_predictions(what, plan, samples.data());
    expect_gradients(what, plan, recipe, samples.data());
  }
  // Rows that are longer or shorter than those of the softmax.
  const Samples samples = Samples(kSamples).real(kInputs).one_hot(1, 12);
  Steep steep(12, 1);
  const PlanPtr plan = steep.net.plan({steep.net.softmax(steep.logits, 2, 6, 1)});
  expect_gradients("rows of two softmaxes", plan, {{{0, "categorical_crossentropy", 12, 0, true, 1, {}}}},
                   samples.data());
}

}  // namespace

void check_heads() {
  check_totals();
  check_sums();
  check_logits("categorical_crossentropy", "softmax", Samples(kSamples).real(kInputs).one_hot(1, 6));
  check_logits("sparse_categorical_crossentropy", "softmax", Samples(kSamples).real(kInputs).labels(1, 6));
  check_logits("binary_crossentropy", "sigmoid", Samples(kSamples).real(kInputs).target(6, 0, 1));
  check_no_logits();
  check_other_axis();
}

}  // namespace pynn

// Several losses with weights and metrics, what is told of them, and losses that are computed from logits.
#include "engine_net.h"

namespace pynn {
namespace {

constexpr int64_t kSamples = 300, kInputs = 32, kWide = 96;

// Of rows of `columns` probabilities.
Numbers plain_crossentropies(const Numbers& p, const Numbers& y, size_t columns) {
  Numbers rows(p.size() / columns);
  for (size_t i = 0; i < p.size(); ++i) rows[i / columns] -= y[i] == 0 ? 0 : y[i] * std::log(p[i]);
  return rows;
}

Numbers plain_errors(const Numbers& p, const Numbers& y, size_t columns, bool squared) {
  Numbers rows(p.size() / columns);
  for (size_t i = 0; i < p.size(); ++i) {
    const double d = p[i] - y[i];
    rows[i / columns] += (squared ? d * d : std::abs(d)) / static_cast<double>(columns);
  }
  return rows;
}

Numbers plain_accuracies(const Numbers& p, const std::vector<int32_t>& labels, size_t columns) {
  Numbers rows;
  for (size_t row = 0; row < labels.size(); ++row) {
    const auto begin = p.begin() + static_cast<std::ptrdiff_t>(row * columns);
    const auto best = std::max_element(begin, begin + static_cast<std::ptrdiff_t>(columns));
    rows.push_back(best - begin == labels[row]);
  }
  return rows;
}

// What rows come to with their weights, each of which stands for some rows in a row; no weights: all are 1.
struct PlainSum {
  double values = 0, weights = 0, rows = 0;

  PlainSum(const Numbers& of_rows, const Numbers& weights_of = {}) {
    for (size_t i = 0; i < of_rows.size(); ++i) {
      const double w = weights_of.empty() ? 1 : weights_of[i * weights_of.size() / of_rows.size()];
      if (w < 0) continue;
      values += w * of_rows[i];
      weights += w;
      rows += 1;
    }
  }
  double reduced(const std::string& reduction) const {
    return reduction == "sum" ? values : values / (reduction == "mean" ? rows : weights);
  }
};

// The same where all weights are 1, but for the masks.
PlainSum unweighted(const Numbers& of_rows, Numbers weights) {
  for (double& w : weights) w = w < 0 ? -1 : 1;
  return {of_rows, weights};
}

double mean(const Numbers& of_rows) { return PlainSum(of_rows).reduced("mean"); }

// Two rows of classes a sample, numbers, and labels.
struct ThreeHeads {
  Net net;
  PlanPtr plan;
  Samples samples = Samples(kSamples).real(kInputs).one_hot(2, 5).target(12).labels(1, 7);
  Recipe recipe;
  std::vector<Numbers> p;  // the outputs

  // The losses of the rows of each head.
  std::vector<Numbers> losses() const {
    Numbers one_hot(p[2].size());
    for (size_t i = 0; i < kSamples; ++i) one_hot[i * 7 + static_cast<size_t>(samples.whole(0)[i])] = 1;
    return {plain_crossentropies(p[0], samples.numbers(1), 5), plain_errors(p[1], samples.numbers(2), 4, true),
            plain_crossentropies(p[2], one_hot, 7)};
  }

  ThreeHeads() {
    const int a = net.tanh_dense(net.tanh_dense(net.input(kInputs), kWide), kWide);
    const int classes = net.softmax(net.dense(a, 10), 2, 5, 1), numbers = net.dense(a, 12);
    const int labels = net.softmax(net.dense(a, 7), 1, 7, 1);
    net.penalize(a, 0, 0.02);
    plan = net.plan({classes, numbers, labels});
    p = expect_predictions("three heads", plan, samples.data());
    recipe.heads = {{0, "categorical_crossentropy", 5, 0, "mean", 0.7, {}},
                    {1, "mean_squared_error", 4, 0, "mean", 2, {{"mean_absolute_error", 0}, {"mean_squared_error", 0}}},
                    {2, "sparse_categorical_crossentropy", 7, 0, "mean", 1.5, {{"sparse_categorical_accuracy", 0}}}};
  }
};

void check_totals() {
  ThreeHeads heads;
  const std::string what = "three heads";
  const std::vector<Numbers> rows = heads.losses();
  const Numbers losses{mean(rows[0]), mean(rows[1]), mean(rows[2])};
  const Numbers metrics{mean(plain_errors(heads.p[1], heads.samples.numbers(2), 4, false)), losses[1],
                        mean(plain_accuracies(heads.p[2], heads.samples.whole(0), 7))};
  const double loss = 0.7 * losses[0] + 2 * losses[1] + 1.5 * losses[2];

  const Dataset data = heads.samples.data();
  const std::vector<int> sizes = teams();
  const Numbers evaluated = evaluate(heads.plan, heads.recipe, data, sizes[0]);
  for (const int threads : sizes)
    expect_equal(what + ": evaluated", evaluate(heads.plan, heads.recipe, data, threads), evaluated);
  // Metrics have a value for each row: 3 and 1 in a sample.
  const double n = kSamples, penalties = evaluated[0] - n * loss;
  const Numbers expected{n * loss + penalties, n * losses[0],
                         n * losses[1],        n * losses[2],
                         n * 3 * metrics[0],   n * 3,
                         n * 3 * metrics[1],   n * 3,
                         n * metrics[2],       n};
  expect_near(what + ": evaluated", evaluated, expected, 5000);

  Recipe standing = heads.recipe;
  standing.settings["learning_rate"] = 0;
  for (const int64_t batch : {kSamples, int64_t{7}, int64_t{100}}) {
    standing.batch_size = batch;
    standing.steps = (kSamples + batch - 1) / batch;
    const Trained trained = train(heads.plan, standing, data, 3);
    expect_near(what + ": trained at rate 0", trained.totals, expected, 5000);
    expect_same(what + ": rate 0", trained.weights, weights_of(heads.plan->graph()));
  }
  check(penalties > 0, what, "there is no penalty");
  expect_gradients(what, heads.plan, heads.recipe, data);
}

// Weights of each row of the first head, of each sample of the second, and none of the third.
void check_weights() {
  for (const std::string reduction : {"mean", "weighted_mean", "sum"}) {
    ThreeHeads heads;
    const std::string what = "weights, " + reduction;
    heads.samples.weights(2).weights(1).no_weights();
    for (HeadSetting& head : heads.recipe.heads) {
      head.reduction = reduction;
      head.metrics = {{head.loss, 0}, {head.loss, 0, true}};
    }
    const std::vector<Numbers> rows = heads.losses();
    const Numbers weights[3] = {heads.samples.numbers(3), heads.samples.numbers(4), {}};
    const double n = kSamples;
    Numbers losses(1), metrics;
    for (size_t h = 0; h < 3; ++h) {
      const PlainSum sum(rows[h], weights[h]), plain = unweighted(rows[h], weights[h]);
      losses.push_back(n * sum.reduced(reduction));
      losses[0] += heads.recipe.heads[h].weight * losses.back();
      metrics.insert(metrics.end(), {plain.values, plain.rows, sum.values, sum.weights});
    }
    const Dataset data = heads.samples.data();
    const Numbers evaluated = evaluate(heads.plan, heads.recipe, data, 3);
    Recipe penalties = heads.recipe;
    for (HeadSetting& head : penalties.heads) head.weight = 0;
    losses[0] += evaluate(heads.plan, penalties, data, 1)[0];
    losses.insert(losses.end(), metrics.begin(), metrics.end());
    expect_near(what + ": evaluated", evaluated, losses, 5000);
    for (const int threads : teams())
      expect_equal(what + ": evaluated", evaluate(heads.plan, heads.recipe, data, threads), evaluated);
    expect_gradients(what, heads.plan, heads.recipe, data);
    Recipe standing = heads.recipe;
    standing.settings["learning_rate"] = 0;
    expect_near(what + ": trained at rate 0", train(heads.plan, standing, data, 3).totals, losses, 5000);
    standing.batch_size = 7;
    standing.steps = (kSamples + 6) / 7;
    standing.shuffle = true;
    const Numbers shuffled = train(heads.plan, standing, data, 2).totals;
    expect_near(what + ": metrics, shuffled", Numbers(shuffled.begin() + 4, shuffled.end()), metrics, 5000);
  }
}

// Without a mean, a loss is the sum over the rows of the batch.
void check_sums() {
  ThreeHeads heads;
  Recipe recipe = heads.recipe;
  recipe.batch_size = 200;
  const Trained means = train_on_teams("means", heads.plan, recipe, heads.samples.data());
  for (HeadSetting& head : recipe.heads) {
    head.weight /= head.output == 0 ? 400 : head.output == 1 ? 600 : 200;
    head.reduction = "sum";
  }
  const Trained sums = train_on_teams("sums", heads.plan, recipe, heads.samples.data());
  for (size_t p = 0; p < means.weights.size(); ++p)
    expect_near("sums in place of means", sums.weights[p], means.weights[p], 100);
  expect_near("sums in place of means: totals", sums.totals,
              {means.totals[0], 400 * means.totals[1], 600 * means.totals[2], 200 * means.totals[3], means.totals[4],
               means.totals[5], means.totals[6], means.totals[7], means.totals[8], means.totals[9]},
              5000);
}

// A head that has metrics only: what is measured, but nothing is learned of it.
void check_metrics_alone() {
  ThreeHeads heads;
  const Dataset data = heads.samples.data();
  Recipe without = heads.recipe, with = heads.recipe;
  without.heads[2].weight = 0;
  with.heads[2].loss = "";
  const Trained expected = train_on_teams("a loss of weight 0", heads.plan, without, data);
  const Trained got = train_on_teams("metrics alone", heads.plan, with, data);
  expect_same("metrics alone", got.weights, expected.weights);
  Numbers totals = expected.totals;
  totals.erase(totals.begin() + 3);  // its loss
  expect_equal("metrics alone: totals", got.totals, totals);
  expect_near("metrics alone: evaluated", evaluate(heads.plan, with, data, 3), totals, 5000);
}

// Samples whose weight is a whole number are so many samples; those that are masked are none, whatever they hold.
void check_what_weights_mean() {
  Net net;
  const PlanPtr plan = net.plan({net.dense(net.tanh_dense(net.tanh_dense(net.input(kInputs), kWide), kWide), 6)});
  Samples samples = Samples(kSamples).real(kInputs).target(6).weights(1);
  std::vector<int64_t> repeated;
  for (int64_t i = 0; i < kSamples; ++i) {
    double& weight = samples.numbers(2)[static_cast<size_t>(i)];
    weight = std::round(weight);
    for (int64_t times = 0; times < weight; ++times) repeated.push_back(i);
    if (weight < 0) samples.numbers(1)[static_cast<size_t>(6 * i)] = i % 2 == 0 ? NAN : INFINITY;
  }
  const Samples again = samples.reordered(repeated);
  Dataset rows = again.data();
  rows.samples = static_cast<int64_t>(repeated.size());
  rows.weights.clear();
  const Recipe recipe{{{0, "mean_squared_error", 6, 0, "weighted_mean", 1, {{"mean_absolute_error", 0, true}}}}};
  const Trained weighted = train_on_teams("weights of samples", plan, recipe, samples.data());
  const Trained plain = train_on_teams("samples repeated", plan, recipe, rows);
  for (size_t p = 0; p < plain.weights.size(); ++p)
    expect_close("weights of samples", weighted.weights[p], plain.weights[p]);
  const double times = static_cast<double>(kSamples) / static_cast<double>(rows.samples);
  expect_close("weights of samples: totals", weighted.totals,
               {plain.totals[0] * times, plain.totals[1], plain.totals[2]});
}

// Where all is masked, or all weights are 0, there is nothing to learn from, and nothing is NaN.
void check_nothing_left() {
  for (const std::string reduction : {"mean", "weighted_mean", "sum"})
    for (const double weight : {-1.0, 0.0}) {
      Net net;
      const PlanPtr plan = net.plan({net.dense(net.tanh_dense(net.tanh_dense(net.input(kInputs), kWide), kWide), 6)});
      Samples samples = Samples(kSamples).real(kInputs).target(6).weights(1);
      samples.numbers(2).assign(kSamples, weight);
      if (weight < 0) samples.numbers(1).assign(kSamples * 6, NAN);
      const Recipe recipe{{{0, "mean_squared_error", 6, 0, reduction, 1, {{"mean_absolute_error", 0, true}}}}};
      const std::string what = text("weights of %g, ", weight) + reduction;
      const Trained trained = train_on_teams(what, plan, recipe, samples.data());
      expect_same(what, trained.weights, weights_of(plan->graph()));
      expect_equal(what, trained.totals, Numbers(3));
      expect_equal(what, evaluate(plan, recipe, samples.data(), 2), Numbers(3));
    }
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
    const Recipe of_end{{{0, loss, 6, 0, "mean", 1, {}}}}, of_logits{{{0, loss + "_from_logits", 6, 0, "mean", 1, {}}}};
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
  const Recipe recipe{{{0, "categorical_crossentropy", 6, 0, "mean", 1, {}}}};
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
    const double loss = mean(plain_crossentropies(p, samples.numbers(1), 6));
    expect_near<double>(what, evaluate(plan, recipe, samples.data(), 2), {kSamples * loss + penalty}, 5000);
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
    const Recipe recipe{{{0, "categorical_crossentropy", columns, 0, "mean", 1, {}}}};
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
  expect_gradients("rows of two softmaxes", plan, {{{0, "categorical_crossentropy", 12, 0, "mean", 1, {}}}},
                   samples.data());
}

// Outputs are handed over as they were before each step, in the order of the samples, also one that has no head.
void check_handed_over() {
  const std::string what = "outputs that are handed over";
  const int64_t count = 700, batch = 300, steps = 5;
  Net net;
  const int hidden = net.tanh_dense(net.input(kInputs), kWide);
  const int logits = net.dense(hidden, 3);
  const PlanPtr plan = net.plan({net.softmax(logits, 1, 3, 1), net.activation(logits, "tanh"), hidden});
  const Samples samples = Samples(count).real(kInputs).one_hot(1, 3);
  const std::vector<Numbers> before = weights_of(plan->graph());
  HeadSetting head = mean_squared_error(0, 3);
  head.loss = "categorical_crossentropy";  // which is computed from what goes into the softmax

  Trainer<double> trainer(plan);
  trainer.set_heads({head}, {}, {0, 1});
  trainer.set_optimizer("sgd", {{"learning_rate", 0.1}});
  std::vector<Numbers> expected(2);
  Numbers totals(2);
  for (int64_t s = 0; s < steps; ++s) {
    const int64_t begin = s % 3 * batch;
    const std::vector<Numbers> made = predict(plan, samples.rows(begin, std::min(batch, count - begin)), 1);
    for (size_t i = 0; i < 2; ++i) expected[i].insert(expected[i].end(), made[i].begin(), made[i].end());
    trainer.train(totals.data(), samples.data(), {batch, false, 0, 0, s, 1}, 1, {});
  }
  const std::vector<Numbers> after = weights_of(plan->graph());
  for (const int threads : teams()) {
    set_weights(plan->graph(), before);
    trainer.set_optimizer("sgd", {{"learning_rate", 0.1}});
    std::vector<Numbers> found{Numbers(expected[0].size()), Numbers(expected[1].size())};
    trainer.train(totals.data(), samples.data(), {batch, false, 0, 0, 0, steps}, threads, {}, nullptr,
                  {found[0].data(), found[1].data(), nullptr});
    expect_same(what, found, expected);
    expect_same(what + ": the weights", weights_of(plan->graph()), after);
    const std::vector<Numbers> made = predict(plan, samples.data(), 1);
    Numbers one(made[1].size());
    trainer.evaluate(totals.data(), samples.data(), threads, {}, nullptr, {nullptr, one.data(), nullptr});
    expect_same(what + " in evaluation", {one}, {made[1]});
  }
  Hooks<double> hooks;
  hooks.next_batch = [](Dataset&) { return false; };
  Numbers room(3 * count);
  expect_throws<std::invalid_argument>(what + " of a stream", [&] {
    trainer.train(totals.data(), {}, {batch, false, 0, 0, 0, 1}, 1, hooks, nullptr, {room.data(), nullptr, nullptr});
  });
  expect_throws<std::invalid_argument>(what + " of no output", [&] { trainer.set_heads({head}, {}, {3}); });
}

}  // namespace

void check_heads() {
  check_totals();
  check_sums();
  check_weights();
  check_metrics_alone();
  check_what_weights_mean();
  check_nothing_left();
  check_logits("categorical_crossentropy", "softmax", Samples(kSamples).real(kInputs).one_hot(1, 6));
  check_logits("sparse_categorical_crossentropy", "softmax", Samples(kSamples).real(kInputs).labels(1, 6));
  check_logits("binary_crossentropy", "sigmoid", Samples(kSamples).real(kInputs).target(6, 0, 1));
  check_no_logits();
  check_other_axis();
  check_handed_over();
}

}  // namespace pynn

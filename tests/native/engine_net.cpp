#include "engine_net.h"

namespace pynn {

// ---- networks
// --------------------------------------------------------------------------------------------------------

Weights dense_weights(int64_t inputs, int64_t units, Parameter kernel) {
  Weights weights{std::make_shared<Parameters>(true), inputs, units};
  kernel.size = inputs * units;
  weights.owner->add(kernel);
  Parameter bias;
  bias.size = units;
  weights.owner->add(bias);
  const double bound = std::sqrt(3 / static_cast<double>(inputs));
  for (int64_t i = 0; i < inputs * units; ++i) weights.kernel()[i] = random_value(-bound, bound);
  for (int64_t i = 0; i < units; ++i) weights.bias()[i] = random_value(-0.5, 0.5);
  return weights;
}

int Net::op(const std::string& kind, const std::vector<int>& inputs,
            const std::map<std::string, Attributes::Value>& attributes, const std::vector<ParameterRef>& parameters) {
  OpSpec spec{kind, inputs, {}, Attributes(attributes), {}};
  for (const ParameterRef& p : parameters) spec.parameters.push_back(p.owner == nullptr ? -1 : graph_.add_parameter(p));
  return graph_.add(spec)[0];
}

int Net::dense(int x, const Weights& weights) {
  return op("dense", {x}, {{"units", weights.units}}, {{weights.owner, 0}, {weights.owner, 1}});
}

int Net::dense(int x, int64_t units) { return dense(x, dense_weights(graph_.size(x), units)); }

int Net::activation(int x, const std::string& name) {
  return op("activation", {x}, {{"name", name}, {"a", 0.0}, {"b", 1e30}, {"c", 0.0}});
}

int Net::softmax(int x, int64_t outer, int64_t axis, int64_t inner) {
  return op("softmax", {x}, {{"outer", outer}, {"axis", axis}, {"inner", inner}, {"log", int64_t{0}}});
}

int Net::rescaling(int x, const Numbers& scale, const Numbers& offset) {
  return op("rescaling", {x}, {{"scale", scale}, {"offset", offset}});
}

std::vector<int> Net::custom(const std::vector<int>& inputs, const std::vector<int64_t>& sizes,
                             const Callback& callback) {
  const std::shared_ptr<const Callback> shared = std::make_shared<Callback>(callback);
  return graph_.add({"custom", inputs, {}, Attributes({{"sizes", sizes}, {"callback", shared}}), {}});
}

PlanPtr Net::plan(const std::vector<int>& outputs) {
  graph_.set_outputs(outputs);
  return std::make_shared<Plan<double>>(std::make_shared<Graph>(graph_));
}

// ---- samples
// ---------------------------------------------------------------------------------------------------------

namespace {

template <typename V>
std::vector<V> reordered_rows(const std::vector<V>& from, int64_t width, const std::vector<int64_t>& order) {
  std::vector<V> to;
  for (const int64_t row : order) to.insert(to.end(), from.begin() + row * width, from.begin() + (row + 1) * width);
  return to;
}

}  // namespace

Samples& Samples::given(int64_t width, const Numbers& numbers) {
  inputs_.push_back({ColumnKind::real, reals_.size(), width});
  reals_.push_back(numbers);
  return *this;
}

Samples& Samples::real(int64_t width, double low, double high, double share_of_zeros) {
  Numbers numbers = random_values<double>(samples_ * width, low, high);
  if (share_of_zeros > 0)
    for (double& x : numbers)
      if (random_value(0, 1) < share_of_zeros) x = 0;
  return given(width, numbers);
}

Samples& Samples::bytes(int64_t width) {
  inputs_.push_back({ColumnKind::bytes, bytes_.size(), width});
  bytes_.emplace_back();
  for (int64_t i = 0; i < samples_ * width; ++i) bytes_.back().push_back(static_cast<uint8_t>(random_value(0, 256)));
  return *this;
}

Samples& Samples::ids(int64_t width, int below) {
  inputs_.push_back({ColumnKind::ids, ids_.size(), width});
  ids_.emplace_back();
  for (int64_t i = 0; i < samples_ * width; ++i) ids_.back().push_back(static_cast<int32_t>(random_value(0, below)));
  return *this;
}

Samples& Samples::target(int64_t width, double low, double high) {
  targets_.push_back({ColumnKind::real, reals_.size(), width});
  reals_.push_back(random_values<double>(samples_ * width, low, high));
  return *this;
}

Samples& Samples::one_hot(int64_t rows, int64_t columns) {
  targets_.push_back({ColumnKind::real, reals_.size(), rows * columns});
  reals_.emplace_back(static_cast<size_t>(samples_ * rows * columns));
  for (int64_t i = 0; i < samples_ * rows; ++i)
    reals_.back()[static_cast<size_t>(i * columns) + static_cast<size_t>(random_value(0, double(columns)))] = 1;
  return *this;
}

Samples& Samples::labels(int64_t rows, int columns) {
  targets_.push_back({ColumnKind::ids, ids_.size(), rows});
  ids_.emplace_back();
  for (int64_t i = 0; i < samples_ * rows; ++i) ids_.back().push_back(static_cast<int32_t>(random_value(0, columns)));
  return *this;
}

Samples& Samples::weights(int64_t width) {
  Numbers numbers = random_values<double>(samples_ * width, 0.1, 2);
  for (double& w : numbers)
    if (const double share = random_value(0, 1); share < 0.3) w = share < 0.15 ? 0 : -1;
  weights_.push_back({ColumnKind::real, reals_.size(), width});
  reals_.push_back(numbers);
  return *this;
}

Samples& Samples::no_weights() {
  weights_.push_back({ColumnKind::real, reals_.size(), 0});
  reals_.emplace_back();
  return *this;
}

Column Samples::column(const Place& place) const {
  const void* data = place.kind == ColumnKind::real    ? static_cast<const void*>(reals_[place.number].data())
                     : place.kind == ColumnKind::bytes ? static_cast<const void*>(bytes_[place.number].data())
                                                       : static_cast<const void*>(ids_[place.number].data());
  return {place.kind, data, place.width};
}

Dataset Samples::rows(int64_t begin, int64_t count) const {
  Dataset data;
  data.samples = count;
  const auto from = [&](const Place& place) {
    Column of = column(place);
    of.data = row_of(of, begin, sizeof(double));
    return of;
  };
  for (const Place& place : inputs_) data.inputs.push_back(from(place));
  for (const Place& place : targets_) data.targets.push_back(from(place));
  for (const Place& place : weights_)
    data.weights.push_back(place.width > 0 ? from(place) : Column{ColumnKind::real, nullptr, 1});
  return data;
}

Samples Samples::reordered(const std::vector<int64_t>& order) const {
  Samples to = *this;
  for (const std::vector<Place>* places : {&inputs_, &targets_, &weights_})
    for (const Place& place : *places) {
      const std::size_t n = place.number;
      if (place.kind == ColumnKind::real) to.reals_[n] = reordered_rows(reals_[n], place.width, order);
      if (place.kind == ColumnKind::bytes) to.bytes_[n] = reordered_rows(bytes_[n], place.width, order);
      if (place.kind == ColumnKind::ids) to.ids_[n] = reordered_rows(ids_[n], place.width, order);
    }
  return to;
}

// ---- training
// --------------------------------------------------------------------------------------------------------

HeadSetting mean_squared_error(int output, int64_t columns, double weight) {
  return {output, "mean_squared_error", columns, 0, "mean", weight, {}};
}

std::vector<Numbers> weights_of(const Graph& graph) {
  std::vector<Numbers> weights;
  for (const ParameterRef& p : graph.parameters()) {
    const double* values = values_of<double>(p);
    weights.emplace_back(values, values + p.parameter().size);
  }
  return weights;
}

void set_weights(const Graph& graph, const std::vector<Numbers>& weights) {
  for (size_t i = 0; i < weights.size(); ++i)
    std::copy(weights[i].begin(), weights[i].end(), values_of<double>(graph.parameters()[i]));
}

Trained train(const PlanPtr& plan, const Recipe& recipe, const Dataset& data, int threads) {
  const std::vector<Numbers> before = weights_of(plan->graph());
  Trainer<double> trainer(plan);
  trainer.set_heads(recipe.heads);
  trainer.set_optimizer(recipe.optimizer, recipe.settings);
  const int64_t batch = recipe.batch_size > 0 ? recipe.batch_size : data.samples;
  const int64_t batches = recipe.hooks.next_batch ? recipe.steps + 1 : (data.samples + batch - 1) / batch;
  Trained trained;
  trained.totals.resize(static_cast<size_t>(((recipe.steps - 1) / batches + 1) * trainer.heads()->columns()));
  trained.finite = trainer.train(trained.totals.data(), data, {batch, recipe.shuffle, recipe.seed, 0, 0, recipe.steps},
                                 threads, recipe.hooks);
  trained.steps = trainer.steps_done();
  trained.weights = weights_of(plan->graph());
  set_weights(plan->graph(), before);
  return trained;
}

Trained train_on_teams(const std::string& what, const PlanPtr& plan, const Recipe& recipe, const Dataset& data) {
  const int64_t batch = recipe.batch_size > 0 ? recipe.batch_size : data.samples;
  const double work = 3 * plan->work() * static_cast<double>(plan->couples_samples() ? batch : plan->slice_of(batch));
  check(most_members(7, work, kWorkPerMember) == 7, what, "the work is not enough for a team of 7");
  Trained first;
  for (const int threads : teams()) {
    Trained trained = train(plan, recipe, data, threads);
    const std::string name = what + text(": %d threads against others", threads);
    if (first.weights.empty()) first = trained;
    expect_same(name, trained.weights, first.weights);
    expect_equal(name + ", totals", trained.totals, first.totals);
  }
  return first;
}

std::vector<Numbers> taken_away(const PlanPtr& plan, const Trained& trained) {
  std::vector<Numbers> gone = weights_of(plan->graph());
  for (size_t p = 0; p < gone.size(); ++p)
    for (size_t i = 0; i < gone[p].size(); ++i) gone[p][i] -= trained.weights[p][i];
  return gone;
}

// Of two elements of each parameter: the last, and one before.
std::vector<Numbers> expect_gradients(const std::string& what, const PlanPtr& plan, const Recipe& recipe,
                                      const Dataset& data) {
  constexpr double step = 1e-6;
  const std::vector<Numbers> gradients = taken_away(plan, train_on_teams(what, plan, recipe, data));
  Recipe standing = recipe;
  standing.settings["learning_rate"] = 0;
  const auto loss = [&] { return train(plan, standing, data, 2).totals[0] / static_cast<double>(data.samples); };
  for (size_t p = 0; p < gradients.size(); ++p) {
    const ParameterRef& parameter = plan->graph().parameters()[p];
    double* values = values_of<double>(parameter);
    const size_t n = gradients[p].size();
    for (const size_t i : {n / 3, n - 1}) {
      const double value = values[i];
      double numeric = 0;
      if (parameter.trainable()) {
        values[i] = value + step;
        numeric = loss();
        values[i] = value - step;
        numeric = (numeric - loss()) / (2 * step);
        values[i] = value;
      }
      const double found = gradients[p][i];
      if (parameter.trainable() || parameter.parameter().learned)
        check(is_close(found, numeric), what,
              text("gradient of element %zu of parameter %zu is %.9g, expected %.9g", i, p, found, numeric));
    }
  }
  return gradients;
}

// ---- prediction
// ------------------------------------------------------------------------------------------------------

std::vector<Numbers> predict(const PlanPtr& plan, const Dataset& data, int threads) {
  std::vector<Numbers> outputs;
  std::vector<double*> outs;
  for (const int tensor : plan->graph().outputs())
    outputs.push_back(unwritten<double>(data.samples * plan->size(tensor)));
  for (Numbers& output : outputs) outs.push_back(output.data());
  check(!plan->predict(outs, data, true, 0, threads, {}), "predict", "numbers that are not finite");
  return outputs;
}

std::vector<Numbers> expect_predictions(const std::string& what, const PlanPtr& plan, const Dataset& data) {
  const Graph& graph = plan->graph();
  std::vector<Numbers> tensors(graph.sizes().size());
  for (size_t i = 0; i < data.inputs.size(); ++i) {
    const Column& c = data.inputs[i];
    Numbers& x = tensors[static_cast<size_t>(graph.inputs()[i].tensor)];
    for (int64_t k = 0; k < data.samples * c.width; ++k)
      x.push_back(c.kind == ColumnKind::real    ? static_cast<const double*>(c.data)[k]
                  : c.kind == ColumnKind::bytes ? static_cast<const uint8_t*>(c.data)[k]
                                                : static_cast<const int32_t*>(c.data)[k]);
  }
  for (const OpSpec& op : graph.ops()) tensors[static_cast<size_t>(op.outputs[0])] = plain_op(graph, op, tensors);
  std::vector<Numbers> first;
  for (const int threads : teams()) {
    const std::vector<Numbers> outputs = predict(plan, data, threads);
    if (first.empty()) first = outputs;
    expect_same(what + text(": predictions of %d threads", threads), outputs, first);
  }
  for (size_t i = 0; i < first.size(); ++i)
    expect_near(what + ": predictions", first[i], tensors[static_cast<size_t>(graph.outputs()[i])], 200);
  return first;
}

Numbers evaluate(const PlanPtr& plan, const Recipe& recipe, const Dataset& data, int threads) {
  Trainer<double> trainer(plan);
  trainer.set_heads(recipe.heads);
  Numbers totals(static_cast<size_t>(trainer.heads()->columns()));
  trainer.evaluate(totals.data(), data, threads, {});
  return totals;
}

// ---- comparisons
// -----------------------------------------------------------------------------------------------------

void expect_same(const std::string& what, const std::vector<Numbers>& got, const std::vector<Numbers>& expected) {
  check(got.size() == expected.size(), what, "the numbers of arrays differ");
  for (size_t i = 0; i < std::min(got.size(), expected.size()); ++i)
    expect_equal(what + text(", array %zu", i), got[i], expected[i]);
}

bool is_close(double a, double b) { return std::abs(a - b) <= 1e-7 + 1e-5 * std::fmax(std::abs(a), std::abs(b)); }

void expect_close(const std::string& what, const Numbers& got, const Numbers& expected) {
  check(got.size() == expected.size(), what, "sizes differ");
  for (size_t i = 0; i < std::min(got.size(), expected.size()); ++i)
    check(is_close(got[i], expected[i]), what, text("element %zu is %.12g, expected %.12g", i, got[i], expected[i]));
}

}  // namespace pynn

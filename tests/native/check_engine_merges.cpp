// Networks whose branches come together by functions of two tensors, side by side and by products; and tables that ids
// look up.
#include "engine_net.h"

namespace pynn {
namespace {

using Shape = std::vector<int64_t>;

constexpr int64_t kSamples = 300;  // more than a slice
constexpr int64_t kInputs = 32, kWide = 96, kUnits = 8;
constexpr int kRows = 50;
constexpr int64_t kIds = 12, kColumns = 16;

int binary(Net& net, const std::string& function, int a, const Shape& shape_a, int b, const Shape& shape_b) {
  return net.op("binary", {a, b}, {{"function", function}, {"shape_a", shape_a}, {"shape_b", shape_b}});
}

int with_constant(Net& net, const std::string& function, int x, const Shape& shape, const Shape& shape_of_constant,
                  const Numbers& constant, bool first) {
  return net.op("binary", {x},
                {{"function", function},
                 {"shape_a", shape},
                 {"shape_b", shape_of_constant},
                 {"constant", constant},
                 {"constant_first", int64_t{first}}});
}

int concat(Net& net, const std::vector<int>& xs, int64_t outer) { return net.op("concat", xs, {{"outer", outer}}); }

int matmul(Net& net, int a, int b, const Shape& sizes, bool transpose_a, bool transpose_b) {
  return net.op("matmul", {a, b},
                {{"batch", sizes[0]},
                 {"m", sizes[1]},
                 {"k", sizes[2]},
                 {"n", sizes[3]},
                 {"transpose_a", int64_t{transpose_a}},
                 {"transpose_b", int64_t{transpose_b}}});
}

// Positive numbers, apart from 0.
int positive(Net& net, int x, int64_t units) {
  return with_constant(net, "add", net.activation(net.dense(x, units), "sigmoid"), {units}, {1}, {0.5}, false);
}

// Numbers of which each other is above all of positive(), and the rest below, where a function has a kink between.
Numbers far_apart(int64_t n, double below, double above) {
  Numbers numbers;
  for (int64_t i = 0; i < n; ++i) numbers.push_back(i % 2 == 0 ? below : above);
  return numbers;
}

bool has_kink(const std::string& function) { return function == "maximum" || function == "minimum"; }

int spread(Net& net, const std::string& function, int x) {
  const int64_t size = net.graph().size(x);
  return has_kink(function) ? with_constant(net, "add", x, {size}, {size}, far_apart(size, -2, 2), false) : x;
}

void check_net(const std::string& what, Net& net, int end, const Samples& samples) {
  const PlanPtr plan = net.plan({net.dense(net.tanh_dense(end, kWide), kUnits)});
  expect_predictions(what, plan, samples.data());
  expect_gradients(what, plan, {{mean_squared_error(0, kUnits)}}, samples.data());
}

Samples some_samples() { return Samples(kSamples).real(kInputs).target(kUnits); }

// Both operands from one layer, in all shapes of broadcasting.
void check_binaries() {
  const std::vector<std::pair<Shape, Shape>> shapes = {
      {{96}, {96}},      {{4, 24}, {1, 24}},      {{4, 24}, {4, 1}},
      {{1, 24}, {4, 1}}, {{4, 1, 24}, {1, 6, 1}}, {{4, 6, 4}, {1, 1, 4}}};
  const auto size = [](const Shape& shape) {
    int64_t product = 1;
    for (const int64_t each : shape) product *= each;
    return product;
  };
  for (const char* function : {"add", "subtract", "multiply", "divide", "power", "maximum", "minimum"})
    for (const auto& [shape_a, shape_b] : shapes) {
      Net net;
      const int x = net.tanh_dense(net.input(kInputs), kWide);
      const int a = positive(net, x, size(shape_a)), b = spread(net, function, positive(net, x, size(shape_b)));
      check_net(text("%s of %d axes", function, static_cast<int>(shape_a.size())), net,
                binary(net, function, a, shape_a, b, shape_b), some_samples());
    }
}

// The same tensor twice, also where one side is broadcast by others.
void check_same_tensor() {
  for (const char* function : {"add", "subtract", "multiply", "divide", "power", "maximum", "minimum"}) {
    Net net;
    const int x = positive(net, net.tanh_dense(net.input(kInputs), kWide), kWide);
    const int both = binary(net, function, x, {kWide}, x, {kWide});
    check_net(std::string("x and x, ") + function, net,
              net.dense(binary(net, "multiply", both, {kWide}, x, {kWide}), kWide), some_samples());
  }
  Net net;
  const int x = net.tanh_dense(net.input(kInputs), kWide);
  check_net("x beside x, and x x^T", net, concat(net, {x, x, matmul(net, x, x, {1, 8, 12, 8}, false, true), x}, 8),
            some_samples());
}

void check_constants() {
  const Numbers smooth = random_values<double>(24, 0.5, 2), kinks = far_apart(24, 0.25, 2);
  for (const char* function : {"add", "subtract", "multiply", "divide", "power", "maximum", "minimum"})
    for (const bool first : {false, true}) {
      Net net;
      const int x = positive(net, net.tanh_dense(net.input(kInputs), kWide), kWide);
      const int y = with_constant(net, function, x, {4, 24}, {1, 24}, has_kink(function) ? kinks : smooth, first);
      check_net(std::string("a constant, ") + function, net, net.dense(y, kWide), some_samples());
    }
  for (const double exponent : {2.0, 0.5, -1.0, 3.0, 0.0}) {
    Net net;
    const int x = positive(net, net.tanh_dense(net.input(kInputs), kWide), kWide);
    check_net(text("x^%g", exponent), net,
              net.dense(with_constant(net, "power", x, {kWide}, {1}, {exponent}, false), kWide), some_samples());
  }
}

void check_concat() {
  for (const int64_t outer : {1, 2, 8}) {
    Net net;
    const int x = net.input(kInputs);
    const int a = net.tanh_dense(x, 16), b = net.tanh_dense(x, kWide), c = net.tanh_dense(x, 40);
    // Also the input itself, of which no gradient is asked for, and a tensor that others read.
    const int all = concat(net, {a, b, x, c, a}, outer);
    check_net(text("side by side, %d rows", static_cast<int>(outer)), net,
              net.tanh_dense(concat(net, {all, b}, outer), kWide), some_samples());
  }
}

void check_matmul() {
  for (const bool transpose_a : {false, true})
    for (const bool transpose_b : {false, true}) {
      Net net;
      const int x = net.tanh_dense(net.input(kInputs), kWide);
      const int a = net.tanh_dense(x, 2 * 7 * 5), b = net.tanh_dense(x, 2 * 5 * 9);
      check_net(text("products, transposed: %d %d", transpose_a, transpose_b), net,
                net.dense(matmul(net, a, b, {2, 7, 5, 9}, transpose_a, transpose_b), kWide), some_samples());
    }
}

struct Table {
  std::shared_ptr<Parameters> owner = std::make_shared<Parameters>(true);

  explicit Table(Parameter table = {}) {
    table.size = kRows * kColumns;
    owner->add(table);
    const Numbers values = random_values<double>(table.size);
    std::copy(values.begin(), values.end(), static_cast<double*>(owner->data(0)));
  }
  int look_up(Net& net, int ids) const {
    return net.op("embedding", {ids}, {{"rows", int64_t{kRows}}, {"dim", kColumns}}, {{owner, 0}});
  }
};

// Parameters as tensors: of a dense layer that uses them, too, and one that nothing else uses.
void check_parameter() {
  Net net;
  const Weights weights = dense_weights(kInputs, kWide), other = dense_weights(kInputs, kWide);
  const auto tensor_of = [&](const Weights& w, int number) {
    const int64_t size = number == 0 ? kInputs * kWide : kWide;
    return net.op("parameter", {}, {{"size", size}}, {{w.owner, number}});
  };
  const int x = net.dense(net.input(kInputs), weights);
  const int gate = net.activation(tensor_of(other, 1), "sigmoid");
  const int scaled = binary(net, "multiply", net.add({x, tensor_of(weights, 1)}), {kWide}, gate, {kWide});
  check_net("parameters as tensors", net,
            matmul(net, scaled, tensor_of(weights, 0), {1, 1, kWide, kInputs}, false, true), some_samples());
}

// In training one of two branches, otherwise the other: only the chosen one has a gradient.
void check_choice() {
  Net net;
  const int x = net.tanh_dense(net.input(kInputs), kWide);
  const int in_training = net.dense(x, kWide), otherwise = net.dense(x, kWide);
  const PlanPtr plan = net.plan({net.dense(net.op("choose", {in_training, otherwise}, {}), kUnits)});
  const Samples samples = some_samples();
  expect_predictions("a choice", plan, samples.data());
  const std::vector<Numbers> gone =
      expect_gradients("a choice", plan, {{mean_squared_error(0, kUnits)}}, samples.data());
  const auto is_zero = [](const Numbers& n) {
    return std::all_of(n.begin(), n.end(), [](double each) { return each == 0; });
  };
  check(!is_zero(gone[2]) && is_zero(gone[4]), "a choice", "the wrong branch learned");
}

// Two inputs of ids and two tables, of which one is used by three ops, and the ids as numbers.
struct Lookups {
  Net net;
  Table shared, own;
  PlanPtr plan;
  Samples samples;

  explicit Lookups(const Parameter& table = {}, int64_t count = kSamples)
      : shared(table), own(table), samples(Samples(count).ids(kIds, 9).ids(kIds, kRows).target(kUnits)) {
    const int x0 = net.input(kIds, InputKind::ids), x1 = net.input(kIds, InputKind::ids);
    const int a = shared.look_up(net, x0), b = shared.look_up(net, x1), c = own.look_up(net, x0);
    const int sum = net.add({binary(net, "multiply", a, {kIds, kColumns}, b, {kIds, kColumns}), c});
    const int numbers = with_constant(net, "divide", net.op("numbers", {x1}, {}), {kIds}, {1}, {50}, false);
    const int all = concat(net, {sum, numbers, shared.look_up(net, x0)}, kIds);
    plan = net.plan({net.dense(net.tanh_dense(all, kWide), kUnits)});
  }
};

void check_lookups() {
  Lookups lookups;
  const std::string what = "tables";
  const Dataset data = lookups.samples.data();
  const auto& read = lookups.plan->inputs();
  check(read[0].ids_below == kRows && read[1].ids_below == kRows, what, "have other bounds of their ids");
  expect_predictions(what, lookups.plan, data);
  Recipe recipe{{mean_squared_error(0, kUnits)}};
  expect_gradients(what, lookups.plan, recipe, data);
  expect_gradients(what + ", one slice", lookups.plan, recipe, lookups.samples.rows(0, 200));
}

// Plain gradient descent changes the rows that a batch uses; that is what it does where all rows are updated, to the
// same bits.
void check_by_rows() {
  Lookups lookups;
  const Dataset data = lookups.samples.data();
  for (const int64_t batch : {int64_t{120}, kSamples}) {
    const std::string what = text("by rows, batches of %d", static_cast<int>(batch));
    Recipe recipe{{mean_squared_error(0, kUnits)}, batch, 7};
    recipe.settings = {{"learning_rate", 0.5}};
    recipe.shuffle = true;
    const Trained by_rows = train_on_teams(what, lookups.plan, recipe, data);
    recipe.settings["clipnorm"] = 1e9;
    const Trained whole = train_on_teams(what + ", clipped", lookups.plan, recipe, data);
    expect_same(what, by_rows.weights, whole.weights);
  }
}

void check_optimizers_of_tables() {
  Lookups lookups;
  for (const auto& [name, settings] : std::vector<std::pair<std::string, std::map<std::string, double>>>{
           {"adam", {{"learning_rate", 0.1}}}, {"sgd", {{"learning_rate", 0.1}, {"momentum", 0.9}}}}) {
    Recipe recipe{{mean_squared_error(0, kUnits)}, 120, 5, name, settings};
    train_on_teams("tables, " + name, lookups.plan, recipe, lookups.samples.data());
  }
  // What reaches all rows, or all that were used.
  Parameter penalized;
  penalized.l2 = 0.1;
  Lookups shrinking(penalized);
  expect_gradients("a table with a penalty", shrinking.plan, {{mean_squared_error(0, kUnits)}},
                   shrinking.samples.data());
  Parameter bounded;
  bounded.constraint = {Constraint::norm, 0, 1, 1, 1, kRows, kColumns};
  Lookups constrained(bounded);
  Recipe recipe{{mean_squared_error(0, kUnits)}, 120, 3};
  train_on_teams("a table with a constraint", constrained.plan, recipe, constrained.samples.data());
}

// A table that is frozen stays as it is, and so do rows that no sample uses.
void check_rows_that_stay() {
  Lookups lookups;
  Recipe recipe{{mean_squared_error(0, kUnits)}, 120, 3};
  const Trained trained = train_on_teams("rows", lookups.plan, recipe, lookups.samples.data());
  const std::vector<Numbers> gone = taken_away(lookups.plan, trained);
  for (int row = 0; row < kRows; ++row) {
    const auto from = gone[1].begin() + row * kColumns;
    const bool changed = std::any_of(from, from + kColumns, [](double x) { return x != 0; });
    check(changed == (row < 9), "rows", text("row %d %s", row, changed ? "changed" : "did not change"));
  }
  lookups.shared.owner->frozen = true;
  expect_gradients("a frozen table", lookups.plan, {{mean_squared_error(0, kUnits)}}, lookups.samples.data());
}

}  // namespace

void check_merges() {
  check_binaries();
  check_same_tensor();
  check_constants();
  check_concat();
  check_matmul();
  check_parameter();
  check_choice();
  check_lookups();
  check_by_rows();
  check_optimizers_of_tables();
  check_rows_that_stay();
}

}  // namespace pynn

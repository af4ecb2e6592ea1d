// What does not fit is refused, with an error that says what was expected and what came; and what is not refused runs.
#include "engine_net.h"

namespace pynn {
namespace {

using Values = std::map<std::string, Attributes::Value>;
using Sizes = std::vector<int64_t>;

// Numbers that are too small, and such that sums or products of them wrap.
constexpr int64_t kStrange[] = {0,         -1,       3, 5, 1 << 20, int64_t{1} << 32, INT64_MAX / 64, int64_t{1} << 62,
                                INT64_MAX, INT64_MIN};

// What an op may throw, and nothing else.
enum class Outcome { accepted, refused, other };

template <typename Body>
Outcome outcome_of(const std::string& what, const Body& body) {
  const auto expect_text = [&](const std::string& message) {
    check(message.find("expected ") != std::string::npos && message.find("got ") != std::string::npos, what, message);
    return Outcome::refused;
  };
  try {
    body();
    return Outcome::accepted;
  } catch (const std::invalid_argument& error) {
    return expect_text(error.what());
  } catch (const std::out_of_range& error) {
    return expect_text(error.what());
  } catch (const std::bad_alloc&) {
    return Outcome::refused;
  } catch (const std::exception& error) {
    check(false, what, std::string("another exception: ") + error.what());
    return Outcome::other;
  }
}

template <typename Body>
void expect_refused(const std::string& what, const Body& body) {
  check(outcome_of(what, body) == Outcome::refused, what, "was not refused");
}

// One op by itself, forwards and, where it can, backwards, on arrays that are just as large as they must be.
void run_op(const OpArguments& arguments) {
  constexpr int64_t samples = 2;
  const Sizes outputs = op_kind(arguments.kind).output_sizes(arguments);
  int64_t total = 0;
  for (const Sizes& sizes : {arguments.inputs, outputs, arguments.parameters})
    for (const int64_t size : sizes) {
      if (size > 1 << 18) throw std::bad_alloc();
      total += size;
    }
  check(total > 0, arguments.kind, "has no elements");
  const std::unique_ptr<Op<double>> op = make_op<double>(arguments);
  Sizes tensors = arguments.inputs;
  tensors.insert(tensors.end(), outputs.begin(), outputs.end());
  for (size_t t = 0; t < tensors.size(); ++t)
    (t < arguments.inputs.size() ? op->inputs : op->outputs).push_back(static_cast<int>(t));
  std::vector<Numbers> memory;
  const auto take = [&](const Sizes& sizes, int64_t times, double low, double high) {
    std::vector<double*> to;
    for (const int64_t size : sizes) {
      memory.push_back(random_values<double>(std::max<int64_t>(size, 0) * times, low, high));
      to.push_back(size < 0 ? nullptr : memory.back().data());
    }
    return to;
  };
  Pass<double> pass(kernels<double>());
  pass.batch = samples;
  pass.training = true;
  // Ids of 0 where they lie in place of numbers.
  const double most = op_kind(arguments.kind).reads == Reads::ids ? 0 : 1;
  const std::vector<double*> of_tensors = take(tensors, samples, -most, most), slopes = take(tensors, samples, -1, 1);
  pass.values = of_tensors.data(), pass.gradients = slopes.data();
  pass.dx = slopes.data();  // the inputs come first
  const std::vector<double*> values = take(arguments.parameters, 1, 0.5, 1);
  const std::vector<double*> gradients = take(arguments.parameters, 1, 0, 0);
  std::vector<ParameterUse<double>> uses(arguments.parameters.size());
  for (size_t i = 0; i < uses.size(); ++i) {
    uses[i].size = std::max<int64_t>(arguments.parameters[i], 0);
    uses[i].value = values[i], uses[i].gradient = gradients[i];
  }
  pass.parameters = uses.data();
  constexpr int members = 2;
  const ScratchSize scratch = op->scratch(pass.k, samples, members, true);
  if (std::max(scratch.shared, scratch.own) > 1 << 24) throw std::bad_alloc();
  Buffer<double> saved, shared, own[members];
  saved.allocate(op->saved(samples)), shared.allocate(scratch.shared);
  for (Buffer<double>& each : own) each.allocate(scratch.own);
  pass.saved = saved.data(), pass.shared = shared.data();
  run_team(members, [&](const Team& team) {
    Pass<double> mine = pass;
    mine.own = own[team.rank].data();
    op->forward(team, mine);
    team.barrier();
    if (op->differentiable()) op->backward(team, mine);
  });
}

// A row of the registry that is right, and which of its parameters may be left out.
struct Row {
  OpArguments right;
  std::vector<bool> may_miss{};
};

std::vector<Row> rows() {
  const auto whole = [](int64_t x) -> Attributes::Value { return x; };
  const auto number = [](double x) -> Attributes::Value { return x; };
  const auto name = [](const char* x) -> Attributes::Value { return std::string(x); };
  Callback callback;
  callback.forward = [](const std::vector<void*>&, const std::vector<const void*>&, int64_t) {};
  callback.backward = [](const std::vector<void*>&, const std::vector<const void*>&, const std::vector<const void*>&,
                         int64_t) {};
  const std::shared_ptr<const Callback> shared = std::make_shared<Callback>(callback);
  const auto op = [](const char* kind, const Sizes& inputs, const Sizes& parameters, const Values& values) {
    return OpArguments{kind, inputs, parameters, Attributes(values)};
  };
  return {
      {op("activation", {24}, {}, {{"name", name("relu")}, {"a", number(0)}, {"b", number(6)}, {"c", number(0)}})},
      {op("add", {24, 24, 24}, {}, {})},
      {op("any_not_equal", {24}, {}, {{"rows", whole(4)}, {"columns", whole(6)}, {"value", number(0)}})},
      {op("attention", {5 * 4 * 3, 7 * 2 * 3, 7 * 2 * 6, 7, 5 * 7}, {},
          {{"queries", whole(5)},
           {"keys", whole(7)},
           {"heads", whole(4)},
           {"kv_heads", whole(2)},
           {"masks", Sizes{1, 1, 7, 1, 5, 7}},
           {"all_masked", name("mean")},
           {"scale", number(0.5)},
           {"causal", whole(1)},
           {"window", whole(3)},
           {"scores", whole(1)},
           {"rate", number(0.5)},
           {"seed", whole(7)},
           {"drops_scores", whole(0)}})},
      {op("batch_norm", {24}, {6, 6, 6, 6},
          {{"momentum", number(0.9)}, {"epsilon", number(1e-3)}, {"inference", whole(0)}}),
       {true, true, false, false}},
      {op("batch_norm", {24, 4}, {6, 6, 6, 6},
          {{"momentum", number(0.9)}, {"epsilon", number(1e-3)}, {"inference", whole(0)}}),
       {true, true, false, false}},
      {op("bias", {24}, {6}, {}), {false}},
      {op("binary", {4 * 6, 6}, {}, {{"function", name("power")}, {"shape_a", Sizes{4, 6}}, {"shape_b", Sizes{1, 6}}})},
      {op("binary", {4}, {},
          {{"function", name("divide")},
           {"shape_a", Sizes{4, 1}},
           {"shape_b", Sizes{1, 3}},
           {"constant", Numbers{1, 2, 3}},
           {"constant_first", whole(1)}})},
      {op("choose", {24, 24}, {}, {})},
      {op("compute_ids", {3}, {},
          {{"function", name("remainder")}, {"constant", Sizes{5, 1, 7}}, {"constant_first", whole(1)}})},
      {op("compute_ids", {3, 3}, {}, {{"function", name("floor_divide")}})},
      {op("concat", {4 * 6, 4, 4 * 3}, {}, {{"outer", whole(4)}})},
      {op("conv", {4 * 6 * 2}, {3 * 3 * 2 * 4, 4},
          {{"transposed", whole(0)}, {"shape", Sizes{4, 6, 2, 4, 6, 4, 3, 3, 1, 1, 1, 1, 1, 1, 1}}}),
       {false, true}},
      {op("conv", {4 * 6 * 4}, {3 * 3 * 1 * 4, 2},
          {{"transposed", whole(1)}, {"shape", Sizes{4, 6, 2, 4, 6, 4, 3, 3, 1, 1, 1, 1, 1, 1, 2}}}),
       {false, true}},
      {op("custom", {24, 6}, {}, {{"sizes", Sizes{4, 8}}, {"callback", shared}})},
      {op("dense", {24}, {6 * 4, 4}, {{"units", whole(4)}}), {false, true}},
      {op("embedding", {6}, {5 * 4}, {{"rows", whole(5)}, {"dim", whole(4)}}), {false}},
      {op("glu", {24}, {}, {{"rows", whole(3)}, {"half", whole(4)}})},
      {op("gru", {4 * 2}, {2 * 9, 3 * 9, 2 * 9},
          {{"steps", whole(4)},
           {"features", whole(2)},
           {"units", whole(3)},
           {"reset_after", whole(1)},
           {"activation", name("tanh")},
           {"activation_numbers", Numbers{0, 0, 0}},
           {"recurrent_activation", name("sigmoid")},
           {"recurrent_activation_numbers", Numbers{0, 0, 0}}}),
       {false, false, true}},
      {op("group_norm", {24}, {6, 6},
          {{"samples", whole(2)}, {"groups", whole(3)}, {"columns", whole(2)}, {"epsilon", number(1e-3)}}),
       {true, true}},
      {op("keep_rows", {24, 4}, {}, {})},
      {op("keep_state", {6}, {2 * 6}, {}), {false}},
      {op("lstm", {4 * 2, 3, 3}, {2 * 12, 3 * 12, 12, 2 * 3, 2 * 3},
          {{"steps", whole(4)},
           {"features", whole(2)},
           {"units", whole(3)},
           {"initial", whole(1)},
           {"stateful", whole(1)},
           {"activation", name("silu")},
           {"activation_numbers", Numbers{0, 0, 0}},
           {"recurrent_activation", name("sigmoid")},
           {"recurrent_activation_numbers", Numbers{0, 0, 0}}}),
       {false, false, true, false, false}},
      {op("masked_mean", {24, 4}, {}, {{"outer", whole(2)}, {"steps", whole(4)}, {"inner", whole(3)}})},
      {op("matmul", {2 * 3 * 4, 2 * 4 * 5}, {},
          {{"batch", whole(2)},
           {"m", whole(3)},
           {"k", whole(4)},
           {"n", whole(5)},
           {"transpose_a", whole(0)},
           {"transpose_b", whole(1)}})},
      {op("noise", {24}, {},
          {{"kind", name("dropout")},
           {"amount", number(0.5)},
           {"seed", whole(7)},
           {"shape", Sizes{4, 6}},
           {"sharing", Sizes{0, 1, 0}}})},
      {op("not_equal", {6}, {}, {{"value", whole(0)}})},
      {op("numbers", {6}, {}, {})},
      {op("parameter", {}, {6}, {{"size", whole(6)}}), {false}},
      {op("permute", {24}, {}, {{"lengths", Sizes{4, 1, 6}}, {"order", Sizes{2, 0, 1}}})},
      {op("pool", {4 * 6 * 2}, {}, {{"kind", name("average")}, {"shape", Sizes{4, 6, 2, 2, 3, 2, 2, 2, 2, 0, 0}}})},
      {op("prelu", {24}, {6}, {}), {false}},
      {op("resample", {4 * 6}, {},
          {{"inputs", whole(4)},
           {"inner", whole(6)},
           {"begin", Sizes{0, 1, 1, 3}},
           {"index", Sizes{3, 0, 2}},
           {"weight", Numbers{1, 0.5, 0.5}}})},
      {op("rescaling", {24}, {}, {{"scale", Numbers{1, 2, 3}}, {"offset", Numbers{0, 1, 2}}})},
      {op("rms_norm", {24}, {6}, {{"columns", whole(6)}, {"epsilon", number(1e-6)}, {"unit", whole(0)}}), {true}},
      {op("select_ids", {6}, {}, {{"index", Sizes{5, 0, 0}}})},
      {op("simple_rnn", {4 * 2, 4, 3, 3}, {2 * 3, 3 * 3, 3},
          {{"steps", whole(4)},
           {"features", whole(2)},
           {"units", whole(3)},
           {"masked", whole(1)},
           {"initial", whole(1)},
           {"dropped", whole(1)},
           {"activation", name("tanh")},
           {"activation_numbers", Numbers{0, 0, 0}}}),
       {false, false, true}},
      {op("softmax", {24}, {}, {{"outer", whole(2)}, {"axis", whole(4)}, {"inner", whole(3)}, {"log", whole(0)}})},
      {op("sparsemax", {24}, {}, {{"outer", whole(2)}, {"axis", whole(4)}, {"inner", whole(3)}})},
      {op("standardize", {24}, {6, 6}, {{"invert", whole(0)}}), {false, false}},
      {op("state", {}, {2 * 6}, {{"size", whole(6)}}), {false}}};
}

void check_counts(const Row& row) {
  const std::string& kind = row.right.kind;
  check(outcome_of(kind, [&] { run_op(row.right); }) == Outcome::accepted, kind, "was refused");
  const auto refused = [&](const std::string& what, const OpArguments& a) {
    expect_refused(kind + ": " + what, [&] { run_op(a); });
  };
  OpArguments wrong = row.right;
  if (kind != "add" && kind != "concat" && kind != "custom") {
    wrong.inputs.push_back(wrong.inputs.empty() ? 4 : wrong.inputs[0]);
    refused("an input too many", wrong);
    wrong.inputs.clear();
    if (!row.right.inputs.empty()) refused("no input", wrong);
  }
  wrong = row.right;
  wrong.parameters.push_back(4);
  refused("a parameter too many", wrong);
  for (size_t i = 0; i < row.right.parameters.size(); ++i) {
    wrong = row.right;
    wrong.parameters.pop_back();
    refused("a parameter too few", wrong);
    wrong = row.right;
    wrong.parameters[i] = -1;
    const Outcome outcome = outcome_of(kind, [&] { run_op(wrong); });
    check((outcome == Outcome::accepted) == row.may_miss[i], kind, text("without parameter %zu", i));
    for (const int64_t size : {int64_t{0}, row.right.parameters[i] + 1, int64_t{1} << 32, INT64_MAX}) {
      wrong.parameters[i] = size;
      refused(text("parameter %zu of %lld elements", i, static_cast<long long>(size)), wrong);
    }
  }
  if (kind == "activation" || kind == "custom" || kind == "embedding" || kind == "not_equal" || kind == "numbers" ||
      kind == "select_ids")
    return;  // they take what comes
  for (size_t i = 0; i < row.right.inputs.size(); ++i) {
    wrong = row.right;
    wrong.inputs[i] += 1;
    refused(text("input %zu of one element more", i), wrong);
  }
}

void check_attributes(const Row& row) {
  const std::string& kind = row.right.kind;
  for (const auto& [name, value] : row.right.attributes.values()) {
    const auto with = [&, key = name](const Attributes::Value& other) {
      Values values = row.right.attributes.values();
      values[key] = other;
      OpArguments changed = row.right;
      changed.attributes = Attributes(values);
      return changed;
    };
    const std::string what = kind + ": attribute " + name;
    Values without = row.right.attributes.values();
    without.erase(name);
    OpArguments missing = row.right;
    missing.attributes = Attributes(without);
    expect_refused(what + " is missing", [&] { run_op(missing); });
    const std::vector<Attributes::Value> none{std::shared_ptr<const Callback>(), std::string("none of these"), Sizes{},
                                              Numbers{}};
    for (const Attributes::Value& other : none)
      expect_refused(what + text(" of kind %zu", other.index()), [&] { run_op(with(other)); });
    // The value may be right all the same, such as another stride; then the op runs.
    for (const int64_t strange : kStrange) {
      const std::string number = what + text(" with %lld", static_cast<long long>(strange));
      if (std::holds_alternative<int64_t>(value)) outcome_of(number, [&, s = strange] { run_op(with(s)); });
      if (const auto* list = std::get_if<Sizes>(&value))
        for (size_t i = 0; i < list->size(); ++i) {
          Sizes other = *list;
          other[i] = strange;
          outcome_of(number + text(" at %zu", i), [&] { run_op(with(other)); });
          if (i + 1 == list->size()) continue;
          other[i + 1] = strange;
          outcome_of(number + text(" at %zu and behind", i), [&] { run_op(with(other)); });
        }
    }
    if (const auto* list = std::get_if<Sizes>(&value)) {
      Sizes longer = *list;
      longer.push_back(1);
      if (kind != "custom" && kind != "select_ids")
        expect_refused(what + " is too long", [&] { run_op(with(longer)); });
    }
  }
}

// Products that are what x has, but for 2^64.
void check_wrapping() {
  constexpr int64_t large = int64_t{1} << 32;
  const auto whole = [](int64_t x) -> Attributes::Value { return x; };
  const auto refused = [](const OpArguments& a) {
    expect_refused(a.kind + ": a product that wraps", [&] { op_kind(a.kind).output_sizes(a); });
  };
  for (const int64_t size : {int64_t{0}, int64_t{1}, large}) {
    const Values softmax{{"outer", whole(large)}, {"axis", whole(large)}, {"inner", whole(1)}, {"log", whole(0)}};
    refused({"softmax", {size}, {}, Attributes(softmax)});
    const Values groups{{"samples", whole(1)}, {"groups", whole(large)}, {"columns", whole(large)}, {"epsilon", 0.1}};
    refused({"group_norm", {size}, {size, size}, Attributes(groups)});
    const Values conv{{"transposed", whole(0)},
                      {"shape", Sizes{large, large, 1, large, large, 1, 1, 1, 1, 1, 1, 1, 0, 0, 1}}};
    refused({"conv", {size}, {1, 1}, Attributes(conv)});
    const Values pool{{"kind", std::string("max")}, {"shape", Sizes{large, large, 1, large, large, 1, 1, 1, 1, 0, 0}}};
    refused({"pool", {size}, {}, Attributes(pool)});
    const Values noise{{"kind", std::string("dropout")},
                       {"amount", 0.5},
                       {"seed", whole(1)},
                       {"shape", Sizes{large, large}},
                       {"sharing", Sizes{0, 0, 0}}};
    refused({"noise", {size}, {}, Attributes(noise)});
  }
  const Values binary{
      {"function", std::string("add")}, {"shape_a", Sizes{large, large}}, {"shape_b", Sizes{large, large}}};
  refused({"binary", {0, 0}, {}, Attributes(binary)});
  // Operands that fit, and an output that does not.
  const Values outer{{"function", std::string("add")}, {"shape_a", Sizes{large, 1}}, {"shape_b", Sizes{1, large}}};
  refused({"binary", {large, large}, {}, Attributes(outer)});
  refused({"concat", {int64_t{1} << 56, int64_t{1} << 56, int64_t{1} << 56}, {}, Attributes({{"outer", whole(1)}})});
  const Values product{{"batch", whole(1)}, {"m", whole(large)},       {"k", whole(1)},
                       {"n", whole(large)}, {"transpose_a", whole(0)}, {"transpose_b", whole(0)}};
  refused({"matmul", {large, large}, {}, Attributes(product)});
  refused({"embedding", {large}, {1 << 30}, Attributes({{"rows", whole(1)}, {"dim", whole(1 << 30)}})});
  refused({"embedding", {1}, {large}, Attributes({{"rows", whole(large)}, {"dim", whole(1)}})});
  // 2^56 rows of 2^8 units.
  refused({"dense", {int64_t{1} << 56}, {256, -1}, Attributes({{"units", whole(256)}})});
  const Values map{{"inputs", whole(large)},
                   {"inner", whole(large)},
                   {"begin", Sizes{0, 1}},
                   {"index", Sizes{0}},
                   {"weight", Numbers{1}}};
  refused({"resample", {0}, {}, Attributes(map)});
  refused({"permute", {0}, {}, Attributes({{"lengths", Sizes{large, large}}, {"order", Sizes{1, 0}}})});
}

void check_graph() {
  Net net;
  const int x = net.input(8), ids = net.input(4, InputKind::ids);
  const Weights weights = dense_weights(8, 4);
  net.dense(x, weights);
  Graph graph = net.graph();
  const int part = graph.add({"select_ids", {ids}, {}, Attributes({{"index", Sizes{3, 0}}}), {}})[0];
  const int tensors = graph.tensors();
  for (const int64_t size : {int64_t{0}, int64_t{-3}, int64_t{1} << 60})
    expect_refused("an input of a wrong size", [&] { graph.add_input(size, InputKind::real); });
  for (const int tensor : {-1, tensors, 1000}) {
    expect_refused("a wrong tensor", [&] { graph.add({"add", {x, tensor}, {}, {}, {}}); });
    expect_refused("a penalty of a wrong tensor", [&] { graph.add_activity_penalty({tensor, {1, 1, 0}}); });
    expect_refused("a wrong output", [&] { graph.set_outputs({x, tensor}); });
    expect_refused("the size of a wrong tensor", [&] { graph.size(tensor); });
  }
  const Attributes units({{"units", int64_t{4}}});
  expect_refused("an unknown op", [&] { graph.add({"nothing", {x}, {}, {}, {}}); });
  expect_refused("a wrong parameter", [&] { graph.add({"dense", {x}, {0, 2}, units, {}}); });
  for (const int number : {-1, 2})
    expect_refused("a parameter that is not there", [&] { graph.add_parameter({weights.owner, number}); });
  expect_refused("ids where numbers are read", [&] { graph.add({"add", {ids}, {}, {}, {}}); });
  expect_refused("numbers where ids are read", [&] { graph.add({"numbers", {x}, {}, {}, {}}); });
  for (const Sizes& index : {Sizes{}, Sizes{4}, Sizes{-1}})
    expect_refused("ids that a sample does not have",
                   [&] { graph.add({"select_ids", {ids}, {}, Attributes({{"index", index}}), {}}); });
  expect_refused("a part of ids where numbers are read", [&] { graph.add({"add", {part}, {}, {}, {}}); });
  expect_refused("a penalty of ids", [&] { graph.add_activity_penalty({ids, {1, 1, 0}}); });
  expect_refused("ids as an output", [&] { graph.set_outputs({ids}); });
  for (const int64_t times : {int64_t{0}, int64_t{-1}, int64_t{3}, INT64_MAX})
    expect_refused("parts that a sample does not have", [&] { graph.add({"add", {x, x}, {}, {}, {}, times}); });
  expect_refused("parts that are too many", [&] { graph.add({"parameter", {}, {0}, {}, {}, int64_t{1} << 60}); });
  expect_refused("masks of other outputs", [&] { graph.set_outputs({x}, {x, x}); });
  expect_refused("a mask that is no tensor", [&] { graph.set_outputs({x}, {tensors}); });
  expect_refused("ids as a mask", [&] { graph.set_outputs({x}, {ids}); });
  check(graph.tensors() == tensors && graph.ops().size() == 2, "a graph", "changed by what was refused");
  check(graph.add_parameter({weights.owner, 1}) == 1 && graph.parameters().size() == 2, "a parameter", "counted twice");
  const auto one = std::make_shared<Parameters>(true);
  one->add({4});
  const int single = graph.add_parameter({one, 0});
  const int narrow = graph.add_input(1, InputKind::real);
  expect_refused("one parameter as kernel and bias",
                 [&] { graph.add({"dense", {narrow}, {single, single}, units, {}}); });

  expect_refused("a plan without outputs", [&] { Plan<double> plan(std::make_shared<Graph>(graph)); });
  graph.set_outputs({x});
  expect_refused("a plan of another type", [&] { Plan<float> plan(std::make_shared<Graph>(graph)); });
}

void check_parameters() {
  Parameters parameters(true);
  Parameter p;
  for (const int64_t size : {int64_t{-1}, int64_t{1} << 60, INT64_MIN}) {
    p.size = size;
    expect_refused("a parameter of a wrong size", [&] { parameters.add(p); });
  }
  constexpr int64_t large = int64_t{1} << 32;
  for (const auto& [outer, axis, inner] : std::vector<std::tuple<int64_t, int64_t, int64_t>>{
           {1, 3, 3}, {0, 0, 0}, {large, large, 1}, {-2, -4, 1}, {2, INT64_MAX, 2}}) {
    p.size = 8;
    p.constraint = {Constraint::norm, 0, 1, 1, outer, axis, inner};
    expect_refused("a constraint that does not fit", [&] { parameters.add(p); });
  }
  check(parameters.count() == 0, "parameters", "were added though they were refused");
  for (const int number : {-1, 0}) expect_refused("no such parameter", [&] { parameters.at(number); });
}

void check_trainer() {
  Net net;
  const PlanPtr plan = net.plan({net.softmax(net.dense(net.input(8), 6), 1, 6, 1)});
  Trainer<double> trainer(plan);
  const HeadSetting right = mean_squared_error(0, 6);
  const auto refused = [&](const std::string& what, const std::function<void(HeadSetting&)>& spoil) {
    HeadSetting head = right;
    spoil(head);
    expect_refused(what, [&] { trainer.set_heads({head}); });
  };
  expect_refused("no heads", [&] { trainer.set_heads({}); });
  for (const int output : {-1, 1})
    refused("a head of a wrong output", [=](HeadSetting& head) { head.output = output; });
  for (const int64_t columns : {int64_t{0}, int64_t{-6}, int64_t{4}, int64_t{12}, INT64_MIN})
    refused("columns of a head", [=](HeadSetting& head) { head.columns = columns; });
  refused("an unknown loss", [](HeadSetting& head) { head.loss = "none"; });
  refused("neither a loss nor metrics", [](HeadSetting& head) { head.loss = ""; });
  refused("metrics alone", [](HeadSetting& head) {
    head.loss = "";
    head.metrics = {{"mean_squared_error", 0}};
  });
  HeadSetting metrics_only = right;
  metrics_only.loss = "";
  metrics_only.metrics = {{"mean_squared_error", 0}};
  expect_refused("metrics alone before a loss", [&] { trainer.set_heads({metrics_only, right}); });
  refused("an unknown reduction", [](HeadSetting& head) { head.reduction = "none"; });
  refused("an unknown metric", [](HeadSetting& head) { head.metrics = {{"none", 0}}; });
  refused("a metric of labels", [](HeadSetting& head) { head.metrics = {{"sparse_categorical_accuracy", 0}}; });
  trainer.set_heads({right});
  expect_refused("an unknown optimizer", [&] { trainer.set_optimizer("none", {}); });
  expect_refused("an unknown setting", [&] { trainer.set_optimizer("adam", {{"none", 1}}); });
  trainer.set_optimizer("adam", {});
  check(trainer.state_names().size() == 2, "adam", "has other slots");
  expect_refused("iterations below 0", [&] { trainer.set_iterations(-1); });

  // A gradient cannot pass a step; behind the perceptron's loss it need not.
  Net steps;
  const PlanPtr step = steps.plan({steps.activation(steps.dense(steps.input(8), 6), "step")});
  Trainer<double> of_step(step);
  const Samples samples = Samples(10).real(8).target(6);
  Numbers totals(1);
  const TrainRange range{10, false, 0, 0, 0, 1};
  of_step.set_heads({right});
  const auto train = [&] { of_step.train(totals.data(), samples.data(), range, 1, {}); };
  expect_refused("a gradient through a step", train);
  of_step.set_heads({{0, "perceptron", 6, 0, "mean", 1, {}}});
  check(outcome_of("perceptron", train) == Outcome::accepted, "perceptron", "was refused");
}

// Batches for which there is no memory.
void check_memory() {
  Net net;
  const PlanPtr plan = net.plan({net.activation(net.input(int64_t{1} << 56), "relu")});
  double number = 0;
  Dataset data;
  data.samples = 100;
  data.inputs = {{ColumnKind::real, &number, int64_t{1} << 56}};
  expect_refused("samples of 2^56 elements", [&] { plan->predict_training({&number}, data, false, 0, 1, {}); });
}

}  // namespace

void check_refusals() {
  const std::vector<Row> all = rows();
  for (const std::string& kind : op_kinds())
    check(std::any_of(all.begin(), all.end(), [&](const Row& row) { return row.right.kind == kind; }), kind,
          "has no row here");
  for (const Row& row : all) check_counts(row), check_attributes(row);
  check_wrapping();
  check_graph();
  check_parameters();
  check_trainer();
  check_memory();
}

}  // namespace pynn

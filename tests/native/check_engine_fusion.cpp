// What ops take over from the ones behind them, and what they must leave: how many ops a plan has.
#include "engine_net.h"

namespace pynn {
namespace {

constexpr int64_t kInputs = 6, kUnits = 4;

void expect_ops(const std::string& what, Net& net, const std::vector<int>& outputs, std::size_t expected) {
  const std::size_t got = net.plan(outputs)->ops().size();
  check(got == expected, what, text("the plan has %zu ops, expected %zu", got, expected));
}

// ---- dense, activation, dense: the second one multiplies by the slope

struct Dense {
  Net net;
  int x, first, active, second;

  explicit Dense(const std::string& activation)
      : x(net.input(kInputs)),
        first(net.dense(x, kUnits)),
        active(net.activation(first, activation)),
        second(net.dense(active, kUnits)) {}
};

void check_dense() {
  for (const char* activation : {"relu", "tanh", "sigmoid"}) {
    Dense d(activation);
    expect_ops(std::string("dense and ") + activation, d.net, {d.second}, 2);
  }
  Dense gelu("gelu"), ends("tanh"), output("tanh"), before("tanh"), penalized("tanh"), input("tanh");
  expect_ops("dense and gelu, whose slope needs its input", gelu.net, {gelu.second}, 3);
  expect_ops("an activation that makes an output", ends.net, {ends.active}, 3);
  expect_ops("an activation that makes an output, too", output.net, {output.second, output.active}, 3);
  expect_ops("an output before the activation", before.net, {before.second, before.first}, 3);
  penalized.net.penalize(penalized.active, 0.1, 0);
  expect_ops("a penalty of the activation", penalized.net, {penalized.second}, 3);
  input.net.penalize(input.first, 0, 0.1);
  expect_ops("a penalty before the activation", input.net, {input.second}, 3);

  Net other;
  const int end = other.softmax(other.tanh_dense(other.input(kInputs), kUnits), 1, kUnits, 1);
  expect_ops("an activation that no dense layer reads", other, {end}, 3);
  Dense twice("tanh"), inner("tanh");
  expect_ops("an activation that two layers read", twice.net,
             {twice.net.add({twice.second, twice.net.dense(twice.active, kUnits)})}, 5);
  expect_ops("an activation whose input others read", inner.net, {inner.net.add({inner.second, inner.first})}, 4);
}

// ---- convolution, activation, max pooling

constexpr int64_t kSide = 6, kFilters = 4, kPooled = 3;
const std::vector<int64_t> kConv = {kSide, kSide, 2, kSide, kSide, kFilters, 1, 1, 1, 1, 1, 1, 0, 0, 1};
const std::vector<int64_t> kPool = {kSide, kSide, kFilters, kPooled, kPooled, 2, 2, 2, 2, 0, 0};

struct Conv {
  Net net;
  int x, conv, active, pool;

  explicit Conv(const std::string& activation, const std::vector<int64_t>& shape = kPool,
                const std::string& pooling = "max")
      : x(net.input(kSide * kSide * 2)),
        conv(net.op("conv", {x}, {{"shape", kConv}, {"transposed", int64_t{0}}}, {kernel(), {}})),
        active(net.activation(conv, activation)),
        pool(net.op("pool", {active}, {{"kind", pooling}, {"shape", shape}})) {}

  static ParameterRef kernel() {
    Parameter weights;
    weights.size = 2 * kFilters;
    const auto owner = std::make_shared<Parameters>(true);
    return {owner, owner->add(weights)};
  }
};

void check_conv() {
  const std::vector<int64_t> overlapping = {kSide, kSide, kFilters, 5, 5, 2, 2, 1, 1, 0, 0};
  const std::vector<int64_t> over_the_edge = {kSide, kSide, kFilters, 4, 4, 2, 2, 2, 2, 1, 1};
  const std::vector<int64_t> of_other_images = {4, 9, kFilters, 2, 4, 2, 2, 2, 2, 0, 0};
  Conv relu("relu"), overlaps("relu", overlapping), edges("relu", over_the_edge), others("relu", of_other_images);
  expect_ops("convolution, relu and pooling", relu.net, {relu.pool}, 1);
  expect_ops("windows that overlap", overlaps.net, {overlaps.pool}, 2);
  expect_ops("windows that reach over the edge", edges.net, {edges.pool}, 2);
  expect_ops("windows of other images", others.net, {others.pool}, 2);
  Conv average("relu", kPool, "average"), gelu("gelu");
  expect_ops("average pooling", average.net, {average.pool}, 2);
  expect_ops("gelu, whose slope needs its input", gelu.net, {gelu.pool}, 3);

  Conv last("relu"), output("relu"), before("relu"), penalized("relu"), input("relu");
  expect_ops("an activation that makes the output", last.net, {last.active}, 3);
  expect_ops("an activation that makes an output, too", output.net, {output.pool, output.active}, 3);
  expect_ops("an output before the activation", before.net, {before.pool, before.conv}, 3);
  penalized.net.penalize(penalized.active, 0.1, 0);
  expect_ops("a penalty of the activation", penalized.net, {penalized.pool}, 3);
  input.net.penalize(input.conv, 0, 0.1);
  expect_ops("a penalty before the activation", input.net, {input.pool}, 3);
  Conv twice("relu"), inner("relu");
  expect_ops("an activation that two ops read", twice.net,
             {twice.net.add({twice.pool, twice.net.op("pool", {twice.active}, {{"kind", "max"}, {"shape", kPool}})})},
             4);
  expect_ops("an activation whose input others read", inner.net, {inner.pool, inner.net.add({inner.conv, inner.conv})},
             4);
}

// ---- a rescaling of the samples is done while they are loaded

void expect_rescaled(const std::string& what, Net& net, const std::vector<int>& outputs, bool loading) {
  const std::size_t ops = net.graph().ops().size();
  check(net.plan(outputs)->inputs()[0].scaled() == loading, what, "the input is scaled in another place");
  expect_ops(what, net, outputs, loading ? ops - 1 : ops);
}

void check_rescaling_of_inputs() {
  const auto rescaled = [](Net& net, int x) { return net.rescaling(x, {0.5}, {1}); };
  Net input, output, penalized, twice, inner, both;
  int x = input.input(kInputs);
  expect_rescaled("a rescaling of an input", input, {input.dense(rescaled(input, x), kUnits)}, true);
  x = both.input(kInputs);
  const int scaled = rescaled(both, x);
  expect_rescaled("one that two layers read", both,
                  {both.add({both.dense(scaled, kUnits), both.dense(scaled, kUnits)})}, true);
  x = output.input(kInputs);
  expect_rescaled("of an output", output, {output.dense(rescaled(output, x), kUnits), x}, false);
  x = penalized.input(kInputs);
  penalized.penalize(x, 0.1, 0);
  expect_rescaled("of a tensor with a penalty", penalized, {penalized.dense(rescaled(penalized, x), kUnits)}, false);
  x = twice.input(kInputs);
  expect_rescaled("of an input that others read", twice,
                  {twice.add({twice.dense(rescaled(twice, x), kUnits), twice.dense(x, kUnits)})}, false);
  x = inner.input(kInputs);
  expect_rescaled("of what a layer makes", inner, {rescaled(inner, inner.dense(x, kUnits))}, false);
}

// ---- axes in another order that nobody reads

void check_unread() {
  Net net, output, penalized;
  const auto permuted = [](Net& of, int x) {
    return of.op("permute", {x}, {{"lengths", std::vector<int64_t>{2, 3}}, {"order", std::vector<int64_t>{1, 0}}});
  };
  int x = net.input(kInputs);
  permuted(net, permuted(net, x));
  expect_ops("axes in another order, twice, that nobody reads", net, {net.activation(x, "tanh")}, 1);
  expect_ops("axes in another order that make an output", output, {permuted(output, output.input(kInputs))}, 1);
  x = penalized.input(kInputs);
  penalized.penalize(permuted(penalized, x), 0.1, 0);
  expect_ops("axes in another order that have a penalty", penalized, {penalized.activation(x, "tanh")}, 2);
}

}  // namespace

void check_fusion() {
  check_unread();
  check_dense();
  check_conv();
  check_rescaling_of_inputs();
}

}  // namespace pynn

// Which tensors share memory, and that no one who still needs one finds another in its place.
#include <set>

#include "engine_net.h"

namespace pynn {
namespace {

void check_that(const std::string& what, bool right) { check(right, what, "otherwise"); }

bool meet(const LiveRange& a, const LiveRange& b) { return a.from <= b.to && b.from <= a.to; }

// The most tensors of a size that are needed at one moment: so many blocks there must be.
int64_t most_at_once(const std::vector<LiveRange>& ranges, int64_t size) {
  int64_t most = 0;
  for (const LiveRange& at : ranges)
    most = std::max<int64_t>(most, std::count_if(ranges.begin(), ranges.end(), [&](const LiveRange& range) {
                               return range.size == size && range.any() && range.from <= at.from && at.from <= range.to;
                             }));
  return most;
}

void check_ranges(const std::string& what, const std::vector<LiveRange>& ranges) {
  const Blocks blocks = share_blocks(ranges);
  check_that(what + ": a number for each", blocks.of.size() == ranges.size());
  for (std::size_t i = 0; i < ranges.size(); ++i) {
    const int block = blocks.of[i];
    check_that(what + ": a block where it is needed", (block >= 0) == ranges[i].any());
    if (block < 0) continue;
    check_that(what + ": of its size", blocks.sizes[static_cast<std::size_t>(block)] == ranges[i].size);
    for (std::size_t j = 0; j < i; ++j)
      check_that(what + ": not at one time", blocks.of[j] != block || !meet(ranges[i], ranges[j]));
  }
  for (int64_t size = 0; size < 4; ++size)
    check_that(what + ": no more blocks than needed",
               std::count(blocks.sizes.begin(), blocks.sizes.end(), size) == most_at_once(ranges, size));
}

void check_random_ranges() {
  const auto below = [](double end) { return static_cast<int>(random_value(0, end)); };
  for (int round = 0; round < 200; ++round) {
    std::vector<LiveRange> ranges(static_cast<std::size_t>(below(30)));
    for (LiveRange& range : ranges) {
      range = {below(4), below(12), 0};
      range.to = range.from + below(6) - 1;
    }
    check_ranges(text("ranges %d", round), ranges);
  }
}

// Of two that are free, the one that became so last.
void check_last_block() {
  const Blocks blocks = share_blocks({{5, 0, 1}, {5, 0, 2}, {5, 3, 3}, {6, 3, 3}});
  check_that("the block that was free last", blocks.of == std::vector<int>({0, 1, 1, 2}));
}

std::size_t count_blocks(const std::vector<double*>& places) {
  std::set<double*> blocks(places.begin(), places.end());
  blocks.erase(nullptr);
  return blocks.size();
}

// Layers of one width: predictions need two blocks for them, and so do gradients. Values stay for the way back, and
// where members go alone, the gradients that parameters are made of.
void check_chain() {
  constexpr int64_t kWidth = 64, kSamples = 256;
  Net net;
  int x = net.input(kWidth);
  const auto functions = [&] {
    for (int i = 0; i < 4; ++i) x = net.activation(net.activation(x, "tanh"), "sigmoid");
  };
  functions();
  for (int i = 0; i < 3; ++i) x = net.tanh_dense(x, kWidth);
  functions();
  const PlanPtr plan = net.plan({net.softmax(x, 1, kWidth, 1)});
  const std::size_t tensors = plan->ops().size() + 1;
  const HeadSetting loss = mean_squared_error(0, kWidth);
  const std::vector<int> output = plan->graph().outputs();
  const Routes routes = make_routes(*plan, output, output, std::vector<char>(6, 1), {1});
  const auto blocks = [&](int members, bool way_back) {
    const Workspace<double> space = plan->make_workspace(kSamples, members, way_back ? &routes.needs : nullptr);
    return count_blocks(way_back ? space.gradients : space.values);
  };
  expect_equal("blocks of a chain: predictions", Numbers{double(blocks(1, false))}, Numbers{2});
  expect_equal("blocks of a chain: gradients", Numbers{double(blocks(1, true))}, Numbers{2});
  expect_equal("blocks of a chain: gradients, alone", Numbers{double(blocks(2, true))}, Numbers{5});
  expect_equal("blocks of a chain: values",
               Numbers{double(count_blocks(plan->make_workspace(kSamples, 1, &routes.needs).values))},
               Numbers{double(tensors)});
  const Samples samples = Samples(kSamples).real(kWidth).target(kWidth);
  expect_predictions("a chain in few blocks", plan, samples.data());
  expect_gradients("a chain in few blocks", plan, {{loss}}, samples.data());
}

constexpr int64_t kSize = 16, kSamples = 70;  // a chunk, and some more

// Predictions read what goes into noise where they would read what comes out of it.
void check_what_passes_on() {
  const Weights layers[] = {dense_weights(kSize, kSize), dense_weights(kSize, kSize)};
  const Samples samples = Samples(kSamples).real(kSize);
  const auto output = [&](int noises) {
    Net net;
    int x = net.dense(net.input(kSize), layers[0]);
    for (int i = 0; i < noises; ++i)
      x = net.op("noise", {x},
                 {{"kind", "dropout"},
                  {"amount", 0.4},
                  {"seed", int64_t{3}},
                  {"shape", std::vector<int64_t>{kSize}},
                  {"sharing", std::vector<int64_t>{0, 0}}});
    const PlanPtr plan = net.plan({net.add({x, net.activation(net.dense(x, layers[1]), "tanh")})});
    return predict(plan, samples.data(), 1)[0];
  };
  const Numbers plain = output(0);
  for (const int noises : {1, 2, 3}) expect_equal(text("%d passed on", noises), output(noises), plain);
}

// What is read behind all ops, with ops that could take its place: the logits of a loss, a penalized tensor, and an
// output in the middle.
void check_what_is_read_at_the_end() {
  Net net;
  const int x = net.input(kSize), logits = net.tanh_dense(x, kSize), shown = net.softmax(logits, 1, kSize, 1);
  const int penalized = net.tanh_dense(shown, kSize);
  net.penalize(penalized, 0.1, 0.2);
  int end = penalized;
  for (int i = 0; i < 6; ++i) end = net.tanh_dense(end, kSize);
  const PlanPtr plan = net.plan({shown, end}), all = net.plan({shown, end, logits, penalized});
  const Samples samples = Samples(kSamples).real(kSize).one_hot(1, kSize).target(kSize);
  const std::vector<Numbers> outputs = predict(all, samples.data(), 1);
  expect_equal("an output in the middle", predict(plan, samples.data(), 1)[0], outputs[0]);
  const Recipe recipe{{{0, "categorical_crossentropy", kSize, 0, "mean", 1, {}}, mean_squared_error(1, kSize)}};
  double loss = 0;
  const Numbers &p = outputs[0], &last = outputs[1], &active = outputs[3], &one_hot = samples.numbers(1),
                &target = samples.numbers(2);
  for (std::size_t i = 0; i < p.size(); ++i)
    loss += (last[i] - target[i]) * (last[i] - target[i]) / kSize - one_hot[i] * std::log(p[i]) +
            0.1 * std::abs(active[i]) + 0.2 * active[i] * active[i];
  for (const int threads : {1, 3})
    expect_near("the loss at the end", Numbers{evaluate(plan, recipe, samples.data(), threads)[0]}, Numbers{loss}, 1e4);
}

}  // namespace

void check_blocks() {
  check_what_passes_on();
  check_what_is_read_at_the_end();
  check_random_ranges();
  check_last_block();
  check_chain();
}

}  // namespace pynn

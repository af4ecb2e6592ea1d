// What others may do in the loop over steps, and in the middle of a network.
#include <condition_variable>
#include <mutex>
#include <thread>

#include "engine_net.h"

namespace pynn {
namespace {

constexpr int64_t kInputs = 32, kWide = 96, kUnits = 8;

// A chain with a penalty; `custom`, where it is not empty, is in the middle of it.
PlanPtr chain(const Callback& custom = {}) {
  Net net;
  Parameter penalized;
  penalized.l2 = 0.01;
  const int a = net.tanh_dense(net.input(kInputs), kWide);
  const int b = net.activation(net.dense(a, dense_weights(kWide, kWide, penalized)), "tanh");
  const int c = custom.forward ? net.custom({b}, {kWide}, custom)[0] : b;
  return net.plan({net.dense(net.tanh_dense(c, kWide), kUnits)});
}

Recipe with_momentum(int64_t batch_size, int64_t steps) {
  return {{mean_squared_error(0, kUnits)}, batch_size, steps, "sgd", {{"learning_rate", 0.1}, {"momentum", 0.9}}};
}

// ---- next_batch
// ------------------------------------------------------------------------------------------------------

// Batches of these sizes, one after the other; then `at_end`.
std::function<bool(Dataset&)> stream(const Samples& samples, const std::vector<int64_t>& sizes,
                                     const std::function<bool(Dataset&)>& at_end) {
  return [&samples, sizes, at_end, next = size_t{0}, begin = int64_t{0}](Dataset& data) mutable {
    if (next == sizes.size()) return at_end(data);
    data = samples.rows(begin, sizes[next]);
    begin += sizes[next++];
    return true;
  };
}

bool no_more(Dataset& data) {
  data = {};
  return false;
}

void check_stream() {
  const std::string what = "a stream";
  const Samples samples = Samples(1000).real(kInputs).target(kUnits);
  const PlanPtr plan = chain();
  const std::vector<int64_t> sizes{300, 37, 256, 1, 299};

  // Each batch by itself, with the same optimizer.
  const std::vector<Numbers> before = weights_of(plan->graph());
  Trainer<double> trainer(plan);
  Recipe recipe = with_momentum(300, 10);
  trainer.set_heads(recipe.heads);
  trainer.set_optimizer(recipe.optimizer, recipe.settings);
  Numbers totals(1);
  std::vector<std::vector<Numbers>> after{before};
  int64_t begin = 0;
  for (const int64_t size : sizes) {
    trainer.train(totals.data(), samples.rows(begin, size), {size, false, 0, 0, 0, 1}, 2, {});
    begin += size;
    after.push_back(weights_of(plan->graph()));
  }
  set_weights(plan->graph(), before);

  for (const int threads : teams()) {
    recipe.steps = 10;
    recipe.hooks.next_batch = stream(samples, sizes, no_more);
    const Trained streamed = train(plan, recipe, {}, threads);
    expect_same(what, streamed.weights, after.back());
    expect_equal(what + ": totals", streamed.totals, totals);
    check(streamed.finite && streamed.steps == 5, what, text("%d steps", static_cast<int>(streamed.steps)));

    // Fewer steps than batches, none at all, and an exception after each number of them.
    recipe.steps = 3;
    recipe.hooks.next_batch = stream(samples, sizes, no_more);
    expect_same(what + ": three steps", train(plan, recipe, {}, threads).weights, after[3]);
    recipe.steps = 10;
    recipe.hooks.next_batch = no_more;
    const Trained none = train(plan, recipe, {}, threads);
    expect_same(what + ": empty", none.weights, before);
    check(none.steps == 0 && none.finite, what + ": empty", text("%d steps", static_cast<int>(none.steps)));
    for (size_t count = 0; count <= sizes.size(); ++count) {
      const std::vector<int64_t> some(sizes.begin(), sizes.begin() + static_cast<std::ptrdiff_t>(count));
      Hooks<double> hooks;
      hooks.next_batch = stream(samples, some, [](Dataset&) -> bool { throw std::domain_error("no more"); });
      trainer.set_optimizer(recipe.optimizer, recipe.settings);
      expect_throws<std::domain_error>(what, [&] {
        Numbers unused(1);
        trainer.train(unused.data(), {}, {300, false, 0, 0, 0, 10}, threads, hooks);
      });
      expect_same(what + text(": an exception after %zu", count), weights_of(plan->graph()), after[count]);
      check(trainer.steps_done() == static_cast<int64_t>(count), what, "the count of steps is wrong");
      set_weights(plan->graph(), before);
    }
  }
}

// An empty stream leaves no trace either where there are gradients of an earlier training.
void check_empty_stream() {
  const Samples samples = Samples(100).real(kInputs).target(kUnits);
  const PlanPtr plan = chain();
  Trainer<double> trainer(plan);
  trainer.set_heads({mean_squared_error(0, kUnits)});
  trainer.set_optimizer("sgd", {{"learning_rate", 0.1}, {"momentum", 0.9}});
  Numbers totals(1);
  trainer.train(totals.data(), samples.data(), {100, false, 0, 0, 0, 1}, 2, {});
  const std::vector<Numbers> before = weights_of(plan->graph());
  Hooks<double> hooks;
  hooks.next_batch = no_more;
  int reductions = 0;
  hooks.reduce = [&](double*, int64_t, double*) { ++reductions; };
  trainer.train(totals.data(), {}, {100, false, 0, 0, 0, 1}, 2, hooks);
  expect_same("an empty stream", weights_of(plan->graph()), before);
  check(reductions == 0, "an empty stream", "gradients were reduced");
  // Batches that are larger than was said, or empty, are refused.
  for (const int64_t size : {int64_t{0}, int64_t{100}}) {
    hooks.next_batch = [&](Dataset& data) {
      data = samples.rows(0, size);
      return true;
    };
    expect_throws<std::invalid_argument>(text("a batch of %d for 99", static_cast<int>(size)),
                                         [&] { trainer.train(totals.data(), {}, {99, false, 0, 0, 0, 1}, 2, hooks); });
    expect_same("a batch that is refused", weights_of(plan->graph()), before);
  }
}

// Batches of one size are what fit makes of all samples.
void check_stream_is_fit() {
  const Samples samples = Samples(450).real(kInputs).target(kUnits);
  const PlanPtr plan = chain();
  Recipe recipe = with_momentum(120, 4);
  const Trained fitted = train_on_teams("fit", plan, recipe, samples.data());
  recipe.hooks.next_batch = stream(samples, {120, 120, 120, 90}, no_more);
  const Trained streamed = train(plan, recipe, {}, 3);
  expect_same("a stream as fit", streamed.weights, fitted.weights);
  expect_equal("a stream as fit: totals", streamed.totals, fitted.totals);
}

// ---- reduce
// ----------------------------------------------------------------------------------------------------------

// Two trainings meet here, and leave with the means of what they have.
class Meeting {
 public:
  void reduce(double* gradients, int64_t count, double* loss) {
    std::unique_lock<std::mutex> lock(mutex_);
    if (++here_ == 1) {
      gradients_ = gradients, loss_ = loss;
      // The other one may be here again, for the next meeting, before this one wakes up.
      left_.wait(lock, [&, meeting = meetings_] { return meetings_ != meeting; });
      return;
    }
    for (int64_t i = 0; i < count; ++i) gradients[i] = gradients_[i] = (gradients[i] + gradients_[i]) / 2;
    *loss = *loss_ = (*loss + *loss_) / 2;
    here_ = 0;
    ++meetings_;
    left_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable left_;
  int here_ = 0, meetings_ = 0;
  double *gradients_ = nullptr, *loss_ = nullptr;
};

// `bad`: the number of a sample whose target is infinite, or -1.
void check_reduce(int64_t bad) {
  constexpr int64_t half = 150, steps = 4;
  const std::string what = text("two trainings, %s", bad < 0 ? "finite" : "one of them not finite");
  const PlanPtr plans[2] = {chain(), chain()};
  set_weights(plans[1]->graph(), weights_of(plans[0]->graph()));
  // Batch b of a training: the rows from b * half on of its samples.
  Samples samples[2] = {Samples(steps * half).real(kInputs).target(kUnits),
                        Samples(steps * half).real(kInputs).target(kUnits)};
  Numbers x, y;
  for (int64_t b = 0; b < steps; ++b)
    for (const Samples& of : samples) {
      const auto add = [&](Numbers& to, size_t which, int64_t width) {
        const auto begin = of.numbers(which).begin() + b * half * width;
        to.insert(to.end(), begin, begin + half * width);
      };
      add(x, 0, kInputs), add(y, 1, kUnits);
    }
  Dataset whole;
  whole.samples = 2 * steps * half;
  whole.inputs = {{ColumnKind::real, x.data(), kInputs}};
  whole.targets = {{ColumnKind::real, y.data(), kUnits}};
  if (bad >= 0) {
    const Dataset data = samples[1].rows(bad, 1);
    *const_cast<double*>(static_cast<const double*>(data.targets[0].data)) = std::numeric_limits<double>::infinity();
  }
  const int64_t expected_steps = bad < 0 ? steps : bad / half;
  Recipe recipe = with_momentum(2 * half, expected_steps);
  const Trained expected = train(plans[0], recipe, whole, 2);

  Meeting meeting;
  Trained trained[2];
  recipe.batch_size = half;
  recipe.steps = steps;
  recipe.hooks.reduce = [&](double* g, int64_t n, double* loss) { meeting.reduce(g, n, loss); };
  std::thread other([&] { trained[1] = train(plans[1], recipe, samples[1].data(), 2); });
  trained[0] = train(plans[0], recipe, samples[0].data(), 3);
  other.join();
  expect_same(what, trained[0].weights, trained[1].weights);
  for (size_t p = 0; p < expected.weights.size(); ++p)
    expect_near(what + ": against one training", trained[0].weights[p], expected.weights[p], 100);
  for (const Trained& each : trained)
    check(each.steps == expected_steps && each.finite == (bad < 0), what,
          text("%d steps, finite %d", static_cast<int>(each.steps), each.finite));
  if (bad < 0) expect_near<double>(what + ": totals", {2 * trained[0].totals[0]}, expected.totals, 1000);
}

// ---- interrupt
// -------------------------------------------------------------------------------------------------------

// Whatever the step that it comes in, the weights are those after a number of whole steps, and that number is told.
void check_interrupt(const PlanPtr& plan, int64_t batch_size) {
  const Samples samples = Samples(600).real(kInputs).target(kUnits);
  Recipe recipe = with_momentum(batch_size, 1000000);
  for (const int threads : teams()) {
    const std::string what = text("an interrupt, batches of %d, %d threads", static_cast<int>(batch_size), threads);
    const std::vector<Numbers> before = weights_of(plan->graph());
    Trainer<double> trainer(plan);
    trainer.set_heads(recipe.heads);
    trainer.set_optimizer(recipe.optimizer, recipe.settings);
    Numbers totals(1000000);
    Hooks<double> hooks;
    hooks.interrupt = [polls = 0]() mutable {
      if (++polls == 3) throw std::domain_error("interrupted");
    };
    const TrainRange range{batch_size, false, 0, 0, 0, 600000};
    expect_throws<std::domain_error>(what,
                                     [&] { trainer.train(totals.data(), samples.data(), range, threads, hooks); });
    const int64_t steps = trainer.steps_done();
    check(steps == trainer.iterations(), what, "the optimizer counts other steps");
    const std::vector<Numbers> stopped = weights_of(plan->graph());
    set_weights(plan->graph(), before);
    recipe.steps = steps;
    if (steps > 0)
      expect_same(what + text(", %d steps", static_cast<int>(steps)), stopped,
                  train(plan, recipe, samples.data(), 2).weights);
    // It goes on from there as if nothing had been.
    set_weights(plan->graph(), stopped);
    trainer.train(totals.data(), samples.data(), {batch_size, false, 0, 0, steps, 2}, threads, {});
    const std::vector<Numbers> gone_on = weights_of(plan->graph());
    set_weights(plan->graph(), before);
    recipe.steps = steps + 2;
    expect_same(what + ": afterwards", gone_on, train(plan, recipe, samples.data(), 1).weights);
  }
}

// ---- custom ops
// ------------------------------------------------------------------------------------------------------

// y = x^2 + x, and what is wrong with how it is called.
struct Watched {
  const std::thread::id caller = std::this_thread::get_id();
  std::atomic<int> inside{0}, calls{0}, together{0}, elsewhere{0}, flushed{0};
  std::atomic<int> fail_forward{-1}, fail_backward{-1};  // the number of calls after which it throws

  struct Visit {
    Watched& of;
    explicit Visit(Watched& watched) : of(watched) {
      if (++of.inside > 1) ++of.together;
      if (std::this_thread::get_id() != of.caller) ++of.elsewhere;
      ++of.calls;
      volatile double tiny = 1e-300;
      tiny = tiny * 1e-10;
      if (tiny == 0) ++of.flushed;
    }
    ~Visit() { --of.inside; }
  };

  Callback callback() {
    Callback callback;
    callback.forward = [this](const std::vector<void*>& y, const std::vector<const void*>& x, int64_t samples) {
      const Visit visit(*this);
      if (fail_forward-- == 0) throw std::domain_error("forward");
      for (int64_t i = 0; i < samples * kWide; ++i) {
        const double value = static_cast<const double*>(x[0])[i];
        static_cast<double*>(y[0])[i] = value * value + value;
      }
    };
    callback.backward = [this](const std::vector<void*>& dx, const std::vector<const void*>& dy,
                               const std::vector<const void*>& x, int64_t samples) {
      const Visit visit(*this);
      if (fail_backward-- == 0) throw std::domain_error("backward");
      for (int64_t i = 0; i < samples * kWide; ++i)
        static_cast<double*>(dx[0])[i] =
            (2 * static_cast<const double*>(x[0])[i] + 1) * static_cast<const double*>(dy[0])[i];
    };
    return callback;
  }
};

void check_custom() {
  Watched watched;
  const std::string what = "a custom op";
  const PlanPtr plan = chain(watched.callback());
  const Samples samples = Samples(600).real(kInputs).target(kUnits);
  expect_gradients(what, plan, {{mean_squared_error(0, kUnits)}}, samples.data());
  const std::vector<Numbers> expected = predict(plan, samples.data(), 1);
  for (const int threads : teams())
    expect_same(what + text(": predictions of %d threads", threads), predict(plan, samples.data(), threads), expected);
  check(watched.calls > 0 && watched.together == 0 && watched.elsewhere == 0, what,
        text("of %d calls %d at the same time as others, %d on another thread than the caller's", watched.calls.load(),
             watched.together.load(), watched.elsewhere.load()));
  check(watched.flushed == 0, what, text("subnormal numbers are flushed in %d calls", watched.flushed.load()));

  // An exception, forwards or backwards, leaves the weights of the last step that was finished.
  Trainer<double> trainer(plan);
  const Recipe recipe = with_momentum(200, 2);
  const Trained two_steps = train(plan, recipe, samples.data(), 2);
  const std::vector<Numbers> before = weights_of(plan->graph());
  trainer.set_heads(recipe.heads);
  Numbers totals(1);
  for (const bool forwards : {true, false})
    for (const int threads : teams()) {
      const std::string name = what + text(": an exception, forwards %d, %d threads", forwards, threads);
      trainer.set_optimizer(recipe.optimizer, recipe.settings);
      watched.fail_forward = forwards ? 2 : -1;
      watched.fail_backward = forwards ? -1 : 2;
      expect_throws<std::domain_error>(
          name, [&] { trainer.train(totals.data(), samples.data(), {200, false, 0, 0, 0, 3}, threads, {}); });
      expect_same(name, weights_of(plan->graph()), two_steps.weights);
      check(trainer.steps_done() == 2, name, "the count of steps is wrong");
      set_weights(plan->graph(), before);
    }
}

}  // namespace

void check_hooks() {
  check_stream();
  check_empty_stream();
  check_stream_is_fit();
  check_reduce(-1);
  check_reduce(310);
  check_interrupt(chain(), 200);
  check_interrupt(chain(), 600);
  check_custom();
}

}  // namespace pynn

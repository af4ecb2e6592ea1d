#include <chrono>
#include <cmath>
#include <limits>
#include <optional>

#include "../runtime/blas.h"
#include "../runtime/philox.h"
#include "network_impl.h"

namespace pynn {
namespace {

using Clock = std::chrono::steady_clock;

// A large batch goes through in slices of so many samples, whose gradients are added up in order: the workspace stays
// small and in the caches, and Ctrl-C is looked for in between. The cut does not depend on the team.
constexpr int64_t kSlice = 256;

// Beyond so many multiply-adds a step is long enough that Ctrl-C must be able to end it half-way. Then no parameter may
// change before all gradients are there.
constexpr double kShortStep = 5e9;

// A team that waits more than this share of its time is held up by other processes: each barrier waits for a member
// that has no core. One member alone is faster then, and gives the same results; after a while the team is tried again.
constexpr double kMostWaiting = 0.3;
constexpr double kTrial = 0.01, kAloneAtFirst = 0.05, kAloneAtMost = 1;  // seconds

// Elements of a piece of the update: a multiple of the vectors' length.
constexpr int64_t kUpdateGrain = 64;

// Sums over a parameter or its gradient are made in chunks; `first` is the number of its first chunk among all.
struct SumChunks {
  int64_t first, count;
};

int64_t chunks_of(int64_t n) { return (n + kSumChunk - 1) / kSumChunk; }

}  // namespace

// What the members of a team share while they train.
template <typename T>
struct NetworkOf<T>::Run {
  double* totals;
  Samples x;
  Targets y;
  TrainRange range;
  int64_t batches;                            // of an epoch
  int64_t slice;                              // samples that go through together
  int64_t first_iteration;                    // of the optimizer
  bool fused;                                 // parameters are updated as soon as their gradients are there
  std::atomic<bool> parameters_finite{true};  // those that meet the samples, when it begins; and all that change
  std::vector<Range> updated;                 // the trainable parts of the parameter buffer
  std::vector<SumChunks> chunks;
  std::vector<double> norms;      // sums of squares, by chunk
  std::vector<double> penalties;  // by chunk; empty where no parameter has one
  bool constrained;
  OptimizerStep step{};
  bool finite = true;
  bool pause = false;    // end the region before the next step
  double seconds_alone;  // how long one member shall go on by itself

  // Whether the region that began at `start` should give way to one of another size. Rank 0 asks, before a step.
  bool should_pause(const Team& team, Clock::time_point start, bool team_waits) const {
    if (!team_waits && team.size == 1) return false;
    const double elapsed = std::chrono::duration<double>(Clock::now() - start).count();
    return team.size == 1 ? elapsed > seconds_alone : elapsed > kTrial && team.held_up() > kMostWaiting * elapsed;
  }
};

template <typename T>
bool NetworkOf<T>::train(double* totals, int64_t columns, const Samples& x, const Targets& y, const TrainRange& range,
                         int threads, const Interrupt& interrupt) {
  steps_done_ = 0;
  const auto lock = lock_for_change();
  check_objective(columns, 0);
  std::vector<bool> gradients = needs_gradient();
  gradients.resize(static_cast<std::size_t>(objective_.tensor) + 1);

  Run run;
  run.totals = totals;
  run.x = x;
  run.y = y;
  run.range = range;
  run.first_iteration = iterations_;
  run.batches = (x.count + range.batch_size - 1) / range.batch_size;
  const int64_t batch = std::min(range.batch_size, x.count);
  const int64_t slice = run.slice = couples_samples() ? batch : std::min(batch, kSlice);
  const double slice_work = 3 * work() * static_cast<double>(slice) + 4 * static_cast<double>(parameter_elements_);
  const auto any = [&](bool (Parameter::*has)() const) {
    return std::any_of(parameters_.begin(), parameters_.end(), [&](const Parameter& p) { return (p.*has)(); });
  };
  const bool penalized = any(&Parameter::penalized);
  run.constrained = any(&Parameter::constrained);
  run.fused = !settings_.needs_norms() && batch <= slice && slice_work < kShortStep && !penalized && !run.constrained;
  int64_t chunks = 0;
  for (const Parameter& p : parameters_) {
    run.chunks.push_back({chunks, p.trainable() ? chunks_of(p.size) : 0});
    chunks += run.chunks.back().count;
    const int64_t end = p.offset + padded<T>(p.size);
    if (!p.trainable()) continue;
    if (!run.updated.empty() && run.updated.back().end == p.offset)
      run.updated.back().end = end;
    else
      run.updated.push_back({p.offset, end});
  }
  run.norms.resize(static_cast<std::size_t>(chunks));
  if (penalized) run.penalties.resize(static_cast<std::size_t>(chunks));
  run.parameters_finite = first_parameters_finite();

  const int size = team_size(threads, slice_work, kWorkPerMember);
  if (space_.capacity != slice || static_cast<int>(space_.own.size()) < size) {
    Workspace<T> space;  // all of it or, where memory runs out, the old one
    plan(space, slice, gradients, size);
    space.rows.allocate(slice * max_rows());
    if (loss_takes_labels())
      space.labels.allocate(slice * loss_rows());
    else
      space.targets.allocate(slice * output_size());
    space_ = std::move(space);
  }
  if (range.shuffle && order_of_.count != x.count) {
    order_of_ = {};
    order_.resize(static_cast<std::size_t>(x.count));
  }

  blas::keep_serial();
  bool alone = false;
  run.seconds_alone = kAloneAtFirst;
  while (steps_done_ < range.steps && run.finite) {
    run.pause = false;
    run_team(alone ? 1 : size, [&](const Team& team) { train_member(team, run, alone); }, interrupt);
    if (alone) run.seconds_alone = std::min(2 * run.seconds_alone, kAloneAtMost);
    alone = run.pause && !alone;
  }
  return run.finite;
}

template <typename T>
void NetworkOf<T>::train_member(const Team& team, Run& run, bool team_waits) {
  const TrainRange& range = run.range;
  Pass<T> pass{k_};
  pass.values = space_.values.data();
  pass.gradients = space_.gradients.data();
  pass.parameters = parameters_.data();
  pass.parameter_values = values_.data();
  pass.parameter_gradients = gradients_.data();
  pass.shared = space_.shared;
  pass.own = space_.own[static_cast<std::size_t>(team.rank)];
  pass.saved = space_.saved.data();
  pass.training = true;
  const auto apply = [&](Range part, const Gradient<T>& gradient) {
    T* slots[max_slots];
    for (int i = 0; i < slots_used_; ++i) slots[i] = slots_[static_cast<std::size_t>(i)].data() + part.begin;
    if (!k_.optimizer_update(values_.data() + part.begin, gradient, slots, part.end - part.begin, run.step))
      run.parameters_finite.store(false, std::memory_order_relaxed);
  };
  if (run.fused) pass.gradients_ready = apply;
  pass.loaded = loaded_;

  const auto start = Clock::now();
  const int64_t first = range.first_step + steps_done_, end = range.first_step + range.steps;
  team.barrier();  // steps_done_ changes with the first step
  for (int64_t s = first; s < end; ++s) {
    // What rank 0 prepares here is used after the barrier behind the gather, but for the order of a new epoch.
    const int64_t epoch = range.epoch + s / run.batches, begin = s % run.batches * range.batch_size;
    const int64_t batch = std::min(range.batch_size, run.x.count - begin);
    if (team.rank == 0) {
      team.poll();
      run.pause = s > first && run.should_pause(team, start, team_waits);
      run.step = schedule_.step(settings_, learning_rate_, iterations_ + 1);
      if (range.shuffle) put_in_order(range.seed, epoch, run.x.count);
    }
    if (s == first || begin == 0) team.barrier();
    if (!run.penalties.empty())
      for_my_chunks(team, run, [&](const Parameter& p, int64_t number, int64_t chunk, Range) {
        run.penalties[static_cast<std::size_t>(number)] = p.penalized() ? penalty_of_chunk(p, chunk) : 0;
      });
    double loss = 0;
    bool finite = true;
    pass.step = static_cast<uint64_t>(run.first_iteration + s - range.first_step);
    for (int64_t from = 0; from < batch && finite; from += run.slice) {
      pass.batch = std::min(run.slice, batch - from);
      pass.accumulate = from > 0;
      pass.first_sample = from;
      gather(team, run, begin + from, pass.batch);
      pass.nonzero = run.parameters_finite.load(std::memory_order_relaxed) ? space_.nonzero : Nonzero{};
      team.barrier();
      if (run.pause) return;
      if (from == 0)
        for (const double penalty : run.penalties) loss += penalty;
      // A rate that is infinite as a T would make NaN of a gradient of 0.
      pass.not_for_zeros = settings_.keeps_still() && std::isfinite(static_cast<T>(run.step.learning_rate));
      finite = slice(team, run, pass, batch, s / run.batches, &loss);
    }
    if (team.rank == 0) run.totals[s / run.batches * (1 + metrics())] += loss * static_cast<double>(batch);
    if (!finite) {
      if (team.rank == 0) run.finite = false;
      return;
    }
    if (!run.fused) update(team, run, apply);
    {
      const Uninterruptible guard(team);
      for (const auto& op : ops_) op->end_step(team, pass);
    }
    team.barrier();
    if (team.rank == 0) {
      ++iterations_;
      ++steps_done_;
    }
  }
}

// The order in which an epoch visits the samples.
template <typename T>
void NetworkOf<T>::put_in_order(uint64_t seed, int64_t epoch, int64_t count) {
  if (order_of_.epoch == epoch && order_of_.seed == seed && order_of_.count == count) return;
  permute(order_.data(), count, {seed, static_cast<uint64_t>(epoch)});
  order_of_ = {seed, epoch, count};
}

// Forward and backward for the samples that were gathered, of a batch of `batch`; adds to the loss. False, with nothing
// changed, if the loss is not finite. Where parameters are updated at once, other members may still be about it.
template <typename T>
bool NetworkOf<T>::slice(const Team& team, Run& run, const Pass<T>& pass, int64_t batch, int64_t totals_row,
                         double* loss) {
  for (const auto& op : ops_) {
    if (op->output > objective_.tensor && objective_.metrics.empty()) break;  // the loss does not need it
    op->forward(team, pass);
    team.barrier();
  }
  const TargetRows<T> target{loss_takes_labels() ? nullptr : space_.targets.data(),
                             loss_takes_labels() ? space_.labels.data() : nullptr};
  const auto tensor = static_cast<std::size_t>(objective_.tensor);
  const double scale = objective_.mean ? 1 / static_cast<double>(batch * loss_rows()) : 1;
  double* rows = space_.rows.data();
  for (std::size_t m = 0; m < objective_.metrics.size(); ++m) {
    metric_rows(team, rows, objective_.metrics[m], space_.values[static_cast<std::size_t>(output_)], target,
                pass.batch);
    team.barrier();
    const int64_t count = pass.batch * (output_size() / objective_.metrics[m].columns);
    if (team.rank == 0) {
      double sum = 0;
      for (int64_t i = 0; i < count; ++i) sum += rows[i];
      run.totals[totals_row * (1 + metrics()) + 1 + static_cast<int64_t>(m)] += sum;
    }
    team.barrier();
  }
  double penalty = 0;
  for (const ActivityPenalty& activity : activity_penalties_) {
    activity_rows(team, rows, activity, space_.values[static_cast<std::size_t>(activity.tensor)], pass.batch);
    team.barrier();
    for (int64_t i = 0; i < pass.batch; ++i) penalty += rows[i];
    team.barrier();
  }
  loss_rows(team, rows, space_.gradients[tensor], space_.values[tensor], target, pass.batch, scale);
  team.barrier();
  // Every member adds the rows up for itself, so that all come to the same decision without waiting.
  double sum = 0;
  for (int64_t i = 0; i < pass.batch * loss_rows(); ++i) sum += rows[i];
  *loss += sum * scale + penalty / static_cast<double>(batch);
  if (!std::isfinite(*loss)) return false;

  std::optional<Uninterruptible> guard;
  if (run.fused) guard.emplace(team);
  for (auto op = ops_.rbegin(); op != ops_.rend(); ++op) {
    if ((*op)->output > objective_.tensor || space_.gradients[static_cast<std::size_t>((*op)->output)] == nullptr)
      continue;
    for (const ActivityPenalty& activity : activity_penalties_) {
      if (activity.tensor != (*op)->output) continue;
      const auto number = static_cast<std::size_t>(activity.tensor);
      const Range mine = team.share(pass.batch * sizes_[number], kUpdateGrain);
      k_.add_penalty_slope(space_.gradients[number] + mine.begin, space_.values[number] + mine.begin,
                           mine.end - mine.begin, activity.l1 / static_cast<double>(batch),
                           activity.l2 / static_cast<double>(batch));
      team.barrier();
    }
    (*op)->backward(team, pass);
    if (!run.fused || std::next(op) != ops_.rend()) team.barrier();
  }
  return true;
}

template <typename T>
void NetworkOf<T>::gather(const Team& team, const Run& run, int64_t begin, int64_t count) {
  const int64_t* order = run.range.shuffle ? order_.data() + begin : nullptr;
  const int64_t from = run.range.shuffle ? 0 : begin;
  T* to = space_.values[static_cast<std::size_t>(loaded_)];
  const int64_t size = sizes_[0], next = std::min(count, run.x.count - begin - count);
  const auto* values = static_cast<const T*>(run.x.values);
  if (run.x.bytes != nullptr)
    k_.gather_bytes(team, to, space_.nonzero, run.x.bytes + from * size, order, count, next, size, input_scaling());
  else
    k_.gather(team, to, space_.nonzero, values + from * size, order, count, next, size, input_scaling());
  if (run.y.labels == nullptr) {
    k_.gather(team, space_.targets.data(), {}, static_cast<const T*>(run.y.values) + from * output_size(), order, count,
              0, output_size(), {});
    return;
  }
  const int64_t rows = loss_rows();
  const Range mine = team.share(count);
  for (int64_t i = mine.begin; i < mine.end; ++i)
    std::copy_n(run.y.labels + (order == nullptr ? from + i : order[i]) * rows, rows, space_.labels.data() + i * rows);
}

template <typename T>
template <typename Apply>
void NetworkOf<T>::update(const Team& team, Run& run, const Apply& apply) {
  if (!run.penalties.empty()) {
    for_my_chunks(team, run, [&](const Parameter& p, int64_t, int64_t, Range part) {
      if (p.penalized())
        k_.add_penalty_slope(gradients_.data() + part.begin, values_.data() + part.begin, part.end - part.begin, p.l1,
                             p.l2);
    });
    team.barrier();
  }
  if (settings_.needs_norms()) scale_by_norms(team, run);
  const Uninterruptible guard(team);
  for (const Range& part : run.updated) {
    const Range mine = team.share(part.end - part.begin, kUpdateGrain);
    apply({part.begin + mine.begin, part.begin + mine.end},
          {gradients_.data() + part.begin + mine.begin, nullptr, nullptr, 0});
  }
  if (!run.constrained) return;
  team.barrier();
  for (const Parameter& p : parameters_)
    if (p.constrained() && !k_.constrain(team, values_.data() + p.offset, p.constraint))
      run.parameters_finite.store(false, std::memory_order_relaxed);
}

// Calls body(parameter, number of the chunk among all, among those of the parameter, range of the parameter buffer) for
// this member's chunks of the trainable parameters.
template <typename T>
template <typename Body>
void NetworkOf<T>::for_my_chunks(const Team& team, const Run& run, const Body& body) const {
  const Range mine = team.share(static_cast<int64_t>(run.norms.size()));
  for (std::size_t i = 0; i < parameters_.size(); ++i)
    for (int64_t c = 0; c < run.chunks[i].count; ++c) {
      const int64_t number = run.chunks[i].first + c;
      if (number < mine.begin || number >= mine.end) continue;
      const Parameter& p = parameters_[i];
      const int64_t at = p.offset + c * kSumChunk;
      body(p, number, c, {at, std::min(at + kSumChunk, p.offset + p.size)});
    }
}

// clipnorm: g *= min(1, clipnorm / |g|), for each parameter; global_clipnorm: the same with the norm over all. Where
// the squares overflow, or the factor is too small for T, the largest element is brought to about 1 first.
template <typename T>
void NetworkOf<T>::scale_by_norms(const Team& team, Run& run) {
  const bool global = settings_.global_clipnorm > 0;
  const double bound = global ? settings_.global_clipnorm : settings_.clipnorm;
  const std::size_t groups = global ? 1 : parameters_.size();  // what has a norm of its own
  std::vector<int> exponents(groups, 0);
  std::vector<double> norms(groups);
  const auto group_of = [&](const Parameter& p) {
    return global ? 0 : static_cast<std::size_t>(&p - parameters_.data());
  };
  const auto take_norms = [&] {
    for_my_chunks(team, run, [&](const Parameter& p, int64_t number, int64_t, Range part) {
      run.norms[static_cast<std::size_t>(number)] =
          k_.sum_of_squares(gradients_.data() + part.begin, part.end - part.begin, exponents[group_of(p)]);
    });
    team.barrier();
    for (std::size_t i = 0; i < groups; ++i) {
      const SumChunks chunks = global ? SumChunks{0, static_cast<int64_t>(run.norms.size())} : run.chunks[i];
      double sum = 0;
      for (int64_t c = 0; c < chunks.count; ++c) sum += run.norms[static_cast<std::size_t>(chunks.first + c)];
      norms[i] = std::sqrt(sum);
    }
  };
  take_norms();
  for (std::size_t i = 0; i < groups; ++i) {
    if (norms[i] <= bound || bound / norms[i] >= static_cast<double>(std::numeric_limits<T>::min())) continue;
    const double largest = largest_gradient(global ? nullptr : &parameters_[i]);
    if (largest > 0 && std::isfinite(largest)) exponents[i] = -std::ilogb(largest);
  }
  if (std::any_of(exponents.begin(), exponents.end(), [](int exponent) { return exponent != 0; })) {
    team.barrier();  // all members have read the norms
    take_norms();
  }
  for_my_chunks(team, run, [&](const Parameter& p, int64_t, int64_t, Range part) {
    const std::size_t i = group_of(p);
    const double factor = exponents[i] != 0 || norms[i] > bound ? bound / norms[i] : 1.0;
    k_.scale(gradients_.data() + part.begin, part.end - part.begin, factor, exponents[i]);
  });
  team.barrier();
}

// The largest element of the gradient of a parameter or, for null, of all that learn; NaN if there is one.
template <typename T>
double NetworkOf<T>::largest_gradient(const Parameter* of) const {
  double largest = 0;
  for (const Parameter& p : parameters_) {
    if (!p.trainable() || (of != nullptr && of != &p)) continue;
    const double its = k_.largest(gradients_.data() + p.offset, p.size);
    if (its > largest || its != its) largest = its;
    if (largest != largest) break;
  }
  return largest;
}

template bool NetworkOf<float>::train(double*, int64_t, const Samples&, const Targets&, const TrainRange&, int,
                                      const Interrupt&);
template bool NetworkOf<double>::train(double*, int64_t, const Samples&, const Targets&, const TrainRange&, int,
                                       const Interrupt&);

}  // namespace pynn

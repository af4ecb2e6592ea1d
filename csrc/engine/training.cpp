// The loop over steps: gather a batch, forwards, losses, backwards, update.
#include <algorithm>
#include <chrono>
#include <cmath>

#include "../runtime/blas.h"
#include "../runtime/philox.h"
#include "training_run.h"

namespace pynn {
namespace {

using Clock = std::chrono::steady_clock;

}  // namespace

// What one member of the team has for itself.
template <typename T>
struct Trainer<T>::Member {
  Member(const Plan<T>& plan, const Workspace<T>& space, const ParameterUses<T>& uses, const Team& team)
      : pass(plan.kernels()), alone(plan, space, uses, team) {}

  Pass<T> pass;
  Alone<T> alone;
  std::vector<TargetRows<T>> targets;  // by head
  std::vector<Nonzero> nonzero;        // by input
  std::vector<double> sums, of_parts;  // what was measured; the parts of the loss, where there are several
  std::vector<RowWeights<T>> weights;  // by head; empty: none
  std::vector<RowSums> batch;          // by head: what the rows of a batch with masks count for
  std::vector<double> metrics;         // of rank 0: the totals of the metrics before the step
  double loss = 0;                     // of the batch, so far
  bool finite = true;
};

template <typename T>
bool Trainer<T>::train(double* totals, const Dataset& data, const TrainRange& range, int threads, const Hooks<T>& hooks,
                       const Heads<T>* checked, const std::vector<T*>& outs) {
  const Taken own(use_, hooks.interrupt);
  if (!own) throw Busy("the network is being trained already, by another thread");
  const Heads<T>* heads = this->heads();
  if (checked != nullptr && checked != heads) throw Busy("the network was compiled anew by another thread");
  if (hooks.next_batch && !outs.empty()) refuse("train", "no outputs to hand over of a stream", "some");
  plan_->check_samples(hooks.next_batch ? range.batch_size : data.samples, range.batch_size);
  steps_done_ = 0;  // not before: a training that runs counts by it
  const std::vector<char> frozen = plan_->frozen_parameters();
  const Holds held = hold_parameters(frozen, hooks.interrupt);
  route(*heads, frozen);
  const int64_t samples = hooks.next_batch ? range.batch_size : data.samples;
  Setup& setup = set_up(*heads, frozen, std::min(range.batch_size, samples), static_cast<bool>(hooks.reduce));
  Run run{totals, data, heads, &*routes_, range, hooks, setup};
  run.outs = outs;
  run.batches = hooks.next_batch ? range.first_step + range.steps + 1 : (samples - 1) / range.batch_size + 1;
  run.first_iteration = iterations_;
  run.parameters_finite = plan_->first_parameters_finite();
  run.members = most_members(threads, step_work(setup), kWorkPerMember);
  prepare_memory(run, run.members);
  if (!setup.way_back) setup.way_back.emplace(*plan_, *routes_, space_, heads->loss_tensors(), true);

  const auto work = [&](const Team& team) { train_member(team, run); };
  blas::keep_serial();
  while (steps_done_ < range.steps && run.finite && !run.ended) {
    run.pause = false;
    run.gave_way = gives_way(run.members);
    run_team(run.gave_way ? 1 : run.members, work, hooks.interrupt);
  }
  marks_right_ = run.finite;
  return run.finite;
}

template <typename T>
void Trainer<T>::train_member(const Team& team, Run& run) {
  Member member(*plan_, space_, run.setup.uses, team);
  member.nonzero = space_.nonzero;
  member.sums.resize(run.heads->parts());
  for (std::size_t h = 0; h < targets_.size(); ++h) {
    if (run.heads->takes_labels(static_cast<int>(h)))
      member.targets.push_back({nullptr, reinterpret_cast<const int32_t*>(targets_[h].data())});
    else
      member.targets.push_back({targets_[h].data(), nullptr});
  }
  Pass<T>& pass = member.pass;
  pass.values = space_.values.data();
  pass.gradients = space_.gradients.data();
  pass.shared = space_.shared;
  pass.own = space_.own[static_cast<std::size_t>(team.rank)];
  pass.network_trains = true;
  pass.keeps = true;
  pass.apply = [this, &run](int number, Range part, const Gradient<T>& gradient) {
    apply(run, static_cast<std::size_t>(number), part, gradient);
  };

  const int64_t first = run.range.first_step + steps_done_, end = run.range.first_step + run.range.steps;
  team.barrier();  // steps_done_ changes with the first step
  for (int64_t s = first; s < end; ++s) {
    // What rank 0 prepares here is used after the barrier behind the gather, but for the order of a new epoch.
    if (team.rank == 0) {
      team.poll();
      run.pause = s > first && (run.gave_way ? !gives_way(run.members) : team.is_held_up());
      begin_step(team, run, s);
    }
    if (s == first || s % run.batches == 0 || run.hooks.next_batch) team.barrier();
    if (run.hooks.next_batch && (run.pause || run.ended)) return;  // there may be no data
    run_step(team, run, member, s);
    if (run.pause) return;
    if (!member.finite) {
      if (team.rank == 0) run.finite = false;
      return;
    }
    team.barrier();
    if (team.rank == 0) {
      ++iterations_;
      // Written here only, which an addition that others could cut in two would not know.
      steps_done_.store(steps_done_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    }
  }
}

template <typename T>
void Trainer<T>::begin_step(const Team& team, Run& run, int64_t step) {
  settle_rates(run);
  if (run.hooks.next_batch) {
    const OrdinaryNumbers guard;
    const auto start = Clock::now();
    run.ended = !run.pause && !run.hooks.next_batch(run.data);
    team.excuse(std::chrono::duration<double>(Clock::now() - start).count());
    if (!run.pause && !run.ended && (run.data.samples < 1 || run.data.samples > run.range.batch_size))
      refuse("train", "batches of 1 to " + std::to_string(run.range.batch_size) + " samples",
             std::to_string(run.data.samples));
    if (!run.pause && !run.ended) plan_->check_samples(run.data.samples, run.data.samples);
  } else if (run.range.shuffle) {
    put_in_order(run.range.seed, run.range.epoch + step / run.batches, run.data.samples);
  }
  if (!run.pause && !run.ended) run.heads->count_rows(run.batch, run.data, samples_of(run, step));
}

// The samples of a step.
template <typename T>
Selection Trainer<T>::samples_of(const Run& run, int64_t step) const {
  const bool shuffled = run.range.shuffle && !run.hooks.next_batch;
  const int64_t begin = run.hooks.next_batch ? 0 : step % run.batches * run.range.batch_size;
  const int64_t count = std::min(run.range.batch_size, run.data.samples - begin);
  return {shuffled ? order_.data() + begin : nullptr, begin, count, 0};
}

// The order in which an epoch visits the samples.
template <typename T>
void Trainer<T>::put_in_order(uint64_t seed, int64_t epoch, int64_t count) {
  if (order_of_.epoch == epoch && order_of_.seed == seed && order_of_.count == count) return;
  permute(order_.data(), count, {seed, static_cast<uint64_t>(epoch)});
  order_of_ = {seed, epoch, count};
}

// One step, but for the count. Leaves everything as it was where the loss is not finite, or where the run pauses.
template <typename T>
void Trainer<T>::run_step(const Team& team, Run& run, Member& member, int64_t step) {
  const Selection samples = samples_of(run, step);
  const int64_t batch = samples.count;
  measure_penalties(team, run);
  for (const std::size_t number : run.setup.shared) {
    T* gradient = gradients_.data() + places_[number].offset;
    const Range mine = team.share(places_[number].size, 64);
    std::fill(gradient + mine.begin, gradient + mine.end, T{0});
  }
  Pass<T>& pass = member.pass;
  member.loss = 0;
  member.finite = true;
  if (run.heads->losses() > 1) member.of_parts.assign(run.heads->losses(), 0);
  pass.step = static_cast<uint64_t>(run.first_iteration + step - run.range.first_step);
  double* const totals = run.totals + step / run.batches * run.heads->columns();
  double* const metrics = totals + run.heads->loss_columns();
  if (team.rank == 0) member.metrics.assign(metrics, totals + run.heads->columns());
  for (int64_t from = 0; from < batch && member.finite; from += run.setup.slice) {
    pass.batch = std::min(run.setup.slice, batch - from);
    pass.accumulate = from > 0;
    pass.first_sample = from;
    gather_batch(team, run, samples, from, pass.batch);
    const bool finite = run.parameters_finite.load(std::memory_order_relaxed);
    for (std::size_t i = 0; i < member.nonzero.size(); ++i) member.nonzero[i] = finite ? space_.nonzero[i] : Nonzero{};
    team.barrier();
    if (run.pause) return;
    if (from == 0) member.loss += measured_penalties(run);
    // A rate that is infinite as a T would make NaN of a gradient of 0.
    pass.skip_zero_gradients =
        settings_.ignores_zero_gradients() && std::isfinite(static_cast<T>(run.step.learning_rate));
    member.finite = run_slice(team, run, member, step, batch);
    if (team.rank == 0) run.heads->add_metrics(totals, member.sums.data());
  }
  if (run.hooks.reduce) reduce(team, run, member);
  if (team.rank == 0) {
    // A step that is not made counts with its loss, which says so, and not with the metrics of a part of its samples.
    if (member.finite)
      run.heads->add_metric_weights(totals, run.heads->masked() ? member.batch : run.batch);
    else
      std::copy(member.metrics.begin(), member.metrics.end(), metrics);
    *totals += member.loss * static_cast<double>(batch);
    for (std::size_t h = 0; h < member.of_parts.size(); ++h)
      totals[1 + h] += member.of_parts[h] * static_cast<double>(batch);
  }
  if (!member.finite) return;
  if (!run.setup.late.empty()) update(team, run);
  const Uninterruptible guard(team);
  for (const std::size_t i : plan_->ops_that_end_steps()) {
    if (!run.routes->forward[i]) continue;
    plan_->aim(pass, i, space_, run.setup.uses, member.nonzero);
    plan_->ops()[i]->end_step(team, pass);
  }
}

// Adds up over several processes what this one has made.
template <typename T>
void Trainer<T>::reduce(const Team& team, Run& run, Member& member) {
  team.barrier();
  if (team.rank == 0) {
    const OrdinaryNumbers guard;
    run.reduced_loss = member.loss;
    run.hooks.reduce(gradients_.data(), elements_, &run.reduced_loss);
  }
  team.barrier();
  member.loss = run.reduced_loss;
  member.finite = std::isfinite(member.loss);
}

// Forward and backward for the samples that were gathered, of a batch of `batch`; adds to the loss. False, with nothing
// changed, if the loss is not finite. Where parameters are updated at once, other members may still be about it.
template <typename T>
bool Trainer<T>::run_slice(const Team& team, Run& run, Member& member, int64_t step, int64_t batch) {
  Pass<T>& pass = member.pass;
  member.alone.forward(team, pass, run.routes->forward, run.setup.uses, member.nonzero);
  member.weights.clear();
  for (std::size_t h = 0; h < run.data.weights.size(); ++h)
    member.weights.push_back(run.heads->weights(h, run.data.weights[h], weights_[h].data()));
  if (!run.outs.empty()) hand_over(team, run, pass, step);
  const bool masked = run.heads->masked();
  if (masked) {  // each member for itself; the batch is here as a whole
    member.batch = run.batch;
    run.heads->count_masked_rows(member.batch, space_.values, member.weights, pass.batch);
  }
  const std::vector<RowSums>& counts = masked ? member.batch : run.batch;
  run.heads->measure(team, rows_.data(), space_.values, run.setup.way_back->slopes(), member.targets, member.weights,
                     pass.batch, counts);
  team.barrier();
  run.heads->add_up(member.sums.data(), rows_.data(), pass.batch);
  member.loss += run.heads->loss(member.sums.data(), counts, batch);
  for (std::size_t h = 0; h < member.of_parts.size(); ++h)
    member.of_parts[h] += run.heads->part_of_loss(h, member.sums.data(), counts);
  if (!std::isfinite(member.loss)) return false;
  std::optional<Uninterruptible> guard;
  if (run.setup.any_early) guard.emplace(team);
  run.setup.way_back->run(team, pass, member.alone, run.setup.uses, member.nonzero, batch, !run.setup.late.empty());
  return true;
}

// Copies the outputs of the samples in the pass to where they are asked for. A barrier must follow.
template <typename T>
void Trainer<T>::hand_over(const Team& team, const Run& run, const Pass<T>& pass, int64_t step) const {
  const int64_t first = run.range.visited_before(step, run.data.samples) + pass.first_sample;
  for (std::size_t i = 0; i < run.outs.size(); ++i) {
    if (run.outs[i] == nullptr) continue;
    const int output = plan_->graph().shown()[i];
    const int64_t size = plan_->size(output);
    k_.gather(team, run.outs[i] + first * size, {}, space_.values[static_cast<std::size_t>(output)], nullptr,
              pass.batch, 0, size, {});
  }
}

template <typename T>
void Trainer<T>::gather_batch(const Team& team, Run& run, const Selection& batch, int64_t from, int64_t count) {
  const int64_t begin = batch.first + from, next = std::min(count, run.data.samples - begin - count);
  const Selection rows{batch.order == nullptr ? nullptr : batch.order + from, begin, count, next};
  for (std::size_t i = 0; i < plan_->inputs().size(); ++i) {
    const PlanInput<T>& input = plan_->inputs()[i];
    gather(team, k_, space_.values[static_cast<std::size_t>(input.loaded)], space_.nonzero[i], run.data.inputs[i], rows,
           input.scaling(), input.ids_below);
  }
  for (std::size_t h = 0; h < targets_.size(); ++h)
    gather<T>(team, k_, targets_[h].data(), {}, run.data.targets[h], {rows.order, begin, count, 0}, {},
              run.heads->classes(static_cast<int>(h)));
  for (std::size_t h = 0; h < run.data.weights.size(); ++h)
    if (run.data.weights[h].data != nullptr)
      gather<T>(team, k_, weights_[h].data(), {}, run.data.weights[h], {rows.order, begin, count, 0}, {});
}

template bool Trainer<float>::train(double*, const Dataset&, const TrainRange&, int, const Hooks<float>&,
                                    const Heads<float>*, const std::vector<float*>&);
template bool Trainer<double>::train(double*, const Dataset&, const TrainRange&, int, const Hooks<double>&,
                                     const Heads<double>*, const std::vector<double*>&);

}  // namespace pynn

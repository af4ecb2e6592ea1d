// The end of a step: penalties, norms, the optimizer, constraints.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "training_run.h"

namespace pynn {
namespace {

// Elements of a piece of the update: a multiple of the vectors' length.
constexpr int64_t kUpdateGrain = 64;

}  // namespace

// What the optimizer does in the next step.
template <typename T>
void Trainer<T>::settle_rates(Run& run) {
  const double rate = run.range.rates == nullptr ? learning_rate_.load() : run.range.rates[steps_done_];
  run.step = run.undecayed_step = schedule_.step(settings_, rate, settings_.updates_before(iterations_) + 1);
  run.undecayed_step.decay = 0;
}

template <typename T>
void Trainer<T>::apply(Run& run, std::size_t number, Range part, const Gradient<T>& gradient) {
  const Place& place = places_[number];
  T* slots[max_slots];
  for (int i = 0; i < slots_used_; ++i)
    slots[i] = slots_[static_cast<std::size_t>(i)].data() + place.offset + part.begin;
  OptimizerStep step = undecayed_[number] ? run.undecayed_step : run.step;
  if (!run.setup.penalties.empty() && !settings_.needs_penalty_slopes()) {
    const Parameter& p = parameter(number);
    const double share = penalty_share(p, run.batch);
    step.l1 = p.l1 * share;
    step.l2 = p.l2 * share;
  }
  if (!k_.optimizer_update(place.value + part.begin, gradient, slots, part.end - part.begin, step))
    run.parameters_finite.store(false, std::memory_order_relaxed);
}

// The penalties of the parameters, before anything changes.
template <typename T>
void Trainer<T>::measure_penalties(const Team& team, Run& run) const {
  if (run.setup.penalties.empty()) return;
  for_my_chunks(team, run, [&](std::size_t parameter_number, int64_t number, int64_t chunk, Range) {
    run.setup.penalties[static_cast<std::size_t>(number)] =
        parameter(parameter_number).penalized() ? penalty_of_chunk(parameter_number, chunk) : 0;
  });
}

// What they add to the loss of the batch.
template <typename T>
double Trainer<T>::measured_penalties(const Run& run) const {
  double sum = 0;
  for (std::size_t i = 0; i < run.setup.chunks.size() && !run.setup.penalties.empty(); ++i) {
    const double share = penalty_share(parameter(i), run.batch);
    for (int64_t c = 0; c < run.setup.chunks[i].count; ++c)
      sum += run.setup.penalties[static_cast<std::size_t>(run.setup.chunks[i].first + c)] * share;
  }
  return sum;
}

template <typename T>
void Trainer<T>::update(const Team& team, Run& run) {
  if (!run.setup.penalties.empty() && settings_.needs_penalty_slopes()) add_penalty_slopes(team, run);
  const bool updates = settings_.ends_in_update(iterations_);
  if (updates && settings_.accumulates()) take_mean_gradients(team, run);
  if (updates && settings_.needs_norms()) scale_by_norms(team, run);
  const Uninterruptible guard(team);
  for (const std::size_t number : run.setup.late) {
    if (run.setup.rows[number] > 0) {
      update_rows(team, run, number);
      continue;
    }
    const Range mine = team.share(places_[number].size, kUpdateGrain);
    if (mine.begin == mine.end) continue;
    if (updates) apply(run, number, mine, {gradient(number) + mine.begin, nullptr, nullptr, 0});
    if (settings_.accumulates()) accumulate(number, mine, updates);
    if (settings_.use_ema) average(run, number, mine);
  }
  if (settings_.use_ema) {
    team.barrier();
    if (team.rank == 0)
      for (const std::size_t number : run.setup.late) averaged_[number] = 1;
  }
  if (!run.setup.constrained) return;
  team.barrier();
  for (const std::size_t number : run.setup.late) {
    const Parameter& p = parameter(number);
    if (p.constrained() && !k_.constrain(team, places_[number].value, p.constraint))
      run.parameters_finite.store(false, std::memory_order_relaxed);
  }
}

// The same for the rows that are marked; afterwards none is, and their gradient is 0.
template <typename T>
void Trainer<T>::update_rows(const Team& team, Run& run, std::size_t number) {
  const int64_t columns = places_[number].size / run.setup.rows[number];
  char* const marks = marks_[number].data();
  const bool all = !std::isfinite(static_cast<T>(run.step.learning_rate));  // times a gradient of 0: NaN
  const Range mine = team.share(run.setup.rows[number], kUpdateGrain);
  const auto next = [&](const char* from) {
    return all ? from
               : static_cast<const char*>(std::memchr(from, 1, static_cast<std::size_t>(marks + mine.end - from)));
  };
  for (int64_t row = mine.begin; row < mine.end; ++row) {
    const char* found = next(marks + row);
    if (found == nullptr) return;
    row = found - marks;
    const Range part{row * columns, (row + 1) * columns};
    apply(run, number, part, {gradient(number) + part.begin, nullptr, nullptr, 0});
    std::fill(gradient(number) + part.begin, gradient(number) + part.end, T{0});
    marks[row] = 0;
  }
}

// Of this step and those since the last update. What was added up stays until the update cannot be interrupted.
template <typename T>
void Trainer<T>::take_mean_gradients(const Team& team, Run& run) {
  const double factor = 1 / static_cast<double>(settings_.steps_of_update());
  for (const std::size_t number : run.setup.late) {
    const Range mine = team.share(places_[number].size, kUpdateGrain);
    const int64_t at = places_[number].offset + mine.begin, count = mine.end - mine.begin;
    if (count == 0) continue;
    k_.add_to(gradients_.data() + at, accumulated_.data() + at, count);
    k_.scale(gradients_.data() + at, count, factor, 0);
  }
  team.barrier();
}

// Begins anew after an update.
template <typename T>
void Trainer<T>::accumulate(std::size_t number, Range part, bool updated) {
  T* sum = accumulated_.data() + places_[number].offset + part.begin;
  if (updated)
    std::fill_n(sum, part.end - part.begin, T{0});
  else
    k_.add_to(sum, gradient(number) + part.begin, part.end - part.begin);
}

// The first average of a parameter is the parameter, and so is that of each step before the first update has passed.
template <typename T>
void Trainer<T>::average(Run& run, std::size_t number, Range part) {
  const Place& place = places_[number];
  const bool first = !averaged_[number] || settings_.updates_before(iterations_) == 0;
  if (!k_.average(averages_.data() + place.offset + part.begin, place.value + part.begin, part.end - part.begin,
                  first ? 0 : settings_.ema_momentum, settings_.overwrites(iterations_)))
    run.parameters_finite.store(false, std::memory_order_relaxed);
}

template <typename T>
void Trainer<T>::add_penalty_slopes(const Team& team, Run& run) {
  for_my_chunks(team, run, [&](std::size_t number, int64_t, int64_t, Range part) {
    const Parameter& p = parameter(number);
    if (!p.penalized()) return;
    const double share = penalty_share(p, run.batch);
    k_.add_penalty_slope(gradients_.data() + places_[number].offset + part.begin, places_[number].value + part.begin,
                         part.end - part.begin, {p.l1 * share, p.l2 * share, 0});
  });
  team.barrier();
}

// Calls body(parameter, number of the chunk among all, among those of the parameter, range of the parameter) for this
// member's chunks of the parameters that are updated at the end.
template <typename T>
template <typename Body>
void Trainer<T>::for_my_chunks(const Team& team, const Run& run, const Body& body) const {
  const Range mine = team.share(static_cast<int64_t>(run.setup.norms.size()));
  for (std::size_t i = 0; i < places_.size(); ++i)
    for (int64_t c = 0; c < run.setup.chunks[i].count; ++c) {
      const int64_t number = run.setup.chunks[i].first + c;
      if (number < mine.begin || number >= mine.end) continue;
      body(i, number, c, Range{c * kSumChunk, std::min((c + 1) * kSumChunk, places_[i].size)});
    }
}

// clipnorm: g *= min(1, clipnorm / |g|), for each parameter; global_clipnorm: the same with the norm over all. Where
// the squares overflow, or the factor is too small for T, the largest element is brought to about 1 first.
template <typename T>
void Trainer<T>::scale_by_norms(const Team& team, Run& run) {
  const bool global = settings_.global_clipnorm > 0;
  const double bound = global ? settings_.global_clipnorm : settings_.clipnorm;
  const std::size_t groups = global ? 1 : places_.size();  // what has a norm of its own
  const auto group_of = [&](std::size_t number) { return global ? 0 : number; };
  std::vector<int> exponents(groups, 0);
  std::vector<double> norms(groups);
  const auto take_norms = [&] {
    for_my_chunks(team, run, [&](std::size_t parameter_number, int64_t number, int64_t, Range part) {
      run.setup.norms[static_cast<std::size_t>(number)] = k_.sum_of_squares(
          gradient(parameter_number) + part.begin, part.end - part.begin, exponents[group_of(parameter_number)]);
    });
    team.barrier();
    for (std::size_t i = 0; i < groups; ++i) {
      const SumChunks chunks =
          global ? SumChunks{0, static_cast<int64_t>(run.setup.norms.size())} : run.setup.chunks[i];
      double sum = 0;
      for (int64_t c = 0; c < chunks.count; ++c) sum += run.setup.norms[static_cast<std::size_t>(chunks.first + c)];
      norms[i] = std::sqrt(sum);
    }
  };
  take_norms();
  bool looked = false;  // the same for all members
  for (std::size_t i = 0; i < groups; ++i) {
    if (norms[i] <= bound || bound / norms[i] >= static_cast<double>(std::numeric_limits<T>::min())) continue;
    looked = true;
    double largest = 0;
    for (const std::size_t number : run.setup.late) {
      if (!global && number != i) continue;
      const double its = k_.largest(gradient(number), places_[number].size);
      if (its > largest || std::isnan(its)) largest = its;
      if (std::isnan(largest)) break;
    }
    if (largest > 0 && std::isfinite(largest)) exponents[i] = -std::ilogb(largest);
  }
  if (looked) team.barrier();  // all members have read the norms and the gradients
  if (std::any_of(exponents.begin(), exponents.end(), [](int exponent) { return exponent != 0; })) take_norms();
  for_my_chunks(team, run, [&](std::size_t number, int64_t, int64_t, Range part) {
    const std::size_t i = group_of(number);
    if (exponents[i] == 0 && !(norms[i] > bound)) return;
    const double factor = bound / norms[i];
    k_.scale(gradient(number) + part.begin, part.end - part.begin, factor, exponents[i]);
  });
  team.barrier();
}

template void Trainer<float>::settle_rates(Run&);
template void Trainer<double>::settle_rates(Run&);
template void Trainer<float>::apply(Run&, std::size_t, Range, const Gradient<float>&);
template void Trainer<double>::apply(Run&, std::size_t, Range, const Gradient<double>&);
template void Trainer<float>::update(const Team&, Run&);
template void Trainer<double>::update(const Team&, Run&);
template double Trainer<float>::measured_penalties(const Run&) const;
template double Trainer<double>::measured_penalties(const Run&) const;
template void Trainer<float>::measure_penalties(const Team&, Run&) const;
template void Trainer<double>::measure_penalties(const Team&, Run&) const;

}  // namespace pynn

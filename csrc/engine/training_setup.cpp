// What a training settles before its first step: who is held, which gradients are made, what is updated when, memory.
#include <algorithm>

#include "pieces.h"
#include "training_run.h"

namespace pynn {
namespace {

// Beyond so many multiply-adds a step is long enough that Ctrl-C must be able to end it half-way. Then no parameter may
// change before all gradients are there.
constexpr double kShortStep = 5e9;

int64_t chunks_of(int64_t n) { return (n + kSumChunk - 1) / kSumChunk; }

}  // namespace

// Takes the parameters that a training changes, and shares the others, which are frozen.
template <typename T>
typename Plan<T>::Holds Trainer<T>::hold_parameters(const std::vector<char>& frozen, const Interrupt& interrupt) const {
  std::vector<char> changes(plan_->owners().size(), 0);
  for (std::size_t i = 0; i < places_.size(); ++i) changes[plan_->owner_of(i)] |= !frozen[i] || plan_->is_state(i);
  return plan_->hold_parameters(changes, interrupt);
}

// Works out the ways of the gradients anew where other parameters are frozen than before.
template <typename T>
void Trainer<T>::route(const Heads<T>& heads, const std::vector<char>& frozen) {
  if (routes_ && frozen == frozen_) return;
  std::vector<char> trainable;
  for (std::size_t i = 0; i < places_.size(); ++i) trainable.push_back(parameter(i).learned && !frozen[i]);
  Routes fresh = make_routes(*plan_, heads.loss_tensors(), heads.measured_tensors(), trainable);
  setup_.reset();
  space_ = {};
  marks_right_ = false;
  gradients_ = {};  // of parameters that no longer learn, zeros
  routes_ = std::move(fresh);
  frozen_ = frozen;
}

// The parameters that are updated by rows, where most of them have a gradient of 0, which changes nothing: how many
// rows they have. 0 for the others.
template <typename T>
std::vector<int64_t> Trainer<T>::marked_rows(bool reduces) const {
  constexpr int64_t unknown = -1;
  std::vector<int64_t> rows(places_.size(), unknown);
  for (std::size_t i = 0; i < plan_->ops().size(); ++i) {
    if (!routes_->backward[i]) continue;
    for (const int number : plan_->ops()[i]->parameters) {
      if (number < 0) continue;
      int64_t& known = rows[static_cast<std::size_t>(number)];
      const int64_t its = plan_->ops()[i]->marked_rows();
      known = known == unknown || known == its ? its : 0;
    }
  }
  const bool all = !settings_.ignores_zero_gradients() || settings_.needs_all_gradients() || reduces;
  for (std::size_t i = 0; i < places_.size(); ++i)
    if (all || rows[i] == unknown || !routes_->learns[i] || parameter(i).penalized() || parameter(i).constrained())
      rows[i] = 0;
  return rows;
}

// What the last run has left is right, but where it ended within a step, or updated other parameters by rows. `fresh`:
// the gradients are zeros, in memory that no one has touched.
template <typename T>
void Trainer<T>::prepare_marks(const std::vector<int64_t>& rows, bool fresh) {
  const bool right = std::exchange(marks_right_, false);
  marks_.resize(places_.size());
  for (std::size_t i = 0; i < places_.size(); ++i) {
    if (right && marks_[i].size() == rows[i]) continue;
    marks_[i] = {};
    if (rows[i] == 0) continue;
    marks_[i].allocate(rows[i]);
    if (fresh) continue;
    in_pieces(places_[i].size,
              [&](int64_t begin, int64_t end) { std::fill(gradient(i) + begin, gradient(i) + end, T{0}); });
  }
}

// Which parameters are updated when, and how the batches are cut: what the last run has left, where this one needs the
// same and that one did not end within a step.
template <typename T>
typename Trainer<T>::Setup& Trainer<T>::set_up(const Heads<T>& heads, const std::vector<char>& frozen, int64_t batch,
                                               bool reduces) {
  if (setup_ && marks_right_ && setup_->batch == batch && setup_->reduces == reduces) {
    marks_right_ = false;
    return *setup_;
  }
  setup_.reset();
  const bool fresh = gradients_.size() != elements_;
  if (fresh) gradients_.allocate(elements_);
  auto setup = std::make_unique<Setup>();
  setup->batch = batch;
  setup->reduces = reduces;
  setup->slice = plan_->couples_samples() || heads.couples_samples() ? batch : plan_->slice_of(batch);
  setup->rows = marked_rows(reduces);
  prepare_marks(setup->rows, fresh);
  use_parameters(*setup, frozen, settle_updates(*setup));
  setup_ = std::move(setup);
  return *setup_;
}

// Which parameters are updated when. Returns those that are early, by parameter.
template <typename T>
std::vector<char> Trainer<T>::settle_updates(Setup& setup) const {
  // Code from outside may throw between the gradients.
  const bool may_be_early = !settings_.needs_all_gradients() && setup.batch <= setup.slice &&
                            step_work(setup) < kShortStep && !setup.reduces && !plan_->runs_outside_code();
  std::vector<char> early;
  int64_t chunks = 0;
  bool penalized = false;
  for (std::size_t i = 0; i < places_.size(); ++i) {
    const Parameter& p = parameter(i);
    const bool learns = routes_->learns[i], shared = routes_->shared[i];
    early.push_back(may_be_early && learns && !shared && setup.rows[i] == 0 && !p.constrained());
    setup.any_early |= early[i] != 0;
    setup.chunks.push_back({chunks, learns && (!early[i] || p.penalized()) ? chunks_of(p.size) : 0});
    chunks += setup.chunks.back().count;
    penalized |= learns && p.penalized();
    if (learns && shared && setup.rows[i] == 0) setup.shared.push_back(i);
    if (!learns || early[i]) continue;
    setup.late.push_back(i);
    setup.constrained |= p.constrained();
  }
  setup.norms.resize(static_cast<std::size_t>(chunks));
  if (penalized) setup.penalties.resize(static_cast<std::size_t>(chunks));
  return early;
}

// Where the ops find their parameters and put the gradients of these.
template <typename T>
void Trainer<T>::use_parameters(Setup& setup, const std::vector<char>& frozen, const std::vector<char>& early) const {
  setup.uses = plan_->uses(frozen);
  for (auto& of_op : setup.uses) {
    bool adds = false;
    for (ParameterUse<T>& use : of_op) {
      if (use.number < 0 || !routes_->learns[static_cast<std::size_t>(use.number)]) continue;
      const auto number = static_cast<std::size_t>(use.number);
      use.gradient = gradient(number);
      use.marks = marks_[number].data();
      adds |= routes_->shared[number] != 0 || use.marks != nullptr;
      use.early = early[number];
      use.penalized = parameter(number).penalized();
    }
    // Kernels ask one parameter for all, and it may be one that is missing or does not learn.
    for (ParameterUse<T>& use : of_op) use.adds = adds;
  }
}

// In multiply-adds.
template <typename T>
double Trainer<T>::step_work(const Setup& setup) const {
  int64_t updated = 0;
  for (std::size_t i = 0; i < places_.size(); ++i)
    if (setup.rows[i] == 0) updated += places_[i].size;
  return 3 * plan_->work() * static_cast<double>(setup.slice) + 4 * static_cast<double>(updated);
}

template <typename T>
void Trainer<T>::prepare_memory(const Run& run, int members) {
  if (space_.capacity != run.setup.slice || static_cast<int>(space_.own.size()) < members) {
    // All of it or, where memory runs out, what there was.
    Workspace<T> space = plan_->make_workspace(run.setup.slice, members, &routes_->needs);
    Buffer<double> rows;
    rows.reserve(run.heads->row_count(run.setup.slice));
    std::vector<Buffer<T>> targets(static_cast<std::size_t>(run.heads->count()));
    for (int head = 0; head < run.heads->count(); ++head)
      targets[static_cast<std::size_t>(head)].allocate(run.setup.slice * run.heads->target_width(head));
    run.setup.way_back.reset();  // it points into the old one
    space_ = std::move(space);
    rows_ = std::move(rows);
    targets_ = std::move(targets);
    weights_.clear();
  }
  const bool weighted = !run.data.weights.empty() || run.hooks.next_batch;  // whose data may have weights
  if (weighted && weights_.empty()) {
    std::vector<Buffer<T>> weights(static_cast<std::size_t>(run.heads->count()));
    for (int head = 0; head < run.heads->count(); ++head)
      weights[static_cast<std::size_t>(head)].allocate(run.setup.slice * run.heads->rows(head));
    weights_ = std::move(weights);
  }
  if (run.range.shuffle && order_of_.count != run.data.samples) {
    order_of_ = {};
    order_.resize(static_cast<std::size_t>(run.data.samples));
  }
}

template typename Plan<float>::Holds Trainer<float>::hold_parameters(const std::vector<char>&, const Interrupt&) const;
template void Trainer<float>::route(const Heads<float>&, const std::vector<char>&);
template typename Trainer<float>::Setup& Trainer<float>::set_up(const Heads<float>&, const std::vector<char>&, int64_t,
                                                                bool);
template double Trainer<float>::step_work(const Setup&) const;
template void Trainer<float>::prepare_memory(const Run&, int);
template typename Plan<double>::Holds Trainer<double>::hold_parameters(const std::vector<char>&,
                                                                       const Interrupt&) const;
template void Trainer<double>::route(const Heads<double>&, const std::vector<char>&);
template typename Trainer<double>::Setup& Trainer<double>::set_up(const Heads<double>&, const std::vector<char>&,
                                                                  int64_t, bool);
template double Trainer<double>::step_work(const Setup&) const;
template void Trainer<double>::prepare_memory(const Run&, int);

}  // namespace pynn

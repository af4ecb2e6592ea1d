#include <algorithm>
#include <stdexcept>
#include <utility>

#include "training_run.h"

namespace pynn {

template <typename T>
Trainer<T>::Trainer(std::shared_ptr<const Plan<T>> plan) : plan_(std::move(plan)), k_(plan_->kernels()) {
  for (const ParameterRef& p : plan_->graph().parameters()) {
    const int64_t size = p.parameter().size;
    places_.push_back({elements_, size, values_of<T>(p)});
    elements_ += padded<T>(size);
  }
  undecayed_.resize(places_.size());
  averaged_.resize(places_.size());
}

template <typename T>
Trainer<T>::~Trainer() = default;

template <typename T>
const Heads<T>* Trainer<T>::heads() const {
  const Heads<T>* heads = heads_.load(std::memory_order_acquire);
  if (heads == nullptr) throw std::invalid_argument("set_heads must be called first");
  return heads;
}

template <typename T>
void Trainer<T>::set_heads(const std::vector<HeadSetting>& settings, const Interrupt& interrupt,
                           const std::vector<int>& handed) {
  auto fresh = std::make_unique<const Heads<T>>(*plan_, settings, handed);
  const Taken held(use_, interrupt);
  if (!held) throw Busy(kBusy);
  all_heads_.push_back(std::move(fresh));
  heads_.store(all_heads_.back().get(), std::memory_order_release);
  routes_.reset();
}

template <typename T>
void Trainer<T>::set_optimizer(const std::string& name, const std::map<std::string, double>& settings,
                               const Interrupt& interrupt) {
  const OptimizerSettings fresh(name, settings);
  std::vector<char> undecayed(places_.size()), averaged(places_.size());
  Buffer<T> accumulated, averages;
  if (fresh.accumulates()) accumulated.allocate(elements_);
  if (fresh.use_ema) averages.allocate(elements_);
  const int used = static_cast<int>(fresh.slot_names().size());
  std::array<Buffer<T>, max_slots> slots;
  for (int i = 0; i < used; ++i) {
    Buffer<T>& slot = slots[static_cast<std::size_t>(i)];
    slot.allocate(elements_);
    if (fresh.slot_initial_value() != 0)
      std::fill_n(slot.data(), elements_, static_cast<T>(fresh.slot_initial_value()));
  }
  const Taken held(use_, interrupt);
  if (!held) throw Busy(kBusy);
  slots_ = std::move(slots);
  slots_used_ = used;
  accumulated_ = std::move(accumulated);
  averages_ = std::move(averages);
  undecayed_ = std::move(undecayed);
  averaged_ = std::move(averaged);
  settings_ = fresh;
  setup_.reset();
  schedule_ = {};
  learning_rate_ = fresh.learning_rate;
  iterations_ = 0;
}

template <typename T>
void Trainer<T>::take_optimizer(Trainer& other, const Interrupt& interrupt) {
  const auto &mine = plan_->graph().parameters(), &theirs = other.plan_->graph().parameters();
  const auto same = [](const ParameterRef& a, const ParameterRef& b) {
    return a.owner == b.owner && a.number == b.number;
  };
  if (!std::equal(mine.begin(), mine.end(), theirs.begin(), theirs.end(), same))
    refuse("trainer", "a trainer of the same parameters", "one of others");
  if (this == &other) return;
  const Taken held(use_, interrupt), held_other(other.use_, interrupt);
  if (!held || !held_other) throw Busy(kBusy);
  slots_ = std::exchange(other.slots_, {});
  slots_used_ = std::exchange(other.slots_used_, 0);
  accumulated_ = std::exchange(other.accumulated_, {});
  averages_ = std::exchange(other.averages_, {});
  undecayed_ = other.undecayed_;
  averaged_ = other.averaged_;
  std::fill(other.averaged_.begin(), other.averaged_.end(), 0);
  settings_ = std::exchange(other.settings_, {});
  setup_.reset();
  other.setup_.reset();
  schedule_ = std::exchange(other.schedule_, {});
  learning_rate_ = other.learning_rate_.load();
  iterations_ = other.iterations_.load();
}

// By parameter of the graph.
template <typename T>
std::vector<char> Trainer<T>::marked(const std::vector<ParameterRef>& parameters) const {
  std::vector<char> marks;
  for (const ParameterRef& of_graph : plan_->graph().parameters())
    marks.push_back(std::any_of(parameters.begin(), parameters.end(), [&](const ParameterRef& p) {
      return p.owner == of_graph.owner && p.number == of_graph.number;
    }));
  return marks;
}

template <typename T>
void Trainer<T>::set_undecayed(const std::vector<ParameterRef>& parameters, const Interrupt& interrupt) {
  std::vector<char> marks = marked(parameters);
  const Taken held(use_, interrupt);
  if (!held) throw Busy(kBusy);
  undecayed_ = std::move(marks);
}

template <typename T>
void Trainer<T>::take_averages(const std::vector<ParameterRef>& parameters, const Interrupt& interrupt) {
  const Taken own(use_, interrupt);
  if (!own) throw Busy(kBusy);
  std::vector<char> kept = marked(parameters);
  for (std::size_t i = 0; i < kept.size(); ++i) kept[i] = !(kept[i] && averaged_[i]);
  const Holds held = hold_parameters(kept, interrupt);
  for (std::size_t i = 0; i < kept.size(); ++i)
    if (!kept[i]) std::copy_n(averages_.data() + places_[i].offset, places_[i].size, places_[i].value);
}

template <typename T>
void Trainer<T>::set_iterations(int64_t value) {
  if (value < 0) refuse("trainer", "iterations of at least 0", std::to_string(value));
  iterations_ = value;
}

template <typename T>
double Trainer<T>::penalty_of_chunk(std::size_t number, int64_t chunk) const {
  const Parameter& p = parameter(number);
  const int64_t at = chunk * kSumChunk;
  return k_.penalty(places_[number].value + at, std::min(kSumChunk, p.size - at), {p.l1, p.l2, 0});
}

// In the order in which training adds them up.
template <typename T>
double Trainer<T>::parameter_penalties(const std::vector<RowSums>& batch, bool by_rows) const {
  double sum = 0;
  for (std::size_t i = 0; i < places_.size(); ++i) {
    if (!plan_->graph().parameters()[i].trainable() || !parameter(i).penalized()) continue;
    if (parameter(i).by_rows && !by_rows) continue;
    const double share = penalty_share(parameter(i), batch);
    for (int64_t c = 0; c * kSumChunk < places_[i].size; ++c) sum += penalty_of_chunk(i, c) * share;
  }
  return sum;
}

// Evaluations draw the noise of such a step, far from those of training, where ops always work as in training: the same
// noise until there is another step of training.
constexpr uint64_t kFirstEvaluation = uint64_t{1} << 62;

template <typename T>
void Trainer<T>::evaluate(double* totals, const Dataset& data, int threads, const Interrupt& interrupt,
                          const Heads<T>* checked, const std::vector<T*>& outs, bool by_rows) const {
  const Shared own(use_);
  if (!own) throw Busy(kBusy);
  plan_->check_samples(data.samples, plan_->chunk_rows());
  const auto held = plan_->hold_parameters(plan_->changed_by_predictions(), interrupt);
  const Heads<T>* now = this->heads();
  if (checked != nullptr && checked != now) throw Busy("the network was compiled anew by another thread");
  const Heads<T>& heads = *now;
  const int64_t rows = plan_->chunk_rows(), chunks = (data.samples + rows - 1) / rows;
  const std::size_t parts = heads.parts();
  std::vector<double> sums(static_cast<std::size_t>(chunks) * parts);  // of each chunk, to be added in order
  std::vector<Buffer<double>> values;                                  // by workspace
  std::vector<RowSums> batch;
  heads.count_rows(batch, data, {nullptr, 0, data.samples, 0});
  std::vector<std::vector<RowSums>> of_chunks(heads.masked() ? static_cast<std::size_t>(chunks) : 0, batch);
  plan_->for_chunks(
      data, outs, kFirstEvaluation + static_cast<uint64_t>(iterations_.load()), threads, interrupt,
      [&](std::size_t spaces) {
        values.resize(spaces);
        for (Buffer<double>& buffer : values) buffer.reserve(heads.row_count(std::min(rows, data.samples)));
      },
      [&](const Team& team, const typename Plan<T>::Chunk& chunk) {
        double* to = values[chunk.space].data();
        const std::vector<RowWeights<T>> weights = heads.weights(data, chunk.begin);
        if (team.rank == 0 && heads.masked())
          heads.count_masked_rows(of_chunks[static_cast<std::size_t>(chunk.number)], chunk.values, weights,
                                  chunk.batch);
        heads.measure(team, to, chunk.values, {}, heads.targets(data, chunk.begin), weights, chunk.batch, batch);
        team.barrier();
        if (team.rank == 0) heads.add_up(sums.data() + static_cast<std::size_t>(chunk.number) * parts, to, chunk.batch);
        team.barrier();
      });
  std::vector<double> all(parts);
  for (std::size_t i = 0; i < sums.size(); ++i) all[i % parts] += sums[i];
  heads.add_up_masked_rows(batch, of_chunks);
  heads.add_totals(totals, all.data(), batch, data.samples);
  totals[0] += parameter_penalties(batch, by_rows) * static_cast<double>(data.samples);
}

template class Trainer<float>;
template class Trainer<double>;

}  // namespace pynn

#include "plan.h"

#include <algorithm>

#include "times.h"

namespace pynn {
namespace {

bool contains(const std::vector<int>& numbers, int number) {
  return std::find(numbers.begin(), numbers.end(), number) != numbers.end();
}

}  // namespace

template <typename T>
Plan<T>::Plan(std::shared_ptr<const Graph> graph) : graph_(std::move(graph)), unused_(graph_->sizes().size(), false) {
  if (graph_->outputs().empty()) refuse("plan", "a graph with at least one output", "none");
  find_owners();
  std::vector<int64_t> times = make_ops();
  find_states();
  leave_out_unread(times);
  fuse(times);
  take_rescaling(times);
  for (std::size_t i = 0; i < ops_.size(); ++i)
    if (times[i] > 1) ops_[i] = std::make_unique<TimesOp<T>>(std::move(ops_[i]), times[i]);
  input_of_.assign(graph_->sizes().size(), -1);
  for (std::size_t i = 0; i < inputs_.size(); ++i)
    input_of_[static_cast<std::size_t>(inputs_[i].loaded)] = static_cast<int>(i);
  std::vector<char> read_whole(graph_->parameters().size(), 0);
  for (const auto& op : ops_) {
    work_ += op->work();
    const int input = op->inputs.empty() ? -1 : input_of_[static_cast<std::size_t>(op->inputs[0])];
    input_read_by_.push_back(input);
    if (op->ends_steps()) ops_that_end_steps_.push_back(uses_.size());
    if (op->state_samples() > 0) ops_with_states_.push_back(uses_.size());
    if (input >= 0) {
      PlanInput<T>& read = inputs_[static_cast<std::size_t>(input)];
      read.zeros_matter |= op->passes_over_zeros();
      read.ids_below = std::min(read.ids_below, op->ids_below());
    }
    std::vector<ParameterUse<T>> uses;
    for (const int number : op->parameters) {
      ParameterUse<T> use;
      if (number >= 0) {
        const ParameterRef& p = graph_->parameters()[static_cast<std::size_t>(number)];
        use.number = number;
        use.size = p.parameter().size;
        use.value = values_of<T>(p);
        read_whole[static_cast<std::size_t>(number)] |= op->marked_rows() == 0;
      }
      uses.push_back(use);
    }
    uses_.push_back(std::move(uses));
  }
  for (std::size_t i = 0; i < read_whole.size(); ++i) {
    const int64_t size = read_whole[i] ? graph_->parameters()[i].parameter().size : 0;
    parameter_elements_ += padded<T>(size);
    largest_parameter_ = std::max(largest_parameter_, size);
  }
  chunk_rows_ = state_samples_ > 0 ? state_samples_ : choose_chunk_rows();
  all_unknown_.resize(inputs_.size());
}

// Whose parameters the graph has: each owner once, in order, and by number of a parameter.
template <typename T>
void Plan<T>::find_owners() {
  for (const ParameterRef& p : graph_->parameters()) {
    if (p.owner->is_double() != (sizeof(T) == sizeof(double)))
      refuse("plan", "parameters of its number type", "others");
    owners_.push_back(p.owner);
  }
  std::sort(owners_.begin(), owners_.end());
  owners_.erase(std::unique(owners_.begin(), owners_.end()), owners_.end());
  for (const ParameterRef& p : graph_->parameters())
    owner_of_.push_back(
        static_cast<std::size_t>(std::lower_bound(owners_.begin(), owners_.end(), p.owner) - owners_.begin()));
}

// Returns how many parts of a sample each goes over.
template <typename T>
std::vector<int64_t> Plan<T>::make_ops() {
  std::vector<int64_t> times;
  for (const GraphInput& input : graph_->inputs())
    inputs_.push_back({input.tensor, input.tensor, input.kind, size(input.tensor), {}});
  for (const OpSpec& spec : graph_->ops()) {
    OpArguments arguments{spec.kind, {}, {}, spec.attributes};
    for (const int tensor : spec.inputs) arguments.inputs.push_back(size(tensor) / spec.times);
    for (const int number : spec.parameters)
      arguments.parameters.push_back(
          number < 0 ? -1 : graph_->parameters()[static_cast<std::size_t>(number)].parameter().size);
    ops_.push_back(make_op<T>(arguments));
    if (spec.times > 1 && ops_.back()->state_samples() > 0)
      refuse(spec.kind, "no states where it goes over the parts of samples", "some");
    times.push_back(spec.times);
    ops_.back()->inputs = spec.inputs;
    ops_.back()->outputs = spec.outputs;
    ops_.back()->parameters = spec.parameters;
    ops_.back()->trains = spec.trains;
    draws_ |= spec.trains;
    if (spec.trains && ops_.back()->couples_samples())
      refuse(spec.kind, "to work as in training only where the network does", "it always");
    if (const int64_t below = ops_.back()->ids_below(); below != INT64_MAX)
      for (const auto& op : ops_)
        if (contains(op->outputs, spec.inputs[0])) op->limit_ids(below);
  }
  return times;
}

template <typename T>
void Plan<T>::find_states() {
  states_.assign(graph_->parameters().size(), 0);
  changed_by_predictions_.assign(owners_.size(), 0);
  for (const auto& op : ops_) {
    const int64_t samples = op->state_samples();
    if (samples == 0) continue;
    if (state_samples_ > 0 && samples != state_samples_)
      refuse("plan", "states of " + std::to_string(state_samples_) + " samples, as of another op",
             std::to_string(samples));
    state_samples_ = samples;
    for (const int number : op->parameters) {
      const auto parameter = static_cast<std::size_t>(number);
      if (number < 0 || graph_->parameters()[parameter].parameter().learned) continue;
      states_[parameter] = 1;
      changed_by_predictions_[owner_of_[parameter]] = 1;
    }
  }
}

template <typename T>
void Plan<T>::check_samples(int64_t samples, int64_t batch_size) const {
  if (state_samples_ == 0) return;
  if (batch_size != state_samples_ || samples % state_samples_ != 0)
    refuse("states", "batches of " + std::to_string(state_samples_) + " samples, as the states have",
           std::to_string(samples) + " samples in batches of " + std::to_string(batch_size));
}

// Outputs, masks (-1 for none) and penalized tensors: they are read by others than ops.
template <typename T>
std::vector<int> Plan<T>::kept_tensors() const {
  std::vector<int> kept = graph_->shown();
  for (const ActivityPenalty& penalty : graph_->penalties()) kept.push_back(penalty.tensor);
  return kept;
}

// Before fusion, as what they stood between may be fused.
template <typename T>
void Plan<T>::leave_out_unread(std::vector<int64_t>& times) {
  std::vector<char> read(graph_->sizes().size(), 0);
  for (const int tensor : kept_tensors())
    if (tensor >= 0) read[static_cast<std::size_t>(tensor)] = 1;
  for (std::size_t i = ops_.size(); i-- > 0;) {
    const Op<T>& op = *ops_[i];
    if (const auto output = static_cast<std::size_t>(op.outputs[0]); op.may_be_left_out() && !read[output]) {
      unused_[output] = true;
      times.erase(times.begin() + static_cast<std::ptrdiff_t>(i));
      ops_.erase(ops_.begin() + static_cast<std::ptrdiff_t>(i));
    } else {
      for (const int tensor : op.inputs) read[static_cast<std::size_t>(tensor)] = 1;
    }
  }
}

// Fusion saves passes over a tensor, and barriers. A convolution takes over the activation behind it, and then the max
// pooling; batch normalisation takes over the activation. A dense layer takes over the activation if another dense
// layer comes next: that one multiplies the gradient by the slope. What others than ops read is kept, and so is what
// goes into the op that makes an output: a loss may be computed from it. What goes over parts of samples is fused with
// what goes over as many.
template <typename T>
void Plan<T>::fuse(std::vector<int64_t>& times) {
  const std::vector<int> kept = kept_tensors();
  std::vector<int> readers(graph_->sizes().size(), 0), reader(graph_->sizes().size(), -1);
  const auto count_readers = [&] {
    std::fill(readers.begin(), readers.end(), 0);
    for (std::size_t i = 0; i < ops_.size(); ++i)
      for (const int tensor : ops_[i]->inputs) {
        ++readers[static_cast<std::size_t>(tensor)];
        reader[static_cast<std::size_t>(tensor)] = static_cast<int>(i);
      }
  };
  // The only op that reads the tensor, or null where there is none, or others do.
  const auto only_reader = [&](int tensor, int64_t parts) -> Op<T>* {
    const auto t = static_cast<std::size_t>(tensor);
    if (readers[t] != 1 || contains(kept, tensor)) return nullptr;
    const auto i = static_cast<std::size_t>(reader[t]);
    return times[i] == parts ? ops_[i].get() : nullptr;
  };
  const auto take_over = [&](Op<T>& op, const Op<T>& next) {
    unused_[static_cast<std::size_t>(op.outputs[0])] = true;
    op.outputs = next.outputs;
    const auto place = std::find_if(ops_.begin(), ops_.end(), [&](const auto& each) { return each.get() == &next; });
    times.erase(times.begin() + (place - ops_.begin()));
    ops_.erase(place);
    count_readers();
  };
  count_readers();
  for (std::size_t i = 0; i < ops_.size(); ++i) {
    Op<T>& op = *ops_[i];
    if (op.outputs.size() != 1) continue;
    Op<T>* next = only_reader(op.outputs[0], times[i]);
    if (next != nullptr && next->activation() != nullptr && k_.gradient_from_output(*next->activation()) &&
        !contains(kept, next->outputs[0])) {
      Op<T>* behind = only_reader(next->outputs[0], times[i]);
      if (op.take_activation(*next->activation(), behind)) take_over(op, *next);
    }
    next = only_reader(op.outputs[0], times[i]);
    if (next != nullptr && next->max_pooling() != nullptr && op.take_pooling(*next->max_pooling()))
      take_over(op, *next);
  }
}

// A rescaling of the samples is done while they are loaded.
template <typename T>
void Plan<T>::take_rescaling(std::vector<int64_t>& times) {
  for (PlanInput<T>& input : inputs_) {
    const auto reads = [&](const auto& op) { return contains(op->inputs, input.tensor); };
    const auto op = std::find_if(ops_.begin(), ops_.end(), reads);
    if (contains(kept_tensors(), input.tensor) || op == ops_.end() || (*op)->rescaling() == nullptr ||
        std::count_if(ops_.begin(), ops_.end(), reads) != 1)
      continue;
    const Rescaling<T>& numbers = *(*op)->rescaling();
    const auto repeat = [&](const std::vector<T>& values, std::vector<T>& to) {
      const std::size_t count = values.size() < 2 ? values.size() : static_cast<std::size_t>(input.width);
      for (std::size_t i = 0; i < count; ++i) to.push_back(values[i % values.size()]);
    };
    repeat(numbers.mean, input.numbers.mean);
    repeat(numbers.scale, input.numbers.scale);
    repeat(numbers.offset, input.numbers.offset);
    unused_[static_cast<std::size_t>(input.tensor)] = true;
    input.loaded = (*op)->outputs[0];
    times.erase(times.begin() + (op - ops_.begin()));
    ops_.erase(op);
  }
}

template <typename T>
bool Plan<T>::couples_samples() const {
  return std::any_of(ops_.begin(), ops_.end(), [](const auto& op) { return op->couples_samples(); });
}

template <typename T>
int64_t Plan<T>::slice_of(int64_t batch) const {
  int64_t together = 1;
  double sample = 0;  // bytes of its tensors and their gradients, as if none shared memory
  for (const auto& op : ops_)
    if (op->work() * kMostOps > work_) together = std::max(together, op->samples_together());
  for (int t = 0; t < graph_->tensors(); ++t) sample += 2.0 * sizeof(T) * static_cast<double>(size(t));
  const bool fits = static_cast<double>(batch) * sample <= kBatchBytes;
  const auto least = static_cast<int64_t>(kSliceBytes / (sample + 1));
  return std::min(batch, fits ? kSlice : std::clamp(together, std::min(least + 1, kSlice), kSlice));
}

template <typename T>
bool Plan<T>::runs_outside_code() const {
  return std::any_of(ops_.begin(), ops_.end(), [](const auto& op) { return op->runs_outside_code(); });
}

template <typename T>
bool Plan<T>::first_parameters_finite() const {
  for (std::size_t i = 0; i < ops_.size(); ++i) {
    if (input_read_by_[i] < 0 || !ops_[i]->passes_over_zeros()) continue;
    for (const ParameterUse<T>& use : uses_[i])
      if (use.value != nullptr && k_.first_non_finite(use.value, {0, use.size}) >= 0) return false;
  }
  return true;
}

template <typename T>
bool Plan<T>::is_output(int tensor) const {
  return contains(graph_->shown(), tensor);
}

template <typename T>
std::vector<char> Plan<T>::frozen_parameters() const {
  std::vector<char> of_owners(owners_.size()), frozen(owner_of_.size());
  for (std::size_t i = 0; i < of_owners.size(); ++i) of_owners[i] = owners_[i]->frozen;
  for (std::size_t i = 0; i < frozen.size(); ++i) frozen[i] = of_owners[owner_of_[i]];
  return frozen;
}

template <typename T>
ParameterUses<T> Plan<T>::uses(const std::vector<char>& frozen) const {
  ParameterUses<T> uses = uses_;
  for (auto& of_op : uses)
    for (ParameterUse<T>& use : of_op)
      if (use.number >= 0) use.frozen = frozen[static_cast<std::size_t>(use.number)] != 0;
  return uses;
}

template <typename T>
bool Plan<T>::goes_alone(const Op<T>& op, int64_t batch) const {
  return op.work() * static_cast<double>(batch) <= kMostAlone && op.splits_batch(k_, batch);
}

template <typename T>
std::vector<Shared> Plan<T>::share_parameters() const {
  std::vector<Shared> held;
  held.reserve(owners_.size());
  for (const auto& owner : owners_) held.push_back(share(*owner));
  return held;
}

template <typename T>
typename Plan<T>::Holds Plan<T>::hold_parameters(const std::vector<char>& changes, const Interrupt& interrupt) const {
  Holds holds;
  holds.taken.reserve(owners_.size());
  holds.shared.reserve(owners_.size());
  for (std::size_t i = 0; i < owners_.size(); ++i) {
    if (changes[i])
      holds.taken.push_back(take(*owners_[i], interrupt));
    else
      holds.shared.push_back(share(*owners_[i]));
  }
  return holds;
}

template class Plan<float>;
template class Plan<double>;

}  // namespace pynn

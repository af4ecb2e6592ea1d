// The memory that samples pass through.
#include <algorithm>
#include <utility>

#include "plan.h"

namespace pynn {

// For a way back each value has its own block: all are needed at one moment. Otherwise it is needed until the last op
// has read it, but for what is read behind all ops: what is shown or penalized, what a loss may be computed from in
// place of an output, and what the next batch begins with.
template <typename T>
Blocks Plan<T>::value_blocks(bool for_way_back) const {
  std::vector<LiveRange> ranges;
  for (int t = 0; t < graph_->tensors(); ++t)
    ranges.push_back({size(t), 0, unused_[static_cast<std::size_t>(t)] ? -1 : 0});
  if (for_way_back) return share_blocks(ranges);
  const auto need_until = [&](int tensor, int moment) {
    int& to = ranges[static_cast<std::size_t>(tensor)].to;
    if (to >= 0) to = std::max(to, moment);
  };
  for (const int tensor : kept_tensors())
    if (tensor >= 0) need_until(tensor, LiveRange::kEnd);
  for (std::size_t i = ops_.size(); i-- > 0;) {
    const Op<T>& op = *ops_[i];
    const int now = static_cast<int>(i) + 1;
    int last = now;
    for (const int tensor : op.outputs) {
      LiveRange& output = ranges[static_cast<std::size_t>(tensor)];
      output.from = now;
      need_until(tensor, op.state_samples() > 0 || op.ends_steps() ? LiveRange::kEnd : now);
      if (op.passes_on() || is_output(tensor)) last = std::max(last, output.to);
    }
    for (const int tensor : op.inputs) need_until(tensor, last);
  }
  return share_blocks(ranges);
}

// Where members go alone, the gradients of parameters are made last, of gradients that other ops have read long ago.
template <typename T>
Blocks Plan<T>::gradient_blocks(const BackwardNeeds& needs, int64_t capacity, int members) const {
  std::vector<LiveRange> ranges = needs.gradients;
  for (const auto& op : ops_)
    if (members > 1 && !op->parameters.empty() && goes_alone(*op, capacity))
      for (const int tensor : op->outputs)
        if (LiveRange& of = ranges[static_cast<std::size_t>(tensor)]; of.any()) of.to = LiveRange::kEnd;
  return share_blocks(ranges);
}

namespace {

// Makes room for the bits that say which elements of the inputs are not 0.
template <typename T>
void lay_out_bits(Workspace<T>& space, const std::vector<PlanInput<T>>& inputs, int64_t capacity) {
  const int64_t stride = padded<uint32_t>(capacity);
  const auto by_row = [&](const PlanInput<T>& input) { return stride * ((input.width + 31) / 32); };
  int64_t words = 0;
  for (const PlanInput<T>& input : inputs)
    if (input.zeros_matter) words += by_row(input) + (capacity + 31) / 32 * input.width;
  space.bits.allocate(words);
  uint32_t* bits = space.bits.data();
  for (const PlanInput<T>& input : inputs) {
    space.nonzero.push_back(input.zeros_matter ? Nonzero{bits, bits + by_row(input), stride} : Nonzero{});
    if (input.zeros_matter) bits += by_row(input) + (capacity + 31) / 32 * input.width;
  }
}

}  // namespace

template <typename T>
Workspace<T> Plan<T>::make_workspace(int64_t capacity, int members, const BackwardNeeds* backward) const {
  int64_t total = 0;
  const auto place = [&](int64_t elements) {
    int64_t end = 0;
    if (__builtin_add_overflow(total, padded<T>(elements), &end)) throw std::bad_alloc();
    return std::exchange(total, end);
  };
  const auto of_batch = [&](int64_t elements) {
    int64_t product = 0;
    if (__builtin_mul_overflow(elements, capacity, &product)) throw std::bad_alloc();
    return product;
  };
  const auto place_blocks = [&](const Blocks& blocks) {
    std::vector<int64_t> block_at, at;
    for (const int64_t elements : blocks.sizes) block_at.push_back(place(of_batch(elements)));
    for (const int block : blocks.of) at.push_back(block < 0 ? -1 : block_at[static_cast<std::size_t>(block)]);
    return at;
  };
  std::vector<int64_t> spare_at, saved_at, own_at, alone_at;
  const std::vector<int64_t> value_at = place_blocks(value_blocks(backward != nullptr));
  std::vector<int64_t> gradient_at(value_at.size(), -1);
  if (backward != nullptr) {
    gradient_at = place_blocks(gradient_blocks(*backward, capacity, members));
    for (const int64_t elements : backward->spare) spare_at.push_back(place(of_batch(elements)));
  }
  ScratchSize most;
  int64_t most_alone = 0;
  for (const auto& op : ops_) {
    const ScratchSize scratch = op->scratch(k_, capacity, members, backward != nullptr);
    most.shared = std::max(most.shared, scratch.shared);
    most.own = std::max(most.own, scratch.own);
    if (members > 1 && goes_alone(*op, capacity))
      most_alone = std::max(most_alone, op->scratch(k_, capacity, 1, backward != nullptr).shared);
    saved_at.push_back(place(backward != nullptr ? op->saved(capacity) : op->saved_without_way_back(capacity)));
  }
  const int64_t shared_at = place(most.shared);
  for (int member = 0; member < members; ++member) {
    own_at.push_back(place(most.own));
    alone_at.push_back(place(most_alone));
  }

  Workspace<T> space;
  space.memory.allocate(total);
  T* memory = space.memory.data();
  const auto pointers = [&](const std::vector<int64_t>& offsets) {
    std::vector<T*> to;
    for (const int64_t at : offsets) to.push_back(at < 0 ? nullptr : memory + at);
    return to;
  };
  space.values = pointers(value_at);
  space.gradients = pointers(gradient_at);
  space.spare = pointers(spare_at);
  space.saved = pointers(saved_at);
  space.own = pointers(own_at);
  space.alone = pointers(alone_at);
  space.shared = memory + shared_at;
  lay_out_bits(space, inputs_, capacity);
  space.capacity = capacity;
  return space;
}

#define PYNN_INSTANTIATE(T)                          \
  template Blocks Plan<T>::value_blocks(bool) const; \
  template Workspace<T> Plan<T>::make_workspace(int64_t, int, const BackwardNeeds*) const;
PYNN_INSTANTIATE(float)
PYNN_INSTANTIATE(double)

}  // namespace pynn

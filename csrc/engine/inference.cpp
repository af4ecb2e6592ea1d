// How samples pass through a plan forwards, in chunks.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>

#include "../runtime/blas.h"
#include "pieces.h"
#include "plan.h"

namespace pynn {
namespace {

// Samples go through the network in chunks of a fixed size. Where there are chunks enough, each member takes one after
// the other through all layers alone, without a barrier; otherwise the team shares every layer, as it does where code
// from outside must not run twice at a time. What a chunk becomes on its way shall stay in the second-level cache, or
// take no more room than the parameters that are read for each chunk.
constexpr int64_t kChunk = 64, kWideChunk = 256, kLeastChunk = 8, kChunkBytes = 512 * 1024;

// With so many samples it pays to look through the parameters for numbers that are not finite. If all are finite, zeros
// of the samples can be passed over.
constexpr int64_t kSkipFrom = 64;

// Whether the first sample gives hope that there is much to pass over.
template <typename N>
bool is_mostly_zero(const N* sample, int64_t size) {
  return 2 * std::count(sample, sample + size, N{0}) > size;
}

// An element that is not finite is noted as one number: its input, and its index in so many bits. The lowest counts.
constexpr int kIndexBits = 48;
constexpr int64_t kNoneBad = INT64_MAX;

using Clock = std::chrono::steady_clock;

// Workspaces kept for later calls.
constexpr std::size_t kIdleSpaces = 8;

void note_lowest(std::atomic<int64_t>& lowest, int64_t value) {
  int64_t now = lowest;
  while (value < now && !lowest.compare_exchange_weak(now, value)) {
  }
}

}  // namespace

// What a call asks for.
template <typename T>
struct Plan<T>::Call {
  const Dataset& x;
  const std::vector<T*>& outs;  // by output (Graph::shown), null for none; empty: none at all
  bool check_finite;
  bool training;
  uint64_t step;
  int threads;
  const Interrupt& interrupt;
  const ParameterUses<T>& uses;
  const std::function<void(std::size_t)>& spaces;
  const OnChunk& on_chunk;
};

// What the members of its team have in common.
template <typename T>
struct Plan<T>::Progress {
  std::atomic<int64_t> next_chunk{0};  // where members take chunks alone
  std::atomic<int64_t> first_bad{kNoneBad};
};

// A wide layer's kernel is packed anew for each chunk, so chunks are long then.
template <typename T>
int64_t Plan<T>::choose_chunk_rows() const {
  int64_t sample = 0;
  if (largest_parameter_ >= 512 * 512) return kWideChunk;
  for (const int64_t size : value_blocks(false).sizes) sample += size;
  const int64_t room = std::max(kChunkBytes / static_cast<int64_t>(sizeof(T)), parameter_elements_);
  return std::clamp(room / sample, kLeastChunk, kChunk);
}

// A workspace that an earlier call has left, or a new one: a call for one row takes less time than making one. Nobody
// waits for the lock: in a child of fork() it stays held for ever if another thread had it.
template <typename T>
Workspace<T> Plan<T>::borrow_space(int64_t capacity, int members) const {
  if (const std::unique_lock<std::mutex> lock(idle_mutex_, std::try_to_lock); lock) {
    for (Workspace<T>& space : idle_) {
      if (space.capacity < capacity || static_cast<int>(space.own.size()) < members) continue;
      std::swap(space, idle_.back());
      Workspace<T> found = std::move(idle_.back());
      idle_.pop_back();
      return found;
    }
    if (!idle_.empty()) idle_.pop_back();  // too small, it makes room for the new one
  }
  return make_workspace(capacity, members, nullptr);
}

template <typename T>
void Plan<T>::give_back(Workspace<T> space) const {
  const std::unique_lock<std::mutex> lock(idle_mutex_, std::try_to_lock);
  if (lock && idle_.size() < kIdleSpaces) idle_.push_back(std::move(space));
}

// The caller holds the parameters.
template <typename T>
std::optional<BadElement> Plan<T>::run(const Call& call) const {
  const Dataset& x = call.x;
  const int64_t rows = call.training ? x.samples : chunk_rows(), chunks = (x.samples + rows - 1) / rows;
  check_samples(x.samples, rows);
  const int size = team_size(call.threads, work_ * static_cast<double>(x.samples), kWorkPerMember);
  const bool alone = size == 1 || (chunks >= size && !runs_outside_code() && state_samples_ == 0);
  std::vector<Workspace<T>> spaces(static_cast<std::size_t>(alone ? size : 1));
  for (Workspace<T>& space : spaces) space = borrow_space(std::min(rows, x.samples), alone ? 1 : size);
  if (call.spaces) call.spaces(spaces.size());

  Progress progress;
  const std::vector<char> skip_zeros = inputs_to_skip(x);
  blas::keep_serial();
  const auto body = [&](const Team& team) { run_member(team, call, alone, spaces, skip_zeros, progress); };
  run_team(size, std::cref(body), call.interrupt);  // no copy, which would allocate
  for (Workspace<T>& space : spaces) give_back(std::move(space));
  const int64_t first_bad = progress.first_bad;
  if (first_bad == kNoneBad) return std::nullopt;
  return BadElement{static_cast<int>(first_bad >> kIndexBits), first_bad & ((int64_t{1} << kIndexBits) - 1)};
}

// The inputs of which zeros are passed over, by number; empty where there are none.
template <typename T>
std::vector<char> Plan<T>::inputs_to_skip(const Dataset& x) const {
  std::vector<char> skip;
  if (x.samples < kSkipFrom) return skip;
  for (std::size_t i = 0; i < inputs_.size(); ++i) {
    const Column& column = x.inputs[i];
    skip.push_back(inputs_[i].zeros_matter &&
                   (column.kind == ColumnKind::bytes
                        ? is_mostly_zero(static_cast<const uint8_t*>(column.data), column.width)
                        : is_mostly_zero(static_cast<const T*>(column.data), column.width)));
  }
  const bool any = std::count(skip.begin(), skip.end(), 1) > 0;
  if (!any || !first_parameters_finite()) skip.clear();
  return skip;
}

template <typename T>
void Plan<T>::run_member(const Team& whole, const Call& call, bool alone, std::vector<Workspace<T>>& spaces,
                         const std::vector<char>& skip_zeros, Progress& progress) const {
  const Team team = alone ? Team{0, 1, whole.state} : whole;
  const auto number = static_cast<std::size_t>(alone ? whole.rank : 0);
  const Workspace<T>& space = spaces[number];
  std::vector<T*> values = space.values;  // of this member, to point at the caller's arrays
  std::vector<Nonzero> known;
  for (std::size_t i = 0; i < skip_zeros.size(); ++i) known.push_back(skip_zeros[i] ? space.nonzero[i] : Nonzero{});
  const std::vector<Nonzero>& nonzero = skip_zeros.empty() ? all_unknown_ : known;
  Pass<T> pass(k_);
  pass.shared = space.shared;
  pass.own = space.own[static_cast<std::size_t>(team.rank)];
  pass.network_trains = call.training;
  pass.step = call.step;
  pass.values = values.data();
  const int64_t samples = call.x.samples, rows = call.training ? samples : chunk_rows();
  const int64_t chunks = (samples + rows - 1) / rows;
  const auto next_after = [&](int64_t chunk) { return alone ? progress.next_chunk++ : chunk + 1; };
  const bool shared_out = alone && whole.size > 1;
  const auto start = shared_out ? Clock::now() : Clock::time_point{};
  int64_t taken = 0;
  for (int64_t chunk = next_after(-1); chunk < chunks; chunk = next_after(chunk), ++taken) {
    const int64_t begin = chunk * rows;
    pass.batch = std::min(rows, samples - begin);
    pass.first_sample = begin;
    load(team, call, begin, pass.batch, values, space, nonzero, progress.first_bad);
    for (std::size_t i = 0; i < call.outs.size(); ++i) {
      const int output = graph_->shown()[i];
      if (call.outs[i] != nullptr && input_of_[static_cast<std::size_t>(output)] < 0)
        values[static_cast<std::size_t>(output)] = call.outs[i] + begin * size(output);
    }
    team.barrier();
    whole.poll();  // where it takes long, kernels do so, too
    for (std::size_t i = 0; i < ops_.size(); ++i) {
      const Op<T>& op = *ops_[i];
      if (!call.training && !op.trains && op.passes_on() && !is_output(op.outputs[0])) {
        values[static_cast<std::size_t>(op.outputs[0])] = values[static_cast<std::size_t>(op.inputs[0])];
        continue;
      }
      aim(pass, i, space, call.uses, nonzero);
      op.forward(team, pass);
      team.barrier();
    }
    const auto& ending = call.training ? ops_that_end_steps_ : ops_with_states_;
    if (!ending.empty() && progress.first_bad == kNoneBad) {
      const Uninterruptible guard(whole);
      for (const std::size_t i : ending) {
        aim(pass, i, space, call.uses, nonzero);
        ops_[i]->end_step(team, pass);
      }
    }
    copy_outputs(team, call, begin, pass.batch, values);
    if (call.on_chunk) call.on_chunk(team, Chunk{chunk, begin, pass.batch, number, values});
  }
  // Shares differ by a chunk. One member says how long that takes for all.
  if (shared_out && whole.rank == 0 && taken > 0)
    whole.excuse(std::chrono::duration<double>(Clock::now() - start).count() / static_cast<double>(taken));
}

// An output that no op makes is what was loaded, or what another output is.
template <typename T>
void Plan<T>::copy_outputs(const Team& team, const Call& call, int64_t begin, int64_t batch,
                           const std::vector<T*>& values) const {
  bool any = false;
  for (std::size_t i = 0; i < call.outs.size(); ++i) {
    if (call.outs[i] == nullptr) continue;
    const int output = graph_->shown()[i];
    T* to = call.outs[i] + begin * size(output);
    const T* from = values[static_cast<std::size_t>(output)];
    if (from == to) continue;
    k_.gather(team, to, {}, from, nullptr, batch, 0, size(output), {});
    any = true;
  }
  if (any) team.barrier();  // the next chunk is loaded where this one was
}

// The index, within some rows, of the first number that is not finite in this member's share of them, or -1.
template <typename T>
int64_t Plan<T>::first_bad_of(const Column& column, int64_t begin, int64_t rows, const Team& team) const {
  if (column.window_step == 0)
    return k_.first_non_finite(static_cast<const T*>(row_of(column, begin, sizeof(T))),
                               team.share(rows * column.width));
  const Range mine = team.share(rows);
  for (int64_t row = mine.begin; row < mine.end; ++row) {
    const auto* from = static_cast<const T*>(row_of(column, begin + row, sizeof(T)));
    const int64_t at = k_.first_non_finite(from, {0, column.width});
    if (at >= 0) return row * column.width + at;
  }
  return -1;
}

// Brings the samples of a chunk to where ops read them, and looks at them where that is asked for.
template <typename T>
void Plan<T>::load(const Team& team, const Call& call, int64_t begin, int64_t batch, std::vector<T*>& values,
                   const Workspace<T>& space, const std::vector<Nonzero>& nonzero,
                   std::atomic<int64_t>& first_bad) const {
  for (std::size_t i = 0; i < inputs_.size(); ++i) {
    const PlanInput<T>& input = inputs_[i];
    const Column& column = call.x.inputs[i];
    const auto loaded = static_cast<std::size_t>(input.loaded);
    if (column.kind == ColumnKind::real) {
      const T* from = static_cast<const T*>(row_of(column, begin, sizeof(T)));
      if (call.check_finite) {
        const int64_t at = first_bad_of(column, begin, batch, team);
        if (at >= 0) note_lowest(first_bad, static_cast<int64_t>(i) << kIndexBits | (begin * column.width + at));
      }
      if (!input.scaled() && column.window_step == 0) {
        values[loaded] = const_cast<T*>(from);  // ops do not write to their input
        if (nonzero[i].by_row != nullptr) k_.find_nonzero(team, nonzero[i], from, batch, column.width);
        continue;
      }
    }
    values[loaded] = space.values[loaded];
    gather(team, k_, values[loaded], nonzero[i], column, {nullptr, begin, batch, 0}, input.scaling());
  }
}

// Of all samples, before any of them changes a state.
template <typename T>
std::optional<BadElement> Plan<T>::first_bad_element(const Dataset& x) const {
  for (std::size_t i = 0; i < inputs_.size(); ++i) {
    if (x.inputs[i].kind != ColumnKind::real) continue;
    const int64_t width = x.inputs[i].width;
    int64_t bad = -1;
    in_pieces(x.samples, [&](int64_t begin, int64_t end) {
      const int64_t at = bad < 0 ? first_bad_of(x.inputs[i], begin, end - begin, Team{0, 1, nullptr}) : -1;
      if (at >= 0) bad = begin * width + at;
    });
    if (bad >= 0) return BadElement{static_cast<int>(i), bad};
  }
  return std::nullopt;
}

template <typename T>
std::optional<BadElement> Plan<T>::predict(const std::vector<T*>& outs, const Dataset& x, bool check_finite,
                                           uint64_t step, int threads, const Interrupt& interrupt) const {
  if (x.samples == 0) return std::nullopt;
  if (state_samples_ == 0) {
    const auto held = share_parameters();
    return run({x, outs, check_finite, false, step, threads, interrupt, uses_, {}, {}});
  }
  const auto held = hold_parameters(changed_by_predictions_, interrupt);
  if (check_finite)
    if (const auto bad = first_bad_element(x)) return bad;
  return run({x, outs, false, false, step, threads, interrupt, uses_, {}, {}});
}

template <typename T>
std::optional<BadElement> Plan<T>::predict_training(const std::vector<T*>& outs, const Dataset& x, bool check_finite,
                                                    uint64_t step, int threads, const Interrupt& interrupt) const {
  if (x.samples == 0) return std::nullopt;
  const std::vector<char> frozen = frozen_parameters();
  std::vector<char> changes = changed_by_predictions_;
  for (std::size_t i = 0; i < frozen.size(); ++i) changes[owner_of_[i]] |= !frozen[i] && !ops_that_end_steps_.empty();
  const auto held = hold_parameters(changes, interrupt);
  return run({x, outs, check_finite, true, step, threads, interrupt, uses(frozen), {}, {}});
}

template <typename T>
void Plan<T>::for_chunks(const Dataset& x, const std::vector<T*>& outs, uint64_t step, int threads,
                         const Interrupt& interrupt, const std::function<void(std::size_t)>& spaces,
                         const OnChunk& on_chunk) const {
  run({x, outs, false, false, step, threads, interrupt, uses_, spaces, on_chunk});
}

#define PYNN_INSTANTIATE(T)                                                                                            \
  template std::optional<BadElement> Plan<T>::predict(const std::vector<T*>&, const Dataset&, bool, uint64_t, int,     \
                                                      const Interrupt&) const;                                         \
  template std::optional<BadElement> Plan<T>::predict_training(const std::vector<T*>&, const Dataset&, bool, uint64_t, \
                                                               int, const Interrupt&) const;                           \
  template int64_t Plan<T>::choose_chunk_rows() const;                                                                 \
  template void Plan<T>::for_chunks(const Dataset&, const std::vector<T*>&, uint64_t, int, const Interrupt&,           \
                                    const std::function<void(std::size_t)>&, const OnChunk&) const;
PYNN_INSTANTIATE(float)
PYNN_INSTANTIATE(double)

}  // namespace pynn

#include "../runtime/blas.h"
#include "network_impl.h"

namespace pynn {
namespace {

// Samples go through the network in chunks of a fixed size. Where there are chunks enough, each member takes some of
// them through all layers alone, without a barrier; otherwise the team shares every layer. What a chunk becomes on its
// way shall stay in the second-level cache, or take no more room than the parameters that are read for each chunk.
constexpr int64_t kChunk = 64, kWideChunk = 256, kLeastChunk = 8, kChunkBytes = 512 * 1024;

// Samples that make it worth while to look through the parameters for numbers that are not finite: if there is none,
// what is 0 in the samples can be passed over.
constexpr int64_t kSkipFrom = 64;

// Whether the first sample gives hope that there is much to pass over.
template <typename T>
bool is_mostly_zero(const T* sample, int64_t size) {
  return 2 * std::count(sample, sample + size, T{0}) > size;
}

// Workspaces kept for later calls.
constexpr std::size_t kIdleSpaces = 8;

void lower(std::atomic<int64_t>& lowest, int64_t value) {
  int64_t now = lowest;
  while (value < now && !lowest.compare_exchange_weak(now, value)) {
  }
}

}  // namespace

// A wide layer's kernel is packed anew for each chunk, so chunks are long then.
template <typename T>
int64_t NetworkOf<T>::chunk_rows() const {
  int64_t largest = 0;
  for (const Parameter& p : parameters_) largest = std::max(largest, p.size);
  if (largest >= 512 * 512) return kWideChunk;
  int64_t sample = 0;
  for (int t = 0; t < next_tensor(); ++t) sample += is_unused(t) ? 0 : sizes_[static_cast<std::size_t>(t)];
  const int64_t room = std::max(kChunkBytes / static_cast<int64_t>(sizeof(T)), parameter_elements_);
  return std::clamp(room / sample, kLeastChunk, kChunk);
}

// A workspace that an earlier call has left, or a new one: a call for one row takes less time than making one.
template <typename T>
Workspace<T> NetworkOf<T>::borrow_space(int64_t capacity, int members) {
  {
    const std::lock_guard<std::mutex> lock(idle_mutex_);
    for (Workspace<T>& space : idle_) {
      if (space.capacity < capacity || static_cast<int>(space.own.size()) < members) continue;
      std::swap(space, idle_.back());
      Workspace<T> found = std::move(idle_.back());
      idle_.pop_back();
      return found;
    }
    if (!idle_.empty()) idle_.pop_back();  // too small, it makes room for the new one
  }
  Workspace<T> space;
  plan(space, capacity, {}, members);
  if (objective_.tensor >= 0) space.rows.allocate(capacity * max_rows());
  return space;
}

template <typename T>
void NetworkOf<T>::give_back(Workspace<T> space) {
  const std::lock_guard<std::mutex> lock(idle_mutex_);
  if (idle_.size() < kIdleSpaces) idle_.push_back(std::move(space));
}

// Calls on_chunk(team, chunk, begin, batch, workspace) after each forward pass; writes the output to `out` if there is
// one. Returns what predict returns. The caller holds a lock for reading.
template <typename T>
template <typename OnChunk>
int64_t NetworkOf<T>::infer(const Samples& x, T* out, bool check_finite, const Mode& mode, int threads,
                            const Interrupt& interrupt, const OnChunk& on_chunk) {
  const int64_t rows = mode.training ? x.count : chunk_rows(), chunks = (x.count + rows - 1) / rows;
  const int size = team_size(threads, work() * static_cast<double>(x.count), kWorkPerMember);
  const bool alone = size == 1 || chunks >= size;
  std::vector<Workspace<T>> spaces(static_cast<std::size_t>(alone ? size : 1));
  for (Workspace<T>& space : spaces) space = borrow_space(std::min(rows, x.count), alone ? 1 : size);
  std::atomic<int64_t> first_bad{INT64_MAX};
  const bool skip_zeros = x.count >= kSkipFrom && zeros_matter() &&
                          (x.bytes != nullptr ? is_mostly_zero(x.bytes, sizes_[0])
                                              : is_mostly_zero(static_cast<const T*>(x.values), sizes_[0])) &&
                          first_parameters_finite();
  blas::keep_serial();
  run_team(
      size,
      [&](const Team& whole) {
        const Team team = alone ? Team{0, 1, whole.state} : whole;
        Workspace<T>& space = spaces[static_cast<std::size_t>(alone ? whole.rank : 0)];
        std::vector<T*> values = space.values;  // of this member, to point at the caller's arrays
        Pass<T> pass{k_};
        pass.values = values.data();
        pass.parameters = parameters_.data();
        pass.parameter_values = values_.data();
        pass.shared = space.shared;
        pass.own = space.own[static_cast<std::size_t>(team.rank)];
        pass.loaded = loaded_;
        pass.saved = space.saved.data();
        pass.training = mode.training;
        pass.step = mode.step;
        const Nonzero nonzero = skip_zeros ? space.nonzero : Nonzero{};
        pass.nonzero = nonzero;
        const auto loaded = static_cast<std::size_t>(loaded_);
        const Range mine = alone ? whole.share(chunks) : Range{0, chunks};
        for (int64_t chunk = mine.begin; chunk < mine.end; ++chunk) {
          const int64_t begin = chunk * rows;
          pass.batch = std::min(rows, x.count - begin);
          const T* from = static_cast<const T*>(x.values) + (x.bytes == nullptr ? begin * sizes_[0] : 0);
          if (check_finite && x.bytes == nullptr) {
            const int64_t at = k_.first_non_finite(from, team.share(pass.batch * sizes_[0]));
            if (at >= 0) lower(first_bad, begin * sizes_[0] + at);
          }
          if (x.bytes != nullptr) {
            k_.gather_bytes(team, values[loaded], nonzero, x.bytes + begin * sizes_[0], nullptr, pass.batch, 0,
                            sizes_[0], input_scaling());
          } else if (loaded_ != 0) {
            k_.gather(team, values[loaded], nonzero, from, nullptr, pass.batch, 0, sizes_[0], input_scaling());
          } else {
            values[0] = const_cast<T*>(from);  // ops do not write to their input
            if (skip_zeros) k_.find_nonzero(team, nonzero, from, pass.batch, sizes_[0]);
          }
          if (out != nullptr && output_ != loaded_)
            values[static_cast<std::size_t>(output_)] = out + begin * output_size();
          team.barrier();
          for (const auto& op : ops_) {
            whole.poll();
            if (!mode.training && op->passes_on() && op->output != output_) {
              values[static_cast<std::size_t>(op->output)] = values[static_cast<std::size_t>(op->input)];
              continue;
            }
            op->forward(team, pass);
            team.barrier();
          }
          if (mode.training && first_bad == INT64_MAX) {
            const Uninterruptible guard(whole);
            for (const auto& op : ops_) op->end_step(team, pass);
          }
          on_chunk(team, chunk, begin, pass.batch, values, space);
        }
      },
      interrupt);
  for (Workspace<T>& space : spaces) give_back(std::move(space));
  return first_bad == INT64_MAX ? -1 : first_bad.load();
}

template <typename T>
int64_t NetworkOf<T>::predict(void* out, const Samples& x, bool check_finite, int threads, const Interrupt& interrupt) {
  if (x.count == 0) return -1;
  const auto lock = lock_for_reading();
  return infer_to(static_cast<T*>(out), x, check_finite, {false, 0}, threads, interrupt);
}

template <typename T>
int64_t NetworkOf<T>::predict_training(void* out, const Samples& x, bool check_finite, uint64_t step, int threads,
                                       const Interrupt& interrupt) {
  if (x.count == 0) return -1;
  const auto lock = lock_for_change();
  return infer_to(static_cast<T*>(out), x, check_finite, {true, step}, threads, interrupt);
}

// infer, also for a network without ops.
template <typename T>
int64_t NetworkOf<T>::infer_to(T* to, const Samples& x, bool check_finite, const Mode& mode, int threads,
                               const Interrupt& interrupt) {
  return infer(
      x, to, check_finite, mode, threads, interrupt,
      [&](const Team& team, int64_t, int64_t begin, int64_t batch, const std::vector<T*>& values, Workspace<T>&) {
        // A network without ops hands its input on.
        const T* from = values[static_cast<std::size_t>(loaded_)];
        if (output_ == loaded_) k_.gather(team, to + begin * sizes_[0], {}, from, nullptr, batch, 0, sizes_[0], {});
      });
}

template <typename T>
void NetworkOf<T>::evaluate(double* totals, int64_t columns, const Samples& x, const Targets& y, int threads,
                            const Interrupt& interrupt) {
  const auto lock = lock_for_reading();
  check_objective(columns, 1);
  const int64_t rows = chunk_rows(), chunks = (x.count + rows - 1) / rows;
  std::vector<double> sums(static_cast<std::size_t>(chunks * columns));  // of each chunk, to be added in order
  infer(x, nullptr, false, {false, 0}, threads, interrupt,
        [&](const Team& team, int64_t chunk, int64_t begin, int64_t batch, const std::vector<T*>& values,
            Workspace<T>& space) {
          const TargetRows<T> target{
              y.labels == nullptr ? static_cast<const T*>(y.values) + begin * output_size() : nullptr,
              y.labels == nullptr ? nullptr : y.labels + begin * loss_rows()};
          double* values_of_rows = space.rows.data();
          const auto add_up = [&](int64_t column, int64_t count) {
            team.barrier();
            double sum = 0;
            for (int64_t i = 0; i < count; ++i) sum += values_of_rows[i];
            if (team.rank == 0) sums[static_cast<std::size_t>(chunk * columns + column)] += sum;
            team.barrier();
          };
          loss_rows(team, values_of_rows, nullptr, values[static_cast<std::size_t>(objective_.tensor)], target, batch,
                    1);
          add_up(0, batch * loss_rows());
          for (std::size_t m = 0; m < objective_.metrics.size(); ++m) {
            metric_rows(team, values_of_rows, objective_.metrics[m], values[static_cast<std::size_t>(output_)], target,
                        batch);
            add_up(1 + static_cast<int64_t>(m), batch * (output_size() / objective_.metrics[m].columns));
          }
          for (const ActivityPenalty& penalty : activity_penalties_) {
            activity_rows(team, values_of_rows, penalty, values[static_cast<std::size_t>(penalty.tensor)], batch);
            add_up(columns - 1, batch);
          }
        });
  for (int64_t chunk = 0; chunk < chunks; ++chunk)
    for (int64_t c = 0; c < columns; ++c) totals[c] += sums[static_cast<std::size_t>(chunk * columns + c)];
  totals[columns - 1] += parameter_penalties() * static_cast<double>(x.count);
}

template int64_t NetworkOf<float>::predict_training(void*, const Samples&, bool, uint64_t, int, const Interrupt&);
template int64_t NetworkOf<double>::predict_training(void*, const Samples&, bool, uint64_t, int, const Interrupt&);
template int64_t NetworkOf<float>::predict(void*, const Samples&, bool, int, const Interrupt&);
template int64_t NetworkOf<double>::predict(void*, const Samples&, bool, int, const Interrupt&);
template void NetworkOf<float>::evaluate(double*, int64_t, const Samples&, const Targets&, int, const Interrupt&);
template void NetworkOf<double>::evaluate(double*, int64_t, const Samples&, const Targets&, int, const Interrupt&);

}  // namespace pynn

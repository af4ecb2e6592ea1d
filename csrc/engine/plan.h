// A graph made ready to run in one number type: its ops, some of them fused, and the layout of the memory that samples
// pass through. It predicts; a trainer (trainer.h) runs it forwards and backwards.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "../kernels/dispatch.h"
#include "../runtime/parallel.h"
#include "dataset.h"
#include "graph.h"
#include "live_ranges.h"
#include "op.h"

namespace pynn {

// Multiply-adds that make another member worth its start and its barriers: some 15 us of them.
constexpr double kWorkPerMember = 1e6;

// A large batch goes through in slices: the workspace stays small and in the caches, and Ctrl-C is looked for in
// between. A slice has so many samples at most. Where the batch would leave the caches, it has as few as its ops take
// at their full speed, and as make some bytes (docs/decisions/batches.md). Ops that do less than one part in kMostOps
// of the work are not asked.
constexpr int64_t kSlice = 256;
constexpr double kBatchBytes = 24 << 20, kSliceBytes = 256 << 10, kMostOps = 16;

// Multiply-adds of a batch up to which members take their samples through an op alone.
constexpr double kMostAlone = 2e6;

// Memory for `capacity` samples on their way through a plan.
template <typename T>
struct Workspace {
  int64_t capacity = 0;
  Buffer<T> memory;
  std::vector<T*> values, gradients;  // by tensor, null where there is none; some share memory (live_ranges.h)
  std::vector<T*> spare;              // by number: for gradients that are added to others
  std::vector<T*> saved;              // by op
  T* shared = nullptr;                // scratch of the team
  std::vector<T*> own;                // scratch of each member
  std::vector<T*> alone;              // what is the team's of a member that works alone
  Buffer<uint32_t> bits;              // of `nonzero`
  std::vector<Nonzero> nonzero;       // by input
};

// What a workspace must have beside the values.
struct BackwardNeeds {
  std::vector<LiveRange> gradients;  // by tensor: losses are moment 0, the last op is moment 1
  std::vector<int64_t> spare;        // sizes of the spare gradients of a sample
};

// Where samples come in.
template <typename T>
struct PlanInput {
  int tensor;  // of the graph
  int loaded;  // the tensor that samples are loaded to
  InputKind kind;
  int64_t width;
  Rescaling<T> numbers;  // applied as they are loaded, where `loaded` is not `tensor`; for each column, or one for all
  bool zeros_matter = false;      // an op wants to know which elements are 0
  int64_t ids_below = INT64_MAX;  // ids must be at least 0 and below this, where it is not INT64_MAX

  bool scaled() const { return loaded != tensor; }
  InputScaling<T> scaling() const {
    if (!scaled()) return {};
    return {numbers.scale.data(), numbers.offset.data(), numbers.scale.size() > 1,
            numbers.mean.empty() ? nullptr : numbers.mean.data()};
  }
};

// An element of the samples that is NaN or infinite.
struct BadElement {
  int input;
  int64_t index;
};

// By op, in the order of the plan.
template <typename T>
using ParameterUses = std::vector<std::vector<ParameterUse<T>>>;

template <typename T>
class Plan {
 public:
  using Number = T;

  // Throws std::invalid_argument where the graph has no output, or parameters of the other number type.
  explicit Plan(std::shared_ptr<const Graph> graph);

  const Graph& graph() const { return *graph_; }
  const std::vector<std::unique_ptr<Op<T>>>& ops() const { return ops_; }
  const std::vector<PlanInput<T>>& inputs() const { return inputs_; }
  // Those with an end_step.
  const std::vector<std::size_t>& ops_that_end_steps() const { return ops_that_end_steps_; }
  // Whose weights they are, each once, in an order that all plans share.
  const std::vector<std::shared_ptr<Parameters>>& owners() const { return owners_; }
  // The number there of the owner of a parameter of the graph.
  std::size_t owner_of(std::size_t parameter) const { return owner_of_[parameter]; }
  int64_t size(int tensor) const { return graph_->sizes()[static_cast<std::size_t>(tensor)]; }
  const Kernels<T>& kernels() const { return k_; }

  // Whether a batch must go through as a whole.
  bool couples_samples() const;
  // Samples of a batch that go through together where there is a way back, unless it must go through as a whole: the
  // gradients of such slices are added up in order. The cut does not depend on the team.
  int64_t slice_of(int64_t batch) const;
  // The samples that each batch must have, because states are kept for them; 0: any number.
  int64_t state_samples() const { return state_samples_; }
  // Throws std::invalid_argument where such batches cannot be made of the samples.
  void check_samples(int64_t samples, int64_t batch_size) const;
  // Whether a parameter of the graph is such a state, which predictions change.
  bool is_state(std::size_t parameter) const { return states_[parameter] != 0; }
  // Whether code from outside is among the ops.
  bool runs_outside_code() const;
  // Whether an op always works as in training, so that predictions draw noise.
  bool draws() const { return draws_; }
  // Multiply-adds per sample, forward.
  double work() const { return work_; }
  // Whether the parameters that meet the samples are finite: 0 times such a number is 0.
  bool first_parameters_finite() const;
  // Which parameters of the graph are frozen now. To be asked once in a call, since others may change it meanwhile.
  std::vector<char> frozen_parameters() const;
  // Whether members take their samples through the op alone, of at most `batch`.
  bool goes_alone(const Op<T>& op, int64_t batch) const;
  // The parameters as the ops use them, without gradients.
  ParameterUses<T> uses(const std::vector<char>& frozen) const;

  Workspace<T> make_workspace(int64_t capacity, int members, const BackwardNeeds* backward) const;

  // Points the pass at an op, but for gradients.
  void aim(Pass<T>& pass, std::size_t op, const Workspace<T>& space, const ParameterUses<T>& uses,
           const std::vector<Nonzero>& nonzero) const {
    pass.training = pass.network_trains || ops_[op]->trains;
    pass.saved = space.saved[op];
    pass.parameters = uses[op].data();
    pass.nonzero = input_read_by_[op] < 0 ? Nonzero{} : nonzero[static_cast<std::size_t>(input_read_by_[op])];
  }

  // ---- running it forwards (inference.cpp); outs: for each output (samples, size)

  // With check_finite, returns the first element of the samples that is not finite, if there is one; the outputs are of
  // no use then. The check comes while the samples pass through the cache. Ops that always work as in training draw
  // the noise of this step.
  std::optional<BadElement> predict(const std::vector<T*>& outs, const Dataset& x, bool check_finite, uint64_t step,
                                    int threads, const Interrupt& interrupt) const;
  // The output in training mode, as one batch: noise is made for this step, statistics are those of the batch, and
  // moving ones follow.
  std::optional<BadElement> predict_training(const std::vector<T*>& outs, const Dataset& x, bool check_finite,
                                             uint64_t step, int threads, const Interrupt& interrupt) const;

  // Samples go through in chunks; on_chunk is called by each member of the team that has taken one through.
  struct Chunk {
    int64_t number, begin, batch;
    std::size_t space;  // number of the workspace
    const std::vector<T*>& values;
  };
  using OnChunk = std::function<void(const Team&, const Chunk&)>;
  int64_t chunk_rows() const { return chunk_rows_; }
  // The caller holds the parameters. `spaces` is told how many workspaces there will be, before anything runs. outs,
  // step: as for predict; null for an output that nobody wants; no outs: none.
  void for_chunks(const Dataset& x, const std::vector<T*>& outs, uint64_t step, int threads, const Interrupt& interrupt,
                  const std::function<void(std::size_t)>& spaces, const OnChunk& on_chunk) const;

  // For a call that only reads: shares all owners. Throws Busy where one of the parameters is being trained.
  std::vector<Shared> share_parameters() const;
  // For a call: takes the owners of what it changes, in one order, so that no two calls can wait for each other, and
  // shares the others. Throws Busy as above.
  struct Holds {
    std::vector<Taken> taken;
    std::vector<Shared> shared;
  };
  Holds hold_parameters(const std::vector<char>& changes, const Interrupt& interrupt) const;
  // What a prediction changes, by owner.
  const std::vector<char>& changed_by_predictions() const { return changed_by_predictions_; }

 private:
  struct Call;  // inference.cpp
  struct Progress;

  void find_owners();
  std::vector<int64_t> make_ops();
  void find_states();
  std::vector<int> kept_tensors() const;
  void leave_out_unread(std::vector<int64_t>& times);
  void fuse(std::vector<int64_t>& times);
  void take_rescaling(std::vector<int64_t>& times);
  Blocks value_blocks(bool for_way_back) const;
  Blocks gradient_blocks(const BackwardNeeds& needs, int64_t capacity, int members) const;
  int64_t choose_chunk_rows() const;
  std::optional<BadElement> run(const Call& call) const;
  void run_member(const Team& whole, const Call& call, bool alone, std::vector<Workspace<T>>& spaces,
                  const std::vector<char>& skip_zeros, Progress& progress) const;
  void load(const Team& team, const Call& call, int64_t begin, int64_t batch, std::vector<T*>& values,
            const Workspace<T>& space, const std::vector<Nonzero>& nonzero, std::atomic<int64_t>& first_bad) const;
  std::vector<char> inputs_to_skip(const Dataset& x) const;
  std::optional<BadElement> first_bad_element(const Dataset& x) const;
  int64_t first_bad_of(const Column& column, int64_t begin, int64_t rows, const Team& team) const;
  void copy_outputs(const Team& team, const Call& call, int64_t begin, int64_t batch,
                    const std::vector<T*>& values) const;
  bool is_output(int tensor) const;
  Workspace<T> borrow_space(int64_t capacity, int members) const;
  void give_back(Workspace<T> space) const;

  const std::shared_ptr<const Graph> graph_;
  const Kernels<T>& k_ = pynn::kernels<T>();
  std::vector<std::unique_ptr<Op<T>>> ops_;
  std::vector<PlanInput<T>> inputs_;
  std::vector<int> input_of_;       // by tensor: the number of the input that is loaded to it, or -1
  std::vector<int> input_read_by_;  // by op: the number of the input that it reads first, or -1
  std::vector<std::size_t> ops_that_end_steps_, ops_with_states_;
  int64_t state_samples_ = 0;
  std::vector<char> states_;                  // by parameter
  std::vector<char> changed_by_predictions_;  // by owner
  std::vector<Nonzero> all_unknown_;          // by input
  std::vector<bool> unused_;                  // by tensor: it is never made
  std::vector<std::shared_ptr<Parameters>> owners_;
  std::vector<std::size_t> owner_of_;  // by parameter
  ParameterUses<T> uses_;
  bool draws_ = false;
  double work_ = 0;
  int64_t parameter_elements_ = 0, largest_parameter_ = 0;  // of those that are read whole
  int64_t chunk_rows_ = 0;

  mutable std::vector<Workspace<T>> idle_;  // of inference
  mutable std::mutex idle_mutex_;           // of idle_
};

// What calls for one of the two number types do with the parameters' memory.
template <typename T>
T* values_of(const ParameterRef& parameter) {
  return static_cast<T*>(parameter.owner->data(parameter.number));
}

}  // namespace pynn

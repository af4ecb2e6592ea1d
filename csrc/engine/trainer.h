// How the parameters of a plan learn: heads, optimizer with its slots, gradients, penalties, constraints, and the loop
// over steps. trainer.cpp says what is learned and evaluates, training_setup.cpp settles what a run needs, training.cpp
// runs the steps, update.cpp ends one, apply.cpp makes one of gradients that are given, optimizer_state.cpp says what
// the optimizer has kept, and sets it.
#pragma once

#include <array>
#include <atomic>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "heads.h"
#include "optimizer.h"
#include "routes.h"

namespace pynn {

struct TrainRange {
  int64_t batch_size;
  bool shuffle;
  uint64_t seed;
  int64_t epoch, first_step, steps;
  const double* rates = nullptr;  // of each step; null: that of the trainer, which may change at any time

  // How many samples its steps visit before this one, where an epoch has so many: its last batch may be smaller.
  int64_t visited_before(int64_t step, int64_t samples) const {
    const int64_t batches = (samples - 1) / batch_size + 1;
    const auto since_epoch = [&](int64_t s) { return s / batches * samples + s % batches * batch_size; };
    return since_epoch(step) - since_epoch(first_step);
  }
};

// What others may do in the loop over steps. Each is called by rank 0, all but the interrupt with the other members
// waiting; an exception ends the run.
template <typename T>
struct Hooks {
  // Now and then; throws to end the run.
  Interrupt interrupt;
  // Streams: makes the data of the next step the given ones, 1 to batch_size samples; false if there are none left.
  std::function<bool(Dataset&)> next_batch = {};
  // Several processes: adds up gradients, which are padded with zeros, and the loss of the batch over all of them. It
  // is called in each step, also where the loss is not finite, so that all come to the same decision.
  std::function<void(T* gradients, int64_t count, double* loss)> reduce = {};
};

// Elements of a partial sum over a parameter: such sums are shared by the team, and added in order.
constexpr int64_t kSumChunk = 8192;

template <typename T>
class Trainer {
 public:
  using Number = T;

  explicit Trainer(std::shared_ptr<const Plan<T>> plan);
  ~Trainer();

  const Plan<T>& plan() const { return *plan_; }
  // What set_heads made last; it lives as long as the trainer. Throws std::invalid_argument before set_heads.
  const Heads<T>* heads() const;

  // Waits for those who evaluate; `interrupt` may end the wait.
  void set_heads(const std::vector<HeadSetting>& settings, const Interrupt& interrupt = {},
                 const std::vector<int>& handed = {});
  // Slots, averages, and the count of iterations begin anew; all parameters decay.
  void set_optimizer(const std::string& name, const std::map<std::string, double>& settings,
                     const Interrupt& interrupt = {});
  // The optimizer and its state become those of a trainer of the same parameters, which then has none. Waits for those
  // who evaluate; std::invalid_argument for other parameters.
  void take_optimizer(Trainer& other, const Interrupt& interrupt = {});
  // These have no decay, the others have. Parameters that are not of the graph are left out, here and below.
  void set_undecayed(const std::vector<ParameterRef>& parameters, const Interrupt& interrupt = {});
  // Those of these parameters that have an average become it. Waits for those who evaluate.
  void take_averages(const std::vector<ParameterRef>& parameters, const Interrupt& interrupt = {});
  double learning_rate() const { return learning_rate_; }
  void set_learning_rate(double value) { learning_rate_ = value; }
  int64_t iterations() const { return iterations_; }
  void set_iterations(int64_t value);
  // What is kept for a parameter beside itself: the slots, and where there are such, "average" and
  // "accumulated_gradient".
  std::vector<std::string> state_names() const;
  // In the order of the names, for a parameter of the graph. Null: an average that was not begun, and where not `all`,
  // what is as at the beginning; slots are so only together.
  std::vector<const T*> state_of(std::size_t parameter, bool all) const;
  // Sets it all, by parameter and in the order of the names; null: as at the beginning. Waits for those who evaluate.
  void set_state(int64_t iterations, const std::vector<std::vector<const T*>>& state, const Interrupt& interrupt = {});
  // While it is held, what is kept does not change. False while it does.
  Shared share_state() const { return Shared(use_); }

  // How many steps the last `train` finished, also where it ended in an exception; but for a call that was refused
  // because this trainer trains already.
  int64_t steps_done() const { return steps_done_; }

  // Trains; false if the loss stopped being finite. totals: a row of heads()->columns() for each epoch. `checked`,
  // where given, are the heads that the data were checked for: Busy, where others have taken their place. outs: where
  // the outputs go, as they were before each step, in the order in which the samples are visited: for each output of
  // the graph null, or room for all samples of these steps; empty: none. Not for streams.
  bool train(double* totals, const Dataset& data, const TrainRange& range, int threads, const Hooks<T>& hooks,
             const Heads<T>* checked = nullptr, const std::vector<T*>& outs = {});
  // A step with these gradients, by parameter of the graph; null: it stays as it is. Penalties have no part in it.
  void apply_gradients(const std::vector<const T*>& given, int threads, const Interrupt& interrupt);
  // Takes the samples as one batch. Where no loss is a sum and no rows have weights, the totals of several batches are
  // the same. totals: a row of heads()->columns(), with the penalties in the loss; by_rows: also those that are divided
  // by rows, which count once for several batches that come to one. outs: as for train, in order.
  void evaluate(double* totals, const Dataset& data, int threads, const Interrupt& interrupt,
                const Heads<T>* checked = nullptr, const std::vector<T*>& outs = {}, bool by_rows = true) const;

 private:
  struct Setup;
  struct Run;

  // A parameter of the graph: where its gradient and its slots are.
  struct Place {
    int64_t offset, size;
    T* value;
  };

  T* gradient(std::size_t number) const { return gradients_.data() + places_[number].offset; }
  const Parameter& parameter(std::size_t number) const { return plan_->graph().parameters()[number].parameter(); }
  double penalty_of_chunk(std::size_t number, int64_t chunk) const;
  double parameter_penalties(const std::vector<RowSums>& batch, bool by_rows) const;

  // training.cpp
  struct Member;
  using Holds = typename Plan<T>::Holds;
  Holds hold_parameters(const std::vector<char>& frozen, const Interrupt& interrupt) const;
  void route(const Heads<T>& heads, const std::vector<char>& frozen);
  Setup& set_up(const Heads<T>& heads, const std::vector<char>& frozen, int64_t batch, bool reduces);
  std::vector<char> settle_updates(Setup& setup) const;
  void use_parameters(Setup& setup, const std::vector<char>& frozen, const std::vector<char>& early) const;
  void prepare_memory(const Run& run, int members);
  void train_member(const Team& team, Run& run);
  std::vector<int64_t> marked_rows(bool reduces) const;
  void prepare_marks(const std::vector<int64_t>& rows, bool fresh);
  double step_work(const Setup& setup) const;
  void begin_step(const Team& team, Run& run, int64_t step);
  void run_step(const Team& team, Run& run, Member& member, int64_t step);
  void reduce(const Team& team, Run& run, Member& member);
  bool run_slice(const Team& team, Run& run, Member& member, int64_t step, int64_t batch);
  void hand_over(const Team& team, const Run& run, const Pass<T>& pass, int64_t step) const;
  Selection samples_of(const Run& run, int64_t step) const;
  void gather_batch(const Team& team, Run& run, const Selection& batch, int64_t from, int64_t count);
  void put_in_order(uint64_t seed, int64_t epoch, int64_t count);

  std::vector<char> marked(const std::vector<ParameterRef>& parameters) const;

  // update.cpp
  void take_mean_gradients(const Team& team, Run& run);
  void accumulate(std::size_t number, Range part, bool updated);
  void average(Run& run, std::size_t number, Range part);
  void settle_rates(Run& run);
  void apply(Run& run, std::size_t number, Range part, const Gradient<T>& gradient);
  void update(const Team& team, Run& run);
  void update_rows(const Team& team, Run& run, std::size_t number);
  void add_penalty_slopes(const Team& team, Run& run);
  void scale_by_norms(const Team& team, Run& run);
  void measure_penalties(const Team& team, Run& run) const;
  double measured_penalties(const Run& run) const;
  template <typename Body>
  void for_my_chunks(const Team& team, const Run& run, const Body& body) const;

  const std::shared_ptr<const Plan<T>> plan_;
  const Kernels<T>& k_;
  std::vector<Place> places_;  // by parameter of the graph
  int64_t elements_ = 0;       // of the gradients
  Buffer<T> gradients_;        // from the first training on
  std::array<Buffer<T>, max_slots> slots_;
  int slots_used_ = 0;
  Buffer<T> accumulated_;  // gradients of the steps since the last update; empty where each step is one
  Buffer<T> averages_;     // of the parameters; empty where none are kept
  std::vector<char> undecayed_, averaged_;  // by parameter; has an average
  std::atomic<const Heads<T>*> heads_{nullptr};
  std::vector<std::unique_ptr<const Heads<T>>> all_heads_;  // also earlier ones, which others may look at still
  OptimizerSettings settings_;
  OptimizerSchedule schedule_;
  std::atomic<double> learning_rate_{0};                // written by other threads while training runs
  std::atomic<int64_t> iterations_{0}, steps_done_{0};  // iterations: steps, also those without an update
  mutable UseLock use_;  // of what is set here: taken by training and changes, shared by evaluation

  // ---- of training

  Workspace<T> space_;
  std::vector<char> frozen_;  // what the routes are for
  std::optional<Routes> routes_;
  std::unique_ptr<Setup> setup_;     // of the last run
  std::vector<Buffer<char>> marks_;  // by parameter: the rows of its gradient that are not 0, if it is updated by rows
  bool marks_right_ = false;         // between steps: those gradients are 0, and no row is marked
  std::vector<Buffer<T>> targets_;   // by head; labels lie there as int32
  std::vector<Buffer<T>> weights_;   // by head, beside them
  Buffer<double> rows_;
  std::vector<int64_t> order_;
  struct {
    uint64_t seed = 0;
    int64_t epoch = -1, count = 0;
  } order_of_;  // which permutation order_ is
};

}  // namespace pynn

// Ops that do little: each member of a team takes some samples of the batch through all of them alone, without a
// barrier, and finds what it made itself in its caches (docs/decisions/alone.md).
#pragma once

#include <vector>

#include "plan.h"

namespace pynn {

// What a member needs for that. One each, for as long as the workspace, the plan and the parameters.
template <typename T>
class Alone {
 public:
  Alone(const Plan<T>& plan, const Workspace<T>& space, const ParameterUses<T>& uses, const Team& team);

  // Runs the plan forwards, the ops that are wanted, for the samples of the pass; ends with a barrier.
  void forward(const Team& team, Pass<T>& pass, const std::vector<char>& wanted, const ParameterUses<T>& uses,
               const std::vector<Nonzero>& nonzero);

  // Whether members go through the op alone, in the batch that went forwards last.
  bool takes(std::size_t op) const { return any_ && takes_[op] != 0; }
  // A team of this member alone.
  const Team& team() const { return team_; }
  // The first of its samples; it may have none.
  int64_t first() const { return mine_.begin; }
  bool has_samples() const { return mine_.begin < mine_.end; }
  // The pass over its samples, as a batch of their own, aimed at an op, forwards or backwards; the gradients of
  // parameters are not asked for. dx: where the gradients of the op's inputs go, for the whole batch; room: how many
  // elements there are at each for a sample.
  Pass<T>& aim(std::size_t op, const std::vector<Nonzero>& nonzero);
  Pass<T>& aim_back(std::size_t op, const std::vector<T*>& dx, const std::vector<int64_t>& room);

 private:
  void begin(const Pass<T>& whole);

  const Plan<T>& plan_;
  const Workspace<T>& space_;
  const Team team_;
  const int rank_, members_;
  std::vector<char> takes_;  // by op; empty for a team of one
  bool any_ = false;
  ParameterUses<T> uses_;
  Range mine_{0, 0};
  std::vector<T*> values_, gradients_, dx_;
  Pass<T> pass_;
};

}  // namespace pynn

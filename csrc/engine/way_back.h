// The way of the gradients of one batch, from the tensors that losses are computed from to parameters and inputs.
#pragma once

#include <vector>

#include "alone.h"
#include "routes.h"

namespace pynn {

// What a plan needs to go backwards in a workspace; the members of a team share it. Plan, routes and workspace must
// live as long.
template <typename T>
class WayBack {
 public:
  // loss_tensors: those that the routes were made for. penalized: whether activity penalties are part of the loss.
  WayBack(const Plan<T>& plan, const Routes& routes, const Workspace<T>& space, std::vector<int> loss_tensors,
          bool penalized);

  // Where the gradient of each loss goes, null where it is not asked for: to be written before `run`.
  const std::vector<T*>& slopes() const { return slopes_; }

  // For the samples of the pass, which are some of a batch of `batch`. The last op is followed by a barrier only if
  // `ends` says so.
  void run(const Team& team, Pass<T>& pass, Alone<T>& alone, const ParameterUses<T>& uses,
           const std::vector<Nonzero>& nonzero, int64_t batch, bool ends) const;

 private:
  std::size_t run_alone(const Team& team, Pass<T>& pass, Alone<T>& alone, std::size_t last,
                        const ParameterUses<T>& uses, const std::vector<Nonzero>& nonzero, int64_t batch) const;
  T* gradient_at(int route, int tensor) const;
  // Elements of a spare gradient for a sample. Tensors of several sizes use it one after the other, and members that go
  // alone use it for different ones at a time: each then has the room of its samples for itself.
  int64_t room_of(int spare) const { return routes_.needs.spare[static_cast<std::size_t>(spare)]; }
  void complete(const Team& team, const Pass<T>& pass, std::size_t op, int64_t batch) const;
  void add_spares(const Team& team, const Pass<T>& pass, std::size_t op, int64_t first) const;
  void add_spare(const Team& team, const Pass<T>& pass, int tensor, int spare, int64_t first) const;

  const Plan<T>& plan_;
  const Routes& routes_;
  const Workspace<T>& space_;
  const std::vector<int> loss_tensors_;
  std::vector<ActivityPenalty> penalties_;
  std::vector<T*> slopes_;                  // by loss
  std::vector<std::vector<T*>> dx_;         // by op and input: where the gradient of it goes
  std::vector<std::vector<int64_t>> room_;  // elements that there are for a sample at each of these
  std::vector<T*> nowhere_;                 // for an op whose gradients of inputs are there
  std::vector<char> to_be_completed_;       // by op
  std::size_t last_ = 0;                    // the op that ends the way
};

}  // namespace pynn

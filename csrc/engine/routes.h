// The way of the gradients through a plan: which are asked for, who writes first and who adds.
#pragma once

#include <vector>

#include "plan.h"

namespace pynn {

// Kernels write their gradients; they do not add. Where a tensor has several readers, the first one on the way back
// writes to its gradient. Each other one writes to a spare gradient, which is then added. A chain pays nothing for it.
struct Routes {
  static constexpr int none = -2, direct = -1;  // otherwise the number of a spare gradient

  BackwardNeeds needs;
  std::vector<char> forward;                // by op: whether anything that is measured depends on it
  std::vector<char> backward;               // by op: whether it has a gradient to make
  std::vector<std::vector<int>> inputs;     // by op and input: where its gradient goes
  std::vector<std::vector<int>> unwritten;  // by op: outputs whose gradient no one writes; it is 0
  std::vector<int> losses;                  // by loss: where the gradient of its tensor goes
  std::vector<char> learns;                 // by parameter of the graph: whether training makes a gradient of it
  std::vector<char> shared;                 // by parameter: its gradient begins at 0, and what uses it adds to that
};

// loss_tensors: by loss. measured: what must be made in any case. trainable: by parameter of the graph. inputs: by
// input of the plan, whether its gradient is asked for; empty: none. Throws std::invalid_argument where a gradient
// would have to pass an op that has none.
template <typename T>
Routes make_routes(const Plan<T>& plan, const std::vector<int>& loss_tensors, const std::vector<int>& measured,
                   const std::vector<char>& trainable, const std::vector<char>& inputs = {});

}  // namespace pynn

// Gradients on demand: one batch forwards and backwards, without a change of anything.
#pragma once

#include <vector>

#include "heads.h"

namespace pynn {

// What is asked for. The gradients of several slices of a batch are added up in order, as in training.
template <typename T>
struct GradientCall {
  const Dataset& data;
  bool training;               // layers work as in training; moving statistics stay as they are
  uint64_t step;               // of training: with it changes what is random
  std::vector<T*> parameters;  // by parameter of the graph: where its gradient goes; null: not asked for
  std::vector<T*> inputs;      // by input, likewise
  int threads;
  const Interrupt& interrupt;
};

// Of the loss of a batch, penalties included. Returns the loss.
template <typename T>
double loss_gradients(const Plan<T>& plan, const Heads<T>& heads, const GradientCall<T>& call);

// Of sum(y * dy) over all outputs, dy (samples, size) being a constant for each: the product of a vector and the
// Jacobian. Penalties have no part in it.
template <typename T>
void vector_jacobian_product(const Plan<T>& plan, const std::vector<const T*>& dys, const GradientCall<T>& call);

}  // namespace pynn

// Recurrent layers: SimpleRNN, LSTM and GRU over whole sequences.
#pragma once

#include <stdint.h>

#include "../runtime/team.h"
#include "activation_spec.h"

namespace pynn {

enum class Cell { simple_rnn, lstm, gru };

// f is the activation, g the recurrent activation, x the input and h the state before a step; products are with the
// columns of a gate. U is the recurrent kernel.
//   simple_rnn  h' = f(x W + b + h U)
//   lstm        i, f, o = g(x W + b + h U), c' = f c + i f(x W + b + h U), h' = o f(c'); gates in the order i, f, c, o
//   gru         z, r = g(x W + b + h U), h' = z h + (1 - z) f(x W + b + (r h) U); gates in the order z, r, h
//               with reset_after, the last term is r (h U + b1), and b has two rows: b0 goes with x, b1 with h
struct RecurrentShape {
  Cell cell;
  int64_t batch, steps, features, units;
  bool reset_after;  // of gru
  bool backwards;    // the last step comes first
  bool sequences;    // the output has all steps, in the order in which they are made; otherwise the last one
  bool zero_masked;  // the output of a masked step is 0; otherwise the state
  bool keeps_sums;   // a slope needs what goes into an activation
  ActivationSpec activation, recurrent_activation;
};

template <typename T>
struct RecurrentInputs {
  const T* x;     // (batch, steps, features)
  const T* mask;  // (batch, steps), or null: where it is 0, a step changes no state
  // (batch, units), or null: the states at the beginning, which are 0 otherwise, and what h is multiplied by before it
  // meets U. c is for lstm only.
  const T *h, *c, *dropped;
  const T* kernel;     // (features, gates * units)
  const T* recurrent;  // (units, gates * units)
  const T* bias;       // (gates * units), for gru with reset_after (2, 3 * units), or null
};

// y (batch, steps or 1, units); the states at the end (batch, units), each may be null. All of them are outputs of the
// forward pass, or their gradients, which may be null, too: they are 0 then.
template <typename T>
struct RecurrentOutputs {
  T *y, *h, *c;
};

// Each may be null. dh and dc are those of the states at the beginning. Those of parameters are added to where
// `accumulate` is set.
template <typename T>
struct RecurrentGradients {
  T *dx, *dh, *dc;
  T *dkernel, *drecurrent, *dbias;
  bool accumulate;
};

template <typename T>
struct RecurrentKernels {
  // saved: what the way back needs, recurrent_saved elements, or null where none follows. A sample's outputs do not
  // depend on the others, nor on whether something is saved.
  void (*recurrent_forward)(const Team& team, const RecurrentShape& shape, const RecurrentInputs<T>& in,
                            const RecurrentOutputs<T>& out, T* saved, T* own);

  // Overwrites what is saved. Has barriers inside.
  void (*recurrent_backward)(const Team& team, const RecurrentShape& shape, const RecurrentInputs<T>& in,
                             const RecurrentOutputs<T>& dout, const RecurrentGradients<T>& gradients, T* saved,
                             T* shared, T* own);

  int64_t (*recurrent_saved)(const RecurrentShape& shape);
  // Scratch: of each member, and of the team for the backward pass.
  int64_t (*recurrent_own_forward)(const RecurrentShape& shape);
  int64_t (*recurrent_own_backward)(const RecurrentShape& shape);
  int64_t (*recurrent_shared)(const RecurrentShape& shape);
};

}  // namespace pynn

// Penalties of parameters, and constraints.
#pragma once

#include <stdint.h>

#include "../runtime/team.h"
#include "enumeration.h"

namespace pynn {

// What an update is followed by: weights below 0 become 0; or each group of a parameter (outer, axis, inner), the
// elements that differ along the axis alone, is rescaled to the norm rate * clip(norm, min_value, max_value) +
// (1 - rate) * norm.
#define PYNN_CONSTRAINTS(X) X(none) X(non_neg) X(norm)
PYNN_ENUMERATION(Constraint, PYNN_CONSTRAINTS)

struct ConstraintSpec {
  Constraint kind = Constraint::none;
  double min_value = 0, max_value = 0, rate = 1;
  int64_t outer = 1, axis = 1, inner = 1;
};

// l1 * sum |x| + l2 * sum x^2 + linear * sum x
struct PenaltySpec {
  double l1, l2, linear;
};

template <typename T>
struct PenaltyKernels {
  // In double and in a fixed order.
  double (*penalty)(const T* x, int64_t n, const PenaltySpec& penalty);

  // g += the gradient of the penalty: l1 * sign(x) + 2 * l2 * x + linear.
  void (*add_penalty_slope)(T* g, const T* x, int64_t n, const PenaltySpec& penalty);

  // Changes w as the constraint says. False if a norm was too large for its number type.
  bool (*constrain)(const Team& team, T* w, const ConstraintSpec& constraint);
};

}  // namespace pynn

// Layer and group normalisation: of the groups of each sample.
#pragma once

#include <stdint.h>

#include "../runtime/team.h"

namespace pynn {

// Samples (positions, groups, columns), normalised over positions and columns.
struct GroupShape {
  int64_t positions, groups, columns;
};

template <typename T>
struct GroupNormKernels {
  // y = (x - mean) inverse gamma + beta, where mean and inverse (samples, groups) are those of each sample's groups:
  // inverse = 1 / sqrt(variance + epsilon); gamma, beta (groups, columns) may be null. A large mean costs y no digits:
  // means are made of the deviations from the first element of the group. The mean that is handed out is rounded to T,
  // and the gradients are made with that. An epsilon that is subnormal in T counts as the smallest number that is not.
  // own: group_norm_own(shape) elements of the member, here and below.
  void (*group_norm_forward)(const Team& team, T* y, T* mean, T* inverse, const T* x, const T* gamma, const T* beta,
                             int64_t samples, const GroupShape& shape, double epsilon, T* own);
  int64_t (*group_norm_own)(const GroupShape& shape);

  // Each output, and gamma, may be null. Has a barrier inside. shared: group_norm_sums(samples, shape) elements of the
  // team.
  void (*group_norm_backward)(const Team& team, T* dx, T* dgamma, T* dbeta, const T* dy, const T* x, const T* mean,
                              const T* inverse, const T* gamma, int64_t samples, const GroupShape& shape,
                              bool accumulate, T* own, T* shared);
  int64_t (*group_norm_sums)(int64_t samples, const GroupShape& shape);
};

}  // namespace pynn

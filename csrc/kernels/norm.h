// Normalisation of batches, and of each sample's groups.
#pragma once

#include <stdint.h>

#include "../runtime/team.h"

namespace pynn {

// Samples (positions, groups, columns), normalised over positions and columns.
struct GroupShape {
  int64_t positions, groups, columns;
};

template <typename T>
struct NormKernels {
  // mean and variance (columns) of the columns of x (rows, columns); the variance is that of a population. Has a
  // barrier inside, and its results want one. shared: column_sums(rows, columns) elements of the team, here and below.
  void (*moments)(const Team& team, T* mean, T* variance, const T* x, int64_t rows, int64_t columns, T* shared);
  int64_t (*column_sums)(int64_t rows, int64_t columns);

  // What batch normalisation multiplies by and adds: scale = gamma / sqrt(variance + epsilon), offset = beta - mean
  // scale; gamma, beta and offset may be null. No team.
  void (*normalization)(T* scale, T* offset, const T* mean, const T* variance, const T* gamma, const T* beta,
                        int64_t columns, double epsilon);

  // Gradients of y = x scale + offset with the moments of x itself; each output, and gamma, may be null. Has a barrier
  // inside.
  void (*batch_norm_backward)(const Team& team, T* dx, T* dgamma, T* dbeta, const T* dy, const T* x, const T* mean,
                              const T* variance, const T* gamma, int64_t rows, int64_t columns, double epsilon,
                              bool accumulate, T* shared);

  // y = (x - mean) inverse gamma + beta, where mean and inverse (samples, groups) are those of each sample's groups:
  // inverse = 1 / sqrt(variance + epsilon); gamma, beta (groups, columns) may be null.
  void (*group_norm_forward)(const Team& team, T* y, T* mean, T* inverse, const T* x, const T* gamma, const T* beta,
                             int64_t samples, const GroupShape& shape, double epsilon);

  // Each output, and gamma, may be null. Has a barrier inside. shared: column_sums(samples, groups * columns) elements.
  void (*group_norm_backward)(const Team& team, T* dx, T* dgamma, T* dbeta, const T* dy, const T* x, const T* mean,
                              const T* inverse, const T* gamma, int64_t samples, const GroupShape& shape,
                              bool accumulate, T* shared);
};

}  // namespace pynn

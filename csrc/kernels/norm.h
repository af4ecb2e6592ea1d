// Batch normalisation.
#pragma once

#include <stdint.h>

#include "../runtime/team.h"
#include "activation_spec.h"

namespace pynn {

template <typename T>
struct NormKernels {
  // mean and variance (columns) of the columns of x (rows, columns); the variance is that of a population. rest
  // (columns), which may be null, is what T cannot hold of the mean: mean + rest is the mean as the deviations from the
  // first row make it. So a large mean costs no digits: the errors of mean + rest and of the standard deviation are
  // some epsilon of the standard deviation (some, times the distance of the first row from the mean in these, where
  // that is more), and equal rows have their value as mean, 0 as rest and 0 as variance. Has a barrier inside, and its
  // results want one. shared: column_sums(rows, columns) elements of the team, here and below.
  void (*moments)(const Team& team, T* mean, T* rest, T* variance, const T* x, int64_t rows, int64_t columns,
                  T* shared);
  int64_t (*column_sums)(int64_t rows, int64_t columns);

  // Batch normalisation is y = (x - mean) scale + offset, where scale = gamma / sqrt(variance + epsilon) and offset =
  // beta - rest scale. rest, gamma, beta (columns) may be null, and so may offset. An epsilon that is subnormal in T
  // counts as the smallest number that is not, here and below. No team.
  void (*normalization_factors)(T* scale, T* offset, const T* rest, const T* variance, const T* gamma, const T* beta,
                                int64_t columns, double epsilon);

  // The same, and an activation of it. y may be x.
  void (*batch_norm_forward)(const Team& team, T* y, const T* x, const T* mean, const T* scale, const T* offset,
                             int64_t rows, int64_t columns, const ActivationSpec& activation);

  // Gradients of batch normalisation with the moments of x itself, but for the rest of the mean; each output, and
  // gamma, may be null. The activation is one of those that gradient_from_output allows: dy is multiplied by its slope,
  // which is made of y. mask (rows), which may be null: the moments are those of the rows whose mask is not 0, and the
  // others have no part in them. Has a barrier inside. own: batch_norm_own(columns) elements of the member.
  void (*batch_norm_backward)(const Team& team, T* dx, T* dgamma, T* dbeta, T* dy, const T* x, const T* y,
                              const T* mean, const T* variance, const T* gamma, const T* mask, int64_t rows,
                              int64_t columns, double epsilon, const ActivationSpec& activation, bool accumulate,
                              T* own, T* shared);
  int64_t (*batch_norm_own)(int64_t columns);
};

}  // namespace pynn

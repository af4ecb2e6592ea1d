// Batch normalisation.
#pragma once

#include <stdint.h>

#include "../runtime/team.h"

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

  // Batch normalisation is y = (x - mean) scale + offset (rescaling_forward), where scale = gamma / sqrt(variance +
  // epsilon) and offset = beta - rest scale. rest, gamma, beta (columns) may be null, and so may offset. An epsilon
  // that is subnormal in T counts as the smallest number that is not, here and below. No team.
  void (*normalization_factors)(T* scale, T* offset, const T* rest, const T* variance, const T* gamma, const T* beta,
                                int64_t columns, double epsilon);

  // Gradients of batch normalisation with the moments of x itself, but for the rest of the mean; each output, and
  // gamma, may be null. mask (rows), which may be null: the moments are those of the rows whose mask is not 0, and the
  // others have no part in them. Has a barrier inside.
  void (*batch_norm_backward)(const Team& team, T* dx, T* dgamma, T* dbeta, const T* dy, const T* x, const T* mean,
                              const T* variance, const T* gamma, const T* mask, int64_t rows, int64_t columns,
                              double epsilon, bool accumulate, T* shared);
};

}  // namespace pynn

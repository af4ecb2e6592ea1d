// Tversky's loss of overlaps, of which that of Dice is a case: of sums over axes of a batch.
#pragma once

#include <stdint.h>

#include "../runtime/team.h"
#include "losses.h"

namespace pynn {

// The axes of a sample, neighbours of one kind taken together: those that are summed over, and those that are kept.
// The elements that agree in the kept ones are a group.
struct OverlapAxes {
  static constexpr int most = 8;
  int count = 0;
  int64_t sizes[most] = {};
  bool kept[most] = {};
  int64_t elements = 1, groups = 1;
};

// The loss of a group: 1 - both / (both + alpha (sum(y) - both) + beta (sum(p) - both) + epsilon), both = sum(y p).
struct OverlapSpec {
  double alpha, beta, epsilon;
  OverlapAxes axes;
  bool of_batch;  // the sums are over all samples; otherwise over one
};

template <typename T>
struct OverlapKernels {
  // sums (samples, 3, groups): sum(y p), sum(y) and sum(p) of each sample's groups. pred and target (samples,
  // elements). Each member has some samples, here and below: see Team::share.
  void (*overlap_sums)(const Team& team, double* sums, const T* pred, const T* target, int64_t samples,
                       const OverlapAxes& axes);

  // For a loss of a batch. totals (3, groups): the sums of all samples, added in order. factors (2, groups): scale
  // times the gradient of the losses by an element of target t is t * factors[0] + factors[1]. Each member has some
  // groups.
  void (*overlap_of_batch)(const Team& team, double* totals, double* factors, const double* sums, int64_t samples,
                           const OverlapSpec& spec, double scale);

  // The same for losses of samples: `values` gets the sum over a sample's groups, each times its weight, and the first
  // two of the sums become the factors. A sample has `rows` rows that may have weights: they are its groups, or all
  // have the same one. What is masked counts as 0.
  void (*overlap_of_samples)(const Team& team, double* values, double* sums, const RowWeights<T>& weights, int64_t rows,
                             int64_t samples, const OverlapSpec& spec, double scale);

  // The sum of the losses of the groups with these totals.
  double (*overlap_value)(const double* totals, const OverlapSpec& spec);

  // dpred (samples, elements), with the factors of each sample `stride` behind those of the one before. Where both are
  // 0 it is 0, whatever the target is.
  void (*overlap_slopes)(const Team& team, T* dpred, const T* target, const double* factors, int64_t stride,
                         int64_t samples, const OverlapAxes& axes);
};

}  // namespace pynn

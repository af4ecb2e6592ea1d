// Losses and metrics, and what rows of targets are.
#pragma once

#include <stdint.h>

#include "../runtime/team.h"
#include "enumeration.h"

namespace pynn {

#define PYNN_LOSSES(X)                           \
  X(mean_squared_error)                          \
  X(mean_absolute_error)                         \
  X(mean_absolute_percentage_error)              \
  X(mean_squared_logarithmic_error)              \
  X(huber)                                       \
  X(log_cosh)                                    \
  X(cosine_similarity)                           \
  X(poisson)                                     \
  X(poisson_from_logs)                           \
  X(kl_divergence)                               \
  X(binary_crossentropy)                         \
  X(binary_crossentropy_from_logits)             \
  X(binary_focal_crossentropy)                   \
  X(binary_focal_crossentropy_from_logits)       \
  X(categorical_crossentropy)                    \
  X(categorical_crossentropy_from_logits)        \
  X(categorical_focal_crossentropy)              \
  X(categorical_focal_crossentropy_from_logits)  \
  X(sparse_categorical_crossentropy)             \
  X(sparse_categorical_crossentropy_from_logits) \
  X(hinge)                                       \
  X(squared_hinge)                               \
  X(categorical_hinge)                           \
  X(sum_squared_error)                           \
  X(perceptron)                                  \
  X(mean_value)
PYNN_ENUMERATION(Loss, PYNN_LOSSES)

// huber: a = delta. The cross-entropies: a = label_smoothing; the focal ones also b = gamma, c = alpha, which is
// negative where binary classes are not balanced. categorical_focal_crossentropy may have an alpha for each class
// instead: by_class (columns).
struct LossSpec {
  Loss kind;
  double a, b = 0, c = 0;
  const double* by_class = nullptr;
};

#define PYNN_METRICS(X)          \
  X(binary_accuracy)             \
  X(categorical_accuracy)        \
  X(sparse_categorical_accuracy) \
  X(top_k_categorical_accuracy)  \
  X(sparse_top_k_categorical_accuracy)
PYNN_ENUMERATION(Metric, PYNN_METRICS)

// binary_accuracy: a = threshold. The top-k accuracies: a = k.
struct MetricSpec {
  Metric kind;
  double a;
};

// What a row of targets is: values of the prediction's type, or one class label.
template <typename T>
struct TargetRows {
  const T* values;        // (rows, columns), or null
  const int32_t* labels;  // (rows), or null
};

// What rows count for: `each` rows in a row have one weight. A row of a negative weight is masked: it counts for
// nothing. So is one whose mask is 0, of which `mask_each` rows in a row have one.
template <typename T>
struct RowWeights {
  const T* values;  // null: 1
  int64_t each;
  const T* mask = nullptr;  // null: none
  int64_t mask_each = 1;

  T of(int64_t row) const {
    if (mask != nullptr && mask[row / mask_each] == 0) return -1;
    return values == nullptr ? T{1} : values[row / each];
  }
};

template <typename T>
struct LossKernels {
  // values[row] = loss of the row (pynn/losses/ has the formulas), dpred = scale * d(values[row]) / d(pred).
  // pred (rows, columns). Either output may be null.
  void (*loss)(const Team& team, double* values, T* dpred, const T* pred, const TargetRows<T>& target, int64_t rows,
               int64_t columns, const LossSpec& spec, double scale);

  // values[row] = the metric of the row.
  void (*metric)(const Team& team, double* values, const T* pred, const TargetRows<T>& target, int64_t rows,
                 int64_t columns, const MetricSpec& spec);

  // Multiplies the values of rows, and their gradients (rows, columns), which may be null, by the rows' weights. What
  // is masked becomes 0, also where it is not finite. masks_only: other weights count as 1. A member has the rows that
  // it has in `loss` and `metric`, so that no barrier need lie between.
  void (*weigh)(const Team& team, double* values, T* dpred, const RowWeights<T>& weights, int64_t rows, int64_t columns,
                bool masks_only);
};

}  // namespace pynn

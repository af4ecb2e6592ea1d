// The steps of optimizers, and the norms by which gradients are clipped.
#pragma once

#include <stdint.h>

#include "enumeration.h"
#include "gradient.h"

namespace pynn {

#define PYNN_OPTIMIZERS(X) X(sgd) X(rmsprop) X(adagrad) X(adadelta) X(adam) X(adamax) X(nadam) X(lion)
PYNN_ENUMERATION(Optimizer, PYNN_OPTIMIZERS)

// One step of an optimizer, its schedule already worked out (engine/optimizer.h). An epsilon or a clip above 0 that is
// subnormal in the type of the parameters counts as the smallest number that is not.
struct OptimizerStep {
  Optimizer kind;
  bool nesterov, centered, amsgrad;
  double learning_rate;            // of this step, bias corrections included where the formula allows it
  double momentum, rho;            // sgd, rmsprop; rmsprop, adadelta
  double beta_1, beta_2, epsilon;  // adam and its kin; lion, but for epsilon
  double m_scale, g_scale;         // nadam: the weights of m and g in the corrected momentum
  double v_scale;                  // nadam: 1 / (1 - beta_2^t)
  double decay;                    // w is multiplied by 1 - decay first; 0 for none
  double clip;                     // |g| is clipped to it; 0 for none
  double l1, l2;                   // the gradient of l1 |w| + l2 w^2 is added to g before that; 0 for none
};

constexpr int max_slots = 3;

template <typename T>
struct OptimizerKernels {
  // One step on n parameters w with gradient g, in place. slot[i] (n): those of OptimizerSettings::slot_names
  // (engine/optimizer.h). No team: whoever has just made the gradients calls it while they are in the cache. False if
  // some w is not finite.
  bool (*optimizer_update)(T* w, const Gradient<T>& g, T* const* slot, int64_t n, const OptimizerStep& step);

  // a = momentum a + (1 - momentum) w; then w = a, where `overwrite` is set. False if that makes some w not finite.
  bool (*average)(T* a, T* w, int64_t n, double momentum, bool overwrite);

  // g *= factor 2^exponent.
  void (*scale)(T* g, int64_t n, double factor, int exponent);

  // The sum of the squares of x 2^exponent, in double and in a fixed order. With -ilogb(largest) as the exponent it
  // does not overflow.
  double (*sum_of_squares)(const T* x, int64_t n, int exponent);

  // The largest |x|; NaN if there is one.
  double (*largest)(const T* x, int64_t n);
};

}  // namespace pynn

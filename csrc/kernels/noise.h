// Noise.
#pragma once

#include <stdint.h>

#include "../runtime/team.h"
#include "enumeration.h"

namespace pynn {

#define PYNN_NOISES(X) X(alpha_dropout) X(dropout) X(gaussian_dropout) X(gaussian_noise)
PYNN_ENUMERATION(Noise, PYNN_NOISES)

// dropout: amount = the rate at which elements become 0, the others are multiplied by 1 / (1 - amount).
// alpha_dropout: those become the least value of selu instead, and all go through the line that brings back mean 0 and
// variance 1 (Klambauer, Unterthiner, Mayr, Hochreiter: Self-normalizing neural networks, 2017).
// gaussian_dropout: elements are multiplied by normal numbers of mean 1 and standard deviation `amount`;
// gaussian_noise: such numbers of mean 0 are added. They are functions of seed, step and element.
struct NoiseSpec {
  Noise kind;
  double amount;
  uint64_t seed, step;
  bool backward = false;  // x is a gradient on its way back
};

// Which of a sample's `size` elements get the same noise. It takes (rows, columns) numbers: number (i, j) goes to the
// `inner` elements from row_at[i] + repeat_at[r] + j * inner on, for each r.
struct NoiseShape {
  int64_t size;
  int64_t rows, columns, inner, repeats;
  const int64_t* row_at;     // (rows)
  const int64_t* repeat_at;  // (repeats)
  bool samples_alike;        // whether all samples get the same numbers
};

template <typename T>
struct NoiseKernels {
  // y = x with noise. `first` is the number of the first sample in its batch. y may be x. Given dy,
  // with `backward`, it makes dx, but for that of gaussian_noise, which is dy.
  void (*noise)(const Team& team, T* y, const T* x, int64_t samples, int64_t first, const NoiseShape& shape,
                const NoiseSpec& spec);
};

}  // namespace pynn

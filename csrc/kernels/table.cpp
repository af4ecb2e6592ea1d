#include "kernels.h"

// The files that fill the table, and which part of it each of them fills.
#define PYNN_FILES(X)                     \
  X(gemm, GemmKernels)                    \
  X(dense, DenseKernels)                  \
  X(dense_backward, DenseKernels)         \
  X(conv, ConvKernels)                    \
  X(conv_input, ConvKernels)              \
  X(conv_backward, ConvKernels)           \
  X(pool, PoolKernels)                    \
  X(recurrent, RecurrentKernels)          \
  X(recurrent_backward, RecurrentKernels) \
  X(noise, NoiseKernels)                  \
  X(norm, NormKernels)                    \
  X(group_norm, GroupNormKernels)         \
  X(rms, RmsKernels)                      \
  X(columns, ColumnKernels)               \
  X(resample, ResampleKernels)            \
  X(permute, PermuteKernels)              \
  X(merge, MergeKernels)                  \
  X(embedding, EmbeddingKernels)          \
  X(masks, MaskKernels)                   \
  X(attention, AttentionKernels)          \
  X(attention_backward, AttentionKernels) \
  X(activations, ActivationKernels)       \
  X(softmax, SoftmaxKernels)              \
  X(losses, LossKernels)                  \
  X(overlap, OverlapKernels)              \
  X(optimizers, OptimizerKernels)         \
  X(penalties, PenaltyKernels)            \
  X(rows, RowKernels)

namespace pynn {
namespace PYNN_ISA {

#define PYNN_DECLARE_REGISTER(file, Family) \
  void register_##file(Family<float>&);     \
  void register_##file(Family<double>&);
PYNN_FILES(PYNN_DECLARE_REGISTER)

namespace {

template <typename T>
void fill(Kernels<T>& k) {
#define PYNN_REGISTER(file, Family) register_##file(k);
  PYNN_FILES(PYNN_REGISTER)
}

}  // namespace

// What the dispatcher calls (dispatch.cpp).
void register_all(Kernels<float>& k) { fill(k); }
void register_all(Kernels<double>& k) { fill(k); }

}  // namespace PYNN_ISA
}  // namespace pynn

// The kernels: every function of the arithmetic. The table of contents of this folder: each family has a header of its
// own, which has every function with its shapes.
//
// A kernel is what one member of a team does (runtime/team.h). It works on raw row-major arrays, allocates nothing and
// trusts its arguments: they were checked where they came in (checks.h asserts them in builds without NDEBUG).
// Arguments: outputs, then inputs and saved values, then parameters, then sizes; the gradient of x is dx. Outputs are
// overwritten unless `accumulate` is set.
//
// The sources of this folder are compiled once per instruction set, each time in a namespace of its own (PYNN_ISA);
// runtime dispatch hands out one filled table (dispatch.h). So a kernel file includes C headers and headers without
// inline functions only. What it has is in an unnamed namespace or, where another file of this folder calls it, in
// PYNN_ISA, as its register_* function is.
#pragma once

#include "activations.h"
#include "attention.h"
#include "columns.h"
#include "conv.h"
#include "dense.h"
#include "embedding.h"
#include "gemm.h"
#include "group_norm.h"
#include "losses.h"
#include "masks.h"
#include "merge.h"
#include "noise.h"
#include "norm.h"
#include "optimizers.h"
#include "overlap.h"
#include "penalties.h"
#include "permute.h"
#include "pool.h"
#include "recurrent.h"
#include "resample.h"
#include "rms.h"
#include "rows.h"
#include "softmax.h"

namespace pynn {

// The table of all kernels of one instruction set.
template <typename T>
struct Kernels : GemmKernels<T>,
                 DenseKernels<T>,
                 ConvKernels<T>,
                 PoolKernels<T>,
                 RecurrentKernels<T>,
                 NoiseKernels<T>,
                 NormKernels<T>,
                 GroupNormKernels<T>,
                 RmsKernels<T>,
                 ColumnKernels<T>,
                 ResampleKernels<T>,
                 PermuteKernels<T>,
                 MergeKernels<T>,
                 EmbeddingKernels<T>,
                 MaskKernels<T>,
                 AttentionKernels<T>,
                 ActivationKernels<T>,
                 SoftmaxKernels<T>,
                 LossKernels<T>,
                 OverlapKernels<T>,
                 OptimizerKernels<T>,
                 PenaltyKernels<T>,
                 RowKernels<T> {};

}  // namespace pynn

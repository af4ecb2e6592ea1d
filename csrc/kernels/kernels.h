// The kernels: every function of the arithmetic, with its shapes. The table of contents of this folder.
//
// A kernel is what one member of a team does (runtime/team.h). It works on raw row-major arrays, allocates nothing and
// trusts its arguments: they were checked where they came in. Arguments: outputs, then inputs and saved values, then
// parameters, then sizes; the gradient of x is dx. Outputs are overwritten unless `accumulate` is set.
//
// The sources of this folder are compiled once per instruction set, each time in a namespace of its own (PYNN_ISA);
// runtime dispatch hands out one filled table (dispatch.h). So a kernel file includes C headers and headers without
// inline functions only, and defines all it has in unnamed namespaces, but for its register_* function.
#pragma once

#include <stdint.h>

#include "../runtime/team.h"

namespace pynn {

enum class Activation : int {
  linear,
  relu,
  relu6,
  leaky_relu,
  elu,
  selu,
  celu,
  gelu,
  gelu_tanh,
  silu,
  mish,
  sigmoid,
  log_sigmoid,
  hard_sigmoid,
  hard_silu,
  tanh,
  hard_tanh,
  softplus,
  softsign,
  exponential,
  step,
  count
};

// relu: a = negative_slope, b = max_value, c = threshold. leaky_relu: a = negative_slope. elu, celu: a = alpha.
struct ActivationSpec {
  Activation kind;
  double a, b, c;
};

constexpr ActivationSpec no_activation{Activation::linear, 0, 0, 0};

enum class Loss : int {
  mean_squared_error,
  mean_absolute_error,
  mean_absolute_percentage_error,
  mean_squared_logarithmic_error,
  huber,
  log_cosh,
  cosine_similarity,
  poisson,
  kl_divergence,
  binary_crossentropy,
  binary_crossentropy_from_logits,
  categorical_crossentropy,
  categorical_crossentropy_from_logits,
  sparse_categorical_crossentropy,
  sparse_categorical_crossentropy_from_logits,
  hinge,
  squared_hinge,
  categorical_hinge,
  sum_squared_error,
  perceptron,
  count
};

// huber: a = delta. The cross-entropies: a = label_smoothing.
struct LossSpec {
  Loss kind;
  double a;
};

enum class Metric : int {
  binary_accuracy,
  categorical_accuracy,
  sparse_categorical_accuracy,
  top_k_categorical_accuracy,
  sparse_top_k_categorical_accuracy,
  count
};

// binary_accuracy: a = threshold. The top-k accuracies: a = k.
struct MetricSpec {
  Metric kind;
  double a;
};

enum class Optimizer : int { sgd, rmsprop, adagrad, adadelta, adam, adamax, nadam, count };

// One step of an optimizer, its schedule already worked out (engine/optimizer.h).
struct OptimizerStep {
  Optimizer kind;
  bool nesterov, centered, amsgrad;
  double learning_rate;            // of this step, bias corrections included where the formula allows it
  double momentum, rho;            // sgd, rmsprop; rmsprop, adadelta
  double beta_1, beta_2, epsilon;  // adam and its kin
  double m_scale, g_scale;         // nadam: the weights of m and g in the corrected momentum
  double v_scale;                  // nadam: 1 / (1 - beta_2^t)
  double decay;                    // w is multiplied by 1 - decay first; 0 for none
  double clip;                     // |g| is clipped to it; 0 for none
};

constexpr int max_slots = 3;

// What a row of targets is: values of the prediction's type, or one class label.
template <typename T>
struct TargetRows {
  const T* values;        // (rows, columns), or null
  const int32_t* labels;  // (rows), or null
};

// Which elements of a matrix (rows, columns) are not 0, a bit each; null where that is not known. Bits of columns that
// the matrix does not have are 0, before a kernel writes the others too.
struct Nonzero {
  uint32_t* by_row;     // bit j % 32 of word j / 32 * stride + i tells of row i and column j
  uint32_t* by_column;  // bit i % 32 of word i / 32 * columns + j does as well
  int64_t stride;       // at least the number of rows
};

// y = f(x kernel + bias), f an activation.
template <typename T>
struct DenseLayer {
  int64_t rows, inputs, units;
  const T* x;       // (rows, inputs)
  const T* kernel;  // (inputs, units)
  const T* bias;    // (units), or null
  // Of x. What is 0 is passed over; it is for the caller to see that the kernel is finite, as 0 times infinity is not
  // 0.
  Nonzero nonzero;
};

// A convolution of images x (height, width, channels) with a kernel (kernel_height, kernel_width, channels / groups,
// filters) to y (out_height, out_width, filters): y at (i, j) is the sum over the kernel's positions (ky, kx) of
// x at (i stride_y - top + ky dilation_y, j stride_x - left + kx dilation_x), 0 outside the image, times the kernel
// there. Group g takes the g-th part of the channels to the g-th part of the filters.
struct ConvShape {
  int64_t height, width, channels;
  int64_t out_height, out_width, filters;
  int64_t kernel_height, kernel_width;
  int64_t stride_y, stride_x, dilation_y, dilation_x;
  int64_t top, left;
  int64_t groups;
};

enum class Pooling : int { max, average, count };

// A pooling of images x (height, width, channels) to y (out_height, out_width, channels): y at (i, j) is made of x from
// (i stride_y - top, j stride_x - left) on, as far as the window and the image reach.
struct PoolShape {
  int64_t height, width, channels;
  int64_t out_height, out_width;
  int64_t window_height, window_width;
  int64_t stride_y, stride_x;
  int64_t top, left;
};

// y (images, out_height, out_width, filters) = f(conv(x) + bias), or the maxima of that if it is pooled, by windows
// that neither overlap nor reach over the top or the left edge.
template <typename T>
struct ConvLayer {
  ConvShape shape;
  ActivationSpec activation;
  const T *kernel, *bias;  // bias (filters), or null
  bool pooled;
  PoolShape pool;
};

template <typename T>
struct ConvGradients {
  T *x, *kernel, *bias;
};

enum class Noise : int { dropout, gaussian_dropout, gaussian_noise, count };

// dropout: amount = the rate at which elements become 0, the others are multiplied by 1 / (1 - amount).
// gaussian_dropout: elements are multiplied by normal numbers of mean 1 and standard deviation `amount`;
// gaussian_noise: such numbers of mean 0 are added. They are functions of seed, step and element.
struct NoiseSpec {
  Noise kind;
  double amount;
  uint64_t seed, step;
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

// Samples (positions, groups, columns), normalised over positions and columns.
struct GroupShape {
  int64_t positions, groups, columns;
};

// A linear map of samples x (inputs, inner) to y (outputs, inner), the same for all of `inner`: group p of y is the sum
// of weight[k] times group index[k] of x, in order, for k of begin[p]..begin[p+1]-1; zeros if there is none.
template <typename T>
struct SparseMap {
  int64_t inputs, outputs, inner;
  const int64_t* begin;  // (outputs + 1)
  const int64_t* index;  // (begin[outputs])
  const T* weight;       // (begin[outputs]), or null where all are 1
};

// The gradient of some parameters: their elements or, where these are null, the factors of the matrix (whole rows of
// `columns` each) that they are, element (i, j) being of_row[i] * of_column[j]: so may be that of a batch of one.
template <typename T>
struct Gradient {
  const T* elements;
  const T *of_row, *of_column;
  int64_t columns;
};

// Called with each part of a parameter's gradient when it is complete, while it is in the nearest cache; `call` may be
// null. `part` counts rows of the parameter.
template <typename T>
struct PartReady {
  void (*call)(void* context, Range part, const Gradient<T>& gradient);
  void* context;
  bool not_for_zeros;  // rows whose gradient is known to be 0 may be left out
};

// What an update is followed by: weights below 0 become 0; or each group of a parameter (outer, axis, inner), the
// elements that differ along the axis alone, is rescaled to the norm rate * clip(norm, min_value, max_value) +
// (1 - rate) * norm.
enum class Constraint : int { none, non_neg, norm, count };

struct ConstraintSpec {
  Constraint kind = Constraint::none;
  double min_value = 0, max_value = 0, rate = 1;
  int64_t outer = 1, axis = 1, inner = 1;
};

// What becomes of numbers on their way into the network: x * scale + offset.
template <typename T>
struct InputScaling {
  const T *scale, *offset;  // of each column or, for all, one; null: x as it is
  bool each_column;
};

template <typename T>
struct Kernels {
  // ---- gemm.cpp ----------------------------------------------------------------------------------------------------

  // c (m, n) = op(a) op(b) [+ c]. op(a) (m, k), op(b) (k, n). scratch: gemm_scratch elements of this member's own.
  void (*gemm)(const Team& team, T* c, const T* a, const T* b, int64_t m, int64_t n, int64_t k, bool transpose_a,
               bool transpose_b, bool accumulate, T* scratch);
  int64_t (*gemm_scratch)(int64_t m, int64_t n, bool transpose_b);

  // ---- dense.cpp ---------------------------------------------------------------------------------------------------

  // y (rows, units) = f(x kernel + bias). shared: dense_shared(rows, inputs, units, members, false) elements of the
  // team, own: dense_own(inputs, units, false) elements of this member; as many do for fewer rows and fewer members.
  // Has barriers inside.
  void (*dense_forward)(const Team& team, T* y, const DenseLayer<T>& layer, const ActivationSpec& activation, T* shared,
                        T* own);

  // Given dy (rows, units), the gradient of x kernel + bias: dkernel [+]= x^T dy, and dx = dy kernel^T * g'(x), where
  // x = g(...) came out of the activation `below`, one that gradient_from_output allows.
  // dx may be null; so may dkernel, and then its parts are in scratch, or factors, when `ready` gets them.
  // A member owns some of the inputs: these columns of dx, and these rows of the kernel and of dkernel. It goes through
  // them in parts, and calls ready after each: no one reads these rows of the kernel any more, so they may be changed.
  // Has barriers inside. shared, own: as above, for the backward pass.
  void (*dense_backward)(const Team& team, T* dx, T* dkernel, const T* dy, const DenseLayer<T>& layer,
                         const ActivationSpec& below, bool accumulate, T* shared, T* own, const PartReady<T>& ready);
  int64_t (*dense_shared)(int64_t rows, int64_t inputs, int64_t units, int members, bool backward);
  int64_t (*dense_own)(int64_t inputs, int64_t units, bool backward);

  // dbias[part] [+]= the sums of dy's columns.
  void (*dense_backward_bias)(T* dbias, const T* dy, int64_t rows, int64_t units, Range part, bool accumulate);

  // ---- conv.cpp ----------------------------------------------------------------------------------------------------

  // y = the result of the layer for x (images, height, width, channels). which, if asked for: where it is pooled, the
  // number of each element of y in its window. Has a barrier inside. shared: conv_forward_shared(images, layer)
  // elements of the team, own: conv_forward_own(layer) elements of this member; as many do for fewer images.
  void (*conv_forward)(const Team& team, T* y, uint8_t* which, const T* x, int64_t images, const ConvLayer<T>& layer,
                       T* shared, T* own);
  int64_t (*conv_forward_shared)(int64_t images, const ConvLayer<T>& layer);
  int64_t (*conv_forward_own)(const ConvLayer<T>& layer);

  // ---- conv_input.cpp ----------------------------------------------------------------------------------------------

  // The transposed convolution: y (images, height, width, channels) = f(y + bias), where y is the gradient of conv(y)
  // for y, given x, that of its result; the bias has `channels` elements. The layer is not pooled. Has a barrier
  // inside. shared: as many elements of the team as the kernel has, own: conv_transpose_own(layer) of this member.
  void (*conv_transpose)(const Team& team, T* y, const T* x, int64_t images, const ConvLayer<T>& layer, T* shared,
                         T* own);
  int64_t (*conv_transpose_own)(const ConvLayer<T>& layer);

  // ---- conv_backward.cpp -------------------------------------------------------------------------------------------

  // The gradients of the layer for x and, [+]=, for its kernel and its bias; any may be null. Given x, y and `which` as
  // conv_forward has them, and dy, which may be overwritten; y is not read, and dy not written, where the layer is
  // linear and not pooled. Has barriers inside. shared: conv_backward_shared(images, layer) elements of the team, own:
  // conv_backward_own(layer) elements of this member; as many do for fewer images.
  void (*conv_backward)(const Team& team, const ConvGradients<T>& gradients, T* dy, const T* x, const T* y,
                        const uint8_t* which, int64_t images, const ConvLayer<T>& layer, bool accumulate, T* shared,
                        T* own);
  int64_t (*conv_backward_shared)(int64_t images, const ConvLayer<T>& layer);
  int64_t (*conv_backward_own)(const ConvLayer<T>& layer);

  // ---- pool.cpp ----------------------------------------------------------------------------------------------------

  // The largest element of each window, NaN if there is one; or the mean of the elements inside the image.
  void (*pool_forward)(const Team& team, T* y, const T* x, int64_t images, const PoolShape& shape, Pooling kind);

  // The gradient of a maximum goes to the first element that has it.
  void (*pool_backward)(const Team& team, T* dx, const T* dy, const T* x, const T* y, int64_t images,
                        const PoolShape& shape, Pooling kind);

  // ---- noise.cpp ---------------------------------------------------------------------------------------------------

  // y = x with noise. `first` is the number of the first sample in its batch. The gradient of dropout and
  // gaussian_dropout is the same function of dy. y may be x.
  void (*noise)(const Team& team, T* y, const T* x, int64_t samples, int64_t first, const NoiseShape& shape,
                const NoiseSpec& spec);

  // ---- norm.cpp ----------------------------------------------------------------------------------------------------

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

  // ---- resample.cpp ------------------------------------------------------------------------------------------------

  // y (samples, outputs, inner), given x (samples, inputs, inner). Given dy, the transposed map makes dx.
  void (*resample)(const Team& team, T* y, const T* x, int64_t samples, const SparseMap<T>& map);

  // ---- activations.cpp ---------------------------------------------------------------------------------------------

  // y = f(x), element by element. y may be x.
  void (*activation_forward)(const Team& team, T* y, const T* x, int64_t n, const ActivationSpec& spec);

  // dx = dy f'(x), given y = f(x) too. dx may be dy.
  void (*activation_backward)(const Team& team, T* dx, const T* dy, const T* x, const T* y, int64_t n,
                              const ActivationSpec& spec);

  // Whether f'(x) can be had from f(x) alone, as dense_backward does.
  bool (*gradient_from_output)(const ActivationSpec& spec);

  // y = x * scale + offset, both repeated every `period` elements (the size of the last axis, or 1).
  void (*rescaling_forward)(const Team& team, T* y, const T* x, int64_t n, const T* scale, const T* offset,
                            int64_t period);
  void (*rescaling_backward)(const Team& team, T* dx, const T* dy, int64_t n, const T* scale, int64_t period);

  // ---- softmax.cpp -------------------------------------------------------------------------------------------------

  // Over the middle axis of x (outer, axis, inner): y_i = exp(x_i) / sum_j exp(x_j), or its logarithm. y may be x.
  void (*softmax_forward)(const Team& team, T* y, const T* x, int64_t outer, int64_t axis, int64_t inner, bool log);

  // dx_i = y_i (dy_i - sum_j dy_j y_j), or for the logarithm dx_i = dy_i - exp(y_i) sum_j dy_j. dx may be dy.
  void (*softmax_backward)(const Team& team, T* dx, const T* dy, const T* y, int64_t outer, int64_t axis, int64_t inner,
                           bool log);

  // ---- losses.cpp --------------------------------------------------------------------------------------------------

  // values[row] = loss of the row (pynn/losses.py has the formulas), dpred = scale * d(values[row]) / d(pred).
  // pred (rows, columns). Either output may be null.
  void (*loss)(const Team& team, double* values, T* dpred, const T* pred, const TargetRows<T>& target, int64_t rows,
               int64_t columns, const LossSpec& spec, double scale);

  // values[row] = the metric of the row.
  void (*metric)(const Team& team, double* values, const T* pred, const TargetRows<T>& target, int64_t rows,
                 int64_t columns, const MetricSpec& spec);

  // ---- optimizers.cpp ----------------------------------------------------------------------------------------------

  // One step on n parameters w with gradient g, in place. slot[i] (n): see optimizer_slots. No team: whoever has
  // just made the gradients calls it while they are in the cache. False if some w is not finite.
  bool (*optimizer_update)(T* w, const Gradient<T>& g, T* const* slot, int64_t n, const OptimizerStep& step);

  // g *= factor.
  void (*scale)(T* g, int64_t n, double factor);

  // The sum of squares, in double and in a fixed order.
  double (*sum_of_squares)(const T* x, int64_t n);

  // ---- penalties.cpp -----------------------------------------------------------------------------------------------

  // l1 * sum |x| + l2 * sum x^2, in double and in a fixed order.
  double (*penalty)(const T* x, int64_t n, double l1, double l2);

  // g += the gradient of the penalty: l1 * sign(x) + 2 * l2 * x.
  void (*add_penalty_slope)(T* g, const T* x, int64_t n, double l1, double l2);

  // Changes w as the constraint says. False if a norm was too large for its number type.
  bool (*constrain)(const Team& team, T* w, const ConstraintSpec& constraint);

  // ---- rows.cpp ----------------------------------------------------------------------------------------------------

  // out (rows, columns) = the rows order[0..rows-1] of x, or the first rows where order is null, scaled; bytes are
  // converted. nonzero, where not null, becomes that of out. The next_rows rows that follow in `order` are asked for in
  // passing, if they are as many, so that a later gather finds them in the caches.
  void (*gather)(const Team& team, T* out, const Nonzero& nonzero, const T* x, const int64_t* order, int64_t rows,
                 int64_t next_rows, int64_t columns, const InputScaling<T>& scaling);
  void (*gather_bytes)(const Team& team, T* out, const Nonzero& nonzero, const uint8_t* x, const int64_t* order,
                       int64_t rows, int64_t next_rows, int64_t columns, const InputScaling<T>& scaling);

  // nonzero = that of x (rows, columns).
  void (*find_nonzero)(const Team& team, const Nonzero& nonzero, const T* x, int64_t rows, int64_t columns);

  // The index of the first NaN or infinity of x[begin..end-1], or -1.
  int64_t (*first_non_finite)(const T* x, Range part);
};

}  // namespace pynn

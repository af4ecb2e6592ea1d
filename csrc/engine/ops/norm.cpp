// Normalisation: over the rows of a batch, and over groups of each sample.
#include <algorithm>
#include <cmath>

#include "../op.h"

namespace pynn {
namespace {

// ---- batch_norm

enum { gamma_at, beta_at, moving_mean_at, moving_variance_at, batch_norm_parameters };
constexpr int group_norm_parameters = beta_at + 1;

std::vector<int64_t> check_batch_norm(const OpArguments& a) {
  const bool masked = a.inputs.size() == 2;
  a.expect_counts(masked ? 2 : 1, batch_norm_parameters);
  const int64_t columns = a.parameters[moving_mean_at];
  a.expect(columns >= 1 && a.inputs[0] % columns == 0, "a moving_mean whose size divides that of x",
           std::to_string(columns) + " for " + std::to_string(a.inputs[0]) + " elements a sample");
  a.expect_parameter(moving_variance_at, "moving_variance", columns);
  a.expect_parameter(gamma_at, "gamma", columns, true);
  a.expect_parameter(beta_at, "beta", columns, true);
  a.number("momentum"), a.number("epsilon"), a.flag("inference");
  const int64_t rows = a.inputs[0] / columns;
  if (masked) a.expect(a.inputs[1] == rows, "a mask of " + std::to_string(rows) + " rows", std::to_string(a.inputs[1]));
  return {a.inputs[0]};
}

// In training, unless it is frozen or for inference only, with the moments of the batch, which the moving ones follow.
// It keeps these moments: the mean, the variance, and the rest of the mean. They are those of the rows that a mask
// keeps, where there is one; of no rows they are 0.
template <typename T>
class BatchNormOp : public Op<T> {
 public:
  explicit BatchNormOp(const OpArguments& a)
      : columns_(a.parameters[moving_mean_at]),
        rows_(a.inputs[0] / columns_),
        momentum_(a.number("momentum")),
        epsilon_(a.number("epsilon")),
        inference_(a.flag("inference")),
        masked_(a.inputs.size() == 2) {}

  void forward(const Team& team, const Pass<T>& pass) const override {
    const T *mean = pass.parameters[moving_mean_at].value, *variance = pass.parameters[moving_variance_at].value;
    const T* rest = nullptr;
    if (learns(pass)) {
      T *now = pass.saved, *variance_now = now + stride(), *rest_now = now + 2 * stride();
      const T* x = this->x(pass);
      int64_t rows = pass.batch * rows_;
      if (masked_) {
        T* packed = pass.shared + pass.k.column_sums(rows, columns_);
        rows = pass.k.pack_rows(team, packed, x, this->x(pass, 1), rows, columns_);
        x = packed;
        team.barrier();
      }
      if (rows > 0)
        pass.k.moments(team, now, rest_now, variance_now, x, rows, columns_, pass.shared);
      else if (team.rank == 0)
        std::fill(now, now + 3 * stride(), T{0});
      team.barrier();
      mean = now, variance = variance_now, rest = rest_now;
    }
    T *scale = pass.own, *offset = pass.own + stride();
    pass.k.normalization_factors(scale, offset, rest, variance, pass.parameters[gamma_at].value,
                                 pass.parameters[beta_at].value, columns_, epsilon_);
    pass.k.batch_norm_forward(team, this->y(pass), this->x(pass), mean, scale, offset, pass.batch * rows_, columns_,
                              activation_);
  }

  void backward(const Team& team, const Pass<T>& pass) const override {
    const ParameterUse<T>&gamma = pass.parameters[gamma_at], &beta = pass.parameters[beta_at];
    T* dy = this->dy(pass);
    if (!learns(pass)) {  // the moments are constants
      if (activation_.kind != Activation::linear) {
        const T* y = this->y(pass);  // enough for the activations that are taken over
        pass.k.activation_backward(team, dy, dy, y, y, pass.batch * rows_ * columns_, activation_);
        team.barrier();
      }
      if (gamma.gradient != nullptr || beta.gradient != nullptr)
        pass.k.batch_norm_backward(team, nullptr, gamma.gradient, beta.gradient, dy, this->x(pass), nullptr,
                                   pass.parameters[moving_mean_at].value, pass.parameters[moving_variance_at].value,
                                   gamma.value, nullptr, pass.batch * rows_, columns_, epsilon_, no_activation,
                                   pass.adds(gamma_at), pass.own, pass.shared);
      T* scale = pass.own;
      pass.k.normalization_factors(scale, nullptr, nullptr, pass.parameters[moving_variance_at].value, gamma.value,
                                   nullptr, columns_, epsilon_);
      if (this->dx(pass) != nullptr)
        pass.k.rescaling_backward(team, this->dx(pass), dy, pass.batch * rows_ * columns_, scale, columns_);
      announce_gradients(team, pass, batch_norm_parameters);
      return;
    }
    pass.k.batch_norm_backward(team, this->dx(pass), gamma.gradient, beta.gradient, dy, this->x(pass), this->y(pass),
                               pass.saved, pass.saved + stride(), gamma.value, masked_ ? this->x(pass, 1) : nullptr,
                               pass.batch * rows_, columns_, epsilon_, activation_, pass.adds(gamma_at), pass.own,
                               pass.shared);
    announce_gradients(team, pass, batch_norm_parameters);
  }

  bool ends_steps() const override { return true; }
  // moving = moving * momentum + (that of the batch) * (1 - momentum)
  void end_step(const Team& team, const Pass<T>& pass) const override {
    if (!learns(pass)) return;
    const Range mine = team.share(columns_, 16);
    const T keep = static_cast<T>(momentum_), take = static_cast<T>(1 - momentum_);
    for (const int position : {moving_mean_at, moving_variance_at}) {
      T* moving = pass.parameters[position].value;
      const T* now = position == moving_mean_at ? pass.saved : pass.saved + stride();
      for (int64_t j = mine.begin; j < mine.end; ++j) moving[j] = moving[j] * keep + now[j] * take;
    }
  }

  ScratchSize scratch(const Kernels<T>& k, int64_t batch, int, bool) const override {
    return {k.column_sums(batch * rows_, columns_) + (masked_ ? batch * rows_ * columns_ : 0),
            std::max(2 * stride(), k.batch_norm_own(columns_))};
  }
  int64_t saved(int64_t) const override { return 3 * stride(); }
  bool takes_gradient(std::size_t input) const override { return input == 0; }
  bool couples_samples() const override { return true; }
  double work() const override { return 8 * static_cast<double>(rows_ * columns_); }
  // It makes the slope itself, whoever reads the result.
  bool take_activation(const ActivationSpec& activation, Op<T>*) override {
    activation_ = activation;
    return true;
  }

 private:
  bool learns(const Pass<T>& pass) const {
    return pass.training && !inference_ && !pass.parameters[moving_mean_at].frozen;
  }
  int64_t stride() const { return (columns_ + 15) / 16 * 16; }

  const int64_t columns_, rows_;  // rows of a sample
  const double momentum_, epsilon_;
  const bool inference_, masked_;
  ActivationSpec activation_ = no_activation;
};

// ---- group_norm

std::vector<int64_t> check_group_norm(const OpArguments& a) {
  a.expect_counts(1, group_norm_parameters);
  const int64_t samples = a.integer("samples"), groups = a.integer("groups"), columns = a.integer("columns");
  const int64_t size = a.product({samples, groups, columns}, "samples, groups and columns");
  a.expect(a.inputs[0] % size == 0, "samples * groups * columns to divide the size of x",
           std::to_string(size) + " for " + std::to_string(a.inputs[0]) + " elements a sample");
  a.expect_parameter(gamma_at, "gamma", groups * columns, true);
  a.expect_parameter(beta_at, "beta", groups * columns, true);
  a.number("epsilon");
  return {a.inputs[0]};
}

// Layer and group normalisation: of x (samples, positions, groups, columns), over positions and columns. It keeps the
// means of the groups and what they are multiplied by.
template <typename T>
class GroupNormOp : public Op<T> {
 public:
  explicit GroupNormOp(const OpArguments& a) : samples_(a.integer("samples")), epsilon_(a.number("epsilon")) {
    shape_.groups = a.integer("groups");
    shape_.columns = a.integer("columns");
    shape_.positions = a.inputs[0] / (samples_ * shape_.groups * shape_.columns);
  }

  void forward(const Team& team, const Pass<T>& pass) const override {
    T* mean = pass.saved;
    pass.k.group_norm_forward(team, this->y(pass), mean, mean + count(pass.batch), this->x(pass),
                              pass.parameters[gamma_at].value, pass.parameters[beta_at].value, pass.batch * samples_,
                              shape_, epsilon_, pass.own);
  }

  void backward(const Team& team, const Pass<T>& pass) const override {
    const T* mean = pass.saved;
    const ParameterUse<T>&gamma = pass.parameters[gamma_at], &beta = pass.parameters[beta_at];
    pass.k.group_norm_backward(team, this->dx(pass), gamma.gradient, beta.gradient, this->dy(pass), this->x(pass), mean,
                               mean + count(pass.batch), gamma.value, pass.batch * samples_, shape_,
                               pass.adds(gamma_at), pass.own, pass.shared);
    announce_gradients(team, pass, group_norm_parameters);
  }

  ScratchSize scratch(const Kernels<T>& k, int64_t batch, int, bool backward) const override {
    return {backward ? k.group_norm_sums(batch * samples_, shape_) : 0, k.group_norm_own(shape_)};
  }
  int64_t saved(int64_t batch) const override { return 2 * count(batch); }
  double work() const override {
    return 8 * static_cast<double>(samples_ * shape_.positions * shape_.groups * shape_.columns);
  }

 private:
  int64_t count(int64_t batch) const { return batch * samples_ * shape_.groups; }

  const int64_t samples_;  // of the kernel, in a sample of the network
  GroupShape shape_{};
  const double epsilon_;
};

// ---- rms_norm

enum { scale_at, rms_norm_parameters };

std::vector<int64_t> check_rms_norm(const OpArguments& a) {
  a.expect_counts(1, rms_norm_parameters);
  const int64_t columns = a.product({a.integer("columns")}, "columns");
  a.expect(a.inputs[0] % columns == 0, "columns that divide the size of x",
           std::to_string(columns) + " for " + std::to_string(a.inputs[0]) + " elements a sample");
  a.expect_parameter(scale_at, "scale", columns, true);
  a.number("epsilon"), a.integer("unit");
  return {a.inputs[0]};
}

// Of the rows of x (rows, columns), by their root mean square or, with `unit`, by their norm. It keeps what they are
// multiplied by.
template <typename T>
class RmsNormOp : public Op<T> {
 public:
  explicit RmsNormOp(const OpArguments& a)
      : columns_(a.integer("columns")),
        rows_(a.inputs[0] / columns_),
        epsilon_(a.number("epsilon")),
        unit_(a.flag("unit")) {}

  void forward(const Team& team, const Pass<T>& pass) const override {
    pass.k.rms_norm_forward(team, this->y(pass), factors(pass), this->x(pass), pass.parameters[scale_at].value,
                            pass.batch * rows_, columns_, epsilon_, unit_);
  }
  void backward(const Team& team, const Pass<T>& pass) const override {
    const ParameterUse<T>& scale = pass.parameters[scale_at];
    pass.k.rms_norm_backward(team, this->dx(pass), scale.gradient, this->dy(pass), this->x(pass), factors(pass),
                             scale.value, pass.batch * rows_, columns_, pass.adds(scale_at), pass.shared);
    announce_gradients(team, pass, rms_norm_parameters);
  }

  ScratchSize scratch(const Kernels<T>& k, int64_t batch, int, bool backward) const override {
    return {backward ? k.rms_norm_sums(batch * rows_, columns_) : 0, 0};
  }
  int64_t saved(int64_t batch) const override {
    return batch * rows_ * static_cast<int64_t>(sizeof(RowFactors<T>) / sizeof(T));
  }
  double work() const override { return 8 * static_cast<double>(rows_ * columns_); }

 private:
  static RowFactors<T>* factors(const Pass<T>& pass) { return reinterpret_cast<RowFactors<T>*>(pass.saved); }

  const int64_t columns_, rows_;  // rows of a sample
  const double epsilon_;
  const bool unit_;
};

// ---- standardize

enum { mean_at, variance_at, standardize_parameters };

std::vector<int64_t> check_standardize(const OpArguments& a) {
  a.expect_counts(1, standardize_parameters);
  const int64_t columns = a.parameters[mean_at];
  a.expect(columns >= 1 && a.inputs[0] % columns == 0, "a mean whose size divides that of x",
           std::to_string(columns) + " for " + std::to_string(a.inputs[0]) + " elements a sample");
  a.expect_parameter(variance_at, "variance", columns);
  a.flag("invert");
  return {a.inputs[0]};
}

// y = (x - mean) / sqrt(variance), repeated along the last axis, or the other way round; no deviation is below 1e-7.
template <typename T>
class StandardizeOp : public Op<T> {
 public:
  explicit StandardizeOp(const OpArguments& a)
      : columns_(a.parameters[mean_at]), size_(a.inputs[0]), invert_(a.flag("invert")) {}

  void forward(const Team& team, const Pass<T>& pass) const override {
    const T* mean = pass.parameters[mean_at].value;
    T *offset = pass.own + stride(), *scale = scales(pass);
    std::fill(offset, offset + columns_, T{0});
    pass.k.rescaling_forward(team, this->y(pass), this->x(pass), pass.batch * size_, invert_ ? nullptr : mean, scale,
                             invert_ ? mean : offset, columns_);
  }
  void backward(const Team& team, const Pass<T>& pass) const override {
    if (this->dx(pass) != nullptr)
      pass.k.rescaling_backward(team, this->dx(pass), this->dy(pass), pass.batch * size_, scales(pass), columns_);
  }
  ScratchSize scratch(const Kernels<T>&, int64_t, int, bool) const override { return {0, 2 * stride()}; }
  bool splits_batch(const Kernels<T>&, int64_t) const override { return true; }
  double work() const override { return static_cast<double>(size_); }

 private:
  T* scales(const Pass<T>& pass) const {
    const T* variance = pass.parameters[variance_at].value;
    for (int64_t j = 0; j < columns_; ++j) {
      const double deviation = std::max(std::sqrt(static_cast<double>(variance[j])), 1e-7);
      pass.own[j] = static_cast<T>(invert_ ? deviation : 1 / deviation);
    }
    return pass.own;
  }
  int64_t stride() const { return (columns_ + 15) / 16 * 16; }

  const int64_t columns_, size_;
  const bool invert_;
};

}  // namespace

PYNN_DEFINE_OP(batch_norm, check_batch_norm, BatchNormOp)
PYNN_DEFINE_OP(group_norm, check_group_norm, GroupNormOp)
PYNN_DEFINE_OP(rms_norm, check_rms_norm, RmsNormOp)
PYNN_DEFINE_OP(standardize, check_standardize, StandardizeOp)

}  // namespace pynn

// Ops that behave differently in training: noise, and normalisation.
#include <algorithm>

#include "op.h"

namespace pynn {
namespace {

// Noise in training, nothing otherwise. It is the same all along the axes that share it; sharing[0] tells of the
// samples, and the others of the axes of a sample.
template <typename T>
class NoiseOp : public Op<T> {
 public:
  NoiseOp(int x, int y, const std::vector<int64_t>& sizes, const std::vector<bool>& sharing, const NoiseSpec& spec)
      : Op<T>(x, y), samples_alike_(sharing[0]), spec_(spec) {
    // Neighbouring axes of one kind are one; those of a single element are of any kind.
    struct Run {
      int64_t size, stride;
      bool shared;
    };
    std::vector<Run> runs;  // from the last axis
    for (std::size_t i = sizes.size(); i-- > 0; size_ *= sizes[i]) {
      if (sizes[i] == 1) continue;
      if (!runs.empty() && runs.back().shared == sharing[i + 1])
        runs.back().size *= sizes[i];
      else
        runs.push_back({sizes[i], size_, sharing[i + 1]});
    }
    auto run = runs.begin();
    if (run != runs.end() && run->shared) inner_ = run++->size;
    if (run != runs.end()) columns_ = run++->size;
    for (; run != runs.end(); ++run) {
      std::vector<int64_t>& offsets = run->shared ? repeat_at_ : row_at_;
      const std::size_t count = offsets.size();
      for (int64_t k = 1; k < run->size; ++k)
        for (std::size_t i = 0; i < count; ++i) offsets.push_back(k * run->stride + offsets[i]);
    }
  }

  void forward(const Team& team, const Pass<T>& pass) const override {
    apply(team, pass, pass.values[this->output], pass.values[this->input], pass.training);
  }
  void backward(const Team& team, const Pass<T>& pass) const override {
    apply(team, pass, pass.gradients[this->input], pass.gradients[this->output], spec_.kind != Noise::gaussian_noise);
  }
  double work() const override { return 16 * static_cast<double>(size_); }
  bool passes_on() const override { return true; }

 private:
  void apply(const Team& team, const Pass<T>& pass, T* y, const T* x, bool noisy) const {
    if (noisy) {
      NoiseSpec spec = spec_;
      spec.step = pass.step;
      pass.k.noise(team, y, x, pass.batch, pass.first_sample, shape(), spec);
    } else {
      const Range mine = team.share(pass.batch * size_);
      std::copy(x + mine.begin, x + mine.end, y + mine.begin);
    }
  }
  NoiseShape shape() const {
    const auto rows = static_cast<int64_t>(row_at_.size()), repeats = static_cast<int64_t>(repeat_at_.size());
    return {size_, rows, columns_, inner_, repeats, row_at_.data(), repeat_at_.data(), samples_alike_};
  }

  int64_t size_ = 1, columns_ = 1, inner_ = 1;
  std::vector<int64_t> row_at_{0}, repeat_at_{0};
  const bool samples_alike_;
  const NoiseSpec spec_;
};

// What ops with a scale gamma and an offset beta have in common.
template <typename T>
class NormOp : public Op<T> {
 public:
  NormOp(int x, int y, int gamma, int beta) : Op<T>(x, y), gamma_(gamma), beta_(beta) {}

 protected:
  static const T* value_of(const Pass<T>& pass, int parameter) {
    return parameter < 0 ? nullptr : pass.value_of(parameter);
  }
  std::vector<int> with_scale_and_offset(std::vector<int> parameters) const {
    for (const int parameter : {gamma_, beta_})
      if (parameter >= 0) parameters.push_back(parameter);
    return parameters;
  }

  const int gamma_, beta_;
};

// Batch normalisation over the rows of a batch. In training, unless it is frozen, with the moments of the batch, which
// the moving ones follow. It keeps these moments: the mean, its rest, and the variance.
template <typename T>
class BatchNormOp : public NormOp<T> {
 public:
  BatchNormOp(int x, int y, int gamma, int beta, int moving_mean, int moving_variance, int64_t rows, int64_t columns,
              double momentum, double epsilon)
      : NormOp<T>(x, y, gamma, beta),
        moving_mean_(moving_mean),
        moving_variance_(moving_variance),
        rows_(rows),
        columns_(columns),
        momentum_(momentum),
        epsilon_(epsilon) {}

  void forward(const Team& team, const Pass<T>& pass) const override {
    T* saved = pass.saved[this->output];
    const T *mean = pass.value_of(moving_mean_), *rest = nullptr, *variance = pass.value_of(moving_variance_);
    if (learns(pass)) {
      pass.k.moments(team, saved, saved + 2 * stride(), saved + stride(), pass.values[this->input], pass.batch * rows_,
                     columns_, pass.shared);
      team.barrier();
      mean = saved, rest = saved + 2 * stride(), variance = saved + stride();
    }
    T *scale = pass.own, *offset = pass.own + stride();
    pass.k.normalization_factors(scale, offset, rest, variance, this->value_of(pass, this->gamma_),
                                 this->value_of(pass, this->beta_), columns_, epsilon_);
    pass.k.rescaling_forward(team, pass.values[this->output], pass.values[this->input], pass.batch * rows_ * columns_,
                             mean, scale, offset, columns_);
  }

  void backward(const Team& team, const Pass<T>& pass) const override {
    const T* saved = pass.saved[this->output];
    T *dx = pass.gradients[this->input], *dy = pass.gradients[this->output];
    if (!learns(pass)) {
      T* scale = pass.own;
      pass.k.normalization_factors(scale, nullptr, nullptr, pass.value_of(moving_variance_),
                                   this->value_of(pass, this->gamma_), nullptr, columns_, epsilon_);
      if (dx != nullptr) pass.k.rescaling_backward(team, dx, dy, pass.batch * rows_ * columns_, scale, columns_);
      return;
    }
    pass.k.batch_norm_backward(team, dx, trained_gradient(pass, this->gamma_), trained_gradient(pass, this->beta_), dy,
                               pass.values[this->input], saved, saved + stride(), this->value_of(pass, this->gamma_),
                               pass.batch * rows_, columns_, epsilon_, pass.accumulate, pass.shared);
    announce_gradients(team, pass, parameters());
  }

  // moving = moving * momentum + (that of the batch) * (1 - momentum)
  void end_step(const Team& team, const Pass<T>& pass) const override {
    if (!learns(pass)) return;
    const T* saved = pass.saved[this->output];
    const Range mine = team.share(columns_, 16);
    const T keep = static_cast<T>(momentum_), take = static_cast<T>(1 - momentum_);
    for (const int parameter : {moving_mean_, moving_variance_}) {
      T* moving = pass.value_of(parameter);
      const T* now = parameter == moving_mean_ ? saved : saved + stride();
      for (int64_t j = mine.begin; j < mine.end; ++j) moving[j] = moving[j] * keep + now[j] * take;
    }
  }

  std::vector<int> parameters() const override { return this->with_scale_and_offset({moving_mean_, moving_variance_}); }
  int64_t shared_scratch(const Kernels<T>& k, int64_t batch, int, bool) const override {
    return k.column_sums(batch * rows_, columns_);
  }
  int64_t own_scratch(const Kernels<T>&, bool) const override { return 2 * stride(); }
  int64_t saved(int64_t) const override { return 3 * stride(); }
  bool couples_samples() const override { return true; }
  double work() const override { return 8 * static_cast<double>(rows_ * columns_); }

 private:
  bool learns(const Pass<T>& pass) const { return pass.training && !pass.parameters[moving_mean_].frozen; }
  int64_t stride() const { return (columns_ + 15) / 16 * 16; }

  const int moving_mean_, moving_variance_;
  const int64_t rows_, columns_;  // rows of a sample
  const double momentum_, epsilon_;
};

// Normalisation of each sample's groups: layer and group normalisation.
template <typename T>
class GroupNormOp : public NormOp<T> {
 public:
  GroupNormOp(int x, int y, int gamma, int beta, int64_t samples, const GroupShape& shape, double epsilon)
      : NormOp<T>(x, y, gamma, beta), samples_(samples), shape_(shape), epsilon_(epsilon) {}

  void forward(const Team& team, const Pass<T>& pass) const override {
    T* mean = pass.saved[this->output];
    pass.k.group_norm_forward(team, pass.values[this->output], mean, mean + count(pass.batch), pass.values[this->input],
                              this->value_of(pass, this->gamma_), this->value_of(pass, this->beta_),
                              pass.batch * samples_, shape_, epsilon_);
  }

  void backward(const Team& team, const Pass<T>& pass) const override {
    const T* mean = pass.saved[this->output];
    pass.k.group_norm_backward(
        team, pass.gradients[this->input], trained_gradient(pass, this->gamma_), trained_gradient(pass, this->beta_),
        pass.gradients[this->output], pass.values[this->input], mean, mean + count(pass.batch),
        this->value_of(pass, this->gamma_), pass.batch * samples_, shape_, pass.accumulate, pass.shared);
    announce_gradients(team, pass, parameters());
  }

  std::vector<int> parameters() const override { return this->with_scale_and_offset({}); }
  int64_t shared_scratch(const Kernels<T>& k, int64_t batch, int, bool backward) const override {
    return backward ? k.column_sums(batch * samples_, shape_.groups * shape_.columns) : 0;
  }
  int64_t saved(int64_t batch) const override { return 2 * count(batch); }
  double work() const override {
    return 8 * static_cast<double>(samples_ * shape_.positions * shape_.groups * shape_.columns);
  }

 private:
  int64_t count(int64_t batch) const { return batch * samples_ * shape_.groups; }

  const int64_t samples_;  // of the kernel, in a sample of the network
  const GroupShape shape_;
  const double epsilon_;
};

}  // namespace

template <typename T>
std::unique_ptr<Op<T>> make_noise(int x, int y, const std::vector<int64_t>& sizes, const std::vector<bool>& sharing,
                                  const NoiseSpec& spec) {
  return std::make_unique<NoiseOp<T>>(x, y, sizes, sharing, spec);
}

template <typename T>
std::unique_ptr<Op<T>> make_batch_norm(int x, int y, int gamma, int beta, int moving_mean, int moving_variance,
                                       int64_t rows, int64_t columns, double momentum, double epsilon) {
  return std::make_unique<BatchNormOp<T>>(x, y, gamma, beta, moving_mean, moving_variance, rows, columns, momentum,
                                          epsilon);
}

template <typename T>
std::unique_ptr<Op<T>> make_group_norm(int x, int y, int gamma, int beta, int64_t samples, const GroupShape& shape,
                                       double epsilon) {
  return std::make_unique<GroupNormOp<T>>(x, y, gamma, beta, samples, shape, epsilon);
}

#define PYNN_INSTANTIATE(T)                                                                                           \
  template std::unique_ptr<Op<T>> make_noise<T>(int, int, const std::vector<int64_t>&, const std::vector<bool>&,      \
                                                const NoiseSpec&);                                                    \
  template std::unique_ptr<Op<T>> make_batch_norm<T>(int, int, int, int, int, int, int64_t, int64_t, double, double); \
  template std::unique_ptr<Op<T>> make_group_norm<T>(int, int, int, int, int64_t, const GroupShape&, double);
PYNN_INSTANTIATE(float)
PYNN_INSTANTIATE(double)

}  // namespace pynn

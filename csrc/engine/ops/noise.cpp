// Noise in training, nothing otherwise.
#include <algorithm>

#include "../names.h"
#include "../op.h"

namespace pynn {
namespace {

NoiseSpec noise_spec(const OpArguments& a) {
  return {noise_of(a.text("kind")), a.number("amount"), static_cast<uint64_t>(a.integer("seed")), 0};
}

// To be added to the seed; null for none.
std::shared_ptr<const NoiseKey> noise_key(const OpArguments& a) {
  return a.attributes.has("key") ? a.attributes.noise_key(a.kind, "key") : nullptr;
}

std::vector<int64_t> check_noise(const OpArguments& a) {
  a.expect_counts(1, 0);
  noise_spec(a);
  noise_key(a);
  const std::vector<int64_t>&shape = a.integers("shape"), &sharing = a.integers("sharing");
  a.expect_input(a.product(shape, "sizes of a sample"));
  a.expect(sharing.size() == shape.size() + 1, "sharing to tell of the samples and each axis",
           std::to_string(sharing.size()) + " flags for " + std::to_string(shape.size()) + " axes");
  return {a.inputs[0]};
}

// The noise is the same all along the axes that share it; sharing[0] tells of the samples, and the others of the axes
// of a sample.
template <typename T>
class NoiseOp : public Op<T> {
 public:
  explicit NoiseOp(const OpArguments& a)
      : samples_alike_(a.integers("sharing")[0] != 0), spec_(noise_spec(a)), key_(noise_key(a)) {
    const std::vector<int64_t>&sizes = a.integers("shape"), &sharing = a.integers("sharing");
    // Neighbouring axes of one kind are one; those of a single element are of any kind.
    struct Run {
      int64_t size, stride;
      bool shared;
    };
    std::vector<Run> runs;  // from the last axis
    for (std::size_t i = sizes.size(); i-- > 0; size_ *= sizes[i]) {
      if (sizes[i] == 1) continue;
      if (!runs.empty() && runs.back().shared == (sharing[i + 1] != 0))
        runs.back().size *= sizes[i];
      else
        runs.push_back({sizes[i], size_, sharing[i + 1] != 0});
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
    apply(team, pass, this->y(pass), this->x(pass), pass.training, false);
  }
  void backward(const Team& team, const Pass<T>& pass) const override {
    apply(team, pass, this->dx(pass), this->dy(pass), pass.training && spec_.kind != Noise::gaussian_noise, true);
  }
  bool splits_batch(const Kernels<T>&, int64_t) const override { return true; }
  double work() const override { return 16 * static_cast<double>(size_); }
  bool passes_on() const override { return true; }

 private:
  void apply(const Team& team, const Pass<T>& pass, T* y, const T* x, bool noisy, bool backward) const {
    if (noisy) {
      NoiseSpec spec = spec_;
      spec.step = pass.step, spec.backward = backward;
      if (key_) spec.seed += key_->value.load(std::memory_order_relaxed);
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
  const std::shared_ptr<const NoiseKey> key_;
};

}  // namespace

PYNN_DEFINE_OP(noise, check_noise, NoiseOp)

}  // namespace pynn

// Ops that move windows over images; a sequence is an image of height 1.
#include "op.h"
#include "shapes.h"

namespace pynn {
namespace {

constexpr ActivationSpec linear{Activation::linear, 0, 0, 0};

// y = f(conv(x) + bias), or a transposed convolution: that with which a gradient goes back from the y of a convolution
// of this shape to its x.
template <typename T>
class ConvOp : public Op<T> {
 public:
  ConvOp(int x, int y, int kernel, int bias, const ConvShape& shape, bool transposed)
      : Op<T>(x, y), kernel_(kernel), bias_(bias), shape_(shape), transposed_(transposed) {}

  void forward(const Team& team, const Pass<T>& pass) const override {
    const T* bias = bias_ < 0 ? nullptr : pass.value_of(bias_);
    T* y = pass.values[this->output];
    const T *x = pass.values[this->input], *kernel = pass.value_of(kernel_);
    if (transposed_)
      pass.k.conv_backward_input(team, y, x, kernel, bias, pass.batch, shape_, activation_, pass.shared, pass.own);
    else
      pass.k.conv_forward(team, y, x, kernel, bias, pass.batch, shape_, activation_, pass.own);
  }

  void backward(const Team& team, const Pass<T>& pass) const override {
    T* dy = pass.gradients[this->output];
    if (activation_.kind != Activation::linear) {
      const T* y = pass.values[this->output];  // enough for the activations that are taken over
      pass.k.activation_backward(team, dy, dy, y, y, pass.batch * size(), activation_);
      team.barrier();
    }
    if (T* dx = pass.gradients[this->input]) {
      const T* kernel = pass.value_of(kernel_);
      if (transposed_)
        pass.k.conv_forward(team, dx, dy, kernel, nullptr, pass.batch, shape_, linear, pass.own);
      else
        pass.k.conv_backward_input(team, dx, dy, kernel, nullptr, pass.batch, shape_, linear, pass.shared, pass.own);
      team.barrier();
    }
    T *dkernel = trained_gradient(pass, kernel_), *dbias = trained_gradient(pass, bias_);
    if (dkernel == nullptr && dbias == nullptr) return;
    const T* x = pass.values[this->input];
    if (transposed_) {
      if (dkernel != nullptr)
        pass.k.conv_backward_kernel(team, dkernel, nullptr, dy, x, pass.batch, shape_, pass.accumulate, pass.shared,
                                    pass.own);
      if (dbias != nullptr)
        pass.k.dense_backward_bias(dbias, dy, pass.batch * shape_.height * shape_.width, shape_.channels,
                                   team.share(shape_.channels, 16), pass.accumulate);
    } else {
      pass.k.conv_backward_kernel(team, dkernel, dbias, x, dy, pass.batch, shape_, pass.accumulate, pass.shared,
                                  pass.own);
    }
    announce_gradients(team, pass, parameters());
  }

  std::vector<int> parameters() const override {
    return bias_ < 0 ? std::vector<int>{kernel_} : std::vector<int>{kernel_, bias_};
  }
  int64_t shared_scratch(const Kernels<T>& k, int64_t batch, int, bool backward) const override {
    return k.conv_shared(batch, shape_, backward || transposed_);
  }
  int64_t own_scratch(const Kernels<T>& k, bool backward) const override {
    return k.conv_own(shape_, backward || transposed_);
  }
  double work() const override { return pynn::work(shape_); }
  bool take_activation(const ActivationSpec& activation, int to) override {
    activation_ = activation;
    this->output = to;
    return true;
  }

 private:
  int64_t size() const {
    return transposed_ ? shape_.height * shape_.width * shape_.channels
                       : shape_.out_height * shape_.out_width * shape_.filters;
  }

  const int kernel_, bias_;
  const ConvShape shape_;
  const bool transposed_;
  ActivationSpec activation_ = linear;
};

template <typename T>
class PoolOp : public Op<T> {
 public:
  PoolOp(int x, int y, const PoolShape& shape, Pooling kind) : Op<T>(x, y), shape_(shape), kind_(kind) {}

  void forward(const Team& team, const Pass<T>& pass) const override {
    pass.k.pool_forward(team, pass.values[this->output], pass.values[this->input], pass.batch, shape_, kind_);
  }
  void backward(const Team& team, const Pass<T>& pass) const override {
    pass.k.pool_backward(team, pass.gradients[this->input], pass.gradients[this->output], pass.values[this->input],
                         pass.values[this->output], pass.batch, shape_, kind_);
  }
  double work() const override {
    return static_cast<double>(shape_.out_height * shape_.out_width * shape_.channels) *
           static_cast<double>(shape_.window_height * shape_.window_width);
  }

 private:
  const PoolShape shape_;
  const Pooling kind_;
};

}  // namespace

template <typename T>
std::unique_ptr<Op<T>> make_conv(int x, int y, int kernel, int bias, const ConvShape& shape, bool transposed) {
  return std::make_unique<ConvOp<T>>(x, y, kernel, bias, shape, transposed);
}

template <typename T>
std::unique_ptr<Op<T>> make_pool(int x, int y, const PoolShape& shape, Pooling kind) {
  return std::make_unique<PoolOp<T>>(x, y, shape, kind);
}

#define PYNN_INSTANTIATE(T)                                                                 \
  template std::unique_ptr<Op<T>> make_conv<T>(int, int, int, int, const ConvShape&, bool); \
  template std::unique_ptr<Op<T>> make_pool<T>(int, int, const PoolShape&, Pooling);
PYNN_INSTANTIATE(float)
PYNN_INSTANTIATE(double)

}  // namespace pynn

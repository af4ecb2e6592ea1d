// Ops that move windows over images; a sequence is an image of height 1.
#include <algorithm>

#include "op.h"
#include "shapes.h"

namespace pynn {
namespace {

// A ConvLayer, or a transposed convolution: that with which a gradient goes back from the y of a convolution
// of this shape to its x.
template <typename T>
class ConvOp : public Op<T> {
 public:
  ConvOp(int x, int y, int kernel, int bias, const ConvShape& shape, bool transposed)
      : Op<T>(x, y), kernel_(kernel), bias_(bias), transposed_(transposed), shape_(shape) {
    layer_.shape = with_longer_rows(shape);
    layer_.activation = no_activation;
  }

  void forward(const Team& team, const Pass<T>& pass) const override {
    const ConvLayer<T> layer = layer_of(pass);
    const T* x = pass.values[this->input];
    T* y = pass.values[this->output];
    if (transposed_)
      pass.k.conv_transpose(team, y, x, pass.batch, layer, pass.shared, pass.own);
    else
      pass.k.conv_forward(team, y, pass.training ? which(pass) : nullptr, x, pass.batch, layer, pass.shared, pass.own);
  }

  void backward(const Team& team, const Pass<T>& pass) const override {
    const ConvLayer<T> layer = layer_of(pass);
    const ConvGradients<T> gradients{pass.gradients[this->input], trained_gradient(pass, kernel_),
                                     trained_gradient(pass, bias_)};
    const T *x = pass.values[this->input], *y = pass.values[this->output];
    T* dy = pass.gradients[this->output];
    if (transposed_)
      backward_transposed(team, pass, gradients, dy, layer);
    else
      pass.k.conv_backward(team, gradients, dy, x, y, which(pass), pass.batch, layer, pass.accumulate, pass.shared,
                           pass.own);
    announce_gradients(team, pass, parameters());
  }

  std::vector<int> parameters() const override {
    return bias_ < 0 ? std::vector<int>{kernel_} : std::vector<int>{kernel_, bias_};
  }
  int64_t shared_scratch(const Kernels<T>& k, int64_t batch, int, bool backward) const override {
    const ConvShape& s = layer_.shape;
    const int64_t kernel = s.kernel_height * s.kernel_width * (s.channels / s.groups) * s.filters;
    const int64_t forward = transposed_ ? kernel : k.conv_forward_shared(batch, layer_);
    if (!backward) return forward;
    return std::max({forward, k.conv_forward_shared(batch, layer_), k.conv_backward_shared(batch, layer_)});
  }
  int64_t own_scratch(const Kernels<T>& k, bool backward) const override {
    const int64_t forward = transposed_ ? k.conv_transpose_own(layer_) : k.conv_forward_own(layer_);
    return backward ? std::max({forward, k.conv_forward_own(layer_), k.conv_backward_own(layer_)}) : forward;
  }
  int64_t saved(int64_t batch) const override {
    if (!layer_.pooled) return 0;
    const int64_t bytes = batch * layer_.pool.out_height * layer_.pool.out_width * layer_.pool.channels;
    return (bytes + static_cast<int64_t>(sizeof(T)) - 1) / static_cast<int64_t>(sizeof(T));
  }
  double work() const override { return pynn::work(layer_.shape); }
  bool take_activation(const ActivationSpec& activation, int to) override {
    layer_.activation = activation;
    this->output = to;
    return true;
  }
  bool take_pooling(const PoolShape& pool, int to) override {
    if (transposed_ || !can_pool(shape_, pool)) return false;
    layer_.shape = shape_;
    layer_.pooled = true;
    layer_.pool = pool;
    this->output = to;
    return true;
  }

 private:
  ConvLayer<T> layer_of(const Pass<T>& pass) const {
    ConvLayer<T> layer = layer_;
    layer.kernel = pass.value_of(kernel_);
    layer.bias = bias_ < 0 ? nullptr : pass.value_of(bias_);
    return layer;
  }
  uint8_t* which(const Pass<T>& pass) const { return reinterpret_cast<uint8_t*>(pass.saved[this->output]); }

  void backward_transposed(const Team& team, const Pass<T>& pass, const ConvGradients<T>& gradients, T* dy,
                           ConvLayer<T> layer) const {
    const ConvShape& s = layer.shape;
    if (layer.activation.kind != Activation::linear) {
      const T* y = pass.values[this->output];  // enough for the activations that are taken over
      pass.k.activation_backward(team, dy, dy, y, y, pass.batch * s.height * s.width * s.channels, layer.activation);
      team.barrier();
    }
    layer.activation = no_activation;
    layer.bias = nullptr;
    if (gradients.x != nullptr) {
      pass.k.conv_forward(team, gradients.x, nullptr, dy, pass.batch, layer, pass.shared, pass.own);
      team.barrier();  // of the scratch
    }
    T* x = pass.values[this->input];  // takes the place of a gradient, and stays as it is
    if (gradients.kernel != nullptr)
      pass.k.conv_backward(team, {nullptr, gradients.kernel, nullptr}, x, dy, x, nullptr, pass.batch, layer,
                           pass.accumulate, pass.shared, pass.own);
    if (gradients.bias != nullptr)
      pass.k.dense_backward_bias(team, gradients.bias, dy, pass.batch * s.height * s.width, s.channels,
                                 team.share(s.channels, 16), pass.accumulate);
  }

  const int kernel_, bias_;
  const bool transposed_;
  const ConvShape shape_;
  ConvLayer<T> layer_{};  // but for the parameters
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
  const PoolShape* max_pooling() const override { return kind_ == Pooling::max ? &shape_ : nullptr; }
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

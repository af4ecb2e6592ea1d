// Ops that move windows over images; a sequence is an image of height 1.
#include <algorithm>

#include "../names.h"
#include "../op.h"
#include "../shapes.h"

namespace pynn {
namespace {

// ---- conv

enum { kernel_at, bias_at, parameter_count };

// The numbers in the order of the members of ConvShape.
ConvShape conv_shape(const OpArguments& a) {
  const std::vector<int64_t>& n = a.integers("shape");
  a.expect(n.size() == 15, "the 15 numbers of a convolution's shape", std::to_string(n.size()));
  return {n[0], n[1], n[2], n[3], n[4], n[5], n[6], n[7], n[8], n[9], n[10], n[11], n[12], n[13], n[14]};
}

std::vector<int64_t> check_conv(const OpArguments& a) {
  a.expect_counts(1, parameter_count);
  const bool transposed = a.flag("transposed");
  const ConvShape s = conv_shape(a);
  check_shape(s);
  const int64_t image = a.product({s.height, s.width, s.channels}, "sizes of an image");
  const int64_t result = a.product({s.out_height, s.out_width, s.filters}, "sizes of a result");
  a.expect_input(transposed ? result : image);
  a.expect_parameter(
      kernel_at, "kernel",
      a.product({s.kernel_height, s.kernel_width, s.channels / s.groups, s.filters}, "sizes of a kernel"));
  a.expect_parameter(bias_at, "bias", transposed ? s.channels : s.filters, true);
  return {transposed ? image : result};
}

// A ConvLayer, or a transposed convolution: that with which a gradient goes back from the y of a convolution
// of this shape to its x.
template <typename T>
class ConvOp : public Op<T> {
 public:
  explicit ConvOp(const OpArguments& a) : transposed_(a.flag("transposed")), shape_(conv_shape(a)) {
    layer_.shape = with_longer_rows(shape_);
    layer_.activation = no_activation;
  }

  void forward(const Team& team, const Pass<T>& pass) const override {
    const ConvLayer<T> layer = layer_of(pass);
    const T* x = this->x(pass);
    T* y = this->y(pass);
    if (transposed_)
      pass.k.conv_transpose(team, y, x, pass.batch, layer, pass.shared, pass.own);
    else
      pass.k.conv_forward(team, y, pass.keeps ? which(pass) : nullptr, x, pass.batch, layer, pass.shared, pass.own);
  }

  void backward(const Team& team, const Pass<T>& pass) const override {
    const ConvLayer<T> layer = layer_of(pass);
    const ConvGradients<T> gradients{this->dx(pass), pass.parameters[kernel_at].gradient,
                                     pass.parameters[bias_at].gradient};
    const T *x = this->x(pass), *y = this->y(pass);
    T* dy = this->dy(pass);
    if (transposed_)
      backward_transposed(team, pass, gradients, dy, layer);
    else
      pass.k.conv_backward(team, gradients, dy, x, y, which(pass), pass.batch, layer, pass.adds(kernel_at), pass.shared,
                           pass.own);
    announce_gradients(team, pass, parameter_count);
  }

  ScratchSize scratch(const Kernels<T>& k, int64_t batch, int, bool backward) const override {
    const ConvShape& s = layer_.shape;
    const int64_t kernel = s.kernel_height * s.kernel_width * (s.channels / s.groups) * s.filters;
    ScratchSize size{transposed_ ? kernel : k.conv_forward_shared(batch, layer_),
                     transposed_ ? k.conv_transpose_own(layer_) : k.conv_forward_own(layer_)};
    if (!backward) return size;
    size.shared = std::max({size.shared, k.conv_forward_shared(batch, layer_), k.conv_backward_shared(batch, layer_)});
    size.own = std::max({size.own, k.conv_forward_own(layer_), k.conv_backward_own(layer_)});
    return size;
  }
  int64_t saved(int64_t batch) const override {
    if (!layer_.pooled) return 0;
    const int64_t bytes = batch * layer_.pool.out_height * layer_.pool.out_width * layer_.pool.channels;
    return (bytes + static_cast<int64_t>(sizeof(T)) - 1) / static_cast<int64_t>(sizeof(T));
  }
  int64_t samples_together() const override { return INT64_MAX; }  // short slices gain nothing
  double work() const override { return pynn::work(layer_.shape); }
  // It makes the slope itself, whoever reads the result.
  bool take_activation(const ActivationSpec& activation, Op<T>*) override {
    layer_.activation = activation;
    return true;
  }
  bool take_pooling(const PoolShape& pool) override {
    if (transposed_ || !can_pool(shape_, pool)) return false;
    layer_.shape = shape_;
    layer_.pooled = true;
    layer_.pool = pool;
    return true;
  }

 private:
  ConvLayer<T> layer_of(const Pass<T>& pass) const {
    ConvLayer<T> layer = layer_;
    layer.kernel = pass.parameters[kernel_at].value;
    layer.bias = pass.parameters[bias_at].value;
    return layer;
  }
  uint8_t* which(const Pass<T>& pass) const { return reinterpret_cast<uint8_t*>(pass.saved); }

  void backward_transposed(const Team& team, const Pass<T>& pass, const ConvGradients<T>& gradients, T* dy,
                           ConvLayer<T> layer) const {
    const ConvShape& s = layer.shape;
    if (layer.activation.kind != Activation::linear) {
      const T* y = this->y(pass);  // enough for the activations that are taken over
      pass.k.activation_backward(team, dy, dy, y, y, pass.batch * s.height * s.width * s.channels, layer.activation);
      team.barrier();
    }
    layer.activation = no_activation;
    layer.bias = nullptr;
    if (gradients.x != nullptr) {
      pass.k.conv_forward(team, gradients.x, nullptr, dy, pass.batch, layer, pass.shared, pass.own);
      team.barrier();  // of the scratch
    }
    T* x = this->x(pass);  // takes the place of a gradient, and stays as it is
    if (gradients.kernel != nullptr)
      pass.k.conv_backward(team, {nullptr, gradients.kernel, nullptr}, x, dy, x, nullptr, pass.batch, layer,
                           pass.adds(kernel_at), pass.shared, pass.own);
    if (gradients.bias != nullptr)
      pass.k.dense_backward_bias(team, gradients.bias, dy, pass.batch * s.height * s.width, s.channels,
                                 team.share(s.channels, 16), pass.adds(bias_at));
  }

  const bool transposed_;
  const ConvShape shape_;
  ConvLayer<T> layer_{};  // but for the parameters
};

// ---- pool

// The numbers in the order of the members of PoolShape.
PoolShape pool_shape(const OpArguments& a) {
  const std::vector<int64_t>& n = a.integers("shape");
  a.expect(n.size() == 11, "the 11 numbers of a pooling's shape", std::to_string(n.size()));
  return {n[0], n[1], n[2], n[3], n[4], n[5], n[6], n[7], n[8], n[9], n[10]};
}

std::vector<int64_t> check_pool(const OpArguments& a) {
  a.expect_counts(1, 0);
  pooling_of(a.text("kind"));
  const PoolShape s = pool_shape(a);
  check_shape(s);
  a.product({s.window_height, s.window_width}, "sizes of a window");
  a.expect_input(a.product({s.height, s.width, s.channels}, "sizes of an image"));
  return {a.product({s.out_height, s.out_width, s.channels}, "sizes of a result")};
}

template <typename T>
class PoolOp : public Op<T> {
 public:
  explicit PoolOp(const OpArguments& a) : shape_(pool_shape(a)), kind_(pooling_of(a.text("kind"))) {}

  void forward(const Team& team, const Pass<T>& pass) const override {
    pass.k.pool_forward(team, this->y(pass), this->x(pass), pass.batch, shape_, kind_);
  }
  void backward(const Team& team, const Pass<T>& pass) const override {
    pass.k.pool_backward(team, this->dx(pass), this->dy(pass), this->x(pass), this->y(pass), pass.batch, shape_, kind_);
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

PYNN_DEFINE_OP(conv, check_conv, ConvOp)
PYNN_DEFINE_OP(pool, check_pool, PoolOp)

}  // namespace pynn

// Kernels that move windows over images and sequences.
#include "windows.h"

#include <algorithm>
#include <cstdint>

#include "../engine/buffer.h"
#include "../engine/names.h"
#include "../engine/shapes.h"
#include "calls.h"

namespace pynn {

ConvShape conv_shape(const Numbers& n) {
  require(n.size() == 15, "shape must have 15 numbers");
  const ConvShape s{n[0], n[1], n[2], n[3], n[4], n[5], n[6], n[7], n[8], n[9], n[10], n[11], n[12], n[13], n[14]};
  check_shape(s);
  return s;
}

PoolShape pool_shape(const Numbers& n) {
  require(n.size() == 11, "shape must have 11 numbers");
  const PoolShape s{n[0], n[1], n[2], n[3], n[4], n[5], n[6], n[7], n[8], n[9], n[10]};
  check_shape(s);
  return s;
}

namespace {

void check_sizes(int64_t images, const ConvShape& s, const py::array& x, const py::array& kernel, const py::array& y) {
  require(images >= 0 && size(x) == images * s.height * s.width * s.channels, "x has the wrong size");
  require(size(kernel) == s.kernel_height * s.kernel_width * (s.channels / s.groups) * s.filters,
          "kernel has the wrong size");
  require(size(y) == images * s.out_height * s.out_width * s.filters, "y has the wrong size");
}

// Scratch of a team: shared, and of each member.
template <typename T>
class ConvScratch {
 public:
  ConvScratch(int64_t shared, int64_t own, int threads) : each_(padded<T>(own)), threads_(threads) {
    memory_.reserve(threads * each_ + shared);
  }
  T* own(const Team& team) const { return memory_.data() + team.rank * each_; }
  T* shared() const { return memory_.data() + threads_ * each_; }

 private:
  const int64_t each_, threads_;
  Buffer<T> memory_;
};

// Replaces the kernel by a copy where many pixels are multiplied by it, and its vectors would lie across cache lines.
template <typename T>
Buffer<T> align_kernel(ConvLayer<T>& layer, int64_t size, int64_t pixels) {
  constexpr std::uintptr_t line = 64;
  constexpr int64_t many = 256;
  Buffer<T> copy;
  if (reinterpret_cast<std::uintptr_t>(layer.kernel) % line == 0 || pixels < many) return copy;
  copy.reserve(size);
  std::copy(layer.kernel, layer.kernel + size, copy.data());
  layer.kernel = copy.data();
  return copy;
}

void conv_forward(py::array y, const py::array& x, const py::array& kernel, const Optional& bias, int64_t images,
                  const Numbers& numbers, int threads) {
  const ConvShape shape = conv_shape(numbers);
  check_sizes(images, shape, x, kernel, y);
  with_type(x, [&](auto type) {
    using T = decltype(type);
    T* to = output<T>(y, "y");
    const T* px = input<T>(x, "x");
    ConvLayer<T> layer{with_longer_rows(shape),
                       no_activation,
                       input<T>(kernel, "kernel"),
                       optional_input<T>(bias, "bias", shape.filters),
                       false,
                       {}};
    const Kernels<T>& k = kernels<T>();
    Buffer<T> aligned;  // not of a kernel that the team copies to panels
    if (k.conv_forward_shared(images, layer) == 0)
      aligned = align_kernel(layer, size(kernel), images * shape.out_height * shape.out_width);
    const ConvScratch<T> scratch(k.conv_forward_shared(images, layer), k.conv_forward_own(layer), threads);
    run(threads, static_cast<double>(images) * work(shape), [&](const Team& team) {
      k.conv_forward(team, to, nullptr, px, images, layer, scratch.shared(), scratch.own(team));
    });
  });
}

void conv_backward(Optional dx, Optional dkernel, Optional dbias, const py::array& dy, const py::array& x,
                   const py::array& kernel, int64_t images, const Numbers& numbers, int threads) {
  const ConvShape shape = conv_shape(numbers);
  check_sizes(images, shape, x, kernel, dy);
  with_type(x, [&](auto type) {
    using T = decltype(type);
    const ConvGradients<T> gradients{optional_output<T>(dx, "dx", size(x)),
                                     optional_output<T>(dkernel, "dkernel", size(kernel)),
                                     optional_output<T>(dbias, "dbias", shape.filters)};
    T* pdy = const_cast<T*>(input<T>(dy, "dy"));  // it stays as it is
    const T* px = input<T>(x, "x");
    const ConvLayer<T> layer{with_longer_rows(shape), no_activation, input<T>(kernel, "kernel"), nullptr, false, {}};
    const Kernels<T>& k = kernels<T>();
    const ConvScratch<T> scratch(k.conv_backward_shared(images, layer), k.conv_backward_own(layer), threads);
    run(threads, 2 * static_cast<double>(images) * work(shape), [&](const Team& team) {
      k.conv_backward(team, gradients, pdy, px, pdy, nullptr, images, layer, false, scratch.shared(),
                      scratch.own(team));
    });
  });
}

int64_t image_size(const PoolShape& s) { return s.height * s.width * s.channels; }
int64_t out_size(const PoolShape& s) { return s.out_height * s.out_width * s.channels; }

double pool_work(const PoolShape& s, int64_t images) {
  return static_cast<double>(images * out_size(s)) * static_cast<double>(s.window_height * s.window_width);
}

void pool_forward(py::array y, const py::array& x, int64_t images, const Numbers& numbers, const std::string& kind,
                  int threads) {
  const PoolShape shape = pool_shape(numbers);
  const Pooling pooling = pooling_of(kind);
  require(size(x) == images * image_size(shape) && size(y) == images * out_size(shape), "an array has the wrong size");
  with_type(x, [&](auto type) {
    using T = decltype(type);
    T* to = output<T>(y, "y");
    const T* px = input<T>(x, "x");
    run(threads, pool_work(shape, images),
        [&](const Team& team) { kernels<T>().pool_forward(team, to, px, images, shape, pooling); });
  });
}

void pool_backward(py::array dx, const py::array& dy, const py::array& x, const py::array& y, int64_t images,
                   const Numbers& numbers, const std::string& kind, int threads) {
  const PoolShape shape = pool_shape(numbers);
  const Pooling pooling = pooling_of(kind);
  require(size(x) == images * image_size(shape) && size(dx) == size(x), "an array has the wrong size");
  require(size(y) == images * out_size(shape) && size(dy) == size(y), "an array has the wrong size");
  with_type(x, [&](auto type) {
    using T = decltype(type);
    T* to = output<T>(dx, "dx");
    const T *pdy = input<T>(dy, "dy"), *px = input<T>(x, "x"), *py_ = input<T>(y, "y");
    run(threads, pool_work(shape, images),
        [&](const Team& team) { kernels<T>().pool_backward(team, to, pdy, px, py_, images, shape, pooling); });
  });
}

}  // namespace

void bind_windows(py::module_& m) {
  m.def("conv_forward", &conv_forward, py::arg("y"), py::arg("x"), py::arg("kernel"), py::arg("bias"),
        py::arg("images"), py::arg("shape"), py::arg("threads"));
  m.def("conv_backward", &conv_backward, py::arg("dx"), py::arg("dkernel"), py::arg("dbias"), py::arg("dy"),
        py::arg("x"), py::arg("kernel"), py::arg("images"), py::arg("shape"), py::arg("threads"));
  m.def("pool_forward", &pool_forward, py::arg("y"), py::arg("x"), py::arg("images"), py::arg("shape"), py::arg("kind"),
        py::arg("threads"));
  m.def("pool_backward", &pool_backward, py::arg("dx"), py::arg("dy"), py::arg("x"), py::arg("y"), py::arg("images"),
        py::arg("shape"), py::arg("kind"), py::arg("threads"));
}

}  // namespace pynn

// Kernels that move windows over images and sequences.
#include "../engine/buffer.h"
#include "../engine/shapes.h"
#include "calls.h"

namespace pynn {
namespace {

// The numbers of a ConvShape, in its order.
ConvShape conv_shape(const std::vector<int64_t>& n) {
  require(n.size() == 15, "shape must have 15 numbers");
  const ConvShape s{n[0], n[1], n[2], n[3], n[4], n[5], n[6], n[7], n[8], n[9], n[10], n[11], n[12], n[13], n[14]};
  check_shape(s);
  return s;
}

void check_sizes(int64_t images, const ConvShape& s, const py::array& x, const py::array& kernel, const py::array& y) {
  require(images >= 0 && size(x) == images * s.height * s.width * s.channels, "x has the wrong size");
  require(size(kernel) == s.kernel_height * s.kernel_width * (s.channels / s.groups) * s.filters,
          "kernel has the wrong size");
  require(size(y) == images * s.out_height * s.out_width * s.filters, "y has the wrong size");
}

template <typename T>
class ConvScratch {
 public:
  ConvScratch(const Kernels<T>& k, int64_t images, const ConvShape& shape, int threads, bool backward)
      : each_(padded<T>(k.conv_own(shape, backward))), threads_(threads) {
    memory_.allocate(threads * each_ + k.conv_shared(images, shape, backward));
  }
  T* own(const Team& team) const { return memory_.data() + team.rank * each_; }
  T* shared() const { return memory_.data() + threads_ * each_; }

 private:
  const int64_t each_, threads_;
  Buffer<T> memory_;
};

void conv_forward(py::array y, const py::array& x, const py::array& kernel, const Optional& bias, int64_t images,
                  const std::vector<int64_t>& numbers, int threads) {
  const ConvShape shape = conv_shape(numbers);
  check_sizes(images, shape, x, kernel, y);
  with_type(x, [&](auto type) {
    using T = decltype(type);
    T* to = output<T>(y, "y");
    const T* px = input<T>(x, "x");
    const T* pk = input<T>(kernel, "kernel");
    const T* pb = optional_input<T>(bias, "bias", shape.filters);
    const Kernels<T>& k = kernels<T>();
    const ConvScratch<T> scratch(k, images, shape, threads, false);
    run(threads, static_cast<double>(images) * work(shape), [&](const Team& team) {
      k.conv_forward(team, to, px, pk, pb, images, shape, no_activation, scratch.own(team));
    });
  });
}

void conv_backward(Optional dx, Optional dkernel, Optional dbias, const py::array& dy, const py::array& x,
                   const py::array& kernel, int64_t images, const std::vector<int64_t>& numbers, int threads) {
  const ConvShape shape = conv_shape(numbers);
  check_sizes(images, shape, x, kernel, dy);
  with_type(x, [&](auto type) {
    using T = decltype(type);
    T* pdx = optional_output<T>(dx, "dx", size(x));
    T* pdk = optional_output<T>(dkernel, "dkernel", size(kernel));
    T* pdb = optional_output<T>(dbias, "dbias", shape.filters);
    const T* pdy = input<T>(dy, "dy");
    const T* px = input<T>(x, "x");
    const T* pk = input<T>(kernel, "kernel");
    const Kernels<T>& k = kernels<T>();
    const ConvScratch<T> scratch(k, images, shape, threads, true);
    run(threads, 2 * static_cast<double>(images) * work(shape), [&](const Team& team) {
      if (pdx != nullptr) {
        k.conv_backward_input(team, pdx, pdy, pk, images, shape, scratch.shared(), scratch.own(team));
        team.barrier();
      }
      if (pdk != nullptr || pdb != nullptr)
        k.conv_backward_kernel(team, pdk, pdb, px, pdy, images, shape, false, scratch.shared(), scratch.own(team));
    });
  });
}

}  // namespace

void bind_windows(py::module_& m) {
  m.def("conv_forward", &conv_forward, py::arg("y"), py::arg("x"), py::arg("kernel"), py::arg("bias"),
        py::arg("images"), py::arg("shape"), py::arg("threads"));
  m.def("conv_backward", &conv_backward, py::arg("dx"), py::arg("dkernel"), py::arg("dbias"), py::arg("dy"),
        py::arg("x"), py::arg("kernel"), py::arg("images"), py::arg("shape"), py::arg("threads"));
}

}  // namespace pynn

// Convolution.
#include <algorithm>
#include <cmath>
#include <iterator>

#include "check.h"

namespace pynn {
namespace {

// Images on their way through a convolution.
template <typename T>
struct Convolution {
  int64_t images;
  ConvShape shape;
  std::string name;
  std::vector<T> x, kernel, dy, filter_bias, channel_bias;

  Convolution(int64_t image_count, const ConvShape& s)
      : images(image_count),
        shape(s),
        name(text("%s, %d of (%d, %d, %d) to (%d, %d, %d), kernel (%d, %d), strides (%d, %d), dilation (%d, %d), "
                  "padding (%d, %d), groups %d",
                  type_name<T>(), static_cast<int>(images), static_cast<int>(s.height), static_cast<int>(s.width),
                  static_cast<int>(s.channels), static_cast<int>(s.out_height), static_cast<int>(s.out_width),
                  static_cast<int>(s.filters), static_cast<int>(s.kernel_height), static_cast<int>(s.kernel_width),
                  static_cast<int>(s.stride_y), static_cast<int>(s.stride_x), static_cast<int>(s.dilation_y),
                  static_cast<int>(s.dilation_x), static_cast<int>(s.top), static_cast<int>(s.left),
                  static_cast<int>(s.groups))),
        x(random_values<T>(images * s.height * s.width * s.channels)),
        kernel(random_values<T>(s.kernel_height * s.kernel_width * (s.channels / s.groups) * s.filters)),
        dy(random_values<T>(images * s.out_height * s.out_width * s.filters)),
        filter_bias(random_values<T>(s.filters)),
        channel_bias(random_values<T>(s.channels)) {}

  // Calls body(element of y, of x, of the kernel) for each product that is part of the convolution.
  template <typename Body>
  void for_terms(const Body& body) const {
    const ConvShape& s = shape;
    const int64_t inner = s.channels / s.groups, outer = s.filters / s.groups;
    const int64_t pixels = images * s.out_height * s.out_width;
    for (int64_t pixel = 0; pixel < pixels; ++pixel) {
      const int64_t image = pixel / s.out_width / s.out_height;
      for (int64_t at = 0; at < s.kernel_height * s.kernel_width; ++at) {
        const int64_t i = pixel / s.out_width % s.out_height * s.stride_y - s.top + at / s.kernel_width * s.dilation_y;
        const int64_t j = pixel % s.out_width * s.stride_x - s.left + at % s.kernel_width * s.dilation_x;
        if (i < 0 || i >= s.height || j < 0 || j >= s.width) continue;
        for (int64_t f = 0; f < s.filters; ++f)
          for (int64_t c = 0; c < inner; ++c)
            body(static_cast<size_t>(pixel * s.filters + f),
                 static_cast<size_t>(((image * s.height + i) * s.width + j) * s.channels + f / outer * inner + c),
                 static_cast<size_t>((at * inner + c) * s.filters + f));
      }
    }
  }
};

// ---- the kernels, as they are called below: results on teams of several sizes, for `start` as the output

template <typename T>
ConvLayer<T> layer_of(const Convolution<T>& c, const T* bias, const ActivationSpec& activation) {
  return {c.shape, activation, c.kernel.data(), bias, false, {}};
}

template <typename T>
std::vector<T> run_forward(const Convolution<T>& c, const std::string& what, const T* x, int64_t images, const T* bias,
                           const ActivationSpec& activation) {
  const Kernels<T>& k = kernels<T>();
  const ConvLayer<T> layer = layer_of(c, bias, activation);
  Space<T> space(k.conv_forward_own(layer), k.conv_forward_shared(c.images, layer));
  const int64_t size = images * c.shape.out_height * c.shape.out_width * c.shape.filters;
  const std::vector<T> y = on_teams(what, unwritten<T>(size), [&](const Team& team, T* out) {
    T* const shared = space.of_all(team);
    k.conv_forward(team, out, nullptr, x, images, layer, shared, space.of(team));
  });
  space.expect_no_overrun(what);
  return y;
}

template <typename T>
std::vector<T> run_transpose(const Convolution<T>& c, const std::string& what, const T* bias,
                             const ActivationSpec& activation) {
  const Kernels<T>& k = kernels<T>();
  const ConvLayer<T> layer = layer_of(c, bias, activation);
  Space<T> space(k.conv_transpose_own(layer), static_cast<int64_t>(c.kernel.size()));
  const std::vector<T> y =
      on_teams(what, unwritten<T>(static_cast<int64_t>(c.x.size())), [&](const Team& team, T* out) {
        T* const shared = space.of_all(team);
        k.conv_transpose(team, out, c.dy.data(), c.images, layer, shared, space.of(team));
      });
  space.expect_no_overrun(what);
  return y;
}

// outputs: dx, dkernel, dbias; asked_for: which of them are.
template <typename T>
std::vector<T> run_gradients(const Convolution<T>& c, const std::string& what, const Outputs<T>& outputs,
                             const bool (&asked_for)[3], bool accumulate) {
  const Kernels<T>& k = kernels<T>();
  const ConvLayer<T> layer = layer_of(c, static_cast<const T*>(nullptr), no_activation);
  Space<T> space(k.conv_backward_own(layer), k.conv_backward_shared(c.images, layer));
  std::vector<T> dy = c.dy;
  const std::vector<T> result = on_teams(what, outputs.start(), [&](const Team& team, T* out) {
    T* const shared = space.of_all(team);
    const auto output = [&](int i) { return asked_for[i] ? outputs.pointer(out, static_cast<size_t>(i)) : nullptr; };
    k.conv_backward(team, {output(0), output(1), output(2)}, dy.data(), c.x.data(), dy.data(), nullptr, c.images, layer,
                    accumulate, shared, space.of(team));
  });
  space.expect_no_overrun(what);
  outputs.expect_gaps(what, result);
  expect_equal(what + ", dy", dy, c.dy);
  return result;
}

// ---- the checks

const struct {
  const char* name;
  ActivationSpec spec;
  double (*f)(double x);
  bool bias;
} kActivations[] = {
    {"", {Activation::linear, 0, 0, 0}, [](double x) { return x; }, false},
    {", bias", {Activation::linear, 0, 0, 0}, [](double x) { return x; }, true},
    {", leaky_relu", {Activation::leaky_relu, 0.2, 0, 0}, [](double x) { return x > 0 ? x : 0.2 * x; }, false},
    {", bias, tanh", {Activation::tanh, 0, 0, 0}, [](double x) { return std::tanh(x); }, true}};

// f(sums + bias); the bias is that of the last axis.
template <typename T, typename Row>
std::vector<double> finished(std::vector<double> sums, const std::vector<T>& bias, const Row& row) {
  for (size_t i = 0; i < sums.size(); ++i)
    sums[i] = row.f(sums[i] + (row.bias ? static_cast<double>(bias[i % bias.size()]) : 0));
  return sums;
}

template <typename T>
void check_forward(const Convolution<T>& c) {
  const ConvShape& s = c.shape;
  std::vector<double> sums(c.dy.size());
  c.for_terms(
      [&](size_t y, size_t x, size_t k) { sums[y] += static_cast<double>(c.x[x]) * static_cast<double>(c.kernel[k]); });
  const int64_t terms = s.kernel_height * s.kernel_width * (s.channels / s.groups);
  for (const auto& row : kActivations) {
    const std::string what = "conv_forward in " + c.name + row.name;
    const T* const bias = row.bias ? c.filter_bias.data() : nullptr;
    const std::vector<T> y = run_forward(c, what, c.x.data(), c.images, bias, row.spec);
    expect_near(what, y, finished(sums, c.filter_bias, row), static_cast<double>(terms + 16));
    if (c.images == 1 || !row.bias) continue;
    const int64_t image = static_cast<int64_t>(c.x.size()) / c.images;
    const std::vector<T> alone =
        run_forward(c, what + ", the last image alone", c.x.data() + (c.images - 1) * image, 1, bias, row.spec);
    expect_equal(what + ", the last image alone", alone,
                 {y.end() - static_cast<std::ptrdiff_t>(alone.size()), y.end()});
  }
}

template <typename T>
std::vector<double> input_gradient(const Convolution<T>& c) {
  std::vector<double> dx(c.x.size());
  c.for_terms(
      [&](size_t y, size_t x, size_t k) { dx[x] += static_cast<double>(c.dy[y]) * static_cast<double>(c.kernel[k]); });
  return dx;
}

template <typename T>
double input_tolerance(const ConvShape& s) {
  return static_cast<double>(s.kernel_height * s.kernel_width * (s.filters / s.groups) + 16);
}

template <typename T>
void check_transpose(const Convolution<T>& c) {
  const std::vector<double> sums = input_gradient(c);
  for (const auto& row : kActivations) {
    const std::string what = "conv_transpose in " + c.name + row.name;
    expect_near(what, run_transpose(c, what, row.bias ? c.channel_bias.data() : nullptr, row.spec),
                finished(sums, c.channel_bias, row), input_tolerance<T>(c.shape));
  }
}

template <typename T>
void check_gradients(const Convolution<T>& c) {
  const ConvShape& s = c.shape;
  std::vector<double> dkernel(c.kernel.size()), dbias(c.filter_bias.size());
  const std::vector<double> dx = input_gradient(c);
  c.for_terms(
      [&](size_t y, size_t x, size_t k) { dkernel[k] += static_cast<double>(c.x[x]) * static_cast<double>(c.dy[y]); });
  for (size_t i = 0; i < c.dy.size(); ++i) dbias[i % dbias.size()] += static_cast<double>(c.dy[i]);
  const double tolerance = static_cast<double>(c.images * s.out_height * s.out_width + 16);
  const auto elements = [](const std::vector<double>& x) { return static_cast<int64_t>(x.size()); };
  const std::string what = "conv_backward in " + c.name;

  const Outputs<T> outputs(
      {unwritten<T>(elements(dx)), unwritten<T>(elements(dkernel)), unwritten<T>(elements(dbias))});
  const std::vector<T> all = run_gradients(c, what, outputs, {true, true, true}, false);
  expect_near(what, outputs.part(all, 0), dx, input_tolerance<T>(s));
  expect_near(what + ", kernel", outputs.part(all, 1), dkernel, tolerance);
  expect_near(what + ", bias", outputs.part(all, 2), dbias, tolerance);
  for (size_t alone = 0; alone < 3; ++alone) {
    const std::string how = what + text(", output %d alone", static_cast<int>(alone));
    const std::vector<T> one = run_gradients(c, how, outputs, {alone == 0, alone == 1, alone == 2}, false);
    for (size_t i = 0; i < 3; ++i)
      expect_equal(how, outputs.part(one, i), outputs.part(i == alone ? all : outputs.start(), i));
  }

  const std::vector<T> kernel_start = random_values<T>(elements(dkernel)),
                       bias_start = random_values<T>(elements(dbias));
  const Outputs<T> sums({unwritten<T>(elements(dx)), kernel_start, bias_start});
  for (size_t i = 0; i < dkernel.size(); ++i) dkernel[i] += static_cast<double>(kernel_start[i]);
  for (size_t i = 0; i < dbias.size(); ++i) dbias[i] += static_cast<double>(bias_start[i]);
  const std::vector<T> added = run_gradients(c, what + ", added", sums, {true, true, true}, true);
  expect_equal(what + ", added", sums.part(added, 0), outputs.part(all, 0));
  expect_near(what + ", kernel, added", sums.part(added, 1), dkernel, tolerance);
  expect_near(what + ", bias, added", sums.part(added, 2), dbias, tolerance);
}

// A layer with an activation and, perhaps, max pooling of 2 x 2, whose last windows are cut or left out: its result,
// and its gradients, added to what is there: those of the convolution for what activation and pooling hand back.
template <typename T>
void check_layer(const Convolution<T>& c, const ActivationSpec& activation, bool pooled, bool cut) {
  const ConvShape& s = c.shape;
  const Kernels<T>& k = kernels<T>();
  const int64_t window = pooled ? 2 : 1, more = cut ? window - 1 : 0;
  const int64_t height = (s.out_height + more) / window, width = (s.out_width + more) / window;
  if (height == 0 || width == 0) return;
  const int64_t size = c.images * height * width * s.filters;
  const std::string what =
      text("layer with activation %d, pooled %d, cut %d, in ", static_cast<int>(activation.kind), pooled, cut) + c.name;
  ConvLayer<T> layer = layer_of(c, c.filter_bias.data(), activation);
  const std::vector<T> whole =
      run_forward(c, what + ", not pooled", c.x.data(), c.images, c.filter_bias.data(), activation);
  layer.pooled = pooled;
  if (pooled) layer.pool = {s.out_height, s.out_width, s.filters, height, width, 2, 2, 2, 2, 0, 0};

  std::vector<double> expected(static_cast<size_t>(size));
  std::vector<size_t> from(expected.size());  // where the first maximum is in `whole`
  for (int64_t at = 0; at < size; ++at) {
    const int64_t f = at % s.filters, j = at / s.filters % width, i = at / s.filters / width % height;
    const int64_t image = at / s.filters / width / height;
    bool found = false;
    for (int64_t row = window * i; row < std::min(window * (i + 1), s.out_height); ++row)
      for (int64_t column = window * j; column < std::min(window * (j + 1), s.out_width); ++column) {
        const auto here = static_cast<size_t>(((image * s.out_height + row) * s.out_width + column) * s.filters + f);
        if (found && !(whole[here] > whole[from[static_cast<size_t>(at)]])) continue;
        from[static_cast<size_t>(at)] = here;
        found = true;
      }
    expected[static_cast<size_t>(at)] = static_cast<double>(whole[from[static_cast<size_t>(at)]]);
  }
  Space<T> space(k.conv_forward_own(layer), k.conv_forward_shared(c.images, layer));
  std::vector<uint8_t> which(expected.size());
  const std::vector<T> y = on_teams(what, unwritten<T>(size), [&](const Team& team, T* out) {
    T* const shared = space.of_all(team);
    k.conv_forward(team, out, which.data(), c.x.data(), c.images, layer, shared, space.of(team));
  });
  space.expect_no_overrun(what);
  expect_near(what, y, expected, 0);

  const std::vector<T> dy = random_values<T>(size);
  Convolution<T> behind = c;  // with the gradient in front of the activation
  std::fill(behind.dy.begin(), behind.dy.end(), T{0});
  for (size_t i = 0; i < dy.size(); ++i) {
    const T slope = activation.kind == Activation::tanh   ? 1 - y[i] * y[i]
                    : activation.kind == Activation::relu ? static_cast<T>(y[i] > 0)
                                                          : T{1};
    behind.dy[from[i]] = dy[i] * slope;
  }
  const auto elements = [](const std::vector<T>& x) { return static_cast<int64_t>(x.size()); };
  const std::vector<T> dkernel = random_values<T>(elements(c.kernel)), dbias = random_values<T>(s.filters);
  const std::vector<T> one_by_one =
      run_gradients(behind, what + ", gradients", Outputs<T>({unwritten<T>(elements(c.x)), dkernel, dbias}),
                    {true, true, true}, true);
  const Outputs<T> outputs({unwritten<T>(elements(c.x)), dkernel, dbias, dy});                 // dy may be overwritten
  Space<T> backward(k.conv_backward_own(layer), k.conv_backward_shared(c.images + 3, layer));  // planned for more
  const std::vector<T> fused = on_teams(what + ", fused gradients", outputs.start(), [&](const Team& team, T* out) {
    T* const shared = backward.of_all(team);
    k.conv_backward(team, {outputs.pointer(out, 0), outputs.pointer(out, 1), outputs.pointer(out, 2)},
                    outputs.pointer(out, 3), c.x.data(), y.data(), which.data(), c.images, layer, true, shared,
                    backward.of(team));
  });
  backward.expect_no_overrun(what);
  outputs.expect_gaps(what, fused);
  const Outputs<T> parts({unwritten<T>(elements(c.x)), dkernel, dbias});
  const double tolerance = static_cast<double>(c.images * s.out_height * s.out_width + 16);
  expect_near(what + ", dx", outputs.part(fused, 0), as_double(parts.part(one_by_one, 0)), input_tolerance<T>(s));
  for (size_t i = 1; i < 3; ++i)
    expect_near(what + text(", output %d", static_cast<int>(i)), outputs.part(fused, i),
                as_double(parts.part(one_by_one, i)), tolerance);
}

// Along one axis: elements, kernel, stride, dilation, zeros before and after.
struct Axis {
  int64_t n, kernel, stride, dilation, before, after;
  int64_t out() const { return (n + before + after - (kernel - 1) * dilation - 1) / stride + 1; }
};

ConvShape shape_of(const Axis& y, const Axis& x, int64_t channels, int64_t filters, int64_t groups) {
  return {y.n,      x.n,      channels,   y.out(),    x.out(),  filters,  y.kernel, x.kernel,
          y.stride, x.stride, y.dilation, x.dilation, y.before, x.before, groups};
}

const struct {
  int64_t images;
  Axis y, x;
  int64_t channels, filters, groups;
} kShapes[] = {
    {1, {1, 1, 1, 1, 0, 0}, {1, 1, 1, 1, 0, 0}, 1, 1, 1},      // one element
    {3, {1, 3, 1, 1, 1, 1}, {1, 3, 1, 1, 1, 1}, 5, 7, 1},      // images of one pixel
    {1, {6, 3, 1, 1, 0, 0}, {5, 3, 1, 1, 0, 0}, 3, 4, 1},      // no padding
    {3, {7, 3, 1, 1, 1, 1}, {6, 3, 1, 1, 1, 1}, 17, 17, 1},    // output as large as the input
    {3, {5, 5, 1, 1, 0, 0}, {4, 4, 1, 1, 0, 0}, 2, 33, 1},     // a kernel as large as the image
    {1, {3, 5, 1, 1, 2, 2}, {2, 4, 1, 1, 1, 2}, 7, 2, 1},      // a larger one
    {2, {8, 2, 2, 1, 0, 0}, {9, 3, 3, 1, 0, 0}, 4, 15, 1},     // kernels side by side
    {3, {9, 2, 3, 1, 0, 0}, {8, 2, 4, 1, 0, 0}, 3, 2, 1},      // pixels that no kernel meets
    {1, {7, 3, 2, 1, 0, 1}, {8, 3, 2, 1, 1, 0}, 16, 16, 1},    // strides, padding on one side
    {2, {5, 2, 3, 1, 1, 0}, {9, 3, 4, 1, 1, 0}, 3, 5, 1},      // and pixels that no kernel meets
    {1, {9, 3, 1, 2, 2, 2}, {10, 2, 1, 3, 1, 2}, 5, 6, 1},     // dilation
    {3, {8, 3, 2, 2, 2, 2}, {7, 3, 3, 2, 1, 2}, 16, 7, 1},     // and strides
    {2, {9, 3, 2, 3, 1, 0}, {4, 1, 1, 5, 0, 0}, 3, 9, 1},      // dilation of rows alone
    {1, {3, 2, 1, 4, 4, 4}, {2, 2, 1, 3, 3, 3}, 2, 3, 1},      // outputs that see nothing but padding
    {3, {5, 3, 1, 1, 1, 1}, {6, 3, 1, 1, 1, 1}, 6, 9, 3},      // groups
    {1, {6, 2, 2, 1, 0, 0}, {5, 3, 1, 2, 2, 0}, 34, 4, 2},     // of 17 channels, strides, dilation
    {3, {6, 3, 1, 1, 1, 1}, {5, 3, 1, 1, 1, 1}, 17, 17, 17},   // depthwise
    {1, {7, 3, 2, 1, 0, 1}, {6, 2, 2, 1, 0, 0}, 7, 14, 7},     // two filters a channel
    {5, {4, 3, 1, 1, 1, 1}, {13, 3, 1, 2, 2, 2}, 10, 20, 5},   // small groups
    {2, {5, 2, 2, 1, 1, 0}, {20, 3, 1, 1, 0, 1}, 12, 3, 3},    // of one filter
    {4, {4, 2, 1, 2, 1, 1}, {9, 3, 2, 1, 1, 1}, 8, 8, 2},      // of as many channels and filters as are called small
    {2, {3, 1, 1, 1, 0, 0}, {14, 7, 1, 1, 3, 3}, 3, 3, 3},     // with wide edges
    {1, {2, 2, 1, 1, 0, 1}, {20, 3, 1, 7, 7, 7}, 5, 5, 5},     // in parts that see different positions
    {2, {3, 2, 1, 1, 1, 0}, {9, 9, 1, 1, 8, 0}, 4, 4, 2},      // none of which is long
    {2, {7, 1, 1, 1, 0, 0}, {3, 1, 1, 1, 0, 0}, 16, 33, 1},    // one position
    {3, {5, 1, 2, 1, 0, 0}, {6, 1, 3, 1, 0, 0}, 33, 15, 1},    // with strides
    {3, {1, 1, 1, 1, 0, 0}, {20, 5, 1, 1, 4, 0}, 7, 16, 1},    // one row
    {1, {12, 4, 1, 1, 0, 0}, {1, 1, 1, 1, 0, 0}, 1, 2, 1},     // one column
    {1, {2, 2, 1, 1, 1, 0}, {600, 3, 1, 1, 1, 1}, 1, 2, 1},    // long rows
    {2, {12, 2, 1, 1, 1, 0}, {30, 2, 1, 1, 0, 1}, 64, 1, 1},   // images that are copied in parts
    {2, {5, 3, 1, 1, 1, 1}, {6, 3, 1, 1, 1, 1}, 4, 40, 1},     // few channels
    {3, {7, 3, 2, 1, 0, 1}, {8, 3, 2, 1, 1, 0}, 1, 17, 1},     // with strides, padding on one side
    {1, {8, 3, 2, 2, 2, 2}, {7, 3, 3, 2, 1, 2}, 2, 33, 1},     // and dilation
    {2, {9, 2, 3, 1, 0, 0}, {8, 2, 4, 1, 0, 0}, 3, 64, 1},     // pixels that no kernel meets
    {1, {20, 4, 2, 1, 3, 1}, {33, 5, 2, 1, 2, 2}, 1, 16, 1},   // many rows
    {3, {4, 3, 1, 1, 1, 1}, {19, 3, 1, 1, 1, 1}, 17, 2, 1},    // few filters
    {2, {5, 2, 2, 1, 0, 1}, {9, 3, 1, 2, 2, 2}, 33, 3, 1},     // with strides, torn apart by dilation
    {2, {3, 1, 1, 1, 0, 0}, {16, 1, 1, 1, 0, 0}, 64, 4, 1},    // and one position
    {20, {3, 2, 1, 1, 0, 0}, {3, 2, 1, 1, 0, 0}, 2, 3, 1},     // many images
    {5, {7, 3, 1, 1, 0, 0}, {6, 3, 1, 1, 0, 0}, 17, 9, 1},     // with rows long enough to pass over zeros
    {4, {7, 3, 2, 1, 1, 1}, {5, 2, 1, 1, 0, 1}, 33, 19, 1},    // and padding and strides
    {4, {6, 2, 1, 2, 0, 0}, {5, 1, 1, 1, 0, 0}, 40, 3, 1},     // and dilation of rows
    {6, {5, 3, 1, 1, 1, 1}, {5, 3, 2, 1, 1, 1}, 17, 17, 17},   // depthwise
    {2, {4, 3, 1, 1, 1, 1}, {33, 5, 1, 1, 2, 2}, 2, 2, 2},     // of long rows
    {1, {9, 2, 3, 2, 1, 0}, {40, 3, 2, 3, 2, 4}, 3, 3, 3},     // and strides and dilation
    {1, {3, 2, 1, 4, 4, 4}, {2, 2, 1, 3, 3, 3}, 2, 2, 2},      // and outputs that see nothing but padding
    {2, {1, 1, 1, 1, 0, 0}, {1, 1, 1, 1, 0, 0}, 257, 600, 1},  // a large kernel
    {4, {9, 2, 1, 1, 0, 1}, {8, 2, 1, 1, 1, 0}, 201, 170, 1},  // one that is copied to panels
    {4, {8, 2, 1, 1, 0, 0}, {9, 3, 1, 1, 0, 0}, 217, 210, 1},  // and turned in panels
};

template <typename T>
void check_all() {
  for (const auto& row : kShapes) {
    const Convolution<T> c(row.images, shape_of(row.y, row.x, row.channels, row.filters, row.groups));
    check_forward(c);
    check_transpose(c);
    check_gradients(c);
    for (const Activation kind : {Activation::linear, Activation::relu, Activation::tanh}) {
      const ActivationSpec activation{kind, 0, INFINITY, 0};
      check_layer(c, activation, false, false);
      check_layer(c, activation, true, true);
      check_layer(c, activation, true, false);
    }
    Convolution<T> sparse = c;
    sparse.name += ", mostly zeros";
    for (size_t i = 0; i < sparse.dy.size(); ++i)
      if (i % 5 != 2) sparse.dy[i] = 0;
    check_gradients(sparse);
  }
}

}  // namespace

void check_convolutions() {
  check_all<float>();
  check_all<double>();
}

}  // namespace pynn

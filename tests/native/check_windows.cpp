// Pooling.
#include <cmath>

#include "check.h"

namespace pynn {
namespace {

// The kernels, as they are called below.
template <typename T>
void forward(const Team& team, T* y, const T* x, int64_t images, const PoolShape& shape, Pooling kind) {
  kernels<T>().pool_forward(team, y, x, images, shape, kind);
}

template <typename T>
void backward(const Team& team, T* dx, const T* dy, const T* x, const T* y, int64_t images, const PoolShape& shape,
              Pooling kind) {
  kernels<T>().pool_backward(team, dx, dy, x, y, images, shape, kind);
}

// Windows that overlap, lie side by side or leave elements out; padding at each side; windows larger than the image.
const struct {
  int64_t images;
  PoolShape shape;
} kShapes[] = {
    {1, {1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0}},    // one element
    {3, {4, 6, 2, 2, 3, 2, 2, 2, 2, 0, 0}},    // side by side
    {1, {5, 5, 17, 1, 1, 5, 5, 1, 1, 0, 0}},   // all of the image
    {2, {7, 6, 33, 5, 3, 3, 2, 1, 2, 0, 0}},   // overlapping rows
    {3, {9, 8, 7, 3, 2, 2, 2, 3, 4, 0, 0}},    // strides larger than the window
    {1, {4, 5, 16, 4, 5, 3, 3, 1, 1, 1, 1}},   // padding all around
    {7, {7, 6, 15, 4, 2, 2, 4, 2, 3, 0, 1}},   // more of it on the right
    {2, {2, 2, 7, 2, 2, 5, 5, 1, 1, 2, 2}},    // windows larger than the image
    {1, {5, 5, 1, 2, 2, 2, 2, 3, 3, 0, 0}},    // elements between windows
    {2, {1, 11, 2, 1, 4, 1, 4, 1, 3, 0, 1}},   // one row
    {9, {3, 1, 33, 4, 1, 2, 1, 1, 1, 1, 0}},   // one column, padding above
    {130, {2, 3, 1, 1, 1, 2, 2, 2, 2, 0, 0}},  // many images, a column left out
};

std::string name_of(const PoolShape& s, int64_t images, Pooling kind, const char* type) {
  return text("%s pooling in %s, %d of (%d, %d, %d), windows (%d, %d), strides (%d, %d)",
              kind == Pooling::max ? "max" : "average", type, static_cast<int>(images), static_cast<int>(s.height),
              static_cast<int>(s.width), static_cast<int>(s.channels), static_cast<int>(s.window_height),
              static_cast<int>(s.window_width), static_cast<int>(s.stride_y), static_cast<int>(s.stride_x));
}

// Calls body(output element, elements of its window) for all outputs.
template <typename Body>
void for_windows(const PoolShape& s, int64_t images, const Body& body) {
  size_t to = 0;
  for (int64_t image = 0; image < images; ++image)
    for (int64_t i = 0; i < s.out_height; ++i)
      for (int64_t j = 0; j < s.out_width; ++j)
        for (int64_t c = 0; c < s.channels; ++c) {
          std::vector<size_t> window;
          for (int64_t row = i * s.stride_y - s.top; row < i * s.stride_y - s.top + s.window_height; ++row)
            for (int64_t column = j * s.stride_x - s.left; column < j * s.stride_x - s.left + s.window_width; ++column)
              if (row >= 0 && row < s.height && column >= 0 && column < s.width)
                window.push_back(static_cast<size_t>(((image * s.height + row) * s.width + column) * s.channels + c));
          body(to++, window);
        }
}

// The element that a maximum is taken from: the first of the largest, or the first NaN.
template <typename T>
size_t place_of_maximum(const std::vector<T>& x, const std::vector<size_t>& window) {
  size_t best = window[0];
  for (const size_t at : window)
    if (!std::isnan(x[best]) && (x[at] > x[best] || std::isnan(x[at]))) best = at;
  return best;
}

// Checks both ways for images x.
template <typename T>
void check_pooling(const std::string& what, const std::vector<T>& x, int64_t images, const PoolShape& s, Pooling kind) {
  std::vector<T> largest;
  std::vector<double> means, slopes(x.size());
  const std::vector<T> dy = random_values<T>(images * s.out_height * s.out_width * s.channels);
  for_windows(s, images, [&](size_t to, const std::vector<size_t>& window) {
    largest.push_back(x[place_of_maximum(x, window)]);
    const double count = static_cast<double>(window.size()), gradient = static_cast<double>(dy[to]);
    double total = 0;
    for (const size_t at : window) {
      total += static_cast<double>(x[at]);
      if (kind == Pooling::average) slopes[at] += gradient / count;
    }
    means.push_back(total / count);
    if (kind == Pooling::max) slopes[place_of_maximum(x, window)] += gradient;
  });
  const std::vector<T> y = on_teams(what, unwritten<T>(static_cast<int64_t>(dy.size())),
                                    [&](const Team& team, T* out) { forward(team, out, x.data(), images, s, kind); });
  if (kind == Pooling::max)
    expect_equal(what, y, largest);
  else
    expect_near(what, y, means, 16);
  const std::vector<T> dx =
      on_teams(what + ", backward", unwritten<T>(static_cast<int64_t>(x.size())),
               [&](const Team& team, T* out) { backward(team, out, dy.data(), x.data(), y.data(), images, s, kind); });
  expect_near(what + ", backward", dx, slopes, 16);
}

template <typename T>
void check_all() {
  constexpr T inf = std::numeric_limits<T>::infinity(), nan = std::numeric_limits<T>::quiet_NaN();
  for (const auto& row : kShapes) {
    const int64_t n = row.images * row.shape.height * row.shape.width * row.shape.channels;
    std::vector<T> x = random_values<T>(n);
    for (const Pooling kind : {Pooling::max, Pooling::average})
      check_pooling(name_of(row.shape, row.images, kind, type_name<T>()), x, row.images, row.shape, kind);

    // Few different numbers, so that most maxima are there more than once; some are no numbers.
    const std::string what = name_of(row.shape, row.images, Pooling::max, type_name<T>());
    for (T& value : x) value = std::round(value * 2) / 2;
    check_pooling(what + ", ties", x, row.images, row.shape, Pooling::max);
    for (size_t i = 0; i < x.size(); ++i)
      if (random_value(0, 1) < 0.4) x[i] = i % 3 == 0 ? nan : (i % 3 == 1 ? inf : -inf);
    check_pooling(what + ", NaN and infinities", x, row.images, row.shape, Pooling::max);
    x.assign(x.size(), -inf);
    check_pooling(what + ", all of them -infinity", x, row.images, row.shape, Pooling::max);
  }
}

}  // namespace

void check_windows() {
  check_all<float>();
  check_all<double>();
}

}  // namespace pynn

#include "shapes.h"

#include <algorithm>
#include <stdexcept>

namespace pynn {

void check_shape(const ConvShape& s) {
  const int64_t sizes[] = {s.height,     s.width,         s.channels,     s.out_height, s.out_width,
                           s.filters,    s.kernel_height, s.kernel_width, s.stride_y,   s.stride_x,
                           s.dilation_y, s.dilation_x,    s.groups};
  if (*std::min_element(std::begin(sizes), std::end(sizes)) < 1)
    throw std::invalid_argument("the sizes of a convolution must be positive");
  if (s.channels % s.groups != 0 || s.filters % s.groups != 0)
    throw std::invalid_argument("groups must divide channels and filters");
  if (s.top < 0 || s.left < 0 || s.top > (s.kernel_height - 1) * s.dilation_y ||
      s.left > (s.kernel_width - 1) * s.dilation_x)
    throw std::invalid_argument("the padding must be smaller than what the kernel spans");
}

void check_shape(const PoolShape& s) {
  const int64_t sizes[] = {s.height,        s.width,        s.channels, s.out_height, s.out_width,
                           s.window_height, s.window_width, s.stride_y, s.stride_x};
  if (*std::min_element(std::begin(sizes), std::end(sizes)) < 1)
    throw std::invalid_argument("the sizes of a pooling must be positive");
  const auto reach = [](int64_t out, int64_t stride, int64_t before, int64_t window, int64_t n) {
    return before >= 0 && before < window && (out - 1) * stride - before < n;
  };
  if (!reach(s.out_height, s.stride_y, s.top, s.window_height, s.height) ||
      !reach(s.out_width, s.stride_x, s.left, s.window_width, s.width))
    throw std::invalid_argument("each window must reach the image");
}

void check_shape(const SparseMap<double>& m) {
  if (std::min({m.inputs, m.outputs, m.inner}) < 1) throw std::invalid_argument("the sizes of a map must be positive");
  if (m.inner > INT64_MAX / 64 / std::max(m.inputs, m.outputs)) throw std::invalid_argument("the map is too large");
  if (m.begin[0] != 0 || !std::is_sorted(m.begin, m.begin + m.outputs + 1))
    throw std::invalid_argument("begin must ascend from 0");
  if (!std::all_of(m.index, m.index + m.begin[m.outputs], [&](int64_t i) { return 0 <= i && i < m.inputs; }))
    throw std::invalid_argument("an index is outside x");
}

bool can_pool(const ConvShape& s, const PoolShape& p) {
  constexpr int64_t most_pooled = 65536, most_seen = 1 << 20;  // elements of an image; that a row of windows sees
  const int64_t rows = (p.window_height - 1) * s.stride_y + (s.kernel_height - 1) * s.dilation_y + 1;
  const int64_t width = (s.out_width - 1) * s.stride_x + (s.kernel_width - 1) * s.dilation_x + 1;
  return static_cast<double>(rows) * static_cast<double>(width) * static_cast<double>(s.channels) <= most_seen &&
         p.height == s.out_height && p.width == s.out_width && p.channels == s.filters && p.top == 0 && p.left == 0 &&
         p.stride_y >= p.window_height && p.stride_x >= p.window_width && p.window_height * p.window_width <= 256 &&
         s.out_height * s.out_width * s.filters <= most_pooled;
}

ConvShape with_longer_rows(const ConvShape& s) {
  constexpr int64_t longest = 256, fewest = 4;  // pixels of a row; rows, which a team shares
  ConvShape longer = s;
  if (s.kernel_height * s.kernel_width * s.stride_y * s.stride_x != 1 || s.out_height != s.height ||
      s.out_width != s.width)
    return longer;
  int64_t together = std::max<int64_t>(1, std::min(longest / s.width, s.height / fewest));
  while (s.height % together != 0) --together;
  longer.height = longer.out_height = s.height / together;
  longer.width = longer.out_width = s.width * together;
  return longer;
}

double work(const ConvShape& s) {
  return static_cast<double>(s.out_height * s.out_width) * static_cast<double>(s.kernel_height * s.kernel_width) *
         static_cast<double>(s.channels / s.groups) * static_cast<double>(s.filters);
}

}  // namespace pynn

#include "shapes.h"

#include <algorithm>
#include <initializer_list>
#include <string>

#include "attributes.h"
#include "pieces.h"

namespace pynn {
namespace {

constexpr int64_t kMost = INT64_MAX / 64;  // 2^57

// (count - 1) * step + last; where that is beyond 64 bits, INT64_MAX.
int64_t span(int64_t count, int64_t step, int64_t last) {
  int64_t sum = 0;
  const bool wraps = __builtin_mul_overflow(count - 1, step, &sum) || __builtin_add_overflow(sum, last, &sum);
  return wraps ? INT64_MAX : sum;
}

// Whether the product of positive numbers is at most so much.
bool is_within_reach(std::initializer_list<int64_t> numbers, int64_t most = kMost) {
  int64_t product = 1;
  for (const int64_t number : numbers)
    if (__builtin_mul_overflow(product, number, &product) || product > most) return false;
  return true;
}

template <std::size_t N>
void expect_positive(const char* kind, const int64_t (&sizes)[N]) {
  const int64_t least = *std::min_element(std::begin(sizes), std::end(sizes));
  if (least < 1) refuse(kind, "sizes of at least 1", std::to_string(least));
}

// Whether the first of `out` windows, moved by `stride`, sees what lies behind the padding, and the last one begins
// before the end.
bool reaches(int64_t out, int64_t stride, int64_t before, int64_t window, int64_t n) {
  return before >= 0 && before < window && (out - 1) * stride - before < n;
}

std::string pair(int64_t a, int64_t b) { return std::to_string(a) + " and " + std::to_string(b); }

}  // namespace

void check_shape(const ConvShape& s) {
  expect_positive("conv", {s.height, s.width, s.channels, s.out_height, s.out_width, s.filters, s.kernel_height,
                           s.kernel_width, s.stride_y, s.stride_x, s.dilation_y, s.dilation_x, s.groups});
  if (s.channels % s.groups != 0 || s.filters % s.groups != 0)
    refuse("conv", "groups that divide channels and filters",
           std::to_string(s.groups) + " for " + pair(s.channels, s.filters));
  const int64_t height = span(s.kernel_height, s.dilation_y, 1), width = span(s.kernel_width, s.dilation_x, 1);
  if (s.top < 0 || s.left < 0 || s.top >= height || s.left >= width)
    refuse("conv", "a padding smaller than what the kernel spans, " + pair(height, width), pair(s.top, s.left));
  if (!is_within_reach({span(s.out_height, s.stride_y, height), span(s.out_width, s.stride_x, width), s.channels}))
    refuse("conv", "windows that see no more than 2^57 elements", "strides " + pair(s.stride_y, s.stride_x));
}

void check_shape(const PoolShape& s) {
  expect_positive("pool", {s.height, s.width, s.channels, s.out_height, s.out_width, s.window_height, s.window_width,
                           s.stride_y, s.stride_x});
  if (!is_within_reach(
          {span(s.out_height, s.stride_y, s.window_height), span(s.out_width, s.stride_x, s.window_width)}))
    refuse("pool", "windows that see no more than 2^57 elements", "strides " + pair(s.stride_y, s.stride_x));
  if (!reaches(s.out_height, s.stride_y, s.top, s.window_height, s.height) ||
      !reaches(s.out_width, s.stride_x, s.left, s.window_width, s.width))
    refuse("pool", "windows that reach the image",
           pair(s.out_height, s.out_width) + " of them with a padding of " + pair(s.top, s.left));
}

void check_shape(const SparseMap<double>& m) {
  expect_positive("resample", {m.inputs, m.outputs, m.inner});
  if (!is_within_reach({m.inner, std::max(m.inputs, m.outputs)}))
    refuse("resample", "a map of at most 2^57 elements",
           pair(m.inputs, m.outputs) + " groups of " + std::to_string(m.inner));
  bool ascends = m.begin[0] == 0;
  in_pieces(m.outputs, [&](int64_t from, int64_t to) { ascends &= std::is_sorted(m.begin + from, m.begin + to + 1); });
  if (!ascends) refuse("resample", "begin to ascend from 0", "another order");
  in_pieces(m.begin[m.outputs], [&](int64_t from, int64_t to) {
    const auto* outside = std::find_if(m.index + from, m.index + to, [&](int64_t i) { return i < 0 || i >= m.inputs; });
    if (outside != m.index + to)
      refuse("resample", "indices of " + std::to_string(m.inputs) + " inputs", std::to_string(*outside));
  });
}

bool can_pool(const ConvShape& s, const PoolShape& p) {
  constexpr int64_t most_pooled = 65536, most_seen = 1 << 20;  // elements of an image; that a row of windows sees
  const int64_t kernel_height = span(s.kernel_height, s.dilation_y, 1);
  const int64_t kernel_width = span(s.kernel_width, s.dilation_x, 1);
  return is_within_reach({span(p.window_height, s.stride_y, kernel_height), span(s.out_width, s.stride_x, kernel_width),
                          s.channels},
                         most_seen) &&
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

// Masks of steps, and what goes by them.
#include "check.h"

namespace pynn {
namespace {

template <typename T>
std::vector<T> random_mask(int64_t n) {
  std::vector<T> mask;
  for (int64_t i = 0; i < n; ++i) mask.push_back(random_value(0, 1) < 0.6 ? T{1} : T{0});
  return mask;
}

template <typename T>
void check_making(int64_t columns) {
  constexpr int64_t rows = 41;
  const Kernels<T>& k = kernels<T>();
  const std::string what = text("a mask in %s, %d columns", type_name<T>(), static_cast<int>(columns));
  std::vector<T> x = random_values<T>(rows * columns), any, same;
  std::vector<int32_t> ids;
  for (int64_t row = 0; row < rows; ++row) {
    const auto from = x.begin() + row * columns;
    if (row % 3 != 0) std::fill(from, from + columns, T{0.5});
    if (row % 3 == 2) from[columns - 1] = std::numeric_limits<T>::quiet_NaN();
    any.push_back(row % 3 == 1 ? T{0} : T{1});
    ids.push_back(static_cast<int32_t>(random_value(0, 4)));
    same.push_back(ids.back() == 2 ? T{0} : T{1});
  }
  expect_equal(what,
               on_teams(what, unwritten<T>(rows),
                        [&](const Team& team, T* out) { k.any_not_equal(team, out, x.data(), T{0.5}, rows, columns); }),
               any);
  expect_equal(what + " of ids",
               on_teams(what, unwritten<T>(rows),
                        [&](const Team& team, T* out) { k.not_equal_ids(team, out, ids.data(), 2, rows); }),
               same);
}

template <typename T>
void check_rows(int64_t columns) {
  constexpr int64_t rows = 41;
  const Kernels<T>& k = kernels<T>();
  const std::string what = text("masked rows in %s, %d columns", type_name<T>(), static_cast<int>(columns));
  const std::vector<T> mask = random_mask<T>(rows);
  std::vector<T> x = random_values<T>(rows * columns), kept = x, packed;
  for (int64_t i = 0; i < rows * columns; ++i) {
    const auto at = static_cast<size_t>(i);
    if (mask[static_cast<size_t>(i / columns)] != 0) {
      packed.push_back(x[at]);
    } else {
      kept[at] = 0;
      x[at] = std::numeric_limits<T>::infinity();
    }
  }
  expect_equal(
      what,
      on_teams(what, unwritten<T>(rows * columns),
               [&](const Team& team, T* out) { k.keep_rows(team, out, x.data(), mask.data(), rows, columns); }),
      kept);
  expect_equal(what + ", packed",
               on_teams(what, unwritten<T>(static_cast<int64_t>(packed.size())),
                        [&](const Team& team, T* out) {
                          const int64_t count = k.pack_rows(team, out, x.data(), mask.data(), rows, columns);
                          check(count * columns == static_cast<int64_t>(packed.size()), what, "counts other rows");
                        }),
               packed);
}

template <typename T>
void check_mean(const StepShape& s) {
  constexpr int64_t samples = 5;
  const Kernels<T>& k = kernels<T>();
  const std::string what = text("means of steps in %s, (%d, %d, %d)", type_name<T>(), static_cast<int>(s.outer),
                                static_cast<int>(s.steps), static_cast<int>(s.inner));
  std::vector<T> mask = random_mask<T>(samples * s.steps);
  std::fill_n(mask.begin(), s.steps, T{0});
  const std::vector<T> dy = random_values<T>(samples * s.outer * s.inner);
  std::vector<T> x = random_values<T>(samples * s.outer * s.steps * s.inner);
  std::vector<double> y(dy.size()), dx(x.size());
  for (int64_t i = 0; i < static_cast<int64_t>(x.size()); ++i) {
    const int64_t j = i % s.inner, t = i / s.inner % s.steps, row = i / (s.inner * s.steps);
    const T* const of_sample = mask.data() + row / s.outer * s.steps;
    if (of_sample[t] == 0) {
      x[static_cast<size_t>(i)] = std::numeric_limits<T>::quiet_NaN();
      continue;
    }
    const auto count = static_cast<double>(std::count(of_sample, of_sample + s.steps, T{1}));
    const auto at = static_cast<size_t>(row * s.inner + j);
    y[at] += static_cast<double>(x[static_cast<size_t>(i)]) / count;
    dx[static_cast<size_t>(i)] = static_cast<double>(dy[at]) / count;
  }
  expect_near(
      what,
      on_teams(what, unwritten<T>(static_cast<int64_t>(y.size())),
               [&](const Team& team, T* out) { k.masked_mean_forward(team, out, x.data(), mask.data(), samples, s); }),
      y, 16);
  expect_near(what + ", backward",
              on_teams(what, unwritten<T>(static_cast<int64_t>(dx.size())),
                       [&](const Team& team, T* out) {
                         k.masked_mean_backward(team, out, dy.data(), mask.data(), samples, s);
                       }),
              dx, 4);
}

template <typename T>
void check_all() {
  for (const int64_t columns : kSizes) {
    check_making<T>(columns);
    check_rows<T>(columns);
    check_mean<T>({1, 7, columns});
  }
  check_mean<T>({3, 5, 1});
  check_mean<T>({2, 1, 9});
}

}  // namespace

void check_masks() {
  check_all<float>();
  check_all<double>();
}

}  // namespace pynn

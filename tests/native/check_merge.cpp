// Functions of two tensors, tensors side by side, rows of tables.
#include "check.h"

namespace pynn {
namespace {

using Axes = std::vector<BroadcastAxis>;

// What an operand or y has for one element of y.
struct Element {
  int64_t a, b;
};

// The elements of y, in order.
std::vector<Element> elements_of(const Axes& axes, int64_t samples) {
  std::vector<Element> all{{0, 0}};
  for (size_t i = 0; i < axes.size(); ++i) {
    std::vector<Element> finer;
    for (const Element& each : all)
      for (int64_t k = 0; k < axes[i].size * (i == 0 ? samples : 1); ++k)
        finer.push_back({each.a + k * axes[i].a, each.b + k * axes[i].b});
    all = finer;
  }
  return all;
}

double value_of(Binary function, double a, double b) {
  switch (function) {
    case Binary::add: return a + b;
    case Binary::subtract: return a - b;
    case Binary::multiply: return a * b;
    case Binary::divide: return a / b;
    case Binary::power: return std::pow(a, b);
    case Binary::maximum: return std::fmax(a, b);
    case Binary::minimum: return std::fmin(a, b);
    case Binary::floor_divide: return std::floor(a / b);
    case Binary::remainder: return a - b * std::floor(a / b);
    case Binary::less: return a < b;
    case Binary::less_equal: return a <= b;
    case Binary::not_equal: return a != b;
    case Binary::count: break;
  }
  return 0;
}

// The derivatives by a and by b.
std::pair<double, double> slopes_of(Binary function, double a, double b) {
  const double less = a < b ? 1 : a == b ? 0.5 : 0;
  switch (function) {
    case Binary::add: return {1, 1};
    case Binary::subtract: return {1, -1};
    case Binary::multiply: return {b, a};
    case Binary::divide: return {1 / b, -a / b / b};
    case Binary::power: return {b * std::pow(a, b - 1), std::pow(a, b) * std::log(a)};
    case Binary::maximum: return {1 - less, less};
    case Binary::minimum: return {less, 1 - less};
    case Binary::remainder: return {1, -std::floor(a / b)};
    case Binary::floor_divide:
    case Binary::less:
    case Binary::less_equal:
    case Binary::not_equal:
    case Binary::count: break;
  }
  return {0, 0};
}

// Steps of 1/4, so that some are equal.
template <typename T>
std::vector<T> positive_values(int64_t n) {
  std::vector<T> values = random_values<T>(n, 2, 10);
  for (T& value : values) value = std::floor(value) / 4;
  return values;
}

template <typename T>
void check_binary_of(const std::string& shape_name, const Axes& axes, Binary function, bool constant_b) {
  constexpr int64_t samples = 5;
  const Kernels<T>& k = kernels<T>();
  const std::string what =
      text("%s in %s, %s", kBinaryNames[static_cast<size_t>(function)], type_name<T>(), shape_name.c_str());
  const Broadcast shape{static_cast<int64_t>(axes.size()), axes.data()};
  const std::vector<Element> elements = elements_of(axes, samples);
  const auto size = static_cast<int64_t>(elements.size());
  const std::vector<T> a = positive_values<T>(elements.back().a + 1), b = positive_values<T>(elements.back().b + 1);
  const std::vector<T> dy = random_values<T>(size);
  std::vector<double> value, of_a(a.size()), of_b(b.size());
  for (size_t i = 0; i < elements.size(); ++i) {
    const auto at_a = static_cast<size_t>(elements[i].a), at_b = static_cast<size_t>(elements[i].b);
    value.push_back(value_of(function, double(a[at_a]), double(b[at_b])));
    const auto [slope_a, slope_b] = slopes_of(function, double(a[at_a]), double(b[at_b]));
    of_a[at_a] += double(dy[i]) * slope_a;
    of_b[at_b] += double(dy[i]) * slope_b;
  }
  const std::vector<T> y = on_teams(what, unwritten<T>(size), [&](const Team& team, T* out) {
    k.binary_forward(team, out, a.data(), b.data(), function, samples, shape);
  });
  expect_near(what, y, value, 16);
  const double terms =
      static_cast<double>(size) / static_cast<double>(std::min(a.size(), constant_b ? a.size() : b.size()));
  const std::vector<T> da = on_teams(what, unwritten<T>(static_cast<int64_t>(a.size())), [&](const Team& team, T* out) {
    k.binary_backward(team, out, nullptr, dy.data(), a.data(), b.data(), y.data(), function, samples, shape);
  });
  expect_near(what + ", gradient of a", da, of_a, 64 + 32 * terms);
  if (constant_b) return;
  const std::vector<T> db = on_teams(what, unwritten<T>(static_cast<int64_t>(b.size())), [&](const Team& team, T* out) {
    k.binary_backward(team, nullptr, out, dy.data(), a.data(), b.data(), y.data(), function, samples, shape);
  });
  expect_near(what + ", gradient of b", db, of_b, 64 + 32 * terms);
}

template <typename T>
void check_binary() {
  std::vector<std::pair<std::string, Axes>> shapes;
  for (const int64_t n : {1, 2, 7, 15, 16, 17, 33, 300}) {
    const std::string of = text(" of %d", static_cast<int>(n));
    shapes.push_back({"equal shapes" + of, {{n, 1, 1}}});
    shapes.push_back({"rows" + of + ", b for all of a sample", {{1, 6 * n, n}, {6, n, 0}, {n, 1, 1}}});
    shapes.push_back({"rows" + of + ", b for all of a row", {{6, n, 1}, {n, 1, 0}}});
    shapes.push_back({"rows" + of + ", a for all of a row", {{6, 1, n}, {n, 0, 1}}});
    shapes.push_back({"every row with every row" + of, {{1, 3 * n, 4 * n}, {3, n, 0}, {4, 0, n}, {n, 1, 1}}});
  }
  shapes.push_back({"repeated by turns", {{2, 3 * 5, 4}, {4, 0, 1}, {3, 5, 0}, {5, 1, 0}}});
  shapes.push_back({"sums over two axes", {{1, 7 * 3 * 17, 3}, {7, 3 * 17, 0}, {3, 17, 1}, {17, 1, 0}}});
  shapes.push_back({"a for all, b for none", {{1, 1, 40}, {40, 0, 1}}});
  for (size_t f = 0; f < static_cast<size_t>(Binary::count); ++f)
    for (const auto& [name, axes] : shapes) {
      check_binary_of<T>(name, axes, static_cast<Binary>(f), false);
      if (name != shapes[0].first) continue;
      check_binary_of<T>("a constant", {{7, 1, 0}}, static_cast<Binary>(f), true);
      check_binary_of<T>("a constant row", {{6, 17, 0}, {17, 1, 1}}, static_cast<Binary>(f), true);
    }
}

template <typename T>
void check_copy() {
  constexpr int64_t rows = 13;
  const Kernels<T>& k = kernels<T>();
  for (const int64_t columns : kSizes) {
    const std::string what = text("columns in %s, %d", type_name<T>(), static_cast<int>(columns));
    const int64_t wide = columns + 5;
    const std::vector<T> x = random_values<T>(rows * wide), start = random_values<T>(rows * (columns + 2));
    std::vector<T> expected = start;
    for (int64_t i = 0; i < rows; ++i)
      std::copy_n(x.begin() + i * wide + 3, columns, expected.begin() + i * (columns + 2) + 1);
    expect_equal(what,
                 on_teams(what, start,
                          [&](const Team& team, T* out) {
                            k.copy_columns(team, out + 1, x.data() + 3, rows, columns, columns + 2, wide);
                          }),
                 expected);
  }
}

template <typename T>
void check_embedding() {
  constexpr int64_t rows = 23, count = 57;
  const Kernels<T>& k = kernels<T>();
  std::vector<int32_t> ids;
  for (int64_t i = 0; i < count; ++i) ids.push_back(static_cast<int32_t>(random_value(0, 17)));  // some are not used
  for (const int64_t columns : kSizes) {
    const std::string what = text("a table in %s, %d columns", type_name<T>(), static_cast<int>(columns));
    const std::vector<T> table = random_values<T>(rows * columns), dy = random_values<T>(count * columns);
    std::vector<T> found, sums(table.size()), more = table;
    for (int64_t i = 0; i < count; ++i)
      for (int64_t j = 0; j < columns; ++j) {
        const auto at = static_cast<size_t>(ids[static_cast<size_t>(i)] * columns + j);
        found.push_back(table[at]);
        sums[at] += dy[static_cast<size_t>(i * columns + j)];
        more[at] += dy[static_cast<size_t>(i * columns + j)];
      }
    expect_equal(what,
                 on_teams(what, unwritten<T>(count * columns),
                          [&](const Team& team, T* out) {
                            k.embedding_forward(team, out, ids.data(), table.data(), count, columns);
                          }),
                 found);
    expect_equal(what + ", backward",
                 on_teams(what, unwritten<T>(rows * columns),
                          [&](const Team& team, T* out) {
                            k.embedding_backward(team, out, nullptr, dy.data(), ids.data(), count, rows, columns,
                                                 false);
                          }),
                 sums);
    std::vector<char> marks(rows), expected(rows);
    for (const int32_t id : ids) expected[static_cast<size_t>(id)] = 1;
    expect_equal(what + ", added",
                 on_teams(what, table,
                          [&](const Team& team, T* out) {
                            k.embedding_backward(team, out, marks.data(), dy.data(), ids.data(), count, rows, columns,
                                                 true);
                          }),
                 more);
    check(marks == expected, what, "marks other rows");
  }
  const std::string what = text("ids as numbers, %s", type_name<T>());
  expect_equal(what,
               on_teams(what, unwritten<T>(count),
                        [&](const Team& team, T* out) { k.numbers_of_ids(team, out, ids.data(), count); }),
               std::vector<T>(ids.begin(), ids.end()));
}

template <typename T>
void check_all() {
  check_binary<T>();
  check_copy<T>();
  check_embedding<T>();
}

}  // namespace

void check_merge() {
  check_all<float>();
  check_all<double>();
}

}  // namespace pynn

// What the checks have in common: numbers to compute with, teams of several sizes, comparisons.
#pragma once

#include <stdint.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "../../csrc/kernels/dispatch.h"
#include "../../csrc/runtime/parallel.h"

namespace pynn {

// Some checks, by the name that the program takes as an argument.
struct Family {
  const char* name;
  void (*run)();
  bool only_if_named = false;  // it takes long
};

// Runs the families that are named as arguments, or all. What main() shall return: 1 if anything is wrong.
int run_families(const std::vector<Family>& families, int count, char** arguments);

// The families of check_kernels; each runs in float and in double.
void check_attention();
void check_columns();  // bias, PReLU, rows by their root mean square
void check_convolutions();
void check_functions();  // activations, rescaling, softmax, resampling, axes in another order
void check_losses();     // and metrics
void check_masks();
void check_merge();       // functions of two tensors, tensors side by side, rows of tables
void check_optimizers();  // and what else has to do with parameters, and with rows of data
void check_products();    // gemm, dense
void check_noise();
void check_polling();  // how often kernels look for Ctrl-C
void check_recurrent();
void check_regular();  // normalisation, penalties, constraints
void check_runtime();  // what kernels stand on
void check_windows();  // pooling

// Around the lengths of vectors (2 to 16 elements).
constexpr int64_t kSizes[] = {1, 2, 7, 15, 16, 17, 33};

// The sizes of teams to check with: 1, 2, 3, 7, and every other time the other way round. OpenMP ends threads that a
// smaller team does not need, and QEMU keeps some memory of each: 6 GB in all if they always ascended, 3 GB so.
std::vector<int> teams();

// printf into a string.
std::string text(const char* format, ...) __attribute__((format(printf, 1, 2)));

// Counts a check; one that failed is printed, with `found`.
void check(bool right, const std::string& what, const std::string& found);

// Even random numbers of [low, high); the next call gives others, the next run of the program the same.
double random_value(double low, double high);

template <typename T>
std::vector<T> random_values(int64_t n, double low = -1, double high = 1) {
  std::vector<T> x(static_cast<size_t>(n));
  for (T& value : x) value = static_cast<T>(random_value(low, high));
  return x;
}

template <typename T>
const char* type_name() {
  return sizeof(T) == sizeof(float) ? "float" : "double";
}

template <typename T>
std::vector<double> as_double(const std::vector<T>& x) {
  return {x.begin(), x.end()};
}

// For outputs: whatever is not overwritten stays NaN.
template <typename T>
std::vector<T> unwritten(int64_t n) {
  return std::vector<T>(static_cast<size_t>(n), std::numeric_limits<T>::quiet_NaN());
}

// Every element within `tolerance` units of T's epsilon of the expected one, relative to it or to 1.
template <typename T>
void expect_near(const std::string& what, const std::vector<T>& got, const std::vector<double>& expected,
                 double tolerance) {
  const double unit = static_cast<double>(std::numeric_limits<T>::epsilon());
  size_t wrong = 0, worst = 0;
  double worst_error = -1;
  for (size_t i = 0; i < expected.size(); ++i) {
    double error = std::abs(static_cast<double>(got[i]) - expected[i]) / std::fmax(1, std::abs(expected[i])) / unit;
    if (std::isnan(error)) error = std::numeric_limits<double>::infinity();
    if (error > tolerance) ++wrong;
    if (error > worst_error) worst_error = error, worst = i;
  }
  check(got.size() == expected.size() && wrong == 0, what,
        text("%zu of %zu elements are off, most of all number %zu: %.9g, expected %.9g (%.3g epsilon, allowed %g)",
             wrong, expected.size(), worst, static_cast<double>(got[worst]), expected[worst], worst_error, tolerance));
}

// The same bits.
template <typename T>
void expect_equal(const std::string& what, const std::vector<T>& got, const std::vector<T>& expected) {
  size_t i = 0;
  while (i < expected.size() && memcmp(&got[i], &expected[i], sizeof(T)) == 0) ++i;
  check(got.size() == expected.size() && i == expected.size(), what,
        i == expected.size() ? std::string("sizes differ")
                             : text("element %zu is %.9g, expected %.9g", i, static_cast<double>(got[i]),
                                    static_cast<double>(expected[i])));
}

// Where an array has the words of the Nonzero of a matrix (rows, columns): by_row, by_column, and some that are no part
// of it.
struct NonzeroLayout {
  int64_t rows, columns;
  int64_t stride() const { return rows + 3; }
  int64_t by_column() const { return (columns + 31) / 32 * stride() + 5; }
  int64_t size() const { return by_column() + (rows + 31) / 32 * columns; }
  Nonzero in(uint32_t* words) const { return {words, words + by_column(), stride()}; }
};

template <typename T>
std::vector<uint32_t> nonzero_words(const NonzeroLayout& layout, const std::vector<T>& x) {
  constexpr uint32_t other = 0xa5a5a5a5;
  std::vector<uint32_t> words(static_cast<size_t>(layout.size()), other);
  const Nonzero nonzero = layout.in(words.data());
  for (int64_t i = 0; i < layout.rows; ++i)
    for (int64_t j = 0; j < layout.columns; j += 32) nonzero.by_row[j / 32 * nonzero.stride + i] = 0;
  for (int64_t i = 0; i < layout.rows; i += 32)
    for (int64_t j = 0; j < layout.columns; ++j) nonzero.by_column[i / 32 * layout.columns + j] = 0;
  for (int64_t i = 0; i < layout.rows; ++i) {
    for (int64_t j = 0; j < layout.columns; ++j) {
      const uint32_t is = x[static_cast<size_t>(i * layout.columns + j)] != 0;
      nonzero.by_row[j / 32 * nonzero.stride + i] |= is << j % 32;
      nonzero.by_column[i / 32 * layout.columns + j] |= is << i % 32;
    }
  }
  return words;
}

// Runs body(team, out) on teams of several sizes, where out is each time a copy of `start`. Checks that the bits are
// the same on all, and that nothing is written behind the end.
template <typename T, typename Body>
std::vector<T> on_teams(const std::string& what, const std::vector<T>& start, const Body& body) {
  const std::vector<T> guard(20, static_cast<T>(77));
  std::vector<T> first;
  for (const int threads : teams()) {
    std::vector<T> out = start;
    out.insert(out.end(), guard.begin(), guard.end());
    run_team(threads, [&](const Team& team) { body(team, out.data()); });
    const auto end = out.begin() + static_cast<std::ptrdiff_t>(start.size());
    expect_equal(what + ": behind the end", std::vector<T>(end, out.end()), guard);
    out.erase(end, out.end());
    if (first.empty()) first = out;
    expect_equal(what + text(": %d threads against others", threads), out, first);
  }
  return first;
}

// Memory of one member or of the team, not a number to begin with; nothing may be written behind its end.
template <typename T>
class Scratch {
 public:
  explicit Scratch(int64_t size) : size_(static_cast<size_t>(size)), memory_(size_ + kGuard, kMark) {}
  T* begin() {
    std::fill_n(memory_.begin(), size_, std::numeric_limits<T>::quiet_NaN());
    return memory_.data();
  }
  bool overrun() const {
    return std::any_of(memory_.begin() + static_cast<std::ptrdiff_t>(size_), memory_.end(),
                       [](T x) { return x != kMark; });
  }

 private:
  static constexpr size_t kGuard = 64;
  static constexpr T kMark = 77;
  size_t size_;
  std::vector<T> memory_;
};

// What kernels ask for: something of each member's own, something of the team.
template <typename T>
struct Space {
  static constexpr int kMembers = 7;
  std::vector<Scratch<T>> own;
  Scratch<T> shared;

  Space(int64_t own_size, int64_t shared_size) : own(kMembers, Scratch<T>(own_size)), shared(shared_size) {}
  T* of(const Team& team) { return own[static_cast<size_t>(team.rank)].begin(); }
  T* of_all(const Team& team) {
    if (team.rank == 0) pointer_ = shared.begin();
    team.barrier();
    return pointer_;
  }
  void expect_no_overrun(const std::string& what) const {
    check(std::none_of(own.begin(), own.end(), [](const Scratch<T>& s) { return s.overrun(); }), what,
          "writes behind the end of a member's memory");
    check(!shared.overrun(), what, "writes behind the end of the team's memory");
  }

 private:
  T* pointer_ = nullptr;
};

// Several outputs in one array, with a gap behind each that must stay as it is.
template <typename T>
class Outputs {
 public:
  explicit Outputs(const std::vector<std::vector<T>>& parts) {
    for (const std::vector<T>& part : parts) {
      ranges_.push_back({static_cast<int64_t>(start_.size()), static_cast<int64_t>(start_.size() + part.size())});
      start_.insert(start_.end(), part.begin(), part.end());
      start_.insert(start_.end(), kGap, kMark);
    }
  }
  const std::vector<T>& start() const { return start_; }
  T* pointer(T* out, size_t number) const { return out + ranges_[number].begin; }
  std::vector<T> part(const std::vector<T>& out, size_t number) const {
    return {out.begin() + ranges_[number].begin, out.begin() + ranges_[number].end};
  }
  void expect_gaps(const std::string& what, const std::vector<T>& out) const {
    for (const Range& range : ranges_)
      check(std::all_of(out.begin() + range.end, out.begin() + range.end + kGap, [](T x) { return x == kMark; }), what,
            "writes behind the end of an output");
  }

 private:
  static constexpr int64_t kGap = 20;
  static constexpr T kMark = 77;
  std::vector<Range> ranges_;
  std::vector<T> start_;
};

}  // namespace pynn

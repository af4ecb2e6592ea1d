// Losses and metrics.
#include <algorithm>
#include <cmath>

#include "check.h"

namespace pynn {
namespace {

constexpr double kEpsilon = 1e-7;

using Row = std::vector<double>;

// The sum of f(t, p) over a row.
template <typename F>
double sum(const Row& t, const Row& p, F f) {
  double total = 0;
  for (size_t j = 0; j < p.size(); ++j) total += f(t[j], p[j]);
  return total;
}

template <typename F>
double mean(const Row& t, const Row& p, F f) {
  return sum(t, p, f) / static_cast<double>(p.size());
}

double clip(double x, double low, double high) { return std::min(std::max(x, low), high); }
double softplus(double x) { return std::log1p(std::exp(x)); }
double smoothed(double t, double smoothing, size_t classes) {
  return t * (1 - smoothing) + smoothing / static_cast<double>(classes);
}

double categorical_crossentropy(const Row& t, const Row& p, const LossSpec& spec) {
  const double total = sum(t, p, [](double, double v) { return v; });
  return sum(t, p, [&](double y, double v) {
    return -smoothed(y, spec.a, p.size()) * std::log(clip(v / total, kEpsilon, 1 - kEpsilon));
  });
}

double categorical_crossentropy_from_logits(const Row& t, const Row& z, const LossSpec& spec) {
  const double total = sum(t, z, [](double, double v) { return std::exp(v); });
  return sum(t, z, [&](double y, double v) { return smoothed(y, spec.a, z.size()) * (std::log(total) - v); });
}

// Of a target, its probability and the logarithms of that and its rest.
double binary_focal(double t, double p, double log_p, double log_rest, const LossSpec& spec) {
  const double s = smoothed(t, spec.a, 2), missing = s * (1 - p) + (1 - s) * p;
  const double weight = spec.c < 0 ? 1 : s * spec.c + (1 - s) * (1 - spec.c);
  return -weight * std::pow(missing, spec.b) * (s * log_p + (1 - s) * log_rest);
}

double categorical_focal(const Row& t, const Row& p, const LossSpec& spec) {
  const double total = sum(t, p, [](double, double v) { return v; });
  return sum(t, p, [&](double y, double v) {
    const double q = clip(v / total, kEpsilon, 1 - kEpsilon);
    return -spec.c * smoothed(y, spec.a, p.size()) * std::pow(1 - q, spec.b) * std::log(q);
  });
}

enum class Numbers { real, positive, fractions, binary, signs, one_hot, labels };

const struct {
  const char* name;
  LossSpec spec;
  Numbers target, prediction;
  double (*f)(const Row& t, const Row& p, const LossSpec& spec);
} kLosses[] = {
    {"mean_squared_error",
     {Loss::mean_squared_error, 0},
     Numbers::real,
     Numbers::real,
     [](const Row& t, const Row& p, const LossSpec&) {
       return mean(t, p, [](double y, double v) { return (v - y) * (v - y); });
     }},
    {"sum_squared_error",
     {Loss::sum_squared_error, 0},
     Numbers::real,
     Numbers::real,
     [](const Row& t, const Row& p, const LossSpec&) {
       return sum(t, p, [](double y, double v) { return (v - y) * (v - y) / 2; });
     }},
    {"mean_absolute_error",
     {Loss::mean_absolute_error, 0},
     Numbers::real,
     Numbers::real,
     [](const Row& t, const Row& p, const LossSpec&) {
       return mean(t, p, [](double y, double v) { return std::abs(v - y); });
     }},
    {"mean_absolute_percentage_error",
     {Loss::mean_absolute_percentage_error, 0},
     Numbers::positive,
     Numbers::real,
     [](const Row& t, const Row& p, const LossSpec&) {
       return mean(t, p, [](double y, double v) { return 100 * std::abs(v - y) / y; });
     }},
    {"mean_squared_logarithmic_error",
     {Loss::mean_squared_logarithmic_error, 0},
     Numbers::positive,
     Numbers::positive,
     [](const Row& t, const Row& p, const LossSpec&) {
       return mean(t, p, [](double y, double v) { return std::pow(std::log1p(v) - std::log1p(y), 2); });
     }},
    {"huber",
     {Loss::huber, 0.7},
     Numbers::real,
     Numbers::real,
     [](const Row& t, const Row& p, const LossSpec& spec) {
       return mean(t, p, [delta = spec.a](double y, double v) {
         const double e = std::abs(v - y);
         return e <= delta ? e * e / 2 : delta * e - delta * delta / 2;
       });
     }},
    {"log_cosh",
     {Loss::log_cosh, 0},
     Numbers::real,
     Numbers::real,
     [](const Row& t, const Row& p, const LossSpec&) {
       return mean(t, p, [](double y, double v) { return std::log(std::cosh(v - y)); });
     }},
    {"cosine_similarity",
     {Loss::cosine_similarity, 0},
     Numbers::real,
     Numbers::positive,
     [](const Row& t, const Row& p, const LossSpec&) {
       const auto product = [](double y, double v) { return y * v; };
       return -sum(t, p, product) / std::sqrt(sum(t, t, product) * sum(p, p, product));
     }},
    {"poisson",
     {Loss::poisson, 0},
     Numbers::positive,
     Numbers::positive,
     [](const Row& t, const Row& p, const LossSpec&) {
       return mean(t, p, [](double y, double v) { return v - y * std::log(v + kEpsilon); });
     }},
    {"poisson_from_logs",
     {Loss::poisson_from_logs, 0},
     Numbers::positive,
     Numbers::real,
     [](const Row& t, const Row& p, const LossSpec&) {
       return mean(t, p, [](double y, double v) { return std::exp(v) - y * v; });
     }},
    {"kl_divergence",
     {Loss::kl_divergence, 0},
     Numbers::fractions,
     Numbers::fractions,
     [](const Row& t, const Row& p, const LossSpec&) {
       return sum(t, p, [](double y, double v) { return y * std::log(y / v); });
     }},
    {"binary_crossentropy",
     {Loss::binary_crossentropy, 0.1},
     Numbers::binary,
     Numbers::fractions,
     [](const Row& t, const Row& p, const LossSpec& spec) {
       return mean(t, p, [a = spec.a](double y, double v) {
         const double s = smoothed(y, a, 2);
         return -(s * std::log(v) + (1 - s) * std::log(1 - v));
       });
     }},
    {"binary_crossentropy_from_logits",
     {Loss::binary_crossentropy_from_logits, 0.1},
     Numbers::binary,
     Numbers::real,
     [](const Row& t, const Row& p, const LossSpec& spec) {
       return mean(t, p, [a = spec.a](double y, double v) { return softplus(v) - v * smoothed(y, a, 2); });
     }},
    {"binary_focal_crossentropy",
     {Loss::binary_focal_crossentropy, 0.1, 1.5, 0.3},
     Numbers::binary,
     Numbers::fractions,
     [](const Row& t, const Row& p, const LossSpec& spec) {
       return mean(t, p, [&](double y, double v) { return binary_focal(y, v, std::log(v), std::log(1 - v), spec); });
     }},
    {"binary_focal_crossentropy_from_logits",
     {Loss::binary_focal_crossentropy_from_logits, 0.1, 2, -1},
     Numbers::binary,
     Numbers::real,
     [](const Row& t, const Row& p, const LossSpec& spec) {
       return mean(t, p, [&](double y, double z) {
         return binary_focal(y, 1 / (1 + std::exp(-z)), -softplus(-z), -softplus(z), spec);
       });
     }},
    {"categorical_focal_crossentropy",
     {Loss::categorical_focal_crossentropy, 0.1, 1.5, 0.3},
     Numbers::one_hot,
     Numbers::fractions,
     categorical_focal},
    {"categorical_focal_crossentropy_from_logits",
     {Loss::categorical_focal_crossentropy_from_logits, 0, 2, 0.25},
     Numbers::one_hot,
     Numbers::real,
     [](const Row& t, const Row& z, const LossSpec& spec) {
       Row p;
       for (const double v : z) p.push_back(std::exp(v));
       return categorical_focal(t, p, spec);
     }},
    {"categorical_crossentropy",
     {Loss::categorical_crossentropy, 0.1},
     Numbers::one_hot,
     Numbers::fractions,
     categorical_crossentropy},
    {"categorical_crossentropy_from_logits",
     {Loss::categorical_crossentropy_from_logits, 0.1},
     Numbers::one_hot,
     Numbers::real,
     categorical_crossentropy_from_logits},
    {"sparse_categorical_crossentropy",
     {Loss::sparse_categorical_crossentropy, 0},
     Numbers::labels,
     Numbers::fractions,
     categorical_crossentropy},
    {"sparse_categorical_crossentropy_from_logits",
     {Loss::sparse_categorical_crossentropy_from_logits, 0},
     Numbers::labels,
     Numbers::real,
     categorical_crossentropy_from_logits},
    {"hinge",
     {Loss::hinge, 0},
     Numbers::signs,
     Numbers::real,
     [](const Row& t, const Row& p, const LossSpec&) {
       return mean(t, p, [](double y, double v) { return std::max(1 - y * v, 0.0); });
     }},
    {"squared_hinge",
     {Loss::squared_hinge, 0},
     Numbers::signs,
     Numbers::real,
     [](const Row& t, const Row& p, const LossSpec&) {
       return mean(t, p, [](double y, double v) { return std::pow(std::max(1 - y * v, 0.0), 2); });
     }},
    {"categorical_hinge",
     {Loss::categorical_hinge, 0},
     Numbers::one_hot,
     Numbers::real,
     [](const Row& t, const Row& p, const LossSpec&) {
       double other = -1e300;
       for (size_t j = 0; j < p.size(); ++j) other = std::max(other, (1 - t[j]) * p[j]);
       return std::max(1 + other - sum(t, p, [](double y, double v) { return y * v; }), 0.0);
     }},
    {"perceptron",
     {Loss::perceptron, 0},
     Numbers::signs,
     Numbers::real,
     [](const Row& t, const Row& p, const LossSpec&) {
       return mean(t, p, [](double y, double v) { return std::max(-y * v, 0.0); });
     }},
    {"mean_value",
     {Loss::mean_value, 0},
     Numbers::real,
     Numbers::real,
     [](const Row& t, const Row& p, const LossSpec&) { return mean(t, p, [](double, double v) { return v; }); }},
};
static_assert(sizeof(kLosses) / sizeof(kLosses[0]) == static_cast<size_t>(Loss::count), "a loss has no row");

const struct {
  const char* name;
  MetricSpec spec;
  Numbers target;
  double (*f)(const Row& t, const Row& p, double a);
} kMetrics[] = {
    {"binary_accuracy",
     {Metric::binary_accuracy, 0.5},
     Numbers::binary,
     [](const Row& t, const Row& p, double a) {
       return mean(t, p, [a](double y, double v) { return y == (v > a ? 1.0 : 0.0) ? 1.0 : 0.0; });
     }},
    {"categorical_accuracy",
     {Metric::categorical_accuracy, 0},
     Numbers::one_hot,
     [](const Row& t, const Row& p, double) {
       return std::max_element(t.begin(), t.end()) - t.begin() == std::max_element(p.begin(), p.end()) - p.begin()
                  ? 1.0
                  : 0.0;
     }},
    {"top_k_categorical_accuracy",
     {Metric::top_k_categorical_accuracy, 3},
     Numbers::one_hot,
     [](const Row& t, const Row& p, double k) {
       const double score = p[static_cast<size_t>(std::max_element(t.begin(), t.end()) - t.begin())];
       return std::count_if(p.begin(), p.end(), [score](double v) { return v > score; }) < k ? 1.0 : 0.0;
     }},
};

// Targets and predictions of some rows: as the kernel takes them, and in double.
template <typename T>
struct Batch {
  std::vector<T> target, pred;
  std::vector<int32_t> labels;
  std::vector<Row> target_rows, pred_rows;

  Batch(Numbers target_kind, Numbers pred_kind, int64_t rows, int64_t columns) {
    for (int64_t i = 0; i < rows; ++i) {
      const auto label = static_cast<int32_t>(random_value(0, static_cast<double>(columns)));
      labels.push_back(label);
      Row t, p;
      for (int64_t j = 0; j < columns; ++j) {
        const bool one_hot = target_kind == Numbers::one_hot || target_kind == Numbers::labels;
        target.push_back(static_cast<T>(one_hot ? (j == label ? 1 : 0) : number(target_kind)));
        pred.push_back(static_cast<T>(number(pred_kind)));
        t.push_back(static_cast<double>(target.back()));
        p.push_back(static_cast<double>(pred.back()));
      }
      target_rows.push_back(t);
      pred_rows.push_back(p);
    }
  }

  TargetRows<T> rows(Numbers kind) const {
    return kind == Numbers::labels ? TargetRows<T>{nullptr, labels.data()} : TargetRows<T>{target.data(), nullptr};
  }

 private:
  static double number(Numbers kind) {
    switch (kind) {
      case Numbers::positive: return random_value(0.3, 2.5);
      case Numbers::fractions: return random_value(0.05, 0.95);
      case Numbers::binary: return random_value(0, 1) < 0.5 ? 0 : 1;
      case Numbers::signs: return random_value(0, 1) < 0.5 ? -1 : 1;
      default: return random_value(-3, 3);
    }
  }
};

constexpr int64_t kRows = 70;

template <typename T>
void check_losses_of() {
  const double slope_tolerance = sizeof(T) == sizeof(float) ? 256 : 1e10;  // double: what a difference has
  const Kernels<T>& k = kernels<T>();
  for (const auto& row : kLosses) {
    for (const int64_t columns : kSizes) {
      const std::string what = text("%s in %s, %d columns", row.name, type_name<T>(), static_cast<int>(columns));
      const Batch<T> batch(row.target, row.prediction, kRows, columns);
      const TargetRows<T> target = batch.rows(row.target);
      const double scale = 0.25;
      const std::vector<double> values = on_teams(what, unwritten<double>(kRows), [&](const Team& team, double* out) {
        k.loss(team, out, nullptr, batch.pred.data(), target, kRows, columns, row.spec, scale);
      });
      const std::vector<T> slopes =
          on_teams(what + ", gradient", unwritten<T>(kRows * columns), [&](const Team& team, T* out) {
            k.loss(team, nullptr, out, batch.pred.data(), target, kRows, columns, row.spec, scale);
          });
      std::vector<double> both_values(kRows);
      expect_equal(what + ", gradient with the value",
                   on_teams(what, unwritten<T>(kRows * columns),
                            [&](const Team& team, T* out) {
                              k.loss(team, both_values.data(), out, batch.pred.data(), target, kRows, columns, row.spec,
                                     scale);
                            }),
                   slopes);
      expect_equal(what + ", value with the gradient", both_values, values);

      std::vector<double> expected, expected_slopes;
      for (size_t i = 0; i < static_cast<size_t>(kRows); ++i) {
        const Row &t = batch.target_rows[i], &p = batch.pred_rows[i];
        expected.push_back(row.f(t, p, row.spec));
        for (size_t j = 0; j < p.size(); ++j) {
          Row up = p, down = p;
          up[j] += 1e-6;
          down[j] -= 1e-6;
          expected_slopes.push_back(scale * (row.f(t, up, row.spec) - row.f(t, down, row.spec)) / (up[j] - down[j]));
        }
      }
      // The values are handed out in double, but they are as exact as T.
      expect_near(what, std::vector<T>(values.begin(), values.end()), expected, 64);
      expect_near(what + ", gradient", slopes, expected_slopes, slope_tolerance);
    }
  }
}

template <typename T>
void check_metrics_of() {
  const Kernels<T>& k = kernels<T>();
  for (const auto& row : kMetrics) {
    for (const int64_t columns : kSizes) {
      Batch<T> batch(row.target, Numbers::real, kRows, columns);
      // Few different scores, so that there are ties.
      for (T& p : batch.pred) p = std::round(p);
      for (Row& p : batch.pred_rows)
        for (double& v : p) v = std::round(v);
      std::vector<double> expected;
      for (size_t i = 0; i < static_cast<size_t>(kRows); ++i)
        expected.push_back(row.f(batch.target_rows[i], batch.pred_rows[i], row.spec.a));
      const auto run = [&](Metric kind, Numbers target, const char* sparse) {
        const std::string what =
            text("%s%s in %s, %d columns", sparse, row.name, type_name<T>(), static_cast<int>(columns));
        expect_equal(what,
                     on_teams(what, unwritten<double>(kRows),
                              [&](const Team& team, double* out) {
                                k.metric(team, out, batch.pred.data(), batch.rows(target), kRows, columns,
                                         {kind, row.spec.a});
                              }),
                     expected);
      };
      run(row.spec.kind, row.target, "");
      if (row.spec.kind == Metric::categorical_accuracy)
        run(Metric::sparse_categorical_accuracy, Numbers::labels, "sparse ");
      if (row.spec.kind == Metric::top_k_categorical_accuracy)
        run(Metric::sparse_top_k_categorical_accuracy, Numbers::labels, "sparse ");
    }
  }
}

// Weights of each row, and of several rows in a row, some of them 0 and some masks.
template <typename T>
void check_weights_of() {
  const Kernels<T>& k = kernels<T>();
  for (const int64_t columns : kSizes)
    for (const int64_t each : {int64_t{1}, int64_t{7}})
      for (const bool masks_only : {false, true}) {
        const std::string what = text("weights in %s, %d columns, %d rows each", type_name<T>(),
                                      static_cast<int>(columns), static_cast<int>(each));
        std::vector<T> weights = random_values<T>(kRows / each, 0.1, 2);
        weights[1] = 0;
        weights[2] = -1;
        std::vector<double> values;
        for (const T value : random_values<T>(kRows, -1, 1)) values.push_back(static_cast<double>(value));
        std::vector<T> slopes = random_values<T>(kRows * columns, -1, 1);
        values[static_cast<size_t>(2 * each)] = NAN;
        slopes[static_cast<size_t>(2 * each * columns)] = static_cast<T>(INFINITY);
        std::vector<double> expected;
        std::vector<T> expected_slopes;
        for (size_t row = 0; row < static_cast<size_t>(kRows); ++row) {
          const T given = weights[row / static_cast<size_t>(each)], weight = masks_only ? T{1} : given;
          expected.push_back(given < 0 ? 0 : static_cast<double>(static_cast<T>(values[row]) * weight));
          for (size_t j = row * static_cast<size_t>(columns); j < (row + 1) * static_cast<size_t>(columns); ++j)
            expected_slopes.push_back(given < 0 ? T{0} : slopes[j] * weight);
        }
        std::vector<double> got;
        const std::vector<T> got_slopes = on_teams(what, slopes, [&](const Team& team, T* out) {
          if (team.rank == 0) got = values;
          team.barrier();
          k.weigh(team, got.data(), out, {weights.data(), each}, kRows, columns, masks_only);
        });
        expect_equal(what, got, expected);
        expect_equal(what + ", gradient", got_slopes, expected_slopes);
        const auto without = [&](const Team& team, double* out) {
          k.weigh(team, out, nullptr, {weights.data(), each}, kRows, columns, masks_only);
        };
        expect_equal(what + ", no gradient", on_teams(what, values, without), expected);
      }
}

}  // namespace

void check_losses() {
  check_losses_of<float>();
  check_losses_of<double>();
  check_metrics_of<float>();
  check_metrics_of<double>();
  check_weights_of<float>();
  check_weights_of<double>();
}

}  // namespace pynn

#include "overlap.h"

#include "checks.h"
#include "polling.h"
#include "register.h"

namespace pynn {
namespace PYNN_ISA {
namespace {

// Calls body(at, group, count) for the runs of a sample, along its last axis: the first element, its group, and how
// many there are. Long runs come in pieces of a fixed size.
template <typename Body>
void for_runs(Look& look, const OverlapAxes& axes, Body body) {
  constexpr int64_t piece = 8192;
  const int last = axes.count - 1;
  const int64_t length = axes.sizes[last];
  int64_t steps[OverlapAxes::most], places[OverlapAxes::most] = {};  // what a step along an axis adds to the group
  int64_t step = axes.kept[last] ? length : 1;
  for (int b = last - 1; b >= 0; --b) {
    steps[b] = axes.kept[b] ? step : 0;
    if (axes.kept[b]) step *= axes.sizes[b];
  }
  int64_t group = 0;
  for (int64_t at = 0; at < axes.elements; at += length) {
    for (int64_t begin = 0; begin < length; begin += piece) {
      const int64_t count = begin + piece < length ? piece : length - begin;
      body(at + begin, axes.kept[last] ? group + begin : group, count);
      look.after(count);
    }
    for (int b = last - 1; b >= 0; --b) {
      group += steps[b];
      if (++places[b] < axes.sizes[b]) break;
      group -= steps[b] * axes.sizes[b];
      places[b] = 0;
    }
  }
}

// Adds the sums over n elements.
template <typename T>
void add_run(double* both, double* of_t, double* of_p, const T* p, const T* t, int64_t n) {
  constexpr int64_t lanes = 16;
  int64_t i = 0;
  if (n >= lanes) {
    double b[lanes] = {}, y[lanes] = {}, q[lanes] = {};
    for (; i + lanes <= n; i += lanes)
      for (int64_t lane = 0; lane < lanes; ++lane) {
        const double of_target = static_cast<double>(t[i + lane]), of_pred = static_cast<double>(p[i + lane]);
        b[lane] += of_target * of_pred;
        y[lane] += of_target;
        q[lane] += of_pred;
      }
    for (int64_t lane = 0; lane < lanes; ++lane) {
      *both += b[lane];
      *of_t += y[lane];
      *of_p += q[lane];
    }
  }
  for (; i < n; ++i) {
    *both += static_cast<double>(t[i]) * static_cast<double>(p[i]);
    *of_t += static_cast<double>(t[i]);
    *of_p += static_cast<double>(p[i]);
  }
}

template <typename T>
void overlap_sums(const Team& team, double* sums, const T* pred, const T* target, int64_t samples,
                  const OverlapAxes& axes) {
  assert(is_member(team) && axes.count > 0 && axes.count <= OverlapAxes::most && has(sums, samples * 3 * axes.groups));
  assert(has(pred, samples * axes.elements) && has(target, samples * axes.elements));
  Look look(team);
  const bool last_kept = axes.kept[axes.count - 1];
  const Range mine = team.share(samples);
  for (int64_t sample = mine.begin; sample < mine.end; ++sample) {
    double* const both = sums + sample * 3 * axes.groups;
    double* const of_t = both + axes.groups;
    double* const of_p = of_t + axes.groups;
    const T *p = pred + sample * axes.elements, *t = target + sample * axes.elements;
    for (int64_t i = 0; i < 3 * axes.groups; ++i) {
      both[i] = 0;
      look.after(1);
    }
    for_runs(look, axes, [&](int64_t at, int64_t group, int64_t count) {
      if (!last_kept) return add_run(both + group, of_t + group, of_p + group, p + at, t + at, count);
      for (int64_t j = 0; j < count; ++j)
        add_run(both + group + j, of_t + group + j, of_p + group + j, p + at + j, t + at + j, 1);
    });
  }
}

// The loss of a group, and what its gradient is made of: by an element of target t it is t * by_target + constant.
struct Overlap {
  double value, by_target, constant;

  Overlap(double both, double of_t, double of_p, const OverlapSpec& spec) {
    const double all = both + spec.alpha * (of_t - both) + spec.beta * (of_p - both) + spec.epsilon;
    const double share = both / all;
    value = 1 - share;
    by_target = (share * (1 - spec.alpha - spec.beta) - 1) / all;
    constant = share * spec.beta / all;
  }
};

template <typename T>
void overlap_of_batch(const Team& team, double* totals, double* factors, const double* sums, int64_t samples,
                      const OverlapSpec& spec, double scale) {
  const int64_t groups = spec.axes.groups;
  assert(is_member(team) && has(totals, 3 * groups) && has(factors, 2 * groups) && has(sums, samples * 3 * groups));
  Look look(team);
  const Range mine = team.share(groups, 8);
  for (int64_t group = mine.begin; group < mine.end; ++group) {
    double total[3] = {};
    for (int64_t sample = 0; sample < samples; ++sample) {
      for (int64_t part = 0; part < 3; ++part) total[part] += sums[(sample * 3 + part) * groups + group];
      look.after(3);
    }
    for (int64_t part = 0; part < 3; ++part) totals[part * groups + group] = total[part];
    const Overlap loss(total[0], total[1], total[2], spec);
    factors[group] = scale * loss.by_target;
    factors[groups + group] = scale * loss.constant;
  }
}

template <typename T>
void overlap_of_samples(const Team& team, double* values, double* sums, const RowWeights<T>& weights, int64_t rows,
                        int64_t samples, const OverlapSpec& spec, double scale) {
  const int64_t groups = spec.axes.groups;
  assert(is_member(team) && has(values, samples) && has(sums, samples * 3 * groups));
  assert(rows == groups || (weights.mask == nullptr && (weights.values == nullptr || weights.each == rows)));
  Look look(team);
  const Range mine = team.share(samples);
  for (int64_t sample = mine.begin; sample < mine.end; ++sample) {
    double* const both = sums + sample * 3 * groups;
    values[sample] = 0;
    for (int64_t group = 0; group < groups; ++group) {
      const T weight = weights.of(sample * rows + (rows == groups ? group : 0));
      const Overlap loss(both[group], both[groups + group], both[2 * groups + group], spec);
      // What is masked may be anything, also not finite.
      const bool counts = weight >= 0;
      values[sample] += counts ? static_cast<double>(weight) * loss.value : 0;
      both[group] = counts ? scale * static_cast<double>(weight) * loss.by_target : 0;
      both[groups + group] = counts ? scale * static_cast<double>(weight) * loss.constant : 0;
      look.after(4);
    }
  }
}

double overlap_value(const double* totals, const OverlapSpec& spec) {
  const int64_t groups = spec.axes.groups;
  double value = 0;
  for (int64_t group = 0; group < groups; ++group)
    value += Overlap(totals[group], totals[groups + group], totals[2 * groups + group], spec).value;
  return value;
}

template <typename T>
void overlap_slopes(const Team& team, T* dpred, const T* target, const double* factors, int64_t stride, int64_t samples,
                    const OverlapAxes& axes) {
  assert(is_member(team) && has(dpred, samples * axes.elements) && has(target, samples * axes.elements));
  assert(apart(dpred, samples * axes.elements, target, samples * axes.elements));
  Look look(team);
  const bool last_kept = axes.kept[axes.count - 1];
  const Range mine = team.share(samples);
  for (int64_t sample = mine.begin; sample < mine.end; ++sample) {
    const double *by_target = factors + sample * stride, *constant = by_target + axes.groups;
    const T* const t = target + sample * axes.elements;
    T* const dp = dpred + sample * axes.elements;
    for_runs(look, axes, [&](int64_t at, int64_t group, int64_t count) {
      if (last_kept) {
        for (int64_t j = 0; j < count; ++j) {
          const double by = by_target[group + j], plus = constant[group + j];
          dp[at + j] = by == 0 && plus == 0 ? T{} : static_cast<T>(static_cast<double>(t[at + j]) * by + plus);
        }
        return;
      }
      const T by = static_cast<T>(by_target[group]), plus = static_cast<T>(constant[group]);
      if (by_target[group] == 0 && constant[group] == 0) {
        for (int64_t j = 0; j < count; ++j) dp[at + j] = T{};
        return;
      }
      for_vectors<T>(at, at + count,
                     [&](int64_t j, int64_t lanes) { store(dp + j, load(t + j, lanes) * by + plus, lanes); });
    });
  }
}

template <typename T>
void fill(OverlapKernels<T>& k) {
  k.overlap_sums = overlap_sums<T>;
  k.overlap_of_batch = overlap_of_batch<T>;
  k.overlap_of_samples = overlap_of_samples<T>;
  k.overlap_value = overlap_value;
  k.overlap_slopes = overlap_slopes<T>;
}

}  // namespace

PYNN_DEFINE_REGISTER(overlap, OverlapKernels)

}  // namespace PYNN_ISA
}  // namespace pynn

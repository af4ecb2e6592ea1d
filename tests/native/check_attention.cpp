// Attention, forwards and backwards, against plain loops.
#include <cmath>

#include "check.h"

namespace pynn {
namespace {

constexpr size_t u(int64_t i) { return static_cast<size_t>(i); }

// Numbers for attention, and what loops make of them.
template <typename T>
struct Numbers {
  AttentionShape s;
  AttentionSpec spec;
  std::vector<T> q, k, v, dy, dscores, mask;
  std::vector<double> y, p, dq, dk, dv;

  Numbers(const AttentionShape& shape, bool causal, int64_t window, AllMasked all_masked, bool masked)
      : s(shape),
        spec{0.7, causal, window, all_masked, 0, 0, 0, 0, false},
        q(random_values<T>(s.samples * s.queries * s.heads * s.key_size)),
        k(random_values<T>(s.samples * s.keys * s.kv_heads * s.key_size)),
        v(random_values<T>(s.samples * s.keys * s.kv_heads * s.value_size)),
        dy(random_values<T>(s.samples * s.queries * s.heads * s.value_size)),
        dscores(random_values<T>(s.samples * s.heads * s.queries * s.keys)),
        mask(u(s.samples * s.queries * s.keys), T{1}) {
    for (T& each : mask) each = masked && random_value(0, 1) < 0.4 ? T{0} : T{2};
    for (int64_t j = 0; masked && j < s.keys; ++j) mask[u(j)] = 0;  // the first query has no key
    y.resize(dy.size()), p.resize(dscores.size()), dq.resize(q.size()), dk.resize(k.size()), dv.resize(v.size());
    for (int64_t sample = 0; sample < s.samples; ++sample)
      for (int64_t head = 0; head < s.heads; ++head)
        for (int64_t i = 0; i < s.queries; ++i) make_row(sample, head, i);
  }

  int64_t of_query(int64_t sample, int64_t head, int64_t i, int64_t size) const {
    return ((sample * s.queries + i) * s.heads + head) * size;
  }
  int64_t of_key(int64_t sample, int64_t head, int64_t j, int64_t size) const {
    return ((sample * s.keys + j) * s.kv_heads + head / (s.heads / s.kv_heads)) * size;
  }
  double at(const std::vector<T>& x, int64_t i) const { return static_cast<double>(x[u(i)]); }

  // A row of p and y, and what it adds to the gradients.
  void make_row(int64_t sample, int64_t head, int64_t i) {
    const int64_t n = s.key_size, m = s.value_size, qi = of_query(sample, head, i, n),
                  yi = of_query(sample, head, i, m);
    const int64_t row = ((sample * s.heads + head) * s.queries + i) * s.keys;
    std::vector<bool> seen;
    for (int64_t j = 0; j < s.keys; ++j)
      seen.push_back(mask[u((sample * s.queries + i) * s.keys + j)] != 0 && (!spec.causal || j <= i) &&
                     (spec.window == 0 || std::abs(i - j) < spec.window));
    const bool none = std::none_of(seen.begin(), seen.end(), [](bool each) { return each; });
    const double scale = none && spec.all_masked == AllMasked::mean ? 0 : spec.scale;
    double total = 0, along = 0;
    for (int64_t j = 0; j < s.keys; ++j) {
      if (!seen[u(j)] && !(none && spec.all_masked != AllMasked::zeros)) continue;
      double score = 0;
      for (int64_t d = 0; d < n; ++d) score += at(q, qi + d) * at(k, of_key(sample, head, j, n) + d);
      total += p[u(row + j)] = std::exp(scale * score);
    }
    std::vector<double> dp(u(s.keys));
    for (int64_t j = 0; j < s.keys; ++j) {
      p[u(row + j)] /= total > 0 ? total : 1;
      const int64_t vj = of_key(sample, head, j, m);
      for (int64_t d = 0; d < m; ++d) {
        y[u(yi + d)] += p[u(row + j)] * at(v, vj + d);
        dv[u(vj + d)] += p[u(row + j)] * at(dy, yi + d);
        dp[u(j)] += at(dy, yi + d) * at(v, vj + d);
      }
      dp[u(j)] += at(dscores, row + j);
      along += p[u(row + j)] * dp[u(j)];
    }
    for (int64_t j = 0; j < s.keys; ++j) {
      const double slope = p[u(row + j)] * (dp[u(j)] - along) * scale;
      const int64_t kj = of_key(sample, head, j, n);
      for (int64_t d = 0; d < n; ++d) {
        dq[u(qi + d)] += slope * at(k, kj + d);
        dk[u(kj + d)] += slope * at(q, qi + d);
      }
    }
  }
};

template <typename T>
void check_case(const AttentionShape& s, bool causal, AllMasked all_masked, bool masked, int64_t window = 0) {
  const Kernels<T>& k = kernels<T>();
  const std::string what = text(
      "attention in %s, %d queries, %d keys, %d of %d heads, causal %d, masked %d (%s), window %d", type_name<T>(),
      static_cast<int>(s.queries), static_cast<int>(s.keys), static_cast<int>(s.kv_heads), static_cast<int>(s.heads),
      causal, masked, kAllMaskedNames[static_cast<int>(all_masked)], static_cast<int>(window));
  const Numbers<T> n(s, causal, window, all_masked, masked);
  const AttentionMask<T> mask{n.mask.data(), s.queries * s.keys, 0, s.queries == 1 ? 0 : s.keys, s.keys == 1 ? 0 : 1};
  const Attention<T> a{s, n.spec, n.q.data(), n.k.data(), n.v.data(), &mask, masked};

  const Outputs<T> made({unwritten<T>(static_cast<int64_t>(n.y.size())), unwritten<T>(static_cast<int64_t>(n.p.size())),
                         unwritten<T>(2 * s.samples * s.heads * s.queries)});
  Space<T> space(k.attention_own(s, false), 0), back(k.attention_own(s, true), 0);
  const std::vector<T> result = on_teams(what, made.start(), [&](const Team& team, T* out) {
    k.attention_forward(team, made.pointer(out, 0), made.pointer(out, 1), made.pointer(out, 2), a, space.of(team));
  });
  made.expect_gaps(what, result);
  space.expect_no_overrun(what);
  expect_near(what, made.part(result, 0), n.y, 64);
  expect_near(what + ", scores", made.part(result, 1), n.p, 64);

  const std::vector<T> y = made.part(result, 0), rows = made.part(result, 2);
  const Outputs<T> gradients({unwritten<T>(static_cast<int64_t>(n.q.size())),
                              unwritten<T>(static_cast<int64_t>(n.k.size())),
                              unwritten<T>(static_cast<int64_t>(n.v.size()))});
  const std::vector<T> slopes = on_teams(what, gradients.start(), [&](const Team& team, T* out) {
    k.attention_backward(team, gradients.pointer(out, 0), gradients.pointer(out, 1), gradients.pointer(out, 2),
                         n.dy.data(), n.dscores.data(), y.data(), rows.data(), a, back.of(team));
  });
  gradients.expect_gaps(what, slopes);
  back.expect_no_overrun(what);
  expect_near(what + ", dq", gradients.part(slopes, 0), n.dq, 256);
  expect_near(what + ", dk", gradients.part(slopes, 1), n.dk, 256);
  expect_near(what + ", dv", gradients.part(slopes, 2), n.dv, 256);
}

template <typename T>
void check_all() {
  for (const int64_t queries : {1, 7, 17, 66})
    for (const int64_t keys : {1, 2, 33, 64, 130})
      for (const bool causal : {false, true}) {
        check_case<T>({2, queries, keys, 2, 2, 3, 5}, causal, AllMasked::mean, false);
        for (const int64_t window : {1, 3, 70})
          check_case<T>({1, queries, keys, 2, 1, 3, 2}, causal, AllMasked::zeros, false, window);
        for (int each = 0; each < static_cast<int>(AllMasked::count); ++each)
          check_case<T>({1, queries, keys, 4, 2, 3, 5}, causal, static_cast<AllMasked>(each), true);
      }
  for (const int64_t size : kSizes) {
    check_case<T>({3, 5, 6, 3, 1, size, 2}, false, AllMasked::mean, false);
    check_case<T>({3, 5, 6, 3, 3, 2, size}, true, AllMasked::zeros, true);
  }
}

}  // namespace

void check_attention() {
  check_all<float>();
  check_all<double>();
}

}  // namespace pynn

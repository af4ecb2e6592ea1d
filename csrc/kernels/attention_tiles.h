// What both ways of attention have in common: tiles of scores.
//
// A tile lies with its keys in rows and its queries side by side. So maxima and sums over the keys are those of whole
// vectors, and each lane is a query by itself.
#pragma once

#include "attention.h"
#include "math.h"
#include "polling.h"
#include "random_words.h"
#include "tile.h"

namespace pynn {
namespace PYNN_ISA {
namespace {

// Queries and keys of a tile. Sums over keys, and those over queries, are made tile by tile, so these sizes decide
// their order. What is dropped is drawn for kWords keys and kLanes queries at once.
constexpr int64_t kQueries = kLanes, kKeys = 64, kTile = kQueries * kKeys;

// exp(x) for x of at most 0, but for rounding: without what exp does for other numbers. 0 where it would be subnormal.
template <typename T>
PYNN_INLINE Vec<T> exp_up_to_1(Vec<T> x) {
  constexpr T least = sizeof(T) == sizeof(float) ? T(-87) : T(-708);
  Exponent<T> n;
  const Vec<T> e = reduce_exp<T>(x, &n);
  const Vec<T> y = scaled(e + 1, n);
  return x < least ? Vec<T>{} : y;
}

constexpr int64_t blocks_of(int64_t n, int64_t size) { return (n + size - 1) / size; }
constexpr int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

// The queries of a head that go through together.
template <typename T>
struct Queries {
  int64_t sample, head, begin, count;
  bool any_open;
  // By query: what its scores are multiplied by, whether masks do not hold for it (all bits set, or none), the largest
  // score and what its exponentials are multiplied by.
  T scale[kQueries];
  typename Simd<T>::integer open[kQueries];
  T highest[kQueries], factor[kQueries];
};

template <typename T>
int64_t key_head(const Attention<T>& a, int64_t head) {
  return head / (a.shape.heads / a.shape.kv_heads);
}

// Where the row of a position begins, in an array (samples, length, heads, size).
inline int64_t row_at(int64_t sample, int64_t length, int64_t position, int64_t heads, int64_t head, int64_t size) {
  return ((sample * length + position) * heads + head) * size;
}

template <typename T>
void clear_rows(T* x, int64_t sample, int64_t length, Range rows, int64_t heads, int64_t head, int64_t size) {
  for (int64_t i = rows.begin; i < smaller(rows.end, length); ++i) {
    T* row = x + row_at(sample, length, i, heads, head, size);
    for (int64_t j = 0; j < size; ++j) row[j] = 0;
  }
}

template <typename T>
Queries<T> queries_of(const Attention<T>& a, int64_t sample, int64_t head, int64_t block) {
  Queries<T> q;
  q.sample = sample, q.head = head, q.begin = block * kQueries;
  q.count = smaller(kQueries, a.shape.queries - q.begin);
  q.any_open = false;
  for (int64_t i = 0; i < kQueries; ++i) q.scale[i] = static_cast<T>(a.spec.scale), q.open[i] = 0;
  return q;
}

// Query i, one that may not look at any key, looks at all.
template <typename T>
void open_query(Queries<T>& q, int64_t i, const AttentionSpec& spec) {
  q.any_open = true;
  q.open[i] = -1;
  if (spec.all_masked == AllMasked::mean) q.scale[i] = 0;
}

// The keys that any of the queries looks at. They begin with a tile.
template <typename T>
Range keys_for(const Attention<T>& a, const Queries<T>& q) {
  const int64_t window = a.spec.window, last = q.begin + q.count - 1;
  Range keys{0, a.shape.keys};
  if (q.any_open) return keys;
  if (a.spec.causal) keys.end = smaller(keys.end, last + 1);
  if (window == 0) return keys;
  if (q.begin >= window) keys.begin = (q.begin - window + 1) / kKeys * kKeys;
  keys.end = smaller(keys.end, last + window);
  return keys;
}

// The tile of these keys, or what is left of them.
inline Range tile_at(int64_t key, Range keys) { return {key, smaller(key + kKeys, keys.end)}; }

// Sets what the queries may not look at to minus infinity: `allowed(i, count)` says which lanes of a key's row stay.
template <typename T, typename Allowed>
PYNN_INLINE void forbid(const Queries<T>& q, T* row, Allowed allowed) {
  for_vectors<T>(0, q.count, [&](int64_t i, int64_t count) {
    const IVec<T> stays = allowed(i, count) | load_integers<T>(q.open + i);
    store(row + i, stays ? load(row + i) : splat(static_cast<T>(-__builtin_inf())));
  });
}

// turned: a tile of scratch.
template <typename T>
void apply_mask(const AttentionMask<T>& mask, const Queries<T>& q, Range keys, T* tile, T* turned) {
  const int64_t count = keys.end - keys.begin;
  const T* at =
      mask.values + q.sample * mask.sample + q.head * mask.head + q.begin * mask.query + keys.begin * mask.key;
  if (mask.query == 0) {
    for (int64_t j = 0; j < count; ++j)
      if (at[j * mask.key] == 0) forbid(q, tile + j * kQueries, [](int64_t, int64_t) { return IVec<T>{}; });
    return;
  }
  if (mask.key != 0) transpose_block(q.count, count, at, mask.query, turned, kQueries);
  for (int64_t j = 0; j < count; ++j) {
    const T* of_key = mask.key == 0 ? at : turned + j * kQueries;
    forbid(q, tile + j * kQueries, [&](int64_t i, int64_t width) { return load(of_key + i, width) != 0; });
  }
}

template <typename T>
void apply_masks(const Attention<T>& a, const Queries<T>& q, Range keys, T* tile, T* turned) {
  for (int64_t m = 0; m < a.mask_count; ++m) apply_mask(a.masks[m], q, keys, tile, turned);
  const bool causal = a.spec.causal && keys.end - 1 > q.begin;
  const int64_t window = a.spec.window, last = q.begin + q.count - 1;
  if (!causal && (window == 0 || (last - keys.begin < window && keys.end - 1 - q.begin < window))) return;
  using Integer = typename Simd<T>::integer;
  for (int64_t key = keys.begin; key < keys.end; ++key) {  // from which lane up to which one queries may look at it
    const int64_t from = a.spec.causal ? key - q.begin : window > 0 ? key - q.begin - window + 1 : 0;
    const int64_t to = window > 0 ? key - q.begin + window : kQueries;
    const auto first = static_cast<Integer>(from < 0 ? 0 : smaller(from, kQueries));
    const auto end = static_cast<Integer>(to < 0 ? 0 : smaller(to, kQueries));
    forbid(q, tile + (key - keys.begin) * kQueries, [&](int64_t i, int64_t) {
      const IVec<T> lanes = lane_numbers<T>() + static_cast<Integer>(i);
      return (lanes >= first) & (lanes < end);
    });
  }
}

// The sums over k of a tile: q_i k_j, or dy_i v_j. rows: of the first key; packed: the queries' side, from pack_block.
template <typename T>
void tile_product(T* tile, const T* rows, int64_t apart, const T* packed, int64_t keys, int64_t queries,
                  int64_t terms) {
  multiply_packed(product<T>(keys, queries, terms, rows, apart, 1, packed, 0, false, tile, kQueries));
}

// The tile of scores, but for their scale. packed: q, by pack_block.
template <typename T>
void score_tile(const Attention<T>& a, const Queries<T>& q, Range keys, const T* packed, T* tile, T* turned) {
  const AttentionShape& s = a.shape;
  tile_product(tile, a.k + row_at(q.sample, s.keys, keys.begin, s.kv_heads, key_head(a, q.head), s.key_size),
               s.kv_heads * s.key_size, packed, keys.end - keys.begin, q.count, s.key_size);
  apply_masks(a, q, keys, tile, turned);
}

// The tile of p, given what is known of the queries' rows.
template <typename T>
void weight_tile(const Attention<T>& a, const Queries<T>& q, Range keys, const T* packed, T* tile, T* turned) {
  score_tile(a, q, keys, packed, tile, turned);
  const int64_t count = keys.end - keys.begin;
  for (int64_t i = 0; i < q.count; i += kWidth<T>) {
    const Vec<T> scale = load(q.scale + i), highest = load(q.highest + i), factor = load(q.factor + i);
    for (int64_t j = 0; j < count; ++j) {
      T* at = tile + j * kQueries + i;
      store(at, exp_up_to_1<T>(load(at) * scale - highest) * factor);
    }
  }
}

// What the weights of a tile are multiplied by; 0 where they are dropped. keys.begin is a multiple of kWords.
template <typename T>
void draw_tile(const Attention<T>& a, const Queries<T>& q, Range keys, T* drawn) {
  const AttentionShape& s = a.shape;
  const T kept = static_cast<T>(1 / (1 - a.spec.rate));
  const uint64_t below = dropped_below(a.spec.rate);
  const int64_t row = (a.spec.first + q.sample) * s.heads + q.head, block = q.begin / kQueries;
  const int64_t first = (row * blocks_of(s.queries, kQueries) + block) * blocks_of(s.keys, kWords);
  for (int64_t key = keys.begin; key < keys.end; key += kWords, drawn += kBlock) {
    uint32_t words[kBlock];
    random_words(words, a.spec.seed, a.spec.step, static_cast<uint64_t>(first + key / kWords));
    for (int64_t i = 0; i < kBlock; ++i) drawn[i] = words[i] < below ? T{0} : kept;
  }
}

template <typename T>
void multiply_tiles(T* tile, const T* drawn, int64_t keys) {
  for (int64_t i = 0; i < keys * kQueries; i += kWidth<T>) {
    const Vec<T> m = load(drawn + i);
    store(tile + i, m == 0 ? Vec<T>{} : load(tile + i) * m);
  }
}

}  // namespace
}  // namespace PYNN_ISA
}  // namespace pynn

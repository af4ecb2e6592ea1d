#include "attention_tiles.h"
#include "checks.h"
#include "reductions.h"
#include "register.h"

namespace pynn {
namespace PYNN_ISA {
namespace {

// A member's own memory.
template <typename T>
struct Own {
  T *weights, *slopes, *drawn, *given, *turned, *packed_q, *packed_dy;

  Own(T* own, const AttentionShape& s)
      : weights(own),
        slopes(weights + kTile),
        drawn(slopes + kTile),
        given(drawn + kTile),
        turned(given + kTile),
        packed_q(turned + kTile),
        packed_dy(packed_q + kQueries * s.key_size) {}
};

template <typename T>
struct Backward {
  const Attention<T>& a;
  T *dq, *dk, *dv;
  const T *dy, *dscores, *y, *rows;
};

// What a member makes of the gradients of one key head: those of some blocks of queries, or of some blocks of keys, or
// all. They are the same bits in any case: tile by tile, in one order.
struct Part {
  Range queries, keys;  // blocks
  bool for_queries, for_keys;
};

// What the forward pass found for the block's rows.
template <typename T>
void take_rows(const Backward<T>& b, Queries<T>& q) {
  const AttentionShape& s = b.a.shape;
  const T* highest = b.rows + (q.sample * s.heads + q.head) * 2 * s.queries + q.begin;
  const T* factor = highest + s.queries;
  for (int64_t i = 0; i < kQueries; ++i) {
    const bool there = i < q.count;
    if (there && factor[i] < 0) open_query(q, i, b.a.spec);
    q.highest[i] = there ? highest[i] : T{0};
    q.factor[i] = there ? (factor[i] < 0 ? -factor[i] : factor[i]) : T{0};
  }
}

// The tile of dscores, or that of what they are of p.
template <typename T>
void given_tile(const Backward<T>& b, const Queries<T>& q, Range keys, const Own<T>& own) {
  const AttentionShape& s = b.a.shape;
  const int64_t count = keys.end - keys.begin;
  const T* from = b.dscores + ((q.sample * s.heads + q.head) * s.queries + q.begin) * s.keys + keys.begin;
  transpose_block(q.count, count, from, s.keys, own.given, kQueries);
  if (b.a.spec.rate > 0 && b.a.spec.drops_scores) multiply_tiles(own.given, own.drawn, count);
}

// By query: sum_j p_ij dp_ij, which softmax takes off each dp_ij. It is y_i dy_i, but for what comes from dscores.
template <typename T>
void make_offsets(Look& look, const Backward<T>& b, const Queries<T>& q, const Own<T>& own, T* offsets) {
  const AttentionShape& s = b.a.shape;
  for (int64_t i = 0; i < kQueries; ++i) offsets[i] = 0;
  for (int64_t i = 0; i < q.count; ++i) {
    const int64_t at = row_at(q.sample, s.queries, q.begin + i, s.heads, q.head, s.value_size);
    offsets[i] = sum_row<T>(
        s.value_size, [&](int64_t j, int64_t count) { return load(b.y + at + j, count) * load(b.dy + at + j, count); });
  }
  if (b.dscores == nullptr) return;
  const Range keys = keys_for(b.a, q);
  for (int64_t key = keys.begin; key < keys.end; key += kKeys) {
    const Range part = tile_at(key, keys);
    if (b.a.spec.rate > 0) draw_tile(b.a, q, part, own.drawn);
    weight_tile(b.a, q, part, own.packed_q, own.weights, own.turned);
    given_tile(b, q, part, own);
    for (int64_t j = 0; j < (part.end - key) * kQueries; j += kQueries)
      for (int64_t i = 0; i < q.count; i += kWidth<T>)
        store(offsets + i, load(offsets + i) + load(own.weights + j + i) * load(own.given + j + i));
    look.after_product(part.end - key, q.count, s.key_size);
  }
}

// Makes of the tiles of p and dp: p with what is dropped, and the gradients of the scores, with their scale.
template <typename T>
void make_slopes(const Backward<T>& b, const Queries<T>& q, int64_t keys, const Own<T>& own, const T* offsets) {
  const bool drops = b.a.spec.rate > 0;
  for (int64_t i = 0; i < q.count; i += kWidth<T>) {
    const Vec<T> offset = load(offsets + i), scale = load(q.scale + i);
    for (int64_t at = i; at < keys * kQueries; at += kQueries) {
      const Vec<T> p = load(own.weights + at);
      Vec<T> dp = load(own.slopes + at);
      if (drops) {
        const Vec<T> m = load(own.drawn + at);
        dp = m == 0 ? Vec<T>{} : dp * m;
        store(own.weights + at, p * m);
      }
      if (b.dscores != nullptr) dp += load(own.given + at);
      store(own.slopes + at, p * (dp - offset) * scale);
    }
  }
}

// Whether all queries look at all keys, but for masks. Then the first tile of a key sets its gradients, to which the
// others add: they need not be 0 before. Those of queries need not be where no window takes the first key away.
bool all_keys(const AttentionSpec& s) { return !s.causal && s.window == 0; }

// What a tile adds to the gradients. sets_keys, sets_queries: whether it is the first one that does.
template <typename T>
void add_gradients(const Backward<T>& b, const Queries<T>& q, Range keys, const Part& part, const Own<T>& own,
                   bool sets_keys, bool sets_queries) {
  const AttentionShape& s = b.a.shape;
  const int64_t count = keys.end - keys.begin, kv = key_head(b.a, q.head);
  const int64_t q_at = row_at(q.sample, s.queries, q.begin, s.heads, q.head, s.key_size);
  const int64_t y_at = row_at(q.sample, s.queries, q.begin, s.heads, q.head, s.value_size);
  const int64_t k_at = row_at(q.sample, s.keys, keys.begin, s.kv_heads, kv, s.key_size);
  const int64_t v_at = row_at(q.sample, s.keys, keys.begin, s.kv_heads, kv, s.value_size);
  if (part.for_keys && b.dv != nullptr)
    multiply_block(product<T>(count, s.value_size, q.count, own.weights, kQueries, 1, b.dy + y_at,
                              s.heads * s.value_size, !sets_keys, b.dv + v_at, s.kv_heads * s.value_size));
  if (part.for_keys && b.dk != nullptr)
    multiply_block(product<T>(count, s.key_size, q.count, own.slopes, kQueries, 1, b.a.q + q_at, s.heads * s.key_size,
                              !sets_keys, b.dk + k_at, s.kv_heads * s.key_size));
  if (part.for_queries && b.dq != nullptr)
    multiply_block(product<T>(q.count, s.key_size, count, own.slopes, 1, kQueries, b.a.k + k_at,
                              s.kv_heads * s.key_size, !sets_queries, b.dq + q_at, s.heads * s.key_size));
}

// first: whether no block of queries before this one looks at the part's keys.
template <typename T>
void backward_block(Look& look, const Backward<T>& b, Queries<T>& q, const Part& part, const Own<T>& own, bool first) {
  const AttentionShape& s = b.a.shape;
  take_rows(b, q);
  Range keys = keys_for(b.a, q);
  if (keys.begin < part.keys.begin * kKeys) keys.begin = part.keys.begin * kKeys;
  keys.end = smaller(keys.end, part.keys.end * kKeys);
  if (keys.begin >= keys.end) return;
  const int64_t kv = key_head(b.a, q.head);
  pack_block(s.key_size, q.count, b.a.q + row_at(q.sample, s.queries, q.begin, s.heads, q.head, s.key_size), 1,
             s.heads * s.key_size, {0, q.count}, own.packed_q);
  pack_block(s.value_size, q.count, b.dy + row_at(q.sample, s.queries, q.begin, s.heads, q.head, s.value_size), 1,
             s.heads * s.value_size, {0, q.count}, own.packed_dy);
  T offsets[kQueries];
  make_offsets(look, b, q, own, offsets);
  for (int64_t key = keys.begin; key < keys.end; key += kKeys) {
    const Range tile = tile_at(key, keys);
    const int64_t count = tile.end - tile.begin;
    if (b.a.spec.rate > 0) draw_tile(b.a, q, tile, own.drawn);
    weight_tile(b.a, q, tile, own.packed_q, own.weights, own.turned);
    tile_product(own.slopes, b.a.v + row_at(q.sample, s.keys, key, s.kv_heads, kv, s.value_size),
                 s.kv_heads * s.value_size, own.packed_dy, count, q.count, s.value_size);
    if (b.dscores != nullptr) given_tile(b, q, tile, own);
    make_slopes(b, q, count, own, offsets);
    add_gradients(b, q, tile, part, own, first && all_keys(b.a.spec), key == 0 && b.a.spec.window == 0);
    look.after_product(count, q.count, 3 * s.key_size + 2 * s.value_size + 8);
  }
}

// A part of the gradients of one key head, and of the heads that look at it.
template <typename T>
void backward_part(Look& look, const Backward<T>& b, int64_t sample, int64_t kv, const Part& part, const Own<T>& own) {
  const AttentionShape& s = b.a.shape;
  const int64_t group = s.heads / s.kv_heads;
  const bool clears_keys = part.for_keys && !all_keys(b.a.spec), clears_queries = b.a.spec.window > 0;
  const Range keys{part.keys.begin * kKeys, part.keys.end * kKeys};
  if (clears_keys && b.dk != nullptr) clear_rows(b.dk, sample, s.keys, keys, s.kv_heads, kv, s.key_size);
  if (clears_keys && b.dv != nullptr) clear_rows(b.dv, sample, s.keys, keys, s.kv_heads, kv, s.value_size);
  for (int64_t head = kv * group; head < (kv + 1) * group; ++head)
    for (int64_t block = part.queries.begin; block < part.queries.end; ++block) {
      if (clears_queries && part.for_queries && b.dq != nullptr)
        clear_rows(b.dq, sample, s.queries, {block * kQueries, (block + 1) * kQueries}, s.heads, head, s.key_size);
      Queries<T> q = queries_of(b.a, sample, head, block);
      backward_block(look, b, q, part, own, head == kv * group && block == part.queries.begin);
    }
}

// Shares out `blocks` blocks of each key head, and hands a member its range of those of a key head.
template <typename T, typename Make>
void share_blocks(const Team& team, const AttentionShape& s, int64_t blocks, Make make) {
  const Range mine = team.share(s.samples * s.kv_heads * blocks);
  for (int64_t at = mine.begin; at < mine.end;) {
    const int64_t unit = at / blocks, begin = at % blocks, end = smaller(blocks, begin + mine.end - at);
    make(unit / s.kv_heads, unit % s.kv_heads, Range{begin, end});
    at += end - begin;
  }
}

// Products of a tile: all, and those that are made twice where the gradients of queries and keys are made apart.
constexpr int64_t kProducts = 5, kProductsTwice = 2;

template <typename T>
void attention_backward(const Team& team, T* dq, T* dk, T* dv, const T* dy, const T* dscores, const T* y, const T* rows,
                        const Attention<T>& a, T* own_memory) {
  const AttentionShape& s = a.shape;
  assert(is_member(team) && s.samples >= 0 && s.queries > 0 && s.keys > 0 && s.kv_heads > 0 && s.key_size > 0);
  assert(s.heads % s.kv_heads == 0 && s.value_size > 0 && a.spec.scale > 0 && own_memory != nullptr);
  assert(has(dy, s.samples) && has(y, s.samples) && has(rows, s.samples));
  const Own<T> own(own_memory, s);
  const Backward<T> b{a, dq, dk, dv, dy, dscores, y, rows};
  Look look(team);
  const Range queries{0, blocks_of(s.queries, kQueries)}, keys{0, blocks_of(s.keys, kKeys)};
  const int64_t units = s.samples * s.kv_heads, most = blocks_of(units, team.size);
  if (most * team.size * kProducts <= units * (kProducts + kProductsTwice)) {
    share_blocks<T>(team, s, 1, [&](int64_t sample, int64_t kv, Range) {
      backward_part(look, b, sample, kv, {queries, keys, true, true}, own);
    });
    return;
  }
  if (dk != nullptr || dv != nullptr)
    share_blocks<T>(team, s, keys.end, [&](int64_t sample, int64_t kv, Range part) {
      backward_part(look, b, sample, kv, {queries, part, false, true}, own);
    });
  if (dq != nullptr)
    share_blocks<T>(team, s, queries.end, [&](int64_t sample, int64_t kv, Range part) {
      backward_part(look, b, sample, kv, {part, keys, true, false}, own);
    });
}

template <typename T>
void fill(AttentionKernels<T>& k) {
  k.attention_backward = attention_backward<T>;
}

}  // namespace

PYNN_DEFINE_REGISTER(attention_backward, AttentionKernels)

}  // namespace PYNN_ISA
}  // namespace pynn

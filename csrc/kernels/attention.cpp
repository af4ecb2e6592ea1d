#include "attention.h"

#include "attention_tiles.h"
#include "checks.h"
#include "register.h"

namespace pynn {
namespace PYNN_ISA {
namespace {

// A member's own memory.
template <typename T>
struct Own {
  T *tile, *turned, *drawn, *packed;

  explicit Own(T* own) : tile(own), turned(tile + kTile), drawn(turned + kTile), packed(drawn + kTile) {}
};

// Finds the queries that may not look at any key. Without a mask, or a window, there is the first key at least.
template <typename T>
void find_all_masked(Look& look, const Attention<T>& a, Queries<T>& q, const Own<T>& own, T* none) {
  const bool may_be = a.mask_count > 0 || a.spec.window > 0;
  for (int64_t i = 0; i < kQueries; ++i) none[i] = may_be ? T{1} : T{0};
  if (!may_be) return;
  const Range keys = keys_for(a, q);
  for (int64_t key = keys.begin; key < keys.end; key += kKeys) {
    const Range part = tile_at(key, keys);
    for (int64_t i = 0; i < kTile; ++i) own.tile[i] = 0;
    apply_masks(a, q, part, own.tile, own.turned);
    for (int64_t j = 0; j < part.end - part.begin; ++j)
      for (int64_t i = 0; i < q.count; i += kWidth<T>)
        store(none + i, load(own.tile + j * kQueries + i) == 0 ? Vec<T>{} : load(none + i));
    look.after(2 * kTile);
  }
  if (a.spec.all_masked == AllMasked::zeros) return;
  for (int64_t i = 0; i < q.count; ++i)
    if (none[i] != 0) open_query(q, i, a.spec);
}

// Makes exponentials of a tile of scores. highest and sums are those of the tiles before, and of this one afterwards;
// shrink: what sums of the tiles before were multiplied by. Returns whether any of these is not 1.
template <typename T>
bool exponentials(const Queries<T>& q, int64_t keys, T* tile, T* highest, T* sums, T* shrink) {
  IVec<T> shrinks{};
  for (int64_t i = 0; i < q.count; i += kWidth<T>) {
    const Vec<T> scale = load(q.scale + i), before = load(highest + i);
    Vec<T> most = splat(static_cast<T>(-__builtin_inf()));
    for (int64_t j = 0; j < keys; ++j) {
      const Vec<T> s = load(tile + j * kQueries + i);
      most = s > most ? s : most;
    }
    most = most * scale;
    most = most > before ? most : before;
    // Where all is minus infinity so far, nothing is taken off: that stays minus infinity.
    const Vec<T> off = most == static_cast<T>(-__builtin_inf()) ? Vec<T>{} : most;
    const Vec<T> less = exp_up_to_1<T>(before - off);
    Vec<T> sum = load(sums + i) * less;
    for (int64_t j = 0; j < keys; ++j) {
      T* at = tile + j * kQueries + i;
      const Vec<T> e = exp_up_to_1<T>(load(at) * scale - off);
      sum += e;
      store(at, e);
    }
    store(highest + i, most);
    store(sums + i, sum);
    store(shrink + i, less);
    shrinks |= less != 1;
  }
  return lane_bits<T>(shrinks) != 0;
}

// y (rows, columns), its rows `apart`, each multiplied by its factor.
template <typename T>
void multiply_rows_by(T* y, const T* factors, int64_t rows, int64_t columns, int64_t apart) {
  for (int64_t i = 0; i < rows; ++i)
    for_vectors<T>(0, columns, [&](int64_t j, int64_t count) {
      T* at = y + i * apart + j;
      store(at, load(at, count) * factors[i], count);
    });
}

// What the block's rows of p are made from, as the way back gets it.
template <typename T>
void hand_out_rows(const Attention<T>& a, const Queries<T>& q, T* rows) {
  if (rows == nullptr) return;
  T* highest = rows + (q.sample * a.shape.heads + q.head) * 2 * a.shape.queries + q.begin;
  T* factor = highest + a.shape.queries;
  for (int64_t i = 0; i < q.count; ++i) {
    highest[i] = q.highest[i];
    factor[i] = q.open[i] != 0 ? -q.factor[i] : q.factor[i];
  }
}

template <typename T>
void hand_out_scores(Look& look, const Attention<T>& a, const Queries<T>& q, const Own<T>& own, T* scores) {
  if (scores == nullptr) return;
  const AttentionShape& s = a.shape;
  T* to = scores + ((q.sample * s.heads + q.head) * s.queries + q.begin) * s.keys;
  const Range keys = keys_for(a, q);
  for (int64_t i = 0; i < q.count; ++i)
    for (int64_t j = 0; j < s.keys; ++j) to[i * s.keys + j] = 0;
  for (int64_t key = keys.begin; key < keys.end; key += kKeys) {
    const Range part = tile_at(key, keys);
    const int64_t count = part.end - part.begin;
    weight_tile(a, q, part, own.packed, own.tile, own.turned);
    if (a.spec.rate > 0 && a.spec.drops_scores) {
      draw_tile(a, q, part, own.drawn);
      multiply_tiles(own.tile, own.drawn, count);
    }
    transpose_block(count, q.count, own.tile, kQueries, to + key, s.keys);
    look.after_product(count, q.count, s.key_size);
  }
}

template <typename T>
void forward_block(Look& look, T* y, T* scores, T* rows, const Attention<T>& a, Queries<T>& q, const Own<T>& own) {
  const AttentionShape& s = a.shape;
  const int64_t kv = key_head(a, q.head), y_apart = s.heads * s.value_size;
  const int64_t q_apart = s.heads * s.key_size;
  pack_block(s.key_size, q.count, a.q + row_at(q.sample, s.queries, q.begin, s.heads, q.head, s.key_size), 1, q_apart,
             {0, q.count}, own.packed);
  T none[kQueries], sums[kQueries], shrink[kQueries];
  find_all_masked(look, a, q, own, none);
  for (int64_t i = 0; i < kQueries; ++i) q.highest[i] = static_cast<T>(-__builtin_inf()), sums[i] = 0;
  T* to = y + row_at(q.sample, s.queries, q.begin, s.heads, q.head, s.value_size);
  const Range keys = keys_for(a, q);
  if (keys.begin >= keys.end)
    clear_rows(y, q.sample, s.queries, {q.begin, q.begin + q.count}, s.heads, q.head, s.value_size);
  for (int64_t key = keys.begin; key < keys.end; key += kKeys) {
    const Range part = tile_at(key, keys);
    const int64_t count = part.end - part.begin;
    score_tile(a, q, part, own.packed, own.tile, own.turned);
    const bool shrinks = exponentials(q, count, own.tile, q.highest, sums, shrink);
    if (key > keys.begin && shrinks) multiply_rows_by(to, shrink, q.count, s.value_size, y_apart);
    if (a.spec.rate > 0) {
      draw_tile(a, q, part, own.drawn);
      multiply_tiles(own.tile, own.drawn, count);
    }
    multiply_block(product<T>(q.count, s.value_size, count, own.tile, 1, kQueries,
                              a.v + row_at(q.sample, s.keys, key, s.kv_heads, kv, s.value_size),
                              s.kv_heads * s.value_size, key > keys.begin, to, y_apart));
    look.after_product(count, q.count, s.key_size + s.value_size + 8);
  }
  for (int64_t i = 0; i < q.count; ++i) {
    const bool zeros = none[i] != 0 && q.open[i] == 0;
    q.highest[i] = zeros ? T{0} : q.highest[i];
    q.factor[i] = zeros ? T{0} : 1 / sums[i];
  }
  multiply_rows_by(to, q.factor, q.count, s.value_size, y_apart);
  hand_out_rows(a, q, rows);
  hand_out_scores(look, a, q, own, scores);
}

template <typename T>
void attention_forward(const Team& team, T* y, T* scores, T* rows, const Attention<T>& a, T* own_memory) {
  const AttentionShape& s = a.shape;
  assert(is_member(team) && s.samples >= 0 && s.queries > 0 && s.keys > 0 && s.kv_heads > 0 && s.key_size > 0);
  assert(s.heads % s.kv_heads == 0 && s.value_size > 0 && a.spec.scale > 0 && own_memory != nullptr);
  assert(has(y, s.samples * s.queries * s.heads * s.value_size) && has(a.q, s.samples) && has(a.k, s.samples));
  const Own<T> own(own_memory);
  Look look(team);
  const int64_t blocks = blocks_of(s.queries, kQueries);
  const Range mine = team.share(s.samples * s.heads * blocks);
  for (int64_t task = mine.begin; task < mine.end; ++task) {
    Queries<T> q = queries_of(a, task / blocks / s.heads, task / blocks % s.heads, task % blocks);
    forward_block(look, y, scores, rows, a, q, own);
  }
}

template <typename T>
int64_t attention_own(const AttentionShape& s, bool backward) {
  return (backward ? 5 : 3) * kTile + kQueries * (s.key_size + (backward ? s.value_size : 0));
}

template <typename T>
void fill(AttentionKernels<T>& k) {
  k.attention_forward = attention_forward<T>;
  k.attention_own = attention_own<T>;
}

}  // namespace

PYNN_DEFINE_REGISTER(attention, AttentionKernels)

}  // namespace PYNN_ISA
}  // namespace pynn

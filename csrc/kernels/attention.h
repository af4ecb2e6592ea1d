// Attention: means of values, weighted by how well their keys go with a query (Vaswani et al., Attention is all you
// need, 2017).
#pragma once

#include <stdint.h>

#include "../runtime/team.h"
#include "enumeration.h"

namespace pynn {

// q (samples, queries, heads, key_size), k (samples, keys, kv_heads, key_size), v (samples, keys, kv_heads,
// value_size). Head h looks at key head h / (heads / kv_heads).
struct AttentionShape {
  int64_t samples, queries, keys, heads, kv_heads, key_size, value_size;
};

// What becomes of a query that may not look at any key: the mean of all values, zeros, or attention to all keys.
#define PYNN_ALL_MASKED(X) X(mean) X(zeros) X(unmasked)
PYNN_ENUMERATION(AllMasked, PYNN_ALL_MASKED)

// A number for each sample, head, query and key: the query may not look at the key where it is 0. A stride of 0 repeats
// it. That of the keys is 0 or 1; if it is 0, that of the queries is 0 or 1, too.
template <typename T>
struct AttentionMask {
  const T* values;
  int64_t sample, head, query, key;
};

struct AttentionSpec {
  double scale;    // above 0
  bool causal;     // query i may not look at keys behind key i
  int64_t window;  // query i may look at key j where |i - j| is below this; 0: at any
  AllMasked all_masked;
  double rate;          // of weights that are dropped, the others multiplied by 1 / (1 - rate); 0: no noise
  uint64_t seed, step;  // what is dropped is a function of these and of sample, head, query and key
  int64_t first;        // the number of the first sample in its batch
  bool drops_scores;    // whether the weights that are handed out are those after dropping
};

template <typename T>
struct Attention {
  AttentionShape shape;
  AttentionSpec spec;
  const T *q, *k, *v;
  const AttentionMask<T>* masks;
  int64_t mask_count;
};

template <typename T>
struct AttentionKernels {
  // y (samples, queries, heads, value_size): y_i = sum_j p_ij v_j, p_ij = exp(s_ij) / sum_j exp(s_ij), s_ij = scale q_i
  // k_j, over the keys j that query i may look at. scores (samples, heads, queries, keys) gets p; it may be null, and p
  // is then never there as a whole: tiles of s go by, with a running maximum and sum (Milakov, Gimelshein: Online
  // normalizer calculation for softmax, 2018; Dao et al.: FlashAttention, 2022). rows (samples, heads, 2, queries) gets
  // what the way back makes p from: max_j s_ij and 1 / sum_j exp(s_ij - max), the latter negative where a query looks
  // at all keys as there is none that it may look at. own: attention_own elements.
  void (*attention_forward)(const Team& team, T* y, T* scores, T* rows, const Attention<T>& a, T* own);

  // Given dy, and dscores unless it is null: dq, dk, dv, each of which may be null.
  void (*attention_backward)(const Team& team, T* dq, T* dk, T* dv, const T* dy, const T* dscores, const T* y,
                             const T* rows, const Attention<T>& a, T* own);
  int64_t (*attention_own)(const AttentionShape& shape, bool backward);
};

}  // namespace pynn

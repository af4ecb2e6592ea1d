#include "embedding.h"

#include "checks.h"
#include "polling.h"
#include "register.h"

namespace pynn {
namespace PYNN_ISA {
namespace {

template <typename T>
void embedding_forward(const Team& team, T* y, const int32_t* ids, const T* table, int64_t count, int64_t columns) {
  assert(is_member(team) && has(y, count * columns) && has(ids, count) && table != nullptr && columns > 0);
  const Range mine = team.share(count);
  Look look(team);
  for (int64_t i = mine.begin; i < mine.end; ++i) {
    assert(ids[i] >= 0);
    const T* row = table + ids[i] * columns;
    for_vectors<T>(0, columns, [&](int64_t j, int64_t n) { store(y + i * columns + j, load(row + j, n), n); });
    look.after(columns);
  }
}

// A member has every row whose number leaves its rank when divided by the size of the team: low ids are often the
// frequent ones. The terms of a row are added in their order.
template <typename T>
void embedding_backward(const Team& team, T* dtable, char* marks, const T* dy, const int32_t* ids, int64_t count,
                        int64_t rows, int64_t columns, bool accumulate) {
  assert(is_member(team) && has(dtable, rows * columns) && has(dy, count * columns) && has(ids, count));
  Look look(team);
  if (!accumulate)
    for (int64_t row = team.rank; row < rows; row += team.size) {
      for_vectors<T>(0, columns, [&](int64_t j, int64_t n) { store(dtable + row * columns + j, Vec<T>{}, n); });
      look.after(columns);
    }
  for (int64_t i = 0; i < count; ++i) {
    assert(ids[i] >= 0 && ids[i] < rows);
    look.after(1);
    if (ids[i] % team.size != team.rank) continue;
    T* row = dtable + ids[i] * columns;
    for_vectors<T>(0, columns,
                   [&](int64_t j, int64_t n) { store(row + j, load(row + j, n) + load(dy + i * columns + j, n), n); });
    if (marks != nullptr) marks[ids[i]] = 1;
    look.after(columns);
  }
}

template <typename T>
void numbers_of_ids(const Team& team, T* y, const int32_t* ids, int64_t count) {
  assert(is_member(team) && has(y, count) && has(ids, count));
  const Range mine = team.share(count, 64);
  Look look(team);
  for (int64_t i = mine.begin; i < mine.end; ++i) {
    y[i] = static_cast<T>(ids[i]);
    look.after(1);
  }
}

template <typename T>
void fill(EmbeddingKernels<T>& k) {
  k.embedding_forward = embedding_forward<T>;
  k.embedding_backward = embedding_backward<T>;
  k.numbers_of_ids = numbers_of_ids<T>;
}

}  // namespace

PYNN_DEFINE_REGISTER(embedding, EmbeddingKernels)

}  // namespace PYNN_ISA
}  // namespace pynn

// Rows of a table, chosen by ids.
#pragma once

#include <stdint.h>

#include "../runtime/team.h"

namespace pynn {

template <typename T>
struct EmbeddingKernels {
  // y (count, columns) = the rows of `table` (any, columns) that `ids` (count) choose.
  void (*embedding_forward)(const Team& team, T* y, const int32_t* ids, const T* table, int64_t count, int64_t columns);

  // dtable (rows, columns) [+]= for each id, dy (count, columns) added to its row. `marks`, where not null, becomes 1
  // for these rows; others stay as they are.
  void (*embedding_backward)(const Team& team, T* dtable, char* marks, const T* dy, const int32_t* ids, int64_t count,
                             int64_t rows, int64_t columns, bool accumulate);

  // y (count) = the ids as numbers.
  void (*numbers_of_ids)(const Team& team, T* y, const int32_t* ids, int64_t count);
};

}  // namespace pynn

// The samples that a call works on: columns side by side, one for each input and for each target, and weights.
#pragma once

#include <cstdint>
#include <vector>

#include "../kernels/kernels.h"

namespace pynn {

// real: of the network's number type. bytes: converted to it when they are gathered. ids: int32, such as class labels.
enum class ColumnKind { real, bytes, ids };

struct Column {
  ColumnKind kind;
  const void* data;  // (samples, width)
  int64_t width;
  int64_t window_step = 0;  // of rows that overlap, as windows of a series do: elements from one to the next

  int64_t step() const { return window_step == 0 ? width : window_step; }
};

struct Dataset {
  int64_t samples = 0;
  std::vector<Column> inputs, targets;
  // Beside each of the targets what their rows count for: a number for each row, or one for all rows of a sample; no
  // data, where all count alike. Empty: none has weights. A row of a negative weight is masked.
  std::vector<Column> weights = {};
};

// Rows of a column on their way into a batch.
struct Selection {
  const int64_t* order;  // the rows, or null for those from `first` on
  int64_t first;
  int64_t count;
  int64_t next;  // rows that follow in `order`, to be asked for in passing
};

// The row of a column from which on its rows are; null where it has no data.
const void* row_of(const Column& column, int64_t row, std::size_t element);

// Throws std::invalid_argument where one of so many ids, which are `what`, is not at least 0 and below `below`;
// INT64_MAX: any will do.
void check_ids(const int32_t* ids, int64_t count, int64_t below, const char* what = "ids and labels");

// to (count, width) = the selected rows, scaled. `nonzero`, where not null, becomes that of them. ids stay int32;
// throws std::invalid_argument where one is not at least 0 and below `ids_below`, because kernels index with them.
template <typename T>
void gather(const Team& team, const Kernels<T>& k, T* to, const Nonzero& nonzero, const Column& column,
            const Selection& rows, const InputScaling<T>& scaling, int64_t ids_below = INT64_MAX);

}  // namespace pynn

#include "dataset.h"

#include <algorithm>
#include <string>

#include "attributes.h"

namespace pynn {

const void* row_of(const Column& column, int64_t row, std::size_t element) {
  if (column.data == nullptr) return nullptr;
  const std::size_t bytes = column.kind == ColumnKind::real    ? element
                            : column.kind == ColumnKind::bytes ? sizeof(uint8_t)
                                                               : sizeof(int32_t);
  return static_cast<const uint8_t*>(column.data) + static_cast<std::size_t>(row * column.step()) * bytes;
}

namespace {

// Rows that overlap are no matrix: each is gathered by itself, by one member.
template <typename T>
void gather_windows(const Team& team, const Kernels<T>& k, T* to, const Nonzero& nonzero, const Column& column,
                    const Selection& rows, const InputScaling<T>& scaling) {
  const Team alone{0, 1, team.state};
  const Range mine = team.share(rows.count);
  for (int64_t i = mine.begin; i < mine.end; ++i) {
    const void* from = row_of(column, rows.order == nullptr ? rows.first + i : rows.order[i], sizeof(T));
    T* row = to + i * column.width;
    if (column.kind == ColumnKind::real)
      k.gather(alone, row, {}, static_cast<const T*>(from), nullptr, 1, 0, column.width, scaling);
    else
      k.gather_bytes(alone, row, {}, static_cast<const uint8_t*>(from), nullptr, 1, 0, column.width, scaling);
  }
  if (nonzero.by_row == nullptr) return;
  team.barrier();
  k.find_nonzero(team, nonzero, to, rows.count, column.width);
}

}  // namespace

template <typename T>
void gather(const Team& team, const Kernels<T>& k, T* to, const Nonzero& nonzero, const Column& column,
            const Selection& rows, const InputScaling<T>& scaling, int64_t ids_below) {
  static_assert(sizeof(T) >= sizeof(int32_t), "ids lie where numbers would");
  if (column.window_step != 0) {
    gather_windows(team, k, to, nonzero, column, rows, scaling);
    return;
  }
  const void* from = row_of(column, rows.order == nullptr ? rows.first : 0, sizeof(T));
  switch (column.kind) {
    case ColumnKind::real:
      k.gather(team, to, nonzero, static_cast<const T*>(from), rows.order, rows.count, rows.next, column.width,
               scaling);
      break;
    case ColumnKind::bytes:
      k.gather_bytes(team, to, nonzero, static_cast<const uint8_t*>(from), rows.order, rows.count, rows.next,
                     column.width, scaling);
      break;
    case ColumnKind::ids: {
      const auto* ids = static_cast<const int32_t*>(from);
      auto* out = reinterpret_cast<int32_t*>(to);
      const Range mine = team.share(rows.count);
      for (int64_t i = mine.begin; i < mine.end; ++i)
        std::copy_n(ids + (rows.order == nullptr ? i : rows.order[i]) * column.width, column.width,
                    out + i * column.width);
      check_ids(out + mine.begin * column.width, (mine.end - mine.begin) * column.width, ids_below);
      break;
    }
  }
}

void check_ids(const int32_t* ids, int64_t count, int64_t below, const char* what) {
  if (below == INT64_MAX) return;
  int32_t least = 0, most = 0;
  for (int64_t i = 0; i < count; ++i) {  // in vectors, unlike std::minmax_element
    least = std::min(least, ids[i]);
    most = std::max(most, ids[i]);
  }
  if (least < 0 || most >= below)
    refuse("data", std::string(what) + " from 0 to " + std::to_string(below - 1),
           std::to_string(least < 0 ? least : most));
}

template void gather<float>(const Team&, const Kernels<float>&, float*, const Nonzero&, const Column&, const Selection&,
                            const InputScaling<float>&, int64_t);
template void gather<double>(const Team&, const Kernels<double>&, double*, const Nonzero&, const Column&,
                             const Selection&, const InputScaling<double>&, int64_t);

}  // namespace pynn

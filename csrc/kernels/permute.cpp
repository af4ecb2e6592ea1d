#include "permute.h"

#include "checks.h"
#include "polling.h"
#include "register.h"
#include "simd.h"
#include "tile.h"

namespace pynn {
namespace PYNN_ISA {
namespace {

// Elements of a block: what is read and what is written fit the first cache together.
constexpr int64_t kBlock = 4096;

// Runs shorter than this are copied number by number.
constexpr int64_t kVectorFrom = 4;

PYNN_INLINE int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

// y (columns, rows, inner), given x (rows, columns, inner). Inner: that of the order, or 0 for any.
template <int64_t Inner, typename T>
void transpose_runs(T* y, const T* x, int64_t rows, int64_t columns, const AxisOrder& order) {
  const int64_t inner = Inner > 0 ? Inner : order.inner;
  for (int64_t j = 0; j < columns; ++j)
    for (int64_t i = 0; i < rows; ++i) {
      const T* from = x + i * order.x_row + j * inner;
      T* to = y + j * order.y_row + i * inner;
      if constexpr (Inner > 0)
        for (int64_t k = 0; k < Inner; ++k) to[k] = from[k];
      else
        for_vectors<T>(0, inner, [&](int64_t k, int64_t count) { store(to + k, load(from + k, count), count); });
    }
}

template <typename T>
void transpose_part(T* y, const T* x, int64_t rows, int64_t columns, const AxisOrder& order) {
  if (order.inner == 1)
    transpose_block(rows, columns, x, order.x_row, y, order.y_row);
  else if (order.inner == 2)
    transpose_runs<2>(y, x, rows, columns, order);
  else if (order.inner == 3)
    transpose_runs<3>(y, x, rows, columns, order);
  else
    transpose_runs<0>(y, x, rows, columns, order);
}

// Where the matrices of a member begin, one after the other in the order of y.
template <typename T>
class Matrices {
 public:
  Matrices(T* y_begin, const T* x_begin, int64_t number, const AxisOrder& order)
      : y(y_begin), x(x_begin), order_(order) {
    for (int axis = order.outer - 1; axis >= 0; --axis) {
      at_[axis] = number % order.length[axis];
      number /= order.length[axis];
      move(axis, at_[axis]);
    }
    x += number * order.elements;
    y += number * order.elements;
  }

  void next() {
    for (int axis = order_.outer - 1; axis >= 0; --axis) {
      move(axis, 1);
      if (++at_[axis] < order_.length[axis]) return;
      move(axis, -at_[axis]);
      at_[axis] = 0;
    }
    x += order_.elements;
    y += order_.elements;
  }

  T* y;
  const T* x;

 private:
  void move(int axis, int64_t steps) {
    x += steps * order_.x_step[axis];
    y += steps * order_.y_step[axis];
  }

  const AxisOrder& order_;
  int64_t at_[AxisOrder::kMostOuter];
};

template <typename T>
void permute(const Team& team, T* y, const T* x, int64_t samples, const AxisOrder& order) {
  assert(is_member(team) && samples >= 0 && order.rows > 0 && order.columns > 0 && order.inner > 0);
  assert(has(x, samples * order.elements) && has(y, samples * order.elements));
  assert(apart(y, samples * order.elements, x, samples * order.elements));
  // Runs of a cache line or more go in the order of y. Shorter ones go in blocks, as near to squares as the matrix
  // allows, so that a line is read and written once.
  int64_t edge = 1;
  while (4 * edge * edge * order.inner <= kBlock) edge *= 2;
  const bool whole_lines = order.inner * static_cast<int64_t>(sizeof(T)) >= 64;
  const int64_t columns = whole_lines ? 1 : smaller(order.columns, edge * edge / smaller(order.rows, edge));
  const int64_t rows = smaller(order.rows, edge * edge / columns);
  const int64_t down = (order.rows + rows - 1) / rows, blocks = down * ((order.columns + columns - 1) / columns);
  const int64_t matrices = samples * order.elements / (order.rows * order.columns * order.inner);
  const Range mine = team.share(matrices * blocks);
  if (mine.begin == mine.end) return;
  Look look(team);
  Matrices<T> matrix(y, x, mine.begin / blocks, order);
  for (int64_t at = mine.begin, block = mine.begin % blocks; at < mine.end; block = 0, matrix.next())
    for (; block < blocks && at < mine.end; ++block, ++at) {
      const int64_t j = block / down * columns, i = block % down * rows;
      const int64_t height = smaller(rows, order.rows - i), width = smaller(columns, order.columns - j);
      transpose_part(matrix.y + j * order.y_row + i * order.inner, matrix.x + i * order.x_row + j * order.inner, height,
                     width, order);
      look.after(height * width * order.inner);
    }
}

template <typename T>
void fill(PermuteKernels<T>& k) {
  k.permute = permute<T>;
}

}  // namespace

PYNN_DEFINE_REGISTER(permute, PermuteKernels)

}  // namespace PYNN_ISA
}  // namespace pynn

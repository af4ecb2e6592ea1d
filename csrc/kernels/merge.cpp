#include "merge.h"

#include "binary_functions.h"
#include "checks.h"
#include "polling.h"
#include "reductions.h"
#include "register.h"

namespace pynn {
namespace PYNN_ISA {
namespace {

// Members' parts are cut at multiples of a cache line.
constexpr int64_t kGrain = 16;

// Elements of a row that go through together, and of one that is summed up: so many slopes lie on the stack, in the
// nearest cache.
constexpr int64_t kPiece = 8192, kBlock = 256;

// ---- pieces of rows

// What is made from a piece of a row of the last axis: y, or dy times the derivative by an operand. The pointers are at
// its first element.
template <typename T>
struct Operands {
  const T *a, *b, *dy, *y;
};

template <typename T>
using MakePiece = void (*)(T* out, const Operands<T>& from, int64_t n);

enum class Part { y, da, db };

// Of an operand whose elements are repeated along the last axis, its one element there.
template <bool varies, typename T>
PYNN_INLINE Vec<T> load_operand(const T* p, int64_t j, int64_t count) {
  return varies ? load(p + j, count) : splat(*p);
}

template <Part part, typename F, bool a_varies, bool b_varies, typename T>
void make_piece(T* out, const Operands<T>& from, int64_t n) {
  for_vectors<T>(0, n, [&](int64_t j, int64_t count) {
    const Vec<T> a = load_operand<a_varies>(from.a, j, count), b = load_operand<b_varies>(from.b, j, count);
    if constexpr (part == Part::y)
      store(out + j, F::y(a, b), count);
    else if constexpr (part == Part::da)
      store(out + j, F::da(load(from.dy + j, count), a, b, load(from.y + j, count)), count);
    else
      store(out + j, F::db(load(from.dy + j, count), a, b, load(from.y + j, count)), count);
  });
}

// By which operands vary along the last axis.
template <Part part, typename F, typename T>
MakePiece<T> piece_of(const Broadcast& shape) {
  const BroadcastAxis& last = shape.axes[shape.count - 1];
  if (last.a == 0) return make_piece<part, F, false, true, T>;
  if (last.b == 0) return make_piece<part, F, true, false, T>;
  return make_piece<part, F, true, true, T>;
}

// Of a power whose exponent is a constant that has a function of its own; null for others.
template <Part part, typename T>
MakePiece<T> piece_of_exponent(const T* b, const Broadcast& shape) {
  for (int64_t i = 0; i < shape.count; ++i)
    if (shape.axes[i].b != 0) return nullptr;
  if (*b == 2) return piece_of<part, Square<T>, T>(shape);
  if (*b == static_cast<T>(0.5)) return piece_of<part, SquareRoot<T>, T>(shape);
  if (*b == -1) return piece_of<part, Reciprocal<T>, T>(shape);
  return nullptr;
}

template <Part part, typename T>
MakePiece<T> piece_of(Binary function, const T* b, const Broadcast& shape) {
  if constexpr (part != Part::db)  // a constant has no gradient
    if (function == Binary::power)
      if (const MakePiece<T> special = piece_of_exponent<part>(b, shape)) return special;
  switch (function) {
    case Binary::add: return piece_of<part, Add<T>, T>(shape);
    case Binary::subtract: return piece_of<part, Subtract<T>, T>(shape);
    case Binary::multiply: return piece_of<part, Multiply<T>, T>(shape);
    case Binary::divide: return piece_of<part, Divide<T>, T>(shape);
    case Binary::power: return piece_of<part, Power<T>, T>(shape);
    case Binary::maximum: return piece_of<part, Maximum<T>, T>(shape);
    case Binary::minimum: return piece_of<part, Minimum<T>, T>(shape);
    case Binary::floor_divide: return piece_of<part, FloorDivide<T>, T>(shape);
    case Binary::remainder: return piece_of<part, Remainder<T>, T>(shape);
    case Binary::less: return piece_of<part, Less<T>, T>(shape);
    case Binary::less_equal: return piece_of<part, LessEqual<T>, T>(shape);
    case Binary::not_equal: return piece_of<part, NotEqual<T>, T>(shape);
    case Binary::count: break;
  }
  return nullptr;
}

// ---- the elements

// Where an element is: in a and in b, and in y.
struct At {
  int64_t a, b, y;
};

PYNN_INLINE int64_t size_of(const Broadcast& shape, int64_t axis, int64_t samples) {
  return axis == 0 ? samples * shape.axes[0].size : shape.axes[axis].size;
}

// Element `number` of those axes before axis `end` that `counts` says: all others are at their first element. `step` is
// how far the elements of axis `end` - 1 lie apart in y.
template <typename Counts>
PYNN_INLINE At find(const Broadcast& shape, int64_t end, int64_t number, int64_t step, Counts counts) {
  At at{0, 0, 0};
  for (int64_t i = end - 1; i >= 0; --i) {
    const BroadcastAxis& axis = shape.axes[i];
    if (counts(i)) {
      const int64_t rest = i == 0 ? 0 : number / axis.size, here = number - rest * axis.size;
      number = rest;
      at.a += here * axis.a, at.b += here * axis.b, at.y += here * step;
    }
    step *= axis.size;
  }
  return at;
}

template <typename T>
PYNN_INLINE Operands<T> at_of(const Operands<T>& from, const At& at) {
  return {from.a + at.a, from.b + at.b, from.dy == nullptr ? nullptr : from.dy + at.y,
          from.y == nullptr ? nullptr : from.y + at.y};
}

// out = y, or the gradient of an operand that is repeated nowhere.
template <typename T>
void make_elements(const Team& team, T* out, MakePiece<T> make, const Operands<T>& from, int64_t samples,
                   const Broadcast& shape) {
  const int64_t last = shape.count - 1, length = size_of(shape, last, samples);
  int64_t rows = 1;
  for (int64_t i = 0; i < last; ++i) rows *= size_of(shape, i, samples);
  const Range mine = team.share(rows * length, kGrain);
  if (mine.begin >= mine.end) return;
  Look look(team);
  int64_t row = mine.begin / length, j = mine.begin - row * length;
  for (int64_t i = mine.begin; i < mine.end; ++row, j = 0) {
    At at = find(shape, last, row, length, [](int64_t) { return true; });
    at.a += j * shape.axes[last].a, at.b += j * shape.axes[last].b, at.y += j;
    const int64_t end = mine.end - i < length - j ? mine.end : i + length - j;
    while (i < end) {
      const int64_t count = end - i < kPiece ? end - i : kPiece;
      make(out + i, at_of(from, at), count);
      at.a += count * shape.axes[last].a, at.b += count * shape.axes[last].b, at.y += count;
      i += count;
      look.after(count);
    }
  }
}

// How the elements of y are gone through for the gradient of an operand that is repeated: along axes before the last
// one, for each of its elements.
struct Repeats {
  int64_t kept = 1;   // elements along the axes where it is not repeated
  int64_t times = 1;  // along those where it is, but for `near`
  int64_t near = -1;  // the last of these, or -1
};

template <typename Repeated>
PYNN_INLINE Repeats repeats_of(const Broadcast& shape, int64_t samples, Repeated repeated) {
  Repeats r;
  for (int64_t i = 0; i < shape.count - 1; ++i) {
    if (!repeated(i)) {
      r.kept *= size_of(shape, i, samples);
      continue;
    }
    if (r.near >= 0) r.times *= shape.axes[r.near].size;
    r.near = i;
  }
  return r;
}

// Calls body(at) for each of the elements of y over which a gradient is summed up, in order; the operand's element is
// `of`. The last axis is left out. A constant has no gradient, so the axis of the samples is not among those.
template <typename Repeated, typename Body>
PYNN_INLINE void for_repeats(const Broadcast& shape, const Repeats& r, const At& of, Repeated repeated, Body body) {
  const int64_t last = shape.count - 1;
  if (r.near < 0) return body(of);
  const BroadcastAxis& near = shape.axes[r.near];
  int64_t step = shape.axes[last].size;
  for (int64_t i = last - 1; i > r.near; --i) step *= shape.axes[i].size;
  for (int64_t q = 0; q < r.times; ++q) {
    At at = find(shape, r.near, q, step * near.size, repeated);
    at.a += of.a, at.b += of.b, at.y += of.y;
    for (int64_t t = 0; t < near.size; ++t, at.a += near.a, at.b += near.b, at.y += step) body(at);
  }
}

// The gradient of an operand that is repeated, but not along the last axis: sums of rows.
template <typename T, typename Repeated>
void sum_columns(const Team& team, T* dx, MakePiece<T> make, const Operands<T>& from, int64_t samples,
                 const Broadcast& shape, Repeated repeated) {
  const int64_t last = shape.count - 1, length = shape.axes[last].size;
  const Repeats r = repeats_of(shape, samples, repeated);
  const auto kept = [&](int64_t axis) { return !repeated(axis); };
  const Range mine = team.share(r.kept * length, kGrain);
  Look look(team);
  for (int64_t i = mine.begin; i < mine.end;) {
    const int64_t row = i / length, j = i - row * length;
    int64_t n = mine.end - i < length - j ? mine.end - i : length - j;
    if (n > kBlock) n = kBlock;
    At of = find(shape, last, row, length, kept);
    of.a += j * shape.axes[last].a, of.b += j * shape.axes[last].b, of.y += j;
    T total[kBlock] = {}, slopes[kBlock];
    for_repeats(shape, r, of, repeated, [&](const At& at) {
      make(slopes, at_of(from, at), n);
      for_vectors<T>(0, n, [&](int64_t k, int64_t count) {
        store(total + k, load(total + k, count) + load(slopes + k, count), count);
      });
      look.after(n);
    });
    for_vectors<T>(0, n, [&](int64_t k, int64_t count) { store(dx + i + k, load(total + k, count), count); });
    i += n;
  }
}

// The gradient of an operand that is repeated along the last axis: sums along rows.
template <typename T, typename Repeated>
void sum_rows(const Team& team, T* dx, MakePiece<T> make, const Operands<T>& from, int64_t samples,
              const Broadcast& shape, Repeated repeated) {
  const int64_t last = shape.count - 1, length = shape.axes[last].size;
  const Repeats r = repeats_of(shape, samples, repeated);
  const auto kept = [&](int64_t axis) { return !repeated(axis); };
  const Range mine = team.share(r.kept, kGrain);
  Look look(team);
  for (int64_t i = mine.begin; i < mine.end; ++i) {
    Vec<T> total{};
    for_repeats(shape, r, find(shape, last, i, length, kept), repeated, [&](At at) {
      for (int64_t j = 0; j < length; j += kBlock) {
        const int64_t n = length - j < kBlock ? length - j : kBlock;
        T slopes[kBlock];
        make(slopes, at_of(from, at), n);
        for_vectors<T>(0, n, [&](int64_t k, int64_t count) { total += keep<T>(load(slopes + k, count), count); });
        at.a += n * shape.axes[last].a, at.b += n * shape.axes[last].b, at.y += n;
        look.after(n);
      }
    });
    dx[i] = sum<T>(total);
  }
}

// `stride`: of the operand, by axis.
template <typename T, typename Stride>
PYNN_INLINE void make_gradient(const Team& team, T* dx, MakePiece<T> make, const Operands<T>& from, int64_t samples,
                               const Broadcast& shape, Stride stride) {
  const auto repeated = [&](int64_t axis) { return stride(axis) == 0; };
  bool anywhere = false;
  for (int64_t i = 0; i < shape.count; ++i) anywhere = anywhere || repeated(i);
  if (!anywhere)
    make_elements(team, dx, make, from, samples, shape);
  else if (repeated(shape.count - 1))
    sum_rows(team, dx, make, from, samples, shape, repeated);
  else
    sum_columns(team, dx, make, from, samples, shape, repeated);
}

// ---- entries

// Elements of an operand, or of y where `stride` is 1 for all axes.
template <typename Stride>
PYNN_INLINE int64_t elements(const Broadcast& shape, int64_t samples, Stride stride) {
  int64_t n = 1;
  for (int64_t i = 0; i < shape.count; ++i)
    if (stride(shape.axes[i]) != 0) n *= size_of(shape, i, samples);
  return n;
}

template <typename T>
bool fits(const T* a, const T* b, const T* y, int64_t samples, const Broadcast& shape) {
  return samples >= 0 && shape.count >= 1 && shape.axes != nullptr &&
         has(y, elements(shape, samples, [](const BroadcastAxis&) { return 1; })) &&
         has(a, elements(shape, samples, [](const BroadcastAxis& axis) { return axis.a; })) &&
         has(b, elements(shape, samples, [](const BroadcastAxis& axis) { return axis.b; }));
}

template <typename T>
void binary_forward(const Team& team, T* y, const T* a, const T* b, Binary function, int64_t samples,
                    const Broadcast& shape) {
  assert(is_member(team) && fits(a, b, y, samples, shape));
  const Operands<T> from{a, b, nullptr, nullptr};
  make_elements(team, y, piece_of<Part::y>(function, b, shape), from, samples, shape);
}

template <typename T>
void binary_backward(const Team& team, T* da, T* db, const T* dy, const T* a, const T* b, const T* y, Binary function,
                     int64_t samples, const Broadcast& shape) {
  assert(is_member(team) && fits(a, b, y, samples, shape) && fits(a, b, dy, samples, shape));
  const Operands<T> from{a, b, dy, y};
  if (da != nullptr)
    make_gradient(team, da, piece_of<Part::da>(function, b, shape), from, samples, shape,
                  [&](int64_t axis) { return shape.axes[axis].a; });
  if (db != nullptr)
    make_gradient(team, db, piece_of<Part::db>(function, b, shape), from, samples, shape,
                  [&](int64_t axis) { return shape.axes[axis].b; });
}

template <typename T>
void copy_columns(const Team& team, T* y, const T* x, int64_t rows, int64_t columns, int64_t ldy, int64_t ldx) {
  assert(is_member(team) && rows >= 0 && columns >= 0 && ldy >= columns && (ldx >= columns || ldx == 0));
  assert(has(x, ldx == 0 ? columns : rows * ldx) && has(y, rows * ldy) &&
         apart(y, (rows - 1) * ldy + columns, x, (rows - 1) * ldx + columns));
  const Range mine = team.share(rows * columns, kGrain);
  if (mine.begin >= mine.end) return;
  Look look(team);
  int64_t row = mine.begin / columns, first = mine.begin - row * columns;
  for (int64_t i = mine.begin; i < mine.end; ++row, first = 0) {
    const int64_t end = mine.end - i < columns - first ? first + mine.end - i : columns;
    i += end - first;
    while (first < end) {
      const int64_t piece = end - first < kPiece ? end : first + kPiece;
      for_vectors<T>(first, piece, [&](int64_t j, int64_t count) {
        store(y + row * ldy + j, load(x + row * ldx + j, count), count);
      });
      look.after(piece - first);
      first = piece;
    }
  }
}

template <typename T>
void fill(MergeKernels<T>& k) {
  k.binary_forward = binary_forward<T>;
  k.binary_backward = binary_backward<T>;
  k.copy_columns = copy_columns<T>;
}

}  // namespace

PYNN_DEFINE_REGISTER(merge, MergeKernels)

}  // namespace PYNN_ISA
}  // namespace pynn

// The axes of samples in another order.
#include <algorithm>
#include <numeric>

#include "../op.h"

namespace pynn {
namespace {

struct Axis {
  int64_t length, from, to;  // elements between two positions, before and after
};

std::vector<int64_t> check_permute(const OpArguments& a) {
  a.expect_counts(1, 0);
  const std::vector<int64_t>& lengths = a.integers("lengths");
  std::vector<int64_t> order = a.integers("order"), axes(lengths.size());
  std::iota(axes.begin(), axes.end(), 0);
  std::sort(order.begin(), order.end());
  a.expect(order == axes, "an order of " + std::to_string(axes.size()) + " axes", "others");
  const int64_t elements = a.product(lengths, "lengths of axes");
  a.expect_input(elements);
  return {elements};
}

// The axes in their new order, as few as say where each element goes: those of length 1 are left out, and neighbours
// that stay neighbours are one.
std::vector<Axis> moved_axes(const std::vector<int64_t>& lengths, const std::vector<int64_t>& order) {
  std::vector<int64_t> from(lengths.size(), 1);
  for (std::size_t i = lengths.size(); i-- > 1;) from[i - 1] = from[i] * lengths[i];
  std::vector<Axis> axes;  // the last one first
  int64_t to = 1;
  for (std::size_t i = order.size(); i-- > 0;) {
    const auto number = static_cast<std::size_t>(order[i]);
    const Axis axis{lengths[number], from[number], to};
    to *= axis.length;
    if (axis.length == 1) continue;
    if (!axes.empty() && axis.from == axes.back().from * axes.back().length)
      axes.back().length *= axis.length;
    else
      axes.push_back(axis);
  }
  std::reverse(axes.begin(), axes.end());
  return axes;
}

// Transpositions of the two axes, of which one is the last before, and the other after; but a last axis that stays the
// last makes their elements longer.
AxisOrder transpositions(std::vector<Axis> axes) {
  AxisOrder found{};
  found.elements = found.rows = found.columns = found.inner = 1;
  for (const Axis& axis : axes) found.elements *= axis.length;
  if (!axes.empty() && axes.back().from == 1) {
    found.inner = axes.back().length;
    axes.pop_back();
  }
  if (axes.empty()) return found;  // it stays as it is
  found.rows = axes.back().length;
  found.x_row = axes.back().from;
  axes.pop_back();
  for (const Axis& axis : axes) {
    if (axis.from == found.inner) {
      found.columns = axis.length;
      found.y_row = axis.to;
    } else {
      found.length[found.outer] = axis.length;
      found.x_step[found.outer] = axis.from;
      found.y_step[found.outer++] = axis.to;
    }
  }
  return found;
}

template <typename T>
class PermuteOp : public Op<T> {
 public:
  explicit PermuteOp(const OpArguments& a) {
    const std::vector<int64_t>&lengths = a.integers("lengths"), &order = a.integers("order");
    std::vector<int64_t> moved, back(order.size());
    for (std::size_t i = 0; i < order.size(); ++i) {
      moved.push_back(lengths[static_cast<std::size_t>(order[i])]);
      back[static_cast<std::size_t>(order[i])] = static_cast<int64_t>(i);
    }
    forward_ = transpositions(moved_axes(lengths, order));
    backward_ = transpositions(moved_axes(moved, back));
  }

  void forward(const Team& team, const Pass<T>& pass) const override {
    pass.k.permute(team, this->y(pass), this->x(pass), pass.batch, forward_);
  }
  void backward(const Team& team, const Pass<T>& pass) const override {
    pass.k.permute(team, this->dx(pass), this->dy(pass), pass.batch, backward_);
  }
  bool may_be_left_out() const override { return true; }
  bool splits_batch(const Kernels<T>&, int64_t) const override { return true; }
  double work() const override { return static_cast<double>(forward_.elements); }

 private:
  AxisOrder forward_, backward_;
};

}  // namespace

PYNN_DEFINE_OP(permute, check_permute, PermuteOp)

}  // namespace pynn

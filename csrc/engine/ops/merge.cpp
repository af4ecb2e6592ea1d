// What brings tensors together: functions of two of them, sums, tensors side by side, products.
#include <algorithm>

#include "../names.h"
#include "../op.h"

namespace pynn {
namespace {

using Shape = std::vector<int64_t>;

// ---- binary

// The shapes of a sample of both operands, in the order of the function's arguments, and the constant, if one of them
// is a constant.
struct BinaryOperands {
  explicit BinaryOperands(const OpArguments& arguments)
      : constant(arguments.attributes.has("constant")),
        constant_first(constant && arguments.flag("constant_first")),
        a(arguments.integers(constant_first ? "shape_b" : "shape_a")),
        b(arguments.integers(constant_first ? "shape_a" : "shape_b")) {}

  bool constant, constant_first;
  Shape a, b;
};

std::string text_of(const Shape& shape) {
  std::string text;
  for (const int64_t size : shape) text += (text.empty() ? "" : ", ") + std::to_string(size);
  return "(" + text + ")";
}

std::vector<int64_t> check_binary(const OpArguments& a) {
  binary_of(a.text("function"));
  const BinaryOperands of(a);
  a.expect_counts(of.constant ? 1 : 2, 0);
  const Shape &first = a.integers("shape_a"), &second = a.integers("shape_b");
  a.expect(!first.empty() && first.size() == second.size(), "shapes of one rank, at least 1",
           text_of(first) + " and " + text_of(second));
  Shape shape;
  for (std::size_t i = 0; i < first.size(); ++i) {
    a.expect(first[i] == second[i] || first[i] == 1 || second[i] == 1,
             "shapes whose axes are equal, or 1 in one of them", text_of(first) + " and " + text_of(second));
    shape.push_back(first[i] == 1 ? second[i] : first[i]);
  }
  const int64_t sizes[] = {a.product(first, "axes of shape_a"), a.product(second, "axes of shape_b")};
  for (std::size_t i = 0; i < a.inputs.size(); ++i)
    a.expect(a.inputs[i] == sizes[i], "an input of shape " + text_of(i == 0 ? first : second),
             std::to_string(a.inputs[i]) + " elements a sample");
  if (of.constant)
    a.expect(static_cast<int64_t>(a.numbers("constant").size()) == sizes[1], "a constant of shape " + text_of(second),
             std::to_string(a.numbers("constant").size()) + " numbers");
  return {a.product(shape, "axes of the output")};
}

// The axes of f(a, b), as few as there can be. The first one is of the samples, and of the axes that follow in one with
// it.
std::vector<BroadcastAxis> broadcast_axes(const BinaryOperands& of) {
  std::vector<BroadcastAxis> all;
  int64_t a = 1, b = 1;  // elements of the axes so far
  for (std::size_t i = of.a.size(); i-- > 0;) {
    if (of.a[i] != 1 || of.b[i] != 1)
      all.push_back({std::max(of.a[i], of.b[i]), of.a[i] == 1 ? 0 : a, of.b[i] == 1 ? 0 : b});
    a *= of.a[i], b *= of.b[i];
  }
  const bool constant_b = of.constant && !of.constant_first;
  all.push_back({1, of.constant_first ? 0 : a, constant_b ? 0 : b});
  std::vector<BroadcastAxis> axes;
  for (auto axis = all.rbegin(); axis != all.rend(); ++axis) {
    if (!axes.empty() && axes.back().a == axis->size * axis->a && axes.back().b == axis->size * axis->b)
      axes.back() = {axes.back().size * axis->size, axis->a, axis->b};
    else
      axes.push_back(*axis);
  }
  return axes;
}

// y = f(a, b), where both are tensors, or one is a constant, the same for all samples.
template <typename T>
class BinaryOp : public Op<T> {
 public:
  explicit BinaryOp(const OpArguments& a) : function_(binary_of(a.text("function"))), size_(check_binary(a)[0]) {
    const BinaryOperands of(a);
    axes_ = broadcast_axes(of);
    shape_ = {static_cast<int64_t>(axes_.size()), axes_.data()};
    constant_first_ = of.constant_first;
    if (!of.constant) return;
    const std::vector<double> constant = a.numbers("constant");
    constant_.assign(constant.begin(), constant.end());
  }

  void forward(const Team& team, const Pass<T>& pass) const override {
    pass.k.binary_forward(team, this->y(pass), a(pass), b(pass), function_, pass.batch, shape_);
  }
  void backward(const Team& team, const Pass<T>& pass) const override {
    T* const da = constant_first_ ? nullptr : this->dx(pass);
    T* const db = constant_first_ ? this->dx(pass) : constant_.empty() ? this->dx(pass, 1) : nullptr;
    pass.k.binary_backward(team, da, db, this->dy(pass), a(pass), b(pass), this->y(pass), function_, pass.batch,
                           shape_);
  }
  bool splits_batch(const Kernels<T>&, int64_t) const override { return true; }
  double work() const override { return static_cast<double>(size_) * (is_slow() ? 16 : 1); }

 private:
  bool is_slow() const {
    return function_ == Binary::power || function_ == Binary::floor_divide || function_ == Binary::remainder;
  }
  const T* a(const Pass<T>& pass) const { return constant_first_ ? constant_.data() : this->x(pass); }
  const T* b(const Pass<T>& pass) const {
    return constant_first_ ? this->x(pass) : constant_.empty() ? this->x(pass, 1) : constant_.data();
  }

  const Binary function_;
  const int64_t size_;
  std::vector<BroadcastAxis> axes_;
  Broadcast shape_;
  std::vector<T> constant_;
  bool constant_first_;
};

// ---- add

std::vector<int64_t> check_add(const OpArguments& a) {
  a.expect(!a.inputs.empty(), "at least 1 input", "none");
  a.expect_counts(a.inputs.size(), 0);
  for (const int64_t size : a.inputs)
    a.expect(size == a.inputs[0], "inputs of one size, " + std::to_string(a.inputs[0]), std::to_string(size));
  return {a.inputs[0]};
}

// The sum of the inputs, in their order.
template <typename T>
class AddOp : public Op<T> {
 public:
  explicit AddOp(const OpArguments& a) : axis_{a.inputs[0], 1, 1} {}

  void forward(const Team& team, const Pass<T>& pass) const override {
    const std::size_t count = this->inputs.size();
    if (count == 1) copy(team, pass, this->y(pass), this->x(pass));
    for (std::size_t i = 1; i < count; ++i)
      pass.k.binary_forward(team, this->y(pass), i == 1 ? this->x(pass) : this->y(pass), this->x(pass, i), Binary::add,
                            pass.batch, {1, &axis_});
  }
  void backward(const Team& team, const Pass<T>& pass) const override {
    for (std::size_t i = 0; i < this->inputs.size(); ++i)
      if (this->dx(pass, i) != nullptr) copy(team, pass, this->dx(pass, i), this->dy(pass));
  }
  bool splits_batch(const Kernels<T>&, int64_t) const override { return true; }
  double work() const override { return static_cast<double>(axis_.size) * static_cast<double>(this->inputs.size()); }

 private:
  void copy(const Team& team, const Pass<T>& pass, T* to, const T* from) const {
    pass.k.copy_columns(team, to, from, 1, pass.batch * axis_.size, pass.batch * axis_.size, pass.batch * axis_.size);
  }

  const BroadcastAxis axis_;
};

// ---- concat

std::vector<int64_t> check_concat(const OpArguments& a) {
  a.expect(!a.inputs.empty(), "at least 1 input", "none");
  a.expect_counts(a.inputs.size(), 0);
  const int64_t outer = a.product({a.integer("outer")}, "outer");
  int64_t size = 0;
  for (const int64_t each : a.inputs) {
    a.expect(each % outer == 0, "inputs that outer, " + std::to_string(outer) + ", divides", std::to_string(each));
    a.expect(each <= INT64_MAX / 64 - size, "inputs that fit into memory", "a sum above 2^57");
    size += each;
  }
  return {size};
}

// Inputs (outer, any) side by side.
template <typename T>
class ConcatOp : public Op<T> {
 public:
  explicit ConcatOp(const OpArguments& a) : outer_(a.integer("outer")) {
    for (const int64_t size : a.inputs) {
      columns_.push_back(size / outer_);
      row_ += size / outer_;
    }
  }

  void forward(const Team& team, const Pass<T>& pass) const override {
    T* y = this->y(pass);
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      pass.k.copy_columns(team, y, this->x(pass, i), pass.batch * outer_, columns_[i], row_, columns_[i]);
      y += columns_[i];
    }
  }
  void backward(const Team& team, const Pass<T>& pass) const override {
    const T* dy = this->dy(pass);
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      if (this->dx(pass, i) != nullptr)
        pass.k.copy_columns(team, this->dx(pass, i), dy, pass.batch * outer_, columns_[i], columns_[i], row_);
      dy += columns_[i];
    }
  }
  bool splits_batch(const Kernels<T>&, int64_t) const override { return true; }
  double work() const override { return static_cast<double>(outer_ * row_); }

 private:
  const int64_t outer_;
  int64_t row_ = 0;  // columns of y
  std::vector<int64_t> columns_;
};

// ---- matmul

std::vector<int64_t> check_matmul(const OpArguments& a) {
  a.expect_counts(2, 0);
  a.integer("transpose_a"), a.integer("transpose_b");
  const int64_t batch = a.integer("batch"), m = a.integer("m"), k = a.integer("k"), n = a.integer("n");
  const int64_t sizes[] = {a.product({batch, m, k}, "batch, m and k"), a.product({batch, k, n}, "batch, k and n")};
  for (std::size_t i = 0; i < a.inputs.size(); ++i)
    a.expect(a.inputs[i] == sizes[i],
             std::string(i == 0 ? "a" : "b") + " to have " + std::to_string(sizes[i]) + " elements a sample",
             std::to_string(a.inputs[i]));
  return {a.product({batch, m, n}, "batch, m and n")};
}

// y (batch, m, n) = op(a) op(b), a product for each of the batch of a sample; op(a) is (m, k) and op(b) is (k, n).
template <typename T>
class MatmulOp : public Op<T> {
 public:
  explicit MatmulOp(const OpArguments& a)
      : batch_(a.integer("batch")),
        m_(a.integer("m")),
        k_(a.integer("k")),
        n_(a.integer("n")),
        transpose_a_(a.flag("transpose_a")),
        transpose_b_(a.flag("transpose_b")) {}

  void forward(const Team& team, const Pass<T>& pass) const override {
    multiply(team, pass, this->y(pass), this->x(pass), this->x(pass, 1), of_y());
  }
  void backward(const Team& team, const Pass<T>& pass) const override {
    const T *a = this->x(pass), *b = this->x(pass, 1), *dy = this->dy(pass);
    if (T* const da = this->dx(pass)) multiply(team, pass, da, transpose_a_ ? b : dy, transpose_a_ ? dy : b, of_a());
    if (T* const db = this->dx(pass, 1)) multiply(team, pass, db, transpose_b_ ? dy : a, transpose_b_ ? a : dy, of_b());
  }
  ScratchSize scratch(const Kernels<T>& k, int64_t, int, bool backward) const override {
    const auto of = [&](const Sizes& s) { return k.gemm_scratch(s.m, s.n, s.transpose_b); };
    return {0, backward ? std::max({of(of_y()), of(of_a()), of(of_b())}) : of(of_y())};
  }
  double work() const override {
    return static_cast<double>(batch_ * m_) * static_cast<double>(k_) * static_cast<double>(n_);
  }

 private:
  // Of c (m, n) = op(a) op(b), with k terms.
  struct Sizes {
    int64_t m, n, k;
    bool transpose_a, transpose_b;
  };

  Sizes of_y() const { return {m_, n_, k_, transpose_a_, transpose_b_}; }
  // da = dy op(b)^T, or its transpose op(b) dy^T
  Sizes of_a() const {
    return transpose_a_ ? Sizes{k_, m_, n_, transpose_b_, true} : Sizes{m_, k_, n_, false, !transpose_b_};
  }
  // db = op(a)^T dy, or its transpose dy^T op(a)
  Sizes of_b() const {
    return transpose_b_ ? Sizes{n_, k_, m_, true, transpose_a_} : Sizes{k_, n_, m_, !transpose_a_, false};
  }

  // Where there are products enough, each member makes some of them alone. The bits are the same.
  void multiply(const Team& team, const Pass<T>& pass, T* c, const T* a, const T* b, const Sizes& s) const {
    const int64_t products = pass.batch * batch_;
    const bool alone = products >= team.size;
    const Team members = alone ? Team{0, 1, team.state} : team;
    const Range mine = alone ? team.share(products) : Range{0, products};
    for (int64_t i = mine.begin; i < mine.end; ++i)
      pass.k.gemm(members, c + i * s.m * s.n, a + i * s.m * s.k, b + i * s.k * s.n, s.m, s.n, s.k, s.transpose_a,
                  s.transpose_b, false, pass.own);
  }

  const int64_t batch_, m_, k_, n_;
  const bool transpose_a_, transpose_b_;
};

}  // namespace

PYNN_DEFINE_OP(binary, check_binary, BinaryOp)
PYNN_DEFINE_OP(add, check_add, AddOp)
PYNN_DEFINE_OP(concat, check_concat, ConcatOp)
PYNN_DEFINE_OP(matmul, check_matmul, MatmulOp)

}  // namespace pynn

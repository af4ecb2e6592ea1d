// What reads ids: rows of a table, ids that are computed of others, and ids as numbers.
#include <algorithm>

#include "../dataset.h"
#include "../names.h"
#include "../op.h"

namespace pynn {
namespace {

// ids lie where numbers would (dataset.h).
template <typename T>
const int32_t* ids_in(const T* tensor) {
  return reinterpret_cast<const int32_t*>(tensor);
}

// ---- embedding

std::vector<int64_t> check_embedding(const OpArguments& a) {
  a.expect_counts(1, 1);
  const int64_t rows = a.integer("rows"), columns = a.integer("dim");
  a.expect(rows <= int64_t{1} << 31, "rows of at most 2^31", std::to_string(rows));
  a.expect_parameter(0, "the table", a.product({rows, columns}, "rows and dim"));
  return {a.product({a.inputs[0], columns}, "ids and dim")};
}

// y = the rows of a table that the ids choose.
template <typename T>
class EmbeddingOp : public Op<T> {
 public:
  explicit EmbeddingOp(const OpArguments& a)
      : size_(a.inputs[0]), rows_(a.integer("rows")), columns_(a.integer("dim")) {}

  void forward(const Team& team, const Pass<T>& pass) const override {
    pass.k.embedding_forward(team, this->y(pass), ids_in(this->x(pass)), pass.parameters[0].value, pass.batch * size_,
                             columns_);
  }
  void backward(const Team& team, const Pass<T>& pass) const override {
    const ParameterUse<T>& table = pass.parameters[0];
    if (table.gradient == nullptr) return;
    pass.k.embedding_backward(team, table.gradient, table.marks, this->dy(pass), ids_in(this->x(pass)),
                              pass.batch * size_, rows_, columns_, pass.adds(0));
    announce_gradients(team, pass, 1);
  }
  double work() const override { return static_cast<double>(size_) * static_cast<double>(columns_); }
  int64_t ids_below() const override { return rows_; }
  int64_t marked_rows() const override { return rows_; }

 private:
  const int64_t size_, rows_, columns_;
};

// ---- select_ids

std::vector<int64_t> check_select_ids(const OpArguments& a) {
  a.expect_counts(1, 0);
  const std::vector<int64_t>& index = a.integers("index");
  a.expect(!index.empty(), "an index of at least one id", "none");
  for (const int64_t i : index)
    a.expect(0 <= i && i < a.inputs[0], "an index from 0 to " + std::to_string(a.inputs[0] - 1), std::to_string(i));
  return {static_cast<int64_t>(index.size())};
}

// y = those ids of each sample that an index names. They are checked here, as their readers have limits of their own.
template <typename T>
class SelectIdsOp : public Op<T> {
 public:
  explicit SelectIdsOp(const OpArguments& a) : size_(a.inputs[0]), index_(a.integers("index")) {}

  void forward(const Team& team, const Pass<T>& pass) const override {
    const auto count = static_cast<int64_t>(index_.size());
    const Range mine = team.share(pass.batch);
    const int32_t* x = ids_in(this->x(pass));
    auto* const y = reinterpret_cast<int32_t*>(this->y(pass));
    for (int64_t i = mine.begin; i < mine.end; ++i)
      for (int64_t j = 0; j < count; ++j) y[i * count + j] = x[i * size_ + index_[static_cast<std::size_t>(j)]];
    check_ids(y + mine.begin * count, (mine.end - mine.begin) * count, below_);
  }
  void backward(const Team&, const Pass<T>&) const override {}
  double work() const override { return static_cast<double>(index_.size()); }
  bool differentiable() const override { return false; }
  void limit_ids(int64_t below) override { below_ = std::min(below_, below); }

 private:
  const int64_t size_;
  const std::vector<int64_t> index_;
  int64_t below_ = INT64_MAX;
};

// ---- compute_ids

std::vector<int64_t> check_compute_ids(const OpArguments& a) {
  const bool constant = a.attributes.has("constant");
  a.expect_counts(constant ? 1 : 2, 0);
  const Binary function = binary_of(a.text("function"));
  a.expect(function == Binary::add || function == Binary::subtract || function == Binary::multiply ||
               function == Binary::floor_divide || function == Binary::remainder,
           "the function add, subtract, multiply, floor_divide or remainder", a.text("function"));
  if (constant) {
    a.flag("constant_first");
    for (const int64_t c : a.integers("constant"))
      a.expect(INT32_MIN <= c && c <= INT32_MAX, "32-bit constants", std::to_string(c));
  }
  const int64_t second = constant ? static_cast<int64_t>(a.integers("constant").size()) : a.inputs[1];
  a.expect(second == a.inputs[0], "two operands of " + std::to_string(a.inputs[0]) + " ids a sample",
           std::to_string(second));
  return {a.inputs[0]};
}

// y = function(a, b) of ids, where both are tensors, or one is a constant, the same for all samples. What does not fit
// into 32 bits loses the higher ones, as in NumPy.
template <typename T>
class ComputeIdsOp : public Op<T> {
 public:
  explicit ComputeIdsOp(const OpArguments& a) : size_(a.inputs[0]), function_(binary_of(a.text("function"))) {
    if (!a.attributes.has("constant")) return;
    const std::vector<int64_t>& constant = a.integers("constant");
    constant_.assign(constant.begin(), constant.end());
    constant_first_ = a.flag("constant_first");
  }

  void forward(const Team& team, const Pass<T>& pass) const override {
    const Range mine = team.share(pass.batch);
    const int32_t* x = ids_in(this->x(pass));
    const int32_t* other = constant_.empty() ? ids_in(this->x(pass, 1)) : constant_.data();
    auto* const y = reinterpret_cast<int32_t*>(this->y(pass));
    for (int64_t i = mine.begin * size_; i < mine.end * size_; i += size_) {
      const int32_t* const b = constant_.empty() ? other + i : other;
      for (int64_t j = 0; j < size_; ++j)
        y[i + j] = static_cast<int32_t>(constant_first_ ? of(b[j], x[i + j]) : of(x[i + j], b[j]));
    }
    check_ids(y + mine.begin * size_, (mine.end - mine.begin) * size_, below_);
  }
  void backward(const Team&, const Pass<T>&) const override {}
  double work() const override { return static_cast<double>(size_); }
  bool differentiable() const override { return false; }
  void limit_ids(int64_t below) override { below_ = std::min(below_, below); }

 private:
  int64_t of(int64_t a, int64_t b) const {
    if (function_ == Binary::add) return a + b;
    if (function_ == Binary::subtract) return a - b;
    if (function_ == Binary::multiply) return a * b;
    if (b == 0) return 0;
    const int64_t rest = a % b, above = rest != 0 && (rest < 0) != (b < 0) ? 1 : 0;  // rounded down, as in Python
    return function_ == Binary::remainder ? rest + above * b : a / b - above;
  }

  const int64_t size_;
  const Binary function_;
  std::vector<int32_t> constant_;
  bool constant_first_ = false;
  int64_t below_ = INT64_MAX;
};

// ---- numbers

std::vector<int64_t> check_numbers(const OpArguments& a) {
  a.expect_counts(1, 0);
  return {a.inputs[0]};
}

// y = the ids as numbers, of which float has those up to 2^24 exactly.
template <typename T>
class NumbersOp : public Op<T> {
 public:
  explicit NumbersOp(const OpArguments& a) : size_(a.inputs[0]) {}

  void forward(const Team& team, const Pass<T>& pass) const override {
    pass.k.numbers_of_ids(team, this->y(pass), ids_in(this->x(pass)), pass.batch * size_);
  }
  void backward(const Team&, const Pass<T>&) const override {}
  double work() const override { return static_cast<double>(size_); }
  bool differentiable() const override { return false; }

 private:
  const int64_t size_;
};

}  // namespace

PYNN_DEFINE_OP_READING(embedding, Reads::ids, check_embedding, EmbeddingOp)
PYNN_DEFINE_OP_READING(select_ids, Reads::ids, check_select_ids, SelectIdsOp)
PYNN_DEFINE_OP_READING(compute_ids, Reads::ids, check_compute_ids, ComputeIdsOp)
PYNN_DEFINE_OP_READING(numbers, Reads::ids, check_numbers, NumbersOp)

}  // namespace pynn

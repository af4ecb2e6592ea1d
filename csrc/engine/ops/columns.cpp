// Functions of each element and of a number that is learned for its column.
#include <algorithm>

#include "../op.h"

namespace pynn {
namespace {

// What these ops have in common: x (rows, columns), and one parameter (columns).
template <typename T>
class ColumnOp : public Op<T> {
 public:
  explicit ColumnOp(const OpArguments& a) : columns_(a.parameters[0]), rows_(a.inputs[0] / columns_) {}

  ScratchSize scratch(const Kernels<T>& k, int64_t batch, int, bool backward) const override {
    return {backward ? k.learned_sums(batch * rows_, columns_) : 0, 0};
  }
  double work() const override { return 2 * static_cast<double>(rows_ * columns_); }

 protected:
  const int64_t columns_, rows_;  // rows of a sample
};

std::vector<int64_t> check_column(const OpArguments& a, const char* name) {
  a.expect_counts(1, 1);
  const int64_t columns = a.parameters[0];
  a.expect(columns >= 1 && a.inputs[0] % columns == 0, std::string(name) + " whose size divides that of x",
           std::to_string(columns) + " for " + std::to_string(a.inputs[0]) + " elements a sample");
  return {a.inputs[0]};
}

// ---- bias

std::vector<int64_t> check_bias(const OpArguments& a) { return check_column(a, "a bias"); }

template <typename T>
class BiasOp : public ColumnOp<T> {
 public:
  using ColumnOp<T>::ColumnOp;

  void forward(const Team& team, const Pass<T>& pass) const override {
    pass.k.bias_forward(team, this->y(pass), this->x(pass), pass.parameters[0].value, pass.batch * this->rows_,
                        this->columns_);
  }
  void backward(const Team& team, const Pass<T>& pass) const override {
    const T* dy = this->dy(pass);
    if (pass.parameters[0].gradient != nullptr) {
      pass.k.bias_backward(team, pass.parameters[0].gradient, dy, pass.batch * this->rows_, this->columns_,
                           pass.adds(0), pass.shared);
      announce_gradients(team, pass, 1);
    }
    if (this->dx(pass) == nullptr) return;
    const Range mine = team.share(pass.batch * this->rows_ * this->columns_, 64);
    std::copy(dy + mine.begin, dy + mine.end, this->dx(pass) + mine.begin);
  }
};

// ---- prelu

std::vector<int64_t> check_prelu(const OpArguments& a) { return check_column(a, "a slope"); }

template <typename T>
class PreluOp : public ColumnOp<T> {
 public:
  using ColumnOp<T>::ColumnOp;

  void forward(const Team& team, const Pass<T>& pass) const override {
    pass.k.prelu_forward(team, this->y(pass), this->x(pass), pass.parameters[0].value, pass.batch * this->rows_,
                         this->columns_);
  }
  void backward(const Team& team, const Pass<T>& pass) const override {
    const ParameterUse<T>& slope = pass.parameters[0];
    pass.k.prelu_backward(team, this->dx(pass), slope.gradient, this->dy(pass), this->x(pass), slope.value,
                          pass.batch * this->rows_, this->columns_, pass.adds(0), pass.shared);
    announce_gradients(team, pass, 1);
  }
};

}  // namespace

PYNN_DEFINE_OP(bias, check_bias, BiasOp)
PYNN_DEFINE_OP(prelu, check_prelu, PreluOp)

}  // namespace pynn

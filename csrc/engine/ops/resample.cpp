// Sparse linear maps of groups: padding, cropping, repeating, interpolating, exchanging axes.
#include <algorithm>

#include "../op.h"
#include "../pieces.h"
#include "../shapes.h"

namespace pynn {
namespace {

std::vector<int64_t> check_resample(const OpArguments& a) {
  a.expect_counts(1, 0);
  const std::vector<int64_t>&begin = a.integers("begin"), &index = a.integers("index");
  const std::vector<double> weight = a.numbers("weight");
  a.expect(!begin.empty() && begin.back() == static_cast<int64_t>(index.size()) && index.size() == weight.size(),
           "begin[-1] elements of index and weight",
           std::to_string(index.size()) + " and " + std::to_string(weight.size()));
  const SparseMap<double> map{a.integer("inputs"), static_cast<int64_t>(begin.size()) - 1,
                              a.integer("inner"),  begin.data(),
                              index.data(),        weight.data()};
  check_shape(map);
  a.expect_input(a.product({map.inputs, map.inner}, "sizes of a map"));
  return {a.product({map.outputs, map.inner}, "sizes of a map")};
}

// The numbers of a SparseMap.
template <typename T>
struct Terms {
  std::vector<int64_t> begin, index;
  std::vector<T> weight;  // empty: all are 1
};

// A row for each of the inputs: where it goes to, in the order of the outputs.
template <typename T>
Terms<T> transposed(const Terms<T>& terms, int64_t inputs) {
  Terms<T> to;
  to.begin.resize(static_cast<std::size_t>(inputs) + 1);
  to.index = copied<int64_t>(terms.index);  // room for as many
  to.weight = copied<T>(terms.weight);
  in_pieces(static_cast<int64_t>(terms.index.size()), [&](int64_t from, int64_t end) {
    for (int64_t k = from; k < end; ++k)
      ++to.begin[static_cast<std::size_t>(terms.index[static_cast<std::size_t>(k)]) + 1];
  });
  for (std::size_t i = 0; i < static_cast<std::size_t>(inputs); ++i) to.begin[i + 1] += to.begin[i];
  std::vector<int64_t> next = to.begin;
  in_pieces(static_cast<int64_t>(terms.begin.size()) - 1, [&](int64_t from, int64_t end) {
    for (int64_t output = from; output < end; ++output) {
      const auto row = static_cast<std::size_t>(output);
      for (auto k = static_cast<std::size_t>(terms.begin[row]); k < static_cast<std::size_t>(terms.begin[row + 1]);
           ++k) {
        const auto at = static_cast<std::size_t>(next[static_cast<std::size_t>(terms.index[k])]++);
        to.index[at] = output;
        if (!terms.weight.empty()) to.weight[at] = terms.weight[k];
      }
    }
  });
  return to;
}

template <typename T>
class ResampleOp : public Op<T> {
 public:
  explicit ResampleOp(const OpArguments& a)
      : inputs_(a.integer("inputs")),
        outputs_(static_cast<int64_t>(a.integers("begin").size()) - 1),
        inner_(a.integer("inner")) {
    forward_.begin = copied<int64_t>(a.integers("begin"));
    forward_.index = copied<int64_t>(a.integers("index"));
    const std::vector<double> weight = a.numbers("weight");
    if (std::any_of(weight.begin(), weight.end(), [](double w) { return w != 1; })) forward_.weight = copied<T>(weight);
    backward_ = transposed(forward_, inputs_);
  }

  void forward(const Team& team, const Pass<T>& pass) const override {
    pass.k.resample(team, this->y(pass), this->x(pass), pass.batch, map(forward_, inputs_, outputs_));
  }
  void backward(const Team& team, const Pass<T>& pass) const override {
    pass.k.resample(team, this->dx(pass), this->dy(pass), pass.batch, map(backward_, outputs_, inputs_));
  }
  double work() const override {
    return static_cast<double>(inner_) * static_cast<double>(forward_.index.size() + forward_.begin.size());
  }

 private:
  SparseMap<T> map(const Terms<T>& terms, int64_t from, int64_t to) const {
    return {
        from, to, inner_, terms.begin.data(), terms.index.data(), terms.weight.empty() ? nullptr : terms.weight.data()};
  }

  const int64_t inputs_, outputs_, inner_;
  Terms<T> forward_, backward_;
};

}  // namespace

PYNN_DEFINE_OP(resample, check_resample, ResampleOp)

}  // namespace pynn

// Sparse linear maps of groups: padding, cropping, repeating, interpolating, exchanging axes.
#include <algorithm>

#include "op.h"

namespace pynn {
namespace {

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
  to.index.resize(terms.index.size());
  to.weight.resize(terms.weight.size());
  for (const int64_t input : terms.index) ++to.begin[static_cast<std::size_t>(input) + 1];
  for (std::size_t i = 0; i < static_cast<std::size_t>(inputs); ++i) to.begin[i + 1] += to.begin[i];
  std::vector<int64_t> next = to.begin;
  for (std::size_t output = 0; output + 1 < terms.begin.size(); ++output)
    for (auto k = static_cast<std::size_t>(terms.begin[output]); k < static_cast<std::size_t>(terms.begin[output + 1]);
         ++k) {
      const auto at = static_cast<std::size_t>(next[static_cast<std::size_t>(terms.index[k])]++);
      to.index[at] = static_cast<int64_t>(output);
      if (!terms.weight.empty()) to.weight[at] = terms.weight[k];
    }
  return to;
}

template <typename T>
class ResampleOp : public Op<T> {
 public:
  ResampleOp(int x, int y, const SparseMap<double>& map)
      : Op<T>(x, y), inputs_(map.inputs), outputs_(map.outputs), inner_(map.inner) {
    const int64_t terms = map.begin[outputs_];
    forward_.begin.assign(map.begin, map.begin + outputs_ + 1);
    forward_.index.assign(map.index, map.index + terms);
    if (map.weight != nullptr && std::any_of(map.weight, map.weight + terms, [](double w) { return w != 1; }))
      forward_.weight.assign(map.weight, map.weight + terms);
    backward_ = transposed(forward_, inputs_);
  }

  void forward(const Team& team, const Pass<T>& pass) const override {
    pass.k.resample(team, pass.values[this->output], pass.values[this->input], pass.batch,
                    map(forward_, inputs_, outputs_));
  }
  void backward(const Team& team, const Pass<T>& pass) const override {
    pass.k.resample(team, pass.gradients[this->input], pass.gradients[this->output], pass.batch,
                    map(backward_, outputs_, inputs_));
  }
  double work() const override {
    return static_cast<double>(inner_) * static_cast<double>(forward_.index.size() + forward_.begin.size());
  }

 private:
  SparseMap<T> map(const Terms<T>& terms, int64_t inputs, int64_t outputs) const {
    return {inputs,
            outputs,
            inner_,
            terms.begin.data(),
            terms.index.data(),
            terms.weight.empty() ? nullptr : terms.weight.data()};
  }

  const int64_t inputs_, outputs_, inner_;
  Terms<T> forward_, backward_;
};

}  // namespace

template <typename T>
std::unique_ptr<Op<T>> make_resample(int x, int y, const SparseMap<double>& map) {
  return std::make_unique<ResampleOp<T>>(x, y, map);
}

#define PYNN_INSTANTIATE(T) template std::unique_ptr<Op<T>> make_resample<T>(int, int, const SparseMap<double>&);
PYNN_INSTANTIATE(float)
PYNN_INSTANTIATE(double)

}  // namespace pynn

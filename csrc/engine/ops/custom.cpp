// Code from outside in the middle of a network: one member runs it, the others wait.
#include "../../runtime/parallel.h"
#include "../op.h"

namespace pynn {
namespace {

std::vector<int64_t> check_custom(const OpArguments& a) {
  a.expect_counts(a.inputs.size(), 0);
  const auto& callback = a.attributes.callback(a.kind, "callback");
  a.expect(callback != nullptr && callback->forward && callback->backward, "a callback with forward and backward",
           "one without");
  a.expect(!a.integers("sizes").empty(), "at least one output", "none");
  for (const int64_t size : a.integers("sizes")) a.product({size}, "sizes of outputs");
  return a.integers("sizes");
}

template <typename T>
class CustomOp : public Op<T> {
 public:
  explicit CustomOp(const OpArguments& a) : callback_(a.attributes.callback(a.kind, "callback")) {}

  void forward(const Team& team, const Pass<T>& pass) const override {
    if (team.rank != 0) return;
    const OrdinaryNumbers guard;
    std::vector<const void*> xs;
    std::vector<void*> ys;
    for (std::size_t i = 0; i < this->inputs.size(); ++i) xs.push_back(this->x(pass, i));
    for (std::size_t i = 0; i < this->outputs.size(); ++i) ys.push_back(this->y(pass, i));
    callback_->forward(ys, xs, pass.batch);
  }
  void backward(const Team& team, const Pass<T>& pass) const override {
    if (team.rank != 0) return;
    const OrdinaryNumbers guard;
    std::vector<const void*> xs, dys;
    std::vector<void*> dxs;
    for (std::size_t i = 0; i < this->inputs.size(); ++i) {
      xs.push_back(this->x(pass, i));
      dxs.push_back(this->dx(pass, i));
    }
    for (std::size_t i = 0; i < this->outputs.size(); ++i) dys.push_back(this->dy(pass, i));
    callback_->backward(dxs, dys, xs, pass.batch);
  }
  // Its code may do with the samples what it likes.
  bool couples_samples() const override { return true; }
  bool runs_outside_code() const override { return true; }
  double work() const override { return 0; }

 private:
  const std::shared_ptr<const Callback> callback_;
};

}  // namespace

PYNN_DEFINE_OP_READING(custom, Reads::both, check_custom, CustomOp)

}  // namespace pynn

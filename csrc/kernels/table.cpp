#include "register.h"

namespace pynn {
namespace PYNN_ISA {
namespace {

template <typename T>
void fill(Kernels<T>& k) {
  register_gemm(k);
  register_dense(k);
  register_conv(k);
  register_conv_input(k);
  register_conv_backward(k);
  register_pool(k);
  register_noise(k);
  register_norm(k);
  register_resample(k);
  register_activations(k);
  register_softmax(k);
  register_losses(k);
  register_optimizers(k);
  register_penalties(k);
  register_rows(k);
}

}  // namespace

PYNN_DEFINE_REGISTER(all)

}  // namespace PYNN_ISA
}  // namespace pynn

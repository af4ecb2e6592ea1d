// How the kernel files of one instruction set enter their functions into the table.
#pragma once

#include "kernels.h"

namespace pynn {
namespace PYNN_ISA {

void register_gemm(Kernels<float>&);
void register_gemm(Kernels<double>&);
void register_dense(Kernels<float>&);
void register_dense(Kernels<double>&);
void register_conv(Kernels<float>&);
void register_conv(Kernels<double>&);
void register_conv_input(Kernels<float>&);
void register_conv_input(Kernels<double>&);
void register_conv_backward(Kernels<float>&);
void register_conv_backward(Kernels<double>&);
void register_pool(Kernels<float>&);
void register_pool(Kernels<double>&);
void register_noise(Kernels<float>&);
void register_noise(Kernels<double>&);
void register_norm(Kernels<float>&);
void register_norm(Kernels<double>&);
void register_resample(Kernels<float>&);
void register_resample(Kernels<double>&);
void register_activations(Kernels<float>&);
void register_activations(Kernels<double>&);
void register_softmax(Kernels<float>&);
void register_softmax(Kernels<double>&);
void register_losses(Kernels<float>&);
void register_losses(Kernels<double>&);
void register_optimizers(Kernels<float>&);
void register_optimizers(Kernels<double>&);
void register_penalties(Kernels<float>&);
void register_penalties(Kernels<double>&);
void register_rows(Kernels<float>&);
void register_rows(Kernels<double>&);

// All of them; what the dispatcher calls (table.cpp).
void register_all(Kernels<float>&);
void register_all(Kernels<double>&);

// Each file has a template `fill(Kernels<T>&)` of its own, called through these.
#define PYNN_DEFINE_REGISTER(family)                     \
  void register_##family(Kernels<float>& k) { fill(k); } \
  void register_##family(Kernels<double>& k) { fill(k); }

}  // namespace PYNN_ISA
}  // namespace pynn

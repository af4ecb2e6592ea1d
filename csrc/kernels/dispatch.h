// The choice of the instruction set, made once when the library is loaded.
#pragma once

#include "kernels.h"

namespace pynn {

// The kernels for this processor. PYNN_CPU_LEVEL=2 or 3 in the environment holds x86-64 to that level.
template <typename T>
const Kernels<T>& kernels();

// "x86-64-v4", "x86-64-v3", "x86-64-v2", "aarch64" or "generic".
const char* instruction_set();

}  // namespace pynn

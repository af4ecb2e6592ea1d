#include "dispatch.h"

#include <stdlib.h>
#include <string.h>

namespace pynn {

#define PYNN_DECLARE_LEVEL(isa)          \
  namespace isa {                        \
  void register_all(Kernels<float>& k);  \
  void register_all(Kernels<double>& k); \
  }

#if defined(__x86_64__)
PYNN_DECLARE_LEVEL(x86_64_v2)
PYNN_DECLARE_LEVEL(x86_64_v3)
PYNN_DECLARE_LEVEL(x86_64_v4)
#else
PYNN_DECLARE_LEVEL(baseline)
#endif

namespace {

#if defined(__x86_64__)

int detect_level() {
  int level = 2;
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2")) level = 3;
  if (level == 3 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
    level = 4;
  const char* cap = getenv("PYNN_CPU_LEVEL");
  if (cap != nullptr && strlen(cap) == 1 && *cap >= '2' && *cap < '0' + level) level = *cap - '0';
  return level;
}

const int level = detect_level();

template <typename T>
Kernels<T> fill_table() {
  Kernels<T> k{};
  if (level == 4)
    x86_64_v4::register_all(k);
  else if (level == 3)
    x86_64_v3::register_all(k);
  else
    x86_64_v2::register_all(k);
  return k;
}

#else

template <typename T>
Kernels<T> fill_table() {
  Kernels<T> k{};
  baseline::register_all(k);
  return k;
}

#endif

}  // namespace

template <typename T>
const Kernels<T>& kernels() {
  static const Kernels<T> table = fill_table<T>();
  return table;
}

template const Kernels<float>& kernels<float>();
template const Kernels<double>& kernels<double>();

const char* instruction_set() {
#if defined(__x86_64__)
  return level == 4 ? "x86-64-v4" : level == 3 ? "x86-64-v3" : "x86-64-v2";
#elif defined(__aarch64__)
  return "aarch64";
#else
  return "generic";
#endif
}

}  // namespace pynn

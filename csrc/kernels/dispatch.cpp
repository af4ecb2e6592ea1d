#include "dispatch.h"

#include <stdlib.h>
#include <string.h>

namespace pynn {

#define PYNN_DECLARE_LEVEL(isa)          \
  namespace isa {                        \
  void register_all(Kernels<float>& k);  \
  void register_all(Kernels<double>& k); \
  }

// PYNN_LEVEL_2, _3 and _4 tell which levels of x86-64 were compiled (PYNN_LEVELS in kernels.cmake).
#if defined(PYNN_LEVEL_2)
PYNN_DECLARE_LEVEL(x86_64_v2)
#endif
#if defined(PYNN_LEVEL_3)
PYNN_DECLARE_LEVEL(x86_64_v3)
#endif
#if defined(PYNN_LEVEL_4)
PYNN_DECLARE_LEVEL(x86_64_v4)
#endif
#if !defined(__x86_64__)
PYNN_DECLARE_LEVEL(baseline)
#endif

namespace {

// The kernels of one instruction set.
struct Level {
  int number;  // of x86-64; 0 for the only level of other processors
  const char* name;
  bool (*supported)();
  void (*fill_float)(Kernels<float>&);
  void (*fill_double)(Kernels<double>&);
};

#if defined(__x86_64__)
[[maybe_unused]] bool has_v2() { return true; }
[[maybe_unused]] bool has_v3() {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2");
}
[[maybe_unused]] bool has_v4() {
  return has_v3() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}
#endif

// From the lowest to the highest.
const Level levels[] = {
#if defined(PYNN_LEVEL_2)
    {2, "x86-64-v2", has_v2, x86_64_v2::register_all, x86_64_v2::register_all},
#endif
#if defined(PYNN_LEVEL_3)
    {3, "x86-64-v3", has_v3, x86_64_v3::register_all, x86_64_v3::register_all},
#endif
#if defined(PYNN_LEVEL_4)
    {4, "x86-64-v4", has_v4, x86_64_v4::register_all, x86_64_v4::register_all},
#endif
#if defined(__aarch64__)
    {0, "aarch64", [] { return true; }, baseline::register_all, baseline::register_all},
#elif !defined(__x86_64__)
    {0, "generic", [] { return true; }, baseline::register_all, baseline::register_all},
#endif
};

// The highest level that the processor has and PYNN_CPU_LEVEL allows.
const Level& choose_level() {
#if defined(__x86_64__)
  __builtin_cpu_init();
#endif
  const char* cap = getenv("PYNN_CPU_LEVEL");
  const int highest = cap != nullptr && strlen(cap) == 1 && *cap >= '2' && *cap <= '4' ? *cap - '0' : 4;
  const Level* chosen = &levels[0];
  for (const Level& level : levels)
    if (level.number <= highest && level.supported()) chosen = &level;
  return *chosen;
}

const Level& level = choose_level();

template <typename T>
Kernels<T> fill_table();

template <>
Kernels<float> fill_table<float>() {
  Kernels<float> k{};
  level.fill_float(k);
  return k;
}

template <>
Kernels<double> fill_table<double>() {
  Kernels<double> k{};
  level.fill_double(k);
  return k;
}

}  // namespace

template <typename T>
const Kernels<T>& kernels() {
  static const Kernels<T> table = fill_table<T>();
  return table;
}

template const Kernels<float>& kernels<float>();
template const Kernels<double>& kernels<double>();

const char* instruction_set() { return level.name; }

}  // namespace pynn

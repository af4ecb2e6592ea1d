// How the functions of pynn.ops call kernels: the type of numbers, the team, arrays that may be left out.
#pragma once

#include <pybind11/stl.h>

#include <optional>

#include "../kernels/dispatch.h"
#include "../runtime/blas.h"
#include "../runtime/parallel.h"
#include "arrays.h"

namespace pynn {

using Optional = std::optional<py::array>;
using Settings = std::map<std::string, double>;

// Calls f with a number of the type of `a`, which says for which type the kernel is wanted.
template <typename F>
auto with_type(const py::array& a, F f) {
  if (is<double>(a)) return f(double{});
  if (is<float>(a)) return f(float{});
  throw py::type_error("arrays must be C-contiguous float32 or float64");
}

// Multiply-adds that make a second member worth its start.
constexpr double kWorkPerMember = 2e5;

// Runs Python's signal handlers; where one raises (Ctrl-C), its exception ends the region.
void check_signals();

// Runs body(team) without the GIL. work: in multiply-adds. Ends half-way for an interrupt only.
template <typename Body>
void run(int threads, double work, const Body& body, const Interrupt& interrupt = {}) {
  require(threads > 0, "threads must be at least 1");
  const py::gil_scoped_release release;
  blas::keep_serial();
  run_team(team_size(threads, work, kWorkPerMember), body, interrupt);
}

inline double product(int64_t a, int64_t b, int64_t c) {
  return static_cast<double>(a) * static_cast<double>(b) * static_cast<double>(c);
}

// Of a function of each element.
inline double elementwise(const py::array& x) { return 8 * static_cast<double>(x.size()); }

template <typename T>
const T* optional_input(const Optional& a, const char* name, int64_t n) {
  if (!a) return nullptr;
  require(size(*a) == n, "an array has the wrong size");
  return input<T>(*a, name);
}

template <typename T>
T* optional_output(Optional& a, const char* name, int64_t n) {
  if (!a) return nullptr;
  require(size(*a) == n, "an array has the wrong size");
  return output<T>(*a, name);
}

}  // namespace pynn

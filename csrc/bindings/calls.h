// How calls from Python run: the type of numbers, the team, the interpreter's lock, signals.
#pragma once

#include <pybind11/stl.h>

#include <map>
#include <string>
#include <type_traits>
#include <variant>
#include <vector>

#include "../kernels/dispatch.h"
#include "../runtime/blas.h"
#include "../runtime/parallel.h"
#include "arrays.h"

namespace pynn {

using Settings = std::map<std::string, double>;

// The settings of a loss or a metric: one number, three, or two and one for each of several classes.
using NumbersOf = std::variant<double, std::vector<double>>;
struct LossNumbers {
  double a, b = 0, c = 0;
  std::vector<double> by_class{};
};
inline LossNumbers loss_numbers(const NumbersOf& numbers) {
  if (const double* one = std::get_if<double>(&numbers)) return {*one};
  const auto& all = std::get<1>(numbers);
  require(all.size() >= 3, "a loss has one number or at least three");
  if (all.size() == 3) return {all[0], all[1], all[2]};
  return {all[0], all[1], 1, {all.begin() + 2, all.end()}};
}

// Calls f with a number of the type of `a`, which says for which type the kernel is wanted.
template <typename F>
auto with_type(const py::array& a, F f) {
  if (is<double>(a)) return f(double{});
  if (is<float>(a)) return f(float{});
  throw py::type_error("arrays must be C-contiguous float32 or float64");
}

// Multiply-adds that make a second member worth its start.
constexpr double kWorkPerSmallMember = 2e5;

// Lets other Python threads run while it lives. A daemon thread that Python has given up at exit does not come back
// from it, but waits for the end of the process: unwinding it through the engine would abort.
class WithoutGil {
 public:
  WithoutGil();
  ~WithoutGil();
  WithoutGil(const WithoutGil&) = delete;
  WithoutGil& operator=(const WithoutGil&) = delete;

 private:
  PyThreadState* state_;
};

// What a call on this thread asks now and then: runs Python's signal handlers; where one raises (Ctrl-C), its exception
// ends the region. Empty on threads that Python runs no handlers on. The caller has the GIL.
Interrupt signal_check();

// Warns where the process could not start all the threads of a region since this was asked. May throw, as warnings may
// be errors.
void warn_of_thread_shortage();

// What `call` returns, without the GIL.
template <typename Call>
auto without_gil(const Call& call) {
  if constexpr (std::is_void_v<decltype(call())>) {
    {
      const WithoutGil released;
      call();
    }
    warn_of_thread_shortage();
  } else {
    auto result = [&] {
      const WithoutGil released;
      return call();
    }();
    warn_of_thread_shortage();
    return result;
  }
}

// Runs body(team) without the GIL. work: in multiply-adds. Ends half-way for an interrupt only.
template <typename Body>
void run(int threads, double work, const Body& body) {
  require(threads > 0, "threads must be at least 1");
  const Interrupt interrupt = signal_check();
  without_gil([&] {
    blas::keep_serial();
    run_team(team_size(threads, work, kWorkPerSmallMember), body, interrupt);
  });
}

// Of a function of each element.
inline double elementwise(const py::array& x) { return 8 * static_cast<double>(x.size()); }

}  // namespace pynn

// Checks every kernel against plain loops in double, or those of the families that are named as arguments. Prints what
// is wrong; the exit status is 1 if anything is.
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <exception>

#include "../../csrc/runtime/philox.h"
#include "check.h"

namespace pynn {
namespace {

int checks = 0, failures = 0;

}  // namespace

std::string text(const char* format, ...) {
  char buffer[400];
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(buffer, sizeof(buffer), format, arguments);
  va_end(arguments);
  return buffer;
}

void check(bool right, const std::string& what, const std::string& found) {
  ++checks;
  if (right) return;
  ++failures;
  std::printf("FAILED: %s: %s\n", what.c_str(), found.c_str());
}

std::vector<int> teams() {
  static bool descending = true;
  descending = !descending;
  return descending ? std::vector<int>{7, 3, 2, 1} : std::vector<int>{1, 2, 3, 7};
}

double random_value(double low, double high) {
  static uint64_t index = 0;
  return low + (high - low) * Philox{1, 2}.uniform(index++);
}

}  // namespace pynn

int main(int count, char** arguments) {
  using namespace pynn;
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  std::printf("%s, %s\n", instruction_set(), thread_backend());
  const struct {
    const char* name;
    void (*run)();
  } families[] = {{"convolutions", check_convolutions},
                  {"functions", check_functions},
                  {"losses", check_losses},
                  {"optimizers", check_optimizers},
                  {"products", check_products},
                  {"noise", check_noise},
                  {"regular", check_regular},
                  {"windows", check_windows},
                  {"runtime", check_runtime},
                  {"polling", check_polling}};
  const std::vector<std::string> wanted(arguments + 1, arguments + count);
  for (const auto& family : families) {
    const bool named = std::find(wanted.begin(), wanted.end(), family.name) != wanted.end();
    if (!named && (!wanted.empty() || family.run == check_polling)) continue;
    const int checks_before = checks, failures_before = failures;
    try {
      family.run();
    } catch (const std::exception& error) {
      check(false, family.name, error.what());
    }
    std::printf("%s: %d checks, %d failed\n", family.name, checks - checks_before, failures - failures_before);
  }
  return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#include "check.h"

#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <exception>

#include "../../csrc/runtime/philox.h"

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

int run_families(const std::vector<Family>& families, int count, char** arguments) {
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  std::printf("%s, %s\n", instruction_set(), thread_backend());
  const std::vector<std::string> wanted(arguments + 1, arguments + count);
  for (const Family& family : families) {
    const bool named = std::find(wanted.begin(), wanted.end(), family.name) != wanted.end();
    if (!named && (family.only_if_named || !wanted.empty())) continue;
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

}  // namespace pynn

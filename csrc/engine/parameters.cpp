#include "parameters.h"

#include <stdexcept>
#include <string>

#include "attributes.h"

namespace pynn {

const char* const kBusy = "the network is being trained by another thread";

int Parameters::add(const Parameter& parameter) {
  const int64_t size = parameter.size, element = is_double_ ? sizeof(double) : sizeof(float);
  if (size < 0 || size > INT64_MAX / 64) refuse("parameter", "a size from 0 to 2^57", std::to_string(size));
  const ConstraintSpec& c = parameter.constraint;
  if (parameter.constrained()) {
    int64_t product = 1;
    const bool overflow =
        __builtin_mul_overflow(c.outer, c.axis, &product) || __builtin_mul_overflow(product, c.inner, &product);
    if (c.outer < 1 || c.axis < 1 || c.inner < 1 || overflow || product != size)
      refuse("parameter", "a constraint whose outer * axis * inner is the size " + std::to_string(size),
             std::to_string(c.outer) + " * " + std::to_string(c.axis) + " * " + std::to_string(c.inner));
  }
  Entry entry{parameter, {}};
  entry.memory.allocate(size * element);
  entries_.push_back(std::move(entry));
  return count() - 1;
}

const Parameters::Entry& Parameters::entry(int number) const {
  if (number < 0 || number >= count())
    throw std::out_of_range("expected the number of one of " + std::to_string(count()) + " parameters, got " +
                            std::to_string(number));
  return entries_[static_cast<std::size_t>(number)];
}

Shared share(Parameters& parameters) {
  Shared held(parameters.use);
  if (!held) throw Busy(kBusy);
  return held;
}

Taken take(Parameters& parameters, const std::function<void()>& interrupt) {
  Taken held(parameters.use, interrupt);
  if (!held) throw Busy(kBusy);
  return held;
}

}  // namespace pynn

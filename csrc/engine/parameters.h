// The weights of one layer. The layer owns them for life; any number of graphs refer to them.
#pragma once

#include <atomic>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <stdexcept>

#include "../kernels/penalties.h"
#include "../runtime/use_lock.h"
#include "buffer.h"

namespace pynn {

// Thrown where evaluation or prediction would see parameters that are being trained, and where two would train them.
struct Busy : std::runtime_error {
  using std::runtime_error::runtime_error;
};

extern const char* const kBusy;  // what it says

// One weight array.
struct Parameter {
  int64_t size = 0;
  bool learned = true;    // by the optimizer; otherwise its op changes it, such as moving statistics
  double l1 = 0, l2 = 0;  // of its penalty, a part of the loss
  bool by_rows = false;   // whether the penalty is divided by what the rows of a batch count for
  ConstraintSpec constraint{};

  bool penalized() const { return l1 > 0 || l2 > 0; }
  bool constrained() const { return constraint.kind != Constraint::none; }
};

class Parameters {
 public:
  explicit Parameters(bool is_double) : is_double_(is_double) {}

  bool is_double() const { return is_double_; }

  // A new weight of zeros; its number here. Throws std::invalid_argument for a constraint that does not fit its size.
  int add(const Parameter& parameter);
  int count() const { return static_cast<int>(entries_.size()); }
  const Parameter& at(int number) const { return entry(number).parameter; }
  // The memory, which stays where it is.
  void* data(int number) const { return entry(number).memory.data(); }

  // Whether no training changes them.
  std::atomic<bool> frozen{false};

  // Taken by training and by other changes of the engine's, shared by evaluation and prediction.
  UseLock use;

 private:
  struct Entry {
    Parameter parameter;
    Buffer<std::byte> memory;
  };

  const Entry& entry(int number) const;

  const bool is_double_;
  std::deque<Entry> entries_;
};

// One of the weights of some Parameters.
struct ParameterRef {
  std::shared_ptr<Parameters> owner;
  int number = 0;

  const Parameter& parameter() const { return owner->at(number); }
  bool trainable() const { return parameter().learned && !owner->frozen.load(std::memory_order_relaxed); }
};

// To look at them; throws Busy while someone changes them or waits to.
Shared share(Parameters& parameters);
// To change them. Waits for those who read; throws Busy where someone else changes them already. `interrupt` may end
// the wait. Who holds several takes them in the order of their addresses.
Taken take(Parameters& parameters, const std::function<void()>& interrupt);

}  // namespace pynn

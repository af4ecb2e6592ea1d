// How often a kernel looks whether its region must end: for Ctrl-C, or because another member failed.
#pragma once

#include <stdint.h>

#include "../runtime/team.h"
#include "simd.h"

namespace pynn {
namespace PYNN_ISA {
namespace {

// Counts the work of a loop and polls every few microseconds of it, which costs less than one in a hundred.
class Look {
 public:
  PYNN_INLINE_SPECIAL explicit Look(const Team& team) : team_(team) {}

  // After so many elements of simple work: loaded, put together, stored.
  PYNN_INLINE_SPECIAL void after(int64_t elements) {
    done_ += elements;
    if (done_ < kElements) return;
    done_ = 0;
    team_.poll();
  }
  // After so many multiply-adds of a product.
  PYNN_INLINE_SPECIAL void after_product(int64_t rows, int64_t columns, int64_t terms) {
    after(rows * columns / kFaster * terms + 1);
  }

 private:
  static constexpr int64_t kElements = 32768, kFaster = 16;
  const Team& team_;
  int64_t done_ = 0;
};

}  // namespace
}  // namespace PYNN_ISA
}  // namespace pynn

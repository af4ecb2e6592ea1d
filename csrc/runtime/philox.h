// Counter-based random numbers: Philox 4x32-10 (Salmon, Moraes, Dror, Shaw: Parallel random numbers: as easy as 1, 2,
// 3, SC'11). A number is a function of (seed, stream, index), so that no result depends on who draws it, or when.
#pragma once

#include <stdint.h>

namespace pynn {

struct Philox {
  uint64_t seed, stream;

  struct Block {
    uint32_t word[4];
  };

  // The four words of block `index`.
  Block block(uint64_t index) const;

  // A number of [0, 1) with 53 bits; two of them share a block.
  double uniform(uint64_t index) const;
};

// A permutation of 0..n-1 (Fisher-Yates; the numbers are drawn below their bounds without bias that 64 bits could
// show).
void permute(int64_t* order, int64_t n, const Philox& random);

}  // namespace pynn

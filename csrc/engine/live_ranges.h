// Which tensors share memory.
#pragma once

#include <cstdint>
#include <vector>

namespace pynn {

// From when to when a tensor is needed, both moments included. A moment is the number of an op, in the order in which
// they run: forwards, or on the way back.
struct LiveRange {
  static constexpr int kEnd = INT32_MAX;  // behind all ops

  int64_t size = 0;  // elements of a sample
  int from = 0, to = -1;

  bool any() const { return from <= to; }
};

// Blocks of memory, one or more tensors in each.
struct Blocks {
  std::vector<int> of;         // by tensor: the number of its block, or -1 where it is never needed
  std::vector<int64_t> sizes;  // by block: elements of a sample
};

// Gives the tensors blocks, in the order in which they are first needed. Of the blocks of its size that are free, a
// tensor takes the one that became so last, which is still in the caches. A block of another size would be wrong:
// members that go alone are at different ops at a time, and what keeps them apart is that a sample has one place in a
// block.
Blocks share_blocks(const std::vector<LiveRange>& ranges);

}  // namespace pynn

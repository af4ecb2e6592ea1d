// A team of threads in one parallel region, seen by one of its members.
//
// Every kernel is written as what one member does: it takes its share of the work and calls barrier() where the
// others must have finished. Nothing here is inline: the kernels are compiled once per instruction set, and an inline
// function shared between those files could be linked from the wrong one.
#pragma once

#include <stdint.h>

namespace pynn {

struct Range {
  int64_t begin, end;
};

struct TeamState;

struct Team {
  int rank;
  int size;
  TeamState* state;  // of the region; a member that works alone in it is a team of one with the region's state

  // Returns when every member has called it. Throws if another member failed.
  void barrier() const;

  // This member's part of 0..n-1: contiguous, cut at multiples of `grain`. How a kernel cuts its work must not change
  // its results: each output element is computed by one member, in an order that does not depend on the cut.
  Range share(int64_t n, int64_t grain = 1) const;

  // Whether other processes hold the team up so much that one member alone would be faster. The region should end then.
  bool is_held_up() const;

  // The others had to wait so many seconds for this member, not for a core: it did what is not shared, or its share was
  // so much more than theirs.
  void excuse(double seconds) const;

  // For loops that may run long: throws where the region must end, because another member failed or, seen by the thread
  // that opened the region at most every few milliseconds, because of Ctrl-C.
  void poll() const;
};

}  // namespace pynn

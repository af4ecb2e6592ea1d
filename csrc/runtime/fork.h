// What fork() leaves behind: threads and locks of the parent mean nothing in its child.
#pragma once

#include <stdint.h>

namespace pynn {

// 1 in the process that loaded the library, and one more in each child of a fork. What was begun under another number
// was begun by an ancestor.
uint32_t fork_generation();

}  // namespace pynn

// The two ways to get threads, one of which is compiled in: OpenMP (threads_openmp.cpp) or std::thread
// (threads_std.cpp).
#pragma once

#include <functional>

namespace pynn {

// How many of `threads` members the process can start for the calling thread, which is one of them: fewer where it has
// reached a limit of processes or of memory. Tried out for each new size; where that fails, again after a while.
int startable_threads(int threads);

// Calls body(rank) once for each rank of 0..threads-1, all at the same time, rank 0 on the calling thread. body must
// not throw. Returns false, with nothing called, where so many threads cannot be had now (a nested region, a limit of
// the OpenMP library). Where the calling thread forks inside of body, its child returns from here as soon as it has
// returned from body(0): it has none of the other threads.
bool run_threads(int threads, const std::function<void(int)>& body);

const char* thread_backend();

}  // namespace pynn

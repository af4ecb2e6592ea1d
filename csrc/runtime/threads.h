// The two ways to get threads, one of which is compiled in: OpenMP (threads_openmp.cpp) or std::thread
// (threads_std.cpp).
#pragma once

#include <functional>

namespace pynn {

// Calls body(rank) once for each rank of 0..threads-1, all at the same time, rank 0 on the calling thread. body must
// not throw. Returns false, with nothing called, where so many threads cannot be had now (a nested region, a limit of
// the process).
bool run_threads(int threads, const std::function<void(int)>& body);

const char* thread_backend();

}  // namespace pynn

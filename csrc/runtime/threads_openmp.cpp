#include <omp.h>
#include <pthread.h>

#include "threads.h"

namespace pynn {
namespace {

// A child of fork() has none of libgomp's threads, but libgomp believes in them and waits for ever. Letting the forking
// thread's pool go beforehand leaves parent and child to start a new one at their next region.
void release_threads_before_fork() {
  if (!omp_in_parallel()) omp_pause_resource_all(omp_pause_hard);
}

const int registered = pthread_atfork(release_threads_before_fork, nullptr, nullptr);

}  // namespace

bool run_threads(int threads, const std::function<void(int)>& body) {
  static_cast<void>(registered);
  if (threads == 1) {
    body(0);
    return true;
  }
  // OMP_THREAD_LIMIT, OMP_DYNAMIC or an enclosing region can leave fewer; a barrier would then wait for ever.
  bool complete = true;
#pragma omp parallel num_threads(threads)
  {
    if (omp_get_num_threads() == threads) {
      body(omp_get_thread_num());
    } else {
#pragma omp master
      complete = false;
    }
  }
  return complete;
}

const char* thread_backend() { return "OpenMP"; }

}  // namespace pynn

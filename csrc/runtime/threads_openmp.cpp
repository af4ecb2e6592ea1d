#include <omp.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdlib.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <vector>

#include "fork.h"
#include "threads.h"

namespace pynn {
namespace {

// A child of fork() has none of libgomp's threads, but libgomp believes in them and waits for ever. Letting the forking
// thread's pool go beforehand leaves parent and child to start a new one at their next region.
void release_threads_before_fork() {
  if (!omp_in_parallel()) omp_pause_resource_all(omp_pause_hard);
}

const int registered = pthread_atfork(release_threads_before_fork, nullptr, nullptr);

// The size of stack that libgomp asks for: OMP_STACKSIZE, in KiB if it names no unit; 0 for the system's default.
std::size_t stack_size() {
  const char* text = getenv("OMP_STACKSIZE");
  if (text == nullptr) return 0;
  char* end = nullptr;
  const unsigned long long number = strtoull(text, &end, 10);
  while (*end == ' ') ++end;
  const int shift = *end == 'B' || *end == 'b'   ? 0
                    : *end == 'M' || *end == 'm' ? 20
                    : *end == 'G' || *end == 'g' ? 30
                                                 : 10;
  return static_cast<std::size_t>(number) << shift;
}

// Threads that wait for each other: all of them live at the same time.
struct Trial {
  std::mutex mutex;
  std::condition_variable ended;
  bool over = false;

  static void* wait(void* self) {
    auto* trial = static_cast<Trial*>(self);
    std::unique_lock<std::mutex> lock(trial->mutex);
    trial->ended.wait(lock, [&] { return trial->over; });
    return nullptr;
  }
};

// How many of `count` threads can be started. Where libgomp cannot start one, it ends the process.
int try_threads(int count) {
  pthread_attr_t attributes;
  if (pthread_attr_init(&attributes) != 0) return 0;
  if (const std::size_t size = stack_size(); size > 0) pthread_attr_setstacksize(&attributes, size);
  std::vector<pthread_t> threads;
  threads.reserve(static_cast<std::size_t>(count));
  Trial trial;
  for (pthread_t thread; count > 0 && pthread_create(&thread, &attributes, Trial::wait, &trial) == 0; --count)
    threads.push_back(thread);
  {
    const std::lock_guard<std::mutex> lock(trial.mutex);
    trial.over = true;
  }
  trial.ended.notify_all();
  for (const pthread_t thread : threads) pthread_join(thread, nullptr);
  pthread_attr_destroy(&attributes);
  return static_cast<int>(threads.size());
}

// What the calling thread knows of its own threads: libgomp keeps a pool for each thread that opens regions.
struct Known {
  uint32_t generation = 0;  // of the process
  int started = 1;          // members that could be had
  int refused = 0;          // members that could not, at `at`; 0 for none
  std::chrono::steady_clock::time_point at{};
};
thread_local Known known;

constexpr auto kTryAgain = std::chrono::seconds(1);

}  // namespace

int startable_threads(int threads) {
  if (known.generation != fork_generation()) {
    known = {};
    known.generation = fork_generation();
  }
  if (threads <= known.started) return threads;
  const auto now = std::chrono::steady_clock::now();
  if (known.refused != 0 && threads >= known.refused && now - known.at < kTryAgain) return known.started;
  known.started = std::max(known.started, 1 + try_threads(threads - 1));
  known.refused = 0;
  if (known.started < threads) {
    known.refused = threads;
    known.at = now;
  }
  return std::min(known.started, threads);
}

bool run_threads(int threads, const std::function<void(int)>& body) {
  static_cast<void>(registered);
  if (threads == 1) {
    body(0);
    return true;
  }
  // At the end of a region libgomp waits for threads that a forked child has not got. So it jumps out of it: no frame
  // that is left has anything to destroy. To libgomp it stays in a region, and gets teams of one from then on.
  const uint32_t generation = fork_generation();
  jmp_buf before;
  if (setjmp(before) != 0) return true;
  // OMP_THREAD_LIMIT, OMP_DYNAMIC or an enclosing region can leave fewer; a barrier would then wait for ever.
  bool complete = true;
#pragma omp parallel num_threads(threads)
  {
    if (omp_get_num_threads() == threads) {
      body(omp_get_thread_num());
      if (fork_generation() != generation) longjmp(before, 1);
    } else {
#pragma omp master
      complete = false;
    }
  }
  return complete;
}

const char* thread_backend() { return "OpenMP"; }

}  // namespace pynn

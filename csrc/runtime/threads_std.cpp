#include <pthread.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

#include "fork.h"
#include "threads.h"

namespace pynn {
namespace {

// Threads that sleep between regions. One region at a time; a caller that finds the pool taken runs alone.
class Pool {
 public:
  ~Pool() {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      stopping_ = true;
    }
    start_.notify_all();
    for (std::thread& worker : workers_) worker.join();
  }

  // How many of so many members there are, once those that were missing have been started.
  int start(int threads) {
    const std::lock_guard<std::mutex> lock(mutex_);
    return members(threads);
  }

  bool run(int threads, const std::function<void(int)>& body) {
    const std::unique_lock<std::mutex> region(region_, std::try_to_lock);
    if (!region.owns_lock()) return false;
    const uint32_t generation = fork_generation();
    std::unique_lock<std::mutex> lock(mutex_);
    if (members(threads) < threads) return false;
    body_ = &body;
    threads_ = threads;
    running_ = threads - 1;
    ++region_number_;
    lock.unlock();
    start_.notify_all();
    body(0);
    if (fork_generation() != generation) return true;
    lock.lock();
    finished_.wait(lock, [this] { return running_ == 0; });
    return true;
  }

 private:
  // Wants mutex_.
  int members(int threads) {
    try {
      while (static_cast<int>(workers_.size()) < threads - 1) {
        const int rank = static_cast<int>(workers_.size()) + 1;
        workers_.emplace_back([this, rank, seen = region_number_] { work(rank, seen); });
      }
    } catch (const std::system_error&) {
      // A limit of the process.
    }
    return std::min(threads, static_cast<int>(workers_.size()) + 1);
  }

  // seen: the number of the last region that this worker has no part in.
  void work(int rank, long seen) {
    std::unique_lock<std::mutex> lock(mutex_);
    for (;;) {
      start_.wait(lock, [&] { return stopping_ || region_number_ != seen; });
      if (stopping_) return;
      seen = region_number_;
      if (rank >= threads_) continue;
      lock.unlock();
      (*body_)(rank);
      lock.lock();
      if (--running_ == 0) finished_.notify_one();
    }
  }

  std::mutex region_;
  std::mutex mutex_;  // guards all below
  std::condition_variable start_, finished_;
  std::vector<std::thread> workers_;
  const std::function<void(int)>* body_ = nullptr;
  int threads_ = 0, running_ = 0;
  long region_number_ = 0;
  bool stopping_ = false;
};

Pool* pool = new Pool;

// In the child of fork() the old pool's threads do not exist: leave it, and start a new one.
void replace_pool() { pool = new Pool; }

const int registered = pthread_atfork(nullptr, nullptr, replace_pool);

}  // namespace

int startable_threads(int threads) { return threads == 1 ? 1 : pool->start(threads); }

bool run_threads(int threads, const std::function<void(int)>& body) {
  static_cast<void>(registered);
  if (threads == 1) {
    body(0);
    return true;
  }
  return pool->run(threads, body);
}

const char* thread_backend() { return "std::thread"; }

}  // namespace pynn

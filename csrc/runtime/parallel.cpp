#include "parallel.h"

#include <time.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <exception>
#include <mutex>
#include <stdexcept>
#include <thread>

#include "fork.h"
#include "giving_way.h"
#include "threads.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace pynn {
namespace {

using Clock = std::chrono::steady_clock;

// Looks at the barrier before a wait relaxes the core: most waits are shorter than one such pause.
constexpr unsigned kEager = 64;
constexpr auto kSpin = std::chrono::microseconds(50);
constexpr std::chrono::milliseconds kPollInterval{10};

// A member that is thrown out because another one failed. Never leaves run_team.
struct TeamAborted {};

inline void cpu_relax() {
#if defined(__x86_64__)
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("isb" ::: "memory");
#endif
}

// Flushes subnormal results and operands to zero on this thread until it is destroyed.
class FlushSubnormals {
 public:
#if defined(__x86_64__)
  FlushSubnormals() : saved_(_mm_getcsr()) { _mm_setcsr(saved_ | 0x8040); }
  ~FlushSubnormals() { _mm_setcsr(saved_); }

 private:
  unsigned saved_;
#elif defined(__aarch64__)
  FlushSubnormals() {
    asm volatile("mrs %0, fpcr" : "=r"(saved_));
    asm volatile("msr fpcr, %0" ::"r"(saved_ | (uint64_t{1} << 24)));
  }
  ~FlushSubnormals() { asm volatile("msr fpcr, %0" ::"r"(saved_)); }

 private:
  uint64_t saved_;
#endif
};

// For polls, which a small step of training would feel: where there is one, a clock that is read in a few nanoseconds
// and goes in steps of some milliseconds.
std::chrono::nanoseconds poll_clock() {
#if defined(CLOCK_MONOTONIC_COARSE)
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
#else
  return Clock::now().time_since_epoch();
#endif
}

std::atomic<int> wanted_threads{0}, had_threads{0};

void note_shortage(const ThreadShortage& shortage) {
  had_threads = shortage.had;
  wanted_threads = shortage.wanted;
}

// Asked for once: the C library reads a file to answer.
int processors() {
  static const int count = static_cast<int>(std::thread::hardware_concurrency());
  return count;
}

// Of all teams of the process. Nobody waits for the lock: in a child of fork() it stays held for ever if another thread
// had it. Who does not get it does as if nothing were known.
GivingWay giving_way;
std::mutex giving_way_mutex;

// What a region's members wait for each other at its end without being held up: threads are woken meanwhile.
constexpr double kJoin = 100e-6;

// Of the Interruptible that lives on this thread, if one does.
thread_local const Interrupt* outside_interrupt = nullptr;
thread_local std::chrono::nanoseconds last_outside_poll{};

}  // namespace

struct TeamState {
  explicit TeamState(const Interrupt& on_interrupt, int size)
      : interrupt(on_interrupt),
        began(size == 1 ? Clock::time_point{} : Clock::now()),
        alone(size == 1),
        spin(size <= processors()) {}

  alignas(64) std::atomic<int> arrived{0};
  alignas(64) std::atomic<uint32_t> generation{0};
  alignas(64) std::atomic<bool> failed{false};
  std::atomic<int64_t> held_up_ns{0};  // in waits of more than a moment, all members together
  std::atomic<int64_t> excused_ns{0};  // in which all but one of them had to wait
  std::atomic<int64_t> worked_ns{0};   // from the begin to the end of each member
  std::mutex mutex;
  std::exception_ptr error;  // the first one; guarded by mutex until the region has ended
  const Interrupt& interrupt;
  const std::thread::id opener = std::this_thread::get_id();
  const Clock::time_point began;                      // of a team of several: a clock takes a part of a small call
  std::chrono::nanoseconds last_poll = poll_clock();  // of the opener
  int uninterruptible = 0;                            // of the opener
  const uint32_t process = fork_generation();
  const bool alone;
  const bool spin;

  // In a child of fork() the other members do not exist, and what they had to do is not done.
  void check_process() const {
    if (!alone && fork_generation() != process)
      throw std::runtime_error(
          "the process was forked by a signal handler while pynn computed on several threads; its "
          "child cannot go on with that");
  }

  void fail(std::exception_ptr thrown) {
    const std::lock_guard<std::mutex> lock(mutex);
    if (!error) error = thrown;
    failed.store(true, std::memory_order_release);
  }

  // Spins for a short time, then gives the processor away: a pure spin costs whole scheduler slices when another
  // process wants the core.
  void wait_for_next(uint32_t now) {
    const auto start = Clock::now();
    bool long_wait = false;
    bool yielding = !spin;
    for (unsigned turn = 1; generation.load(std::memory_order_acquire) == now; ++turn) {
      if (failed.load(std::memory_order_acquire)) throw TeamAborted{};
      if (yielding) {
        check_process();
        std::this_thread::yield();
      } else {
        if (turn > kEager) cpu_relax();
        if (turn % 64 == 0) yielding = long_wait = Clock::now() - start > kSpin;
      }
    }
    if (long_wait) held_up_ns += std::chrono::nanoseconds(Clock::now() - start).count();
  }

  // How long the region has run and its members, together, have waited for a core, but for what is excused.
  double ran() const { return seconds(since_start() - excused_ns); }
  double waited(int size) const { return seconds(held_up_ns - (size - 1) * excused_ns); }

  // At the end of the region.
  void note_waits(int size) const {
    if (!spin) return;
    const double at_end = size * (seconds(since_start()) - kJoin) - seconds(worked_ns);
    const std::unique_lock<std::mutex> lock(giving_way_mutex, std::try_to_lock);
    if (lock) giving_way.add(ran(), std::max(0.0, waited(size) + std::max(0.0, at_end)));
  }

  int64_t since_start() const { return std::chrono::nanoseconds(Clock::now() - began).count(); }
  static double seconds(int64_t ns) { return static_cast<double>(ns) * 1e-9; }
};

void Team::barrier() const {
  if (size == 1) return;
  state->check_process();
  const uint32_t now = state->generation.load(std::memory_order_acquire);
  if (state->arrived.fetch_add(1, std::memory_order_acq_rel) == size - 1) {
    state->arrived.store(0, std::memory_order_relaxed);
    state->generation.store(now + 1, std::memory_order_release);
  } else {
    state->wait_for_next(now);
  }
}

Range Team::share(int64_t n, int64_t grain) const {
  if (size == 1) return {0, n};  // divisions take a good part of a small step's time
  const int64_t pieces = (n + grain - 1) / grain;
  const auto cut = [&](int member) {
    const int64_t at = pieces * member / size * grain;
    return at < n ? at : n;
  };
  return {cut(rank), cut(rank + 1)};
}

bool Team::is_held_up() const {
  if (size == 1 || !state->spin) return false;
  const std::unique_lock<std::mutex> lock(giving_way_mutex, std::try_to_lock);
  return lock && giving_way.should_end(state->ran(), state->waited(size));
}

void Team::excuse(double seconds) const { state->excused_ns += static_cast<int64_t>(seconds * 1e9); }

void Team::poll() const {
  if (state->failed.load(std::memory_order_relaxed)) throw TeamAborted{};
  if (std::this_thread::get_id() != state->opener || !state->interrupt || state->uninterruptible > 0) return;
  const auto now = poll_clock();
  if (now - state->last_poll < kPollInterval) return;
  state->last_poll = now;
  {
    const OrdinaryNumbers guard;
    state->interrupt();
  }
  state->check_process();
}

Interruptible::Interruptible(const Interrupt& interrupt) : before_(outside_interrupt) {
  outside_interrupt = &interrupt;
  last_outside_poll = poll_clock();
}

Interruptible::~Interruptible() { outside_interrupt = before_; }

void poll_outside() {
  if (outside_interrupt == nullptr || !*outside_interrupt) return;
  const auto now = poll_clock();
  if (now - last_outside_poll < kPollInterval) return;
  last_outside_poll = now;
  (*outside_interrupt)();
}

Uninterruptible::Uninterruptible(const Team& team) : team_(team) {
  if (team_.rank == 0) ++team_.state->uninterruptible;
}

Uninterruptible::~Uninterruptible() {
  if (team_.rank == 0) --team_.state->uninterruptible;
}

#if defined(__x86_64__)
OrdinaryNumbers::OrdinaryNumbers() : saved_(_mm_getcsr()) { _mm_setcsr(static_cast<unsigned>(saved_) & ~0x8040u); }
OrdinaryNumbers::~OrdinaryNumbers() { _mm_setcsr(static_cast<unsigned>(saved_)); }
#elif defined(__aarch64__)
OrdinaryNumbers::OrdinaryNumbers() {
  asm volatile("mrs %0, fpcr" : "=r"(saved_));
  asm volatile("msr fpcr, %0" ::"r"(saved_ & ~(uint64_t{1} << 24)));
}
OrdinaryNumbers::~OrdinaryNumbers() { asm volatile("msr fpcr, %0" ::"r"(saved_)); }
#else
OrdinaryNumbers::OrdinaryNumbers() = default;
OrdinaryNumbers::~OrdinaryNumbers() = default;
#endif

ThreadShortage take_thread_shortage() {
  if (wanted_threads.load(std::memory_order_relaxed) == 0) return {0, 0};
  const int wanted = wanted_threads.exchange(0);
  return {wanted, wanted == 0 ? 0 : had_threads.load()};
}

int most_members(int threads, double work, double least) {
  return static_cast<int>(std::min<double>(threads, std::max(1.0, work / least)));
}

bool gives_way(int threads) {
  if (threads == 1 || threads > processors()) return false;
  const std::unique_lock<std::mutex> lock(giving_way_mutex, std::try_to_lock);
  return lock && giving_way.alone();
}

int team_size(int threads, double work, double least) {
  const int most = most_members(threads, work, least);
  return gives_way(most) ? 1 : most;
}

void run_team(int threads, const std::function<void(const Team&)>& body, const Interrupt& interrupt) {
  const int size_to_have = startable_threads(threads);
  if (size_to_have < threads) note_shortage({threads, size_to_have});
  TeamState state(interrupt, size_to_have);
  const auto run = [&](int size) {
    const auto run_member = [&](int rank) {
      const FlushSubnormals flush;
      try {
        body(Team{rank, size, &state});
      } catch (const TeamAborted&) {
        // The member that failed has left its exception in the state.
      } catch (...) {
        state.fail(std::current_exception());
      }
      if (size > 1) state.worked_ns += state.since_start();
    };
    return run_threads(size, std::cref(run_member));  // no copy, which would allocate
  };
  if (!run(size_to_have))
    run(1);  // results do not depend on the number of threads
  else if (size_to_have > 1)
    state.note_waits(size_to_have);
  if (state.error) std::rethrow_exception(state.error);
}

}  // namespace pynn

#include "use_lock.h"

#include <chrono>
#include <thread>
#include <utility>

#include "fork.h"

namespace pynn {
namespace {

constexpr uint32_t kReader = 1, kReaders = (1u << 20) - 1;
constexpr uint32_t kWaiting = 1u << 20, kAllWaiting = ((1u << 11) - 1) << 20;
constexpr uint32_t kWriter = 1u << 31;

// Looks at the lock before a waiting writer begins to sleep between them.
constexpr int kYields = 100;
constexpr auto kSleep = std::chrono::microseconds(200);

uint32_t generation_of(uint64_t state) { return static_cast<uint32_t>(state >> 32); }

// Where a full counter would run over into the next one.
bool is_full(uint32_t counts, uint32_t counter) { return (counts & counter) == counter; }

// A number that no other thread has, nor this one in a child of fork(). Not 0.
uint64_t this_thread() {
  static std::atomic<uint32_t> threads{0};
  thread_local const uint32_t number = ++threads;
  return uint64_t{fork_generation()} << 32 | number;
}

}  // namespace

// What the state says in this process.
uint32_t UseLock::counts(uint64_t state) const {
  return generation_of(state) == fork_generation() ? static_cast<uint32_t>(state) : 0;
}

// Puts the counts in place of the state, unless someone was faster: then `state` becomes what it is now.
bool UseLock::change(uint64_t& state, uint32_t counts) {
  const uint64_t changed = uint64_t{fork_generation()} << 32 | counts;
  return state_.compare_exchange_weak(state, changed, std::memory_order_acq_rel, std::memory_order_acquire);
}

void UseLock::subtract(Ticket ticket, uint32_t what) {
  if (ticket != fork_generation()) return;
  uint64_t state = state_.load(std::memory_order_acquire);
  while (!change(state, counts(state) - what)) {
  }
}

UseLock::Ticket UseLock::try_share() {
  uint64_t state = state_.load(std::memory_order_acquire);
  for (;;) {
    const uint32_t now = counts(state);
    if ((now & (kWriter | kAllWaiting)) != 0 || is_full(now, kReaders)) return 0;
    if (change(state, now + kReader)) return fork_generation();
  }
}

void UseLock::unshare(Ticket ticket) { subtract(ticket, kReader); }

UseLock::Ticket UseLock::try_take() {
  uint64_t state = state_.load(std::memory_order_acquire);
  for (;;) {
    const uint32_t now = counts(state);
    if ((now & (kWriter | kReaders)) != 0) return 0;
    if (!change(state, now | kWriter)) continue;
    holder_.store(this_thread(), std::memory_order_relaxed);
    return fork_generation();
  }
}

void UseLock::give_back(Ticket ticket) {
  if (ticket == fork_generation()) holder_.store(0, std::memory_order_relaxed);
  subtract(ticket, kWriter);
}

bool UseLock::is_held_here() const { return holder_.load(std::memory_order_relaxed) == this_thread(); }

UseLock::Ticket UseLock::announce() {
  uint64_t state = state_.load(std::memory_order_acquire);
  for (;;) {
    const uint32_t now = counts(state);
    if (is_full(now, kAllWaiting)) return 0;
    if (change(state, now + kWaiting)) return fork_generation();
  }
}

void UseLock::withdraw(Ticket ticket) { subtract(ticket, kWaiting); }

UseLock::Ticket UseLock::take(const std::function<void()>& poll) {
  struct Announcement {
    explicit Announcement(UseLock& of) : lock(of), ticket(of.announce()) {}
    ~Announcement() { lock.withdraw(ticket); }
    Announcement(const Announcement&) = delete;
    Announcement& operator=(const Announcement&) = delete;
    UseLock& lock;
    const Ticket ticket;
  };
  if (const Ticket ticket = try_take()) return ticket;
  const Announcement announcement(*this);
  for (int turn = 0;; ++turn) {
    if (const Ticket ticket = try_take()) return ticket;
    if ((counts(state_.load(std::memory_order_acquire)) & kWriter) != 0) return 0;
    if (poll) poll();
    if (turn < kYields)
      std::this_thread::yield();
    else
      std::this_thread::sleep_for(kSleep);
  }
}

Shared::Shared(Shared&& other) noexcept
    : lock_(std::exchange(other.lock_, nullptr)), ticket_(std::exchange(other.ticket_, 0)) {}

Shared& Shared::operator=(Shared&& other) noexcept {
  std::swap(lock_, other.lock_);
  std::swap(ticket_, other.ticket_);
  return *this;
}

void Shared::release() noexcept {
  if (ticket_ != 0) lock_->unshare(std::exchange(ticket_, 0));
}

Taken::Taken(Taken&& other) noexcept
    : lock_(std::exchange(other.lock_, nullptr)), ticket_(std::exchange(other.ticket_, 0)) {}

Taken& Taken::operator=(Taken&& other) noexcept {
  std::swap(lock_, other.lock_);
  std::swap(ticket_, other.ticket_);
  return *this;
}

void Taken::release() noexcept {
  if (ticket_ != 0) lock_->give_back(std::exchange(ticket_, 0));
}

}  // namespace pynn

// Who may change something, and who may only look.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>

namespace pynn {

// Many readers, or one writer. In a child of fork() every lock is free, whoever held it in the parent: the holders are
// threads that the child has not got, or the forking thread, whose ticket means nothing there.
//
// The functions below are for the classes Shared and Taken, which give back what they hold whatever happens.
class UseLock {
 public:
  // What giving back wants to know: the fork generation (fork.h) in which it was had. 0 for none.
  using Ticket = uint32_t;

  UseLock() = default;
  UseLock(const UseLock&) = delete;
  UseLock& operator=(const UseLock&) = delete;

  // As a reader: refused (0) while a writer has it or waits for it.
  [[nodiscard]] Ticket try_share();
  void unshare(Ticket ticket);

  // As the writer: refused (0) while anyone has it.
  [[nodiscard]] Ticket try_take();
  void give_back(Ticket ticket);

  // A writer waits: new readers are refused until it withdraws.
  [[nodiscard]] Ticket announce();
  void withdraw(Ticket ticket);

  // Takes it as soon as the readers there are have given it back; refused (0) where another writer has it. `poll` is
  // called again and again meanwhile, and may throw to end the wait; it may be empty.
  [[nodiscard]] Ticket take(const std::function<void()>& poll);

  // Whether this thread is the writer that has it.
  [[nodiscard]] bool is_held_here() const;

 private:
  uint32_t counts(uint64_t state) const;
  bool change(uint64_t& state, uint32_t counts);
  void subtract(Ticket ticket, uint32_t what);

  // The generation in the upper half; in the lower one the readers, the waiting writers, and whether it is taken.
  std::atomic<uint64_t> state_{0};
  // The thread that has it as the writer. A thread writes its own number here only while it has the lock.
  std::atomic<uint64_t> holder_{0};
};

// A reader's hold. False where it was refused.
class Shared {
 public:
  Shared() = default;
  explicit Shared(UseLock& lock) : lock_(&lock), ticket_(lock.try_share()) {}
  ~Shared() { release(); }
  Shared(Shared&& other) noexcept;
  Shared& operator=(Shared&& other) noexcept;
  explicit operator bool() const { return ticket_ != 0; }
  void release() noexcept;

 private:
  UseLock* lock_ = nullptr;
  UseLock::Ticket ticket_ = 0;
};

// The writer's hold. False where it was refused.
class Taken {
 public:
  Taken() = default;
  // At once, or not.
  explicit Taken(UseLock& lock) : lock_(&lock), ticket_(lock.try_take()) {}
  // When the readers have gone (UseLock::take).
  Taken(UseLock& lock, const std::function<void()>& poll) : lock_(&lock), ticket_(lock.take(poll)) {}
  ~Taken() { release(); }
  Taken(Taken&& other) noexcept;
  Taken& operator=(Taken&& other) noexcept;
  explicit operator bool() const { return ticket_ != 0; }
  void release() noexcept;

 private:
  UseLock* lock_ = nullptr;
  UseLock::Ticket ticket_ = 0;
};

}  // namespace pynn

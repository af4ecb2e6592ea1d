// What kernels stand on: locks, and teams that give way.
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <stdexcept>
#include <thread>
#include <utility>

#include "../../csrc/runtime/giving_way.h"
#include "../../csrc/runtime/use_lock.h"
#include "check.h"

namespace pynn {
namespace {

void expect(bool right, const std::string& what) { check(right, what, "it is not so"); }

void check_holds() {
  UseLock lock;
  {
    const Shared first(lock), second(lock);
    expect(first && second, "readers share a lock");
    expect(!Taken(lock), "a lock that is shared is not taken");
  }
  {
    Taken taken(lock);
    expect(static_cast<bool>(taken), "a lock that readers gave back is taken");
    expect(!Shared(lock) && !Taken(lock) && !Taken(lock, {}), "a lock that is taken is neither shared nor taken again");
    expect(lock.is_held_here(), "who has taken a lock is told so");
    std::thread([&] { expect(!lock.is_held_here(), "another thread has not taken it"); }).join();
    Taken moved = std::move(taken);
    taken.release();
    expect(!Shared(lock), "what was moved from gives nothing back");
    moved.release();
    moved.release();
    expect(!lock.is_held_here(), "who has given a lock back has it no longer");
    expect(static_cast<bool>(Shared(lock)), "a lock that was given back is shared");
  }
  expect(static_cast<bool>(Taken(lock)), "nothing is left of any hold");
}

void check_waiting() {
  UseLock lock;
  Shared reader(lock);
  int looks = 0;
  const Taken taken(lock, [&] {
    expect(!Shared(lock), "no reader is let in while a writer waits");
    if (++looks == 300) reader.release();
  });
  expect(taken && looks == 300, "a writer waits until the readers have gone");

  UseLock other;
  const Shared stays(other);
  bool thrown = false;
  try {
    const Taken never(other, [] { throw std::runtime_error("interrupted"); });
  } catch (const std::runtime_error&) {
    thrown = true;
  }
  expect(thrown && Shared(other), "a writer that is interrupted waits no longer");
}

// What only one thread at a time may count; ThreadSanitizer sees when it is not so.
void check_exclusion() {
  constexpr int kThreads = 4, kRounds = 500;
  UseLock lock;
  int64_t counted = 0;
  std::vector<int64_t> written(kThreads), torn(kThreads);
  std::vector<std::thread> threads;
  for (size_t t = 0; t < kThreads; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < kRounds; ++i) {
        if (const Taken taken(lock, {}); taken) {
          counted += 2;
          ++written[t];
        }
        if (const Shared shared(lock); shared) torn[t] += counted % 2;
      }
    });
  for (std::thread& thread : threads) thread.join();
  int64_t writes = 0, odd = 0;
  for (size_t t = 0; t < kThreads; ++t) writes += written[t], odd += torn[t];
  check(writes > 0 && counted == 2 * writes && odd == 0, "one writer or many readers",
        text("%lld, written %lld times", static_cast<long long>(counted), static_cast<long long>(writes)));
  expect(static_cast<bool>(Taken(lock)), "nothing is left of many holds");
}

// The body of a child process says whether all is right.
template <typename Body>
bool in_child(const Body& body) {
  const pid_t child = fork();
  if (child == 0) _exit(body() ? 0 : 1);
  int status = -1;
  return child > 0 && waitpid(child, &status, 0) == child && status == 0;
}

void check_fork() {
  UseLock lock;
  Taken taken(lock);
  const bool free_in_child = in_child([&] {
    Shared shared(lock);
    if (!shared || lock.is_held_here()) return false;
    taken.release();  // of the parent's time
    const bool still_shared = !Taken(lock);
    shared.release();
    return still_shared && Taken(lock);
  });
  expect(free_in_child, "a lock that was taken before a fork is free in the child");
  expect(!Shared(lock) && lock.is_held_here(), "the parent still has it");

  UseLock shared_lock;
  Shared reader(shared_lock);
  const bool waits_in_child = in_child([&] {
    bool forked = false;
    const Taken writer(shared_lock, [&] { forked = true; });
    reader.release();
    return writer && !forked && !Shared(shared_lock);
  });
  expect(waits_in_child, "a lock that was shared before a fork is taken in the child");
  expect(!Taken(shared_lock), "the parent's reader still has it");
}

void check_giving_way() {
  const std::string what = "giving way";
  GivingWay held_up, busy;
  check(!held_up.alone(), what, "it begins alone");
  held_up.add(0.009, 0.009);
  check(!held_up.alone(), what, "a trial of 10 ms was not over");
  held_up.add(0.002, 0);
  check(held_up.alone(), what, "a team that waited for 9 of 11 ms goes on");
  while (held_up.alone()) continue;  // 50 ms
  check(!held_up.should_end(0.009, 0.009), what, "a team ends before its trial is over");
  check(held_up.should_end(0.011, 0.009), what, "a team that waits goes on");
  check(!held_up.should_end(0.011, 0.003), what, "a team that hardly waits ends");
  for (int i = 0; i < 10; ++i) busy.add(0.011, 0.003);
  check(!busy.alone(), what, "a team that waited for 3 of 11 ms gave way");
}

// A team of two, of which one waits for the other. Whether teams give way then.
bool gives_way_after(bool excused) {
  while (gives_way(2)) continue;
  run_team(2, [&](const Team& team) {
    if (team.rank == 0) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    if (excused) team.excuse(0.02);
  });
  return gives_way(2);
}

void check_teams_that_wait() {
  if (std::thread::hardware_concurrency() < 2) return;
  expect(gives_way_after(false), "teams give way after one that waited at its end");
  bool any_goes_on = false;  // other processes may hold a team up
  for (int i = 0; i < 10 && !any_goes_on; ++i) any_goes_on = !gives_way_after(true);
  expect(any_goes_on, "teams do not give way for a wait that is excused");
  expect(!gives_way(1) && !gives_way(1 << 20), "one member, and more than there are processors, do not give way");
}

}  // namespace

void check_runtime() {
  check_giving_way();
  check_teams_that_wait();
  check_holds();
  check_waiting();
  check_exclusion();
  check_fork();
}

}  // namespace pynn

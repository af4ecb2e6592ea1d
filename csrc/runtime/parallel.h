// Opening a parallel region, and what goes with it: errors, interrupts, fork.
#pragma once

#include <functional>

#include "team.h"

namespace pynn {

// What rank 0 calls now and then; it throws to end the region. Called on the thread that opened the region.
using Interrupt = std::function<void()>;

// Runs body(team) on `threads` members; the calling thread is rank 0. An exception in a member ends the region, the
// others leave at their next barrier or poll, and the first exception is rethrown here.
// Subnormal numbers are flushed to zero inside: they slow the arithmetic a hundredfold, and every member must agree.
void run_team(int threads, const std::function<void(const Team&)>& body, const Interrupt& interrupt = {});

// While one of these lives, poll_outside() on this thread calls the interrupt.
class Interruptible {
 public:
  explicit Interruptible(const Interrupt& interrupt);
  ~Interruptible();
  Interruptible(const Interruptible&) = delete;
  Interruptible& operator=(const Interruptible&) = delete;

 private:
  const Interrupt* const before_;
};

// As Team::poll, for long work outside of regions, such as making a plan.
void poll_outside();

// How many of `threads` members pay off for so much work: each should have `least` of it.
int most_members(int threads, double work, double least);

// Whether teams of up to so many threads give way to one member for now, as other processes have held up the teams of
// this one (giving_way.h). Never where there are fewer processors: who asks for more threads gets them.
bool gives_way(int threads);

// As most_members, or one, where teams give way.
int team_size(int threads, double work, double least);

// That a region had fewer members than it asked for, because the process could not start more threads. The results are
// the same.
struct ThreadShortage {
  int wanted, had;  // 0, 0: there was none
};

// The last one since it was asked for. To be asked for after a call, to warn.
ThreadShortage take_thread_shortage();

// While one of these lives, poll() of this team does not interrupt: a step that has begun to change parameters is
// finished.
class Uninterruptible {
 public:
  explicit Uninterruptible(const Team& team);
  ~Uninterruptible();
  Uninterruptible(const Uninterruptible&) = delete;
  Uninterruptible& operator=(const Uninterruptible&) = delete;

 private:
  const Team& team_;
};

// While one of these lives, this thread computes as it does outside of regions: subnormal numbers are kept. For code
// from outside.
class OrdinaryNumbers {
 public:
  OrdinaryNumbers();
  ~OrdinaryNumbers();
  OrdinaryNumbers(const OrdinaryNumbers&) = delete;
  OrdinaryNumbers& operator=(const OrdinaryNumbers&) = delete;

 private:
  uint64_t saved_ = 0;
};

// "OpenMP" or "std::thread".
const char* thread_backend();

}  // namespace pynn

// Whether teams give way to one member. Where other processes hold a team up, each barrier waits for a member that has
// no core. One member alone is faster then, and gives the same results; after a while a team is tried again.
#pragma once

#include <algorithm>
#include <chrono>

namespace pynn {

// Of many regions, which may be short: a region goes on with what those before it found.
class GivingWay {
 public:
  using Clock = std::chrono::steady_clock;

  // Whether members work alone for now.
  bool alone() const { return Clock::now() < alone_until_; }

  // Whether a region that has run for so many seconds should end. waited: how long its members, together, have waited
  // for a core.
  bool should_end(double seconds, double waited) const { return is_held_up(ran_ + seconds, waited_ + waited); }

  // A team has run for so many seconds, of which its members, together, have waited so many for a core.
  void add(double seconds, double waited) {
    ran_ += seconds;
    waited_ += waited;
    if (ran_ <= kTrial) return;
    if (is_held_up(ran_, waited_)) {
      alone_until_ = Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(pause_));
      pause_ = std::min(2 * pause_, kLongestPause);
    } else {
      pause_ = kFirstPause;
    }
    ran_ = waited_ = 0;
  }

 private:
  static constexpr double kMostWaiting = 0.3;                                    // of the time
  static constexpr double kTrial = 0.01, kFirstPause = 0.05, kLongestPause = 1;  // seconds

  static bool is_held_up(double ran, double waited) { return ran > kTrial && waited > kMostWaiting * ran; }

  double ran_ = 0, waited_ = 0;  // since it was last decided
  double pause_ = kFirstPause;   // how long the next one is
  Clock::time_point alone_until_{};
};

}  // namespace pynn

// A step with gradients that come from elsewhere.
#include <algorithm>

#include "training_run.h"

namespace pynn {

template <typename T>
void Trainer<T>::apply_gradients(const std::vector<const T*>& given, int threads, const Interrupt& interrupt) {
  const Taken own(use_, interrupt);
  if (!own) throw Busy("the network is being trained already, by another thread");
  std::vector<char> kept;
  for (const T* gradient : given) kept.push_back(gradient == nullptr);
  const Holds held = hold_parameters(kept, interrupt);
  if (gradients_.size() != elements_) gradients_.allocate(elements_);
  const Hooks<T> hooks{interrupt};
  Setup setup;
  Run run{nullptr, {}, nullptr, nullptr, {1, false, 0, 0, 0, 1}, hooks, setup};
  setup.rows.resize(places_.size());
  int64_t chunks = 0, elements = 0;
  for (std::size_t i = 0; i < places_.size(); ++i) {
    const int64_t its = kept[i] ? 0 : (places_[i].size + kSumChunk - 1) / kSumChunk;
    setup.chunks.push_back({chunks, its});
    chunks += its;
    if (kept[i]) continue;
    setup.late.push_back(i);
    setup.constrained |= parameter(i).constrained();
    std::copy_n(given[i], places_[i].size, gradient(i));
    elements += places_[i].size;
  }
  setup.norms.resize(static_cast<std::size_t>(chunks));
  settle_rates(run);
  const auto body = [&](const Team& team) { update(team, run); };
  run_team(team_size(threads, 4 * static_cast<double>(elements), kWorkPerMember), body, interrupt);
  ++iterations_;
  for (const std::size_t number : setup.late) std::fill_n(gradient(number), places_[number].size, T{0});
}

template void Trainer<float>::apply_gradients(const std::vector<const float*>&, int, const Interrupt&);
template void Trainer<double>::apply_gradients(const std::vector<const double*>&, int, const Interrupt&);

}  // namespace pynn

// What an optimizer keeps of each parameter, to be read and to be set.
#include <algorithm>
#include <cstring>

#include "trainer.h"

namespace pynn {
namespace {

// Bit for bit.
template <typename T>
bool all_are(const T* values, int64_t n, T value) {
  return std::all_of(values, values + n, [&](const T& x) { return std::memcmp(&x, &value, sizeof(T)) == 0; });
}

}  // namespace

template <typename T>
std::vector<std::string> Trainer<T>::state_names() const {
  std::vector<std::string> names = settings_.slot_names();
  if (settings_.use_ema) names.emplace_back("average");
  if (settings_.accumulates()) names.emplace_back("accumulated_gradient");
  return names;
}

template <typename T>
std::vector<const T*> Trainer<T>::state_of(std::size_t parameter, bool all) const {
  const Place& place = places_.at(parameter);
  const auto begin = static_cast<T>(settings_.slot_initial_value());
  std::vector<const T*> found;
  bool kept = all;
  for (int i = 0; i < slots_used_; ++i) {
    found.push_back(slots_[static_cast<std::size_t>(i)].data() + place.offset);
    kept = kept || !all_are(found.back(), place.size, begin);
  }
  if (!kept) std::fill(found.begin(), found.end(), nullptr);
  if (settings_.use_ema) found.push_back(averaged_[parameter] ? averages_.data() + place.offset : nullptr);
  if (settings_.accumulates()) {
    const T* sum = accumulated_.data() + place.offset;
    found.push_back(all_are(sum, place.size, T{0}) ? nullptr : sum);
  }
  return found;
}

template <typename T>
void Trainer<T>::set_state(int64_t iterations, const std::vector<std::vector<const T*>>& state,
                           const Interrupt& interrupt) {
  const std::size_t names = state_names().size();
  if (iterations < 0) refuse("trainer", "iterations of at least 0", std::to_string(iterations));
  if (state.size() != places_.size() ||
      std::any_of(state.begin(), state.end(), [&](const auto& each) { return each.size() != names; }))
    refuse("trainer", "what is kept of each parameter", "another number of arrays");
  const Taken held(use_, interrupt);
  if (!held) throw Busy(kBusy);
  const auto begin = static_cast<T>(settings_.slot_initial_value());
  const auto set = [](T* to, const T* from, int64_t n, T otherwise) {
    if (from == nullptr)
      std::fill_n(to, n, otherwise);
    else
      std::copy_n(from, n, to);
  };
  for (std::size_t p = 0; p < places_.size(); ++p) {
    const Place& place = places_[p];
    auto from = state[p].begin();
    for (int i = 0; i < slots_used_; ++i)
      set(slots_[static_cast<std::size_t>(i)].data() + place.offset, *from++, place.size, begin);
    if (settings_.use_ema) {
      averaged_[p] = *from != nullptr;
      set(averages_.data() + place.offset, *from++, place.size, T{0});
    }
    if (settings_.accumulates()) set(accumulated_.data() + place.offset, *from++, place.size, T{0});
  }
  schedule_ = {};
  iterations_ = iterations;
}

template std::vector<std::string> Trainer<float>::state_names() const;
template std::vector<std::string> Trainer<double>::state_names() const;
template std::vector<const float*> Trainer<float>::state_of(std::size_t, bool) const;
template std::vector<const double*> Trainer<double>::state_of(std::size_t, bool) const;
template void Trainer<float>::set_state(int64_t, const std::vector<std::vector<const float*>>&, const Interrupt&);
template void Trainer<double>::set_state(int64_t, const std::vector<std::vector<const double*>>&, const Interrupt&);

}  // namespace pynn

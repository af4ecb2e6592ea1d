// The settings of an op, by name.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace pynn {

// Throws what a caller sees as ValueError: "[kind] expected ..., got ...".
[[noreturn]] void refuse(const std::string& kind, const std::string& expected, const std::string& got);

// Code from outside that an op runs (ops/custom.cpp). The arrays are of the network's number type, `samples` rows each.
// It is called by one member of the team, with the others waiting.
struct Callback {
  std::function<void(const std::vector<void*>& y, const std::vector<const void*>& x, int64_t samples)> forward;
  std::function<void(const std::vector<void*>& dx, const std::vector<const void*>& dy,
                     const std::vector<const void*>& x, int64_t samples)>
      backward;
};

// What a layer's noise is a function of. The layer owns it; it may be set between two steps.
struct NoiseKey {
  std::atomic<uint64_t> value{0};
};

class Attributes {
 public:
  using Value = std::variant<int64_t, double, std::string, std::vector<int64_t>, std::vector<double>,
                             std::shared_ptr<const Callback>, std::shared_ptr<const NoiseKey>>;

  Attributes() = default;
  explicit Attributes(std::map<std::string, Value> values)
      : values_(std::make_shared<const std::map<std::string, Value>>(std::move(values))) {}

  // For what writes graphs elsewhere.
  const std::map<std::string, Value>& values() const { return *values_; }
  bool has(const std::string& name) const { return values_->count(name) > 0; }

  // Each throws std::invalid_argument, in the name of the op `kind`, where there is no such value.
  int64_t integer(const std::string& kind, const std::string& name) const;
  double number(const std::string& kind, const std::string& name) const;
  const std::string& text(const std::string& kind, const std::string& name) const;
  const std::vector<int64_t>& integers(const std::string& kind, const std::string& name) const;
  // Whole numbers are taken, too.
  std::vector<double> numbers(const std::string& kind, const std::string& name) const;
  const std::shared_ptr<const Callback>& callback(const std::string& kind, const std::string& name) const;
  const std::shared_ptr<const NoiseKey>& noise_key(const std::string& kind, const std::string& name) const;

 private:
  const Value& at(const std::string& kind, const std::string& name) const;
  template <typename V>
  const V& get(const std::string& kind, const std::string& name, const char* what) const;

  std::shared_ptr<const std::map<std::string, Value>> values_ =
      std::make_shared<const std::map<std::string, Value>>();  // shared by all copies: maps of images are large
};

}  // namespace pynn

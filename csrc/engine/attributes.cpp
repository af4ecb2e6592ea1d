#include "attributes.h"

#include <stdexcept>

#include "pieces.h"

namespace pynn {

void refuse(const std::string& kind, const std::string& expected, const std::string& got) {
  throw std::invalid_argument("[" + kind + "] expected " + expected + ", got " + got);
}

const Attributes::Value& Attributes::at(const std::string& kind, const std::string& name) const {
  if (!has(name)) refuse(kind, "an attribute '" + name + "'", "none");
  return values_->at(name);
}

template <typename V>
const V& Attributes::get(const std::string& kind, const std::string& name, const char* what) const {
  const V* value = std::get_if<V>(&at(kind, name));
  if (value == nullptr) refuse(kind, "the attribute '" + name + "' to be " + what, "something else");
  return *value;
}

int64_t Attributes::integer(const std::string& kind, const std::string& name) const {
  return get<int64_t>(kind, name, "a whole number");
}

double Attributes::number(const std::string& kind, const std::string& name) const {
  if (const auto* whole = std::get_if<int64_t>(&at(kind, name))) return static_cast<double>(*whole);
  return get<double>(kind, name, "a number");
}

const std::string& Attributes::text(const std::string& kind, const std::string& name) const {
  return get<std::string>(kind, name, "a text");
}

const std::vector<int64_t>& Attributes::integers(const std::string& kind, const std::string& name) const {
  return get<std::vector<int64_t>>(kind, name, "a list of whole numbers");
}

std::vector<double> Attributes::numbers(const std::string& kind, const std::string& name) const {
  if (const auto* whole = std::get_if<std::vector<int64_t>>(&at(kind, name))) return copied<double>(*whole);
  return copied<double>(get<std::vector<double>>(kind, name, "a list of numbers"));
}

const std::shared_ptr<const Callback>& Attributes::callback(const std::string& kind, const std::string& name) const {
  return get<std::shared_ptr<const Callback>>(kind, name, "a callback");
}

const std::shared_ptr<const NoiseKey>& Attributes::noise_key(const std::string& kind, const std::string& name) const {
  return get<std::shared_ptr<const NoiseKey>>(kind, name, "a key of noise");
}

}  // namespace pynn

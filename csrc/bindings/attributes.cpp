#include "attributes.h"

#include <pybind11/stl.h>

#include "../engine/pieces.h"

namespace pynn {
namespace {

// Whole numbers up to 2^64, such as seeds, keep their bits.
int64_t whole_number(const py::handle& value) {
  const int64_t number = PyLong_AsLongLong(value.ptr());
  if (number != -1 || PyErr_Occurred() == nullptr) return number;
  PyErr_Clear();
  const uint64_t bits = PyLong_AsUnsignedLongLong(value.ptr());
  if (PyErr_Occurred() != nullptr) {
    PyErr_Clear();
    throw py::value_error("a whole number of an op must have at most 64 bits");
  }
  return static_cast<int64_t>(bits);
}

template <typename T>
std::vector<T> elements(const py::array& a, const char* name) {
  return copied<T>(input<T>(a, name), size(a));
}

Attributes::Value value_of(const py::handle& value, const std::string& name) {
  if (py::isinstance<py::bool_>(value)) return static_cast<int64_t>(py::cast<bool>(value));
  if (py::isinstance<py::int_>(value)) return whole_number(value);
  if (py::isinstance<py::float_>(value)) return py::cast<double>(value);
  if (py::isinstance<py::str>(value)) return py::cast<std::string>(value);
  if (py::isinstance<NoiseKey>(value))
    return std::shared_ptr<const NoiseKey>(py::cast<std::shared_ptr<NoiseKey>>(value));
  if (py::isinstance<py::array>(value)) {
    const auto array = py::reinterpret_borrow<py::array>(value);
    if (is<int64_t>(array)) return elements<int64_t>(array, name.c_str());
    return elements<double>(array, name.c_str());
  }
  if (!py::isinstance<py::sequence>(value))
    throw py::type_error("the attribute '" + name + "' must be a number, a text or a list of numbers");
  const auto list = py::reinterpret_borrow<py::sequence>(value);
  std::vector<int64_t> whole;
  for (const auto item : list) {
    if (!py::isinstance<py::int_>(item)) return py::cast<std::vector<double>>(list);
    whole.push_back(whole_number(item));
  }
  return whole;
}

}  // namespace

Attributes attributes_of(const py::dict& settings) {
  std::map<std::string, Attributes::Value> values;
  for (const auto& [key, value] : settings) {
    const std::string name = py::cast<std::string>(key);
    values.emplace(name, value_of(value, name));
  }
  return Attributes(std::move(values));
}

}  // namespace pynn

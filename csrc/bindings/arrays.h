// The arrays that cross the border, the same as in pynn/_core.pyi. None is converted: whoever hands in another dtype or
// memory order has a defect, and an output that was converted would be written in vain.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <optional>
#include <string>
#include <vector>

namespace pynn {

namespace py = pybind11;

template <typename T>
using Array = py::array_t<T, py::array::c_style>;

// An array among the arguments. A py::array would do, but pybind11 begins with an empty one of the type of the
// argument, which NumPy would have to make: here that is null.
class Given : public py::array {
 public:
  Given() : py::array(py::handle(), borrowed_t{}) {}
  Given(py::handle h, borrowed_t kind) : py::array(h, kind) {}
  Given(py::handle h, stolen_t kind) : py::array(h, kind) {}
};
using Arrays = std::vector<Given>;
using Optional = std::optional<Given>;

using Float64 = Array<double>;
using Int64 = Array<int64_t>;

template <typename T>
bool is(const py::array& a) {
  return py::isinstance<Array<T>>(a);
}

inline void check_aligned(const py::array& a, const char* name) {
  if (reinterpret_cast<uintptr_t>(a.data()) % static_cast<std::size_t>(a.itemsize()) != 0)
    throw py::value_error(std::string(name) + " must be aligned");
}

// The elements of an input, which must be a C-contiguous array of T.
template <typename T>
const T* input(const py::array& a, const char* name) {
  if (!is<T>(a))
    throw py::type_error(std::string(name) + " must be a C-contiguous array of " +
                         std::string(py::str(py::dtype::of<T>())));
  check_aligned(a, name);
  return static_cast<const T*>(a.data());
}

// The elements of an output, which must also be writeable.
template <typename T>
T* output(py::array& a, const char* name) {
  input<T>(a, name);
  if (!a.writeable()) throw py::value_error(std::string(name) + " must be writeable");
  return static_cast<T*>(a.mutable_data());
}

inline void require(bool holds, const char* message) {
  if (!holds) throw py::value_error(message);
}

inline int64_t size(const py::array& a) { return static_cast<int64_t>(a.size()); }

inline int64_t dim(const py::array& a, int axis, const char* message) {
  require(a.ndim() == 2, message);
  return static_cast<int64_t>(a.shape(axis));
}

void bind_machine(py::module_& m);
void bind_kernels(py::module_& m);
void bind_ops(py::module_& m);
void bind_engine(py::module_& m);

}  // namespace pynn

#include "arrays.h"

PYBIND11_MODULE(_core, m, pybind11::mod_gil_not_used()) {
  m.doc() = "The native engine of pynn. Private: arrays are checked in Python before they come here.";
  m.attr("__version__") = PYNN_VERSION;
  pynn::bind_machine(m);
  pynn::bind_kernels(m);
  pynn::bind_ops(m);
  pynn::bind_engine(m);
}

#include "calls.h"

#include <unistd.h>

// Of Python's own headers, but not of those that Python.h includes in each version.
extern "C" int _PyOS_IsMainThread(void);

namespace pynn {

WithoutGil::WithoutGil() : state_(PyEval_SaveThread()) {}

WithoutGil::~WithoutGil() {
  try {
    PyEval_RestoreThread(state_);
  } catch (...) {
    // pthread_exit unwinds the stack of a thread that comes back while Python ends. It may not be stopped for good.
    for (;;) pause();
  }
}

Interrupt signal_check() {
  if (_PyOS_IsMainThread() == 0) return {};
  return [] {
    const py::gil_scoped_acquire gil;
    if (PyErr_CheckSignals() != 0) throw py::error_already_set();
  };
}

}  // namespace pynn

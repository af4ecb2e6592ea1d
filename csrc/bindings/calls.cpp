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

void warn_of_thread_shortage() {
  const ThreadShortage shortage = take_thread_shortage();
  if (shortage.wanted == 0) return;
  const std::string text = "pynn wanted " + std::to_string(shortage.wanted) + " threads, but the process could start " +
                           std::to_string(shortage.had) +
                           " only. The results are the same. Raise the limit of processes or memory, or set a lower "
                           "number with pynn.config.set_num_threads.";
  if (PyErr_WarnEx(PyExc_RuntimeWarning, text.c_str(), 2) != 0) throw py::error_already_set();
}

Interrupt signal_check() {
  if (_PyOS_IsMainThread() == 0) return {};
  return [] {
    const py::gil_scoped_acquire gil;
    if (PyErr_CheckSignals() != 0) throw py::error_already_set();
  };
}

}  // namespace pynn

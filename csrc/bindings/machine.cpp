#include "../engine/names.h"
#include "../engine/optimizer.h"
#include "../runtime/philox.h"
#include "calls.h"

namespace pynn {

void bind_machine(py::module_& m) {
  m.def("blas_name", [] { return std::string(blas::name()); });
  m.def("instruction_set", [] { return std::string(instruction_set()); });
  m.def("thread_backend", [] { return std::string(thread_backend()); });
  m.def("activation_names", activation_names);
  m.def("loss_names", loss_names);
  m.def("metric_names", metric_names);
  m.def(
      "slot_names",
      [](const std::string& optimizer, const std::map<std::string, double>& settings) {
        return OptimizerSettings(optimizer, settings).slot_names();
      },
      py::arg("optimizer"), py::arg("settings"));

  m.def(
      "raise_in_team",
      [](int rank, int threads) {
        require(threads > 0, "threads must be at least 1");
        without_gil([&] {
          run_team(threads, [&](const Team& team) {
            team.barrier();
            if (team.rank == rank) throw std::runtime_error("raised by member " + std::to_string(rank));
            team.barrier();
          });
        });
      },
      py::arg("rank"), py::arg("threads"));

  m.def(
      "random_uniform",
      [](Float64 out, uint64_t seed, uint64_t stream, uint64_t first) {
        double* to = output<double>(out, "out");
        const Philox random{seed, stream};
        for (int64_t i = 0; i < size(out); ++i) to[i] = random.uniform(first + static_cast<uint64_t>(i));
      },
      py::arg("out").noconvert(), py::arg("seed"), py::arg("stream"), py::arg("first") = 0);
  m.def(
      "permutation",
      [](Int64 out, uint64_t seed, uint64_t stream) {
        permute(output<int64_t>(out, "out"), size(out), {seed, stream});
      },
      py::arg("out").noconvert(), py::arg("seed"), py::arg("stream"));
}

}  // namespace pynn

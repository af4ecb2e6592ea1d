// What an optimizer keeps of each parameter, as arrays by name, and holds for who reads it.
#include <algorithm>

#include "networks.h"

namespace pynn {
namespace {

// The numbers of weights in the graph, -1 for one that is not of it.
std::vector<int64_t> places_of(const Graph& graph, const WeightsOf& weights) {
  std::map<std::pair<const Parameters*, int>, int64_t> known;
  for (const ParameterRef& p : graph.parameters())
    known.emplace(std::make_pair(p.owner.get(), p.number), static_cast<int64_t>(known.size()));
  std::vector<int64_t> places;
  for (const auto& [owner, number] : weights) {
    const auto found = known.find({owner.get(), number});
    places.push_back(found == known.end() ? -1 : found->second);
  }
  return places;
}

}  // namespace

std::vector<std::map<std::string, py::array>> optimizer_state(const py::object& self, const WeightsOf& weights,
                                                              const std::vector<bool>& all) {
  require(all.size() == weights.size(), "all must have a value for each weight");
  const auto& any = py::cast<const AnyTrainer&>(self);
  return any.with([&](auto& trainer) {
    using T = typename std::decay_t<decltype(trainer)>::Number;
    const std::vector<std::string> names = trainer.state_names();
    const std::vector<int64_t> places = places_of(trainer.plan().graph(), weights);
    std::vector<std::map<std::string, py::array>> found(weights.size());
    for (std::size_t i = 0; i < weights.size(); ++i) {
      if (places[i] < 0) continue;
      const std::vector<const T*> arrays = trainer.state_of(static_cast<std::size_t>(places[i]), all[i]);
      for (std::size_t n = 0; n < names.size(); ++n)
        if (arrays[n] != nullptr)
          found[i].emplace(names[n], py::array_t<T>(weights[i].first->at(weights[i].second).size, arrays[n], self));
    }
    return found;
  });
}

void set_optimizer_state(const AnyTrainer& any, int64_t iterations, const WeightsOf& weights,
                         const std::vector<std::map<std::string, py::array>>& state) {
  require(state.size() == weights.size(), "there must be a dict for each weight");
  const Interrupt interrupt = signal_check();
  any.with([&](auto& trainer) {
    using T = typename std::decay_t<decltype(trainer)>::Number;
    const std::vector<std::string> names = trainer.state_names();
    std::vector<std::vector<const T*>> all(trainer.plan().graph().parameters().size(),
                                           std::vector<const T*>(names.size(), nullptr));
    const std::vector<int64_t> places = places_of(trainer.plan().graph(), weights);
    for (std::size_t i = 0; i < weights.size(); ++i) {
      if (places[i] < 0) continue;
      for (const auto& [name, array] : state[i]) {
        const auto found = std::find(names.begin(), names.end(), name);
        require(found != names.end(), "the optimizer keeps no such array of the weight");
        require(size(array) == weights[i].first->at(weights[i].second).size, "an array must have the weight's size");
        all[static_cast<std::size_t>(places[i])][static_cast<std::size_t>(found - names.begin())] =
            input<T>(array, "an array of the optimizer's");
      }
    }
    const WithoutGil released;  // it may wait for other threads
    trainer.set_state(iterations, all, interrupt);
  });
}

// Of parameters and of what an optimizer keeps. Given back when it is dropped, or at the end of a `with` block.
struct ReadHold {
  std::vector<std::shared_ptr<Parameters>> parameters;
  std::optional<AnyTrainer> trainer;
  std::vector<Shared> shared;
};

std::unique_ptr<ReadHold> hold_to_read(const std::vector<std::shared_ptr<Parameters>>& parameters,
                                       const std::optional<AnyTrainer>& trainer) {
  auto held = std::make_unique<ReadHold>();
  held->parameters = parameters;
  held->trainer = trainer;
  for (const auto& each : parameters) {
    require(each != nullptr, "there must be Parameters to hold, not None");
    held->shared.push_back(share(*each));
  }
  if (trainer) held->shared.push_back(trainer->with([](auto& t) { return t.share_state(); }));
  if (trainer && !held->shared.back()) throw Busy(kBusy);
  return held;
}

void bind_optimizer_state(py::module_& m, py::class_<AnyTrainer>& trainer) {
  trainer.def_property_readonly(
      "state_names", [](const AnyTrainer& any) { return any.with([](auto& t) { return t.state_names(); }); });
  trainer.def("state", &optimizer_state, py::arg("weights"), py::arg("all"));
  trainer.def("set_state", &set_optimizer_state, py::arg("iterations"), py::arg("weights"), py::arg("state"));

  py::class_<ReadHold>(m, "ReadHold")
      .def("__enter__", [](const py::object& self) { return self; })
      .def("__exit__", [](ReadHold& held, const py::args&) { held.shared.clear(); });
  m.def("hold_to_read", &hold_to_read, py::arg("parameters"), py::arg("trainer"));

  py::class_<NoiseKey, std::shared_ptr<NoiseKey>>(m, "NoiseKey")
      .def(py::init([](uint64_t value) {
             auto key = std::make_shared<NoiseKey>();
             key->value = value;
             return key;
           }),
           py::arg("value"))
      .def_property(
          "value", [](const NoiseKey& key) { return key.value.load(); },
          [](NoiseKey& key, uint64_t value) { key.value = value; });
}

}  // namespace pynn

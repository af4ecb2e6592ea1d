#include "graph.h"

#include <algorithm>
#include <stdexcept>

#include "registry.h"

namespace pynn {

std::size_t Graph::check_tensor(int tensor) const {
  if (tensor < 0 || tensor >= tensors())
    throw std::out_of_range("expected the number of one of " + std::to_string(tensors()) + " tensors, got " +
                            std::to_string(tensor));
  return static_cast<std::size_t>(tensor);
}

bool Graph::is_ids(int tensor) const { return holds_ids_[static_cast<std::size_t>(tensor)] != 0; }

void Graph::expect_numbers(const std::string& kind, int tensor) const {
  if (is_ids(tensor)) refuse(kind, "a tensor of numbers", "tensor " + std::to_string(tensor) + ", which holds ids");
}

void Graph::expect_ids(const std::string& kind, int tensor) const {
  if (!is_ids(tensor)) refuse(kind, "a tensor of ids", "tensor " + std::to_string(tensor) + ", numbers");
}

int Graph::add_input(int64_t size, InputKind kind) {
  if (size < 1 || size > INT64_MAX / 64) refuse("input", "a size from 1 to 2^57", std::to_string(size));
  sizes_.push_back(size);
  holds_ids_.push_back(kind == InputKind::ids);
  inputs_.push_back({tensors() - 1, kind});
  return tensors() - 1;
}

std::vector<int> Graph::add(OpSpec spec) {
  const OpKind& kind = op_kind(spec.kind);
  OpArguments arguments{spec.kind, {}, {}, spec.attributes};
  if (spec.times < 1) refuse(spec.kind, "at least one part of a sample", std::to_string(spec.times));
  for (const int tensor : spec.inputs) {
    if (size(tensor) % spec.times != 0)
      refuse(spec.kind, "samples of " + std::to_string(spec.times) + " equal parts",
             std::to_string(size(tensor)) + " elements");
    arguments.inputs.push_back(size(tensor) / spec.times);
    if (kind.reads == Reads::numbers) expect_numbers(spec.kind, tensor);
    if (kind.reads == Reads::ids) expect_ids(spec.kind, tensor);
  }
  for (const int number : spec.parameters) {
    if (number >= static_cast<int>(parameters_.size()))
      throw std::out_of_range("expected the number of one of " + std::to_string(parameters_.size()) +
                              " parameters, got " + std::to_string(number));
    // The members of a team would write its gradients over each other.
    if (number >= 0 && std::count(spec.parameters.begin(), spec.parameters.end(), number) > 1)
      refuse(spec.kind, "each parameter once", "number " + std::to_string(number) + " twice");
    arguments.parameters.push_back(number < 0 ? -1 : parameters_[static_cast<std::size_t>(number)].parameter().size);
  }
  spec.outputs.clear();
  std::vector<int64_t> made = kind.output_sizes(arguments);
  for (int64_t& size : made)
    if (__builtin_mul_overflow(size, spec.times, &size) || size > INT64_MAX / 64)
      refuse(spec.kind, "outputs that fit into memory", "a size above 2^57");
  for (const int64_t size : made) {
    sizes_.push_back(size);
    holds_ids_.push_back(makes_ids(spec.kind));
    spec.outputs.push_back(tensors() - 1);
  }
  ops_.push_back(std::move(spec));
  return ops_.back().outputs;
}

int Graph::add_parameter(const ParameterRef& parameter) {
  parameter.parameter();  // there it must be
  const auto same = [&](const ParameterRef& p) { return p.owner == parameter.owner && p.number == parameter.number; };
  const auto found = std::find_if(parameters_.begin(), parameters_.end(), same);
  if (found != parameters_.end()) return static_cast<int>(found - parameters_.begin());
  parameters_.push_back(parameter);
  return static_cast<int>(parameters_.size()) - 1;
}

void Graph::add_activity_penalty(const ActivityPenalty& penalty) {
  check_tensor(penalty.tensor);
  expect_numbers("activity penalty", penalty.tensor);
  penalties_.push_back(penalty);
}

void Graph::set_outputs(const std::vector<int>& tensors, const std::vector<int>& masks) {
  if (!masks.empty() && masks.size() != tensors.size())
    refuse("outputs", "a mask or -1 for each of " + std::to_string(tensors.size()) + " outputs",
           std::to_string(masks.size()));
  for (const auto* of : {&tensors, &masks})
    for (const int tensor : *of) {
      if (of == &masks && tensor == -1) continue;
      check_tensor(tensor);
      expect_numbers("outputs", tensor);
    }
  outputs_ = tensors;
  masks_ = masks;
  shown_ = tensors;
  if (std::any_of(masks.begin(), masks.end(), [](int mask) { return mask >= 0; }))
    shown_.insert(shown_.end(), masks.begin(), masks.end());
}

}  // namespace pynn

// What is computed, for concrete sizes: ops in order over numbered tensors. Plain data without a number type: a plan
// (plan.h) makes it ready to run, and what writes networks to other formats reads it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "attributes.h"
#include "parameters.h"

namespace pynn {

struct OpSpec {
  std::string kind;
  std::vector<int> inputs;      // tensors
  std::vector<int> parameters;  // numbers in the graph, -1 for none
  Attributes attributes;
  std::vector<int> outputs;  // tensors
  int64_t times = 1;         // equal parts of each sample, such as steps, over each of which it goes by itself
  bool trains = false;       // it works as in training, whatever the network does
};

// What comes in from outside: numbers of the network's type (bytes are converted to it), or whole numbers.
enum class InputKind { real, ids };

struct GraphInput {
  int tensor;
  InputKind kind;
};

// A penalty of a tensor, divided by the samples, is part of the loss.
struct ActivityPenalty {
  int tensor;
  PenaltySpec penalty;
};

class Graph {
 public:
  // Each returns the number of the tensor, or the numbers of the tensors, that it makes. Sizes are those of a sample.
  int add_input(int64_t size, InputKind kind);
  // The op must be known to the registry, and its sizes must fit: std::invalid_argument.
  std::vector<int> add(OpSpec spec);

  // The number of a parameter in the graph, the same one at each call.
  int add_parameter(const ParameterRef& parameter);
  void add_activity_penalty(const ActivityPenalty& penalty);
  // masks: for each output, the tensor that says which of its steps are real (1) and which are padding (0), -1 for
  // none; empty: none has one.
  void set_outputs(const std::vector<int>& tensors, const std::vector<int>& masks = {});

  int tensors() const { return static_cast<int>(sizes_.size()); }
  int64_t size(int tensor) const { return sizes_[check_tensor(tensor)]; }
  const std::vector<int64_t>& sizes() const { return sizes_; }
  const std::vector<OpSpec>& ops() const { return ops_; }
  const std::vector<GraphInput>& inputs() const { return inputs_; }
  const std::vector<int>& outputs() const { return outputs_; }
  // What may be handed out: the outputs and, where any has a mask, behind them the mask of each, or -1.
  const std::vector<int>& shown() const { return shown_; }
  // The mask of an output, or -1.
  int mask(std::size_t output) const { return masks_.empty() ? -1 : masks_[output]; }
  const std::vector<ParameterRef>& parameters() const { return parameters_; }
  const std::vector<ActivityPenalty>& penalties() const { return penalties_; }

 private:
  std::size_t check_tensor(int tensor) const;
  // Whether it holds ids, as an input or a part of one does; only ops that read these may have it.
  bool is_ids(int tensor) const;
  // Refuses ids, in the name of `kind`, where numbers are read.
  void expect_numbers(const std::string& kind, int tensor) const;
  void expect_ids(const std::string& kind, int tensor) const;

  std::vector<int64_t> sizes_;   // by tensor
  std::vector<char> holds_ids_;  // by tensor
  std::vector<OpSpec> ops_;
  std::vector<GraphInput> inputs_;
  std::vector<int> outputs_, masks_, shown_;
  std::vector<ParameterRef> parameters_;
  std::vector<ActivityPenalty> penalties_;
};

}  // namespace pynn

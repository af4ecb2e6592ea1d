#include "registry.h"

#include <stdexcept>

namespace pynn {

// A new kind of op needs a line here, and a file in ops/ that defines it (PYNN_DEFINE_OP).
#define PYNN_OPS(X) \
  X(activation)     \
  X(add)            \
  X(any_not_equal)  \
  X(attention)      \
  X(batch_norm)     \
  X(bias)           \
  X(binary)         \
  X(choose)         \
  X(compute_ids)    \
  X(concat)         \
  X(conv)           \
  X(custom)         \
  X(dense)          \
  X(embedding)      \
  X(glu)            \
  X(gru)            \
  X(group_norm)     \
  X(keep_rows)      \
  X(keep_state)     \
  X(lstm)           \
  X(masked_mean)    \
  X(matmul)         \
  X(noise)          \
  X(not_equal)      \
  X(numbers)        \
  X(parameter)      \
  X(permute)        \
  X(pool)           \
  X(prelu)          \
  X(resample)       \
  X(rescaling)      \
  X(rms_norm)       \
  X(select_ids)     \
  X(simple_rnn)     \
  X(softmax)        \
  X(sparsemax)      \
  X(standardize)    \
  X(state)

#define PYNN_DECLARE(kind) extern const OpKind op_##kind;
PYNN_OPS(PYNN_DECLARE)

namespace {

#define PYNN_ROW(kind) &op_##kind,
const OpKind* const kKinds[] = {PYNN_OPS(PYNN_ROW)};

}  // namespace

const OpKind& op_kind(const std::string& name) {
  for (const OpKind* kind : kKinds)
    if (name == kind->name) return *kind;
  std::string known;
  for (const std::string& each : op_kinds()) known += (known.empty() ? "" : ", ") + each;
  throw std::invalid_argument("expected one of the ops " + known + ", got '" + name + "'");
}

bool makes_ids(const std::string& kind) { return kind == "select_ids" || kind == "compute_ids"; }

std::vector<std::string> op_kinds() {
  std::vector<std::string> names;
  for (const OpKind* kind : kKinds) names.emplace_back(kind->name);
  return names;
}

void OpArguments::expect_counts(std::size_t inputs_, std::size_t parameters_) const {
  expect(inputs.size() == inputs_, std::to_string(inputs_) + " inputs", std::to_string(inputs.size()));
  expect(parameters.size() == parameters_, std::to_string(parameters_) + " parameters",
         std::to_string(parameters.size()));
}

void OpArguments::expect_parameter(std::size_t position, const char* name, int64_t size, bool may_miss) const {
  if (parameters[position] < 0 && may_miss) return;
  expect(parameters[position] == size, std::string(name) + " to have " + std::to_string(size) + " elements",
         parameters[position] < 0 ? "none" : std::to_string(parameters[position]));
}

void OpArguments::expect_input(int64_t size) const {
  expect(inputs[0] == size, "x to have " + std::to_string(size) + " elements a sample", std::to_string(inputs[0]));
}

int64_t OpArguments::product(const std::vector<int64_t>& sizes, const char* what) const {
  int64_t product = 1;
  for (const int64_t size : sizes) {
    expect(size >= 1, std::string(what) + " of at least 1", std::to_string(size));
    expect(!__builtin_mul_overflow(product, size, &product) && product <= INT64_MAX / 64,
           std::string(what) + " that fit into memory", "a product above 2^57");
  }
  return product;
}

}  // namespace pynn

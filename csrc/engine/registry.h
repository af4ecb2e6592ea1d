// The kinds of ops: a row for each, by which graphs check sizes and plans make ops.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "attributes.h"

namespace pynn {

template <typename T>
class Op;

// What an op is made from. Sizes are those of a sample, and of the parameters.
struct OpArguments {
  std::string kind;
  std::vector<int64_t> inputs;
  std::vector<int64_t> parameters;  // -1 for one that is left out
  Attributes attributes;

  int64_t integer(const char* name) const { return attributes.integer(kind, name); }
  double number(const char* name) const { return attributes.number(kind, name); }
  bool flag(const char* name) const { return attributes.integer(kind, name) != 0; }
  const std::string& text(const char* name) const { return attributes.text(kind, name); }
  const std::vector<int64_t>& integers(const char* name) const { return attributes.integers(kind, name); }
  std::vector<double> numbers(const char* name) const { return attributes.numbers(kind, name); }

  // ---- checks; each throws std::invalid_argument: "[kind] expected ..., got ..."

  void expect(bool holds, const std::string& expected, const std::string& got) const {
    if (!holds) refuse(kind, expected, got);
  }
  void expect_counts(std::size_t inputs_, std::size_t parameters_) const;
  // Of a parameter; one that `may_miss` may be left out.
  void expect_parameter(std::size_t position, const char* name, int64_t size, bool may_miss = false) const;
  void expect_input(int64_t size) const;
  // The product of sizes of at least 1; throws where one is smaller, or the product does not fit into 57 bits.
  int64_t product(const std::vector<int64_t>& sizes, const char* what) const;
};

// What the inputs of an op may be: numbers, ids (whole numbers, as they come in), or both.
enum class Reads { numbers, ids, both };

struct OpKind {
  const char* name;
  Reads reads;
  // Checks everything that the op will trust; returns the sizes of what it makes.
  std::vector<int64_t> (*output_sizes)(const OpArguments& arguments);
  std::unique_ptr<Op<float>> (*make_float)(const OpArguments& arguments);
  std::unique_ptr<Op<double>> (*make_double)(const OpArguments& arguments);
};

// Whether what ops of this kind make are ids.
bool makes_ids(const std::string& kind);

// Throws std::invalid_argument for a kind that is not known.
const OpKind& op_kind(const std::string& name);
std::vector<std::string> op_kinds();

template <typename T>
std::unique_ptr<Op<T>> make_op(const OpArguments& arguments) {
  const OpKind& kind = op_kind(arguments.kind);
  if constexpr (sizeof(T) == sizeof(double))
    return kind.make_double(arguments);
  else
    return kind.make_float(arguments);
}

// At the end of an op's file: makes its row of the registry from the function that checks and the class of the op.
#define PYNN_DEFINE_OP(kind, check, OpClass) PYNN_DEFINE_OP_READING(kind, Reads::numbers, check, OpClass)

#define PYNN_DEFINE_OP_READING(kind, reads, check, OpClass)                                                   \
  extern const OpKind op_##kind;                                                                              \
  const OpKind op_##kind{                                                                                     \
      #kind, reads, check,                                                                                    \
      [](const OpArguments& a) -> std::unique_ptr<Op<float>> { return std::make_unique<OpClass<float>>(a); }, \
      [](const OpArguments& a) -> std::unique_ptr<Op<double>> { return std::make_unique<OpClass<double>>(a); }};

}  // namespace pynn

// The ops by plain loops.
#include "engine_net.h"

namespace pynn {
namespace {

double plain_activation(const std::string& name, double x) {
  if (name == "tanh") return std::tanh(x);
  if (name == "relu") return std::fmax(0, x);
  if (name == "sigmoid") return 1 / (1 + std::exp(-x));
  throw std::logic_error("no plain " + name);
}

void plain_softmax(Numbers& y, size_t outer, size_t axis, size_t inner) {
  for (size_t o = 0; o < outer; ++o)
    for (size_t i = 0; i < inner; ++i) {
      double sum = 0;
      const auto at = [&](size_t a) -> double& { return y[(o * axis + a) * inner + i]; };
      for (size_t a = 0; a < axis; ++a) sum += at(a) = std::exp(at(a));
      for (size_t a = 0; a < axis; ++a) at(a) /= sum;
    }
}

Numbers plain_dense(const Graph& graph, const OpSpec& op, const Numbers& x) {
  const auto value = [&](int which) {
    return values_of<double>(graph.parameters()[static_cast<size_t>(op.parameters[static_cast<size_t>(which)])]);
  };
  const auto units = static_cast<size_t>(op.attributes.integer("dense", "units"));
  const size_t inputs =
      static_cast<size_t>(graph.parameters()[static_cast<size_t>(op.parameters[0])].parameter().size) / units;
  Numbers y(x.size() / inputs * units);
  for (size_t i = 0; i < y.size(); ++i) {
    y[i] = op.parameters[1] < 0 ? 0 : value(1)[i % units];
    for (size_t k = 0; k < inputs; ++k) y[i] += x[i / units * inputs + k] * value(0)[k * units + i % units];
  }
  return y;
}

// f(a, b), with a stride of 0 where an operand is repeated.
Numbers plain_binary(const OpSpec& op, const Numbers& first, const Numbers& second, size_t samples) {
  const auto &shape_a = op.attributes.integers("binary", "shape_a"),
             &shape_b = op.attributes.integers("binary", "shape_b");
  const std::string function = op.attributes.text("binary", "function");
  const bool constant = op.attributes.has("constant");
  const bool swapped = constant && op.attributes.integer("binary", "constant_first") != 0;
  int64_t size = 1, size_a = 1, size_b = 1;
  for (size_t i = 0; i < shape_a.size(); ++i) {
    size *= std::max(shape_a[i], shape_b[i]);
    size_a *= shape_a[i], size_b *= shape_b[i];
  }
  Numbers y;
  for (int64_t sample = 0; sample < static_cast<int64_t>(samples); ++sample)
    for (int64_t element = 0; element < size; ++element) {
      int64_t rest = element, at_a = 0, at_b = 0, step_a = 1, step_b = 1;
      for (size_t i = shape_a.size(); i-- > 0;) {
        const int64_t here = rest % std::max(shape_a[i], shape_b[i]);
        rest /= std::max(shape_a[i], shape_b[i]);
        at_a += here % shape_a[i] * step_a, at_b += here % shape_b[i] * step_b;
        step_a *= shape_a[i], step_b *= shape_b[i];
      }
      double a = first[static_cast<size_t>(sample * size_a + at_a)];
      double b = second[static_cast<size_t>((constant ? 0 : sample * size_b) + at_b)];
      if (swapped) std::swap(a, b);
      y.push_back(function == "add"        ? a + b
                  : function == "subtract" ? a - b
                  : function == "multiply" ? a * b
                  : function == "divide"   ? a / b
                  : function == "power"    ? std::pow(a, b)
                  : function == "maximum"  ? std::fmax(a, b)
                                           : std::fmin(a, b));
    }
  return y;
}

Numbers plain_matmul(const OpSpec& op, const Numbers& a, const Numbers& b) {
  const auto attribute = [&](const char* name) { return static_cast<size_t>(op.attributes.integer("matmul", name)); };
  const size_t m = attribute("m"), k = attribute("k"), n = attribute("n");
  Numbers y;
  for (size_t product = 0; product < a.size() / (m * k); ++product)
    for (size_t i = 0; i < m; ++i)
      for (size_t j = 0; j < n; ++j) {
        double sum = 0;
        for (size_t t = 0; t < k; ++t)
          sum += a[product * m * k + (attribute("transpose_a") ? t * m + i : i * k + t)] *
                 b[product * k * n + (attribute("transpose_b") ? j * k + t : t * n + j)];
        y.push_back(sum);
      }
  return y;
}

Numbers plain_concat(const Graph& graph, const OpSpec& op, const std::vector<Numbers>& tensors) {
  const int64_t outer = op.attributes.integer("concat", "outer");
  const auto samples =
      static_cast<int64_t>(tensors[static_cast<size_t>(op.inputs[0])].size()) / graph.size(op.inputs[0]);
  Numbers y;
  for (int64_t row = 0; row < samples * outer; ++row)
    for (const int tensor : op.inputs) {
      const int64_t width = graph.size(tensor) / outer;
      const auto from = tensors[static_cast<size_t>(tensor)].begin() + row * width;
      y.insert(y.end(), from, from + width);
    }
  return y;
}

Numbers plain_embedding(const Graph& graph, const OpSpec& op, const Numbers& ids) {
  const double* table = values_of<double>(graph.parameters()[static_cast<size_t>(op.parameters[0])]);
  const int64_t columns = op.attributes.integer("embedding", "dim");
  Numbers y;
  for (const double id : ids)
    for (int64_t j = 0; j < columns; ++j) y.push_back(table[static_cast<int64_t>(id) * columns + j]);
  return y;
}

// The parameter, once for each sample; how many there are tells the first tensor, an input.
Numbers plain_parameter(const Graph& graph, const OpSpec& op, const Numbers& first) {
  const ParameterRef& p = graph.parameters()[static_cast<size_t>(op.parameters[0])];
  const double* values = values_of<double>(p);
  Numbers y;
  for (size_t sample = 0; sample < first.size() / static_cast<size_t>(graph.size(0)); ++sample)
    y.insert(y.end(), values, values + p.parameter().size);
  return y;
}

}  // namespace

Numbers plain_op(const Graph& graph, const OpSpec& op, const std::vector<Numbers>& tensors) {
  const auto x = [&](size_t input) { return tensors[static_cast<size_t>(op.inputs[input])]; };
  const auto attribute = [&](const char* name) { return static_cast<size_t>(op.attributes.integer(op.kind, name)); };
  if (op.kind == "parameter") return plain_parameter(graph, op, tensors[0]);
  if (op.kind == "dense") return plain_dense(graph, op, x(0));
  if (op.kind == "matmul") return plain_matmul(op, x(0), x(1));
  if (op.kind == "concat") return plain_concat(graph, op, tensors);
  if (op.kind == "embedding") return plain_embedding(graph, op, x(0));
  if (op.kind == "numbers") return x(0);
  if (op.kind == "choose") return x(1);  // as in prediction
  if (op.kind == "binary")
    return plain_binary(op, x(0), op.inputs.size() == 1 ? op.attributes.numbers(op.kind, "constant") : x(1),
                        x(0).size() / static_cast<size_t>(graph.size(op.inputs[0])));
  Numbers y = x(0);
  if (op.kind == "activation") {
    for (double& each : y) each = plain_activation(op.attributes.text(op.kind, "name"), each);
  } else if (op.kind == "softmax") {
    plain_softmax(y, y.size() / attribute("axis") / attribute("inner"), attribute("axis"), attribute("inner"));
  } else if (op.kind == "rescaling") {
    const Numbers scale = op.attributes.numbers(op.kind, "scale"), offset = op.attributes.numbers(op.kind, "offset");
    for (size_t i = 0; i < y.size(); ++i) y[i] = y[i] * scale[i % scale.size()] + offset[i % scale.size()];
  } else if (op.kind == "add") {
    for (size_t input = 1; input < op.inputs.size(); ++input)
      for (size_t i = 0; i < y.size(); ++i) y[i] += x(input)[i];
  } else {
    throw std::logic_error("no plain " + op.kind);
  }
  return y;
}

}  // namespace pynn

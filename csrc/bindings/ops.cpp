// One op by itself, on arrays: what pynn.ops calls. The registry checks it as it checks those of networks.
#include <algorithm>

#include "../engine/buffer.h"
#include "../engine/dataset.h"
#include "../engine/op.h"
#include "attributes.h"
#include "calls.h"

namespace pynn {
namespace {

using OptionalArrays = std::vector<Optional>;

// The elements of a sample of an array (samples, ...).
int64_t sample_size(const py::array& a) {
  require(a.ndim() >= 1, "arrays must have an axis of samples");
  int64_t size = 1;
  for (py::ssize_t axis = 1; axis < a.ndim(); ++axis) size *= static_cast<int64_t>(a.shape(axis));
  return size;
}

OpArguments arguments_of(const std::string& kind, const py::dict& attributes, const Arrays& xs,
                         const OptionalArrays& parameters) {
  OpArguments arguments{kind, {}, {}, attributes_of(attributes)};
  for (const py::array& x : xs) arguments.inputs.push_back(sample_size(x));
  for (const Optional& parameter : parameters) arguments.parameters.push_back(parameter ? size(*parameter) : -1);
  return arguments;
}

bool reads_ids(const OpArguments& arguments) { return op_kind(arguments.kind).reads == Reads::ids; }

int64_t batch_of(const Arrays& xs) {
  require(!xs.empty() && xs[0].ndim() >= 1, "there must be an input, with an axis of samples");
  const auto batch = static_cast<int64_t>(xs[0].shape(0));
  for (const py::array& x : xs) require(x.shape(0) == batch, "all inputs must have the same number of samples");
  return batch;
}

template <typename T>
std::vector<T*> outputs(Arrays& arrays, const std::vector<int64_t>& sizes, int64_t batch, const char* name) {
  require(arrays.size() == sizes.size(), "there must be an array for each output");
  std::vector<T*> to;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    require(size(arrays[i]) == batch * sizes[i], "an array of outputs has the wrong size");
    to.push_back(output<T>(arrays[i], name));
  }
  return to;
}

// Many multiplications by a parameter go faster where its vectors do not lie across cache lines; NumPy's arrays begin
// anywhere.
template <typename T>
T* aligned(T* values, int64_t size, double work, Buffer<T>& copy) {
  constexpr std::uintptr_t line = 64;
  constexpr double uses = 256;       // of each element, that make a copy worth while
  constexpr int64_t most = 1 << 17;  // elements; kernels copy larger ones themselves
  if (reinterpret_cast<std::uintptr_t>(values) % line == 0 || size > most || work < uses * static_cast<double>(size))
    return values;
  copy.reserve(size);
  std::copy(values, values + size, copy.data());
  return copy.data();
}

// An op with what it needs to run once.
template <typename T>
class Single {
 public:
  Single(const OpArguments& arguments, const Arrays& xs, const OptionalArrays& parameters)
      : op_(make_op<T>(arguments)), batch_(batch_of(xs)), copies_(parameters.size()) {
    for (const py::array& x : xs) {
      op_->inputs.push_back(static_cast<int>(values_.size()));
      values_.push_back(reads_ids(arguments) ? ids_of(x) : const_cast<T*>(input<T>(x, "x")));  // ops do not write to it
    }
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      ParameterUse<T> use;
      if (parameters[i]) {
        use.size = size(*parameters[i]);
        use.value = aligned(const_cast<T*>(input<T>(*parameters[i], "a parameter")), use.size, work(), copies_[i]);
      }
      uses_.push_back(use);
    }
    pass_.batch = batch_;
    pass_.training = true;
    pass_.keeps = true;
    pass_.parameters = uses_.data();
  }

  double work() const { return op_->work() * static_cast<double>(batch_); }

  void forward(const std::vector<T*>& ys, Optional& saved, int threads) {
    add_outputs(ys);
    keep(saved);
    run_op(threads, 1, false, [&](const Team& team, const Pass<T>& pass) { op_->forward(team, pass); });
  }

  void backward(OptionalArrays& dxs, OptionalArrays& dparameters, const Arrays& dys, const Arrays& ys, Optional& saved,
                int threads) {
    require(saved || op_->saved(batch_) == 0, "the op needs what its forward pass has saved");
    require(op_->differentiable(), "the op has no gradient");
    require(dxs.size() == op_->inputs.size() && dparameters.size() == uses_.size(),
            "there must be a gradient or None for each input and parameter");
    for (std::size_t i = 0; i < dxs.size(); ++i) {
      require(!dxs[i] || op_->takes_gradient(i), "there is no gradient of this input");
      require(dxs[i] || !uses_.empty() || !op_->takes_gradient(i),
              "an op without parameters makes the gradients of its inputs");
    }
    std::vector<T*> to;
    for (const py::array& y : ys) to.push_back(const_cast<T*>(input<T>(y, "y")));
    add_outputs(to);
    gradients_.resize(values_.size());
    for (std::size_t i = 0; i < dys.size(); ++i)
      gradients_[static_cast<std::size_t>(op_->outputs[i])] = const_cast<T*>(input<T>(dys[i], "dy"));
    for (Optional& dx : dxs) dx_.push_back(dx ? output<T>(*dx, "dx") : nullptr);
    for (std::size_t i = 0; i < uses_.size(); ++i) {
      if (!dparameters[i]) continue;
      require(uses_[i].value != nullptr && size(*dparameters[i]) == uses_[i].size,
              "the gradient of a parameter must have its size, and the parameter be there");
      uses_[i].gradient = output<T>(*dparameters[i], "the gradient of a parameter");
    }
    keep(saved);
    run_op(threads, 2, true, [&](const Team& team, const Pass<T>& pass) { op_->backward(team, pass); });
  }

 private:
  // They lie where numbers would (dataset.h).
  T* ids_of(const py::array& x) const {
    const auto* ids = input<int32_t>(x, "x");
    check_ids(ids, size(x), op_->ids_below(), "ids of rows of a table");
    return reinterpret_cast<T*>(const_cast<int32_t*>(ids));
  }

  void add_outputs(const std::vector<T*>& ys) {
    for (T* y : ys) {
      op_->outputs.push_back(static_cast<int>(values_.size()));
      values_.push_back(y);
    }
  }

  // What the op keeps from forward to backward: in the caller's array, or nowhere.
  void keep(Optional& saved) {
    const int64_t size = op_->saved(batch_);
    if (saved) {
      require(pynn::size(*saved) == size, "saved must have the size of what the op keeps");
      pass_.saved = output<T>(*saved, "saved");
    } else {
      saved_.reserve(size);
      pass_.saved = saved_.data();
    }
  }

  template <typename Body>
  void run_op(int threads, double passes, bool backward, const Body& body) {
    const ScratchSize size = op_->scratch(pass_.k, batch_, threads, backward);
    const int64_t each = padded<T>(size.own);
    Buffer<T> scratch;
    scratch.reserve(threads * each + size.shared);
    run(threads, passes * work(), [&](const Team& team) {
      Pass<T> pass = pass_;
      pass.values = values_.data();
      pass.gradients = gradients_.data();
      pass.dx = dx_.data();
      pass.own = scratch.data() + team.rank * each;
      pass.shared = scratch.data() + threads * each;
      body(team, pass);
    });
  }

  const std::unique_ptr<Op<T>> op_;
  const int64_t batch_;
  std::vector<Buffer<T>> copies_;
  std::vector<ParameterUse<T>> uses_;
  std::vector<T*> values_, gradients_, dx_;  // by tensor; by input
  Buffer<T> saved_;
  Pass<T> pass_{Pass<T>(kernels<T>())};
};

void op_forward(const std::string& kind, const py::dict& attributes, Arrays ys, const Arrays& xs,
                const OptionalArrays& parameters, Optional saved, int threads) {
  require(threads > 0, "threads must be at least 1");
  const OpArguments arguments = arguments_of(kind, attributes, xs, parameters);
  const std::vector<int64_t> sizes = op_kind(kind).output_sizes(arguments);
  const int64_t batch = batch_of(xs);
  require(!ys.empty(), "there must be an array for each output");
  with_type(ys[0], [&](auto type) {
    using T = decltype(type);
    Single<T> single(arguments, xs, parameters);
    single.forward(outputs<T>(ys, sizes, batch, "y"), saved, threads);
  });
}

// The elements that an op keeps from forward to backward: the size of `saved`.
int64_t op_saved(const std::string& kind, const py::dict& attributes, const Arrays& xs,
                 const OptionalArrays& parameters) {
  const OpArguments arguments = arguments_of(kind, attributes, xs, parameters);
  op_kind(kind).output_sizes(arguments);
  return make_op<float>(arguments)->saved(batch_of(xs));
}

void op_backward(const std::string& kind, const py::dict& attributes, OptionalArrays dxs, OptionalArrays dparameters,
                 const Arrays& dys, const Arrays& xs, const Arrays& ys, const OptionalArrays& parameters,
                 Optional saved, int threads) {
  require(threads > 0, "threads must be at least 1");
  const OpArguments arguments = arguments_of(kind, attributes, xs, parameters);
  const std::vector<int64_t> sizes = op_kind(kind).output_sizes(arguments);
  const int64_t batch = batch_of(xs);
  require(dys.size() == sizes.size() && ys.size() == sizes.size() && dxs.size() == xs.size(),
          "there must be arrays for each input and output");
  for (std::size_t i = 0; i < sizes.size(); ++i)
    require(size(dys[i]) == batch * sizes[i] && size(ys[i]) == batch * sizes[i],
            "an array of outputs has the wrong size");
  for (std::size_t i = 0; i < xs.size(); ++i)
    require(!dxs[i] || (size(*dxs[i]) == size(xs[i]) && !reads_ids(arguments)),
            "dx must have the size of x, and there is none of ids");
  with_type(ys[0], [&](auto type) {
    using T = decltype(type);
    Single<T> single(arguments, xs, parameters);
    single.backward(dxs, dparameters, dys, ys, saved, threads);
  });
}

}  // namespace

void bind_ops(py::module_& m) {
  m.def("op_forward", &op_forward, py::arg("kind"), py::arg("attributes"), py::arg("ys"), py::arg("xs"),
        py::arg("parameters"), py::arg("saved"), py::arg("threads"));
  m.def("op_saved", &op_saved, py::arg("kind"), py::arg("attributes"), py::arg("xs"), py::arg("parameters"));
  m.def("op_backward", &op_backward, py::arg("kind"), py::arg("attributes"), py::arg("dxs"), py::arg("dparameters"),
        py::arg("dys"), py::arg("xs"), py::arg("ys"), py::arg("parameters"), py::arg("saved"), py::arg("threads"));
}

}  // namespace pynn

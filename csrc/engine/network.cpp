#include "network_impl.h"

namespace pynn {

std::unique_ptr<Network> make_network(bool is_double, int64_t input_size) {
  if (is_double) return std::make_unique<NetworkOf<double>>(input_size);
  return std::make_unique<NetworkOf<float>>(input_size);
}

template <typename T>
NetworkOf<T>::NetworkOf(int64_t input_size) : sizes_{input_size} {
  if (input_size < 1) throw std::invalid_argument("input_size must be at least 1");
}

template <typename T>
std::unique_lock<std::shared_mutex> NetworkOf<T>::lock_for_change() {
  ++changes_waiting_;
  std::unique_lock<std::shared_mutex> lock(mutex_);
  --changes_waiting_;
  return lock;
}

template <typename T>
std::shared_lock<std::shared_mutex> NetworkOf<T>::lock_for_reading() {
  std::shared_lock<std::shared_mutex> lock(mutex_, std::defer_lock);
  if (changes_waiting_ > 0 || !lock.try_lock()) throw Busy("the network is being trained by another thread");
  return lock;
}

template <typename T>
std::size_t NetworkOf<T>::check_tensor(int tensor) const {
  if (tensor < 0 || tensor >= next_tensor()) throw std::out_of_range("no tensor number " + std::to_string(tensor));
  return static_cast<std::size_t>(tensor);
}

template <typename T>
void NetworkOf<T>::check_objective(int64_t columns, int more) const {
  check_tensor(objective_.tensor);
  if (columns != 1 + metrics() + more)
    throw std::invalid_argument("totals must have a column for the loss and each metric");
}

template <typename T>
std::size_t NetworkOf<T>::check_parameter(int parameter) const {
  if (parameter < 0 || parameter >= parameters())
    throw std::out_of_range("no parameter number " + std::to_string(parameter));
  return static_cast<std::size_t>(parameter);
}

template <typename T>
int NetworkOf<T>::add_parameter(int64_t size, bool learned) {
  if (size < 0 || size > INT64_MAX / 64 - parameter_elements_) throw std::length_error("too many parameters");
  Parameter fresh;
  fresh.offset = parameter_elements_;
  fresh.size = size;
  fresh.learned = learned;
  parameters_.push_back(fresh);
  parameter_elements_ += padded<T>(size);
  return parameters() - 1;
}

template <typename T>
int NetworkOf<T>::add(std::unique_ptr<Op<T>> op, int64_t size) {
  if (op->input < loaded_) throw std::invalid_argument("the samples are rescaled as they are loaded");
  ops_.push_back(std::move(op));
  sizes_.push_back(size);
  return next_tensor() - 1;
}

template <typename T>
int NetworkOf<T>::add_dense(int x, int kernel, int bias, int64_t inputs, int64_t units) {
  const int64_t size = sizes_[check_tensor(x)];
  if (inputs < 1 || units < 1 || size % inputs != 0) throw std::invalid_argument("inputs must divide the size of x");
  if (parameter_size(kernel) != inputs * units) throw std::invalid_argument("kernel must have inputs * units elements");
  if (bias >= 0 && parameter_size(bias) != units) throw std::invalid_argument("bias must have `units` elements");
  const int64_t rows = size / inputs;
  return add(make_dense<T>(x, next_tensor(), kernel, bias, rows, inputs, units), rows * units);
}

template <typename T>
int NetworkOf<T>::add_conv(int x, int kernel, int bias, const ConvShape& s, bool transposed) {
  check_shape(s);
  const int64_t image = s.height * s.width * s.channels, out = s.out_height * s.out_width * s.filters;
  if (sizes_[check_tensor(x)] != (transposed ? out : image)) throw std::invalid_argument("x has another size");
  if (parameter_size(kernel) != s.kernel_height * s.kernel_width * (s.channels / s.groups) * s.filters)
    throw std::invalid_argument("kernel has another size");
  if (bias >= 0 && parameter_size(bias) != (transposed ? s.channels : s.filters))
    throw std::invalid_argument("bias has another size");
  return add(make_conv<T>(x, next_tensor(), kernel, bias, s, transposed), transposed ? image : out);
}

template <typename T>
int NetworkOf<T>::add_pool(int x, const std::string& kind, const PoolShape& s) {
  check_shape(s);
  if (sizes_[check_tensor(x)] != s.height * s.width * s.channels) throw std::invalid_argument("x has another size");
  return add(make_pool<T>(x, next_tensor(), s, pooling_of(kind)), s.out_height * s.out_width * s.channels);
}

template <typename T>
int NetworkOf<T>::add_noise(int x, const std::string& kind, const std::vector<int64_t>& shape,
                            const std::vector<bool>& sharing, double amount, uint64_t seed) {
  const int64_t size = sizes_[check_tensor(x)];
  int64_t rest = size;  // what the axes leave
  for (const int64_t n : shape) {
    if (n < 1 || rest % n != 0) throw std::invalid_argument("shape must be that of a sample of x");
    rest /= n;
  }
  if (rest != 1) throw std::invalid_argument("shape must be that of a sample of x");
  if (sharing.size() != shape.size() + 1) throw std::invalid_argument("sharing must tell of the samples and each axis");
  return add(make_noise<T>(x, next_tensor(), shape, sharing, {noise_of(kind), amount, seed, 0}), size);
}

template <typename T>
int64_t NetworkOf<T>::rows_of(int x, int64_t columns, const std::vector<int>& parameters) const {
  const int64_t size = sizes_[check_tensor(x)];
  if (columns < 1 || size % columns != 0) throw std::invalid_argument("the columns must divide the size of x");
  for (const int p : parameters)
    if (p >= 0 && parameter_size(p) != columns) throw std::invalid_argument("a parameter has another size");
  return size / columns;
}

template <typename T>
int NetworkOf<T>::add_batch_norm(int x, int gamma, int beta, int moving_mean, int moving_variance, int64_t columns,
                                 double momentum, double epsilon) {
  const int64_t rows = rows_of(x, columns, {gamma, beta, moving_mean, moving_variance});
  parameter_size(moving_mean), parameter_size(moving_variance);  // there they must be
  return add(
      make_batch_norm<T>(x, next_tensor(), gamma, beta, moving_mean, moving_variance, rows, columns, momentum, epsilon),
      rows * columns);
}

template <typename T>
int NetworkOf<T>::add_group_norm(int x, int gamma, int beta, int64_t samples, int64_t groups, int64_t columns,
                                 double epsilon) {
  if (samples < 1 || groups < 1) throw std::invalid_argument("samples and groups must be positive");
  const int64_t rows = rows_of(x, groups * columns, {gamma, beta});
  if (rows % samples != 0) throw std::invalid_argument("samples must divide the rows of x");
  return add(make_group_norm<T>(x, next_tensor(), gamma, beta, samples, {rows / samples, groups, columns}, epsilon),
             rows * groups * columns);
}

template <typename T>
int NetworkOf<T>::add_resample(int x, const SparseMap<double>& map) {
  check_shape(map);
  if (sizes_[check_tensor(x)] != map.inputs * map.inner) throw std::invalid_argument("x has another size");
  return add(make_resample<T>(x, next_tensor(), map), map.outputs * map.inner);
}

template <typename T>
int NetworkOf<T>::add_activation(int x, const std::string& name, double a, double b, double c) {
  const int64_t size = sizes_[check_tensor(x)];
  return add(make_activation<T>(x, next_tensor(), size, {activation_of(name), a, b, c}), size);
}

template <typename T>
int NetworkOf<T>::add_softmax(int x, int64_t outer, int64_t axis, int64_t inner, bool log) {
  const int64_t size = sizes_[check_tensor(x)];
  if (outer < 1 || axis < 1 || inner < 1 || outer * axis * inner != size)
    throw std::invalid_argument("outer * axis * inner must be the size of x");
  return add(make_softmax<T>(x, next_tensor(), outer, axis, inner, log), size);
}

template <typename T>
int NetworkOf<T>::add_rescaling(int x, const std::vector<double>& scale, const std::vector<double>& offset,
                                const std::vector<double>& mean) {
  const int64_t size = sizes_[check_tensor(x)];
  if (scale.empty() || scale.size() != offset.size() || size % static_cast<int64_t>(scale.size()) != 0 ||
      (!mean.empty() && mean.size() != scale.size()))
    throw std::invalid_argument("mean, scale and offset must be of one length, which divides the size of x");
  // What T cannot hold of a mean goes to the offset.
  std::vector<double> rounded = mean, shift = offset;
  for (std::size_t i = 0; i < mean.size(); ++i) {
    rounded[i] = static_cast<double>(static_cast<T>(mean[i]));
    shift[i] -= (mean[i] - rounded[i]) * scale[i];
  }
  if (next_tensor() == 1) {  // of the samples: done while they are gathered
    const auto repeat = [&](const std::vector<double>& values, std::vector<T>& out) {
      for (int64_t i = 0; i < (values.size() == 1 ? 1 : size); ++i)
        out.push_back(static_cast<T>(values[static_cast<std::size_t>(i) % values.size()]));
    };
    if (!mean.empty()) repeat(rounded, input_mean_);
    repeat(scale, input_scale_);
    repeat(shift, input_offset_);
    sizes_.push_back(size);
    return loaded_ = 1;
  }
  return add(make_rescaling<T>(x, next_tensor(), size, rounded, scale, shift), size);
}

template <typename T>
void NetworkOf<T>::add_activity_penalty(int x, double l1, double l2) {
  check_tensor(x);
  activity_penalties_.push_back({x, l1, l2});
}

template <typename T>
void NetworkOf<T>::build(int output) {
  check_tensor(output);
  values_.allocate(parameter_elements_);
  gradients_.allocate(parameter_elements_);
  output_ = output;
  std::vector<int> kept = {output};
  for (const ActivityPenalty& penalty : activity_penalties_) kept.push_back(penalty.tensor);
  unused_ = fuse(ops_, kept, k_);
  if (loaded_ != 0) unused_.push_back(0);
}

template <typename T>
InputScaling<T> NetworkOf<T>::input_scaling() const {
  if (loaded_ == 0) return {};
  return {input_scale_.data(), input_offset_.data(), input_scale_.size() > 1,
          input_mean_.empty() ? nullptr : input_mean_.data()};
}

// Whether the parameters that meet the samples are: 0 times such a number is 0.
template <typename T>
bool NetworkOf<T>::first_parameters_finite() const {
  for (const auto& op : ops_) {
    if (op->input != loaded_) continue;
    for (const int number : op->parameters()) {
      const Parameter& p = parameters_[static_cast<std::size_t>(number)];
      if (k_.first_non_finite(values_.data() + p.offset, {0, p.size}) >= 0) return false;
    }
  }
  return true;
}

template <typename T>
void* NetworkOf<T>::slot(int slot, int number) {
  if (slot < 0 || slot >= slots_used_) throw std::out_of_range("no slot number " + std::to_string(slot));
  return slots_[static_cast<std::size_t>(slot)].data() + parameters_[check_parameter(number)].offset;
}

template <typename T>
int64_t NetworkOf<T>::loss_rows() const {
  return sizes_[check_tensor(objective_.tensor)] / objective_.columns;
}

// The tensors whose gradient leads to a trainable parameter.
template <typename T>
std::vector<bool> NetworkOf<T>::needs_gradient() const {
  std::vector<bool> needs(sizes_.size(), false);
  for (const auto& op : ops_) {
    bool need = needs[static_cast<std::size_t>(op->input)];
    if (need && op->output <= objective_.tensor && !op->differentiable())
      throw std::invalid_argument("a gradient would have to pass an activation that has none ('step')");
    for (const int parameter : op->parameters()) need |= parameters_[static_cast<std::size_t>(parameter)].trainable();
    needs[static_cast<std::size_t>(op->output)] = need;
  }
  return needs;
}

// Whether an op wants to know which elements of the samples are 0.
template <typename T>
bool NetworkOf<T>::zeros_matter() const {
  return std::any_of(ops_.begin(), ops_.end(),
                     [&](const auto& op) { return op->input == loaded_ && op->passes_over_zeros(); });
}

// Whether a batch must go through as a whole.
template <typename T>
bool NetworkOf<T>::couples_samples() const {
  return std::any_of(ops_.begin(), ops_.end(), [](const auto& op) { return op->couples_samples(); });
}

template <typename T>
double NetworkOf<T>::work() const {
  double total = 0;
  for (const auto& op : ops_) total += op->work();
  return total;
}

template <typename T>
int64_t NetworkOf<T>::max_rows() const {
  int64_t rows = loss_rows();
  for (const auto& metric : objective_.metrics) rows = std::max(rows, output_size() / metric.columns);
  return rows;
}

template <typename T>
void NetworkOf<T>::plan(Workspace<T>& space, int64_t capacity, const std::vector<bool>& gradients, int members) const {
  int64_t total = 0, shared = 0, own = 0;
  const auto place = [&](int64_t elements) {
    const int64_t at = total;
    total += padded<T>(elements);
    return at;
  };
  std::vector<int64_t> value_at, gradient_at, saved_at(sizes_.size(), 0);
  for (int t = 0; t < next_tensor(); ++t) {
    const auto number = static_cast<std::size_t>(t);
    const int64_t size = is_unused(t) ? 0 : sizes_[number] * capacity;
    value_at.push_back(place(size));
    gradient_at.push_back(number < gradients.size() && gradients[number] ? place(size) : -1);
  }
  for (const auto& op : ops_) {
    shared = std::max(shared, op->shared_scratch(k_, capacity, members, !gradients.empty()));
    own = std::max(own, op->own_scratch(k_, !gradients.empty()));
    saved_at[static_cast<std::size_t>(op->output)] = place(op->saved(capacity));
  }
  const int64_t shared_at = place(shared);
  std::vector<int64_t> own_at;
  for (int member = 0; member < members; ++member) own_at.push_back(place(own));

  Workspace<T> fresh;
  fresh.memory.allocate(total);
  T* memory = fresh.memory.data();
  for (const int64_t at : value_at) fresh.values.push_back(memory + at);
  for (const int64_t at : gradient_at) fresh.gradients.push_back(at < 0 ? nullptr : memory + at);
  for (const int64_t at : saved_at) fresh.saved.push_back(memory + at);
  fresh.shared = memory + shared_at;
  for (const int64_t at : own_at) fresh.own.push_back(memory + at);
  if (zeros_matter()) {
    const int64_t stride = padded<uint32_t>(capacity), by_row = stride * ((sizes_[0] + 31) / 32);
    fresh.bits.allocate(by_row + (capacity + 31) / 32 * sizes_[0]);
    fresh.nonzero = {fresh.bits.data(), fresh.bits.data() + by_row, stride};
  }
  fresh.capacity = capacity;
  space = std::move(fresh);
}

template <typename T>
void NetworkOf<T>::drop_spaces() {
  space_ = {};
  idle_.clear();
}

template <typename T>
void NetworkOf<T>::loss_rows(const Team& team, double* rows, T* slope, const T* prediction, const TargetRows<T>& target,
                             int64_t batch, double scale) const {
  k_.loss(team, rows, slope, prediction, target, batch * loss_rows(), objective_.columns, objective_.loss, scale);
}

template <typename T>
void NetworkOf<T>::metric_rows(const Team& team, double* rows, const Objective::MetricEntry& metric,
                               const T* prediction, const TargetRows<T>& target, int64_t batch) const {
  const int64_t count = batch * (output_size() / metric.columns);
  if (metric.is_loss)
    k_.loss(team, rows, nullptr, prediction, target, count, metric.columns, metric.loss, 1);
  else
    k_.metric(team, rows, prediction, target, count, metric.columns, metric.metric);
}

// values[sample] = the penalty of the sample.
template <typename T>
void NetworkOf<T>::activity_rows(const Team& team, double* rows, const ActivityPenalty& penalty, const T* values,
                                 int64_t batch) const {
  const int64_t size = sizes_[static_cast<std::size_t>(penalty.tensor)];
  const Range mine = team.share(batch);
  for (int64_t i = mine.begin; i < mine.end; ++i) rows[i] = k_.penalty(values + i * size, size, penalty.l1, penalty.l2);
}

template <typename T>
double NetworkOf<T>::penalty_of_chunk(const Parameter& p, int64_t chunk) const {
  const int64_t at = chunk * kSumChunk;
  return k_.penalty(values_.data() + p.offset + at, std::min(kSumChunk, p.size - at), p.l1, p.l2);
}

// In the order in which training adds them up.
template <typename T>
double NetworkOf<T>::parameter_penalties() const {
  double sum = 0;
  for (const Parameter& p : parameters_)
    for (int64_t c = 0; p.penalized() && c * kSumChunk < p.size; ++c) sum += penalty_of_chunk(p, c);
  return sum;
}

template class NetworkOf<float>;
template class NetworkOf<double>;

}  // namespace pynn

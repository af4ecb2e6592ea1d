#include "gradients.h"

#include <algorithm>

#include "../runtime/blas.h"
#include "way_back.h"

namespace pynn {
namespace {

// A batch on its way. `heads` is null where the gradients of the outputs are given.
template <typename T>
class Differentiation {
 public:
  Differentiation(const Plan<T>& plan, const Heads<T>* heads, const std::vector<const T*>& dys,
                  const GradientCall<T>& call)
      : plan_(plan), k_(plan.kernels()), heads_(heads), dys_(dys), call_(call), nonzero_(plan.inputs().size()) {
    const std::vector<int>& outputs = plan.graph().outputs();
    const std::vector<int> losses = heads ? heads->loss_tensors() : outputs;
    std::vector<char> wanted, inputs;
    for (std::size_t i = 0; i < call.parameters.size(); ++i)
      wanted.push_back(call.parameters[i] != nullptr && plan.graph().parameters()[i].trainable());
    for (const T* input : call.inputs) inputs.push_back(input != nullptr);
    routes_ = make_routes(plan, losses, heads ? heads->measured_tensors() : outputs, wanted, inputs);
    samples_ = call.data.samples;
    plan.check_samples(samples_, samples_);
    const bool whole =
        (call.training && plan.couples_samples()) || plan.state_samples() > 0 || (heads && heads->couples_samples());
    slice_ = whole ? samples_ : plan.slice_of(samples_);
    members_ = team_size(call.threads, 3 * plan.work() * static_cast<double>(slice_), kWorkPerMember);
    space_ = plan.make_workspace(slice_, members_, &routes_.needs);
    if (heads) {
      rows_.reserve(heads->row_count(slice_));
      heads->count_rows(batch_, call.data, {nullptr, 0, samples_, 0});
    }
    way_back_.emplace(plan, routes_, space_, losses, heads != nullptr);
    use_parameters(wanted);
  }

  double run() {
    blas::keep_serial();
    const auto body = [&](const Team& team) { run_member(team); };
    run_team(members_, body, call_.interrupt);
    return loss_;
  }

 private:
  void use_parameters(const std::vector<char>& wanted) {
    uses_ = plan_.uses(plan_.frozen_parameters());
    for (auto& of_op : uses_) {
      bool adds = false;
      for (ParameterUse<T>& use : of_op) {
        const auto number = static_cast<std::size_t>(use.number);
        if (use.number < 0 || !wanted[number] || !routes_.learns[number]) continue;
        use.gradient = call_.parameters[number];
        adds |= routes_.shared[number] != 0;
      }
      for (ParameterUse<T>& use : of_op) use.adds = adds;
    }
  }

  void run_member(const Team& team) {
    Pass<T> pass(k_);
    pass.network_trains = call_.training;
    pass.keeps = true;
    pass.step = call_.step;
    pass.values = space_.values.data();
    pass.gradients = space_.gradients.data();
    pass.shared = space_.shared;
    pass.own = space_.own[static_cast<std::size_t>(team.rank)];
    Alone<T> alone(plan_, space_, uses_, team);
    begin(team);
    for (int64_t from = 0; from < samples_; from += slice_) {
      pass.batch = std::min(slice_, samples_ - from);
      pass.first_sample = from;
      pass.accumulate = from > 0;
      gather_batch(team, pass, from);
      alone.forward(team, pass, routes_.forward, uses_, nonzero_);
      measure(team, pass, from);
      way_back_->run(team, pass, alone, uses_, nonzero_, samples_, true);
      hand_out_inputs(team, pass, from);
      team.barrier();
    }
    end(team);
  }

  // Gradients that are added to, or made by no one, begin at 0.
  void begin(const Team& team) const {
    for (std::size_t i = 0; i < call_.parameters.size(); ++i) {
      T* gradient = call_.parameters[i];
      if (gradient == nullptr || (routes_.learns[i] && !routes_.shared[i] && samples_ > 0)) continue;
      const Range mine = team.share(plan_.graph().parameters()[i].parameter().size, 64);
      std::fill(gradient + mine.begin, gradient + mine.end, T{0});
    }
    team.barrier();
  }

  void gather_batch(const Team& team, const Pass<T>& pass, int64_t from) const {
    for (std::size_t i = 0; i < plan_.inputs().size(); ++i) {
      const PlanInput<T>& input = plan_.inputs()[i];
      gather(team, k_, space_.values[static_cast<std::size_t>(input.loaded)], {}, call_.data.inputs[i],
             {nullptr, from, pass.batch, 0}, input.scaling());
    }
    team.barrier();
  }

  // The gradients of the tensors that losses are computed from.
  void measure(const Team& team, const Pass<T>& pass, int64_t from) {
    const std::vector<T*>& slopes = way_back_->slopes();
    if (heads_ == nullptr) {
      for (std::size_t i = 0; i < slopes.size(); ++i) {
        if (slopes[i] == nullptr) continue;
        const int64_t size = plan_.size(plan_.graph().outputs()[i]);
        const Range mine = team.share(pass.batch * size, 64);
        const T* dy = dys_[i] + from * size;
        std::copy(dy + mine.begin, dy + mine.end, slopes[i] + mine.begin);
      }
      team.barrier();
      return;
    }
    const std::vector<RowWeights<T>> weights = heads_->weights(call_.data, from);
    if (heads_->masked()) {
      if (team.rank == 0) heads_->count_masked_rows(batch_, space_.values, weights, pass.batch);
      team.barrier();
    }
    heads_->measure(team, rows_.data(), space_.values, slopes, heads_->targets(call_.data, from), weights, pass.batch,
                    batch_);
    team.barrier();
    if (team.rank != 0) return;
    std::vector<double> sums(heads_->parts());
    heads_->add_up(sums.data(), rows_.data(), pass.batch);
    loss_ += heads_->loss(sums.data(), batch_, samples_);
  }

  // What is scaled as it is loaded is scaled once more on its way back.
  void hand_out_inputs(const Team& team, const Pass<T>& pass, int64_t from) const {
    for (std::size_t i = 0; i < call_.inputs.size(); ++i) {
      if (call_.inputs[i] == nullptr) continue;
      const PlanInput<T>& input = plan_.inputs()[i];
      T* to = call_.inputs[i] + from * input.width;
      const T* gradient = space_.gradients[static_cast<std::size_t>(input.loaded)];
      const Range mine = team.share(pass.batch * input.width, 64);
      if (gradient == nullptr)
        std::fill(to + mine.begin, to + mine.end, T{0});
      else if (input.scaled())
        k_.rescaling_backward(team, to, gradient, pass.batch * input.width, input.numbers.scale.data(),
                              static_cast<int64_t>(input.numbers.scale.size()));
      else
        std::copy(gradient + mine.begin, gradient + mine.end, to + mine.begin);
    }
  }

  // The penalties of the parameters that the gradients are for.
  void end(const Team& team) {
    if (heads_ == nullptr) return;
    for (std::size_t i = 0; i < call_.parameters.size(); ++i) {
      const ParameterRef& ref = plan_.graph().parameters()[i];
      const Parameter& p = ref.parameter();
      if (!p.penalized() || !ref.trainable()) continue;
      const T* value = values_of<T>(ref);
      const double share = penalty_share(p, batch_);
      if (T* gradient = call_.parameters[i]) {
        const Range mine = team.share(p.size, 64);
        k_.add_penalty_slope(gradient + mine.begin, value + mine.begin, mine.end - mine.begin,
                             {p.l1 * share, p.l2 * share, 0});
      }
      if (team.rank == 0) loss_ += k_.penalty(value, p.size, {p.l1, p.l2, 0}) * share;
    }
  }

  const Plan<T>& plan_;
  const Kernels<T>& k_;
  const Heads<T>* const heads_;
  const std::vector<const T*>& dys_;
  const GradientCall<T>& call_;
  const std::vector<Nonzero> nonzero_;  // not looked for: nothing tells it to the gradients of inputs
  Routes routes_;
  Workspace<T> space_;
  Buffer<double> rows_;
  std::vector<RowSums> batch_;  // what its rows count for, by head
  std::optional<WayBack<T>> way_back_;
  ParameterUses<T> uses_;
  int64_t samples_ = 0, slice_ = 0;
  int members_ = 1;
  double loss_ = 0;  // of rank 0
};

}  // namespace

template <typename T>
double loss_gradients(const Plan<T>& plan, const Heads<T>& heads, const GradientCall<T>& call) {
  const auto held = plan.share_parameters();
  const std::vector<const T*> none;
  return Differentiation<T>(plan, &heads, none, call).run();
}

template <typename T>
void vector_jacobian_product(const Plan<T>& plan, const std::vector<const T*>& dys, const GradientCall<T>& call) {
  const auto held = plan.share_parameters();
  Differentiation<T>(plan, nullptr, dys, call).run();
}

#define PYNN_INSTANTIATE(T)                                                                \
  template double loss_gradients(const Plan<T>&, const Heads<T>&, const GradientCall<T>&); \
  template void vector_jacobian_product(const Plan<T>&, const std::vector<const T*>&, const GradientCall<T>&);
PYNN_INSTANTIATE(float)
PYNN_INSTANTIATE(double)

}  // namespace pynn

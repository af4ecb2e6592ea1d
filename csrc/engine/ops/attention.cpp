// Attention: means of values, weighted by how well their keys go with a query.
#include <cmath>

#include "../names.h"
#include "../op.h"

namespace pynn {
namespace {

enum { query_at, key_at, value_at, first_mask };

// Of the inputs, those of a sample.
AttentionShape attention_shape(const OpArguments& a) {
  AttentionShape s{0, a.integer("queries"), a.integer("keys"), a.integer("heads"), a.integer("kv_heads"), 0, 0};
  const int64_t of_queries = a.product({s.queries, s.heads}, "queries and heads");
  const int64_t of_keys = a.product({s.keys, s.kv_heads}, "keys and kv_heads");
  a.expect(s.heads % s.kv_heads == 0, "heads that are a multiple of kv_heads",
           std::to_string(s.heads) + " and " + std::to_string(s.kv_heads));
  s.key_size = a.inputs[query_at] / of_queries;
  s.value_size = a.inputs[value_at] / of_keys;
  a.expect(s.key_size >= 1 && a.inputs[query_at] == of_queries * s.key_size,
           "query to have queries * heads * size elements", std::to_string(a.inputs[query_at]));
  a.expect(a.inputs[key_at] == a.product({of_keys, s.key_size}, "sizes of key"),
           "key to have keys * kv_heads * size elements, of query's size " + std::to_string(s.key_size),
           std::to_string(a.inputs[key_at]));
  a.expect(s.value_size >= 1 && a.inputs[value_at] == of_keys * s.value_size,
           "value to have keys * kv_heads * size elements", std::to_string(a.inputs[value_at]));
  a.product({s.queries, s.heads, s.value_size}, "sizes of the output");
  a.product({s.heads, s.queries, s.keys}, "sizes of the scores");
  return s;
}

// Three sizes for each mask: heads, queries and keys, 1 where it is repeated.
void check_masks(const OpArguments& a, const AttentionShape& s) {
  const std::vector<int64_t>& sizes = a.integers("masks");
  a.expect(sizes.size() == 3 * (a.inputs.size() - first_mask),
           "three sizes in masks for each of " + std::to_string(a.inputs.size() - first_mask) + " masks",
           std::to_string(sizes.size()));
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    const int64_t whole = i % 3 == 0 ? s.heads : i % 3 == 1 ? s.queries : s.keys;
    a.expect(sizes[i] == 1 || sizes[i] == whole, "a mask of 1 or " + std::to_string(whole) + " along each axis",
             std::to_string(sizes[i]));
    if (i % 3 != 2) continue;
    const int64_t size = sizes[i - 2] * sizes[i - 1] * sizes[i], got = a.inputs[first_mask + i / 3];
    a.expect(got == size, "a mask of " + std::to_string(size) + " elements", std::to_string(got));
  }
}

AttentionSpec attention_spec(const OpArguments& a) {
  return {a.number("scale"),
          a.flag("causal"),
          a.integer("window"),
          all_masked_of(a.text("all_masked")),
          a.number("rate"),
          static_cast<uint64_t>(a.integer("seed")),
          0,
          0,
          a.flag("drops_scores")};
}

std::vector<int64_t> check_attention(const OpArguments& a) {
  a.expect(a.inputs.size() >= first_mask, "query, key, value and masks", std::to_string(a.inputs.size()) + " inputs");
  a.expect_counts(a.inputs.size(), 0);
  const AttentionShape s = attention_shape(a);
  check_masks(a, s);
  const AttentionSpec spec = attention_spec(a);
  a.expect(spec.scale > 0 && std::isfinite(spec.scale), "a scale above 0", std::to_string(spec.scale));
  a.expect(spec.window >= 0 && spec.window <= INT32_MAX, "a window of 0 to 2^31 - 1", std::to_string(spec.window));
  a.expect(spec.rate >= 0 && spec.rate <= 1, "a rate in [0, 1]", std::to_string(spec.rate));
  if (a.attributes.has("key")) a.attributes.noise_key(a.kind, "key");
  const int64_t y = s.queries * s.heads * s.value_size;
  if (!a.flag("scores")) return {y};
  return {y, s.heads * s.queries * s.keys};
}

// y = softmax(scale q k^T) v, and the scores, softmax(scale q k^T), as a second output where they are asked for.
template <typename T>
class AttentionOp : public Op<T> {
 public:
  explicit AttentionOp(const OpArguments& a)
      : shape_(attention_shape(a)),
        spec_(attention_spec(a)),
        masks_(a.integers("masks")),
        gives_scores_(a.flag("scores")),
        key_(a.attributes.has("key") ? a.attributes.noise_key(a.kind, "key") : nullptr) {}

  void forward(const Team& team, const Pass<T>& pass) const override {
    run(pass, [&](const Attention<T>& a) {
      pass.k.attention_forward(team, this->y(pass), gives_scores_ ? this->y(pass, 1) : nullptr,
                               pass.keeps ? pass.saved : nullptr, a, pass.own);
    });
  }
  void backward(const Team& team, const Pass<T>& pass) const override {
    run(pass, [&](const Attention<T>& a) {
      pass.k.attention_backward(team, this->dx(pass, query_at), this->dx(pass, key_at), this->dx(pass, value_at),
                                this->dy(pass), gives_scores_ ? this->dy(pass, 1) : nullptr, this->y(pass), pass.saved,
                                a, pass.own);
    });
  }
  bool takes_gradient(std::size_t input) const override { return input < first_mask; }
  ScratchSize scratch(const Kernels<T>& k, int64_t, int, bool backward) const override {
    return {0, k.attention_own(shape_, backward)};
  }
  int64_t saved(int64_t batch) const override { return 2 * batch * shape_.heads * shape_.queries; }
  double work() const override {
    constexpr int64_t softmax = 16;
    return static_cast<double>(shape_.heads) * static_cast<double>(shape_.queries) * static_cast<double>(shape_.keys) *
           static_cast<double>(shape_.key_size + shape_.value_size + softmax);
  }

 private:
  template <typename Body>
  void run(const Pass<T>& pass, Body body) const {
    std::vector<AttentionMask<T>> masks;
    for (std::size_t i = 0; i < masks_.size(); i += 3) {
      const int64_t heads = masks_[i], queries = masks_[i + 1], keys = masks_[i + 2];
      masks.push_back({this->x(pass, first_mask + i / 3), heads * queries * keys, heads == 1 ? 0 : queries * keys,
                       queries == 1 ? 0 : keys, keys == 1 ? 0 : 1});
    }
    Attention<T> a{shape_,
                   spec_,
                   this->x(pass, query_at),
                   this->x(pass, key_at),
                   this->x(pass, value_at),
                   masks.data(),
                   static_cast<int64_t>(masks.size())};
    a.shape.samples = pass.batch;
    a.spec.step = pass.step;
    a.spec.first = pass.first_sample;
    if (key_) a.spec.seed += key_->value.load(std::memory_order_relaxed);
    if (!pass.training) a.spec.rate = 0;
    body(a);
  }

  const AttentionShape shape_;
  const AttentionSpec spec_;
  const std::vector<int64_t> masks_;
  const bool gives_scores_;
  const std::shared_ptr<const NoiseKey> key_;
};

}  // namespace

PYNN_DEFINE_OP(attention, check_attention, AttentionOp)

}  // namespace pynn

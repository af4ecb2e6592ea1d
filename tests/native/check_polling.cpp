// Every kernel looks for Ctrl-C while it works: what it does in between takes a few milliseconds. Counted are the looks
// of the thread that opened the region, of which there is at most one in 10 ms, against the time that it computed; so
// it does not matter what else the machine does. Takes some seconds, so only where it is named.
#include <ctime>

#include "check.h"

namespace pynn {
namespace {

double thread_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

constexpr double kMostBetween = 0.05;

template <typename Body>
void expect_looks(const std::string& what, int threads, const Body& body) {
  int looks = 0;
  double longest = 0, last = thread_seconds();
  const double begun = last;
  const auto note = [&] {
    const double now = thread_seconds();
    longest = std::max(longest, now - last);
    last = now;
  };
  run_team(threads, body, [&] {
    note();
    ++looks;
  });
  note();
  check(longest <= kMostBetween, what,
        text("%d looks in %.3f s, %.3f s of them without one", looks, last - begun, longest));
}

using T = float;
const Kernels<T>& k() { return kernels<T>(); }
std::vector<T> numbers(int64_t n) {
  std::vector<T> x = random_values<T>(std::min<int64_t>(n, 4096));
  while (static_cast<int64_t>(x.size()) < n)
    x.insert(x.end(), x.begin(),
             x.begin() + std::min<int64_t>(static_cast<int64_t>(x.size()), n - static_cast<int64_t>(x.size())));
  return x;
}

void check_products_look() {
  constexpr int64_t n = 2500;
  const std::vector<T> a = numbers(n * n), b = numbers(n * n);
  std::vector<T> c(n * n), d(n * n), bias(n);
  for (const bool transpose : {false, true}) {
    std::vector<T> own(k().gemm_scratch(n, n, transpose));
    expect_looks("gemm", 1, [&](const Team& team) {
      k().gemm(team, c.data(), a.data(), b.data(), n, n, n, false, transpose, false, own.data());
    });
  }
  for (const int64_t rows : {int64_t{300}, n})
    for (const int threads : {1, 2}) {
      const DenseLayer<T> layer{rows, n, n, a.data(), b.data(), nullptr, {}};
      const std::string what = text("%d rows, team of %d", static_cast<int>(rows), threads);
      std::vector<T> shared(k().dense_shared(rows, n, n, threads, true) + k().dense_shared(rows, n, n, threads, false));
      std::vector<std::vector<T>> own(2, std::vector<T>(k().dense_own(n, n, true)));
      expect_looks("dense_forward, " + what, threads, [&](const Team& team) {
        k().dense_forward(team, c.data(), layer, no_activation, shared.data(), own[team.rank].data());
      });
      expect_looks("dense_backward, " + what, threads, [&](const Team& team) {
        k().dense_backward(team, d.data(), c.data(), a.data(), layer, no_activation, false, shared.data(),
                           own[team.rank].data(), {});
      });
    }
  const std::vector<T> tall = numbers(20'000'000);
  expect_looks("dense_backward_bias", 1, [&](const Team& team) {
    k().dense_backward_bias(team, bias.data(), tall.data(), 200'000, 100, {0, 100}, false);
  });
}

void check_convolutions_look() {
  // Wide rows; many small images; depthwise
  for (const ConvShape& s : {ConvShape{150, 300, 64, 150, 300, 96, 3, 3, 1, 1, 1, 1, 1, 1, 1},
                             ConvShape{28, 28, 32, 28, 28, 64, 5, 5, 1, 1, 1, 1, 2, 2, 1},
                             ConvShape{400, 400, 64, 400, 400, 64, 5, 5, 1, 1, 1, 1, 2, 2, 64}}) {
    const int64_t images = s.height == 28 ? 60 : 1;
    const std::string what =
        text("%d images of %d x %d", static_cast<int>(images), static_cast<int>(s.height), static_cast<int>(s.width));
    const std::vector<T> kernel = numbers(s.kernel_height * s.kernel_width * s.channels / s.groups * s.filters);
    const ConvLayer<T> layer{s, no_activation, kernel.data(), nullptr, false, {}};
    const std::vector<T> x = numbers(images * s.height * s.width * s.channels);
    std::vector<T> y = numbers(images * s.out_height * s.out_width * s.filters), dx(x.size()), dkernel(kernel.size());
    std::vector<T> shared(std::max({k().conv_forward_shared(images, layer), k().conv_backward_shared(images, layer),
                                    static_cast<int64_t>(kernel.size())}));
    std::vector<T> own(
        std::max({k().conv_forward_own(layer), k().conv_backward_own(layer), k().conv_transpose_own(layer)}));
    expect_looks("conv_backward, " + what, 1, [&](const Team& team) {
      k().conv_backward(team, {dx.data(), dkernel.data(), nullptr}, y.data(), x.data(), nullptr, nullptr, images, layer,
                        false, shared.data(), own.data());
    });
    expect_looks("conv_transpose, " + what, 1, [&](const Team& team) {
      k().conv_transpose(team, dx.data(), y.data(), images, layer, shared.data(), own.data());
    });
    expect_looks("conv_forward, " + what, 1, [&](const Team& team) {
      k().conv_forward(team, y.data(), nullptr, x.data(), images, layer, shared.data(), own.data());
    });
  }
}

void check_attention_look() {
  // One head over a long sequence; a long vector of each token; a mask that must be looked through first
  for (const AttentionShape& s :
       {AttentionShape{1, 6000, 6000, 1, 1, 16, 16}, AttentionShape{1, 300, 300, 1, 1, 9000, 9000},
        AttentionShape{1, 64, 200'000, 1, 1, 1, 1}}) {
    const std::vector<T> q = numbers(s.queries * s.key_size), key = numbers(s.keys * s.key_size);
    const std::vector<T> v = numbers(s.keys * s.value_size), mask(s.keys, T{1});
    const AttentionMask<T> by_key{mask.data(), s.keys, 0, 0, 1};
    const AttentionSpec spec{0.1, false, 0, AllMasked::mean, 0.1, 1, 1, 0, false};
    const Attention<T> a{s, spec, q.data(), key.data(), v.data(), &by_key, 1};
    std::vector<T> y(s.queries * s.value_size), rows(2 * s.queries), dq(q.size()), dk(key.size()), dv(v.size());
    std::vector<T> own(k().attention_own(s, true));
    const std::string what = text("%d keys of %d", static_cast<int>(s.keys), static_cast<int>(s.key_size));
    expect_looks("attention_forward, " + what, 1,
                 [&](const Team& team) { k().attention_forward(team, y.data(), nullptr, rows.data(), a, own.data()); });
    expect_looks("attention_backward, " + what, 1, [&](const Team& team) {
      k().attention_backward(team, dq.data(), dk.data(), dv.data(), y.data(), nullptr, y.data(), rows.data(), a,
                             own.data());
    });
  }
}

void check_recurrent_look() {
  constexpr ActivationSpec tanh{Activation::tanh, 0, 0, 0}, sigmoid{Activation::sigmoid, 0, 0, 0};
  // Long sequences; wide layers; many samples of one step; in each of them only the last step counts, or all
  for (const RecurrentShape& s :
       {RecurrentShape{Cell::lstm, 1, 60'000, 8, 24, false, false, true, false, false, tanh, sigmoid},
        RecurrentShape{Cell::gru, 2, 12, 1200, 1200, true, true, false, false, false, tanh, sigmoid},
        RecurrentShape{Cell::gru, 2, 12, 1200, 1200, false, false, true, false, false, tanh, sigmoid},
        RecurrentShape{Cell::simple_rnn, 300'000, 1, 8, 8, false, false, true, false, false, tanh, sigmoid},
        RecurrentShape{Cell::lstm, 3000, 200, 4, 4, false, false, false, true, false, tanh, sigmoid}}) {
    const int64_t gates = s.cell == Cell::lstm ? 4 : s.cell == Cell::gru ? 3 : 1;
    const int64_t columns = gates * s.units, outputs = s.batch * (s.sequences ? s.steps : 1) * s.units;
    const std::vector<T> x = numbers(s.batch * s.steps * s.features), kernel = numbers(s.features * columns);
    const std::vector<T> recurrent = numbers(s.units * columns), bias = numbers(2 * columns);
    std::vector<T> mask(s.batch * s.steps, T{1}), y(outputs), dy = numbers(outputs), dx(x.size());
    for (std::size_t i = 1; i < mask.size(); i += 3) mask[i] = 0;
    std::vector<T> dkernel(kernel.size()), drecurrent(recurrent.size()), dbias(bias.size());
    std::vector<T> saved(k().recurrent_saved(s)), shared(k().recurrent_shared(s));
    std::vector<T> own(std::max(k().recurrent_own_forward(s), k().recurrent_own_backward(s)));
    for (const bool masked : {false, true}) {
      const RecurrentInputs<T> in{
          x.data(),   masked ? mask.data() : nullptr, nullptr, nullptr, nullptr, kernel.data(), recurrent.data(),
          bias.data()};
      const std::string what =
          text("%d gates, %d x %d steps, %d units%s", static_cast<int>(gates), static_cast<int>(s.batch),
               static_cast<int>(s.steps), static_cast<int>(s.units), masked ? ", masked" : "");
      expect_looks("recurrent_forward, " + what, 1, [&](const Team& team) {
        k().recurrent_forward(team, s, in, {y.data(), nullptr, nullptr}, saved.data(), own.data());
      });
      const RecurrentGradients<T> gradients{dx.data(),         nullptr,      nullptr, dkernel.data(),
                                            drecurrent.data(), dbias.data(), false};
      expect_looks("recurrent_backward, " + what, 1, [&](const Team& team) {
        k().recurrent_backward(team, s, in, {dy.data(), nullptr, nullptr}, gradients, saved.data(), shared.data(),
                               own.data());
      });
    }
  }
}

void check_windows_look() {
  // Windows of many elements; few channels; the whole of a large image
  for (const PoolShape& s :
       {PoolShape{300, 300, 16, 269, 269, 32, 32, 1, 1, 0, 0}, PoolShape{2000, 2000, 3, 1000, 1000, 2, 2, 2, 2, 0, 0},
        PoolShape{2500, 2500, 8, 1, 1, 2500, 2500, 1, 1, 0, 0},  // the next: windows side by side
        PoolShape{1, 20'000'000, 1, 1, 10'000'000, 1, 2, 1, 2, 0, 0},
        PoolShape{1, 20'000'000, 1, 1, 4, 1, 5'000'000, 1, 5'000'000, 0, 0}}) {
    const std::vector<T> x = numbers(s.height * s.width * s.channels);
    std::vector<T> y(s.out_height * s.out_width * s.channels), dx(x.size());
    for (const Pooling kind : {Pooling::max, Pooling::average}) {
      const std::string what =
          text(" %s of %d", kPoolingNames[static_cast<int>(kind)], static_cast<int>(s.window_height));
      expect_looks("pool_forward," + what, 1,
                   [&](const Team& team) { k().pool_forward(team, y.data(), x.data(), 1, s, kind); });
      expect_looks("pool_backward," + what, 1, [&](const Team& team) {
        k().pool_backward(team, dx.data(), y.data(), x.data(), y.data(), 1, s, kind);
      });
    }
  }
  // Many groups of one term, and one group of very many
  constexpr int64_t outputs = 20'000'000;
  std::vector<int64_t> begin(outputs + 1), index(outputs, 0);
  for (int64_t i = 0; i <= outputs; ++i) begin[i] = i;
  const std::vector<T> x = numbers(3), wide = numbers(40);
  std::vector<T> y(3 * outputs);
  expect_looks("resample, many groups", 1, [&](const Team& team) {
    k().resample(team, y.data(), x.data(), 1, {1, outputs, 3, begin.data(), index.data(), nullptr});
  });
  const std::vector<T> weights = numbers(outputs);
  expect_looks("resample, many elements", 1, [&](const Team& team) {
    k().resample(team, y.data(), x.data(), 1, {1, outputs, 1, begin.data(), index.data(), weights.data()});
  });
  // Blocks of a large matrix, and many small ones
  AxisOrder order{};
  order.elements = 3 * outputs;
  order.rows = order.y_row = 6000;
  order.columns = order.x_row = 10000;
  order.inner = 1;
  const std::vector<T> large = numbers(order.elements);
  expect_looks("permute, a large matrix", 1,
               [&](const Team& team) { k().permute(team, y.data(), large.data(), 1, order); });
  order.elements = 6;
  order.rows = order.y_row = 2;
  order.columns = order.x_row = 3;
  expect_looks("permute, small matrices", 1,
               [&](const Team& team) { k().permute(team, y.data(), large.data(), outputs / 2, order); });
  for (int64_t i = 0; i < 101; ++i) begin[i] = i * (outputs / 100);
  expect_looks("resample, long groups with weights", 1, [&](const Team& team) {
    k().resample(team, y.data(), wide.data(), 1, {1, 100, 1, begin.data(), index.data(), weights.data()});
  });
  expect_looks("resample, long groups", 1, [&](const Team& team) {
    k().resample(team, y.data(), wide.data(), 1, {1, 100, 40, begin.data(), index.data(), nullptr});
  });
}

void check_normalizations_look() {
  constexpr ActivationSpec kRelu{Activation::relu, 0, std::numeric_limits<double>::infinity(), 0};
  constexpr int64_t n = 24'000'000;
  const std::vector<T> x = numbers(n), dy = numbers(n);
  std::vector<T> y(n);
  for (const int64_t columns : {int64_t{12}, int64_t{4096}, n / 8}) {
    const int64_t rows = n / columns;
    const std::string what = text(", %d columns", static_cast<int>(columns));
    std::vector<T> mean = numbers(columns), variance(columns, 1), shared(k().column_sums(rows, columns));
    expect_looks("moments" + what, 1, [&](const Team& team) {
      k().moments(team, mean.data(), nullptr, variance.data(), x.data(), rows, columns, shared.data());
    });
    std::vector<T> of_member(k().batch_norm_own(columns)), slopes = dy;
    expect_looks("batch_norm_forward" + what, 1, [&](const Team& team) {
      k().batch_norm_forward(team, y.data(), x.data(), mean.data(), variance.data(), mean.data(), rows, columns, kRelu);
    });
    expect_looks("batch_norm_backward" + what, 1, [&](const Team& team) {
      k().batch_norm_backward(team, y.data(), mean.data(), nullptr, slopes.data(), x.data(), x.data(), mean.data(),
                              variance.data(), nullptr, nullptr, rows, columns, 1e-3, kRelu, false, of_member.data(),
                              shared.data());
    });
    expect_looks("rescaling_forward" + what, 1, [&](const Team& team) {
      k().rescaling_forward(team, y.data(), x.data(), n, mean.data(), variance.data(), mean.data(), columns);
    });
    expect_looks("rescaling_backward" + what, 1, [&](const Team& team) {
      k().rescaling_backward(team, y.data(), x.data(), n, variance.data(), columns);
    });
    for (const GroupShape shape : {GroupShape{1, 1, columns}, GroupShape{rows, columns / 4, 4}}) {
      const int64_t samples = shape.positions == 1 ? rows : 1;
      std::vector<T> own(k().group_norm_own(shape)), group_sums(k().group_norm_sums(samples, shape));
      std::vector<T> inverse(samples * shape.groups), means(samples * shape.groups);
      const std::string which = what + text(", %d groups", static_cast<int>(shape.groups));
      expect_looks("group_norm_forward" + which, 1, [&](const Team& team) {
        k().group_norm_forward(team, y.data(), means.data(), inverse.data(), x.data(), nullptr, nullptr, samples, shape,
                               1e-3, own.data());
      });
      expect_looks("group_norm_backward" + which, 1, [&](const Team& team) {
        k().group_norm_backward(team, y.data(), mean.data(), variance.data(), dy.data(), x.data(), means.data(),
                                inverse.data(), nullptr, samples, shape, false, own.data(), group_sums.data());
      });
    }
    std::vector<T> sums(k().column_sums(rows, columns));
    std::vector<RowFactors<T>> factors(rows);
    expect_looks("rms_norm_forward" + what, 1, [&](const Team& team) {
      k().rms_norm_forward(team, y.data(), factors.data(), x.data(), nullptr, rows, columns, 1e-3, false);
    });
    expect_looks("rms_norm_backward" + what, 1, [&](const Team& team) {
      k().rms_norm_backward(team, y.data(), mean.data(), dy.data(), x.data(), factors.data(), nullptr, rows, columns,
                            false, sums.data());
    });
    expect_looks("bias and prelu" + what, 1, [&](const Team& team) {
      k().bias_forward(team, y.data(), x.data(), mean.data(), rows, columns);
      k().prelu_forward(team, y.data(), x.data(), mean.data(), rows, columns);
      k().bias_backward(team, variance.data(), dy.data(), rows, columns, false, sums.data());
      k().prelu_backward(team, y.data(), variance.data(), dy.data(), x.data(), mean.data(), rows, columns, false,
                         sums.data());
    });
  }
}

void check_functions_look() {
  constexpr int64_t n = 24'000'000;
  const std::vector<T> x = numbers(n);
  std::vector<T> y(n);
  const ActivationSpec mish{Activation::mish, 0, 0, 0};
  expect_looks("activation_forward", 1,
               [&](const Team& team) { k().activation_forward(team, y.data(), x.data(), n, mish); });
  expect_looks("activation_backward", 1, [&](const Team& team) {
    k().activation_backward(team, y.data(), x.data(), x.data(), x.data(), n, mish);
  });
  for (const int64_t inner : {int64_t{1}, int64_t{2000}, n / 4}) {
    const int64_t axis = inner == 1 ? 1000 : inner == 2000 ? 2000 : 4, outer = n / (axis * inner);
    const std::string what = text(", inner %d", static_cast<int>(inner));
    expect_looks("sparsemax_forward" + what, 1,
                 [&](const Team& team) { k().sparsemax_forward(team, y.data(), x.data(), outer, axis, inner); });
    expect_looks("sparsemax_backward" + what, 1, [&](const Team& team) {
      k().sparsemax_backward(team, y.data(), x.data(), x.data(), outer, axis, inner);
    });
    for (const bool log : {false, true}) {
      expect_looks("softmax_forward" + what, 1,
                   [&](const Team& team) { k().softmax_forward(team, y.data(), x.data(), outer, axis, inner, log); });
      expect_looks("softmax_backward" + what, 1, [&](const Team& team) {
        k().softmax_backward(team, y.data(), x.data(), x.data(), outer, axis, inner, log);
      });
    }
  }
  for (const int64_t columns : {int64_t{1}, int64_t{10}, int64_t{100'000}}) {
    std::vector<double> values(n / columns);
    for (const Loss loss : {Loss::mean_squared_logarithmic_error, Loss::categorical_crossentropy_from_logits})
      expect_looks(text("loss, %d columns", static_cast<int>(columns)), 1, [&](const Team& team) {
        k().loss(team, values.data(), y.data(), x.data(), {x.data(), nullptr}, n / columns, columns, {loss, 0}, 1);
      });
    const std::vector<T> one(n / columns, 1);
    for (const bool masks_only : {false, true})
      for (T* slopes : {y.data(), static_cast<T*>(nullptr)})
        expect_looks(text("weigh, %d columns%s%s", static_cast<int>(columns), masks_only ? ", masks" : "",
                          slopes == nullptr ? ", no slopes" : ""),
                     1, [&](const Team& team) {
                       k().weigh(team, values.data(), slopes, {one.data(), 1}, n / columns, columns, masks_only);
                     });
    expect_looks(text("metric, %d columns", static_cast<int>(columns)), 1, [&](const Team& team) {
      k().metric(team, values.data(), x.data(), {x.data(), nullptr}, n / columns, columns,
                 {Metric::top_k_categorical_accuracy, 5});
    });
  }
  constexpr int64_t few = 100, zero = 0;
  std::vector<int64_t> repeat_at(n / few);
  for (size_t i = 0; i < repeat_at.size(); ++i) repeat_at[i] = static_cast<int64_t>(i) * few;
  for (const Noise kind : {Noise::dropout, Noise::alpha_dropout, Noise::gaussian_dropout, Noise::gaussian_noise}) {
    const NoiseSpec spec{kind, 0.5, 1, 2};
    expect_looks("noise", 1, [&](const Team& team) {
      k().noise(team, y.data(), x.data(), 1, 0, {n, 1, n, 1, 1, &zero, &zero, false}, spec);
    });
    expect_looks("noise, one number for all", 1, [&](const Team& team) {
      k().noise(team, y.data(), x.data(), 1, 0, {n, 1, 1, n, 1, &zero, &zero, false}, spec);
    });
    expect_looks("noise, small samples", 1, [&](const Team& team) {
      k().noise(team, y.data(), x.data(), n / few, 0, {few, 1, few, 1, 1, &zero, &zero, false}, spec);
    });
    expect_looks("noise, shared", 1, [&](const Team& team) {
      k().noise(team, y.data(), x.data(), 1, 0, {n, 1, few, 1, n / few, &zero, repeat_at.data(), false}, spec);
    });
  }
  std::vector<uint32_t> words(n / 32 * 3);
  expect_looks("gather", 1, [&](const Team& team) {
    k().gather(team, y.data(), {}, x.data(), nullptr, 32, 0, n / 32, {});
    k().find_nonzero(team, {words.data(), words.data() + n / 32 * 2, 32}, x.data(), 32, n / 32);
  });
  const std::vector<uint8_t> bytes(n, 7);
  const T half = 0.5F;
  for (const int64_t columns : {int64_t{1}, int64_t{1000}, n})
    expect_looks(text("gather_bytes, %d columns", static_cast<int>(columns)), 1, [&](const Team& team) {
      k().gather_bytes(team, y.data(), {}, bytes.data(), nullptr, n / columns, 0, columns,
                       {&half, &half, false, &half});
    });
}

void check_overlaps_look() {
  constexpr int64_t n = 24'000'000;
  const std::vector<T> x = numbers(n), t = numbers(n);
  std::vector<T> dx(n);
  // One sample, or one element each; summed, or in part, or not at all
  for (const int64_t samples : {int64_t{1}, n / 1000, n})
    for (const int64_t groups : {int64_t{1}, int64_t{10}, n}) {
      const int64_t elements = n / samples;
      if (elements % groups != 0) continue;
      OverlapSpec spec{0.5, 0.5, 1e-7, {}, true};
      spec.axes = {2, {elements / groups, groups}, {false, true}, elements, groups};
      const std::string what =
          text("overlaps, %d samples, %d groups", static_cast<int>(samples), static_cast<int>(groups));
      std::vector<double> sums(samples * 3 * groups), totals(3 * groups), factors(2 * groups), values(samples);
      expect_looks(what + ", sums", 1, [&](const Team& team) {
        k().overlap_sums(team, sums.data(), x.data(), t.data(), samples, spec.axes);
      });
      expect_looks(what + ", of batches", 1, [&](const Team& team) {
        k().overlap_of_batch(team, totals.data(), factors.data(), sums.data(), samples, spec, 1);
        k().overlap_slopes(team, dx.data(), t.data(), factors.data(), 0, samples, spec.axes);
      });
      expect_looks(what + ", of samples", 1, [&](const Team& team) {
        k().overlap_of_samples(team, values.data(), sums.data(), {nullptr, 1}, groups, samples, spec, 1);
        k().overlap_slopes(team, dx.data(), t.data(), sums.data(), 3 * groups, samples, spec.axes);
      });
    }
}

void check_merge_look() {
  constexpr int64_t rows = 20000, columns = 500, n = rows * columns;
  const std::vector<T> a = numbers(n), b = numbers(n);
  std::vector<T> y(n);
  const BroadcastAxis equal[] = {{n, 1, 1}};
  const BroadcastAxis of_row[] = {{rows, columns, 1}, {columns, 1, 0}};
  const BroadcastAxis of_all[] = {{1, n, columns}, {rows, columns, 0}, {columns, 1, 1}};
  for (const Broadcast& shape : {Broadcast{1, equal}, Broadcast{2, of_row}, Broadcast{3, of_all}}) {
    const std::string what = text(", %d axes", static_cast<int>(shape.count));
    expect_looks("binary_forward" + what, 1, [&](const Team& team) {
      k().binary_forward(team, y.data(), a.data(), b.data(), Binary::power, 1, shape);
    });
    expect_looks("binary_backward" + what, 1, [&](const Team& team) {
      k().binary_backward(team, nullptr, y.data(), a.data(), a.data(), b.data(), b.data(), Binary::power, 1, shape);
    });
    expect_looks("binary_backward of the first" + what, 1, [&](const Team& team) {
      k().binary_backward(team, y.data(), nullptr, a.data(), a.data(), b.data(), b.data(), Binary::power, 1, shape);
    });
  }
  // Of each sample; and of very many samples
  const BroadcastAxis small[] = {{1, 1, 0}};
  expect_looks("binary, small samples", 1, [&](const Team& team) {
    k().binary_forward(team, y.data(), a.data(), b.data(), Binary::divide, n, {1, small});
    k().binary_backward(team, y.data(), nullptr, a.data(), a.data(), b.data(), b.data(), Binary::divide, n, {1, small});
  });
  for (const int64_t width : {n, columns, int64_t{1}})
    expect_looks(text("copy_columns, %d", static_cast<int>(width)), 1,
                 [&](const Team& team) { k().copy_columns(team, y.data(), a.data(), n / width, width, width, width); });
  const std::vector<int32_t> ids(rows, 7), many(n, 7);
  expect_looks("embedding_forward", 1,
               [&](const Team& team) { k().embedding_forward(team, y.data(), ids.data(), a.data(), rows, columns); });
  expect_looks("embedding_backward", 1, [&](const Team& team) {
    k().embedding_backward(team, y.data(), nullptr, a.data(), many.data(), n, rows, 1, false);
  });
  const int32_t first = 0;
  expect_looks("embedding of long rows", 1, [&](const Team& team) {
    k().embedding_forward(team, y.data(), &first, a.data(), 1, n);
    k().embedding_backward(team, y.data(), nullptr, a.data(), &first, 1, 1, n, false);
  });
  expect_looks("numbers_of_ids", 1, [&](const Team& team) { k().numbers_of_ids(team, y.data(), many.data(), n); });
}

}  // namespace

void check_polling() {
  check_products_look();
  check_convolutions_look();
  check_attention_look();
  check_recurrent_look();
  check_windows_look();
  check_normalizations_look();
  check_functions_look();
  check_overlaps_look();
  check_merge_look();
}

}  // namespace pynn

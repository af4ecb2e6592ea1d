"""TimeDistributed: a layer at each step of a sequence."""

import os

import numpy as np
import pytest
from helpers import THREADS, bits, close_gradient, run
from reference import central_difference
from test_masking import MaskOut

import pynn
from pynn import layers


def sub_model():
    return pynn.Sequential([pynn.Input((4,)), layers.Dense(3, activation="relu"), layers.Dense(2)])


class Own(layers.Layer):
    """A layer with a weight of its own."""

    def build(self, input_shape):
        self.w = self.add_weight((input_shape[-1], 2))

    def call(self, x):
        return x @ self.w + 1


CASES = {
    "Dense": (lambda: layers.Dense(3, activation="softmax"), (4,)),
    "Dense of a matrix": (lambda: layers.Dense(3, activation="relu"), (2, 4)),
    "Conv2D": (lambda: layers.Conv2D(3, 2, activation="relu"), (4, 5, 2)),
    "Conv1D": (lambda: layers.Conv1D(3, 2, padding="causal"), (4, 2)),
    "MaxPooling2D": (layers.MaxPooling2D, (4, 4, 3)),
    "GlobalAveragePooling2D": (layers.GlobalAveragePooling2D, (4, 4, 3)),
    "Flatten": (layers.Flatten, (3, 2)),
    "Reshape": (lambda: layers.Reshape((3, 2)), (6,)),
    "Permute": (lambda: layers.Permute((2, 1)), (3, 2)),
    "ZeroPadding1D": (layers.ZeroPadding1D, (3, 2)),
    "LayerNormalization": (layers.LayerNormalization, (5,)),
    "Softmax": (layers.Softmax, (5,)),
    "PReLU": (layers.PReLU, (5,)),
    "Rescaling": (lambda: layers.Rescaling(2.0, 1.0), (5,)),
    "nested": (lambda: layers.TimeDistributed(layers.Dense(2)), (3, 4)),
    "a model": (sub_model, (4,)),
    "an own layer": (Own, (4,)),
    "glu": (lambda: layers.Activation("glu"), (4,)),
}


@pytest.fixture(params=CASES)
def case(request):
    return CASES[request.param]


def test_each_step_is_what_the_layer_makes_of_it(case, random):
    make, shape = case
    inner = make()
    layer = layers.TimeDistributed(inner)
    x = random.normal(size=(3, 6, *shape)).astype("float32")
    y = layer(x)
    wanted = np.stack([inner(np.ascontiguousarray(x[:, t])) for t in range(6)], 1)
    np.testing.assert_allclose(y, wanted, rtol=1e-5, atol=1e-6)
    assert layer.compute_output_shape((None, 6, *shape)) == (None, *wanted.shape[1:])
    assert layer.weights == inner.weights


def test_gradients(case, random):
    make, shape = case
    pynn.config.set_floatx("float64")
    model = pynn.Sequential([pynn.Input((3, *shape)), layers.TimeDistributed(make())])
    x = random.normal(size=(2, 3, *shape))
    dy = random.normal(size=(2, *model.output_shape[1:]))
    found, slope = model.vjp(x, dy)
    numeric = central_difference(lambda values: (model.predict(values, verbose=0) * dy).sum(), x)
    assert close_gradient(numeric, slope).all()
    for weight, gradient in zip(model.trainable_weights, found, strict=True):
        before = weight.numpy().copy()

        def total(values, weight=weight):
            weight.assign(values)
            return (model.predict(x, verbose=0) * dy).sum()

        assert close_gradient(central_difference(total, before), gradient).all()
        weight.assign(before)


def test_any_number_of_steps(case, random):
    make, shape = case
    model = pynn.Sequential([pynn.Input((None, *shape)), layers.TimeDistributed(make())])
    assert model.output_shape[:2] == (None, None)
    for steps in (1, 2, 5):
        x = random.normal(size=(2, steps, *shape)).astype("float32")
        np.testing.assert_array_equal(model.predict(x, verbose=0), model.layers[0](x))


def test_it_is_saved(case, random, tmp_path):
    make, shape = case
    x = random.normal(size=(2, 3, *shape)).astype("float32")
    model = pynn.Sequential([pynn.Input((3, *shape)), layers.TimeDistributed(make())])
    model.save(tmp_path / "model.pynn")
    again = pynn.load_model(tmp_path / "model.pynn", custom_objects={"Own": Own})
    np.testing.assert_array_equal(again.predict(x, verbose=0), model.predict(x, verbose=0))


def test_training_learns_as_with_steps_as_samples(random):
    """What has no sequence in it learns the same from steps as from as many samples."""
    x, y = random.normal(size=(8, 4, 5, 5, 2)).astype("float32"), random.integers(0, 3, (8, 4))
    results = []
    for steps in (True, False):
        pynn.set_random_seed(3)
        inner = pynn.Sequential(
            [
                pynn.Input((5, 5, 2)),
                layers.Conv2D(4, 2, activation="relu"),
                layers.MaxPooling2D(),
                layers.Flatten(),
                layers.Dense(3, activation="softmax"),
            ]
        )
        model = pynn.Sequential([pynn.Input((4, 5, 5, 2)), layers.TimeDistributed(inner)]) if steps else inner
        model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        given = (x, y) if steps else (x.reshape(32, 5, 5, 2), y.ravel())
        logs = [model.train_on_batch(*given) for _ in range(3)]
        results.append((logs, model.get_weights()))
    np.testing.assert_allclose(results[0][0], results[1][0], rtol=1e-5)
    for one, other in zip(results[0][1], results[1][1], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def test_dropout_draws_for_each_step(random):
    x = np.ones((50, 20, 30), "float32")
    layer = layers.TimeDistributed(layers.Dropout(0.5, seed=1))
    y = layer(x, training=True)
    assert 0.45 < (y == 0).mean() < 0.55
    assert not (y[:, 0] == y[:, 1]).all()
    np.testing.assert_array_equal(layer(x), x)
    fixed = layers.TimeDistributed(layers.Dropout(0.5, noise_shape=(None, 1), seed=1))(x, training=True)
    assert ((fixed == 0).all(-1) | (fixed == 2).all(-1)).all()


def test_batch_normalization_has_the_moments_of_each_step(random):
    x = random.normal(2.0, 3.0, size=(16, 3, 5)).astype("float32")
    inner = layers.BatchNormalization(momentum=0.5)
    layer = layers.TimeDistributed(inner)
    y = layer(x, training=True)
    mean, variance = x.mean(0), x.var(0)
    np.testing.assert_allclose(y, (x - mean) / np.sqrt(variance + 1e-3), rtol=1e-3, atol=1e-4)
    moving_mean, moving_variance = np.zeros(5), np.ones(5)
    for t in range(3):
        moving_mean = moving_mean * 0.5 + mean[t] * 0.5
        moving_variance = moving_variance * 0.5 + variance[t] * 0.5
    np.testing.assert_allclose(inner.moving_mean.numpy(), moving_mean, rtol=1e-4)
    np.testing.assert_allclose(inner.moving_variance.numpy(), moving_variance, rtol=1e-4)
    np.testing.assert_allclose(layer(x), (x - moving_mean) / np.sqrt(moving_variance + 1e-3), rtol=1e-4, atol=1e-4)


def test_embedding_of_each_step(random):
    x = random.integers(0, 9, (4, 3, 5))
    inner = layers.Embedding(9, 2)
    model = pynn.Sequential([pynn.Input((3, 5), dtype="int32"), layers.TimeDistributed(inner)])
    np.testing.assert_array_equal(model.predict(x, verbose=0), inner.get_weights()[0][x])
    np.testing.assert_array_equal(layers.TimeDistributed(inner)(x), inner.get_weights()[0][x])
    with pytest.raises(ValueError, match="9"):
        model.predict(x + 1, verbose=0)
    model.compile("sgd", "mse")
    model.fit(x, np.zeros((4, 3, 5, 2)), verbose=0)
    texts = pynn.Sequential(
        [pynn.Input((5,), dtype="int32"), layers.Embedding(9, 2), layers.Flatten(), layers.Dense(1)]
    )
    model = pynn.Sequential([pynn.Input((3, 5), dtype="int32"), layers.TimeDistributed(texts)])
    np.testing.assert_allclose(
        model.predict(x, verbose=0), np.stack([texts.predict(x[:, t], verbose=0) for t in range(3)], 1), rtol=1e-5
    )
    np.testing.assert_allclose(layers.TimeDistributed(texts)(x), model.predict(x, verbose=0), rtol=1e-6)


def test_the_mask_of_the_steps_goes_on(random):
    x = random.normal(size=(4, 5, 3)).astype("float32")
    x[:, 3:] = 0
    mask = (x != 0).any(-1)
    model = pynn.Sequential([layers.Masking(), layers.TimeDistributed(layers.Dense(2)), MaskOut()])
    np.testing.assert_array_equal(model.predict(x, verbose=0), mask)
    layer = layers.TimeDistributed(layers.Flatten())
    model = pynn.Sequential([layers.Masking(), layer, MaskOut()])
    np.testing.assert_array_equal(model.predict(x, verbose=0), mask)
    with pytest.raises(ValueError, match="mask"):
        layer(x, mask=np.ones((4, 4)))


def test_a_layer_within_gets_its_part_of_a_mask(random):
    x = random.normal(size=(4, 5, 6, 3)).astype("float32")
    mask = random.random((4, 5, 6)) < 0.6
    inner = layers.GlobalAveragePooling1D()
    y = layers.TimeDistributed(inner)(x, mask=mask)
    wanted = np.stack([inner(np.ascontiguousarray(x[:, t]), mask=mask[:, t]) for t in range(5)], 1)
    np.testing.assert_array_equal(y, wanted)


def test_losses_of_steps_with_masks(random):
    x, y = random.normal(size=(6, 5, 3)).astype("float32"), random.integers(0, 3, (6, 5))
    x[:, 3:] = 0
    model = pynn.Sequential([layers.Masking(), layers.TimeDistributed(layers.Dense(3, activation="softmax"))])
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    p = model.predict(x, verbose=0)[:, :3]
    loss, accuracy = model.evaluate(x, y, verbose=0)
    assert loss == pytest.approx(-np.log(np.take_along_axis(p, y[:, :3, None], -1)).mean(), rel=1e-5)
    assert accuracy == pytest.approx((p.argmax(-1) == y[:, :3]).mean())


def test_threads_give_the_same_bits(random):
    x, y = random.normal(size=(40, 6, 5, 5, 2)).astype("float32"), random.integers(0, 3, (40, 6))
    found = set()
    for threads in THREADS:
        pynn.config.set_num_threads(threads)
        pynn.set_random_seed(3)
        model = pynn.Sequential(
            [
                pynn.Input((6, 5, 5, 2)),
                layers.TimeDistributed(layers.Conv2D(4, 2, activation="relu")),
                layers.TimeDistributed(layers.Dropout(0.3, seed=2)),
                layers.TimeDistributed(layers.Flatten()),
                layers.Dense(3, activation="softmax"),
            ]
        )
        model.compile("adam", "sparse_categorical_crossentropy")
        model.fit(x, y, batch_size=16, verbose=0)
        found.add((bits(model), model.predict(x, verbose=0).tobytes()))
    assert len(found) == 1


@pytest.mark.parametrize("bad", [None, "dense", layers.Dense, 3])
def test_it_takes_a_layer(bad):
    with pytest.raises(TypeError, match="layer must be a layer"):
        layers.TimeDistributed(bad)


def test_samples_need_steps():
    with pytest.raises(ValueError, match="steps"):
        layers.TimeDistributed(layers.Activation("relu"))(np.ones(3))
    two = pynn.Input((3,))
    of_two = pynn.Model(two, [layers.Dense(1)(two), layers.Dense(2)(two)])
    with pytest.raises(ValueError, match="one output"):
        layers.TimeDistributed(of_two)(pynn.Input((4, 3)))


def test_it_is_shared_and_frozen(random):
    inner = layers.Dense(2)
    layer = layers.TimeDistributed(inner, trainable=False)
    x = random.normal(size=(4, 3, 5)).astype("float32")
    model = pynn.Sequential([pynn.Input((3, 5)), layer, layers.TimeDistributed(layers.Dense(1))])
    model.compile("sgd", "mse")
    before = inner.get_weights()
    model.fit(x, np.zeros((4, 3, 1)), verbose=0)
    for one, other in zip(before, inner.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_penalties_of_the_layer_within_count(random):
    x = random.normal(size=(4, 3, 5)).astype("float32")
    model = pynn.Sequential([pynn.Input((3, 5)), layers.TimeDistributed(layers.Dense(2, activity_regularizer="l2"))])
    model.compile("sgd", "mse")
    y = model.predict(x, verbose=0)
    assert model.evaluate(x, y, verbose=0) == pytest.approx(0.01 * (y**2).sum() / 4, rel=1e-4)


def test_a_stateful_layer_goes_on_from_step_to_step(random):
    """And from batch to batch: as one sequence that lies in pieces; with gradients through all steps of a batch."""
    pynn.config.set_floatx("float64")
    inner = pynn.Sequential(
        [layers.GRU(3, stateful=True, return_sequences=True), layers.Bidirectional(layers.LSTM(2, stateful=True))]
    )
    model = pynn.Sequential([pynn.Input((4, 2, 3), batch_size=5), layers.TimeDistributed(inner)])
    x = random.normal(size=(5, 8, 2, 3))
    found = np.concatenate([model(x[:, :4]), model(x[:, 4:])], axis=1)
    model.reset_states()
    np.testing.assert_array_equal(np.stack([inner(x[:, t].copy()) for t in range(8)], axis=1), found)
    model.reset_states()
    dy = random.normal(size=(5, 4, 4))
    _, slope = model.vjp(x[:, :4], dy)

    def total(values):
        model.reset_states()
        return (model(values) * dy).sum()

    assert close_gradient(central_difference(total, x[:, :4].copy()), slope).all()


def test_stateful_layers_on_any_number_of_threads(random):
    x, y = random.normal(size=(33, 4, 2, 3)).astype("float32"), random.normal(size=(33, 4, 2)).astype("float32")
    seen = set()
    for threads in THREADS:
        pynn.config.set_num_threads(threads)
        pynn.set_random_seed(5)
        model = pynn.Sequential([pynn.Input((4, 2, 3)), layers.TimeDistributed(layers.LSTM(2, stateful=True))])
        model.compile("adam", "mse")
        model.fit(x, y, batch_size=11, epochs=2, shuffle=False, verbose=0)
        seen.add(bits(model) + model.predict(x, batch_size=11, verbose=0).tobytes())
    assert len(seen) == 1


WITHIN = """
import resource
import numpy as np
import pynn
from pynn import layers

pynn.config.set_num_threads(1)
model = pynn.Sequential([pynn.Input((20, 500, 1)), layers.TimeDistributed(layers.LSTM(64))])
x = np.ones((64, 20, 500, 1), np.float32)
expected = model(x[:1])
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + (40 << 20), resource.RLIM_INFINITY))
assert model(x)[:1].tobytes() == expected.tobytes()
"""


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="asks /proc for the size of the process")
def test_predictions_take_no_memory_for_a_way_back():
    """Where the steps of all steps are kept, it is some 170 MB."""
    run(WITHIN)


def steps_and_mask():
    x = np.random.default_rng(0).normal(2, 3, size=(4, 3, 2)).astype("float32")
    return x, np.array([[1, 1, 1], [1, 1, 0], [1, 0, 0], [1, 1, 0]], bool)


def test_moments_of_each_step_are_those_of_its_real_samples():
    x, mask = steps_and_mask()
    inner = layers.BatchNormalization(momentum=0.5)
    y = layers.TimeDistributed(inner)(x, training=True, mask=mask)
    for t in range(3):
        mean, variance = x[mask[:, t], t].mean(0), x[mask[:, t], t].var(0)
        np.testing.assert_allclose(y[:, t], (x[:, t] - mean) / np.sqrt(variance + 1e-3), rtol=1e-3, atol=1e-5)
    # What Keras has.
    np.testing.assert_allclose(inner.moving_mean, [0.85319, 2.497506], rtol=1e-5)
    np.testing.assert_allclose(inner.moving_variance, [2.841495, 3.111538], rtol=1e-5)


def test_moments_of_a_step_that_no_sample_has_are_0():
    x, mask = steps_and_mask()
    mask[0, 2] = False
    inner = layers.BatchNormalization(momentum=0.5)
    y = layers.TimeDistributed(inner)(x, training=True, mask=mask)
    np.testing.assert_allclose(y[:, 2, 0], [12.427494, 4.116546, 11.612613, 0.139646], rtol=1e-5)
    np.testing.assert_allclose(inner.moving_mean, [0.656694, 0.955113], rtol=1e-5)


def test_moments_of_images_are_those_of_real_steps(random):
    x, mask = random.normal(size=(4, 3, 2, 2, 5)).astype("float32"), steps_and_mask()[1]
    real = x[mask[:, 1], 1].reshape(-1, 5)
    wanted = (x[:, 1] - real.mean(0)) / np.sqrt(real.var(0) + 1e-3)
    y = layers.TimeDistributed(layers.BatchNormalization())(x, training=True, mask=mask)
    np.testing.assert_allclose(y[:, 1], wanted, rtol=1e-4, atol=1e-5)
    first = np.ascontiguousarray(np.moveaxis(x, -1, 2))
    y = layers.TimeDistributed(layers.BatchNormalization(axis=1))(first, training=True, mask=mask)
    np.testing.assert_allclose(np.moveaxis(y[:, 1], 1, -1), wanted, rtol=1e-4, atol=1e-5)


# The gamma, moving mean and moving variance that Keras has after two steps.
LEARNED = {
    "layer": [[0.832687, 0.832693], [0.959839, 2.809694], [3.071681, 3.37548]],
    "model": [[0.832664, 0.832664], [3.769526, 3.769526], [9.263331, 9.263331]],
}


@pytest.mark.parametrize("steps", [3, None])
@pytest.mark.parametrize("kind", LEARNED)
def test_fit_behind_a_mask_learns_what_keras_learns(kind, steps):
    x, mask = steps_and_mask()
    x *= mask[:, :, None]
    inner = layers.BatchNormalization(momentum=0.5)
    within = inner
    if kind == "model":
        within = pynn.Sequential([pynn.Input((2,)), layers.Dense(2, kernel_initializer="ones"), inner])
    model = pynn.Sequential([pynn.Input((steps, 2)), layers.Masking(), layers.TimeDistributed(within)])
    model.compile(pynn.optimizers.SGD(0.1), "mse")
    model.fit(x, np.ones_like(x), epochs=2, batch_size=4, shuffle=False, verbose=0)
    for weight, wanted in zip((inner.gamma, inner.moving_mean, inner.moving_variance), LEARNED[kind], strict=True):
        np.testing.assert_allclose(weight, wanted, rtol=1e-4)


def test_gradients_of_moments_of_real_samples(random):
    pynn.config.set_floatx("float64")
    x, mask = steps_and_mask()
    x = x * mask[:, :, None]
    model = pynn.Sequential(
        [pynn.Input((3, 2)), layers.Masking(), layers.TimeDistributed(layers.BatchNormalization(momentum=1.0))]
    )
    dy = random.normal(size=x.shape)
    slope = model.vjp(x, dy, training=True)[1]
    numeric = central_difference(lambda values: (model(values, training=True) * dy).sum(), x)
    np.testing.assert_allclose(slope[mask], numeric[mask], rtol=1e-5, atol=1e-7)


def test_a_call_within_gives_its_mask_to_a_normalization():
    class Normalized(layers.Layer):
        def __init__(self, told):
            super().__init__()
            self.told, self.inner = told, layers.BatchNormalization()

        def call(self, x, mask=None):
            return self.inner(x, mask=mask) if self.told else self.inner(x)

    x, mask = steps_and_mask()
    for told in (True, False):  # Keras's layer sees no mask either where the call does not give it
        wanted = layers.TimeDistributed(layers.BatchNormalization())(x, training=True, mask=mask if told else None)
        y = layers.TimeDistributed(Normalized(told))(x, training=True, mask=mask)
        np.testing.assert_array_equal(y, wanted)


@pytest.mark.parametrize("supports", [False, True])
@pytest.mark.parametrize("steps", [3, None])
def test_a_call_within_gets_the_mask_of_each_step(supports, steps, random):
    class Real(layers.Layer):
        """The mean of what is real, 1 elsewhere."""

        def __init__(self):
            super().__init__()
            self.dense, self.mean, self.supports_masking = layers.Dense(2), layers.GlobalAveragePooling1D(), supports

        def call(self, x, mask=None):
            y = self.mean(self.dense(x))
            return y if mask is None else pynn.ops.where(mask[:, None], y, 1.0)

    x, mask = random.normal(size=(4, 3, 5, 2)).astype("float32"), steps_and_mask()[1]
    layer = layers.TimeDistributed(Real())
    unmasked = layer(x)
    wanted = np.where(mask[..., None], unmasked, 1)
    for training in (False, True):
        np.testing.assert_allclose(layer(x, mask=mask, training=training), wanted, rtol=1e-6)
    taken, given = pynn.Input((steps, 5, 2)), pynn.Input((steps,), dtype="bool")
    model = pynn.Model([taken, given], layer(taken, mask=given))
    np.testing.assert_allclose(model.predict([x, mask], verbose=0), wanted, rtol=1e-6)
    np.testing.assert_array_equal(model.predict([x, np.ones_like(mask)], verbose=0), unmasked)


def test_a_call_within_may_have_a_layer_for_masked_steps_alone(random):
    class Marked(layers.Layer):
        supports_masking = True

        def __init__(self):
            super().__init__()
            self.dense, self.mark = layers.Dense(2), layers.Dense(2)

        def call(self, x, mask=None):
            return self.dense(x) if mask is None else self.dense(x) + self.mark(mask[:, None])

    x, mask = random.normal(size=(4, 3, 2)).astype("float32"), steps_and_mask()[1]
    layer = layers.TimeDistributed(Marked())
    y = layer(x, mask=mask)
    marks = layer.layer.mark(mask.reshape(-1, 1)).reshape(4, 3, 2)
    np.testing.assert_allclose(y, layer(x) + marks, rtol=1e-5, atol=1e-6)
    assert len(layer.weights) == 4


def test_a_call_that_asks_for_its_mask_trains_with_it(random):
    class Real(layers.Layer):
        def build(self, shape):
            self.w = self.add_weight((shape[-1],), "ones")

        def call(self, x, mask=None):
            return x * self.w if mask is None else x * self.w * mask[:, None]

    x, mask = random.normal(size=(4, 3, 2)).astype("float32"), steps_and_mask()[1]
    taken, given = pynn.Input((3, 2)), pynn.Input((3,), dtype="bool")
    model = pynn.Model([taken, given], layers.TimeDistributed(Real())(taken, mask=given))
    dy = random.normal(size=x.shape).astype("float32")
    slope = model.vjp([x, mask], dy)[0]
    np.testing.assert_allclose(slope[0], (x * dy * mask[..., None]).sum((0, 1)), rtol=1e-4, atol=1e-5)


def test_masks_reach_a_normalization_of_steps_of_steps(random):
    x = random.normal(2.0, 3.0, size=(6, 3, 4, 2)).astype("float32")
    layer = layers.TimeDistributed(layers.TimeDistributed(layers.BatchNormalization()))
    for mask in (random.random((6, 3)) < 0.6, random.random((6, 3, 4)) < 0.6):
        y = layer(x, training=True, mask=mask)
        for t, s in np.ndindex(3, 4):
            real = x[mask[:, t] if mask.ndim == 2 else mask[:, t, s], t, s]
            wanted = (x[:, t, s] - real.mean(0)) / np.sqrt(real.var(0) + 1e-3)
            np.testing.assert_allclose(y[:, t, s], wanted, rtol=1e-3, atol=1e-4)


def test_a_mask_of_whole_samples():
    x, mask = steps_and_mask()
    y = layers.BatchNormalization()(x[:, 1], training=True, mask=mask[:, 1])
    wanted = layers.TimeDistributed(layers.BatchNormalization())(x, training=True, mask=mask)
    np.testing.assert_array_equal(y, wanted[:, 1])


def test_layers_that_need_steps_see_no_mask_of_samples(random):
    x, mask = random.normal(size=(4, 3, 2, 5)).astype("float32"), steps_and_mask()[1]
    for between in (layers.LSTM(4, return_sequences=True), layers.GlobalAveragePooling1D(), layers.Softmax()):
        inner = pynn.Sequential([pynn.Input((2, 5)), between, layers.BatchNormalization()])
        y = layers.TimeDistributed(inner)(x, training=True, mask=mask)
        np.testing.assert_array_equal(y[:, 1], inner(x[:, 1], training=True))

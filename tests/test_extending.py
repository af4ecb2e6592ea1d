"""Classes of one's own that extend one of pynn's layers by a call."""

import copy
import pickle

import numpy as np
import pytest
from helpers import bits

import pynn
from pynn import layers


class AlwaysDropout(layers.Dropout):
    """Dropout in predictions, too."""

    def call(self, inputs, training=None):
        return super().call(inputs, training=True)


class Gain(layers.Dense):
    """A dense layer with a further weight."""

    def __init__(self, units, gain=2.0, **kwargs):
        super().__init__(units, **kwargs)
        self.gain = gain

    def build(self, input_shape):
        super().build(input_shape)
        self.scale = self.add_weight(shape=(self.units,), initializer="ones", name="scale")

    def call(self, inputs):
        return self.gain * super().call(inputs) * self.scale

    def get_config(self):
        return {**super().get_config(), "gain": self.gain}


class GainAndOne(Gain):
    def call(self, inputs):
        return super().call(inputs) + 1


class OwnProduct(layers.Dense):
    """Uses the kernel and the bias that a dense layer has."""

    def call(self, inputs):
        return pynn.activations.relu(inputs @ self.kernel + self.bias)


class Shifted(layers.BatchNormalization):
    def call(self, inputs, training=None):
        return super().call(inputs, training=training) + 1


CUSTOM = {each.__name__: each for each in (AlwaysDropout, Gain, GainAndOne, OwnProduct, Shifted)}


def model_of_all():
    stack = [Gain(8, activation="relu", kernel_regularizer="l2"), Shifted(), OwnProduct(4), AlwaysDropout(0.4, seed=3)]
    model = pynn.Sequential([pynn.Input((3,)), *stack, GainAndOne(1)])
    model.compile("adam", "mse")
    return model


def test_call_of_the_layer_that_is_extended(random):
    x = random.normal(size=(4, 3)).astype("float32")
    layer, plain = GainAndOne(5, 3.0), layers.Dense(5)
    y = layer(x)
    plain.build((None, 3))
    plain.set_weights([layer.kernel, layer.bias])
    np.testing.assert_allclose(y, 3 * plain(x) + 1, rtol=1e-6)
    assert [weight.path.split("/")[1] for weight in layer.weights] == ["kernel", "bias", "scale"]
    assert {weight.path.split("/")[0] for weight in layer.weights} == {layer.name}
    own = OwnProduct(5)
    own.build((None, 3))
    own.set_weights(plain.get_weights())
    np.testing.assert_allclose(own(x), np.maximum(plain(x), 0), rtol=1e-6)


@pytest.mark.parametrize(
    ("kind", "make", "message"),
    [
        (layers.Layer, lambda: layers.Dense(2), "Nothing extends no layer"),
        (pynn.Model, lambda: pynn.Sequential([layers.Dense(2)]), "Nothing extends no model"),
    ],
    ids=["layer", "model"],
)
def test_call_may_be_called_by_its_name(kind, make, message, random):
    class Outer(kind):
        def __init__(self):
            super().__init__()
            self.inner = make()

        def call(self, inputs):
            return self.inner.call(inputs)

    class Nothing(kind):
        def call(self, inputs):
            return super().call(inputs)

    x, outer = random.normal(size=(4, 3)), Outer()
    made = outer(x)
    assert len(outer.weights) == 2
    np.testing.assert_array_equal(made, outer.inner(x))
    np.testing.assert_array_equal(outer.inner.call(x), made)
    with pytest.raises(NotImplementedError, match=message):
        Nothing()(x)


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        ("init", ["own", "gamma", "beta", "moving_mean", "moving_variance"]),
        ("before", ["own", "gamma", "beta", "moving_mean", "moving_variance"]),
        ("after", ["gamma", "beta", "own", "moving_mean", "moving_variance"]),
    ],
)
def test_weights_of_extended_layers_come_in_keras_s_order(when, expected, random):
    """Each where it was made, and those that are learned before the others."""

    class Extended(layers.BatchNormalization):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.add("init")

        def build(self, input_shape):
            self.add("before")
            super().build(input_shape)
            self.add("after")

        def add(self, now):
            if now == when:
                self.own = self.add_weight(shape=(), initializer="ones", name="own")

        def call(self, inputs):
            return super().call(inputs) * self.own

    layer = Extended()
    layer(random.normal(size=(4, 3)))
    assert [weight.name for weight in layer.weights] == expected
    twin = pynn.Sequential([pynn.Input((3,)), Extended()])
    twin.set_weights([w + 1 for w in layer.get_weights()])
    assert [weight.name for weight in twin.weights] == expected


def test_normalization_with_a_weight_of_its_own_adapts(random):
    class Scaled(layers.Normalization):
        def build(self, input_shape):
            self.gain = self.add_weight(shape=(input_shape[-1],), initializer="ones")
            super().build(input_shape)

        def call(self, inputs):
            return super().call(inputs) * self.gain

    layer, x = Scaled(dtype="float64"), random.normal(size=(20, 4)) * 3 + 5
    for data in (x, 2 * x):
        layer.adapt(data)
        np.testing.assert_allclose(layer(data), (x - x.mean(axis=0)) / x.std(axis=0), rtol=1e-12)
        np.testing.assert_allclose(layer.mean, data.mean(axis=0), rtol=1e-15)


def test_dropout_that_is_always_there():
    x = np.ones((200, 5), "float32")
    model = pynn.Sequential([pynn.Input((5,)), AlwaysDropout(0.4)])
    for y in (model.predict(x, verbose=0), model(x), AlwaysDropout(0.4)(x)):
        assert (y == 0).mean() == pytest.approx(0.4, abs=0.1)
    assert (model(x) != model(x)).any()


def test_training_reaches_the_layer_that_is_extended(random):
    x = random.normal(3, 2, size=(16, 3)).astype("float32")
    layer, plain = Shifted(), layers.BatchNormalization()
    np.testing.assert_array_equal(layer(x, training=True), plain(x, training=True) + 1)
    np.testing.assert_array_equal(layer(x), plain(x) + 1)
    assert layer.moving_mean.numpy().any()


def test_model_of_extended_layers_trains_and_is_saved(random, tmp_path):
    x, y = random.normal(size=(64, 3)), random.normal(size=(64, 1))
    model = model_of_all()
    losses = model.fit(x, y, epochs=8, batch_size=16, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    assert model.count_params() == (3 + 2) * 8 + 4 * 8 + 9 * 4 + 4 + 2
    model.save(tmp_path / "model.pynn")
    twins = [pynn.load_model(tmp_path / "model.pynn", custom_objects=CUSTOM), copy.deepcopy(model)]
    twins.append(pickle.loads(pickle.dumps(model)))
    expected = model.predict(x, verbose=0)
    for twin in twins:
        assert [weight.path for weight in twin.weights] == [weight.path for weight in model.weights]
        np.testing.assert_array_equal(twin.predict(x, verbose=0), expected)
    model.fit(x, y, verbose=0)
    for twin in twins:
        twin.fit(x, y, verbose=0)
        assert bits(twin) == bits(model)


def test_extended_layers_have_the_same_state_whatever_their_number(random, tmp_path):
    class Within(layers.Layer):
        def __init__(self):
            super().__init__()
            self.first, self.second = Gain(2), AlwaysDropout(0.5)

        def call(self, inputs):
            return self.second(self.first(inputs))

    x = random.normal(size=(8, 3)).astype("float32")
    for make in (model_of_all, lambda: pynn.Sequential([pynn.Input((3,)), Within()])):
        model, other = make(), make()
        names = list(model.get_state())
        assert names == list(other.get_state())
        assert not any(name.count("/") > 2 for name in names)  # what a layer extends has no name of its own
        model.save_weights(tmp_path / "weights")
        other.load_weights(tmp_path / "weights")
        for one, another in zip(model.get_weights(), other.get_weights(), strict=True):
            np.testing.assert_array_equal(one, another)
        other.set_state(model.get_state())
        twins = (other, copy.deepcopy(model))
        expected = model.predict(x, verbose=0)
        for twin in twins:
            np.testing.assert_array_equal(twin.predict(x, verbose=0), expected)


def test_activity_penalty_is_there_once(random):
    x = random.normal(size=(8, 3)).astype("float32")
    model = pynn.Sequential([pynn.Input((3,)), Gain(2, activity_regularizer="l2")])
    model.compile("sgd", "mse")
    y = model(x)
    expected = pytest.approx(0.01 * (y**2).sum() / 8, rel=1e-5)
    assert model.evaluate(x, y, verbose=0) == copy.deepcopy(model).evaluate(x, y, verbose=0) == expected

    class Penalty(layers.ActivityRegularization):
        def call(self, inputs):
            return super().call(inputs)

    model.add(Penalty(l2=0.01))
    model.compile("sgd", "mse")
    for each in (model, copy.deepcopy(model)):
        assert each.evaluate(x, y, verbose=0) == pytest.approx(2 * 0.01 * (y**2).sum() / 8, rel=1e-5)


def test_masks_go_through_extended_layers():
    class Moved(layers.Embedding):
        def call(self, inputs):
            return super().call(inputs) + 1

    class Both(layers.Concatenate):
        def call(self, inputs):
            return 2 * super().call(inputs)

    x = np.array([[1, 2, 0], [3, 0, 0]])
    values = np.arange(8.0).reshape(4, 2)
    layer = Moved(4, 2, mask_zero=True, weights=values)
    np.testing.assert_array_equal(layer(x), values[x] + 1)
    np.testing.assert_array_equal(layer.compute_mask(x), x != 0)
    ids = pynn.Input((3,), dtype="int32")
    a, b = layer(ids), Moved(4, 2, weights=values)(ids)
    model = pynn.Model(ids, layers.GlobalAveragePooling1D()(a))
    np.testing.assert_allclose(model(x), [(values[1] + values[2]) / 2 + 1, values[3] + 1])
    assert b.mask_shape is None
    both = pynn.Model(ids, Both(axis=1)([a, b]))
    np.testing.assert_array_equal(both(x), 2 * np.concatenate([values[x] + 1] * 2, 1))


def test_build_alone_extends_a_layer(random):
    class Built(layers.Dense):
        def build(self, input_shape):
            self.seen = tuple(input_shape)
            super().build(input_shape)
            self.bias.assign(np.full(self.units, 7))
            self.further = self.add_weight(shape=(2,), name="further")

    class Noisy(layers.Dropout):
        def build(self, input_shape):
            self.rate = 0.0
            super().build(input_shape)

    x = random.normal(size=(4, 3)).astype("float32")
    model = pynn.Sequential([pynn.Input((3,)), Built(2), Noisy(0.9)])
    layer = model.layers[0]
    assert layer.seen == (None, 3)
    assert [weight.path.split("/")[1] for weight in layer.weights] == ["kernel", "bias", "further"]
    np.testing.assert_allclose(model(x), x @ layer.kernel.numpy() + 7, rtol=1e-5)
    np.testing.assert_array_equal(model(x, training=True), model(x))
    assert (Built(2)(x, training=True) != 0).all()
    sequence = pynn.Sequential([pynn.Input((5, 3)), layers.Masking(), Built(2), layers.GlobalAveragePooling1D()])
    padded = np.concatenate([np.ones((1, 2, 3)), np.zeros((1, 3, 3))], 1)
    np.testing.assert_allclose(sequence(padded), sequence.layers[1](np.ones((1, 1, 3)))[:, 0], rtol=1e-5)


def test_settings_that_are_changed_before_the_layer_is_built_count():
    class AsWide(layers.Dense):
        def build(self, input_shape):
            self.units = input_shape[-1]
            self.offset = self.add_weight(shape=(1,), name="offset")
            super().build(input_shape)

    class Late(layers.Dense):
        def build(self, input_shape):
            self.kernel_initializer = pynn.initializers.Ones()

        def call(self, inputs):
            return super().call(inputs) + 1

    x = np.ones((2, 4), "float32")
    layer = AsWide(3)
    assert layer(x).shape == (2, 4)
    assert [weight.path.split("/")[1] for weight in layer.weights] == ["offset", "kernel", "bias"]
    late = Late(3)
    late.units = 2
    np.testing.assert_array_equal(late(x), np.full((2, 2), 5))
    model = pynn.Sequential([pynn.Input((4,)), AsWide(3), Late(2)])
    np.testing.assert_array_equal(copy.deepcopy(model)(x), model(x))


def test_methods_may_be_mixed_in(random):
    class Doubled:
        def build(self, input_shape):
            super().build(input_shape)
            self.gain = self.add_weight(shape=(1,), initializer=pynn.initializers.Constant(2), name="gain")

        def call(self, inputs):
            return super().call(inputs) * self.gain

        def compute_mask(self, inputs, mask=None):
            return inputs[..., 0] > 0

    class Twice(Doubled, layers.Dense):
        pass

    class Alone(Doubled, layers.Layer):
        def call(self, inputs):
            return inputs * self.gain

    x = random.normal(size=(5, 4, 3)).astype("float32")
    plain, own = layers.Dense(2), Twice(2)
    expected = plain(x)
    own(x)
    own.set_weights([*plain.get_weights(), [3.0]])
    np.testing.assert_allclose(own(x), 3 * expected, rtol=1e-6)
    np.testing.assert_array_equal(Alone()(x), 2 * x)
    model = pynn.Sequential([pynn.Input((4, 3)), own, layers.GlobalAveragePooling1D()])
    np.testing.assert_array_equal(copy.deepcopy(model)(x), model(x))
    assert model.layers[0].output.mask_shape == (4,)


def test_attention_that_is_extended(random):
    class Attention(layers.MultiHeadAttention):
        def call(self, query, value):
            return 2 * super().call(query, value)

    class SelfAttention(layers.MultiHeadAttention):
        def call(self, x):
            return 2 * super().call(x, x)

    x = random.normal(size=(2, 5, 4)).astype("float32")
    plain = layers.MultiHeadAttention(2, 3)
    expected = 2 * plain(x, x)
    for own, inputs in ((Attention(2, 3), (x, x)), (SelfAttention(2, 3), (x,))):
        own(*inputs)
        own.set_weights(plain.get_weights())
        np.testing.assert_array_equal(own(*inputs), expected)


def test_normalization_that_is_extended_is_adapted_again(random):
    class Doubled(layers.Normalization):
        def call(self, inputs):
            return 2 * super().call(inputs)

    own, plain, x = Doubled(), layers.Normalization(), random.normal(size=(9, 4))
    for data in (x, 3 * x + 1):
        own.adapt(data)
        plain.adapt(data)
        model = pynn.Sequential([own])
        for made in (own(x), model(x), copy.deepcopy(model)(x)):
            np.testing.assert_array_equal(made, 2 * plain(x))


def test_compute_mask_alone_extends_a_layer():
    class HandsOn(layers.RepeatVector):
        supports_masking = True

        def compute_mask(self, inputs, mask=None):
            return inputs > 1

    x = np.array([[0.0, 2, 3]])
    layer = HandsOn(2)
    np.testing.assert_array_equal(layer(x), [[[0, 2, 3]] * 2])
    np.testing.assert_array_equal(layer.compute_mask(x), [[False, True, True]])


def test_frozen_layer_that_is_extended():
    layer = Gain(2)
    layer.build((None, 3))
    layer.trainable = False
    assert layer.trainable_weights == []
    frozen = Gain(2, trainable=False)
    frozen.build((None, 3))
    assert frozen.trainable_weights == []
    assert len(frozen.weights) == 3


def test_failing_call_leaves_an_extended_layer_as_it_was():
    class Fails(layers.Dense):
        def call(self, inputs):
            super().call(inputs)
            raise KeyError("no")

    layer = Fails(2)
    with pytest.raises(KeyError, match="no"):
        layer(np.ones((1, 3)))
    assert not layer.built
    assert layer.weights == []


@pytest.mark.parametrize("kind", [layers.LSTM, layers.LSTMCell, layers.Bidirectional, layers.TimeDistributed])
def test_layer_that_cannot_be_extended(kind):
    with pytest.raises(TypeError, match=f"Mine: {kind.__name__} cannot be extended by a call or build"):
        type("Mine", (kind,), {"call": lambda self, inputs: inputs})

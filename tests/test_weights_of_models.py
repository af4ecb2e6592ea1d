"""Weights that a model adds to itself. Keras made the numbers."""

import copy
import pickle

import numpy as np
import pytest

import pynn
from pynn import layers, ops

h5py = pytest.importorskip("h5py")


def wave(*shape):
    return np.sin(np.arange(1, 1 + np.prod(shape)) * 1.7).reshape(shape)


X, LABELS = wave(22, 5), np.arange(22) % 3
KERAS = {"rel": 1e-6}  # which has some of it in float32


@pynn.saving.register_keras_serializable("weights_of_models")
class Decay(pynn.Model):
    """A curve whose two coefficients are unknown, and no layer."""

    def __init__(self, start=1.0, **named):
        super().__init__(**named)
        self.start = start
        self.amplitude = self.add_weight(shape=(), initializer="ones", name="amplitude")
        begin = pynn.initializers.Constant(start)
        self.rate = self.add_weight(shape=(), initializer=begin, name="rate", constraint="non_neg")

    def call(self, t):
        return self.amplitude * ops.exp(-self.rate * t)


@pynn.saving.register_keras_serializable("weights_of_models")
class Temperature(pynn.Model):
    def __init__(self, **named):
        super().__init__(**named)
        self.dense = layers.Dense(3)
        self.offset = self.add_weight(shape=(3,), initializer="zeros", trainable=False, name="offset")
        penalty = pynn.regularizers.L2(0.1)
        self.temperature = self.add_weight(shape=(), initializer="ones", name="temperature", regularizer=penalty)

    def build(self, input_shape):
        self.scale = self.add_weight(shape=(input_shape[-1],), initializer="ones", name="scale")

    def call(self, x):
        return ops.softmax(self.dense(x * self.scale) / self.temperature + self.offset)


@pytest.fixture(autouse=True)
def _in_float64():
    pynn.config.set_floatx("float64")


def started(model):
    model.set_weights([0.4 * wave(*w.shape) + 1 for w in model.get_weights()])
    return model


def warm(**told):
    model = Temperature(name="warm")
    model.build((None, 5))
    model.compile(pynn.optimizers.SGD(0.2, momentum=0.9), "sparse_categorical_crossentropy", **told)
    return started(model)


def fitted(model, epochs=1):
    return model.fit(X, LABELS, batch_size=8, epochs=epochs, shuffle=False, verbose=0).history["loss"]


def test_coefficients_of_a_curve_are_found_as_by_keras():
    t = np.linspace(0, 2, 20)[:, None]
    y = 2.5 * np.exp(-0.7 * t)
    model = Decay()
    model.compile(pynn.optimizers.Adam(0.1), "mse")
    losses = model.fit(t, y, batch_size=5, epochs=4, shuffle=False, verbose=0).history["loss"]
    expected = [0.7993373215198517, 0.32835765690542756, 0.2744896921503823, 0.12772945439210162]
    assert losses == pytest.approx(expected, **KERAS)
    assert model.get_weights() == pytest.approx([1.9100936148680197, 0.3429201805632434], rel=1e-10)
    model.fit(t, y, batch_size=5, epochs=300, verbose=0)
    assert [float(weight.numpy()) for weight in (model.amplitude, model.rate)] == pytest.approx([2.5, 0.7], rel=1e-2)


def test_order_and_numbers_are_those_of_keras():
    model = warm()
    assert [w.path for w in model.weights[:3]] == ["warm/temperature", "warm/scale", "warm/offset"]
    assert [w.name for w in model.weights[3:]] == ["kernel", "bias"]
    assert [w.name for w in model.trainable_weights] == ["temperature", "scale", "kernel", "bias"]
    assert [w.name for w in model.non_trainable_weights] == ["offset"]
    assert model.layers == [model.dense]
    assert fitted(model, 3) == pytest.approx([1.4855980740770354, 0.9229501196084978, 0.5217365826808111], rel=1e-10)
    temperature, scale, offset, *_ = model.get_weights()
    assert temperature == pytest.approx(0.38773556017380933, rel=1e-10)
    expected = [1.126476155109024, 0.9533527183663171, 0.5114336283069316, 0.9794607639144873, 1.7010571021661829]
    np.testing.assert_allclose(scale, expected, rtol=1e-10)
    np.testing.assert_array_equal(offset, 0.4 * wave(3) + 1)
    assert model.losses == [pytest.approx(0.1 * temperature**2)]
    outer = pynn.Sequential([pynn.Input((5,)), model, layers.Dense(2)])
    assert [w.name for w in outer.weights[:3]] == ["temperature", "scale", "offset"]
    started(outer).compile(pynn.optimizers.SGD(0.2), "mse")
    losses = outer.fit(X, wave(22, 2), batch_size=8, epochs=2, shuffle=False, verbose=0).history["loss"]
    assert losses == pytest.approx([3.7957556500551743, 1.0494131649712695], **KERAS)
    expected = [1.3952321792651385, 0.8903981910742074, 0.6347497396414761, 1.1942767965971095, 1.3301665568189163]
    np.testing.assert_allclose(model.scale, expected, rtol=1e-8)


def test_summary_counts_them():
    model = warm()
    assert model.count_params() == 27
    lines = []
    model.summary(print_fn=lines.append)
    assert "Total params: 27 (216.00 B)" in lines[0]
    assert "Trainable params: 24 (192.00 B)" in lines[0]
    assert "Non-trainable params: 3 (24.00 B)" in lines[0]
    unbuilt = []
    Temperature().summary(print_fn=unbuilt.append)
    assert "Total params: 4 (32.00 B)" in unbuilt[0]


def test_gradients_are_central_differences():
    model = warm()
    _, gradients = model.gradients(X, LABELS)
    for weight, gradient in zip(model.trainable_weights[:2], gradients, strict=False):
        value, losses = weight.numpy(), []
        for step in (1e-5, -1e-5):
            moved = value.copy()
            moved[(0,) * value.ndim] += step
            weight.assign(moved)
            losses.append(model.evaluate(X, LABELS, verbose=0))
        weight.assign(value)
        assert gradient[(0,) * value.ndim] == pytest.approx((losses[0] - losses[1]) / 2e-5, rel=1e-6)


def test_frozen_weights_stay():
    model = warm()
    assert model.trainable
    model.trainable = False
    assert model.trainable_weights == []
    assert not model.trainable
    model.trainable = True
    assert len(model.trainable_weights) == 4
    outer = pynn.Sequential([pynn.Input((5,)), model, layers.Dense(2)])
    model.trainable = False
    outer.compile("sgd", "mse")
    before = model.get_weights()
    outer.fit(X, wave(22, 2), verbose=0)
    for one, other in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(one, other)
    curve = Decay()
    curve.trainable = False
    curve(X)
    assert not curve.trainable
    assert curve.trainable_weights == []
    late = Temperature(trainable=False)
    late(X)
    assert [w.name for w in late.trainable_weights] == ["kernel", "bias"]  # its layers came later


def test_copies_and_files_go_on_with_the_same_bits(tmp_path):
    model = warm()
    fitted(model)
    model.save(tmp_path / "model")
    model.save_weights(tmp_path / "weights")
    twins = [pynn.load_model(tmp_path / "model"), pickle.loads(pickle.dumps(model)), copy.deepcopy(model)]
    state = model.get_state()
    assert {"temperature", "scale", "offset", "dense/kernel"} <= set(state)
    assert any(name.startswith("optimizer/temperature/") for name in state)
    other = warm()
    other.set_state(state)
    losses = fitted(model, 2)
    for twin in (*twins, other):
        assert [w.name for w in twin.weights] == [w.name for w in model.weights]
        assert fitted(twin, 2) == losses
    only = Temperature()
    only.build((None, 5))
    only.load_weights(tmp_path / "weights")
    np.testing.assert_array_equal(only.get_weights()[1], state["scale"])


def test_nested_models_have_them_in_the_state():
    class Outer(pynn.Model):
        def __init__(self, **named):
            super().__init__(**named)
            self.inner = Temperature(name="inner")
            self.training = self.add_weight(shape=(), initializer="ones", name="training")

        def call(self, x):
            return self.inner(x) * self.training

    model = Outer()
    model(X)
    names = {"~training", "inner/temperature", "inner/scale", "inner/offset", "inner/dense/kernel", "inner/dense/bias"}
    assert names <= set(model.get_state())
    assert [w.name for w in model.weights] == ["training", "temperature", "scale", "offset", "kernel", "bias"]
    twin = Outer()
    twin.build((None, 5))
    twin.set_state(model.get_state())
    np.testing.assert_array_equal(twin(X), model(X))


def test_configurations_make_new_ones():
    model = Decay(start=0.5)
    model(X)
    for twin in (Decay.from_config(model.get_config()), pynn.models.clone_model(model)):
        np.testing.assert_array_equal(twin(X), model(X))
        twin.rate.assign(3.0)
    assert float(model.rate.numpy()) == 0.5


def test_weights_of_keras_are_read(tmp_path):
    model = warm()
    with h5py.File(tmp_path / "model.weights.h5", "w") as file:
        for number, weight in enumerate(model.get_weights()):
            file[f"vars/{number}" if number < 3 else f"dense/vars/{number - 3}"] = weight + 1
    expected = [weight + 1 for weight in model.get_weights()]
    pynn.load_keras_weights(model, tmp_path / "model.weights.h5")
    for one, other in zip(model.get_weights(), expected, strict=True):
        np.testing.assert_array_equal(one, other)


def test_what_cannot_add_weights_says_so():
    x = pynn.Input((5,))
    for model in (pynn.Model(x, layers.Dense(2)(x)), pynn.Sequential()):
        with pytest.raises(TypeError, match="cannot add weights: only layers of one's own and models with a call"):
            model.add_weight(shape=())
    built = warm()
    with pytest.raises(ValueError, match="Model 'warm' is built already"):
        built.add_weight(shape=())
    with pytest.raises(ValueError, match=r"dtype must be that of model 'temperature.*', float64, but got 'float32'"):
        Temperature().add_weight(shape=(), dtype="float32")


def test_weight_that_is_added_in_a_call_is_refused():
    class Late(pynn.Model):
        def call(self, x):
            return x * self.add_weight(shape=(), name="late")

    model = Late()
    with pytest.raises(ValueError, match="adds a weight in call"):
        model(X)
    assert not model.built


def test_failure_leaves_the_model_as_it_was():
    class Fails(Temperature):
        def call(self, x):
            raise ValueError("on purpose")

    model = Fails()
    with pytest.raises(ValueError, match="on purpose"):
        model(X)
    assert not hasattr(model, "scale")
    assert [w.name for w in model._own_weights] == ["offset", "temperature"]


def test_number_type_is_that_of_the_weights():
    model = Decay(name="curve")
    pynn.config.set_floatx("float32")
    with pytest.raises(ValueError, match="float64"):
        model(X.astype("float32"))
    assert not model.built


def test_weight_of_another_model_is_refused():
    other = Decay()

    class Takes(pynn.Model):
        def call(self, x):
            return x * other.rate

    with pytest.raises(ValueError, match=r"uses the weight .*rate in call, which is none of its own"):
        Takes()(X)

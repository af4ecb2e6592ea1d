"""Classes and functions of one's own by name: registered, given for a while, and as plain values and back."""

import collections
import copy
import json
import pickle
import threading

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import pynn
from pynn import layers, saving
from pynn.foundation import registry
from pynn.models import clone_model, model_from_json


@saving.register_keras_serializable(package="tests")
class Scaled(layers.Layer):
    """Picklable, as it is a module's."""

    def __init__(self, factor=2.0, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor

    def call(self, x):
        return self.factor * x


@saving.register_keras_serializable("tests", name="Other")
class Within(layers.Layer):
    """Its get_config has objects, which its from_config gets as they were described."""

    def __init__(self, inner, activation, **kwargs):
        super().__init__(**kwargs)
        self.inner, self.activation = inner, activation

    def call(self, x):
        return self.activation(self.inner(x))

    def get_config(self):
        return {**super().get_config(), "inner": self.inner, "activation": self.activation}

    @classmethod
    def from_config(cls, config):
        described = {key: saving.deserialize_keras_object(config.pop(key)) for key in ("inner", "activation")}
        return cls(**described, **config)


@saving.register_keras_serializable("tests")
class Constantly(pynn.initializers.Initializer):
    def __init__(self, value=0.5):
        self.value = value

    def __call__(self, shape, dtype=None):
        return np.full(shape, self.value, dtype or "float32")

    def get_config(self):
        return {"value": self.value}


@saving.register_keras_serializable("tests")
class Errors(pynn.metrics.Metric):
    def reset_state(self):
        self.total = 0.0

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.total += float(np.abs(y_true - y_pred).sum())

    def result(self):
        return self.total


@saving.register_keras_serializable("tests")
class Halving(pynn.optimizers.schedules.LearningRateSchedule):
    def __call__(self, step):
        return 0.1 * 0.5**step

    def get_config(self):
        return {}


@saving.register_keras_serializable("tests", "Net")
class Network(pynn.Model):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.dense = layers.Dense(units)

    def call(self, x):
        return self.dense(x)


@saving.register_keras_serializable("tests")
def largest(y_true, y_pred):
    return np.abs(y_true - y_pred).max(axis=-1)


@pytest.fixture
def forgotten():
    """What a test registers is not known after it."""
    before, names = dict(registry._registered), dict(registry._names)
    yield
    for kept, was in ((registry._registered, before), (registry._names, names)):
        kept.clear()
        kept.update(was)


def a_model():
    model = pynn.Sequential(
        [
            pynn.Input((3,)),
            Scaled(0.5),
            Within(layers.Dense(4, kernel_initializer=Constantly(0.25)), pynn.activations.relu),
            layers.Dense(1),
        ]
    )
    model.compile(pynn.optimizers.SGD(Halving()), "mse", metrics=[Errors(name="errors"), largest])
    return model


X = np.random.default_rng(0).normal(size=(8, 3))
Y = X.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("way", ["file", "pickle", "copy"])
def test_registered_classes_are_found(tmp_path, way):
    model = a_model()
    model.fit(X, Y, epochs=1, verbose=0)
    if way == "file":
        model.save(tmp_path / "model")
        again = pynn.load_model(tmp_path / "model")
    else:
        again = pickle.loads(pickle.dumps(model)) if way == "pickle" else copy.deepcopy(model)
    assert [type(layer) for layer in again.layers] == [type(layer) for layer in model.layers]
    assert again.layers[1].inner.kernel_initializer.value == 0.25
    one, other = (each.fit(X, Y, epochs=2, verbose=0).history for each in (model, again))
    assert one == other
    assert set(one) == {"loss", "errors", "largest"}
    assert_array_equal(again.predict(X, verbose=0), model.predict(X, verbose=0))


@pytest.mark.parametrize(
    "make",
    [
        lambda model: pynn.Sequential.from_config(json.loads(model.to_json())["config"]),
        lambda model: model_from_json(model.to_json()),
        clone_model,
        lambda model: saving.deserialize_keras_object(json.loads(json.dumps(saving.serialize_keras_object(model)))),
    ],
)
def test_registered_classes_are_found_in_descriptions(make):
    twin = make(a_model())
    assert [type(layer) for layer in twin.layers] == [Scaled, Within, layers.Dense]
    assert twin.layers[0].factor == 0.5
    assert twin.count_params() == a_model().count_params()


def test_a_registered_model_is_found(tmp_path):
    model = Network(3)
    model(X)
    model.save(tmp_path / "model")
    for twin in (pynn.load_model(tmp_path / "model"), pickle.loads(pickle.dumps(model))):
        assert type(twin) is Network
        assert_array_equal(twin.predict(X, verbose=0), model.predict(X, verbose=0))
    assert type(pynn.Model.from_json(model.to_json())) is Network


def test_what_the_registry_says(forgotten):
    assert saving.get_registered_name(Scaled) == "tests>Scaled"
    assert saving.get_registered_name(Within) == "tests>Other"
    assert saving.get_registered_name(largest) == "tests>largest"
    assert saving.get_registered_name(layers.Dense) == "Dense"
    assert saving.get_registered_object("tests>Other") is Within
    assert saving.get_registered_object("Other") is None
    assert saving.get_registered_object("Other", {"Other": 1}, {"Other": 2}) == 1
    assert saving.get_registered_object("Other", None, {"Other": 2}) == 2
    assert saving.get_custom_objects()["tests>Scaled"] is Scaled

    @saving.register_keras_serializable()
    class Registered(layers.Dense):
        pass

    assert saving.get_registered_name(Registered) == "Custom>Registered"
    assert layers.serialize(Registered(2))["registered_name"] == "Custom>Registered"
    assert "registered_name" not in layers.serialize(layers.Dense(2))
    for name in (*registry.__all__, "serialize_keras_object", "deserialize_keras_object"):
        assert getattr(pynn.utils, name) is getattr(saving, name)


def test_what_is_put_into_the_registry_is_known(forgotten):
    class Plain(layers.Layer):
        def call(self, x):
            return x

    described = layers.serialize(Plain())
    with pytest.raises(ValueError, match="Unknown layer 'Plain'"):
        layers.deserialize(described)
    saving.get_custom_objects()["Plain"] = Plain
    assert type(layers.deserialize(described)) is Plain


@pytest.mark.parametrize("registered", [True, False])
def test_what_is_ones_own_is_never_one_of_pynns(tmp_path, forgotten, registered):
    class Flatten(layers.Layer):
        def call(self, x):
            return 2 * x

    if registered:
        saving.register_keras_serializable("mine")(Flatten)
    model = pynn.Sequential([pynn.Input((3,)), Flatten()])
    model.save(tmp_path / "model")
    if registered:
        assert type(pynn.load_model(tmp_path / "model").layers[0]) is Flatten
        saving.get_custom_objects().pop("mine>Flatten")
    with pytest.raises(pynn.ModelFileError, match="has the layer 'Flatten', which is not pynn's"):
        pynn.load_model(tmp_path / "model")
    for custom in ({"Flatten": Flatten}, {"mine>Flatten": Flatten})[: 1 + registered]:
        assert type(pynn.load_model(tmp_path / "model", custom_objects=custom).layers[0]) is Flatten


def test_classes_that_are_called_as_those_of_pynn_stand_beside_them(tmp_path):
    class Dense(layers.Dense):
        def call(self, x):
            return 2 * super().call(x)

    class MeanSquaredError(pynn.metrics.MeanSquaredError):
        def result(self):
            return 2 * super().result()

    model = pynn.Sequential([pynn.Input((3,)), Dense(4), layers.Dense(4), layers.Dense(1)])
    metrics = [MeanSquaredError("own"), pynn.metrics.MeanSquaredError("theirs")]
    model.compile("sgd", "mse", metrics=metrics)
    model.save(tmp_path / "model")
    loaded = pynn.load_model(tmp_path / "model", custom_objects={"Dense": Dense, "MeanSquaredError": MeanSquaredError})
    x, y = np.ones((2, 3)), np.zeros((2, 1))
    for twin in (loaded, copy.deepcopy(model), clone_model(model)):
        assert [type(layer) for layer in twin.layers] == [Dense, layers.Dense, layers.Dense]
        twin.set_weights(model.get_weights())
        assert twin.evaluate(x, y, verbose=0) == model.evaluate(x, y, verbose=0)
    given = pynn.Sequential.from_config(model.get_config(), custom_objects={"Dense": Dense})  # which says no more
    assert all(type(layer) is Dense for layer in given.layers)


def test_two_functions_of_one_name_are_not_saved(tmp_path):
    def made(factor):
        def scaled(x):
            return factor * x

        return scaled

    model = pynn.Sequential([pynn.Input((3,)), *(layers.Dense(2, activation=made(factor)) for factor in (2, 3))])
    with pytest.raises(ValueError, match="two functions that are called 'scaled'"):
        model.save(tmp_path / "model")
    assert not list(tmp_path.iterdir())


def test_two_registered_classes_of_one_name(forgotten):
    def made(package, factor):
        @saving.register_keras_serializable(package)
        class Same(layers.Layer):
            def call(self, x):
                return factor * x

        return Same

    model = pynn.Sequential([pynn.Input((1,)), made("one", 2.0)(), made("two", 5.0)()])
    for twin in (clone_model(model), copy.deepcopy(model)):
        assert twin(np.ones((1, 1)))[0, 0] == 10


def test_scopes():
    class Inner(layers.Layer):
        def call(self, x):
            return x

    def metric(y_true, y_pred):
        return np.abs(y_true - y_pred).mean(axis=-1)

    described, seen = layers.serialize(Inner()), []

    def look():
        seen.append(saving.get_registered_object("Inner"))

    scope = saving.custom_object_scope({"Inner": Inner})
    with scope as entered, saving.CustomObjectScope({"metric": metric}), saving.CustomObjectScope(None):
        assert entered is scope
        assert type(layers.deserialize(described)) is Inner
        assert saving.get_registered_object("Inner") is Inner
        assert pynn.metrics.get("metric").name == "metric"
        assert "Inner" not in saving.get_custom_objects()
        thread = threading.Thread(target=look)
        thread.start()
        thread.join()
        with scope:
            look()
        look()
    look()
    assert seen == [None, Inner, Inner, None]
    with pytest.raises(ValueError, match="Unknown layer 'Inner'"):
        layers.deserialize(described)


def test_own_things_of_another_kind_are_told(forgotten):
    config = {"class_name": "Scaled", "config": {}, "registered_name": "tests>Scaled"}
    for get in (pynn.initializers.get, pynn.metrics.get, pynn.regularizers.get, pynn.optimizers.get):
        with pytest.raises(TypeError, match=r"'Scaled' must be a .*Scaled"):
            get(config)
    saving.get_custom_objects()["MeanSquaredError"] = Scaled  # pynn's own is meant where this cannot be
    assert type(pynn.losses.get("MeanSquaredError")) is pynn.losses.MeanSquaredError


@pytest.mark.parametrize(
    ("make", "error", "match"),
    [
        (lambda: saving.register_keras_serializable(Scaled), TypeError, "written with parentheses"),
        (lambda: saving.register_keras_serializable("a", 3), TypeError, "name must be a string, but got 3"),
        (lambda: saving.register_keras_serializable()(3), TypeError, "Only a class or a function"),
        (lambda: saving.register_keras_serializable()(object), ValueError, "does not have a get_config"),
        (lambda: saving.custom_object_scope([Scaled]), TypeError, "custom_objects must be a dict"),
        (lambda: saving.serialize_keras_object(lambda x: x), TypeError, "no function with a name"),
        (lambda: saving.serialize_keras_object({1, 2}), TypeError, "no plain value"),
        (lambda: saving.serialize_keras_object(Scaled), TypeError, "no plain value"),
        (lambda: saving.deserialize_keras_object(1, safe_mode="no"), TypeError, "safe_mode"),
        (lambda: read("Nothing", None), ValueError, "Unknown layer 'Nothing'"),
        (lambda: read("system", "os"), ValueError, "There is no class 'system' of 'os'"),
        (lambda: read("Dense", "mine", {"units": 3}), ValueError, "There is no class 'Dense' of 'mine'"),
        (lambda: read("Dense", "keras.src.layers", {"units": 3}), ValueError, "There is no class 'Dense'"),
        (lambda: read("function", "os", "system"), ValueError, "There is no function 'system'"),
        (lambda: read("function", "builtins", "eval"), ValueError, "There is no function 'eval'"),
        (lambda: read("function", "pynn.ops", "np"), ValueError, "There is no function 'np'"),
        (lambda: read("function", "pynn.ops", "one_hot"), ValueError, "There is no function 'one_hot'"),  # fills memory
        (
            lambda: saving.serialize_keras_object(pynn.ops.one_hot),
            TypeError,
            "one_hot is a function that no file names",
        ),
        (lambda: read("function", "pynn.losses", "get"), ValueError, "There is no function 'get'"),
        (lambda: read("function", "pynn.ops", ["exp"]), ValueError, "There is no function \\['exp'\\]"),
        (lambda: read("__lambda__", None), ValueError, "which pynn does not make"),
        (lambda: read("__numpy__", None, {"value": [1], "dtype": "object"}), ValueError, "which pynn does not make"),
        (lambda: read("__numpy__", None, {"value": [1, [2]], "dtype": "int8"}), ValueError, "which pynn does not make"),
        (lambda: read("__bytes__", None, {}), ValueError, "which pynn does not make"),
        (lambda: read("__slice__", None, {"start": 1}), ValueError, "which pynn does not make"),
        (lambda: read("MeanSquaredError", None), ValueError, "must have a module, .*pynn.losses, pynn.metrics"),
        (lambda: read("Dense", "pynn.losses", {"units": 3}), ValueError, "Unknown loss 'Dense'"),
        (lambda: read("largest", "tests", {}, "tests>largest"), TypeError, "must be a class with from_config"),
    ],
)
def test_what_is_refused(make, error, match):
    with pytest.raises(error, match=match):
        make()


def read(class_name, module, config=None, registered_name=None):
    described = {"class_name": class_name, "config": {} if config is None else config}
    described |= {"registered_name": registered_name}
    return saving.deserialize_keras_object(described if module is None else {"module": module, **described})


OBJECTS = [
    layers.Dense(3, name="foo", trainable=False, activation="relu"),
    pynn.losses.MeanSquaredError(name="one"),
    pynn.metrics.MeanSquaredError(name="other"),
    pynn.optimizers.Adam(0.25),
    pynn.optimizers.SGD(pynn.optimizers.schedules.ExponentialDecay(0.1, 10, 0.5)),
    pynn.optimizers.schedules.CosineDecay(0.1, 10),
    pynn.initializers.HeNormal(seed=3),
    pynn.regularizers.L2(0.5),
    pynn.constraints.MaxNorm(3),
    pynn.activations.Activation("leaky_relu", negative_slope=0.5),
    pynn.DTypePolicy("float64"),
    Scaled(3.0, name="scaled"),
    Constantly(3.0),
    Halving(),
]


@pytest.mark.parametrize("thing", OBJECTS, ids=lambda thing: type(thing).__name__)
def test_objects_come_back(thing):
    described = json.loads(json.dumps(saving.serialize_keras_object(thing)))
    assert set(described) == {"module", "class_name", "config", "registered_name"}
    again = saving.deserialize_keras_object(described)
    assert type(again) is type(thing)
    assert again is not thing
    assert saving.serialize_keras_object(again) == saving.serialize_keras_object(thing)
    nested = saving.deserialize_keras_object({"a": [described, 1]})
    assert type(nested["a"][0]) is type(thing)
    if not isinstance(thing, pynn.losses.Loss | pynn.metrics.MeanSquaredError | pynn.DTypePolicy):
        del described["module"]
        assert type(saving.deserialize_keras_object(described)) is type(thing)


@pytest.mark.parametrize(
    "thing",
    [
        *(None, True, 3, 0.5, "text", ["a", 1, None], {"a": {"b": [1]}}, b"bytes", slice(None, 5, 2), ...),
        *(pynn.activations.relu, pynn.losses.mean_squared_error, pynn.metrics.binary_accuracy, pynn.ops.gelu, largest),
    ],
    ids=lambda thing: getattr(thing, "__name__", None) or repr(thing),
)
def test_values_come_back(thing):
    described = json.loads(json.dumps(saving.serialize_keras_object(thing)))
    assert saving.deserialize_keras_object(described) == thing


def test_arrays_come_back():
    for array in (np.arange(6.0).reshape(2, 3), np.array([True, False]), np.array([1, 2], "int8")):
        again = saving.deserialize_keras_object(json.loads(json.dumps(saving.serialize_keras_object(array))))
        assert again.dtype == array.dtype
        assert_array_equal(again, array)
    assert saving.serialize_keras_object(np.float32(0.5)) == 0.5
    assert saving.serialize_keras_object((1, [np.int64(2)])) == (1, [2])
    assert saving.serialize_keras_object(collections.namedtuple("Pair", "a b")(1, np.arange(2)))[0] == 1


def test_objects_are_given_by_name():
    class Local(layers.Layer):
        def __init__(self, factor):
            super().__init__()
            self.factor = factor

        def call(self, x):
            return self.factor * x

    def halved(y_true, y_pred):
        return (y_true - y_pred) / 2

    described = saving.serialize_keras_object([Local(3), halved])
    assert [each["registered_name"] for each in described] == ["Local", "halved"]
    own = {"Local": Local, "halved": halved}
    layer, function = saving.deserialize_keras_object(described, custom_objects=own)
    assert (type(layer), layer.factor, function) == (Local, 3, halved)
    assert saving.deserialize_keras_object("halved", custom_objects=own) is halved
    with pytest.raises(ValueError, match="There is no class 'Local'"):
        saving.deserialize_keras_object(described)


def test_names_that_keras_writes_are_read():
    dense = {"class_name": "Dense", "config": {"units": 3}, "registered_name": None}
    assert saving.deserialize_keras_object({"module": "keras.layers", **dense}).units == 3
    model = {"class_name": "Sequential", "config": {"name": "s", "layers": [dense]}, "registered_name": None}
    assert type(saving.deserialize_keras_object({"module": "keras", **model})) is pynn.Sequential
    relu = {"module": "builtins", "class_name": "function", "config": "relu", "registered_name": "function"}
    assert saving.deserialize_keras_object(relu) is pynn.activations.relu
    policy = {"module": "keras", "class_name": "DTypePolicy", "config": {"name": "float64"}, "registered_name": None}
    assert saving.deserialize_keras_object(policy) == pynn.DTypePolicy("float64")

"""Models in files: what comes back is the model, which goes on as if nothing had been."""

import copy
import hashlib
import io
import os
import pathlib
import pickle
import subprocess
import sys
import threading

import numpy as np
import pytest
from helpers import bits, make_data, make_model
from saved_models import CUSTOM, MODELS, OPTIMIZERS, Own, compiled

import pynn
from pynn import layers, optimizers

FOLDER = pathlib.Path(__file__).parent


def through_a_file(model, folder):
    path = folder / "model"
    model.save(path)
    return pynn.load_model(path, CUSTOM)


def through_a_pickle(model, folder):
    return pickle.loads(pickle.dumps(model))


def through_a_copy(model, folder):
    return copy.deepcopy(model)


def goes_on_alike(model, twin, x, y):
    """Both train on, with the same bits in everything there is."""
    assert same_state(model, twin)
    histories = [m.fit(x, y, batch_size=7, epochs=2, verbose=0).history for m in (model, twin)]
    assert histories[0] == histories[1]
    assert same_state(model, twin)
    assert model.optimizer.iterations == twin.optimizer.iterations > 0


def same_state(model, twin):
    one, other = model.get_state(), twin.get_state()
    return list(one) == list(other) and all(
        one[name].dtype == other[name].dtype and one[name].tobytes() == other[name].tobytes() for name in one
    )


# ---- training goes on ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_training_goes_on_with_each_optimizer(tmp_path, optimizer, dtype):
    """Noise, moving statistics, the order of the samples, and a step within an accumulation included."""
    model, (x, y) = compiled("dense", optimizer, dtype)
    model.fit(x, y, batch_size=7, epochs=2, verbose=0)
    model.train_on_batch(x, y)
    model(x, training=True)
    twin = through_a_file(model, tmp_path)
    assert twin.get_config() == model.get_config()
    assert twin.optimizer.get_config() == model.optimizer.get_config()
    np.testing.assert_array_equal(twin.predict(x, verbose=0), model.predict(x, verbose=0))
    np.testing.assert_array_equal(twin(x, training=True), model(x, training=True))
    goes_on_alike(model, twin, x, y)


@pytest.mark.parametrize("way", [through_a_file, through_a_pickle, through_a_copy])
@pytest.mark.parametrize("name", MODELS)
def test_training_of_each_kind_of_model_goes_on(tmp_path, name, way):
    model, (x, y) = compiled(name, "adam")
    model.fit(x, y, batch_size=7, epochs=2, verbose=0)
    pynn.config.set_floatx("float64" if name == "ids" else "float32")  # which a file does not depend on
    twin = way(model, tmp_path)
    assert type(twin) is type(model)
    assert twin.name == model.name
    if name != "own":  # which makes its layers itself
        assert [w.path for w in twin.weights] == [w.path for w in model.weights]
    assert [w.trainable for w in twin.weights] == [w.trainable for w in model.weights]
    assert twin.evaluate(x, y, verbose=0, return_dict=True) == model.evaluate(x, y, verbose=0, return_dict=True)
    goes_on_alike(model, twin, x, y)


def test_two_and_two_epochs_through_a_file_are_four(tmp_path):
    for optimizer in OPTIMIZERS:
        if optimizer == "averages":
            continue  # fit ends with the average
        once, (x, y) = compiled("tensors", optimizer)
        begun = copy.deepcopy(once)
        once.fit(x, y, batch_size=7, epochs=4, verbose=0)
        begun.fit(x, y, batch_size=7, epochs=2, verbose=0)
        twin = through_a_file(begun, tmp_path)
        twin.fit(x, y, batch_size=7, epochs=4, initial_epoch=2, verbose=0)
        assert same_state(once, twin), optimizer


def test_open_axes_go_on_with_another_length(tmp_path):
    model, (x, y) = compiled("open_axes", "adam")
    model.fit(x, y, batch_size=7, verbose=0)
    twin = through_a_file(model, tmp_path)
    goes_on_alike(model, twin, x[:, :5], y)
    goes_on_alike(model, through_a_file(twin, tmp_path), x, y)


def test_model_that_is_loaded_has_the_bytes_of_the_file(tmp_path):
    model, (x, y) = compiled("tensors", "adam")
    model.fit(x, y, verbose=0)
    model.save(tmp_path / "one")
    twin = pynn.load_model(tmp_path / "one")
    assert twin.optimizer.iterations == model.optimizer.iterations == 1
    twin.save(tmp_path / "two")
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_saving_changes_nothing(tmp_path):
    model, (x, y) = compiled("dense", "adam")
    twin = copy.deepcopy(model)
    for m in (model, twin):
        m.fit(x, y, batch_size=7, verbose=0)
        if m is model:
            m.save(tmp_path / "model")
            m.get_state()
    goes_on_alike(model, twin, x, y)


def test_another_process_goes_on_alike(tmp_path):
    model, (x, y) = compiled("dense", "nadam")
    model.fit(x, y, batch_size=7, verbose=0)
    model.save(tmp_path / "model")
    program = (
        f"import sys; sys.path.insert(0, {str(FOLDER)!r})\n"
        "import pynn, saved_models, helpers, hashlib\n"
        f"model = pynn.load_model({str(tmp_path / 'model')!r})\n"
        "model.fit(*saved_models.data_of(model, 'dense'), batch_size=7, epochs=2, verbose=0)\n"
        "print(hashlib.sha256(helpers.bits(model)).hexdigest())\n"
    )
    found = subprocess.run([sys.executable, "-c", program], cwd="/", capture_output=True, text=True, check=True)
    model.fit(x, y, batch_size=7, epochs=2, verbose=0)
    assert found.stdout.strip() == hashlib.sha256(bits(model)).hexdigest()


def test_model_without_weights(tmp_path):
    model = pynn.Sequential([pynn.Input((2, 3)), layers.Flatten(), layers.Dropout(0.5)])
    model.compile("adam", "mse")
    twin = through_a_file(model, tmp_path)
    assert same_state(model, twin)
    x = np.ones((4, 2, 3), np.float32)
    assert twin.evaluate(x, x.reshape(4, 6), verbose=0) == 0
    assert same_state(model, through_a_file(twin, tmp_path))


def test_learning_rate_that_was_set_is_kept(tmp_path):
    model, (x, y) = compiled("dense", "adam")
    model.fit(x, y, verbose=0)
    model.optimizer.learning_rate = 0.123
    assert through_a_file(model, tmp_path).optimizer.learning_rate == 0.123


@pytest.mark.parametrize("way", [through_a_file, through_a_pickle])
def test_weights_without_decay_are_kept(tmp_path, way):
    model, (x, y) = compiled("dense", "adamw")
    model.optimizer.exclude_from_weight_decay(var_names=["bias"], var_list=[model.layers[1].gamma])
    twin = way(model, tmp_path)
    goes_on_alike(model, twin, x, y)
    plain, _ = compiled("dense", "adamw")
    plain.set_state(through_a_file(model, tmp_path).get_state())
    plain.fit(x, y, verbose=0)
    model.fit(x, y, verbose=0)
    assert not same_state(plain, model)


def test_recompile_with_the_same_optimizer_keeps_its_state(tmp_path):
    for name in ("dense", "open_axes"):
        model, (x, y) = compiled(name, "adam")
        model.fit(x, y, batch_size=7, verbose=0)
        twin = copy.deepcopy(model)
        twin.compile(twin.optimizer, "mse", metrics=["mae"])
        assert twin.optimizer.iterations == 4
        goes_on_alike(model, twin, x, y)
        model.compile(model.optimizer, "mse", metrics=["mae"])
        goes_on_alike(model, twin, x, y)


def test_layer_that_is_frozen_meanwhile_keeps_the_slots_of_all(tmp_path):
    model, (x, y) = compiled("dense", "adam")
    model.fit(x, y, batch_size=7, verbose=0)
    before = model.get_state()
    model.layers[0].trainable = False
    model.fit(x, y, batch_size=7, verbose=0)
    twin = through_a_file(model, tmp_path)
    assert not twin.layers[0].trainable
    after = twin.get_state()
    np.testing.assert_array_equal(after["optimizer/dense/kernel/momentum"], before["optimizer/dense/kernel/momentum"])
    for m in (model, twin):
        m.layers[0].trainable = True
    goes_on_alike(model, twin, x, y)


def test_frozen_layers_that_never_learned_have_no_slots():
    model, (x, y) = compiled("frozen", "adam")
    model.fit(x, y, verbose=0)
    names = list(model.get_state())
    assert "optimizer/dense/kernel/momentum" not in names
    assert "optimizer/dense_1/kernel/momentum" in names


def test_model_without_compile(tmp_path):
    model = MODELS["tensors"]()
    x = [np.ones((2, 4), np.float32)] * 2
    twin = through_a_file(model, tmp_path)
    for name, array in model.predict(x, verbose=0).items():
        np.testing.assert_array_equal(twin.predict(x, verbose=0)[name], array)
    with pytest.raises(pynn.NotCompiledError):
        twin.fit(x, x)
    trained, (x, y) = compiled("dense", "adam")
    trained.fit(x, y, verbose=0)
    trained.save(tmp_path / "model")
    twin = pynn.load_model(tmp_path / "model", compile=False)
    with pytest.raises(pynn.NotCompiledError):
        twin.evaluate(x, y)
    assert bits(twin) == bits(trained)
    twin.compile("sgd", "mse")
    twin.fit(x, y, verbose=0)


@pytest.mark.parametrize(
    "arguments",
    [
        {"loss": "mse", "metrics": ["mae", "mse"], "weighted_metrics": ["accuracy"]},
        {"loss": pynn.losses.Huber(delta=0.3, name="h"), "metrics": [pynn.metrics.MeanAbsoluteError(name="m")]},
        {"loss": pynn.losses.mean_absolute_error, "metrics": [pynn.losses.mean_squared_error, pynn.losses.LogCosh()]},
        {"loss": pynn.losses.MeanSquaredError, "metrics": [pynn.metrics.RootMeanSquaredError], "loss_weights": 0.5},
        {"loss": "mse", "metrics": [{"class_name": "MeanSquaredError", "config": {"name": "given"}}]},
    ],
)
def test_what_compile_was_told(tmp_path, arguments):
    model, (x, y) = compiled("dense", "adam")
    model.compile("adam", **arguments)
    twin = through_a_file(model, tmp_path)
    assert twin.metrics_names == model.metrics_names
    goes_on_alike(model, twin, x, y)


@pytest.mark.parametrize(
    "arguments",
    [
        {"loss": {"q": "mse", "p": "mae"}, "loss_weights": {"p": 2.0, "q": 0.5}, "metrics": {"p": ["mae", "mse"]}},
        {
            "loss": ["mse", None],
            "loss_weights": [0.5, 1.0],
            "metrics": [["mae"], None],
            "weighted_metrics": [[], "mse"],
        },
        {"loss": "mse", "metrics": {"q": "mae"}},
    ],
)
def test_what_compile_was_told_of_several_outputs(tmp_path, arguments):
    model, (x, y) = compiled("tensors", "adam")
    model.compile("adam", **arguments)
    twin = through_a_file(model, tmp_path)
    assert twin.metrics_names == model.metrics_names
    goes_on_alike(model, twin, x, y)


# ---- classes and functions of one's own ------------------------------------------------------------------------------
def test_class_of_ones_own_must_be_given(tmp_path):
    model, _ = compiled("own", "adam")
    model.build((None, 5))
    model.save(tmp_path / "model")
    with pytest.raises(pynn.ModelFileError, match=r"'Own'.*custom_objects"):
        pynn.load_model(tmp_path / "model")
    with pytest.raises((pynn.ModelFileError, TypeError)):
        pynn.load_model(tmp_path / "model", {"Own": 3})
    for bad in ([Own], {3: Own}, "Own"):
        with pytest.raises(TypeError, match="custom_objects"):
            pynn.load_model(tmp_path / "model", bad)
    twin = pynn.models.model_from_json(model.to_json(), {"Own": Own})
    assert type(twin) is type(Own.from_json(model.to_json(), {"Own": Own})) is Own
    with pytest.raises(ValueError, match="must describe a Sequential"):
        pynn.Sequential.from_json(model.to_json(), {"Own": Own})


def test_class_of_ones_own_within_other_models(tmp_path):
    inner = pynn.Sequential([pynn.Input((5,)), Own(3)], name="inner")
    model = pynn.Sequential([pynn.Input((5,)), inner, layers.Dense(2)])
    model.compile("adam", "mse")
    x, y = np.ones((8, 5), np.float32), np.ones((8, 2))
    model.fit(x, y, verbose=0)
    assert any(name.startswith("inner/own/dense_1/") for name in model.get_state())
    goes_on_alike(model, through_a_file(model, tmp_path), x, y)
    goes_on_alike(model, pickle.loads(pickle.dumps(model)), x, y)


def test_call_without_a_configuration_says_what_to_do(tmp_path):
    def init(self, function):
        super(type(self), self).__init__()
        self.layer, self.function = layers.Dense(2), function

    own = {"__init__": init, "call": lambda self, x: self.layer(x)}
    own_layer, own_model = type("OwnLayer", (layers.Layer,), own), type("OwnModel", (pynn.Model,), own)
    for model, name in ((own_model(abs), "OwnModel"), (pynn.Sequential([own_layer(abs)]), "OwnLayer")):
        model.build((None, 3))
        message = f"{name} must write get_config: its argument 'function'.*save_weights"
        for way in (lambda m: m.save(tmp_path / "model"), copy.deepcopy, pickle.dumps):
            with pytest.raises(ValueError, match=message):
                way(model)
        model.save_weights(tmp_path / "weights")
        assert os.listdir(tmp_path) == ["weights"]


def test_model_of_ones_own_without_a_configuration_is_made_with_its_arguments(tmp_path):
    class Plain(pynn.Model):
        def __init__(self, units, activation="relu", **kwargs):
            super().__init__(**kwargs)
            self.one, self.two = layers.Dense(units, activation), layers.Dense(1)

        def call(self, x):
            return self.two(self.one(x))

    assert Plain(3, name="plain").get_config() == {"units": 3, "name": "plain"}
    x, y = np.ones((4, 3)), np.ones((4, 1))
    model = Plain(5, activation="tanh")
    model.compile("adam", "mse")
    model.fit(x, y, verbose=0)
    model.save(tmp_path / "model")
    goes_on_alike(model, pynn.load_model(tmp_path / "model", {"Plain": Plain}), x, y)
    goes_on_alike(model, copy.deepcopy(model), x, y)


def test_model_is_saved_without_its_optimizer(tmp_path):
    """So that what cannot be described is no hindrance either."""
    model = pynn.Sequential([pynn.Input((3,)), layers.Dense(2)])
    model.compile(optimizers.Adam(lambda: 0.1), "mse")
    x, y = np.ones((4, 3)), np.ones((4, 2))
    model.fit(x, y, verbose=0)
    pynn.models.save_model(model, tmp_path / "model", True, False, include_optimizer=False, save_format="keras")
    twin = pynn.load_model(tmp_path / "model")
    assert not twin.compiled
    np.testing.assert_array_equal(twin.predict(x, verbose=0), model.predict(x, verbose=0))
    for wrong, error in (
        ({"save_format": "h5"}, ValueError),
        ({"include_optimizer": "no"}, TypeError),
        ({"zipped": "no"}, TypeError),
    ):
        before = (tmp_path / "model").read_bytes()
        with pytest.raises(error, match=next(iter(wrong))):
            model.save(tmp_path / "model", **wrong)
        assert (tmp_path / "model").read_bytes() == before


@pytest.mark.parametrize("functional", [False, True])
def test_two_layers_that_got_one_name_since_cannot_be_saved(functional, tmp_path):
    model = pynn.Sequential([pynn.Input((3,)), layers.Dense(4, name="a"), layers.Dense(1, name="b")])
    if functional:
        model = pynn.Model(model.inputs, model.outputs)
    model.layers[-2].name = "b"
    for whole in (model, pynn.Sequential([pynn.Input((3,)), model])):
        with pytest.raises(ValueError, match="has two layers of the name 'b'"):
            whole.save(tmp_path / "model.pynn")
    assert not list(tmp_path.iterdir())


def test_function_as_learning_rate_cannot_be_saved(tmp_path):
    model, (x, y) = compiled("dense", "adam")
    model.compile(optimizers.SGD(lambda: 0.1), "mse")
    model.fit(x, y, verbose=0)
    with pytest.raises(ValueError, match=r"learning_rate is a function.*number"):
        model.save(tmp_path / "model")
    twin, _ = compiled("dense", "adam")
    twin.compile(optimizers.SGD(lambda: 0.1), "mse")
    twin.set_state(model.get_state())
    assert "optimizer/learning_rate" not in model.get_state()
    goes_on_alike(model, twin, x, y)
    model.optimizer.learning_rate = 0.1
    goes_on_alike(model, through_a_file(model, tmp_path), x, y)


# ---- copies ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("way", [copy.copy, copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_copy_shares_nothing(way):
    model, (x, y) = compiled("dense", "adam")
    model.fit(x, y, verbose=0)
    twin = way(model)
    before = bits(model)
    twin.fit(x, y, verbose=0)
    assert bits(model) == before != bits(twin)
    assert twin.optimizer is not model.optimizer


def test_joblib(tmp_path):
    joblib = pytest.importorskip("joblib")
    model, (x, y) = compiled("dense", "adam")
    model.fit(x, y, verbose=0)
    joblib.dump(model, tmp_path / "model")
    goes_on_alike(model, joblib.load(tmp_path / "model"), x, y)


def test_models_in_a_container():
    model, (x, _) = compiled("dense", "adam")
    found = copy.deepcopy({"a": [model, model]})
    assert found["a"][0] is found["a"][1] is not model
    buffer = io.BytesIO()
    pickle.dump((model, x), buffer)
    assert bits(pickle.loads(buffer.getvalue())[0]) == bits(model)


# ---- while others work -----------------------------------------------------------------------------------------------
def test_model_that_is_being_trained_is_not_saved(tmp_path):
    """It would be half of one step and half of the next."""
    model = make_model()
    x, y = make_data(2000)
    begun, found = threading.Event(), []

    def train():
        begun.set()
        model.fit(x, y, batch_size=1, epochs=20, verbose=0)

    thread = threading.Thread(target=train)
    thread.start()
    begun.wait()
    while thread.is_alive():
        try:
            model.save(tmp_path / "model")
            found.append("saved")
        except RuntimeError as error:
            found.append(str(error))
            break
    thread.join()
    assert "being trained" in found[-1]


def test_threads_that_save_to_one_file(tmp_path):
    """The file is always one of the models."""
    models = [make_model(optimizer="adam") for _ in range(3)]
    path, found = tmp_path / "model", []
    for number, model in enumerate(models):
        model.set_weights([np.full(w.shape, number) for w in model.weights])
    models[0].save(path)
    threads = [threading.Thread(target=lambda m=m: [m.save(path) for _ in range(20)]) for m in models]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        found.append(pynn.load_model(path).get_weights())
    for thread in threads:
        thread.join()
    assert os.listdir(tmp_path) == ["model"]
    for weights in found:
        assert len({float(n) for w in weights for n in w.ravel()}) == 1


# ---- many ------------------------------------------------------------------------------------------------------------
def cycle(path):
    model, (x, y) = compiled("dense", "adam")
    model.fit(x, y, verbose=0)
    model.save(path)
    pynn.load_model(path).predict(x, verbose=0)


def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.parametrize("cycles", [60, pytest.param(1000, marks=pytest.mark.slow)])
def test_cycles_do_not_grow_memory(tmp_path, cycles):
    for _ in range(20):
        cycle(tmp_path / "model")
    before = resident()
    for _ in range(cycles):
        cycle(tmp_path / "model")
    # A model is some kilobytes: were each one kept, this would be megabytes for 60.
    assert resident() - before < 2**20 * (1 if cycles < 100 else 4)


def test_model_of_many_layers(tmp_path):
    model = pynn.Sequential([pynn.Input((1,)), *(layers.Dense(1, use_bias=False) for _ in range(300))])
    twin = through_a_file(model, tmp_path)
    assert bits(twin) == bits(model)
    assert len(twin.get_state()) == 303


class Sevens(pynn.initializers.Initializer):
    """Initial values of one's own."""

    def __call__(self, shape, dtype=None):
        return np.full(shape, 7.0, dtype)

    def get_config(self):
        return {}


def test_initial_values_of_ones_own(tmp_path):
    model = pynn.Sequential([pynn.Input((2,)), layers.Dense(3, kernel_initializer=Sevens())])
    model.layers[0].kernel.assign(np.zeros((2, 3)))
    model.save(tmp_path / "model")
    with pytest.raises(pynn.ModelFileError, match="'Sevens'"):
        pynn.load_model(tmp_path / "model")
    for twin in (pynn.load_model(tmp_path / "model", {"Sevens": Sevens}), pickle.loads(pickle.dumps(model))):
        assert bits(twin) == bits(model)
        assert type(twin.layers[0].kernel_initializer) is Sevens

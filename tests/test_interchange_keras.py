"""Keras's files (golden/make_interchange_keras.py) give models that compute the same; hostile ones are refused."""

import json
import os
import pathlib
import shutil
import sys
import zipfile

import numpy as np
import pytest
from helpers import bits, unchanged
from interchange_models import subclass

import pynn
from pynn import layers

h5py = pytest.importorskip("h5py")
GOLDEN = pathlib.Path(__file__).with_name("golden")
SAVED = np.load(GOLDEN / "interchange_keras.npz")
WEIGHTS = GOLDEN / "interchange_keras.weights.h5"


def has(*names):
    missing = [name for name in names if name not in dir(layers)]
    return pytest.mark.skipif(bool(missing), reason=f"there is no {', '.join(missing)} yet")


def file_of(name):
    return GOLDEN / f"interchange_keras_{name}.keras"


def saved(name, kind):
    start = f"{name}/{kind}/"
    found = {key.removeprefix(start): SAVED[key] for key in SAVED.files if key.startswith(start)}
    return found if len(found) > 1 else next(iter(found.values()))


def check(model, name):
    found, expected = model.predict(saved(name, "x"), verbose=0), saved(name, "y")
    expected = list(expected.values()) if isinstance(expected, dict) else [expected]
    for ours, theirs in zip(found if isinstance(found, list) else [found], expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize(
    "name",
    [
        *("sequential", "functional", "normalized", "masked", "operators", "decoder"),
        pytest.param("recurrent", marks=has("Bidirectional", "LSTM", "GRU", "SimpleRNN", "TimeDistributed")),
        pytest.param("attention", marks=has("MultiHeadAttention")),
    ],
)
def test_keras_models_compute_the_same(name, tmp_path):
    model = pynn.from_keras(file_of(name))
    check(model, name)
    model.save(tmp_path / "model")
    check(pynn.load_model(tmp_path / "model"), name)
    other = model.from_config(model.get_config())
    other.set_weights([w + 1 for w in model.get_weights()])
    pynn.load_keras_weights(other, file_of(name))
    assert bits(other) == bits(model)


def sequential():
    model = pynn.from_keras(file_of("sequential"))
    model.set_weights([w + 1 for w in model.get_weights()])
    return model


def test_keras_weights_are_taken():
    model = sequential()
    pynn.load_keras_weights(model, WEIGHTS)
    np.testing.assert_allclose(
        model.predict(saved("sequential", "x"), verbose=0), SAVED["weights/y"], rtol=2e-5, atol=2e-5
    )


def described(path):
    """The arrays of a file of weights, by their paths."""
    found = {}
    with h5py.File(path) as file:
        file.visititems(lambda name, item: found.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None)
    return found


def test_weights_are_written_as_keras_does(tmp_path):
    """But for the states of its random generators, without which it reads them."""
    model = sequential()
    model.load_weights(WEIGHTS)
    model.save_weights(tmp_path / "own.weights.h5")
    theirs, ours = described(WEIGHTS), described(tmp_path / "own.weights.h5")
    expected = {name for name in theirs if name.startswith("layers/") and "seed_generator" not in name}
    assert set(ours) == expected
    for name, array in ours.items():
        np.testing.assert_array_equal(array, theirs[name])
        assert array.dtype == theirs[name].dtype
    before = bits(model)
    model.set_weights([w + 1 for w in model.get_weights()])
    model.load_weights(tmp_path / "own.weights.h5")
    assert bits(model) == before
    with pytest.raises(FileExistsError):
        model.save_weights(tmp_path / "own.weights.h5", overwrite=False)
    assert os.listdir(tmp_path) == ["own.weights.h5"]


def test_places_of_weights_in_subclasses(tmp_path):
    """A class is known by that of pynn's which it extends, and names its place."""

    class Attending(layers.MultiHeadAttention):
        pass

    class GRU(layers.Layer):
        def build(self, input_shape):
            self.w = self.add_weight(shape=(input_shape[-1],))

        def call(self, inputs):
            return inputs * self.w

    class Shifted(layers.Dense):
        def build(self, input_shape):
            self.shift = self.add_weight(shape=(4,))
            super().build(input_shape)

        def call(self, inputs):
            return super().call(inputs) + self.shift

    x = pynn.Input((3, 4))
    model = pynn.Model(x, Shifted(4)(GRU()(Attending(1, 2)(x, x))))
    model.save_weights(tmp_path / "own.weights.h5")
    found = {name: array.shape for name, array in described(tmp_path / "own.weights.h5").items()}
    attention = {f"layers/attending/{part}_dense/vars" for part in ("query", "key", "value", "output")}
    assert {name.rpartition("/")[0] for name in found} == attention | {"layers/gru/vars", "layers/shifted/vars"}
    # Keras reads the kernel and the bias of a Dense, and no further weights.
    assert [found[f"layers/shifted/vars/{number}"] for number in range(3)] == [(4, 4), (4,), (4,)]
    assert [w.name for w in model.layers[-1].weights][1:] == ["kernel", "bias"]
    before = bits(model)
    model.set_weights([w + 1 for w in model.get_weights()])
    model.load_weights(tmp_path / "own.weights.h5")
    assert bits(model) == before


def test_weights_of_keras_that_do_not_fit_may_be_skipped():
    model = sequential()
    last = pynn.Sequential([*model.layers[:-1], layers.Dense(5)])
    last(SAVED["sequential/x/"])
    before = last.get_weights()
    with pytest.raises(pynn.ModelFileError, match="of another shape"):
        last.load_weights(WEIGHTS)
    assert all((a == b).all() for a, b in zip(before, last.get_weights(), strict=True))
    with pytest.warns(UserWarning, match="has not all weights") as caught:
        last.load_weights(WEIGHTS, skip_mismatch=True)
    assert caught[0].filename == __file__
    model.load_weights(WEIGHTS)
    kept = len(last.layers[-1].weights)
    for ours, theirs in zip(last.get_weights()[:-kept], model.get_weights()[:-kept], strict=True):
        np.testing.assert_array_equal(ours, theirs)
    np.testing.assert_array_equal(last.get_weights()[-kept], before[-kept])


def test_checkpoints_of_weights_are_keras_s(tmp_path, monkeypatch):
    model, x = sequential(), SAVED["sequential/x/"]
    model.compile("sgd", "mse")
    path = tmp_path / "best.weights.h5"
    checkpoint = pynn.callbacks.ModelCheckpoint(path, save_weights_only=True)
    model.fit(x, np.zeros((3, 3)), verbose=0, callbacks=checkpoint)
    other = sequential()
    other.load_weights(path)
    assert all((a == b).all() for a, b in zip(model.get_weights(), other.get_weights(), strict=True))
    monkeypatch.setitem(sys.modules, "h5py", None)
    with unchanged(model):
        with pytest.raises(ImportError, match="Writing Keras's weights needs the package h5py: pip install h5py"):
            model.fit(x, np.zeros((3, 3)), verbose=0, callbacks=checkpoint)
        with pytest.raises(ImportError, match="pip install h5py"):
            model.save_weights(path)
        with pytest.raises(ImportError, match="pip install h5py"):
            model.load_weights(path)


def test_masks_that_do_not_come_by_themselves_are_refused(tmp_path):
    def change(config):
        for layer in config["config"]["layers"]:
            layer["config"].pop("mask_zero", None)
            if layer["class_name"] == "Masking":
                layer.update(class_name="Identity", config={"name": layer["config"]["name"]})

    with pytest.raises(pynn.ModelFileError, match="has a layer called with mask, which pynn cannot read"):
        pynn.from_keras(changed(tmp_path, change, "masked"))


def operation(kind, **changes):
    """Changes the first operation of this kind."""

    def change(config):
        for layer in config["config"]["layers"]:
            if layer["class_name"] == kind:
                for key, value in changes.items():
                    place = layer["inbound_nodes"][0] if key in ("args", "kwargs") else layer
                    place[key] = {**place[key], **value} if isinstance(value, dict) else value
                return

    return change


def numbers(value):
    return {"class_name": "__numpy__", "config": {"value": value, "dtype": "float32"}}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (operation("Add", class_name="Where"), "'Where', which pynn cannot take as it is used"),
        (operation("Relu", class_name="Erf"), "Unknown activation 'erf'"),
        (operation("Relu", config={"slope": 2}), "no setting 'slope'"),
        (operation("Add", args=[1, 2]), "in place of 1 tensors"),
        (operation("Add", args=[]), "with 0 operands"),
        (operation("Multiply", args=[numbers("text"), numbers([1])]), "'Multiply'"),
        (operation("Matmul", args=[numbers([1]), numbers([1])]), "not called with two operands"),
        (operation("GetItem", args=[{"class_name": "__lambda__", "config": {}}]), "is called with"),
        (operation("Transpose", config={"axes": [2, 0, 1]}), "moves the axis of the samples"),
        (operation("Reshape", config={"newshape": [3, 12]}), "fixes the number of samples"),
        (operation("Squeeze", config={"axis": 2}), "an axis of size 4 is left out"),
        (operation("Mean", config={"axis": [0, 1]}), "Mean with axis=.* goes over the samples"),
        (operation("Mean", config={"axis": None}), "Mean with axis=None goes over the samples"),
        (operation("Mean", config={"axis": 9}), "range"),
        (operation("Cast", config={"dtype": "int32"}), "become int32"),
        (operation("Relu", inbound_nodes=[]), "not called once"),
    ],
)
def test_functions_that_are_not_there_are_refused(change, message, tmp_path):
    with pytest.raises(pynn.ModelFileError, match=message):
        pynn.from_keras(changed(tmp_path, change, "operators"))


def test_functions_that_know_no_masks_are_refused_beside_masks(tmp_path):
    def masked(config):
        for layer in config["config"]["layers"]:
            if layer["class_name"] == "Embedding":
                layer["config"]["mask_zero"] = True

    with pytest.raises(pynn.ModelFileError, match=r"'Concatenate'.*it knows no masks"):
        pynn.from_keras(changed(tmp_path, masked, "operators"))


def test_calls_that_are_told_to_train_predict_as_in_keras(tmp_path):
    def change(config):
        for layer in config["config"]["layers"]:
            for call in layer["inbound_nodes"]:
                call["kwargs"]["training"] = True

    model = pynn.from_keras(changed(tmp_path, change, "functional"))
    check(model, "functional")
    assert '"training"' not in model.to_json()


def test_keras_settings_are_kept():
    model = pynn.from_keras(file_of("sequential"))
    by_name = {type(layer).__name__: layer for layer in model.layers}
    assert by_name["Conv2D"].get_config()["kernel_regularizer"]["class_name"] == "L2"
    assert by_name["SeparableConv2D"].get_config()["depthwise_constraint"]["config"]["max_value"] == 3
    assert by_name["Dropout"].rate == 0.5
    model.compile("adam", "mse")
    model.fit(saved("sequential", "x"), np.zeros((3, 3)), verbose=0)


def test_keras_weights_that_do_not_fit_are_listed():
    model = pynn.Sequential(
        [pynn.Input((8, 8, 3)), layers.Conv2D(5, 3), layers.Flatten(), layers.Dense(3), layers.Dense(2)]
    )
    with unchanged(model), pytest.raises(pynn.ModelFileError) as caught:
        pynn.load_keras_weights(model, WEIGHTS)
    text = str(caught.value)
    for part in (
        "missing:\n    layers/dense_1/vars/0 for dense",
        "left over:\n    layers/batch_normalization/vars/0 of shape (4,)",
        "of another shape:\n    layers/conv2d/vars/0 has (3, 3, 3, 4) and ",
    ):
        assert part in text
    with pytest.raises(pynn.NotBuiltError):
        pynn.load_keras_weights(pynn.Sequential([layers.Dense(2)]), WEIGHTS)
    with pytest.raises(TypeError, match="model must be a pynn model"):
        pynn.load_keras_weights(3, WEIGHTS)


def test_subclassed_models_take_weights_by_attributes():
    model = subclass(pynn)
    model(SAVED["subclass/x"])
    pynn.load_keras_weights(model, GOLDEN / "interchange_keras_subclass.weights.h5")
    np.testing.assert_allclose(model(SAVED["subclass/x"]), SAVED["subclass/y"], rtol=2e-5)


def test_layers_in_private_tuples_and_in_dicts(tmp_path):
    class Block(layers.Layer):
        def __init__(self):
            super().__init__()
            self._inner = (layers.Dense(3), layers.Dense(3))
            self.around = {"end": layers.Dense(2)}

        def call(self, x):
            return self.around["end"](self._inner[1](self._inner[0](x)))

    path, units = tmp_path / "model.weights.h5", {"around/dense": 2, "_inner/dense": 3, "_inner/dense_1": 3}
    with h5py.File(path, "w") as file:  # as Keras writes it
        for place, count in units.items():
            file[f"layers/block/{place}/vars/0"] = np.full((3, count), 0.5, "float32")
            file[f"layers/block/{place}/vars/1"] = np.ones(count, "float32")
    model = pynn.Sequential([pynn.Input((3,)), Block()])
    pynn.load_keras_weights(model, path)
    assert all((w == (0.5 if w.ndim == 2 else 1)).all() for w in model.get_weights())


@pytest.mark.parametrize(
    "kwargs", [{"inputs": "boo"}, {"use_causal_mask": 5}, {"use_causal_mask": True}, {"initial_state": "h"}]
)
def test_calls_with_keywords_that_mean_nothing_are_refused(kwargs, tmp_path):
    tensor = {"class_name": "__keras_tensor__", "config": {"shape": [None, 3], "keras_history": ["x", 0, 0]}}
    dense = {"class_name": "Dense", "name": "d", "module": "keras.layers", "config": {"name": "d", "units": 2}}
    start = {"class_name": "InputLayer", "name": "x", "config": {"name": "x", "batch_shape": [None, 3]}}
    config = {
        "name": "model",
        "layers": [
            {**start, "module": "keras.layers", "inbound_nodes": []},
            {**dense, "inbound_nodes": [{"args": [tensor], "kwargs": kwargs}]},
        ],
        "input_layers": [["x", 0, 0]],
        "output_layers": [["d", 0, 0]],
    }
    path = tmp_path / "model.json"
    path.write_text(json.dumps({"class_name": "Functional", "module": "keras", "config": config}))
    with pytest.raises(pynn.ModelFileError, match=r"has a layer called with (inputs|use_causal_mask|'h')"):
        pynn.from_keras(path)
    config["layers"][1]["inbound_nodes"][0]["kwargs"] = {}
    path.write_text(json.dumps({"class_name": "Functional", "module": "keras", "config": config}))
    assert pynn.from_keras(path).output_shape == (None, 2)


def test_weights_of_a_layer_that_extends_one_of_pynn(tmp_path):
    class Doubled(layers.Dense):
        def call(self, inputs):
            return 2 * super().call(inputs)

    path = tmp_path / "model.weights.h5"
    kernel, bias = np.arange(6.0).reshape(3, 2), np.ones(2)
    with h5py.File(path, "w") as file:  # as Keras writes it
        file["layers/doubled/vars/0"], file["layers/doubled/vars/1"] = kernel, bias
    model = pynn.Sequential([pynn.Input((3,)), Doubled(2, name="any")])
    pynn.load_keras_weights(model, path)
    for weight, expected in zip(model.get_weights(), (kernel, bias), strict=True):
        np.testing.assert_array_equal(weight, expected)


# ---- files that are refused ------------------------------------------------------------------------------------------
def linked(file):
    del file["layers/conv2d/vars/0"]
    file["layers/conv2d/vars/0"] = h5py.ExternalLink("/etc/passwd", "/")


def softly_linked(file):
    del file["layers/conv2d/vars/0"]
    file["layers/conv2d/vars/0"] = h5py.SoftLink("/layers/dense/vars/0")


def outside(file):
    del file["layers/conv2d/vars/0"]
    file.create_dataset("layers/conv2d/vars/0", (3, 3, 3, 4), "f4", external=[("/etc/passwd", 0, 432)])


def virtual(file):
    del file["layers/conv2d/vars/0"]
    layout = h5py.VirtualLayout((3, 3, 3, 4), "f4")
    layout[:] = h5py.VirtualSource("elsewhere.h5", "x", (3, 3, 3, 4))
    file.create_virtual_dataset("layers/conv2d/vars/0", layout)


def bomb(file):
    file.create_dataset("layers/conv2d/vars/9", (2**40,), "f4")


def packed(file):
    file.create_dataset("layers/conv2d/vars/9", (2**20,), "f4", compression="gzip")


def texts(file):
    file["layers/conv2d/vars/9"] = "a text"


def circle(file):
    file["layers/again"] = file["layers"]


def old(file):
    file["model_weights/dense/dense/kernel:0"] = np.zeros(3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (linked, "points elsewhere"),
        (softly_linked, "points elsewhere"),
        (outside, "has its numbers in another file"),
        (virtual, "has its numbers in another file"),
        (bomb, "no room in the file"),
        (packed, "compressed or in pieces"),
        (texts, "must be of plain numbers"),
        (circle, "more than 50 levels deep"),
        (old, "is of an older Keras"),
    ],
)
def test_hostile_arrays_are_refused(change, message, tmp_path):
    path = tmp_path / "x.weights.h5"
    shutil.copy(WEIGHTS, path)
    with h5py.File(path, "a") as file:
        change(file)
    model = sequential()
    with unchanged(model), pytest.raises(pynn.ModelFileError, match=message):
        pynn.load_keras_weights(model, path)


def test_damaged_files_are_refused(tmp_path):
    path, whole, model = tmp_path / "x.weights.h5", WEIGHTS.read_bytes(), sequential()
    for data in (b"", b"\x89HDF", whole[:100], whole[:20000], b"PK\x03\x04", b"something else"):
        path.write_bytes(data)
        with unchanged(model), pytest.raises(pynn.ModelFileError):
            pynn.load_keras_weights(model, path)
    archive = file_of("sequential").read_bytes()
    for data in (archive[:1000], whole, b"", archive[: len(archive) // 2]):
        path.write_bytes(data)
        with pytest.raises(pynn.ModelFileError):
            pynn.from_keras(path)
    with pytest.raises(FileNotFoundError):
        pynn.from_keras(tmp_path / "nothing.keras")


def changed(tmp_path, change, name="sequential", compression=zipfile.ZIP_STORED):
    """A file with another configuration."""
    path = tmp_path / "x.keras"
    with zipfile.ZipFile(file_of(name)) as old_file, zipfile.ZipFile(path, "w", compression) as new:
        config = json.loads(old_file.read("config.json"))
        change(config)
        new.writestr("config.json", json.dumps(config))
        new.writestr("model.weights.h5", old_file.read("model.weights.h5"))
    return path


def setting(place, **values):
    return lambda config: config["config"]["layers"][place]["config"].update(values)


def another(place, **values):
    return lambda config: config["config"]["layers"][place].update(values)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (another(-1, class_name="Resizing"), "has the layer 'Resizing', which pynn does not have"),
        (another(-1, class_name="Mine", module="mine", registered_name="mine>Mine"), "has the layer 'Mine'"),
        (another(-1, module="os", class_name="system"), "has system of 'os', which pynn does not have"),
        (setting(-1, units=10**6), "more weights than there are values"),
        (setting(-1, units=4), r"of another shape:\s+layers/dense/vars/0 has \(3, 3\)"),
        (setting(-1, wings=2), "Dense.. has no argument 'wings'"),
        (setting(-1, dtype="float16"), "pynn has float32 and float64"),
        (setting(-1, activation={"class_name": "function", "config": "mine"}), "has a function of its own"),
        (setting(-1, activation={"class_name": "__lambda__", "config": {}}), "has a function of its own"),
        (another(2, class_name="LayerNormalization"), "describes no model|left over|no argument"),
        (lambda config: config["config"].update(layers=3), "has no list of layers"),
        (lambda config: config["config"]["layers"].append(3), "configuration of layer must be"),
        (lambda config: config.pop("config"), "has no list of layers"),
        pytest.param(
            lambda config: config["config"]["layers"].extend(config["config"]["layers"][-1:] * 11000),
            "at most 10000 layers",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_configurations_that_are_refused(change, message, tmp_path):
    with pytest.raises(pynn.ModelFileError, match=message):
        pynn.from_keras(changed(tmp_path, change))


@pytest.mark.parametrize("name", ["sequential", "functional"])
def test_text_of_to_json_gives_the_layers(name, tmp_path):
    path = tmp_path / "model.json"
    with zipfile.ZipFile(file_of(name)) as archive:
        path.write_bytes(archive.read("config.json"))
    model, again = pynn.from_keras(path), pynn.from_keras(path)
    assert any((a != b).any() for a, b in zip(model.get_weights(), again.get_weights(), strict=True))
    pynn.load_keras_weights(model, file_of(name))
    check(model, name)
    with pytest.raises(ValueError, match=r"The text is Keras's.*pynn.from_keras"):
        pynn.models.model_from_json(path.read_text())
    for text in ("{", "{}", '{"a": 1, "a": 2}', '{"class_name": "Dense", "config": {}}'):
        path.write_text(text)
        with pytest.raises(pynn.ModelFileError):
            pynn.from_keras(path)


class Keeping(pynn.layers.Dropout):
    pass


@pytest.mark.parametrize("registered", ["mine>Keeping", "Keeping"])
def test_classes_of_ones_own_are_given_or_registered(registered, tmp_path):
    path = changed(tmp_path, another(-2, class_name="Keeping", module="mine", registered_name=registered))
    with pytest.raises(pynn.ModelFileError, match=r"has .*Keeping"):
        pynn.from_keras(path)
    assert type(pynn.from_keras(path, custom_objects={"Keeping": Keeping}).layers[-2]) is Keeping
    with pynn.saving.custom_object_scope({registered: Keeping}):
        check(pynn.from_keras(path), "sequential")


def test_archives_that_unfold_without_end_are_refused(tmp_path):
    path = tmp_path / "x.keras"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("config.json", "{" + " " * 10**7 + "}")
    with pytest.raises(pynn.ModelFileError, match="would be 10000002 bytes"):
        pynn.from_keras(path)
    check(pynn.from_keras(changed(tmp_path, lambda config: None, compression=zipfile.ZIP_DEFLATED)), "sequential")


def test_h5py_is_imported_when_it_is_used(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "h5py", None)
    with pytest.raises(ImportError, match="needs the package h5py: pip install h5py"):
        pynn.from_keras(file_of("sequential"))

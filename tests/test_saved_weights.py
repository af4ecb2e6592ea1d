"""Weights alone in files, of pynn and of other programs; and which names of files there may be."""

import copy
import os
import pathlib
import zipfile

import numpy as np
import pytest
from helpers import bits, make_model, unchanged
from saved_models import MODELS, compiled
from test_saving import same_state

import pynn
from pynn import layers


@pytest.mark.parametrize("name", MODELS)
def test_weights_alone(tmp_path, name):
    model, (x, y) = compiled(name, "adam")
    model.fit(x, y, verbose=0)
    other, _ = compiled(name, "sgd")
    other.fit(x, y, verbose=0)
    iterations = other.optimizer.iterations
    for save in (model.save_weights, model.save):
        save(tmp_path / "weights")
        other.set_weights([w * 0 for w in other.get_weights()])
        other.load_weights(tmp_path / "weights")
        assert bits(other) == bits(model)
        assert other.optimizer.iterations == iterations


def test_weights_of_other_programs(tmp_path):
    model, other = make_model(), make_model(dtype="float64")
    by_name = {name: array for name, array in model.get_state().items() if name.startswith("dense")}
    values = [weight.numpy().astype(np.float64) for weight in model.weights]
    by_path = {weight.path: value for weight, value in zip(other.weights, values, strict=True)}
    assert set(by_name) != set(by_path)  # the process has made other layers before
    keras = {f"sequential/{name}": array for name, array in by_name.items()}  # as in Keras's Sequential
    for given in (by_name, by_path, keras, {f"mine/{name}": array for name, array in by_path.items()}):
        for save in (np.savez, np.savez_compressed):
            save(tmp_path / "weights.npz", **given)
            other.set_weights([w * 0 for w in other.get_weights()])
            other.load_weights(tmp_path / "weights.npz")
            for a, b in zip(model.get_weights(), other.get_weights(), strict=True):
                np.testing.assert_array_equal(a, b)


def test_weights_of_the_safetensors_package(tmp_path):
    numpy_room = pytest.importorskip("safetensors.numpy")
    model, other = make_model(), make_model(seed=9)
    values = dict(zip([w.path for w in other.weights], model.get_weights(), strict=True))
    numpy_room.save_file(values, tmp_path / "weights.safetensors")
    other.load_weights(tmp_path / "weights.safetensors")
    assert bits(other) == bits(model)
    model.save(tmp_path / "model.safetensors")
    found = numpy_room.load_file(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(found["dense/kernel"], model.weights[0].numpy())


@pytest.mark.parametrize("form", ["own", "npz"])
def test_weights_that_do_not_fit_change_nothing(tmp_path, form):
    """Other units, a layer more, a layer fewer."""
    random, path = np.random.default_rng(1), tmp_path / "weights.npz"
    model = make_model()
    shapes = {"dense/kernel": (5, 8), "dense/bias": (8,), "dense_1/kernel": (8, 3), "dense_1/bias": (3,)}
    cases = {
        r"of another shape or type: dense/kernel has shape \(5, 9\).*must have shape \(5, 8\)": {
            "dense/kernel": (5, 9)
        },
        "left over: dense_2/kernel": {"dense_2/kernel": (3, 3)},
        "missing: dense_1/bias": {"dense_1/bias": None},
    }
    for message, change in cases.items():
        changed = {name: shape for name, shape in {**shapes, **change}.items() if shape is not None}
        arrays = {name: random.normal(size=shape).astype(np.float32) for name, shape in changed.items()}
        if form == "npz":
            np.savez(path, **arrays)
        else:
            pynn.storage.tensors.write_tensors(path, arrays, {"kind": "weights"})
        with unchanged(model), pytest.raises(pynn.ModelFileError, match=message):
            model.load_weights(path)
        twin = copy.deepcopy(model)
        with pytest.warns(UserWarning, match=message) as warned:
            twin.load_weights(path, skip_mismatch=True)
        assert warned[0].filename == __file__
        for name, array in twin.get_state().items():
            if name in shapes:
                taken = name in arrays and arrays[name].shape == shapes[name]
                np.testing.assert_array_equal(array, arrays[name] if taken else model.get_state()[name])
    np.savez(path, **{name: np.full(shape, 1e300) for name, shape in shapes.items()})
    with unchanged(model), pytest.raises(ValueError, match="float32"):
        model.load_weights(path)


def test_names_of_weights_are_unique():
    inner = pynn.Sequential([pynn.Input((2,)), layers.Dense(2, name="b")], name="a")
    model = pynn.Sequential(
        [pynn.Input((2,)), inner, layers.Dense(2, name="a/b"), layers.Dense(2, name="optimizer"), layers.Dense(2)]
    )
    names = [name for name in model.get_state() if not name.startswith("training/")]
    assert names == [
        *("a/b/kernel", "a/b/bias", "a/b/kernel~2", "a/b/bias~2"),
        *("~optimizer/kernel", "~optimizer/bias", "dense/kernel", "dense/bias"),
    ]
    twin = copy.deepcopy(model)
    assert same_state(model, twin)


def test_weights_below_the_name_of_a_model(tmp_path):
    """What does not fit has the name that it has in the file."""
    model = make_model()
    arrays = {f"s/{name}": array for name, array in model.get_state().items() if name.startswith("dense")}
    np.savez(tmp_path / "w.npz", **{**arrays, "s/dense_2/kernel": np.zeros(2, np.float32)})
    with (
        unchanged(model),
        pytest.raises(pynn.ModelFileError, match=r"': left over: s/dense_2/kernel"),
    ):
        model.load_weights(tmp_path / "w.npz")
    np.savez(tmp_path / "w.npz", **arrays, other=np.zeros(2, np.float32))
    with unchanged(model), pytest.raises(pynn.ModelFileError, match=r"missing: dense/kernel.*over: s/dense/kernel"):
        model.load_weights(tmp_path / "w.npz")


def npy(shape, data):
    """A file of one array as NumPy writes it, but for the shape."""
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}}}".encode().ljust(1013) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + bytes(data)


@pytest.mark.parametrize(
    ("shape", "data"), [((1,) * 65, 4), ((0, 2**62, 2**62), 0), ((0, 2**70), 0), ((True,), 4), ((-1,), 0)]
)
def test_shapes_that_no_array_has(tmp_path, shape, data):
    model = make_model()
    with zipfile.ZipFile(tmp_path / "w.npz", "w") as archive:
        archive.writestr("dense/kernel.npy", npy(shape, data))
    for skip in (False, True):
        with unchanged(model), pytest.raises(pynn.ModelFileError, match="dense/kernel"):
            model.load_weights(tmp_path / "w.npz", skip)


@pytest.mark.parametrize("layer", [layers.PReLU, lambda: layers.LayerNormalization(axis=list(range(1, 12)))])
def test_weights_of_many_axes(tmp_path, layer):
    model = pynn.Sequential([pynn.Input((2, 1, 2) + (1,) * 8), layer()])
    model.save(tmp_path / "model")
    assert bits(pynn.load_model(tmp_path / "model")) == bits(model)


def test_files_of_keras_say_what_to_do(tmp_path):
    with zipfile.ZipFile(tmp_path / "m.keras", "w") as archive:
        archive.writestr("config.json", "{}")
        archive.writestr("model.weights.h5", b"\x89HDF\r\n\x1a\n")
    (tmp_path / "m.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(90))
    for name in ("m.keras", "m.h5"):
        with pytest.raises(pynn.ModelFileError, match=r"pynn\.from_keras.*model\.load_weights"):
            pynn.load_model(tmp_path / name)


# ---- names of files --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "name", ["model", "model.keras", "a.b.c", "mödel ü", ".hidden", "m" * 255, "model.safetensors"]
)
def test_any_name_of_a_file(tmp_path, name):
    model = make_model()
    for path in (tmp_path / name, str(tmp_path / name), os.fsencode(tmp_path / name)):
        model.save(path)
        assert bits(pynn.load_model(path)) == bits(model)
    assert os.listdir(tmp_path) == [name]


def test_file_in_the_working_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make_model().save("model")
    assert pynn.saving.load_model("model").built
    pynn.models.save_model(pynn.models.load_model("model"), pathlib.Path("other"))
    assert sorted(os.listdir()) == ["model", "other"]
    with pytest.raises(TypeError, match="pynn model"):
        pynn.models.save_model(3, "third")


def test_names_that_are_refused(tmp_path):
    model = make_model()
    for name, saves in (
        ("model.h5", (model.save, model.save_weights)),
        ("model.HDF5", (model.save, model.save_weights)),
        ("model.weights.h5", (model.save,)),
    ):
        for save in saves:
            with pytest.raises(ValueError, match=r"HDF5.*other name"):
                save(tmp_path / name)
    for bad in (3, None, ["a"], 1.5, object()):
        for call in (model.save, model.save_weights, model.load_weights, pynn.load_model):
            with pytest.raises(TypeError, match="filepath"):
                call(bad)
    with pytest.raises(ValueError, match="folder"):
        model.save(f"{tmp_path}/")
    with pytest.raises(ValueError, match="folder"):
        model.save(tmp_path)
    with pytest.raises(ValueError, match="null byte"):
        model.save("a\0b")
    with pytest.raises(FileNotFoundError, match="Make it first"):
        model.save(tmp_path / "no" / "model")
    with pytest.raises(FileNotFoundError, match="no file"):
        pynn.load_model(tmp_path / "model")
    with pytest.raises(pynn.ModelFileError, match="folder"):
        pynn.load_model(tmp_path)
    with pytest.raises(TypeError, match="overwrite"):
        model.save(tmp_path / "model", overwrite="no")
    (tmp_path / "there").write_bytes(b"")
    with pytest.raises(FileExistsError, match="overwrite"):
        model.save(tmp_path / "there", overwrite=False)
    assert os.listdir(tmp_path) == ["there"]
    assert (tmp_path / "there").read_bytes() == b""


def test_unbuilt_model_is_saved_as_it_is(tmp_path):
    """It has no weights, which are asked for in vain."""
    model = pynn.Sequential([layers.Dense(2)])
    for number in range(2):
        model.save(tmp_path / "model")
        twin = pynn.load_model(tmp_path / "model")
        assert not twin.built
        assert twin.compiled is bool(number)
        assert twin(np.ones((4, 3))).shape == (4, 2)
        model.compile("adam", "mse")
    model = pynn.Sequential([layers.Dense(2)])
    for call in (
        lambda: model.save_weights(tmp_path / "weights"),
        model.get_state,
        lambda: model.set_state({}),
        lambda: model.load_weights(tmp_path / "model"),
    ):
        with pytest.raises(pynn.NotBuiltError):
            call()
    model.compile("adam", "mse")
    x = np.ones((4, 3), np.float32)
    pynn.set_random_seed(5)
    twin = copy.deepcopy(model)
    assert not twin.built
    twin.fit(x, x[:, :2], verbose=0)
    assert os.listdir(tmp_path) == ["model"]

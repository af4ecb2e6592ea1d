"""Weights of scikit-learn and PyTorch: what their libraries computed (golden/make_interchange_torch.py) comes out."""

import pathlib
import shutil

import numpy as np
import pytest
from helpers import unchanged

import pynn
from pynn import layers

GOLDEN = pathlib.Path(__file__).with_name("golden")
SAVED = np.load(GOLDEN / "interchange_torch.npz")


def state_of(name):
    start = f"{name}/state/"
    return {key.removeprefix(start): SAVED[key] for key in SAVED.files if key.startswith(start)}


def images(data_format="channels_last", epsilon=1e-5, last=2):
    where = {"data_format": data_format}
    axis = -1 if data_format == "channels_last" else 1
    return pynn.Sequential(
        [
            pynn.Input((8, 8, 3) if axis == -1 else (3, 8, 8)),
            layers.Conv2D(4, 3, **where),
            layers.BatchNormalization(axis, epsilon=epsilon),
            layers.ReLU(),
            layers.DepthwiseConv2D(3, depth_multiplier=2, **where),
            layers.GroupNormalization(2, axis=axis, epsilon=1e-5),
            layers.MaxPooling2D(**where),
            layers.PReLU(shared_axes=[1, 2] if axis == -1 else [2, 3]),
            layers.Conv2DTranspose(3, 2, strides=2, **where),
            layers.Flatten(**where) if axis == -1 else layers.Reshape((48,)),
            layers.BatchNormalization(epsilon=1e-5),
            layers.Dense(5),
            layers.LayerNormalization(epsilon=1e-5),
            layers.Activation("tanh"),
            layers.Dense(last, use_bias=False),
        ]
    )


def signals():
    conv, turned = layers.Conv1D(4, 2), layers.Conv1DTranspose(3, 3)
    dense = [layers.Flatten(), layers.Dense(4, "sigmoid"), layers.Dense(2)]
    return pynn.Sequential([pynn.Input((7, 3)), conv, turned, *dense])


def sequences():
    return pynn.Sequential(
        [
            pynn.Input((6,)),
            layers.Embedding(11, 5, name="words"),
            layers.Bidirectional(layers.LSTM(4, return_sequences=True), name="lstm"),
            layers.GRU(3, return_sequences=True, name="gru"),
            layers.SimpleRNN(6, return_sequences=True, name="rnn"),
            layers.Dense(2, name="end"),
        ]
    )


def attending():
    x = pynn.Input((5, 6))
    y = layers.MultiHeadAttention(2, 3, name="attention")(x, x)
    return pynn.Model(x, layers.LayerNormalization(epsilon=1e-5, name="norm")(y + x))


def has(*names):
    missing = [name for name in names if name not in dir(layers)]
    return pytest.mark.skipif(bool(missing), reason=f"there is no {', '.join(missing)} yet")


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("images", images),
        ("images", lambda: images("channels_first")),
        ("signals", signals),
        pytest.param("sequences", sequences, marks=has("Bidirectional", "LSTM", "GRU", "SimpleRNN")),
        pytest.param("attending", attending, marks=has("MultiHeadAttention")),
    ],
)
def test_torch_computes_the_same(name, make):
    model, x = make(), SAVED[f"{name}/x"]
    pynn.load_torch_state(model, state_of(name))
    if name in ("images", "signals") and model.input_shape[1:] != x.shape[1:]:
        x = np.moveaxis(x, 1, -1)
    np.testing.assert_allclose(model.predict(x, verbose=0), SAVED[f"{name}/y"], rtol=2e-5, atol=2e-5)


def test_torch_files(tmp_path):
    x = np.moveaxis(SAVED["images/x"], 1, -1)
    np.savez(tmp_path / "state.npz", **state_of("images"))
    for path in (GOLDEN / "interchange_torch_images.safetensors", tmp_path / "state.npz"):
        model = images()
        pynn.load_torch_state(model, path)
        np.testing.assert_allclose(model.predict(x, verbose=0), SAVED["images/y"], rtol=2e-5, atol=2e-5)
    with unchanged(model), pytest.raises(pynn.ModelFileError, match=r"pickle .* safetensors.torch.save_file"):
        pynn.load_torch_state(model, GOLDEN / "interchange_torch.pt")
    (tmp_path / "old.pt").write_bytes(b"\x80\x02\x8a")
    (tmp_path / "none.npz").write_bytes(b"PK\x03\x04" + b"x" * 50)
    shutil.copy(GOLDEN / "interchange_torch_images.safetensors", tmp_path / "cut")
    with open(tmp_path / "cut", "r+b") as file:
        file.truncate(1000)
    for name in ("old.pt", "none.npz", "cut"):
        with unchanged(model), pytest.raises(pynn.ModelFileError):
            pynn.load_torch_state(model, tmp_path / name)


def test_torch_modules_by_a_map_of_names():
    model = pynn.Sequential([pynn.Input((3,)), layers.Dense(4, name="hidden"), layers.Dense(4, name="out")])
    random = np.random.default_rng(1)
    arrays = [random.normal(size=shape).astype("float32") for shape in ((4, 3), (4,), (4, 4), (4,))]
    keys = ["body.fc1.weight", "body.fc1.bias", "head.weight", "head.bias"]
    state = dict(zip(keys, arrays, strict=True))
    pynn.load_torch_state(model, state, {"head": "out", "body.fc1": "hidden"})
    for found, given in zip(model.get_weights(), [arrays[0].T, arrays[1], arrays[2].T, arrays[3]], strict=True):
        np.testing.assert_array_equal(found, given)
    with unchanged(model):
        with pytest.raises(ValueError, match=r"Give names=.* body.fc1, head.* hidden, out"):
            pynn.load_torch_state(model, state)
        with pytest.raises(
            ValueError, match=r"modules without a layer:\s+body.fc1\s+layers without a module:\s+hidden"
        ):
            pynn.load_torch_state(model, state, {"head": "out"})
        with pytest.raises(ValueError, match=r"not there:\s+tail: hidden"):
            pynn.load_torch_state(model, state, {"head": "out", "tail": "hidden"})
        with pytest.raises(ValueError, match=r"layers of several modules:\s+out"):
            pynn.load_torch_state(model, state, {"head": "out", "body.fc1": "out"})
        with pytest.raises(TypeError, match="names must be a dict"):
            pynn.load_torch_state(model, state, ["hidden"])
    named = {key.replace("body.fc1", "out").replace("head", "hidden"): value for key, value in state.items()}
    with unchanged(model), pytest.raises(ValueError, match=r"out gives \(3, 4\), and out/kernel has \(4, 4\)"):
        pynn.load_torch_state(model, named)  # by the names of the layers


def test_numbered_modules_come_in_the_order_of_their_numbers():
    model = pynn.Sequential([pynn.Input((2,)), *(layers.Dense(2) for _ in range(11))])
    state = {f"net.{n}.{p}": np.full((2, 2)[: 2 - (p == "bias")], n) for n in range(11) for p in ("weight", "bias")}
    pynn.load_torch_state(model, dict(sorted(state.items())))
    assert [w.flat[0] for w in model.get_weights()[::2]] == list(range(11))
    mixed = {key.replace("net.10", "head.0"): value for key, value in state.items()}
    with unchanged(model), pytest.raises(ValueError, match="Which module is which layer"):
        pynn.load_torch_state(model, mixed)


@pytest.mark.parametrize(
    ("make", "change", "message"),
    [
        (lambda: images(epsilon=1e-3), {}, r"1 as \w+: epsilon is 0.001, but PyTorch's is 1e-05: make the layer with"),
        (lambda: images(last=3), {}, r"13 gives \(5, 2\), and \w+/kernel has \(5, 3\)"),
        (images, {"0.bias": None}, r"0 as \w+: the module has weight, where weight, bias are needed"),
        (images, {"13.bias": np.zeros(2)}, r"13 as \w+: the module has weight, bias, where weight are needed"),
        (images, {"20.weight": np.zeros(2)}, r"modules without a layer:\s+20"),
        (images, {"1.running_var": np.zeros(3)}, r"1 gives \(3,\), and \w+/moving_variance has \(4,\)"),
        (images, {"0.weight": np.zeros((4, 27))}, r"weight has 2 axes, where 4 are needed"),
        (images, {"3.weight": np.zeros((8, 2, 3, 3))}, "that of a depthwise convolution is needed"),
    ],
)
def test_torch_states_that_do_not_fit_change_nothing(make, change, message):
    model, state = make(), state_of("images")
    state.update(change)
    state = {key: value for key, value in state.items() if value is not None}
    with unchanged(model), pytest.raises(ValueError, match=message):
        pynn.load_torch_state(model, state)


def test_torch_everything_that_does_not_match_is_listed():
    model, state = images(epsilon=1e-3, last=3), state_of("images")
    del state["0.bias"]
    with unchanged(model), pytest.raises(ValueError, match=r"(?s)of another kind:.*0 as.*1 as.*of another shape:.*13"):
        pynn.load_torch_state(model, state)


def test_torch_order_behind_a_flatten_that_nobody_knows():
    x = pynn.Input((4, 4, 2))
    y = layers.Permute((2, 1, 3))(layers.Conv2D(2, 1)(x))
    model = pynn.Model(x, layers.Dense(2)(layers.Flatten()(y)))
    state = {
        "0.weight": np.zeros((2, 2, 1, 1)),
        "0.bias": np.zeros(2),
        "1.weight": np.zeros((2, 32)),
        "1.bias": np.zeros(2),
    }
    with unchanged(model), pytest.raises(ValueError, match="It is not known in which order"):
        pynn.load_torch_state(model, state)


@pytest.mark.parametrize("state", [{3: np.zeros(2)}, {"0.weight": "a"}, {"0.weight": None}, 3, None])
def test_torch_states_of_other_kinds(state):
    with pytest.raises(TypeError):
        pynn.load_torch_state(pynn.Sequential([pynn.Input((2,)), layers.Dense(2)]), state)


# ---- scikit-learn ----------------------------------------------------------------------------------------------------
@pytest.mark.filterwarnings("ignore:.*:sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(
    ("kind", "targets"), [("MLPClassifier", 3), ("MLPClassifier", 2), ("MLPClassifier", "labels"), ("MLPRegressor", 2)]
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_sklearn_computes_the_same(kind, targets, dtype):
    neural = pytest.importorskip("sklearn.neural_network")
    random = np.random.default_rng(1)
    x = random.normal(size=(40, 4)).astype(dtype)
    y = random.integers(0, 2, (40, 3)) if targets == "labels" else random.integers(0, targets, 40)
    y = random.normal(size=(40, 2)) if kind == "MLPRegressor" else y
    for activation in ("identity", "logistic", "tanh", "relu"):
        mlp = getattr(neural, kind)(hidden_layer_sizes=(5, 4), activation=activation, max_iter=3, random_state=1).fit(
            x, y
        )
        model = pynn.from_sklearn(mlp)
        assert model.dtype == dtype
        expected = mlp.predict(x) if kind == "MLPRegressor" else mlp.predict_proba(x)
        found = model.predict(x, verbose=0)
        found = np.hstack([1 - found, found]) if targets == 2 and kind == "MLPClassifier" else found
        np.testing.assert_allclose(found, expected, rtol=1e-5 if dtype == "float32" else 1e-12, atol=1e-7)


def test_sklearn_estimators_of_pynn_give_a_copy():
    pytest.importorskip("sklearn", minversion="1.6")
    random = np.random.default_rng(1)
    x, y = random.normal(size=(40, 4)), random.integers(0, 3, 40)
    mlp = pynn.sklearn.MLPClassifier((5,), batch_normalization=True, dropout=0.2, max_iter=2, tol=0, random_state=1)
    with pytest.raises(TypeError, match="call its fit"):
        pynn.from_sklearn(mlp)
    with pytest.warns(UserWarning, match="iterations"):
        mlp.fit(x, y)
    model = pynn.from_sklearn(mlp)
    np.testing.assert_allclose(model.predict(x, verbose=0), mlp.predict_proba(x), rtol=1e-12)
    expected = mlp.predict_proba(x)
    model.set_weights([w + 1 for w in model.get_weights()])
    np.testing.assert_array_equal(mlp.predict_proba(x), expected)


def test_sklearn_needs_a_fitted_network():
    neural = pytest.importorskip("sklearn.neural_network")
    with pytest.raises(TypeError, match="call its fit"):
        pynn.from_sklearn(neural.MLPClassifier())
    with pytest.raises(TypeError, match="mlp must be a fitted MLPClassifier or MLPRegressor, but got 3"):
        pynn.from_sklearn(3)


@pytest.mark.parametrize("first", [b"\x80", b"P"])
def test_safetensors_files_may_begin_with_any_byte(first, tmp_path):
    """They begin with the length of their header."""
    model = pynn.Sequential([pynn.Input((3,)), layers.Dense(2)])
    arrays = {"x.weight": np.arange(6, dtype="float32").reshape(2, 3), "x.bias": np.ones(2, "float32")}
    header = (
        b'{"x.weight":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},'
        b'"x.bias":{"dtype":"F32","shape":[2],"data_offsets":[24,32]}}'
    )
    wanted = 0x180 if first == b"\x80" else 0x4B50
    header = header.ljust(wanted)
    path = tmp_path / "x.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header + b"".join(a.tobytes() for a in arrays.values()))
    assert path.read_bytes()[:1] == first
    pynn.load_torch_state(model, path, names={"x": model.layers[0].name})
    np.testing.assert_array_equal(model.get_weights()[0], arrays["x.weight"].T)

"""The handwritten digits in the repository: loading them, and learning from a part of them."""

import gzip
import pathlib
import sys
import types

import numpy as np
import pytest
from helpers import bits

import pynn
from pynn.datasets import mnist

DATA = pathlib.Path(__file__).resolve().parent.parent / "data" / "mnist"
pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="the repository's data/mnist is not here")


def make_model():
    pynn.set_random_seed(0)
    model = pynn.Sequential(
        [
            pynn.Input((28, 28)),
            pynn.layers.Rescaling(1 / 255),
            pynn.layers.Flatten(),
            pynn.layers.Dense(64, activation="relu"),
            pynn.layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def test_mnist_load_data():
    (x_train, y_train), (x_test, y_test) = mnist.load_data(DATA)
    assert (x_train.shape, x_test.shape) == ((60_000, 28, 28), (10_000, 28, 28))
    assert (y_train.shape, y_test.shape) == ((60_000,), (10_000,))
    assert x_train.dtype == x_test.dtype == y_train.dtype == y_test.dtype == np.uint8
    assert list(y_train[:5]) == [5, 0, 4, 1, 9]
    assert list(y_test[:5]) == [7, 2, 1, 0, 4]
    assert x_train.max() == 255
    assert x_train.flags.writeable


def test_mnist_learns():
    (x_train, y_train), (x_test, y_test) = mnist.load_data(DATA)
    model = make_model()
    model.fit(x_train[:10_000], y_train[:10_000], epochs=4, verbose=0)
    assert model.evaluate(x_test, y_test, verbose=0, return_dict=True)["accuracy"] > 0.93


def test_mnist_floats_equal_bytes_with_rescaling():
    """Images as bytes with a Rescaling layer, or scaled in NumPy: the same up to rounding."""
    (x, y), _ = mnist.load_data(DATA)
    x, y = x[:500], y[:500]
    as_bytes = make_model()
    as_floats = pynn.Sequential(
        [
            pynn.Input((28, 28)),
            pynn.layers.Flatten(),
            pynn.layers.Dense(64, activation="relu"),
            pynn.layers.Dense(10, activation="softmax"),
        ]
    )
    as_floats.set_weights(as_bytes.get_weights())
    expected = as_floats.predict(x.astype(np.float32) / np.float32(255), verbose=0)
    np.testing.assert_allclose(as_bytes.predict(x, verbose=0), expected, rtol=1e-4, atol=1e-6)
    # Bytes are converted in the engine, to what float32 of the same images gives
    again = make_model()
    as_bytes.fit(x, y, verbose=0)
    again.fit(x.astype(np.float32), y, verbose=0)
    assert bits(as_bytes) == bits(again)


def test_mnist_missing_path_says_so(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"ubyte"):
        mnist.load_data(tmp_path)


@pytest.mark.parametrize("folder", [DATA, DATA.parent, str(DATA)], ids=["mnist", "data", "text"])
def test_mnist_path_or_environment(monkeypatch, folder):
    monkeypatch.setenv("PYNN_DATA", str(folder))
    (_, labels), _ = mnist.load_data()
    assert labels.shape == (60_000,)
    monkeypatch.setenv("PYNN_DATA", "/nowhere")
    (_, labels), _ = mnist.load_data(folder)
    assert labels.shape == (60_000,)


def test_mnist_is_downloaded_into_the_cache(monkeypatch, tmp_path):
    """Without a path: what the cache lacks is fetched with pooch, once."""
    fetched = []

    def retrieve(url, known_hash, fname, path):
        fetched.append(url.rsplit("/", 1)[1])
        path.mkdir(parents=True, exist_ok=True)
        (path / fname).symlink_to(DATA / fname)

    monkeypatch.delenv("PYNN_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setitem(sys.modules, "pooch", types.SimpleNamespace(retrieve=retrieve))
    for _ in range(2):
        (_, labels), _ = mnist.load_data()
        assert labels.shape == (60_000,)
    assert sorted(fetched) == sorted(path.name for path in DATA.glob("*.gz"))
    assert (tmp_path / "pynn" / "mnist").is_dir()


def test_mnist_without_pooch_says_what_to_do(monkeypatch, tmp_path):
    monkeypatch.delenv("PYNN_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setitem(sys.modules, "pooch", None)
    with pytest.raises(ImportError, match=r"pip install pooch.*PYNN_DATA"):
        mnist.load_data()


DAMAGE = {
    "truncated": lambda content: content[:-100],
    "not-gzip": lambda content: gzip.decompress(content),
    "short": lambda content: gzip.compress(gzip.decompress(content)[:-1]),
    "flipped-bit": lambda content: content[:2000] + bytes([content[2000] ^ 1]) + content[2001:],
    "other-content": lambda content: gzip.compress(gzip.decompress(content)[:-1] + b"\0"),
    "images-for-labels": lambda content: gzip.compress(gzip.decompress(content)[:3] + b"\3" + bytes(12)),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_mnist_damaged_file_says_so(tmp_path, damage):
    for file in DATA.glob("*.gz"):
        (tmp_path / file.name).symlink_to(file)
    victim = tmp_path / "t10k-labels-idx1-ubyte.gz"
    content = DAMAGE[damage](victim.read_bytes())
    victim.unlink()
    victim.write_bytes(content)
    with pytest.raises(ValueError, match="t10k-labels"):
        mnist.load_data(tmp_path)

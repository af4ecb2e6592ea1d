"""The handwritten digits in the repository: loading them, and learning from a part of them."""

import gzip
import http.server
import pathlib
import threading

import numpy as np
import pytest
from helpers import bits
from tiers import slow

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


@pytest.fixture(scope="module")
def digits():
    """The images, which no test changes."""
    return mnist.load_data(DATA)


def test_mnist_learns(digits):
    (x_train, y_train), (x_test, y_test) = digits
    model = make_model()
    model.fit(x_train[:10_000], y_train[:10_000], epochs=4, verbose=0)
    assert model.evaluate(x_test, y_test, verbose=0, return_dict=True)["accuracy"] > 0.93


def test_mnist_floats_equal_bytes_with_rescaling(digits):
    """Images as bytes with a Rescaling layer, or scaled in NumPy: the same up to rounding."""
    (x, y), _ = digits
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


@pytest.mark.parametrize("folder", [DATA.parent, *slow(DATA, str(DATA))], ids=["data", "mnist", "text"])
def test_mnist_path_or_environment(monkeypatch, folder):
    monkeypatch.setenv("PYNN_DATA", str(folder))
    (_, labels), _ = mnist.load_data()
    assert labels.shape == (60_000,)
    monkeypatch.setenv("PYNN_DATA", "/nowhere")
    (_, labels), _ = mnist.load_data(folder)
    assert labels.shape == (60_000,)


@pytest.fixture
def cache(monkeypatch, tmp_path):
    """A cache folder of the test's own, which is not there yet; the mirrors give what files are in `mirror`."""
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    monkeypatch.delenv("PYNN_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(mnist, "_MIRRORS", (f"{(tmp_path / 'nowhere').as_uri()}/", f"{mirror.as_uri()}/"))
    return tmp_path / "cache" / "pynn" / "mnist"


def test_mnist_is_downloaded_into_the_cache(cache, tmp_path):
    """Without a path: what the cache lacks is fetched from the first mirror that has it, once."""
    for file in DATA.glob("*.gz"):
        (tmp_path / "mirror" / file.name).symlink_to(file)
    for _ in range(2):
        (_, labels), _ = mnist.load_data()
        assert labels.shape == (60_000,)
        for file in (tmp_path / "mirror").iterdir():
            file.unlink()
    assert {file.name: file.read_bytes() for file in cache.iterdir()} == {
        file.name: file.read_bytes() for file in DATA.glob("*.gz")
    }


class Answers(http.server.BaseHTTPRequestHandler):
    """Gives `body` for every file, and says that it has `length` bytes; no answer at all without a body."""

    body = length = None

    def do_GET(self):
        if self.body is None:
            self.server.done.wait(20)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(self.length))
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, *args):
        pass


@pytest.fixture
def server(monkeypatch):
    """A web server on this machine, as the only mirror."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), type("Own", (Answers,), {}))
    server.done = threading.Event()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    monkeypatch.setattr(mnist, "_MIRRORS", (f"http://127.0.0.1:{server.server_address[1]}/mnist/",))
    monkeypatch.setenv("no_proxy", "*")
    yield server
    server.done.set()
    server.shutdown()
    thread.join()
    server.server_close()


def test_mnist_is_downloaded_from_the_web(cache, server):
    file = DATA / "t10k-labels-idx1-ubyte.gz"
    server.RequestHandlerClass.body = file.read_bytes()
    server.RequestHandlerClass.length = file.stat().st_size
    mnist._download(cache / file.name, mnist._FILES["t10k-labels-idx1-ubyte"])
    assert [each.name for each in cache.iterdir()] == [file.name]
    assert (cache / file.name).read_bytes() == file.read_bytes()


def test_mnist_that_cannot_be_downloaded_says_what_to_do(cache, monkeypatch):
    with pytest.raises(FileNotFoundError) as error:
        mnist.load_data()
    message = str(error.value)
    for part in (str(cache / "train-images-idx3-ubyte.gz"), *mnist._MIRRORS, *list(mnist._FILES.values())[:1]):
        assert part in message
    assert "\n" not in message
    assert not cache.parent.exists()


def test_mnist_mirror_that_does_not_answer_is_left(cache, server, monkeypatch):
    monkeypatch.setattr(mnist, "_TIME_OUT", 0.05)
    with pytest.raises(FileNotFoundError, match="timed out"):
        mnist.load_data()
    assert not cache.exists()


@pytest.mark.parametrize("damage", ["cut", "page", *slow("truncated", "endless", "other-content")])
def test_mnist_damaged_download_is_refused(cache, server, damage):
    content = (DATA / "train-images-idx3-ubyte.gz").read_bytes()
    handler = server.RequestHandlerClass
    handler.body = {
        "truncated": lambda: content[:-100],
        "cut": lambda: content[:1000],
        "endless": lambda: gzip.compress(bytes(2 * mnist._LARGEST)),
        "page": lambda: b"<html>Log in to the network</html>",
        "other-content": lambda: (DATA / "t10k-images-idx3-ubyte.gz").read_bytes(),
    }[damage]()
    handler.length = len(content) if damage == "cut" else len(handler.body)  # cut: the connection ends too early
    with pytest.raises(FileNotFoundError, match=r"train-images.*damaged"):
        mnist.load_data()
    assert not cache.exists()


def test_mnist_file_that_cannot_be_written_is_not_left_behind(cache, tmp_path, monkeypatch):
    for file in DATA.glob("*.gz"):
        (tmp_path / "mirror" / file.name).symlink_to(file)

    def full(*args):
        raise OSError("no space left on device")

    monkeypatch.setattr(mnist.os, "replace", full)
    with pytest.raises(OSError, match="no space"):
        mnist.load_data()
    assert list(cache.iterdir()) == []


DAMAGE = {
    "truncated": lambda content: content[:-100],
    "not-gzip": lambda content: gzip.decompress(content),
    "short": lambda content: gzip.compress(gzip.decompress(content)[:-1]),
    "flipped-bit": lambda content: content[:2000] + bytes([content[2000] ^ 1]) + content[2001:],
    "other-content": lambda content: gzip.compress(gzip.decompress(content)[:-1] + b"\0"),
    "images-for-labels": lambda content: gzip.compress(gzip.decompress(content)[:3] + b"\3" + bytes(12)),
}


@pytest.mark.parametrize("damage", ["truncated", "flipped-bit", *slow(*list(DAMAGE)[1:3], *list(DAMAGE)[4:])])
def test_mnist_damaged_file_says_so(tmp_path, damage):
    for file in DATA.glob("*.gz"):
        (tmp_path / file.name).symlink_to(file)
    victim = tmp_path / "t10k-labels-idx1-ubyte.gz"
    content = DAMAGE[damage](victim.read_bytes())
    victim.unlink()
    victim.write_bytes(content)
    with pytest.raises(ValueError, match="t10k-labels"):
        mnist.load_data(tmp_path)

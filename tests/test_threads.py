"""Results do not depend on the number of threads, bit for bit; how many there are by default.

The networks here are wide, because the engine gives small ones to a single thread whatever it is told.
"""

import os
import subprocess
import sys

import numpy as np
import pytest
from helpers import THREADS, bits
from tiers import DTYPES_OF_TEAMS, slow

import pynn
from pynn import layers, optimizers
from pynn.foundation import parallel


def make_wide_model(dtype="float32", optimizer="sgd", loss="sparse_categorical_crossentropy", last="softmax"):
    """Every kind of layer, and products of several sizes."""
    pynn.set_random_seed(8)
    model = pynn.Sequential(
        [
            pynn.Input((30, 10)),
            layers.Rescaling(1 / 255, dtype=dtype),
            layers.Dense(12, activation="tanh"),
            layers.Flatten(),
            layers.Dense(200),
            layers.LeakyReLU(),
            layers.Reshape((20, 10)),
            layers.Softmax(axis=1),
            layers.Dense(16, activation="gelu"),
            layers.Flatten(),
            layers.Dense(300, activation="relu"),
            layers.Dense(10, activation=last),
        ]
    )
    model.compile(optimizer, loss, metrics=["accuracy"] if last == "softmax" else ["mse"])
    return model


def make_wide_data(rows, seed=1):
    random = np.random.default_rng(seed)
    return random.integers(0, 256, (rows, 30, 10), dtype=np.uint8), random.integers(0, 10, rows)


def results(make, x, y, batch_size):
    """All that a run gives, for each number of threads; a set of one if they agree."""
    seen = set()
    for threads in THREADS:
        pynn.config.set_num_threads(threads)
        model = make()
        history = model.fit(x, y, batch_size=batch_size, epochs=2, validation_split=0.2, verbose=0)
        values = model.evaluate(x, y, verbose=0)
        seen.add((bits(model), str(history.history), str(values), model.predict(x, verbose=0).tobytes()))
    return seen


@pytest.mark.parametrize(
    ("dtype", "batch_size"),
    [
        *(("float32", 1), ("float32", 32), ("float32", 300), ("float64", 32)),
        *(pytest.param("float32", n, marks=pytest.mark.slow) for n in (7, 100, 256, 600, "full")),
        *(pytest.param("float64", n, marks=pytest.mark.slow) for n in (1, 7, 100, 256, 300, 600, "full")),
    ],
)
def test_threads_batch_size(dtype, batch_size):
    rows = 40 if batch_size == 1 else 800
    x, y = make_wide_data(rows)
    assert len(results(lambda: make_wide_model(dtype), x, y, batch_size)) == 1


@pytest.mark.parametrize(
    "optimizer",
    [
        *((name, {}) for name in ("SGD", "Adam")),
        *slow(*((name, {}) for name in ("RMSprop", "Adagrad", "Adadelta", "AdamW", "Adamax", "Nadam"))),
        *(("Adam", {clip: 0.01}) for clip in ("clipvalue", "clipnorm", "global_clipnorm")),
        ("SGD", {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
    ],
    ids=str,
)
def test_threads_optimizer(optimizer):
    x, y = make_wide_data(150)
    name, config = optimizer
    assert len(results(lambda: make_wide_model(optimizer=getattr(optimizers, name)(**config)), x, y, 40)) == 1


@pytest.mark.parametrize(
    ("loss", "last"),
    [
        ("mean_squared_error", "linear"),
        ("cosine_similarity", "tanh"),
        ("binary_crossentropy", "sigmoid"),
        ("kl_divergence", "softmax"),
        ("huber", "softplus"),
    ],
)
def test_threads_loss(loss, last):
    x, y = make_wide_data(150)
    assert len(results(lambda: make_wide_model(loss=loss, last=last), x, np.eye(10)[y], 40)) == 1


@pytest.mark.parametrize(("inputs", "units", "rows"), [(784, 128, 32), (784, 300, 7), (784, 33, 256), (2000, 500, 64)])
@pytest.mark.parametrize("dtype", DTYPES_OF_TEAMS)
def test_threads_shapes(inputs, units, rows, dtype, random):
    """Products on either side of where BLAS takes over; the last batch is smaller."""
    x, y = random.normal(size=(2 * rows + 5, inputs)), random.integers(0, 10, 2 * rows + 5)

    def make():
        pynn.set_random_seed(8)
        stack = [layers.Dense(units, activation="relu", dtype=dtype), layers.Dense(10, activation="softmax")]
        model = pynn.Sequential([pynn.Input((inputs,)), *stack])
        model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        return model

    assert len(results(make, x, y, rows)) == 1


def test_threads_in_fresh_processes():
    """The same bits in a new process, whatever hashes and the environment are."""
    program = """
import hashlib, numpy as np, pynn
pynn.set_random_seed(4)
x = np.random.normal(size=(300, 50)); y = np.random.randint(0, 5, 300)
model = pynn.Sequential([pynn.Input((50,)), pynn.layers.Dense(300, activation="relu"), pynn.layers.Dense(5)])
model.compile("adam", pynn.losses.SparseCategoricalCrossentropy(from_logits=True))
model.fit(x, y, epochs=2, verbose=0)
print(hashlib.sha256(b"".join(w.tobytes() for w in model.get_weights())).hexdigest())
"""
    seen = set()
    for threads, hash_seed in ((1, 0), (2, 1), (3, 12345)):
        environment = {**os.environ, "PYNN_NUM_THREADS": str(threads), "PYTHONHASHSEED": str(hash_seed)}
        seen.add(subprocess.check_output([sys.executable, "-c", program], cwd="/", env=environment))
    assert len(seen) == 1


# ---- the default -----------------------------------------------------------------------------------------------------
def write_groups(root, files):
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@pytest.mark.parametrize(
    ("membership", "files", "quota"),
    [
        ("0::/job\n", {"job/cpu.max": "150000 100000\n"}, 1.5),
        ("0::/job\n", {"job/cpu.max": "max 100000\n", "cpu.max": "300000 100000\n"}, 3.0),
        ("0::/a/b\n", {"a/b/cpu.max": "400000 100000", "a/cpu.max": "200000 100000"}, 2.0),
        ("0::/not/mounted\n", {"cpu.max": "50000 100000\n"}, 0.5),
        ("0::/\n", {}, np.inf),
        ("4:cpu,cpuacct:/j\n", {"cpu/j/cpu.cfs_quota_us": "250000\n", "cpu/j/cpu.cfs_period_us": "100000\n"}, 2.5),
        ("4:cpu,cpuacct:/j\n", {"cpu/j/cpu.cfs_quota_us": "-1\n", "cpu/j/cpu.cfs_period_us": "100000\n"}, np.inf),
        ("3:memory:/j\n", {"j/cpu.max": "100000 100000"}, np.inf),
        ("garbage\n", {"cpu.max": "not numbers"}, np.inf),
    ],
)
def test_default_threads_follow_control_groups(tmp_path, membership, files, quota):
    (tmp_path / "membership").write_text(membership)
    write_groups(tmp_path / "groups", files)
    assert parallel.cgroup_quota(str(tmp_path / "membership"), str(tmp_path / "groups")) == quota


def test_default_threads_without_control_groups(tmp_path):
    assert parallel.cgroup_quota(str(tmp_path / "nothing"), str(tmp_path)) == np.inf


@pytest.mark.parametrize(
    ("own", "openmp", "threads"),
    [("3", None, 3), (None, "5", 5), ("2", "5", 2), (None, "4,2", 4), (" 6 ", None, 6), ("", "5", 5)],
)
def test_default_threads_from_the_environment(monkeypatch, own, openmp, threads):
    for name, value in (("PYNN_NUM_THREADS", own), ("OMP_NUM_THREADS", openmp)):
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)
    assert parallel.default_num_threads() == threads


@pytest.mark.parametrize("value", ["0", "-1", "two", "1.5", "99999999999"])
def test_default_threads_bad_environment_names_it(monkeypatch, value):
    monkeypatch.setenv("PYNN_NUM_THREADS", value)
    with pytest.raises(ValueError, match="PYNN_NUM_THREADS"):
        parallel.default_num_threads()
    monkeypatch.delenv("PYNN_NUM_THREADS")
    monkeypatch.setenv("OMP_NUM_THREADS", value)
    assert parallel.default_num_threads() >= 1

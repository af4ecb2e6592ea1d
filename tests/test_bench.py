"""The benchmarks compare what they say: the sides do the same work, and the programs run."""

import dataclasses
import importlib.util
import json
import pathlib
import subprocess
import sys

import numpy as np
import pytest

BENCH = pathlib.Path(__file__).resolve().parent.parent / "bench"
if not BENCH.is_dir():
    pytest.skip("the repository's benchmarks are not here", allow_module_level=True)
sys.path.append(str(BENCH))

import compare  # noqa: E402
import footprint  # noqa: E402
import kernels  # noqa: E402
import measure  # noqa: E402
import plot  # noqa: E402
import report  # noqa: E402
import training_data  # noqa: E402
from measure import Series  # noqa: E402
from networks import NETWORKS, Recurrent  # noqa: E402
from numpy_baseline import NumpyNetwork  # noqa: E402
from numpy_layers import Convolution, MaxPool  # noqa: E402
from processes import Worker, WorkerError, environment, keras_backend  # noqa: E402
from sides import SIDES, library  # noqa: E402

ROWS = {"train": 640, "test": 100}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Files like MNIST's, of few images, each class with a pattern of its own."""
    path = tmp_path_factory.mktemp("images")
    random = np.random.default_rng(1)
    patterns = random.integers(0, 200, (10, 28, 28)) * (random.random((10, 28, 28)) < 0.2)  # dark, as in MNIST
    for part, rows in ROWS.items():
        y = random.integers(0, 10, rows)
        x = patterns[y] + random.integers(0, 56, (rows, 28, 28))
        x.astype(np.uint8).tofile(path / f"{part}-x")
        y.astype(np.uint8).tofile(path / f"{part}-y")
    return path


def installed(side):
    _, module, *_ = SIDES[side].program.split()
    return importlib.util.find_spec(module.split(".")[0]) is not None


# ---- the same work ---------------------------------------------------------------------------------------------------
@pytest.mark.slow
@pytest.mark.parametrize("name", ["mlp128", "mlp16", "online", "cnn", "rnn2", "lstm", "gru", "lstm128", "xor"])
def test_numpy_network_trains_as_pynn(name, folder):
    from sides.pynn_side import make_model

    network = NETWORKS[name]
    if any(isinstance(layer, Recurrent) for layer in network.layers):
        # Adam makes as much of a gradient that is nearly 0, with its rounding, as of a large one.
        network = dataclasses.replace(network, optimizer="sgd", learning_rate=0.1)
    model, baseline = make_model(network), NumpyNetwork(network)
    model.set_weights(baseline.weights)
    start = [w.copy() for w in baseline.weights]
    ours = training_data.load(network, folder, as_bytes=True)
    theirs = training_data.load(network, folder, as_bytes=False)
    for step in range(5 if name != "lstm128" else 2):  # NumPy takes seconds for a step of it
        rows = slice(step * network.batch, (step + 1) * network.batch) if name != "xor" else slice(None)
        model.train_on_batch(ours.x[rows], ours.y[rows])
        baseline.train_step(theirs.x[rows], theirs.y[rows])
    moved = max(np.abs(w - s).max() for w, s in zip(baseline.weights, start, strict=True))
    assert moved > 1e-3
    for w, expected in zip(baseline.weights, model.get_weights(), strict=True):
        np.testing.assert_allclose(w, expected, atol=moved / 1000)
    predicted = model.predict(ours.x_test[:100], verbose=0)
    np.testing.assert_allclose(baseline.predict(theirs.x_test[:100]), predicted, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mlp16", "cnn"])
def test_numpy_gradients_are_those_of_the_loss(name, folder):
    """Central differences, on weights of every layer."""
    network = NETWORKS[name]
    data = training_data.load(network, folder, as_bytes=False)
    x, y = data.x[:32], data.y[:32]
    baseline = NumpyNetwork(network)
    baseline.gradient(x, y)
    slopes = baseline.gradients.copy()

    def loss():
        return -np.log(baseline.predict(x)[np.arange(32), y].astype(np.float64)).mean()

    for place in np.argsort(-np.abs(slopes))[:40:3]:
        value = baseline.values[place]
        losses = []
        for shift in (5e-4, -5e-4):  # more would pass kinks of ReLU and of pooling
            baseline.values[place] = value + np.float32(shift)
            losses.append(loss())
        baseline.values[place] = value
        assert (losses[0] - losses[1]) / 1e-3 == pytest.approx(slopes[place], rel=0.05)


def test_numpy_convolution_and_pooling_in_float64():
    """Central differences again, of everything: an oblong kernel, and windows that leave rows out."""
    random = np.random.default_rng(1)
    convolution, pooling = Convolution((7, 8, 3), 5, (3, 2)), MaxPool((2, 3))
    weights = [random.normal(size=shape) for shape in convolution.shapes]
    gradients = [np.empty(shape) for shape in convolution.shapes]
    convolution.use(weights, gradients)
    x = random.normal(size=(2, 7, 8, 3))
    dy = random.normal(size=(2, 2, 2, 5))

    def loss():
        return (pooling.forward(convolution.forward(x)) * dy).sum()

    loss()
    dx = convolution.backward(pooling.backward(dy, True), True)
    for values, slopes in zip((x, *weights), (dx, *gradients), strict=True):
        for place in np.ndindex(values.shape):
            value, losses = values[place], []
            for shift in (1e-6, -1e-6):
                values[place] = value + shift
                losses.append(loss())
            values[place] = value
            assert (losses[0] - losses[1]) / 2e-6 == pytest.approx(slopes[place], abs=1e-6)


def write_jax(library, weights):
    import jax

    leaves, tree = jax.tree.flatten(library.state[0])
    new = [jax.numpy.array(w.reshape(leaf.shape)) for w, leaf in zip(weights, leaves, strict=True)]
    library.state = (jax.tree.unflatten(tree, new), library.state[1])


def write_torch(library, weights):
    """Kernels are transposed there, and the gate that resets comes first in a GRU."""
    import torch

    waiting = iter(weights)

    def fill(*places, order=None):
        for place in places:
            weight = next(waiting)
            if order:
                weight = weight.reshape(len(weight), len(order), -1)[:, order].reshape(weight.shape)
            place = place.detach().T if place.ndim == 2 else place.detach()
            place.copy_(torch.from_numpy(weight).reshape(place.shape))

    for module in library.model.modules():
        if isinstance(module, torch.nn.MultiheadAttention):
            for pair in zip(module.in_proj_weight.chunk(3), module.in_proj_bias.chunk(3), strict=True):
                fill(*pair)
        elif isinstance(module, torch.nn.GRU):
            fill(module.weight_ih_l0, module.weight_hh_l0, order=[1, 0, 2])
            biases = torch.stack([module.bias_ih_l0, module.bias_hh_l0]).detach().T.contiguous()
            fill(biases, order=[1, 0, 2])
            module.bias_ih_l0.detach().copy_(biases[:, 0])
            module.bias_hh_l0.detach().copy_(biases[:, 1])
        elif isinstance(module, torch.nn.RNNBase):
            fill(module.weight_ih_l0, module.weight_hh_l0, module.bias_ih_l0)
        elif isinstance(module, torch.nn.Linear | torch.nn.LayerNorm):
            fill(module.weight, module.bias)
    assert next(waiting, None) is None


def write_keras(library, weights):
    library.model.set_weights(weights)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["rnn2", "lstm", "gru", "lstm128", "transformer"])
@pytest.mark.parametrize(("side", "write"), [("torch", write_torch), ("jax", write_jax), ("keras", write_keras)])
def test_peers_train_as_pynn(side, write, name, folder, monkeypatch):
    """From the same weights, with a single batch an epoch."""
    if not installed(side):
        pytest.skip(f"{side} is not installed")
    monkeypatch.setenv("KERAS_BACKEND", keras_backend())
    network = dataclasses.replace(NETWORKS[name], rows=32)
    data = [training_data.load(network, folder, as_bytes=as_bytes) for as_bytes in (True, False)]
    ours, theirs = (library(which)(network, its, 1) for which, its in zip(("pynn", side), data, strict=True))
    random = np.random.default_rng(1)  # zeros would not tell one bias from another
    weights = [w + random.normal(0, 0.05, w.shape).astype(np.float32) for w in ours.model.get_weights()]
    ours.model.set_weights(weights)
    write(theirs, weights)
    rows = [its.x_test[:100] for its in data]
    before = ours.predict(rows[0])
    np.testing.assert_allclose(theirs.predict(theirs.take(rows[1])), before, atol=2e-6)
    for _ in range(3):
        ours.epoch()
        theirs.epoch()
    after = ours.predict(rows[0])
    moved = np.abs(after - before).max()
    assert moved > 0.02
    # A share of it: PyTorch adds Adam's epsilon after the correction of the moments, the others before
    np.testing.assert_allclose(theirs.predict(theirs.take(rows[1])), after, atol=moved / 100)


def test_first_of_equal_maxima_gets_the_gradient():
    pooling = MaxPool((2, 2))
    assert pooling.forward(np.ones((1, 2, 2, 1), np.float32)).tolist() == [[[[1]]]]
    slopes = pooling.backward(np.full((1, 1, 1, 1), 3, np.float32), True)
    assert slopes.ravel().tolist() == [3, 0, 0, 0]


def test_onnx_network_predicts_as_numpy(folder):
    """The order of the channels is another in ONNX."""
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    from sides.onnxruntime_side import Library

    data = training_data.load(NETWORKS["cnn"], folder, as_bytes=False)
    onnx = Library(NETWORKS["cnn"], data, 1)
    expected = NumpyNetwork(NETWORKS["cnn"]).predict(data.x_test)
    np.testing.assert_allclose(onnx.predict(onnx.take(data.x_test)), expected, atol=1e-5)


@pytest.mark.parametrize("groups", [1, 2])
def test_convolution_beside_torch(groups):
    """Which looks that both make the same of the same numbers."""
    pytest.importorskip("torch")
    import convolutions

    row = convolutions.measure(convolutions.Layer("tiny", 7, 4, 6, 3, groups=groups), 1)
    assert all(float(figure) > 0 for figure in row.removeprefix("tiny").split())


def test_layer_beside_torch():
    """Both leave the shape as it is, and the table has a row."""
    pytest.importorskip("torch")
    import layers

    for case in layers.CASES:
        x = np.ones((layers.BATCH, *case.shape), np.float32)
        predict, train = layers.their_calls(case, x, 1)
        assert predict().numel() == x.size
        train()
        assert layers.our_calls(case, x, 1)[0]().shape == x.shape
    assert len(layers.measure(layers.CASES[0], 1).split()) == 7


def test_images_are_read_in_blocks_and_scaled(folder, monkeypatch):
    monkeypatch.setattr(training_data, "BLOCK", 33)
    raw = training_data.load(NETWORKS["mlp16"], folder, as_bytes=True)
    scaled = training_data.load(NETWORKS["mlp16"], folder, as_bytes=False)
    assert raw.x.shape == (ROWS["train"], 28, 28)
    assert training_data.load(NETWORKS["cnn"], folder, as_bytes=True).x.shape == (ROWS["train"], 28, 28, 1)
    assert raw.x.dtype == np.uint8
    assert scaled.x.dtype == scaled.x_test.dtype == np.float32
    np.testing.assert_array_equal(scaled.x, raw.x / np.float32(255))
    np.testing.assert_array_equal(scaled.x_test, raw.x_test / np.float32(255))


def test_flop_of_a_network():
    first, second = 784 * 128, 128 * 10
    assert NETWORKS["mlp128"].forward_flop() == 2 * (first + second)
    assert NETWORKS["mlp128"].training_flop() == 2 * (2 * first + 3 * second)
    assert NETWORKS["mlp128"].steps == 1875
    assert NETWORKS["xor"].steps == 100_000
    layers = (26 * 26 * 9 * 32, 11 * 11 * 9 * 32 * 64, 1600 * 64, 64 * 10)
    assert NETWORKS["cnn"].forward_flop() == 2 * sum(layers) == 5_056_000
    assert NETWORKS["cnn"].training_flop() == 2 * (3 * sum(layers) - layers[0]) == 14_778_624
    assert sum(weights.size for weights in NumpyNetwork(NETWORKS["cnn"]).weights) == 121_930
    # Of the recurrent layer that comes first, only the products with the state have gradients of what they multiply
    with_input, with_state, dense = 28 * 28 * 256, 28 * 64 * 256, 64 * 10
    assert NETWORKS["lstm"].forward_flop() == 2 * (with_input + with_state + dense)
    assert NETWORKS["lstm"].training_flop() == 2 * (2 * with_input + 3 * (with_state + dense))
    projections, scores, rest = 64 * 64 * 64, 64 * 64 * 64, 2 * 64 * 64 * 128 + 64 * 10
    assert NETWORKS["transformer"].forward_flop() == 2 * (4 * projections + 2 * scores + rest)
    assert NETWORKS["transformer"].training_flop() == 2 * (3 * (4 * projections + 2 * scores + rest) - 3 * projections)
    assert NETWORKS["cnn"].describe().startswith("28x28x1-conv 32 3x3-max 2x2-conv 64 3x3-max 2x2-64-10, Adam 0.001,")


# ---- the worker processes --------------------------------------------------------------------------------------------
@pytest.mark.slow
@pytest.mark.parametrize("side", SIDES)
def test_side_in_a_worker(side, folder):
    if not installed(side):
        pytest.skip(f"{side} is not installed")
    with Worker(side, 1) as worker:
        assert set(worker.ask("versions")) == set(SIDES[side].packages)
        assert worker.ask("prepare", network="mlp16", folder=str(folder)) == {}
        if SIDES[side].trains:
            assert all(worker.ask("epoch")["seconds"] > 0 for _ in range(10))
            assert worker.ask("accuracy")["accuracy"] > 0.9
        assert all(seconds > 0 for seconds in worker.ask("one_row", seconds=0.001)["ways"].values())
        assert worker.ask("predict")["seconds"] > 0
        memory = worker.ask("memory")
        assert 10e6 < memory["before"] <= memory["peak"]
        if SIDES[side].dense_only:
            with pytest.raises(WorkerError, match="dense layers only"):
                worker.ask("prepare", network="cnn", folder=str(folder))
            return
        assert worker.ask("prepare", network="cnn", folder=str(folder)) == {}
        if SIDES[side].trains:
            assert worker.ask("epoch")["seconds"] > 0
            assert worker.ask("accuracy")["accuracy"] > 0.7
        assert worker.ask("predict")["seconds"] > 0


def test_memory_is_the_worker_s_own(folder):
    ballast = np.ones(100_000_000, np.float32)
    with Worker("numpy", 1) as worker:
        worker.ask("prepare", network="mlp16", folder=str(folder))
        assert worker.ask("memory")["peak"] < ballast.nbytes


def test_worker_that_fails_says_why(folder):
    with Worker("numpy", 1) as worker:
        with pytest.raises(WorkerError, match="KeyError: 'nothing'"):
            worker.ask("prepare", network="nothing", folder=str(folder))
        worker.ask("prepare", network="mlp16", folder=str(folder))  # it goes on
    with Worker("nothing", 1) as worker, pytest.raises(WorkerError, match=r"ended \(1\): KeyError: 'nothing'"):
        worker.ask("versions")


def test_environment_of_workers(monkeypatch):
    for name in ("OPENBLAS_CORETYPE", "PYTHONDONTWRITEBYTECODE", "PYNN_NUM_THREADS"):
        monkeypatch.setenv(name, "7")
    assert not {"OPENBLAS_CORETYPE", "PYTHONDONTWRITEBYTECODE", "PYNN_NUM_THREADS"} & set(environment())
    chosen = environment(2)
    assert chosen["PYNN_NUM_THREADS"] == chosen["OMP_NUM_THREADS"] == chosen["OPENBLAS_NUM_THREADS"] == "2"


class FailingWorker:
    """A worker without a process, whose second epoch fails."""

    def __init__(self, side):
        self.side, self.threads, self.failed, self.epochs = side, 1, False, 0

    def ask(self, do):
        self.epochs += 1
        if self.epochs > 1:
            raise WorkerError("no more")
        return {"seconds": 1.0}


def test_peer_that_fails_is_left_out(capsys):
    crew = measure.Crew([FailingWorker("torch")])
    assert measure.turns(crew, "train", "mlp16", 2, "epoch") == []
    assert "torch with 1 threads is left out: epoch: no more" in capsys.readouterr().err
    with pytest.raises(WorkerError):
        measure.turns(measure.Crew([FailingWorker("pynn")]), "train", "mlp16", 2, "epoch")


def test_side_without_the_layers_is_left_out():
    plan = measure.Plan(["pynn", "numpy", "sklearn"], [1, 2], 1, ["train"], BENCH)
    assert plan.lacking("mlp128") == []
    assert plan.lacking("cnn") == ["sklearn"]
    assert {side for side, _ in plan.pairs("mlp128")} == {"pynn", "numpy", "sklearn"}
    assert plan.pairs("cnn") == [("pynn", 1), ("pynn", 2), ("numpy", 1), ("numpy", 2)]


# ---- the report ------------------------------------------------------------------------------------------------------
def some_series():
    seconds = {("pynn", 1): 2.0, ("pynn", 2): 1.0, ("numpy", 1): 3.0, ("numpy", 2): 4.0}
    return [Series("train", "mlp128", *pair, "", [0.9 * s, s, 1.1 * s], s, 0.97) for pair, s in seconds.items()]


def test_better_threads_of_peers_and_all_of_pynn_are_shown():
    series = some_series()
    for one in series:
        one.limits = {"flop": 30e9 * one.threads, "bytes": 1e12}
    lines = report.train_table(series, [1, 2]).splitlines()
    cells = [line.split() for line in lines[1:]]
    assert [line[:3] for line in cells] == [["pynn", "1", "2.000"], ["pynn", "2", "1.000"], ["numpy", "1", "3.000"]]
    assert cells[2][5:7] == ["1.50", "3.00"]  # times pynn's seconds
    flop = NETWORKS["mlp128"].training_flop() * 60_000
    assert float(cells[0][7]) == pytest.approx(flop / 2 / 1e9, abs=0.05)
    assert cells[0][3] == "±5%"
    assert float(cells[0][8].rstrip("%")) == pytest.approx(flop / 30e9 / 2 * 100, abs=0.05)


def test_peers_are_compared_for_each_network_and_call():
    both = [
        Series("latency", network, "numpy", threads, way, [seconds])
        for network, seconds in (("mlp128", 2.0), ("mlp16", 1.0))
        for threads in (1, 2)
        for way in ("predict(x)", "model(x)")
    ]
    assert [(one.network, one.threads, one.way) for one in measure.best_of_peers(both)] == [
        (network, 1, way) for network in ("mlp128", "mlp16") for way in ("predict(x)", "model(x)")
    ]
    lines = report.latency_table([Series("latency", "mlp16", "pynn", 1, "model(x)", [0.5]), *both], [1]).splitlines()
    assert [line.split()[-1] for line in lines[2:]] == ["±0%", "±0%", "2.00", "2.00"]  # pynn ran mlp16 only


def test_every_kernel_can_be_timed():
    """What bench/kernels.py calls exists, and takes what it is given."""
    for found in kernels.ELEMENTWISE_GROUPS.values():
        for name, traffic, make in found("float32"):
            call, elements = make(100)
            call()
            assert elements > 0, name
            assert traffic > 0, name


@pytest.mark.slow
def test_plot_is_a_picture(tmp_path):
    pytest.importorskip("matplotlib")
    plot.draw(some_series(), tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_size_counts_dependencies_once():
    found = footprint.closure(["pynn"])
    assert {"pynn", "numpy"} <= found
    assert "pytest" not in found  # an extra
    assert footprint.size("numpy") > 5e6


def test_networks_that_predict():
    assert measure.predicts("mlp128", [])
    assert not measure.predicts("online", ["mlp128"])  # the same layers
    assert not measure.predicts("xor", [])  # too few rows


# ---- the program -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--networks", "mlp128,none"], "'none' not of mlp128"),
        (["--networks", ""], "'' not of"),
        (["--against", "pynn"], "'pynn' not of numpy"),
        (["--threads", "two"], "numbers with commas between, but is 'two'"),
        (["--threads", "0"], "at least 1"),
        (["--rounds", "0"], "at least 1"),
        (["--rounds", "a"], "invalid"),
        (["--sections", "speed"], "'speed' not of train"),
        (["--json", "/no/such/folder/a.json"], "cannot write"),
        (["mlp128"], "unrecognized"),
    ],
)
def test_bad_arguments(arguments, message, capsys):
    with pytest.raises(SystemExit) as error:
        compare.main(arguments)
    assert error.value.code == 2
    assert message in capsys.readouterr().err


def test_side_that_is_named_must_be_installed(capsys):
    absent = [side for side in SIDES if not installed(side)]
    if not absent:
        pytest.skip("everything is installed")
    with pytest.raises(SystemExit) as error:
        compare.main(["--against", f"numpy,{absent[0]}", "--sections", "size"])
    assert error.value.code == 2
    message = capsys.readouterr().err
    assert f"{absent[0]} is not there" in message
    assert SIDES[absent[0]].install in message


@pytest.mark.slow
def test_program(tmp_path):
    """A small comparison as a user runs it, from elsewhere and into a file."""
    file = tmp_path / "out.json"
    options = ["--networks", "mlp16", "--against", "numpy", "--threads", "1", "--rounds", "1", "--json", file]
    command = [sys.executable, BENCH / "compare.py", *options, "--sections", "train,latency,predict,size"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    for pattern in ("limits: ", "784-16-16-10, SGD", "one row\n", "many rows\n", "installed size"):
        assert pattern in done.stdout
    result = json.loads(file.read_text())
    assert {"machine", "versions", "options", "size"} <= set(result)
    for one in result["series"]:
        turns = 1 if one["section"] == "train" else measure.SHORT_TURNS
        assert len(one["seconds"]) == turns
        assert 0 < one["of_limit"] < 2
        assert one["section"] != "train" or one["accuracy"] > 0.9
    pairs = {(one["section"], one["side"]) for one in result["series"]}
    assert pairs == {(section, side) for section in ("train", "latency", "predict") for side in ("pynn", "numpy")}

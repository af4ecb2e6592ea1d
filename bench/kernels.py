"""Each kernel over the shapes that matter: its rate, beside the peak, the copy bandwidth and NumPy's own products.

python bench/kernels.py [--kernels gemm,dense,...] [--dtype float64] [--threads 1] [--rounds 9] [--json file]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from common import in_turns, print_machine, processor
from numpy.typing import NDArray

import pynn
from pynn import ops, optimizers
from pynn.config import get_num_threads
from pynn.foundation.native import core

Array: TypeAlias = NDArray[Any]
Call: TypeAlias = Callable[[], object]
# A kernel that goes by the element: its name, the bytes read and written for an element, and what makes a call on about
# n elements and tells how many they are.
Kernel: TypeAlias = tuple[str, float, Callable[[int], tuple[Call, int]]]

# NumPy's BLAS, whichever it is, reads one of these when it is loaded.
THREAD_VARIABLES = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS", "PYNN_NUM_THREADS")

BLOCK = 0.005  # seconds of a block of calls
LONG = 1e7  # operations: how long the call itself takes makes no difference
LEAST_PART = 0.1  # of a call's time: where the kernel took less, the difference is noise

# rows, inner, columns of products
SMALL = [(1, 784, 128), (32, 784, 128), (128, 784, 128), (32, 784, 16), (32, 128, 10), (33, 100, 67)]
LARGE = [(512, 512, 512), (256, 784, 2048), (256, 2048, 2048), (2048, 2048, 2048)]
A_TRANSPOSED = [(784, 32, 128), (2048, 256, 2048)]
B_TRANSPOSED = [(32, 10, 128), (32, 128, 784), (256, 2048, 2048)]
PLAIN = [(*shape, False, False) for shape in SMALL + LARGE]
PRODUCTS = [
    *PLAIN,
    *((*shape, True, False) for shape in A_TRANSPOSED),
    *((*shape, False, True) for shape in B_TRANSPOSED),
]

# images, height and width, channels, filters, height and width of the kernel, stride, groups; padding "same"
CONVOLUTIONS = [
    (32, 28, 1, 32, 3, 1, 1),
    (32, 32, 3, 32, 3, 1, 1),
    (32, 13, 32, 64, 3, 1, 1),
    (32, 32, 64, 64, 3, 1, 1),
    (32, 32, 64, 64, 5, 2, 1),
    (32, 32, 64, 64, 1, 1, 1),
    (32, 16, 128, 128, 3, 1, 1),
    (32, 32, 64, 64, 3, 1, 64),
]

SIZES = (4096, 1 << 16, 1 << 23)  # elements: in the nearest cache, in the second, in memory
PIXELS = 784  # in a row to gather
CHANNELS, SIDE = 32, 8  # of images to pool and to normalise
CLASSES, WIDE = 10, 1000  # columns of softmax and losses
WIDE_LOSSES = ("mean_squared_error", "categorical_crossentropy_from_logits", "binary_crossentropy_from_logits")

# What the engine's activations are told, where that is not three zeros.
ACTIVATION_SETTINGS = {"relu": (0, np.inf, 0), "leaky_relu": (0.2, 0, 0), "elu": (1, 0, 0), "celu": (1, 0, 0)}

# How many of x and y = f(x) a derivative reads, where that is not one of them.
DERIVATIVE_READS = {"linear": 0, "elu": 2, "selu": 2, "celu": 2}


# ---- arrays ----------------------------------------------------------------------------------------------------------


def empty(shape: tuple[int, ...], dtype: str) -> Array:
    """A new array that begins with a cache line, as the engine's own do."""
    line, each = 64, np.dtype(dtype).itemsize
    size = int(np.prod(shape))
    buffer = np.empty(size + line // each, dtype)
    skipped = -buffer.ctypes.data % line // each
    return buffer[skipped : skipped + size].reshape(shape)


@cache
def random(size: int, dtype: str) -> Array:
    """Numbers of [0, 1)."""
    return np.random.default_rng(1).random(size).astype(dtype)


def uniform(shape: tuple[int, ...], dtype: str, low: float = -4, high: float = 4) -> Array:
    """A new array of numbers of [low, high)."""
    array = empty(shape, dtype)
    np.multiply(random(array.size, dtype).reshape(shape), high - low, out=array)
    array += low
    return array


def in_rows(n: int, columns: int) -> tuple[int, int]:
    """Rows and columns of about `n` elements, in rows of `columns` if there are so many."""
    return max(1, n // columns), min(n, columns)


# ---- products: what makes pynn's call and NumPy's --------------------------------------------------------------------


def make_gemm(dtype: str, m: int, k: int, n: int, transpose_a: bool, transpose_b: bool) -> tuple[Call, Call]:
    """`ops.gemm` against `numpy.matmul`."""
    a = uniform((k, m) if transpose_a else (m, k), dtype)
    b = uniform((n, k) if transpose_b else (k, n), dtype)
    out = empty((m, n), dtype)
    ours = partial(ops.gemm, a, b, transpose_a=transpose_a, transpose_b=transpose_b, out=out)
    return ours, partial(np.matmul, a.T if transpose_a else a, b.T if transpose_b else b, out=out)


def make_dense_forward(dtype: str, rows: int, inputs: int, units: int, *_: bool) -> tuple[Call, Call]:
    """``y = x @ kernel + bias``."""
    x, kernel, bias = uniform((rows, inputs), dtype), uniform((inputs, units), dtype), uniform((units,), dtype)
    y = empty((rows, units), dtype)

    def numpy_forward() -> None:
        np.matmul(x, kernel, out=y)
        np.add(y, bias, out=y)

    return partial(ops.dense_forward, x, kernel, bias, out=y), numpy_forward


def make_dense_backward(dtype: str, rows: int, inputs: int, units: int, *_: bool) -> tuple[Call, Call]:
    """``dx = dy @ kernel.T``, ``dkernel = x.T @ dy``, ``dbias = dy.sum(axis=0)``."""
    x, kernel, dy = uniform((rows, inputs), dtype), uniform((inputs, units), dtype), uniform((rows, units), dtype)
    dx, dkernel, dbias = empty(x.shape, dtype), empty(kernel.shape, dtype), empty((units,), dtype)

    def numpy_backward() -> None:
        np.matmul(dy, kernel.T, out=dx)
        np.matmul(x.T, dy, out=dkernel)
        np.add.reduce(dy, axis=0, out=dbias)

    return partial(ops.dense_backward, dy, x, kernel, dx=dx, dkernel=dkernel, dbias=dbias), numpy_backward


def convolution(
    dtype: str, images: int, side: int, channels: int, filters: int, size: int, stride: int, groups: int
) -> tuple[dict[str, Array], dict[str, Any], tuple[int, int, int]]:
    """Arrays of a convolution, its settings, and rows, inner and columns of the product that it is."""
    out, inner = -(-side // stride), size * size * channels // groups
    arrays = {
        "x": uniform((images, side, side, channels), dtype),
        "kernel": uniform((size, size, channels // groups, filters), dtype),
        "y": uniform((images, out, out, filters), dtype),
    }
    return arrays, {"strides": stride, "padding": "same", "groups": groups}, (images * out * out, inner, filters)


def make_conv_forward(dtype: str, *shape: int) -> tuple[Call, Call]:
    """A convolution, against NumPy's product of patches that lie ready in its memory."""
    arrays, settings, (m, k, n) = convolution(dtype, *shape)
    bias = uniform((n,), dtype)
    patches, kernel, y = uniform((m, k), dtype), uniform((k, n), dtype), empty((m, n), dtype)
    ours = partial(ops.conv_forward, arrays["x"], arrays["kernel"], bias, out=arrays["y"], **settings)
    return ours, partial(np.matmul, patches, kernel, out=y)


def make_conv_backward(dtype: str, *shape: int) -> tuple[Call, Call]:
    """Its gradients, against NumPy's products for the patches and the kernel."""
    arrays, settings, (m, k, n) = convolution(dtype, *shape)
    x, weights = arrays["x"], arrays["kernel"]
    out = {"dx": empty(x.shape, dtype), "dkernel": empty(weights.shape, dtype), "dbias": empty((n,), dtype)}
    patches, kernel, dy = uniform((m, k), dtype), uniform((k, n), dtype), arrays["y"].reshape(m, n)
    dpatches, dkernel = empty((m, k), dtype), empty((k, n), dtype)

    def numpy_backward() -> None:
        np.matmul(dy, kernel.T, out=dpatches)
        np.matmul(patches.T, dy, out=dkernel)

    return partial(ops.conv_backward, arrays["y"], x, weights, **out, **settings), numpy_backward


# Of each group: the kernel, what makes its calls, and how many products it is.
PRODUCT_GROUPS: dict[str, list[tuple[str, Callable[..., tuple[Call, Call]], int]]] = {
    "gemm": [("gemm", make_gemm, 1)],
    "dense": [("dense_forward", make_dense_forward, 1), ("dense_backward", make_dense_backward, 2)],
    "conv": [("conv_forward", make_conv_forward, 1), ("conv_backward", make_conv_backward, 2)],
}


def shapes_of(group: str) -> Iterator[tuple[str, int, tuple[Any, ...], tuple[Any, ...]]]:
    """Of each shape of a group: how it is called, its multiply-adds, what to tell the makers, and that of one that
    takes no time."""
    if group == "conv":
        for shape in CONVOLUTIONS:
            *_, (m, k, n) = convolution("float32", *shape)
            yield " ".join(map(str, shape)), m * k * n, shape, (1,) * len(shape)
        return
    for m, k, n, transpose_a, transpose_b in PRODUCTS if group == "gemm" else PLAIN:
        name = f"{m} {k}" + "'" * transpose_a + f" {n}" + "'" * transpose_b
        flags = (transpose_a, transpose_b)
        yield name, m * k * n, (m, k, n, *flags), (1, 1, 1, *flags)


# ---- kernels that go by the element ----------------------------------------------------------------------------------


def activation_kernels(dtype: str) -> Iterator[Kernel]:
    """Every activation, forward and backward, and rescaling."""
    each = np.dtype(dtype).itemsize
    for name in core.activation_names():
        settings = dict(zip(("name", "a", "b", "c"), (name, *ACTIVATION_SETTINGS.get(name, (0.0,) * 3)), strict=True))
        yield name, 2 * each, partial(make_map, False, "activation", settings, dtype)
        if name != "step":
            traffic = (2 + DERIVATIVE_READS.get(name, 1)) * each
            yield f"{name} gradient", traffic, partial(make_map, True, "activation", settings, dtype)
    yield "rescaling", 2 * each, partial(make_map, False, "rescaling", {"scale": [2.0], "offset": [3.0]}, dtype)


def make_map(backward: bool, kind: str, settings: dict[str, Any], dtype: str, n: int) -> tuple[Call, int]:
    """An op of each element."""
    return one_op(backward, kind, settings, uniform((n,), dtype), uniform((n,), dtype)), n


def one_op(backward: bool, kind: str, settings: dict[str, Any], x: Array, y: Array) -> Call:
    """An op by itself: from x to y or, backward, from gradients like y to gradients like x."""
    threads = get_num_threads()
    if not backward:
        return partial(core.op_forward, kind, settings, [y], [x], (), None, threads)
    dx, dy = empty(x.shape, str(x.dtype)), uniform(y.shape, str(y.dtype))
    return partial(core.op_backward, kind, settings, [dx], (), [dy], [x], [y], (), None, threads)


def softmax_kernels(dtype: str) -> Iterator[Kernel]:
    """Softmax and its logarithm over rows of few and of many classes."""
    each = np.dtype(dtype).itemsize
    for name, log in (("softmax", False), ("log_softmax", True)):
        for columns in (CLASSES, WIDE):
            yield f"{name} of {columns}", 2 * each, partial(make_softmax, False, log, columns, dtype)
            yield f"{name} of {columns} gradient", 3 * each, partial(make_softmax, True, log, columns, dtype)


def make_softmax(backward: bool, log: bool, columns: int, dtype: str, n: int) -> tuple[Call, int]:
    """Softmax of rows of `columns` elements."""
    rows, columns = shape = in_rows(n, columns)
    settings = {"outer": 1, "axis": columns, "inner": 1, "log": log}
    return one_op(backward, "softmax", settings, uniform(shape, dtype), uniform(shape, dtype)), rows * columns


def loss_kernels(dtype: str) -> Iterator[Kernel]:
    """Every loss, the values of the rows and the gradient, and every metric."""
    each = np.dtype(dtype).itemsize
    for name, columns in [(name, CLASSES) for name in core.loss_names()] + [(name, WIDE) for name in WIDE_LOSSES]:
        target = 4 / columns if "sparse" in name else each
        make = partial(make_rows, name, 1.0 if name == "huber" else 0.0, columns, dtype)
        yield f"{name} of {columns}", each + target + 8 / columns, partial(make, core.loss_forward)
        yield f"{name} of {columns} gradient", 2 * each + target, partial(make, None)
    for name in core.metric_names():
        target = 4 / CLASSES if "sparse" in name else each
        make = partial(make_rows, name, 3.0 if "top_k" in name else 0.5, CLASSES, dtype)
        yield f"{name} of {CLASSES}", each + target + 8 / CLASSES, partial(make, core.metric_forward)


def make_rows(
    name: str, a: float, columns: int, dtype: str, values_of: Callable[..., None] | None, n: int
) -> tuple[Call, int]:
    """The values of a loss or metric for rows of `columns` elements, or for None the gradient of the loss."""
    rows, columns = shape = in_rows(n, columns)
    pred = uniform(shape, dtype, 0.05, 0.95)
    labels = np.random.default_rng(2).integers(0, columns, rows, np.int32)
    true = labels if "sparse" in name else np.eye(columns, dtype=dtype)[labels]
    if values_of is None:
        return partial(core.loss_backward, empty(shape, dtype), pred, true, name, a, 0.1, get_num_threads()), pred.size
    return partial(values_of, empty((rows,), "float64"), pred, true, name, a, get_num_threads()), pred.size


def optimizer_kernels(dtype: str) -> Iterator[Kernel]:
    """A step of every optimizer, with the settings that give it other formulas."""
    kinds = {
        "sgd": optimizers.SGD(),
        "sgd momentum": optimizers.SGD(momentum=0.9),
        "sgd nesterov": optimizers.SGD(momentum=0.9, nesterov=True),
        "adagrad": optimizers.Adagrad(),
        "adadelta": optimizers.Adadelta(),
        "rmsprop": optimizers.RMSprop(),
        "rmsprop momentum": optimizers.RMSprop(momentum=0.9),
        "rmsprop centered": optimizers.RMSprop(centered=True),
        "adam": optimizers.Adam(),
        "adam amsgrad": optimizers.Adam(amsgrad=True),
        "adamw": optimizers.AdamW(),
        "adamax": optimizers.Adamax(),
        "nadam": optimizers.Nadam(),
        "lion": optimizers.Lion(),
    }
    for name, optimizer in kinds.items():
        settings = optimizer.settings()
        slots = len(core.slot_names(optimizer.native_name, settings))
        make = partial(make_update, optimizer.native_name, settings, slots, dtype)
        yield name, (3 + 2 * slots) * np.dtype(dtype).itemsize, make


def make_update(name: str, settings: dict[str, float], slots: int, dtype: str, n: int) -> tuple[Call, int]:
    """A step of an optimizer."""
    w, g, *state = (uniform((n,), dtype, 0.05, 0.95) for _ in range(2 + slots))
    return partial(core.optimizer_update, name, settings, w, g, state, 1, get_num_threads()), n


def gather_kernels(dtype: str) -> Iterator[Kernel]:
    """Rows in order, as a network without layers hands them on: bytes by way of a block of floats in the cache."""
    each = np.dtype(dtype).itemsize
    yield "gather", 2 * each, partial(make_gather, dtype, dtype)
    yield "gather_bytes and gather", 1 + 3 * each, partial(make_gather, dtype, "uint8")
    yield "first_non_finite", each, partial(make_look, dtype)


def make_look(dtype: str, n: int) -> tuple[Call, int]:
    """A look for NaN and infinity."""
    return partial(core.first_non_finite, uniform((n,), dtype), get_num_threads()), n


def make_gather(dtype: str, source: str, n: int) -> tuple[Call, int]:
    """Rows of numbers of the type `source`, to rows of `dtype`."""
    rows, columns = shape = in_rows(n, PIXELS)
    network = plan_of(lambda graph, x: x, columns, dtype)
    x = uniform(shape, dtype, 0, 200).astype(source)
    return partial(network.predict, (empty(shape, dtype),), (x,), False, get_num_threads()), rows * columns


def plan_of(add: Callable[[Any, int], int], size: int, dtype: str) -> Any:
    """A network of what `add` adds to a graph, for samples of `size` elements."""
    graph = core.Graph()
    graph.set_outputs([add(graph, graph.add_input(size))])
    return core.Plan(graph, dtype)


def window_kernels(dtype: str) -> Iterator[Kernel]:
    """Poolings of 2 x 2, by elements of the image."""
    each = np.dtype(dtype).itemsize
    for kind in ("max", "average"):
        yield f"{kind} pooling", 1.25 * each, partial(make_pooling, False, kind, dtype)
        yield (
            f"{kind} pooling gradient",
            (2.5 if kind == "max" else 1.25) * each,
            partial(make_pooling, True, kind, dtype),
        )


def make_pooling(backward: bool, kind: str, dtype: str, n: int) -> tuple[Call, int]:
    """A pooling of small images."""
    images, half = max(1, n // (SIDE * SIDE * CHANNELS)), SIDE // 2
    x, y = uniform((images, SIDE, SIDE, CHANNELS), dtype), uniform((images, half, half, CHANNELS), dtype)
    settings = {"kind": kind, "shape": [SIDE, SIDE, CHANNELS, half, half, 2, 2, 2, 2, 0, 0]}
    return one_op(backward, "pool", settings, x, y), x.size


def training_kernels(dtype: str) -> Iterator[Kernel]:
    """What layers do in training alone: noise, batch normalisation; and group normalisation."""
    each = np.dtype(dtype).itemsize
    noise = {"shape": [SIDE, SIDE, CHANNELS], "sharing": [False] * 4, "amount": 0.5, "seed": 1}
    for kind in ("dropout", "gaussian_dropout", "gaussian_noise"):
        yield kind, 2 * each, partial(make_training, "noise", {"kind": kind, **noise}, 0, dtype)
    settings: dict[str, Any] = {"momentum": 0.99, "epsilon": 1e-3, "inference": False}
    yield "batch normalisation", 3 * each, partial(make_training, "batch_norm", settings, 4, dtype)
    settings = {"samples": 1, "groups": 8, "columns": CHANNELS // 8, "epsilon": 1e-3}
    yield "group normalisation", 3 * each, partial(make_training, "group_norm", settings, 2, dtype)


def make_training(kind: str, settings: dict[str, Any], weights: int, dtype: str, n: int) -> tuple[Call, int]:
    """The forward pass, as in training, of a network of one op over small images; without gamma and beta."""
    images, size = max(1, n // (SIDE * SIDE * CHANNELS)), SIDE * SIDE * CHANNELS
    parameters = core.Parameters(dtype)

    def add(graph: Any, x: int) -> int:
        moving = [graph.add_parameter(parameters, parameters.add(CHANNELS, False)) for _ in range(weights - 2)]
        return int(graph.add(kind, [x], [-1, -1, *moving] if weights else [], settings)[0])

    network = plan_of(add, size, dtype)
    x, y = uniform((images, size), dtype), empty((images, size), dtype)
    return partial(network.predict_training, (y,), (x,), False, 0, get_num_threads()), x.size


ELEMENTWISE_GROUPS = {
    "activations": activation_kernels,
    "softmax": softmax_kernels,
    "losses": loss_kernels,
    "optimizers": optimizer_kernels,
    "gather": gather_kernels,
    "windows": window_kernels,
    "training": training_kernels,
}


# ---- measuring -------------------------------------------------------------------------------------------------------


def best_in_turns(calls: Sequence[Call], rounds: int) -> list[float]:
    """The least seconds of each call, from blocks of calls in turns: whatever else runs only adds to them."""

    def repeat(call: Call, times: int) -> None:
        for _ in range(times):
            call()

    counts = [max(1, int(BLOCK / seconds)) for seconds in in_turns(calls, 3)]
    blocks = [partial(repeat, *pair) for pair in zip(calls, counts, strict=True)]
    turns = zip(*(in_turns(blocks, 1) for _ in range(rounds)), strict=True)
    return [min(times) / count for times, count in zip(turns, counts, strict=True)]


def rate(work: float, seconds: float, call: float) -> float:
    """1e9 units of work a second, the time of the call itself not counted; NaN where noise would be left."""
    rest = seconds - call
    return work / rest * 1e-9 if rest > LEAST_PART * seconds else float("nan")


def measure_products(group: str, dtype: str, rounds: int) -> list[dict[str, Any]]:
    """A record of each kernel and shape: seconds and GFLOP/s of pynn and of NumPy, and the seconds of their calls."""
    records = []
    for kernel, make, products in PRODUCT_GROUPS[group]:
        for shape, multiply_adds, settings, none in shapes_of(group):
            calls = [*make(dtype, *settings), *make(dtype, *none)]
            *seconds, call, numpy_call = best_in_turns(calls, rounds)
            work = 2 * products * multiply_adds
            rates = [rate(work, seconds[0], call), rate(work, seconds[1], numpy_call)]
            record: dict[str, Any] = {"kernel": kernel, "shape": shape, "operations": work, "GFLOP/s": rates}
            records.append({**record, "seconds": seconds, "calls": [call, numpy_call]})
    return records


def measure_peak(dtype: str, rounds: int) -> float:
    """GFLOP/s of the better of NumPy's and pynn's products of 2048 x 2048 matrices."""
    size = 2048
    return 2e-9 * size**3 / min(best_in_turns(make_gemm(dtype, size, size, size, False, False), rounds))


def measure_elementwise(group: str, dtype: str, rounds: int) -> Iterator[dict[str, Any]]:
    """A record of each kernel, for each of the sizes, and the seconds of its call with one element."""
    sizes = (1, *SIZES)
    each = np.dtype(dtype).itemsize
    copies = [partial(np.copyto, empty((n,), dtype), uniform((n,), dtype)) for n in sizes]
    for name, traffic, make in ELEMENTWISE_GROUPS[group](dtype):
        calls, elements = zip(*(make(n) for n in sizes), strict=True)
        seconds = best_in_turns([*calls, *copies], rounds)
        call, copy_call, copy_seconds = seconds[0], seconds[len(sizes)], seconds[len(sizes) + 1 :]
        rates = [rate(n, time, call) for n, time in zip(elements[1:], seconds[1 : len(sizes)], strict=True)]
        record = {
            "kernel": name,
            "call": call,
            "seconds": seconds[1 : len(sizes)],
            "GB/s": [traffic * r for r in rates],
        }
        copy_rates = [rate(2 * each * n, time, copy_call) for n, time in zip(SIZES, copy_seconds, strict=True)]
        yield {**record, "ns/element": [1 / r for r in rates], "copy GB/s": copy_rates}


def print_products(group: str, records: list[dict[str, Any]], peak: float) -> None:
    """A line for each product: the time of each call as it is, and the rates without the call itself."""
    sides = "".join(f"{f'{side} us':>12} {'GFLOP/s':>8} {'peak':>5}" for side in ("pynn", "NumPy"))
    print(f"\n{group:37}{sides} {'ratio':>6}")
    for record in records:
        line = f"{record['kernel']:14} {record['shape']:22}"
        for seconds, rated in zip(record["seconds"], record["GFLOP/s"], strict=True):
            line += f" {seconds * 1e6:11.1f} {rated:8.1f} {rated / peak:5.2f}"
        print(f"{line} {record['GFLOP/s'][0] / record['GFLOP/s'][1]:6.2f}")
    ours, theirs = (statistics.median(record["calls"][side] for record in records) * 1e6 for side in (0, 1))
    print(f"the call itself, {ours:.1f} us for pynn and {theirs:.1f} us for NumPy, is subtracted from all but us")


def print_elementwise(group: str, records: Iterator[dict[str, Any]]) -> list[dict[str, Any]]:
    """A line for each kernel as soon as it is measured; returns the records."""
    print(f"\n{group:51}" + "".join(f"{f'{n} elements':>30}" for n in SIZES))
    print(" " * 51 + f" {'us':>8} {'ns each':>7} {'GB/s':>6} {'copy':>5}" * len(SIZES))
    done = []
    for record in records:
        line = f"{'    gradient' if record['kernel'].endswith(' gradient') else record['kernel']:51}"
        columns = (record[column] for column in ("seconds", "ns/element", "GB/s", "copy GB/s"))
        for seconds, nanoseconds, rated, copy in zip(*columns, strict=True):
            line += f" {seconds * 1e6:8.1f} {nanoseconds:7.3f} {rated:6.1f} {rated / copy:5.2f}"
        print(line, flush=True)
        done.append(record)
    copies = [statistics.median(rates) for rates in zip(*(record["copy GB/s"] for record in done), strict=True)]
    print(f"{'numpy.copyto, the median':51}" + "".join(f"{copy:24.1f} {1:5.2f}" for copy in copies))
    call = statistics.median(record["call"] for record in done) * 1e6
    print(f"the call itself, {call:.1f} us, is subtracted from all but us; copy: the rate to that of numpy.copyto")
    return done


def use_threads(threads: int) -> None:
    """Start anew where NumPy's BLAS, which is loaded already, was not told to use so many threads."""
    wanted = dict.fromkeys(THREAD_VARIABLES, str(threads))
    if any(os.environ.get(name) != value for name, value in wanted.items()):
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], {**os.environ, **wanted})


def main() -> None:
    """Read the command line, measure and print."""
    groups = [*PRODUCT_GROUPS, *ELEMENTWISE_GROUPS]
    parser = argparse.ArgumentParser(description="Time each kernel over the shapes that matter.")
    parser.add_argument("--kernels", default=",".join(groups), help="groups of kernels, by default all: %(default)s")
    parser.add_argument("--dtype", choices=("float32", "float64"), default="float32")
    parser.add_argument("--threads", type=int, default=1, help="of pynn and of NumPy's BLAS; default 1")
    parser.add_argument("--rounds", type=int, default=9, help="turns of each call, of which the best counts")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where to write the figures as well")
    options = parser.parse_args()
    chosen, dtype, rounds = options.kernels.split(","), options.dtype, options.rounds
    if unknown := set(chosen) - set(groups):
        parser.error(f"no such kernels: {', '.join(sorted(unknown))}")
    use_threads(options.threads)
    print_machine()
    print(f"{dtype}, {options.threads} threads")
    figures: dict[str, Any] = {"processor": processor(), "pynn": pynn.show_config("dicts"), "dtype": dtype}
    products = {group: measure_products(group, dtype, rounds) for group in PRODUCT_GROUPS if group in chosen}
    if products:
        measured = [record for records in products.values() for record in records if record["operations"] > LONG]
        peak = figures["peak"] = max([measure_peak(dtype, rounds), *(record["GFLOP/s"][0] for record in measured)])
        print(
            f"peak {peak:.1f} GFLOP/s: the best of 2048 2048 2048 by NumPy and pynn and of pynn's long products below"
        )
        print("rows inner columns, a ' behind the operand that is stored transposed; ratio: pynn's rate to NumPy's")
        print(
            "conv: images, side, channels, filters, side of the kernel, stride, groups; NumPy: products of ready rows"
        )
    for group, records in products.items():
        print_products(group, records, peak)
    for group in (group for group in ELEMENTWISE_GROUPS if group in chosen):
        figures[group] = print_elementwise(group, measure_elementwise(group, dtype, rounds))
    if options.json:
        figures |= products
        options.json.write_text(json.dumps(figures, indent=1).replace("NaN", "null"))


if __name__ == "__main__":
    main()

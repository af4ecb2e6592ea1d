"""Random graphs of layers: gradients are those of differences, and the number of threads changes no bit."""

import numpy as np
import pytest
from helpers import THREADS, bits
from hypothesis import given, settings
from hypothesis import strategies as st

import pynn
from pynn import layers

WIDTH = 3
PAIRS = {
    "add": lambda a, b: layers.add([a, b]),
    "three": lambda a, b: layers.add([a, b, a]),
    "multiply": lambda a, b: layers.multiply([a, b]),
    "subtract": lambda a, b: a - b,
    "divide": lambda a, b: a / (b * b + 1),
    "average": lambda a, b: layers.average([a, b]),
    "maximum": lambda a, b: layers.maximum([a, b + 0.01]),
    "concatenate": lambda a, b: layers.Dense(WIDTH)(layers.concatenate([a, b])),
    "dot": lambda a, b: layers.dot([a, b], axes=1) * a,
    "part": lambda a, b: a * b[:, 1:2],
    "swap": lambda a, b: layers.concatenate([a[:, :1], b[:, 1:]]),
}
SINGLES = {
    "dense": lambda a: layers.Dense(WIDTH, activation="tanh")(a),
    "unfused": lambda a: layers.Activation("sigmoid")(layers.Dense(WIDTH)(a)),
    "norm": lambda a: layers.LayerNormalization()(a),
    "power": lambda a: (a * a + 1) ** 0.5,
    "constant": lambda a: 1 - a * np.arange(1.0, 1.0 + WIDTH),
    "penalty": lambda a: layers.Dense(WIDTH, kernel_regularizer="l2", activity_regularizer="l2")(a),
}

nodes = st.lists(
    st.tuples(st.sampled_from([*PAIRS, *SINGLES, "shared"]), st.integers(0, 99), st.integers(0, 99)),
    min_size=1,
    max_size=6,
)


def made(program, outputs):
    """A model of two inputs: each node reads any of the tensors before it; the last ones are the outputs."""
    p, q = pynn.Input((WIDTH,)), pynn.Input((WIDTH,))
    tensors, shared = [layers.Dense(WIDTH)(p), layers.Dense(WIDTH)(q), p], layers.Dense(WIDTH, activation="softplus")
    for kind, i, j in program:
        a, b = tensors[i % len(tensors)], tensors[j % len(tensors)]
        tensors.append(PAIRS[kind](a, b) if kind in PAIRS else shared(a) if kind == "shared" else SINGLES[kind](a))
    return pynn.Model([p, q], [layers.Dense(2)(y) for y in tensors[-outputs:]])


@settings(max_examples=30, deadline=None, derandomize=True)
@given(program=nodes, outputs=st.integers(1, 3), seed=st.integers(0, 2**31))
def test_gradients_of_random_graphs(program, outputs, seed):
    pynn.config.set_floatx("float64")
    pynn.set_random_seed(seed)
    random = np.random.default_rng(seed)
    x = [random.standard_normal((5, WIDTH)) for _ in range(2)]
    y = [random.standard_normal((5, 2)) for _ in range(outputs)]
    model = made(program, outputs)
    model.compile(pynn.optimizers.SGD(1.0), "mse", loss_weights=[1.0, 0.5, 2.0][:outputs])

    def loss():
        found = model.evaluate(x, y, batch_size=5, verbose=0)
        return found[0] if isinstance(found, list) else found

    start = model.get_weights()
    model.train_on_batch(x, y)
    slopes = [before - after for before, after in zip(start, model.get_weights(), strict=True)]
    model.set_weights(start)
    for weight, slope in zip(model.weights, slopes, strict=True):
        place = tuple(random.integers(0, size) for size in weight.shape)
        value, step = weight.numpy(), 1e-6
        losses = []
        for moved in (step, -step):
            changed = value.copy()
            changed[place] += moved
            weight.assign(changed)
            losses.append(loss())
        weight.assign(value)
        expected = (losses[0] - losses[1]) / (2 * step)
        assert slope[place] == pytest.approx(expected, rel=1e-5, abs=1e-7)


@settings(max_examples=10, deadline=None, derandomize=True)
@given(program=nodes, seed=st.integers(0, 2**31))
def test_random_graphs_have_the_same_bits_for_any_team(program, seed):
    random = np.random.default_rng(seed)
    x = [random.standard_normal((40, WIDTH)) for _ in range(2)]
    y = [random.standard_normal((40, 2)) for _ in range(2)]
    found, start = set(), None
    for threads in THREADS:
        pynn.config.set_num_threads(threads)
        model = made(program, 2)
        start = model.get_weights() if start is None else start
        model.set_weights(start)
        model.compile("adam", "mse")
        model.fit(x, y, batch_size=16, epochs=2, shuffle=False, verbose=0)
        found.add((bits(model), *(out.tobytes() for out in model.predict(x, verbose=0))))
    assert len(found) == 1

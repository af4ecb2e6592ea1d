"""Small models and data, and what many tests ask of a model."""

import contextlib
import functools
import inspect
import os
import subprocess
import sys
import textwrap

import numpy as np

import pynn

TIME_LIMIT = 60  # seconds of what must not hang
THREADS = (1, 2, 3, 4, 7)
# Around the lengths of vectors (4, 8, 16 elements) and of blocks
SIZES = (1, 2, 7, 15, 16, 17, 33, 64, 100, 129)


def looped(name, values):
    """As `pytest.mark.parametrize`, but a loop within one test. A failure says which value it is of.

    A test of its own costs pytest a millisecond or two: more than most kernels take.
    """

    def decorate(test):
        @functools.wraps(test)
        def loop(**arguments):
            for value in values:
                try:
                    test(**arguments, **{name: value})
                except Exception as error:
                    raise AssertionError(f"with {name} = {getattr(value, '__name__', value)}") from error

        signature = inspect.signature(test)
        others = [parameter for parameter in signature.parameters.values() if parameter.name != name]
        loop.__signature__ = signature.replace(parameters=others)
        return loop

    return decorate


def make_model(dtype=None, optimizer="sgd", loss="sparse_categorical_crossentropy", metrics=("accuracy",), seed=3):
    """A compiled network of 5 inputs and 3 classes, with tanh between."""
    pynn.set_random_seed(seed)
    model = pynn.Sequential(
        [
            pynn.Input((5,)),
            pynn.layers.Dense(8, activation="tanh", dtype=dtype),
            pynn.layers.Dense(3, activation="softmax", dtype=dtype),
        ]
    )
    model.compile(optimizer=optimizer, loss=loss, metrics=list(metrics))
    return model


def make_data(rows=50, inputs=5, classes=3, seed=4):
    """Float32 rows in which the class can be learned, and int labels."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(rows, inputs)).astype(np.float32)
    return x, np.argmax(x @ random.normal(size=(inputs, classes)), axis=1)


def bits(model):
    """All weights as bytes: equal only if they are the same bit for bit."""
    return b"".join(w.tobytes() for w in model.get_weights())


@contextlib.contextmanager
def unchanged(model):
    """What happens inside leaves the weights as they were, and the model in working order."""
    before, x = bits(model), np.zeros((2, *model.input_shape[1:]), np.float32)
    expected = model.predict(x, verbose=0)
    yield
    assert bits(model) == before
    np.testing.assert_array_equal(model.predict(x, verbose=0), expected)


def close_gradient(numeric, analytic):
    """The rule for a central difference in float64."""
    return np.abs(numeric - analytic) <= 1e-7 + 1e-5 * np.maximum(np.abs(numeric), np.abs(analytic))


def run(program, **more):
    """Run a Python program with this directory on its path; returns what it printed."""
    path = os.path.dirname(os.path.abspath(__file__))
    program = f"import sys\nsys.path.insert(0, {path!r})\n" + textwrap.dedent(program)
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd="/",
        capture_output=True,
        text=True,
        timeout=TIME_LIMIT,
        check=False,
        **more,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout

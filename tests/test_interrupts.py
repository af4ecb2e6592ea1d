"""Ctrl-C between any two Python lines: no lock stays held, and a model is the old one or the new one."""

import os
import signal
import sys
import time

import numpy as np
import pytest
from helpers import make_data
from tiers import slow

import pynn
from pynn import layers

FOLDER = os.path.dirname(pynn.__file__) + os.sep
X, Y = make_data(12)
TARGETS = np.eye(3, dtype=np.float32)[Y]
SHORT = 23  # in the quick tier an interrupt falls on every so many places


class Interrupt:
    """Raises KeyboardInterrupt in place of line number `n`, from 0 on, of those that pynn runs."""

    def __init__(self, n):
        self.left, self.was_raised = n, False

    def trace(self, frame, event, argument):
        if not frame.f_code.co_filename.startswith(FOLDER):
            return None
        if event == "line":
            self.left -= 1
            if self.left < 0:
                self.was_raised = True
                raise KeyboardInterrupt  # which also ends the tracing
        return self.trace

    def call(self, function):
        before = sys.gettrace()
        sys.settrace(self.trace)
        try:
            function()
        except KeyboardInterrupt:
            pass
        finally:
            sys.settrace(before)


def places(function):
    """The numbers of the lines that pynn runs in a call, of each the first time that the same lines lead to it.

    So a loop counts once, and a function once for each place that it is called from.
    """
    numbers, seen, count = [], set(), 0

    def trace(frame, event, argument):
        nonlocal count
        if not frame.f_code.co_filename.startswith(FOLDER):
            return None
        if event == "line":
            led, outer = [], frame
            while outer is not None and outer.f_code is not places.__code__:
                led.append((outer.f_code, outer.f_lineno))
                outer = outer.f_back
            if tuple(led) not in seen:
                seen.add(tuple(led))
                numbers.append(count)
            count += 1
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        function()
    finally:
        sys.settrace(before)
    return numbers


def unbuilt():
    pynn.set_random_seed(3)
    model = pynn.Sequential([layers.Dense(4, activation="tanh", name="first"), layers.Dense(3, name="second")])
    model.compile("adam", "mse", metrics=["mae"])
    return model


def built():
    model = unbuilt()
    model.build((None, 5))
    return model


def trained():
    model = built()
    model.fit(X, TARGETS, batch_size=5, epochs=2, verbose=0)
    return model


CALLS = {
    "fit": (built, lambda model: model.fit(X, TARGETS, batch_size=5, epochs=2, validation_split=0.3, verbose=0)),
    "fit-silent": (trained, lambda model: model.fit(X, TARGETS, batch_size=5, epochs=2, verbose=0)),
    "fit-unbuilt": (unbuilt, lambda model: model.fit(X, TARGETS, verbose=0)),
    "train_on_batch": (built, lambda model: model.train_on_batch(X, TARGETS)),
    "evaluate": (built, lambda model: model.evaluate(X, TARGETS, verbose=0)),
    "predict": (unbuilt, lambda model: model.predict(X, verbose=0)),
    "predict-lines": (built, lambda model: model.predict(X, verbose=2)),
    "call": (unbuilt, lambda model: model(X)),
    "call-in-training": (built, lambda model: model(X, training=True)),
    "compile": (trained, lambda model: model.compile("sgd", "mae", metrics=["mse"])),
    "compile-again": (trained, lambda model: model.compile(model.optimizer, "mae", metrics=["mse"])),
    "add": (trained, lambda model: model.add(layers.Dense(2, name="third"))),
    "add-unbuilt": (unbuilt, lambda model: model.add(layers.Dense(2, name="third"))),
    "pop": (trained, lambda model: model.pop()),
    "build": (unbuilt, lambda model: model.build((None, 5))),
    "set_weights": (trained, lambda model: model.set_weights([w + 1 for w in model.get_weights()])),
    "trainable": (trained, lambda model: setattr(model, "trainable", False)),
}


def output_of(stack):
    """What dense layers make of X, by NumPy."""
    y = X
    for layer in stack:
        y = y @ layer.kernel.numpy() + layer.bias.numpy()
        y = np.tanh(y) if layer.activation.name == "tanh" else y
    return y


def check(model, before, name):
    """The model is whole, and can be used and trained."""
    assert {layer.built for layer in model.layers} == {model.built}
    after = [w.numpy() for w in model.weights] if model.built else None
    if name == "set_weights":
        moved = [np.array_equal(a, b) for a, b in zip(before, after, strict=True)]
        assert len(set(moved)) == 1
    if name == "trainable":
        assert len({layer.trainable for layer in model.layers}) == 1
    prediction = model.predict(X, verbose=0)
    np.testing.assert_allclose(prediction, output_of(model.layers), rtol=1e-5, atol=1e-6)
    assert model.output_shape == (None, prediction.shape[1])
    assert [w.path for w in model.weights] == [w.path for layer in model.layers for w in layer.weights]
    model.trainable = True
    targets, optimizer = np.zeros_like(prediction), model.optimizer
    logs = model.evaluate(X, targets, verbose=0, return_dict=True)
    squared = logs["loss"] if model.loss.name == "mean_squared_error" else logs["mse"]
    assert squared == pytest.approx(np.mean(prediction**2), rel=1e-5)
    steps = optimizer.iterations
    history = model.fit(X, targets, batch_size=6, verbose=0)
    assert optimizer.iterations == steps + 2
    assert np.isfinite(history.history["loss"]).all()
    assert model.history is history
    assert not np.array_equal(model.predict(X, verbose=0), prediction)
    model.add(layers.Dense(1, name="last"))
    assert model.pop().name == "last"


def interrupt_each(name, every):
    make, call = CALLS[name]
    call(make())  # what only the first call in a process does is not tested here
    first = make()
    for n in places(lambda: call(first))[::every]:
        model = make()
        before = model.get_weights() if model.built else None
        interrupt = Interrupt(n)
        interrupt.call(lambda model=model: call(model))
        assert interrupt.was_raised
        check(model, before, name)


@pytest.mark.parametrize("name", CALLS)
def test_interrupt_at_some_lines(name, capsys):
    interrupt_each(name, SHORT)


@pytest.mark.slow
@pytest.mark.parametrize("name", CALLS)
def test_interrupt_at_every_line(name, capsys):
    interrupt_each(name, 1)


def test_interrupted_add_leaves_the_layer_free():
    """Or it could not be added again."""
    for n in range(0, 400, SHORT):
        model, layer = trained(), layers.Dense(2, name="third")
        interrupt = Interrupt(n)
        interrupt.call(lambda model=model, layer=layer: model.add(layer))
        if interrupt.was_raised and layer not in model.layers:
            model.add(layer)
        assert model.output_shape == (None, 2)


@pytest.mark.skipif(sys.platform == "win32", reason="uses POSIX signals")
@pytest.mark.parametrize("name", ["fit", "train_on_batch", "add", "pop", "compile", "set_weights"])
def test_interrupt_by_a_signal(name):
    """At whatever place it falls."""
    make, call = CALLS[name]
    earlier = signal.signal(signal.SIGALRM, signal.default_int_handler)
    try:
        for microseconds in (20, 50, 100, 150, 200, 300, 400, 600):
            model = make()
            before = model.get_weights()
            try:
                signal.setitimer(signal.ITIMER_REAL, microseconds / 1e6)
                call(model)
                while True:  # until it comes
                    pass
            except KeyboardInterrupt:
                pass
            check(model, before, name)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, earlier)


def zeros(*shape):
    return np.zeros(shape, np.float32)


LONG_CALLS = {  # of a second or more
    "gemm": lambda: (pynn.ops.gemm, zeros(4096, 4096), zeros(4096, 4096)),
    "dense_forward": lambda: (pynn.ops.dense_forward, zeros(4096, 4096), zeros(4096, 4096)),
    "dense_backward": lambda: (pynn.ops.dense_backward, zeros(4096, 4096), zeros(4096, 4096), zeros(4096, 4096)),
    "conv_forward": lambda: (pynn.ops.conv_forward, zeros(16, 128, 128, 64), zeros(9, 9, 64, 64)),
    "conv_backward": lambda: (
        pynn.ops.conv_backward,
        zeros(16, 120, 120, 64),
        zeros(16, 128, 128, 64),
        zeros(9, 9, 64, 64),
    ),
}


@pytest.mark.skipif(sys.platform == "win32", reason="uses POSIX signals")
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("name", LONG_CALLS)
def test_long_call_of_ops_runs_signal_handlers(name, threads):
    """The third of them ends it. Were handlers run when the call is done, as Python does by itself, it would be the
    first: signals that wait are one."""
    handled = []

    def handle(*_):
        handled.append(1)
        if len(handled) == 3:
            raise KeyboardInterrupt

    function, *arrays = LONG_CALLS[name]()
    pynn.config.set_num_threads(threads)
    earlier = signal.signal(signal.SIGALRM, handle)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.02, 0.02)
        with pytest.raises(KeyboardInterrupt):
            function(*arrays)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, earlier)


# ---- work outside of the engine's regions ----------------------------------------------------------------------------
def make(*stack):
    """Build a model of these layers and make its plan, without any sample."""
    model = pynn.Sequential(stack)
    model(np.zeros((0, *model.input_shape[1:]), np.float32))


SET_UP = {
    "resampling": lambda size: make(pynn.Input((size, size, 1)), layers.UpSampling2D(8, interpolation="bilinear")),
    "uniform": lambda size: make(pynn.Input((size * 10,)), layers.Dense(size * 10)),
    "normal": lambda size: make(pynn.Input((size * 10,)), layers.Dense(size * 10, kernel_initializer="random_normal")),
    "truncated": lambda size: make(pynn.Input((size * 10,)), layers.Dense(size * 10, kernel_initializer="he_normal")),
}


def longest_wait(call):
    """The most processor time of this thread between two runs of a signal handler, while signals come all the time."""
    times = [time.thread_time()]
    earlier = signal.signal(signal.SIGALRM, lambda *_: times.append(time.thread_time()))
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.005, 0.005)
        call()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, earlier)
    return np.diff([*times, time.thread_time()]).max()


@pytest.mark.skipif(sys.platform == "win32", reason="uses POSIX signals")
@pytest.mark.parametrize("size", [100, *slow(200, 280)])
@pytest.mark.parametrize("name", SET_UP)
def test_making_a_large_model_runs_signal_handlers(name, size):
    assert longest_wait(lambda: SET_UP[name](size)) < 0.1


@pytest.mark.skipif(sys.platform == "win32", reason="uses POSIX signals")
def test_interrupted_plan_can_be_made_again():
    model = pynn.Sequential([pynn.Input((100, 100, 1)), layers.UpSampling2D(8, interpolation="bilinear")])
    x = np.ones((1, 100, 100, 1), np.float32)
    earlier = signal.signal(signal.SIGALRM, signal.default_int_handler)
    try:
        for milliseconds in (1, 20, 60, 120):
            try:
                signal.setitimer(signal.ITIMER_REAL, milliseconds / 1e3)
                model(x)
                while True:  # until it comes
                    pass
            except KeyboardInterrupt:
                pass
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, earlier)
    np.testing.assert_array_equal(model(x), np.ones((1, 800, 800, 1), np.float32))

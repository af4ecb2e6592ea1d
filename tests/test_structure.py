"""Layers own their weights for life; a model is a list of them that becomes a network."""

import copy
import gc
import pickle
import signal
import sys
import threading
import weakref

import numpy as np
import pytest
from helpers import bits, make_data, make_model

import pynn
from pynn import layers
from pynn.foundation import names
from pynn.foundation.native import core
from pynn.layers.base import Layer


# ---- layers ----------------------------------------------------------------------------------------------------------
def test_layer_builds_its_weights_itself():
    layer = layers.Dense(3, kernel_initializer="ones")
    layer.build((None, 4))
    assert layer.built
    assert layer.input_shape == (None, 4)
    assert layer.output_shape == (None, 3)
    np.testing.assert_array_equal(layer.kernel.numpy(), np.ones((4, 3)))
    kernel = layer.kernel
    layer.build((None, 4))
    layer.build((7, 4))
    assert layer.kernel is kernel


@pytest.mark.parametrize("shape", [5, "ab", None, (), ("a", 4), (None, 0), (-1, 4), 4.5])
def test_build_of_no_shape_says_so(shape):
    layer = layers.Dense(3)
    with pytest.raises((TypeError, ValueError), match="input_shape"):
        layer.build(shape)
    if shape is not None:
        with pytest.raises((TypeError, ValueError), match="input_shape"):
            pynn.Sequential([layers.Dense(3)]).build(shape)
    assert not layer.built


def test_weights_are_the_same_objects_each_time():
    model = make_model()
    layer = model.layers[0]
    kernel = layer.kernel
    assert model.weights[0] is layer.weights[0] is layer.kernel is kernel
    x, y = make_data()
    model.fit(x, y, verbose=0)
    model.add(layers.Dense(2))
    assert model.weights[0] is kernel
    model.pop()
    assert model.weights[0] is kernel
    np.testing.assert_array_equal(kernel.numpy(), model.get_weights()[0])


def test_weights_are_added_to():
    layer = layers.Dense(2, kernel_initializer="ones")
    layer.build((None, 3))
    layer.kernel.assign_add(np.arange(6).reshape(3, 2))
    layer.kernel.assign_sub(np.full((3, 2), 0.5))
    np.testing.assert_array_equal(layer.kernel.numpy(), np.arange(6).reshape(3, 2) + 0.5)
    for change in (layer.kernel.assign_add, layer.kernel.assign_sub):
        with pytest.raises(ValueError, match=r"kernel has the shape \(3, 2\), but got values of shape \(3,\)"):
            change([1, 2, 3])


def test_layer_keeps_its_weights_from_model_to_model():
    x, y = make_data()
    model = make_model()
    model.fit(x, y, verbose=0)
    last = model.pop()
    weights = last.get_weights()
    other = pynn.Sequential([pynn.Input((8,)), last])
    for before, after in zip(weights, other.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)
    hidden = np.random.default_rng(0).normal(size=(3, 8)).astype(np.float32)
    z = hidden @ weights[0] + weights[1]
    expected = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(other(hidden), expected, rtol=1e-5)


def test_layer_that_was_built_first_is_used_as_it_is():
    layer = layers.Dense(3)
    layer.build((None, 4))
    kernel = layer.kernel.numpy()
    model = pynn.Sequential([layer])
    assert not model.built
    x = np.ones((2, 4), np.float32)
    np.testing.assert_allclose(model(x), x @ kernel, rtol=1e-6)


def test_layer_that_is_built_for_another_shape_is_refused():
    layer = layers.Dense(3, name="probe")
    layer.build((None, 4))
    with pytest.raises(ValueError, match=r"'probe'.*\(4,\).*\(5,\)"):
        layer.build((None, 5))
    with pytest.raises(ValueError, match=r"'probe'.*\(4,\).*\(5,\)"):
        pynn.Sequential([pynn.Input((5,)), layer])
    model = pynn.Sequential([layer])
    with pytest.raises(ValueError, match="'probe'"):
        model.predict(np.ones((2, 5)), verbose=0)
    assert model.predict(np.ones((2, 4)), verbose=0).shape == (2, 3)


def test_layer_of_another_type_is_refused_in_a_built_model():
    model = pynn.Sequential([pynn.Input((4,)), layers.Dense(3)])
    with pytest.raises(ValueError, match="dtype"):
        model.add(layers.Dense(2, dtype="float64"))
    single = layers.Dense(3, name="probe")
    single.build((None, 4))
    with pytest.raises(ValueError, match=r"dtype|float64"):
        pynn.Sequential([pynn.Input((4,)), layers.Dense(4, dtype="float64"), single])
    assert model.output_shape == (None, 3)


def test_trainable_is_that_of_the_weights():
    layer = layers.Dense(3)
    layer.trainable = False
    layer.build((None, 4))
    assert not layer.trainable
    assert not layer.kernel.trainable
    layer.trainable = True
    assert layer.kernel.trainable
    normal = layers.BatchNormalization()
    normal.build((None, 4))
    assert [weight.trainable for weight in normal.weights] == [True, True, False, False]


AT_ONCE = [
    layers.ReLU(),
    layers.Activation("tanh"),
    layers.Dropout(0.5),
    layers.SpatialDropout1D(0.5),
    layers.Identity(),
]
AT_ONCE += [layers.MaxPooling2D(), layers.GlobalAveragePooling1D(), layers.UnitNormalization(), layers.Masking()]
AT_ONCE += [layers.GaussianNoise(0.1), layers.ActivityRegularization(0.1)]


@pytest.mark.parametrize("layer", AT_ONCE, ids=lambda layer: type(layer).__name__)
def test_layer_that_is_built_at_once(layer):
    """As in Keras. Its shapes are not known for that."""
    assert layer.built
    assert "built=True" in repr(layer)
    assert layer.count_params() == 0
    assert layer.weights == []
    with pytest.raises(pynn.NotBuiltError):
        _ = layer.output_shape
    twin = type(layer).from_config(layer.get_config())
    assert twin.get_config() == layer.get_config()
    assert layer.get_config()["dtype"] is None

    class Own(type(layer)):
        def build(self, input_shape):
            super().build(input_shape)

    assert not Own.from_config(layer.get_config()).built


def test_summary_of_what_is_not_built_tells_what_is(capsys):
    pynn.Sequential([layers.Dense(2), layers.Dropout(0.5), layers.Flatten()]).summary()
    rows = [line.split("│")[1:4] for line in capsys.readouterr().out.splitlines() if "(D" in line or "(F" in line]
    assert [row[2].strip() for row in rows] == ["0 (unbuilt)", "0", "0 (unbuilt)"]
    assert {row[1].strip() for row in rows} == {"?"}


def test_normalization_that_adapted_is_built():
    layer = layers.Normalization()
    layer.adapt(np.arange(12.0).reshape(4, 3))
    assert layer.built
    assert layer.input_shape == (None, 3)


def test_initial_values_come_layer_by_layer():
    """However the model is put together."""
    seen = set()
    for way in ("list", "add", "data", "build"):
        pynn.set_random_seed(5)
        new = [layers.Dense(4), layers.Dense(3)]
        given = [pynn.Input((6,))] if way in ("list", "add") else []
        model = pynn.Sequential() if way == "add" else pynn.Sequential([*given, *new])
        for layer in [*given, *new] if way == "add" else []:
            model.add(layer)
        if way == "data":
            model.predict(np.zeros((1, 6)), verbose=0)
        elif way == "build":
            model.build((None, 6))
        seen.add(bits(model))
    assert len(seen) == 1


# ---- models ----------------------------------------------------------------------------------------------------------
def test_model_is_a_layer():
    model = make_model()
    assert isinstance(model, pynn.models.Model)
    assert isinstance(model, layers.Layer)
    with pytest.raises(ValueError, match=r"takes samples of shape \(5,\).*got \(4,\)"):
        model.compute_output_shape((None, 4))


def test_add_looks_at_the_new_layer_only(monkeypatch):
    """So that adding n layers takes time in proportion to n."""
    drafts, plans = [], []
    monkeypatch.setattr(Layer, "draft", _counted(Layer.draft, drafts))
    monkeypatch.setattr(core.Graph, "add", _counted(core.Graph.add, plans))
    model = pynn.Sequential([pynn.Input((4,))])
    for _ in range(40):
        model.add(layers.Dense(4))
    assert len(drafts) == 40
    assert not plans
    assert model.predict(np.zeros((1, 4)), verbose=0).shape == (1, 4)
    assert len(plans) == 40


def _counted(function, calls):
    def call(*arguments):
        calls.append(arguments)
        return function(*arguments)

    return call


def test_misfit_is_refused_at_once_by_add():
    model = pynn.Sequential([pynn.Input((4,)), layers.Dense(3)])
    layer = layers.Conv2D(2, 3, name="probe")
    with pytest.raises(ValueError, match="probe"):
        model.add(layer)
    assert len(model.layers) == 1
    assert not layer.built
    assert model.output_shape == (None, 3)


def test_trained_model_is_freed_at_once():
    x, y = make_data()
    gc.collect()
    gc.disable()
    try:
        model = make_model(optimizer="adam")
        history = model.fit(x, y, validation_split=0.2, verbose=0)
        model.evaluate(x, y, verbose=0)
        model.train_on_batch(x, y)
        model.predict(x, verbose=0)
        model.add(layers.Dense(2))
        model.pop()
        assert history.model is model
        gone = weakref.ref(model)
        kernel = model.layers[0].kernel
        del model
        assert gone() is None
        assert history.model is None
    finally:
        gc.enable()
    assert kernel.numpy().shape == (5, 8)  # a weight lives as long as someone has it


@pytest.mark.parametrize("take", [copy.copy, copy.deepcopy, pickle.dumps], ids=lambda take: take.__name__)
def test_copy_of_a_layer_with_weights_is_refused(take):
    model = make_model()
    with pytest.raises(TypeError, match="from_config"):
        take(model.layers[0])
    assert take(layers.Dense(3)) is not None
    twin = pynn.Sequential.from_config(model.get_config())
    twin.set_weights(model.get_weights())
    assert bits(twin) == bits(model)


def test_unbuilt_model_has_no_shapes():
    model = pynn.Sequential([layers.Dense(3)])
    for name in ("input_shape", "output_shape", "weights", "dtype"):
        assert not hasattr(model, name)
        with pytest.raises(pynn.NotBuiltError):
            getattr(model, name)
    model.build((None, 4))
    assert model.input_shape == (None, 4)


@pytest.mark.parametrize(
    ("optimizer", "count"),
    [
        ("sgd", 2),
        ("adam", 2 + 2 * 18),
        (pynn.optimizers.SGD(0.1, momentum=0.9), 2 + 18),
        (pynn.optimizers.Adam(amsgrad=True), 2 + 3 * 18),
        (pynn.optimizers.Adam(pynn.optimizers.schedules.ExponentialDecay(0.1, 2, 0.5)), 1 + 2 * 18),
    ],
)
def test_summary_counts_what_the_optimizer_keeps(optimizer, count):
    """As in Keras, once there has been a step: its numbers, and arrays for the 18 weights that are trained."""
    told = []
    model = pynn.Sequential([pynn.Input((3,)), layers.Dense(4), layers.BatchNormalization(), layers.Dense(2)])
    model.layers[0].trainable = False
    model.compile(optimizer, "mse")
    model.summary(print_fn=told.append)
    assert "Total params: 42 (168.00 B)" in told[0]
    assert "Optimizer" not in told[0]
    model.fit(np.ones((4, 3)), np.ones((4, 2)), verbose=0)
    model.summary(print_fn=told.append)
    assert f"Total params: {42 + count} ({4 * (42 + count)}.00 B)" in told[1]
    assert "Trainable params: 18 (72.00 B)" in told[1]
    assert told[1].endswith(f"Optimizer params: {count} ({4 * count}.00 B)")


def test_summary_of_some_layers():
    model = pynn.Sequential([pynn.Input((3,)), *(layers.Dense(2, name=f"{name}_layer") for name in "abcd")])
    model.add(layers.Dense(2, name="a_last"))

    def shown(layer_range):
        told = []
        model.summary(100, [0.5, 0.8, 1.0], told.append, layer_range=layer_range)
        return [line.split()[1] for line in told[0].splitlines() if "(Dense)" in line]

    names = [layer.name for layer in model.layers]
    assert shown(None) == names
    assert shown(["b_layer", "c_layer"]) == names[1:3]
    assert shown(("c", "b")) == names[1:3]
    assert shown(("a", "a")) == names
    assert shown([".*_layer", "c_"]) == names[:3]
    for wrong in (["a"], "ab", ["a", 3], ["a", "no"], ["a", "("]):
        with pytest.raises(ValueError, match="layer_range"):
            shown(wrong)
    with pytest.raises(ValueError, match="line_length"):
        model.summary(-1)


def test_summary_of_an_unbuilt_model(capsys):
    model = pynn.Sequential([layers.Dense(3, name="probe"), layers.Flatten()])
    model.summary()
    rows = [line for line in capsys.readouterr().out.splitlines() if "probe" in line]
    assert len(rows) == 1
    assert "?" in rows[0]
    assert "0 (unbuilt)" in rows[0]


def test_summary_on_a_terminal_of_plain_letters(monkeypatch, tmp_path):
    model = make_model()
    with open(tmp_path / "out", "w", encoding="ascii") as out:
        monkeypatch.setattr(sys, "stdout", out)
        model.summary()
    text = (tmp_path / "out").read_text(encoding="ascii")
    assert "Total params: 75" in text
    assert "+--" in text


@pytest.mark.parametrize("given", [5, "Dense", layers.Dense(3)], ids=["number", "text", "layer"])
def test_model_of_no_list_says_so(given):
    with pytest.raises(TypeError, match="list"):
        pynn.Sequential(given)


def test_layer_that_computes_nothing_is_refused():
    class Half(layers.Layer):
        def lower(self, net, x, shape):
            return x

    model = pynn.Sequential()
    for layer in (layers.Layer(), Half()):
        with pytest.raises(TypeError, match=r"computes nothing: .* must write call"):
            model.add(layer)
    assert not model.layers


def test_layer_of_ones_own_of_ops_that_exist():
    class Doubled(layers.Layer):
        def sample_output_shape(self, shape):
            return shape

        def lower(self, net, x, shape):
            return net.add("rescaling", x, scale=[2.0], offset=[0.0])

    x = np.arange(6.0, dtype=np.float32).reshape(2, 3)
    np.testing.assert_array_equal(pynn.Sequential([Doubled()])(x), 2 * x)


@pytest.mark.parametrize(
    "settings",
    [
        {"strides": 2, "dilation_rate": 2},
        {"strides": (1, 2), "dilation_rate": (2, 1)},
    ],
    ids=str,
)
@pytest.mark.parametrize("make", [layers.Conv2D, layers.Conv2DTranspose])
def test_strides_and_dilation_exclude_each_other(make, settings):
    with pytest.raises(ValueError, match=r"strides.*dilation_rate"):
        make(4, 3, **settings)


def test_sizes_may_be_rows_of_an_array():
    layer = layers.Conv2D(4, np.array([3, 2]), strides=np.array([1, 2]))
    assert (layer.kernel_size, layer.strides) == ((3, 2), (1, 2))
    assert pynn.Input(np.array([4, 2])).shape == (None, 4, 2)
    assert layers.ZeroPadding2D(np.array([1, 2])).padding == ((1, 1), (2, 2))
    assert layers.Reshape(np.array([2, -1])).target_shape == (2, -1)
    for bad in (np.array([3.0, 3.0]), np.array([[3, 3]]), np.array(["3", "3"])):
        with pytest.raises((TypeError, ValueError), match="kernel_size"):
            layers.Conv2D(4, bad)


def test_transposed_convolution_that_gives_nothing_names_it():
    layer = layers.Conv2DTranspose(2, 2, strides=2, padding="same", output_padding=0, name="probe")
    with pytest.raises(ValueError, match="'probe'"):
        pynn.Sequential([pynn.Input((1, 1, 3)), layer])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: layers.UpSampling1D(10**30), "size"),
        (lambda: layers.UpSampling2D(10**30), "size"),
        (lambda: layers.ZeroPadding1D(2**40), "padding"),
        (lambda: layers.ZeroPadding2D(((0, 0), (0, 2**40))), "padding"),
        (lambda: layers.Cropping1D(10**400), "cropping"),
        (lambda: pynn.Sequential([pynn.Input((5, 1)), layers.ZeroPadding1D(2**30, name="padding")]), "memory"),
        (lambda: pynn.Sequential([pynn.Input((5, 1)), layers.UpSampling1D(2**30, name="size")]), "memory"),
    ],
)
def test_sizes_beyond_memory_are_refused_before_any_is_asked_for(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("verbose", [1, 2, "auto"])
def test_training_without_a_terminal_at_all(monkeypatch, verbose):
    """A program without a console has no sys.stdout."""
    x, y = make_data()
    model = make_model()
    monkeypatch.setattr(sys, "stdout", None)
    history = model.fit(x, y, verbose=verbose)
    model.evaluate(x, y, verbose=verbose)
    model.predict(x, verbose=verbose)
    monkeypatch.undo()
    assert len(history.history["loss"]) == 1


# ---- threads ---------------------------------------------------------------------------------------------------------
def at_once(*works):
    """Run the functions in threads; returns what they raised."""
    errors, gate = [], threading.Barrier(len(works))

    def call(work):
        gate.wait()
        try:
            work()
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=call, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    return errors


@pytest.fixture
def quick_switches():
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def test_automatic_names_of_several_threads_differ(quick_switches):
    """A model whose layers are made by one of them would be refused."""
    found = []

    def make():
        found.extend([names.auto_name("Made") for _ in range(30_000)])

    assert at_once(*[make] * 4) == []
    assert len(set(found)) == len(found) == 120_000


@pytest.mark.parametrize("tries", [60, pytest.param(2000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("first", ["predict", "build", "fit"])
def test_add_beside_the_first_use(first, tries, quick_switches):
    """The layers have the weights that the network uses, whichever comes first."""
    x, y = make_data(8)
    for _ in range(tries):
        model = pynn.Sequential([layers.Dense(4), layers.Dense(3)])
        model.compile("sgd", pynn.losses.SparseCategoricalCrossentropy(from_logits=True))
        work = {
            "predict": lambda model=model: model.predict(x, verbose=0),
            "build": lambda model=model: model.build((None, 5)),
            "fit": lambda model=model: model.fit(x, y, verbose=0),
        }[first]
        for error in at_once(work, lambda model=model: model.add(layers.Dense(3))):
            assert isinstance(error, RuntimeError)
        expected = x
        for layer in model.layers if model.built else ():
            expected = expected @ layer.kernel.numpy() + layer.bias.numpy()
        if model.built:
            np.testing.assert_allclose(model.predict(x, verbose=0), expected, rtol=1e-4, atol=1e-5)


def test_layer_built_by_two_threads_has_one_set_of_weights(quick_switches):
    for _ in range(60):
        layer, seen = layers.Dense(4), []

        def build(layer=layer, seen=seen):
            layer.build((None, 3))
            seen.append(layer.kernel)

        assert not at_once(*[build] * 4)
        assert len(seen) == 4
        assert all(kernel is layer.kernel for kernel in seen)


# ---- from within -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("how", ["call", "fit"])
def test_model_that_is_asked_while_it_is_built_says_so(how):
    x, y = make_data()

    class Curious(pynn.initializers.Initializer):
        def __call__(self, shape, dtype=None):
            return model(x)

    model = pynn.Sequential([layers.Dense(4, kernel_initializer=Curious())])
    model.compile("sgd", "sparse_categorical_crossentropy")
    with pytest.raises(RuntimeError, match="cannot be used from within"):
        model.fit(x, y, verbose=0) if how == "fit" else model(x)
    assert not model.built
    model.pop()
    model.add(layers.Dense(4))
    assert model(x).shape == (len(x), 4)


def test_model_that_is_asked_between_any_two_instructions_of_its_build_does_not_wait():
    """By a signal handler, which runs on the thread that has the model's lock."""
    x, _ = make_data()
    answers = set()

    def ask_at(number):
        left = number

        def trace(frame, event, _):
            nonlocal left
            if frame.f_code.co_name not in {"_wait_until", "_make_plan", "_alone"}:
                return trace if frame.f_code.co_filename.endswith("structure.py") else None
            frame.f_trace_opcodes = True
            left -= event == "opcode"
            if left < 0:
                sys.settrace(None)
                frame.f_trace = None
                try:
                    answers.add(model(x).shape)
                except RuntimeError as error:
                    answers.add(str(error).partition("cannot")[2])
            return trace

        model = pynn.Sequential([layers.Dense(4)])
        before = sys.gettrace()
        sys.settrace(trace)
        try:
            assert model(x).shape == (len(x), 4)
        finally:
            sys.settrace(before)
        return left < 0

    number = 0
    while ask_at(number):
        number += 1
    assert number > 20
    assert answers == {(len(x), 4), " be used from within."}


def test_signal_handler_that_asks_a_model_during_its_build_says_so():
    x, _ = make_data()
    seen = []

    class Interrupting(pynn.initializers.Initializer):
        def __call__(self, shape, dtype=None):
            signal.raise_signal(signal.SIGUSR1)
            return np.ones(shape, dtype)

    def handler(*_):
        with pytest.raises(RuntimeError, match="cannot be used from within") as error:
            model.predict(x, verbose=0)
        seen.append(error)

    model = pynn.Sequential([layers.Dense(4, kernel_initializer=Interrupting())])
    before = signal.signal(signal.SIGUSR1, handler)
    try:
        assert model(x).shape == (len(x), 4)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert len(seen) == 1


# ---- of one's own, and copies ----------------------------------------------------------------------------------------
def test_model_of_nothing_is_refused():
    class Plain(pynn.Model):
        def __init__(self, units):
            super().__init__()
            self.units = units

    for make in (pynn.Model, lambda: Plain(3)):
        with pytest.raises(TypeError, match=r"needs inputs and outputs.*or a method call"):
            make()
    for arguments in ((1, 2), (pynn.Input((2,)), 2), (np.zeros(2), np.zeros(2))):
        with pytest.raises(TypeError, match="must be a symbolic tensor"):
            pynn.Model(*arguments)
    with pytest.raises(TypeError, match="inputs and outputs, but got one"):
        pynn.Model(pynn.Input((2,)))


def test_bare_layer_computes_nothing():
    with pytest.raises(NotImplementedError, match="Layer computes nothing"):
        layers.Layer().build((None, 4))


def test_shape_of_the_output():
    layer = layers.Dense(3)
    assert layer.compute_output_shape((None, 4)) == (None, 3)
    assert layer.compute_output_shape((7, 2, 4)) == (7, 2, 3)
    assert not layer.built
    assert layers.Conv1D(2, 3).compute_output_shape((None, None, 4)) == (None, None, 2)
    assert layers.Concatenate().compute_output_shape([(None, 4), (None, 2)]) == (None, 6)
    assert make_model().compute_output_shape((2, 5)) == (2, 3)
    for shape, message in ((4, "shape of a batch"), ((), "shape of a batch"), ((None,), "at least one feature")):
        with pytest.raises((TypeError, ValueError), match=message):
            layer.compute_output_shape(shape)
    with pytest.raises(TypeError, match="list of shapes"):
        layers.Add().compute_output_shape((None, 4))


@pytest.mark.parametrize("way", [copy.copy, copy.deepcopy, lambda thing: pickle.loads(pickle.dumps(thing))])
def test_copies(way):
    x, y = make_data()
    model = make_model(optimizer=pynn.optimizers.SGD(0.25, momentum=0.5))
    history = model.fit(x, y, epochs=2, verbose=0)
    model.optimizer.learning_rate = 0
    twin = way(model.optimizer)
    assert twin is not model.optimizer
    assert twin.get_config() == model.optimizer.get_config()
    assert twin.iterations == 0
    twin.learning_rate = 0.5
    assert model.optimizer.learning_rate == 0
    make_model(optimizer=twin).fit(x, y, verbose=0)
    record = way(history)
    assert (record.history, record.epoch, record.params) == (history.history, history.epoch, history.params)
    assert record.model is None
    assert history.model is model
    with pytest.raises(TypeError, match=r"weight.numpy\(\)"):
        way(model.weights[0])


def test_change_by_another_thread_during_a_call_says_so():
    model = make_model()
    layout = model._state.layout
    model.add(layers.Dense(2))
    for ask in (model._plan, model._task):
        with pytest.raises(RuntimeError, match=r"was changed by another thread during the call\. Call it again"):
            ask(layout, 1)
    model.predict(make_data()[0], verbose=0)
    with pytest.raises(RuntimeError, match="Call it again"):
        model._plan(layout, 1)

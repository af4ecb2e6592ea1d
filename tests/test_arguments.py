"""What a wrong call of a public class says, and what its signature shows."""

import inspect
import re

import pytest

import pynn
from pynn import layers
from pynn.foundation import not_yet

THINGS = {name: getattr(layers, name) for name in layers.__all__}
NAMES = {name for name, kind in THINGS.items() if isinstance(kind, type) and issubclass(kind, layers.Layer)}
LAYERS = [kind for name, kind in THINGS.items() if name in NAMES and name == kind.__name__]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: layers.Dense(10, activaton="relu"), "Dense() has no argument 'activaton'. Did you mean 'activation'?"),
        (lambda: layers.Conv2D(4, 3, stride=2), "Conv2D() has no argument 'stride'. Did you mean 'strides'?"),
        (
            lambda: layers.MaxPooling2D(poolsize=3),
            "MaxPooling2D() has no argument 'poolsize'. Did you mean 'pool_size'?",
        ),
        (lambda: layers.Dense(10, nme="x"), "Dense() has no argument 'nme'. Did you mean 'name'?"),
        (
            lambda: layers.Flatten(zzz=1),
            "Flatten() has no argument 'zzz'. It has: data_format, name, trainable,",
        ),
        (lambda: layers.Dense(), "Dense() needs the argument 'units'."),
        (lambda: layers.Conv2D(), "Conv2D() needs the arguments 'filters' and 'kernel_size'."),
        (
            lambda: layers.ELU(1.0, 2.0),
            "ELU() takes only alpha without a name, but got 2 arguments",
        ),
        (lambda: layers.Dense(10, units=3), "Dense() got its argument 'units' twice"),
        (lambda: pynn.Sequential(layer=[]), "Sequential() has no argument 'layer'. Did you mean 'layers'?"),
        (lambda: layers.Dense.from_config({"unit": 3}), "Dense() has no argument 'unit'. Did you mean 'units'?"),
    ],
)
def test_wrong_call_names_the_class(call, message):
    with pytest.raises(TypeError, match=re.escape(message)):
        call()


MODEL = pynn.Sequential([pynn.Input((4,)), layers.Dense(2)])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: MODEL.fit(1, 2, epoch=3), "Sequential.fit() has no argument 'epoch'. Did you mean 'epochs'?"),
        (lambda: MODEL.train_on_batch(), "Sequential.train_on_batch() needs the argument 'x'."),
        (lambda: MODEL.fit(1, 2, x=3), "Sequential.fit() got its argument 'x' twice"),
        (lambda: MODEL.compile("sgd", "mse", metric=[]), "Sequential.compile() has no argument 'metric'. Did you mean"),
        (lambda: MODEL.evaluate(1, 2, batchsize=3), "Sequential.evaluate() has no argument 'batchsize'. Did you mean"),
        (lambda: pynn.Input((4,), tensor=1), "Input() does not have Keras's argument 'tensor' yet."),
        (
            lambda: layers.BatchNormalization(renorm=True),
            "BatchNormalization() does not have Keras's argument 'renorm'",
        ),
        (lambda: pynn.Input((4,), nme="a"), "Input() has no argument 'nme'. Did you mean 'name'?"),
    ],
)
def test_wrong_call_of_a_method_names_it(call, message):
    with pytest.raises(TypeError, match=re.escape(message)):
        call()


@pytest.mark.parametrize("function", not_yet._ARGUMENTS)
def test_arguments_that_are_not_there_yet(function):
    """Those that come have to leave the list."""
    call = getattr(layers if hasattr(layers, function) else pynn.Sequential, function)
    there = inspect.signature(call).parameters
    missing = not_yet._ARGUMENTS[function].split()
    assert missing
    assert not set(missing) & set(there)


def test_warning_of_fit_has_the_line_that_called():
    model = pynn.Sequential([pynn.Input((1,)), layers.Dense(1)])
    model.compile(pynn.optimizers.SGD(1e30), "mse")
    x, y = [[1e20]], [[1.0]]
    with pytest.warns(RuntimeWarning, match="not finite") as record:
        model.fit(x, y, epochs=9, verbose=0)
    assert [each.filename for each in record] == [__file__]
    with pytest.warns(RuntimeWarning, match="not finite") as record:
        model.train_on_batch(x, y)
    assert [each.filename for each in record] == [__file__]


def test_error_from_inside_is_left_as_it_is():
    with pytest.raises(TypeError, match="units must be a whole number"):
        layers.Dense("ten")


def test_subclass_of_the_users_own_is_named():
    class Mine(layers.Dense):
        def __init__(self, size, **more):
            super().__init__(size, **more)

    assert Mine(3, name="mine").units == 3
    with pytest.raises(TypeError, match=re.escape("Mine() needs the argument 'size'")):
        Mine()
    with pytest.raises(TypeError, match=re.escape("Mine() has no argument 'activaton'. Did you mean 'activation'?")):
        Mine(3, activaton="relu")


@pytest.mark.parametrize(
    "kind", [kind for kind in LAYERS if kind is not layers.InputLayer], ids=lambda kind: kind.__name__
)
def test_signature_lists_every_argument(kind):
    """With types that say what may be given, as editors and help() show it."""
    parameters = inspect.signature(kind).parameters
    assert {"name", "trainable", "dtype"} <= set(parameters)
    assert kind.takes_list or "input_shape" in parameters
    for parameter in parameters.values():
        assert parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL)
        assert parameter.annotation not in (parameter.empty, "object", "Any")


def test_dir_of_layers_shows_layers_only():
    assert "Dense" in dir(layers)
    for name in dir(layers):
        thing = getattr(layers, name)
        assert name == "Input" or name.islower() or issubclass(thing, layers.Layer)
    functions = {"Input", *(kind.__name__.lower() for kind in LAYERS if kind.__module__ == "pynn.layers.merging")}
    assert set(dir(layers)) == NAMES | functions
    assert set(dir(layers)) <= set(layers.__all__)


def test_second_names_of_layers_are_those_of_keras():
    second = {name: getattr(layers, name).__name__ for name in NAMES if getattr(layers, name).__name__ != name}
    assert second == {
        "AvgPool1D": "AveragePooling1D",
        "AvgPool2D": "AveragePooling2D",
        "Convolution1D": "Conv1D",
        "Convolution1DTranspose": "Conv1DTranspose",
        "Convolution2D": "Conv2D",
        "Convolution2DTranspose": "Conv2DTranspose",
        "GlobalAvgPool1D": "GlobalAveragePooling1D",
        "GlobalAvgPool2D": "GlobalAveragePooling2D",
        "GlobalMaxPool1D": "GlobalMaxPooling1D",
        "GlobalMaxPool2D": "GlobalMaxPooling2D",
        "GroupQueryAttention": "GroupedQueryAttention",
        "MaxPool1D": "MaxPooling1D",
        "MaxPool2D": "MaxPooling2D",
        "SeparableConvolution1D": "SeparableConv1D",
        "SeparableConvolution2D": "SeparableConv2D",
    }
    assert layers.serialize(layers.MaxPool2D(name="pool"))["class_name"] == "MaxPooling2D"

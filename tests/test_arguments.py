"""What a wrong call of a public class says, and what its signature shows."""

import inspect
import re

import pytest

import pynn
from pynn import layers

LAYERS = [kind for kind in vars(layers).values() if isinstance(kind, type) and issubclass(kind, layers.Layer)]


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
        (lambda: layers.Flatten(zzz=1), "Flatten() has no argument 'zzz'. It has: name, trainable, dtype,"),
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
    assert {"name", "trainable", "dtype", "input_shape"} <= set(parameters)
    for parameter in parameters.values():
        assert parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL)
        assert parameter.annotation not in (parameter.empty, "object", "Any")


def test_dir_of_layers_shows_layers_only():
    assert "Dense" in dir(layers)
    for name in dir(layers):
        thing = getattr(layers, name)
        assert name == "Input" or issubclass(thing, layers.Layer)
    assert {kind.__name__ for kind in LAYERS} == set(dir(layers)) - {"Input"}
    assert set(dir(layers)) <= set(layers.__all__)

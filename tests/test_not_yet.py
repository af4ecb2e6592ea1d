"""What Keras has and pynn does not have yet: each list is of names that pynn indeed lacks."""

import pytest

import pynn
from pynn.foundation import not_yet

ROOMS = {
    "data set": "datasets",
    "loss": "losses",
    "utility": "utils",
    "model or function": "models",
    "function of saving": "saving",
}
NAMES = [(kind, name) for kind in not_yet._NAMES for name in not_yet.names(kind)]


@pytest.mark.parametrize(("kind", "name"), NAMES)
def test_name_that_is_not_there_yet(kind, name):
    """When it comes, it has to leave the list."""
    room = pynn if kind == "part" else getattr(pynn, ROOMS.get(kind, f"{kind}s"))
    assert name not in vars(room)
    assert not_yet.is_missing(name, kind)
    assert not_yet.is_missing(name.lower(), kind)
    assert f"does not have the {kind} {name!r} of Keras yet" in not_yet.message(name, kind)
    with pytest.raises(AttributeError, match=f"the {kind} '{name}' of Keras yet"):
        getattr(room, name)


def test_layer_that_is_not_there_yet():
    with pytest.raises(ValueError, match="does not have the layer 'ConvLSTM2D' of Keras yet"):
        pynn.layers.deserialize({"class_name": "ConvLSTM2D", "config": {}})

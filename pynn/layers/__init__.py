"""The layers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..engine.lowering import Lowering
from ..foundation import checks, identifiers, not_yet
from . import (
    activations,
    adaptive,
    convolutional,
    core,
    depthwise,
    einsum,
    embedding,
    merging,
    normalization,
    operations,
    pooling,
    preprocessing,
    regularization,
    reshaping,
    resizing,
    rms,
    transposed,
)
from .activations import *  # noqa: F403 - a layer is named in its family's file only
from .adaptive import *  # noqa: F403
from .base import Layer
from .convolutional import *  # noqa: F403
from .core import *  # noqa: F403
from .depthwise import *  # noqa: F403
from .einsum import *  # noqa: F403
from .embedding import *  # noqa: F403
from .merging import *  # noqa: F403
from .normalization import *  # noqa: F403
from .pooling import *  # noqa: F403
from .preprocessing import *  # noqa: F403
from .regularization import *  # noqa: F403
from .reshaping import *  # noqa: F403
from .resizing import *  # noqa: F403
from .rms import *  # noqa: F403
from .transposed import *  # noqa: F403
from .weight import Weight, WeightSpec

__all__ = ["Layer", "Lowering", "Weight", "WeightSpec", "deserialize", "serialize"]
__all__ += activations.__all__
__all__ += adaptive.__all__
__all__ += convolutional.__all__
__all__ += core.__all__
__all__ += depthwise.__all__
__all__ += einsum.__all__
__all__ += embedding.__all__
__all__ += merging.__all__
__all__ += normalization.__all__
__all__ += pooling.__all__
__all__ += preprocessing.__all__
__all__ += regularization.__all__
__all__ += reshaping.__all__
__all__ += resizing.__all__
__all__ += rms.__all__
__all__ += transposed.__all__

_TABLE: dict[str, type[Layer]] = {
    cls.__name__: cls
    for cls in list(globals().values())
    if isinstance(cls, type) and issubclass(cls, Layer) and cls is not Layer
}
_TABLE.update(
    {
        cls.__name__: cls
        for cls in (
            operations.Absolute,
            operations.Activated,
            operations.Arithmetic,
            operations.ConstantProduct,
            operations.GetItem,
            operations.MatMul,
        )
    }
)


def __dir__() -> list[str]:
    """The layers, also by their second names, and no module or helper."""
    helpers = {"Lowering", "Weight", "WeightSpec", "deserialize", "serialize"}
    return [name for name in __all__ if name not in helpers]


def know(classes: Mapping[str, type[Layer]]) -> None:
    """Let `deserialize` make layers of further classes: models."""
    _TABLE.update(classes)


def serialize(layer: Layer) -> dict[str, Any]:
    """The configuration ``{"class_name": ..., "config": ...}`` that `deserialize` reads."""
    return identifiers.serialize(layer)


def deserialize(config: dict[str, Any], custom_objects: Mapping[str, Any] | None = None) -> Layer:
    """The layer of a configuration that `serialize` made; it has no weights yet.

    Args:
        config: The configuration.
        custom_objects: Classes of one's own by name, ``{"Linear": Linear}``. Default: none.

    Raises:
        ValueError: no such layer, or another form of configuration. TypeError: arguments the layer does not have.
    """
    name, settings = identifiers.split_config(config, "layer")

    def make() -> Layer:
        kind = identifiers.look_up(name, _TABLE, "layer")
        if not (isinstance(kind, type) and issubclass(kind, Layer)):
            raise TypeError(f"{name!r} must be a layer, but custom_objects has {checks.shown(kind)} for it.")
        return kind.from_config(settings)

    return identifiers.knowing(custom_objects, make)


if not TYPE_CHECKING:  # a checker would take every name for one that is there
    __getattr__ = not_yet.attribute_of(__name__, "layer")

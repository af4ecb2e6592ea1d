"""The layers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..engine.lowering import Lowering
from ..foundation import not_yet
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
    wrapping,
)
from .activations import *  # noqa: F403 - a layer is named in its family's file only
from .adaptive import *  # noqa: F403
from .base import Layer
from .by_name import deserialize, know, serialize
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
from .wrapping import *  # noqa: F403

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
__all__ += wrapping.__all__

know({cls.__name__: cls for cls in list(globals().values()) if isinstance(cls, type) and issubclass(cls, Layer)})
know(
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


if not TYPE_CHECKING:  # a checker would take every name for one that is there
    __getattr__ = not_yet.attribute_of(__name__, "layer")

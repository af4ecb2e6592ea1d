"""What the arguments of layers may be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias, TypedDict

from numpy.typing import DTypeLike

from ..activations import ActivationLike
from ..constraints import ConstraintLike
from ..data.layout import OpenShape
from ..initializers import InitializerLike
from ..regularizers import RegularizerLike

Shape: TypeAlias = tuple[int, ...]  # of one sample
# Of the samples of one input, or of several where the layer takes a list. Open ones have None along some axes.
OpenShapes: TypeAlias = OpenShape | list[OpenShape]
# The shapes of the masks of the inputs, None for one that has none; empty: none has one.
Masks: TypeAlias = tuple[OpenShape | None, ...]


class LayerArguments(TypedDict, total=False):
    """The arguments that all layers have."""

    name: str | None
    trainable: bool
    dtype: DTypeLike | None
    input_shape: int | Sequence[int | None] | None
    input_dim: int | None


class KernelArguments(LayerArguments, total=False):
    """Those of the layers that have a kernel."""

    activation: ActivationLike
    use_bias: bool
    kernel_initializer: InitializerLike
    bias_initializer: InitializerLike
    kernel_regularizer: RegularizerLike
    bias_regularizer: RegularizerLike
    activity_regularizer: RegularizerLike
    kernel_constraint: ConstraintLike
    bias_constraint: ConstraintLike

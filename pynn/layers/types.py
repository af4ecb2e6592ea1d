"""What the arguments of layers may be."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias, TypedDict

from numpy.typing import DTypeLike

from ..activations import Activation
from ..constraints import Constraint
from ..initializers import Initializer
from ..regularizers import Regularizer

Shape: TypeAlias = tuple[int, ...]  # of one sample

# A name, an object, a configuration such as {"class_name": "L2", "config": {"l2": 0.1}}, a class or function; or none
ActivationLike: TypeAlias = str | Activation | Callable[..., Any] | dict[str, Any] | None
InitializerLike: TypeAlias = str | Initializer | type[Initializer] | dict[str, Any]
RegularizerLike: TypeAlias = str | Regularizer | type[Regularizer] | dict[str, Any] | None
ConstraintLike: TypeAlias = str | Constraint | type[Constraint] | dict[str, Any] | None


class LayerArguments(TypedDict, total=False):
    """The arguments that all layers have."""

    name: str | None
    trainable: bool
    dtype: DTypeLike | None
    input_shape: int | Sequence[int] | None
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

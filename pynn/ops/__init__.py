"""Functions of arrays: those of Keras's ``keras.ops`` that networks of one's own are written with, and the kernels of
the engine.

**Functions under Keras's names** (`add`, `matmul`, `mean`, `reshape`, `softmax`, ...) take arrays, of which they make
what NumPy makes, and symbolic tensors, so that they may stand in the `call` of a layer or model. Those of elements,
and `matmul`, take weights there, too. A symbolic tensor keeps its first axis, that of the samples: sums along it are
not there. Some (`argmax`, `median`, `sort`, ...) take arrays alone, for metrics of one's own.

`nn`, `numpy` and `linalg` have these functions under Keras's longer names, ``ops.nn.relu``.

**Kernels** (`dense_forward`, `conv_backward`, `adam_update`, ...) are what networks run on. They work where the data
lies: arrays must be C-contiguous, aligned, and all float32 or all float64; anything else is an error rather than a
copy. Results go to ``out=`` where it is given and to a new array otherwise. All use ``config.get_num_threads()``
threads, and their results do not depend on how many.
"""

from typing import TYPE_CHECKING

from ..foundation import lazy

if TYPE_CHECKING:
    from . import linalg as linalg
    from . import nn as nn
    from . import numpy as numpy
    from ._activations import *  # noqa: F403
    from ._creation import *  # noqa: F403
    from ._crossentropies import *  # noqa: F403
    from ._einsum import *  # noqa: F403
    from ._elementwise import *  # noqa: F403
    from ._functions import *  # noqa: F403
    from ._kernels import *  # noqa: F403
    from ._linear import *  # noqa: F403
    from ._of_arrays import *  # noqa: F403
    from ._places import *  # noqa: F403
    from ._reductions import *  # noqa: F403
    from ._shapes import *  # noqa: F403
    from ._updates import *  # noqa: F403
    from ._windows import *  # noqa: F403

_MODULES = {
    "_activations": """celu elu gelu glu hard_shrink hard_sigmoid hard_silu hard_swish hard_tanh leaky_relu
        log_sigmoid log_softmax mish relu relu6 selu sigmoid silu soft_shrink softmax softplus softsign sparsemax
        squareplus swish tanh tanh_shrink threshold""",
    "_creation": """arange array convert_to_numpy convert_to_tensor copy dtype eye full full_like identity is_tensor
        linspace meshgrid one_hot ones ones_like tri zeros zeros_like""",
    "_crossentropies": "binary_crossentropy categorical_crossentropy sparse_categorical_crossentropy",
    "_elementwise": """abs absolute add ceil clip cos divide divide_no_nan equal exp expm1 floor floor_divide
        greater greater_equal less less_equal log log10 log1p log2 logical_and logical_not logical_or logical_xor
        maximum minimum mod multiply negative not_equal power reciprocal rsqrt sign sin sqrt square stop_gradient
        subtract true_divide where""",
    "_functions": "cbrt cosh exp2 hypot logaddexp round select sinh tan trunc",
    "_kernels": """activation_backward activation_forward dense_backward dense_forward gemm loss_backward
        loss_forward metric_forward rescaling_forward""",
    "_linear": "cumprod cumsum diag diagonal diff dot inner outer tensordot trace vdot",
    "_of_arrays": """allclose arccos arcsin arctan arctan2 argmax argmin argsort bincount digitize isclose isfinite
        isinf isnan median nan_to_num nonzero prod quantile searchsorted size sort take_along_axis top_k""",
    "_einsum": "einsum",
    "_places": "broadcast_to moveaxis pad repeat roll take tile tril triu",
    "_reductions": "all amax amin any average count_nonzero logsumexp max mean min moments norm normalize std sum var",
    "_shapes": """append cast concatenate expand_dims flip hstack matmul ndim ravel reshape shape split squeeze
        stack swapaxes transpose unstack vstack""",
    "_updates": """adadelta_update adagrad_update adam_update adamax_update lion_update nadam_update rmsprop_update
        sgd_update""",
    "_windows": "conv_backward conv_forward",
    "linalg": "",
    "nn": "",
    "numpy": "",
}

__all__ = lazy.names(_MODULES)

# Those that a configuration may name: what they make follows from their tensors, so that no file of a stranger's can
# have them fill the memory, as `one_hot` of many classes would.
_OF_TENSORS = ("_activations", "_crossentropies", "_elementwise", "_functions", "_reductions", "_shapes")
NAMED = lazy.names({module: _MODULES[module] for module in _OF_TENSORS})


def __dir__() -> list[str]:
    """The functions."""
    return __all__


if not TYPE_CHECKING:  # a checker would take every name for one that is there
    __getattr__ = lazy.attributes(__name__, _MODULES, "function")

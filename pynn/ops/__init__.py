"""The kernels of the engine as functions on NumPy arrays: what networks run on, for loops and layers of your own.

The functions work where the data lies: arrays must be C-contiguous, aligned, and all float32 or all float64; anything
else is an error rather than a copy. Results go to ``out=`` where it is given and to a new array otherwise. All use
``config.get_num_threads()`` threads, and their results do not depend on how many.
"""

from ._kernels import (
    activation_backward,
    activation_forward,
    dense_backward,
    dense_forward,
    gemm,
    loss_backward,
    loss_forward,
    metric_forward,
    rescaling_forward,
)
from ._updates import (
    adadelta_update,
    adagrad_update,
    adam_update,
    adamax_update,
    lion_update,
    nadam_update,
    rmsprop_update,
    sgd_update,
)
from ._windows import conv_backward, conv_forward

__all__ = [
    "activation_backward",
    "activation_forward",
    "adadelta_update",
    "adagrad_update",
    "adam_update",
    "adamax_update",
    "conv_backward",
    "conv_forward",
    "dense_backward",
    "dense_forward",
    "gemm",
    "lion_update",
    "loss_backward",
    "loss_forward",
    "metric_forward",
    "nadam_update",
    "rescaling_forward",
    "rmsprop_update",
    "sgd_update",
]

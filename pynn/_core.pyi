"""The native engine. Private: arrays are checked in Python before they come here."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

# The array types that cross the border, the same as in csrc/bindings/arrays.h. None is ever converted:
# another dtype, memory order or a read-only output is an error.
Real: TypeAlias = NDArray[np.float32] | NDArray[np.float64]  # C-contiguous, of the network's dtype
Samples: TypeAlias = Real | NDArray[np.uint8]  # rows of inputs; bytes are converted where they are gathered
Targets: TypeAlias = Real | NDArray[np.int32]  # values of the network's dtype, or class labels
Float64: TypeAlias = NDArray[np.float64]

__version__: str

# ---- the machine -----------------------------------------------------------------------------------------------------
def blas_name() -> str: ...
def instruction_set() -> str: ...
def thread_backend() -> str: ...
def raise_in_team(rank: int, threads: int) -> None:
    """Raise RuntimeError in one member of a team: what the tests of error handling call."""

# ---- random numbers --------------------------------------------------------------------------------------------------
def random_uniform(out: Float64, seed: int, stream: int) -> None:
    """Fill with uniform numbers of [0, 1): element i depends on (seed, stream, i) only (Philox 4x32-10)."""

def permutation(out: NDArray[np.int64], seed: int, stream: int) -> None:
    """Fill with a permutation of 0..n-1, a function of (seed, stream, n): the order in which `train` visits rows."""

# ---- kernels ---------------------------------------------------------------------------------------------------------
def gemm(c: Real, a: Real, b: Real, transpose_a: bool, transpose_b: bool, accumulate: bool, threads: int) -> None: ...
def dense_forward(y: Real, x: Real, kernel: Real, bias: Real | None, threads: int) -> None: ...
def dense_backward(
    dx: Real | None, dkernel: Real | None, dbias: Real | None, dy: Real, x: Real, kernel: Real, threads: int
) -> None: ...
def conv_forward(
    y: Real, x: Real, kernel: Real, bias: Real | None, images: int, shape: Sequence[int], threads: int
) -> None:
    """shape: the numbers of a ConvShape (csrc/kernels/kernels.h), in its order."""

def conv_backward(
    dx: Real | None,
    dkernel: Real | None,
    dbias: Real | None,
    dy: Real,
    x: Real,
    kernel: Real,
    images: int,
    shape: Sequence[int],
    threads: int,
) -> None: ...
def pool_forward(y: Real, x: Real, images: int, shape: Sequence[int], kind: str, threads: int) -> None:
    """shape: the numbers of a PoolShape (csrc/kernels/kernels.h), in its order; kind: "max" or "average"."""

def pool_backward(
    dx: Real, dy: Real, x: Real, y: Real, images: int, shape: Sequence[int], kind: str, threads: int
) -> None: ...
def activation_forward(y: Real, x: Real, name: str, a: float, b: float, c: float, threads: int) -> None: ...
def activation_backward(
    dx: Real, dy: Real, x: Real, y: Real, name: str, a: float, b: float, c: float, threads: int
) -> None: ...
def softmax_forward(y: Real, x: Real, outer: int, axis: int, inner: int, log: bool, threads: int) -> None:
    """Softmax (or its logarithm) over the middle axis of (outer, axis, inner)."""

def softmax_backward(
    dx: Real, dy: Real, y: Real, outer: int, axis: int, inner: int, log: bool, threads: int
) -> None: ...
def rescaling_forward(y: Real, x: Real, scale: Real, offset: Real, threads: int) -> None:
    """y = x * scale + offset; scale and offset have 1 or n elements, repeated along the last axis of size n."""

def group_norm_forward(
    y: Real,
    mean: Real,
    inverse: Real,
    x: Real,
    gamma: Real | None,
    beta: Real | None,
    samples: int,
    shape: Sequence[int],
    epsilon: float,
    threads: int,
) -> None:
    """shape: the numbers of a GroupShape (csrc/kernels/kernels.h), in its order."""

def loss_forward(values: Float64, y_pred: Real, y_true: Targets, name: str, a: float, threads: int) -> None:
    """One loss value a row; a row has y_pred.size / values.size elements. a: the loss's setting (losses.py)."""

def loss_backward(
    dy_pred: Real, y_pred: Real, y_true: Targets, name: str, a: float, scale: float, threads: int
) -> None:
    """d(scale * sum of the rows' losses) / d y_pred."""

def metric_forward(values: Float64, y_pred: Real, y_true: Targets, name: str, a: float, threads: int) -> None: ...
def optimizer_update(
    name: str, settings: dict[str, float], w: Real, g: Real, slots: Sequence[Real], iteration: int, threads: int
) -> None:
    """One step on one flat buffer, in place. iteration counts from 1."""

def first_non_finite(x: Real, threads: int) -> int:
    """Index of the first NaN or infinity, or -1."""

# ---- graphs ----------------------------------------------------------------------------------------------------------
class Parameters:
    """The weights of one layer, one aligned array each: its own for life. Any number of graphs refer to them."""

    def __init__(self, dtype: str) -> None: ...
    @property
    def dtype(self) -> str: ...
    def add(
        self,
        size: int,
        learned: bool = True,
        l1: float = 0.0,
        l2: float = 0.0,
        constraint: tuple[str, Sequence[float], Sequence[int]] | None = None,
    ) -> int: ...
    def __len__(self) -> int: ...
    def array(self, number: int) -> Real: ...
    frozen: bool

class Graph:
    def __init__(self) -> None: ...
    def add_input(self, size: int, kind: str = "real") -> int: ...
    def add_parameter(self, parameters: Parameters, number: int) -> int: ...
    def add(
        self, kind: str, inputs: Sequence[int], parameters: Sequence[int], attributes: Mapping[str, Any]
    ) -> list[int]: ...
    def add_activity_penalty(self, tensor: int, l1: float, l2: float) -> None: ...
    def set_outputs(self, tensors: Sequence[int]) -> None: ...
    def size(self, tensor: int) -> int: ...

class Plan:
    def __init__(self, graph: Graph, dtype: str) -> None: ...
    @property
    def dtype(self) -> str: ...
    def predict(
        self, outs: Sequence[Real], xs: Sequence[Samples], check_finite: bool, threads: int
    ) -> tuple[int, int] | None: ...
    def predict_training(
        self, outs: Sequence[Real], xs: Sequence[Samples], check_finite: bool, step: int, threads: int
    ) -> tuple[int, int] | None: ...

Head: TypeAlias = tuple[int, str, int, float, bool, float, Sequence[tuple[str, int, float]]]

class Trainer:
    def __init__(self, plan: Plan) -> None: ...
    def set_heads(self, heads: Sequence[Head]) -> None: ...
    def set_optimizer(self, name: str, settings: dict[str, float]) -> None: ...
    learning_rate: float
    iterations: int
    @property
    def slots(self) -> int: ...
    def slot(self, slot: int, number: int) -> Real: ...
    @property
    def steps_done(self) -> int: ...
    def train(
        self,
        totals: Float64,
        xs: Sequence[Samples],
        ys: Sequence[Targets],
        batch_size: int,
        shuffle: bool,
        seed: int,
        epoch: int,
        first_step: int,
        steps: int,
        threads: int,
    ) -> bool: ...
    def evaluate(self, totals: Float64, xs: Sequence[Samples], ys: Sequence[Targets], threads: int) -> None: ...

class Hold:
    """What `UseLock.hold` gives: the lock is held until the end of the block, or until this is dropped."""

    def __enter__(self) -> None: ...
    def __exit__(self, *exception: object) -> None: ...

class UseLock:
    def __init__(self) -> None: ...
    def hold(self, message: str) -> Hold: ...

def slot_names(optimizer: str, settings: dict[str, float]) -> list[str]: ...
def loss_names() -> list[str]: ...
def metric_names() -> list[str]: ...
def activation_names() -> list[str]: ...

"""The native engine. Private: arrays are checked in Python before they come here."""

from collections.abc import Sequence
from typing import TypeAlias

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
def take_thread_shortage() -> tuple[int, int]:
    """(threads wanted, threads had) of the last region since it was asked that the process could not start all threads
    for; (0, 0) if there was none. Its results are the same."""

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
    """shape: the numbers of a ConvShape (csrc/kernels/conv.h), in its order."""

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
    """shape: the numbers of a PoolShape (csrc/kernels/pool.h), in its order; kind: "max" or "average"."""

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
    """shape: the numbers of a GroupShape (csrc/kernels/norm.h), in its order."""

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

# ---- the network -----------------------------------------------------------------------------------------------------
class Network:
    """Ops over one parameter buffer, one gradient buffer and a planned workspace. Tensors are numbered; 0 is the input.

    Every size is per sample. `train`, `evaluate` and `predict` release the GIL. Training waits for those who evaluate
    or predict; who would do so while it runs gets RuntimeError.
    """

    def __init__(self, dtype: str, input_size: int) -> None: ...
    @property
    def dtype(self) -> str: ...
    # -- building: each add_* of an op returns the number of the tensor it writes
    def add_parameter(self, size: int, learned: bool) -> int:
        """learned: whether the optimizer changes it; otherwise its op does, such as moving statistics."""

    def add_dense(self, x: int, kernel: int, bias: int, inputs: int, units: int) -> int:
        """kernel and bias are parameter numbers, bias -1 for none. The last axis of x has `inputs` elements."""

    def add_conv(self, x: int, kernel: int, bias: int, shape: Sequence[int], transposed: bool) -> int:
        """shape: the numbers of a ConvShape (csrc/kernels/conv.h), in its order; bias: -1 for none.

        transposed: from what would be the result of the convolution to what would be its images.
        """

    def add_pool(self, x: int, kind: str, shape: Sequence[int]) -> int:
        """shape: the numbers of a PoolShape (csrc/kernels/pool.h), in its order; kind: "max" or "average"."""

    def add_noise(
        self, x: int, kind: str, shape: Sequence[int], sharing: Sequence[bool], amount: float, seed: int
    ) -> int:
        """kind, amount: see NoiseSpec in csrc/kernels/noise.h; shape: of a sample.

        The noise is the same all along the axes that share it; sharing[0] tells of the samples.
        """

    def add_batch_norm(
        self,
        x: int,
        gamma: int,
        beta: int,
        moving_mean: int,
        moving_variance: int,
        columns: int,
        momentum: float,
        epsilon: float,
    ) -> int:
        """gamma, beta: -1 for none. The last axis of x has `columns` elements."""

    def add_group_norm(
        self, x: int, gamma: int, beta: int, samples: int, groups: int, columns: int, epsilon: float
    ) -> int:
        """gamma, beta: -1 for none. x is (samples, positions, groups, columns) in a sample of the network."""

    def add_resample(
        self, x: int, inputs: int, inner: int, begin: NDArray[np.int64], index: NDArray[np.int64], weight: Float64
    ) -> int:
        """A SparseMap (csrc/kernels/resample.h) of x (inputs, inner); begin has an element more than there are outputs.

        Raises ValueError: numbers that do not ascend, an index outside x, arrays whose sizes do not fit.
        """

    def add_activation(self, x: int, name: str, a: float, b: float, c: float) -> int: ...
    def add_softmax(self, x: int, outer: int, axis: int, inner: int, log: bool) -> int: ...
    def add_rescaling(self, x: int, scale: Sequence[float], offset: Sequence[float], mean: Sequence[float] = ()) -> int:
        """y = (x - mean) * scale + offset; mean may be left out."""
    def add_activity_penalty(self, x: int, l1: float, l2: float) -> None:
        """Add (l1 * sum |x| + l2 * sum x^2) / samples to the loss."""

    def build(self, output: int) -> None: ...
    # -- parameters: writable views, one-dimensional
    def parameter(self, number: int) -> Real: ...
    def slot(self, slot: int, number: int) -> Real: ...
    @property
    def slots(self) -> int: ...
    # -- training
    def set_trainable(self, trainable: Sequence[bool]) -> None:
        """One flag a parameter."""

    def set_regularizers(self, factors: Sequence[tuple[float, float]]) -> None:
        """(l1, l2) of each parameter: while it is trainable, l1 * sum |w| + l2 * sum w^2 is part of the loss."""

    def set_constraints(self, constraints: Sequence[tuple[str, Sequence[float], Sequence[int]]]) -> None:
        """(kind, (min_value, max_value, rate), (outer, axis, inner)) of each parameter; kind: "none", "non_neg" or
        "norm". The parameter is seen as an array (outer, axis, inner), and norms are taken along the axis."""

    def set_loss(self, name: str, tensor: int, columns: int, a: float, mean: bool) -> None:
        """tensor: what the loss is computed from (the logits, where it is fused with the last activation).
        columns: the size of a row; the sample has size / columns rows. mean: divide by the number of rows."""

    def set_metrics(self, metrics: Sequence[tuple[str, int, float]]) -> None:
        """(name, columns, a) of each; computed from the output."""

    def set_optimizer(self, name: str, settings: dict[str, float]) -> None:
        """Zero the slots (or fill them as the optimizer says) and the iteration count."""

    learning_rate: float  # may be written while another thread trains: it holds from the next step on
    iterations: int
    @property
    def steps_done(self) -> int:
        """How many steps the last `train` finished, also where it ended in an exception."""

    def train(
        self,
        totals: Float64,
        x: Samples,
        y: Targets,
        batch_size: int,
        shuffle: bool,
        seed: int,
        epoch: int,
        first_step: int,
        steps: int,
        threads: int,
    ) -> bool:
        """Run `steps` steps from step `first_step` of epoch `epoch` on; False if the loss stopped being finite.

        totals (epochs touched, 1 + metrics): a row an epoch: the sum over its steps of batch loss * batch size, and the
        sums of each metric's row values; added to what is there. A step whose loss is not finite is counted in totals
        but changes no parameter, and ends the run. Epoch e visits the rows in the order permutation(seed, e).
        """

    def evaluate(self, totals: Float64, x: Samples, y: Targets, threads: int) -> None:
        """totals (1 + metrics + 1): sums of the rows' losses, of each metric's row values, and of the penalties over
        the samples: that of the parameters counts for each sample."""

    def predict_training(self, out: Real, x: Samples, check_finite: bool, step: int, threads: int) -> int: ...
    def predict(self, out: Real, x: Samples, check_finite: bool, threads: int) -> int:
        """With `check_finite`: the index of the first element of x that is not finite, or -1."""

def slot_names(optimizer: str, settings: dict[str, float]) -> list[str]: ...
def loss_names() -> list[str]: ...
def metric_names() -> list[str]: ...
def activation_names() -> list[str]: ...

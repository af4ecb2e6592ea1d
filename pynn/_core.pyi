"""The native engine. Private: arrays are checked in Python before they come here."""

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

# The array types that cross the border, the same as in csrc/bindings/arrays.h. None is ever converted:
# another dtype, memory order or a read-only output is an error.
Real: TypeAlias = NDArray[np.float32] | NDArray[np.float64]  # C-contiguous, of the network's dtype
Samples: TypeAlias = Real | NDArray[np.uint8]  # rows of inputs; bytes are converted where they are gathered
Targets: TypeAlias = Real | NDArray[np.int32]  # values of the network's dtype, or class labels
Float64: TypeAlias = NDArray[np.float64]
Shape: TypeAlias = tuple[int | None, ...]  # of a sample; None where an axis may have any length

# Settings of ops; arrays are int64 or float64, of one dimension.
Attribute: TypeAlias = (
    bool | int | float | str | Sequence[int] | Sequence[float] | NDArray[np.int64] | Float64 | NoiseKey
)
# Of a loss of overlaps: whether it sums over the samples, and (size, whether it sums over it) of each of their axes.
Axes: TypeAlias = tuple[bool, Sequence[tuple[int, bool]]]
# (output, loss, columns, a, reduction, weight, metrics, axes): the number of the output, its loss, the size of a row,
# the loss's settings, what becomes of the rows ("mean", "weighted_mean" or "sum"), the weight of the loss in that of
# the network, (name, a, weighted) of metrics, and the axes of "tversky". The loss may be empty, behind those that are
# not.
Numbers: TypeAlias = float | Sequence[float]  # one, three, or two and one for each of several classes
Head: TypeAlias = tuple[int, str, int, Numbers, str, float, Sequence[tuple[str, Numbers, bool]], Axes | None]
Weights: TypeAlias = Sequence[Real | None]  # by head, (samples, 1) or (samples, rows); negative: masked. May be empty

__version__: str

# ---- the machine -----------------------------------------------------------------------------------------------------
def blas_name() -> str: ...
def instruction_set() -> str: ...
def thread_backend() -> str: ...
def raise_in_team(rank: int, threads: int) -> None:
    """Raise RuntimeError in one member of a team: what the tests of error handling call."""

# ---- random numbers --------------------------------------------------------------------------------------------------
def random_uniform(out: Float64, seed: int, stream: int, first: int = 0) -> None:
    """Fill with uniform numbers of [0, 1): element i depends on (seed, stream, first + i) only (Philox 4x32-10)."""

def permutation(out: NDArray[np.int64], seed: int, stream: int) -> None:
    """Fill with a permutation of 0..n-1, a function of (seed, stream, n): the order in which `train` visits rows."""

# ---- kernels ---------------------------------------------------------------------------------------------------------
def gemm(c: Real, a: Real, b: Real, transpose_a: bool, transpose_b: bool, accumulate: bool, threads: int) -> None: ...
def op_forward(
    kind: str,
    attributes: dict[str, Attribute],
    ys: Sequence[Real],
    xs: Sequence[Real],
    parameters: Sequence[Real | None],
    saved: Real | None,
    threads: int,
) -> None:
    """One op by itself, checked by the registry. Arrays are (samples, ...), but for parameters and `saved`.

    saved: what the op keeps for the way back, None where nobody wants it.
    """

def op_saved(kind: str, attributes: dict[str, Attribute], xs: Sequence[Real], parameters: Sequence[Real | None]) -> int:
    """How many elements an op keeps from forward to backward: the size of `saved`."""

def op_backward(
    kind: str,
    attributes: dict[str, Attribute],
    dxs: Sequence[Real | None],
    dparameters: Sequence[Real | None],
    dys: Sequence[Real],
    xs: Sequence[Real],
    ys: Sequence[Real],
    parameters: Sequence[Real | None],
    saved: Real | None,
    threads: int,
) -> None:
    """The gradients of `op_forward`; those given as None are not made."""

def loss_forward(values: Float64, y_pred: Real, y_true: Targets, name: str, a: Numbers, threads: int) -> None:
    """One loss value a row; a row has y_pred.size / values.size elements. a: the loss's settings (losses/)."""

def loss_backward(
    dy_pred: Real, y_pred: Real, y_true: Targets, name: str, a: Numbers, scale: float, threads: int
) -> None:
    """d(scale * sum of the rows' losses) / d y_pred."""

def metric_forward(values: Float64, y_pred: Real, y_true: Targets, name: str, a: Numbers, threads: int) -> None: ...
def optimizer_update(
    name: str, settings: dict[str, float], w: Real, g: Real, slots: Sequence[Real], iteration: int, threads: int
) -> None:
    """One step on one flat buffer, in place. iteration counts from 1."""

def first_non_finite(x: Real, threads: int) -> int:
    """Index of the first NaN or infinity, or -1."""

# ---- the engine ------------------------------------------------------------------------------------------------------
class Parameters:
    """The weights of one layer: an aligned array each. A layer owns them; any number of graphs refer to them."""

    frozen: bool  # no training changes them: holds from the next call on
    def __init__(self, dtype: str) -> None: ...
    @property
    def dtype(self) -> str: ...
    def add(
        self,
        size: int,
        learned: bool = True,
        l1: float = 0.0,
        l2: float = 0.0,
        by_rows: bool = False,
        constraint: tuple[str, Sequence[float], Sequence[int]] | None = None,
    ) -> int:
        """A new weight of `size` zeros; its number here.

        learned: whether the optimizer changes it; otherwise its op does, such as moving statistics. l1, l2: while it is
        trainable, l1 * sum |w| + l2 * sum w^2 is part of the loss; by_rows: divided by what the rows of a batch count
        for, which are those of the first loss. constraint: (kind, (min_value, max_value, rate),
        (outer, axis, inner)) with the kind "none", "non_neg" or "norm"; the weight is seen as an array (outer, axis,
        inner), and norms are taken along the axis.
        """

    def __len__(self) -> int: ...
    def array(self, number: int) -> Real:
        """A writable one-dimensional view, which keeps the Parameters alive."""

class Graph:
    """What is computed, for concrete sizes. Tensors are numbered as they are made; sizes are those of a sample."""

    def __init__(self) -> None: ...
    def add_input(self, size: int, kind: str = "real") -> int:
        """kind: "real" (for which bytes are taken, too) or "ids" (int32)."""

    def add_parameter(self, parameters: Parameters, number: int) -> int:
        """Its number in the graph, the same one at each call."""

    def add(
        self,
        kind: str,
        inputs: Sequence[int],
        parameters: Sequence[int],
        attributes: dict[str, Attribute],
        times: int = 1,
        trains: bool = False,
    ) -> list[int]:
        """Append an op (csrc/engine/registry.cpp); the numbers of its outputs. parameters: -1 for one left out. times:
        over how many equal parts of each sample it goes, each by itself. trains: whether it works as in training,
        whatever the network does.

        Raises ValueError where the sizes do not fit: "[kind] expected ..., got ...".
        """

    def add_activity_penalty(self, tensor: int, l1: float, l2: float, linear: float = ...) -> None:
        """Add (l1 * sum |x| + l2 * sum x^2 + linear * sum x) / samples to the loss."""

    def set_outputs(self, tensors: Sequence[int], masks: Sequence[int] = ...) -> None:
        """masks: of each output, the tensor that says which of its steps are real; -1 for none."""

    def size(self, tensor: int) -> int: ...

class Plan:
    """A graph made ready to run in one number type, that of its parameters.

    Calls release the GIL. RuntimeError where one of the parameters is being trained, whichever trainer does it.
    """

    def __init__(self, graph: Graph, dtype: str) -> None: ...
    @property
    def dtype(self) -> str: ...
    @property
    def masks(self) -> list[int]:
        """By output: the size of a sample of its mask, 0 where it has none."""

    @property
    def state_samples(self) -> int:
        """How many samples each batch must have, where ops keep states from batch to batch; 0: any number."""

    @property
    def draws(self) -> bool:
        """Whether predictions draw noise, as some op always works as in training."""

    def predict(
        self, outs: Sequence[Real], xs: Sequence[Samples], check_finite: bool, threads: int, step: int = 0
    ) -> tuple[int, int] | None:
        """With `check_finite`: input and index of the first element of the samples that is not finite, or None. Where
        the plan `draws`, the noise is that of this step."""

    def predict_array(
        self, x: NDArray[Any], x_shape: Shape, y_shape: Shape, check_finite: bool, threads: int
    ) -> Real | None:
        """`predict` for one array that may be used as it is, in less time: the output, in a new array. Shapes are those
        of a sample. None, for `predict` to find the reason, where there is more than one input or output, no sample,
        where `x` has another type, shape or batch size, is not laid out as the engine wants it, or has a bad
        element."""

    def vjp(
        self,
        dys: Sequence[Real],
        xs: Sequence[Samples],
        wanted: Sequence[tuple[Parameters, int]],
        training: bool,
        step: int,
        threads: int,
    ) -> tuple[list[Real], list[Real]]:
        """Gradients of the sum of outputs times dys: of the weights, zeros for one that has no part in it, and of the
        inputs, nothing for ids; all flat."""

    def predict_training(
        self, outs: Sequence[Real], xs: Sequence[Samples], check_finite: bool, step: int, threads: int
    ) -> tuple[int, int] | None:
        """As in training, all samples as one batch; noise is that of this step."""

class Trainer:
    """How the parameters of a plan learn.

    Training waits for those who evaluate or predict; who would do so while it runs gets RuntimeError.
    """

    learning_rate: float  # may be written while another thread trains: it holds from the next step on
    iterations: int
    def __init__(self, plan: Plan) -> None: ...
    def set_heads(self, heads: Sequence[Head], handed: Sequence[int] = ...) -> None:
        """The losses. Each is computed from what goes into a softmax or a sigmoid where that gives the same loss.

        handed: numbers of the outputs that `train` may be asked for.
        """

    def set_optimizer(self, name: str, settings: dict[str, float]) -> None:
        """Zero the slots (or fill them as the optimizer says) and the iteration count; all weights decay."""

    def set_undecayed(self, weights: Sequence[tuple[Parameters, int]]) -> None:
        """Let these weights have no decay, and the others have it."""

    def take_averages(self, weights: Sequence[tuple[Parameters, int]]) -> None:
        """Make those of the weights that have an average (``use_ema``) that average."""

    def take_optimizer(self, other: Trainer) -> None:
        """Take the optimizer with its state from a trainer of the same parameters, which then has none."""

    @property
    def state_names(self) -> list[str]:
        """What the optimizer keeps for each weight: its slots, "average" with ``use_ema``, "accumulated_gradient"."""

    def state(self, weights: Sequence[tuple[Parameters, int]], all: Sequence[bool]) -> list[dict[str, Real]]:
        """What it keeps of each weight, as flat views. An average that was not begun is left out; so are, where not
        `all`, slots and gradients that are as at the beginning. Who looks at them holds them: `hold_to_read`."""

    def set_state(
        self, iterations: int, weights: Sequence[tuple[Parameters, int]], state: Sequence[dict[str, Real]]
    ) -> None:
        """Set all of it: what is left out is as at the beginning. Weights that are not of the graph are passed over."""

    @property
    def steps_done(self) -> int:
        """How many steps the last `train` finished, also where it ended in an exception."""

    def apply_gradients(
        self, gradients: Sequence[Real], weights: Sequence[tuple[Parameters, int]], threads: int
    ) -> None:
        """A step with these gradients; each weight must be of the graph, and come once. Others stay."""

    def gradients(
        self,
        xs: Sequence[Samples],
        ys: Sequence[Targets],
        weights: Weights,
        wanted: Sequence[tuple[Parameters, int]],
        training: bool,
        step: int,
        threads: int,
    ) -> tuple[float, list[Real]]:
        """The loss of all samples as one batch, and its gradients, flat; zeros for a weight that has no part in it."""

    def train(
        self,
        totals: Float64,
        xs: Sequence[Samples],
        ys: Sequence[Targets],
        weights: Weights,
        batch_size: int,
        shuffle: bool,
        seed: int,
        epoch: int,
        first_step: int,
        steps: int,
        threads: int,
        rates: Float64 | None = None,
        outs: Sequence[Real | None] = ...,
    ) -> bool:
        """Run `steps` steps from step `first_step` of epoch `epoch` on; False if the loss stopped being finite.

        totals: a row for each epoch touched: the sum over its steps of batch loss * batch size, with several losses the
        same for each of them, and for each metric the sum of the rows' values and what to divide it by, the rows or
        their weights; added to what is there. A step whose loss is
        not finite counts with its loss, not with its metrics; it changes no parameter, and ends the run. Epoch e visits
        the rows in the order permutation(seed, e).

        rates: the learning rate of each step. None: `learning_rate` holds.
        outs: by output, an array for the outputs of all samples of these steps, as they were before each step, in the
        order in which samples are visited; None for an output that nobody wants; empty: none.
        """

    def evaluate(
        self,
        totals: Float64,
        xs: Sequence[Samples],
        ys: Sequence[Targets],
        weights: Weights,
        threads: int,
        outs: Sequence[Real | None] = ...,
        by_rows: bool = True,
    ) -> None:
        """Add to totals what `train` would for these samples as one batch. Where no loss is a sum and there are no
        weights, several batches come to the same, if penalties `by_rows` count with the first one only. outs: as for
        `train`, in the order of the samples."""

class ReadHold:
    """Of weights and of what an optimizer keeps: while it is held, nobody trains them."""

    def __enter__(self) -> ReadHold: ...
    def __exit__(self, *error: object) -> None: ...

def hold_to_read(parameters: Sequence[Parameters], trainer: Trainer | None) -> ReadHold:
    """RuntimeError where someone is training them."""

class NoiseKey:
    """What the noise of a layer is a function of, beside the step and the element; may be set between two steps."""

    value: int
    def __init__(self, value: int) -> None: ...

class UseLock:
    """Who may change something. Given back whatever happens, and free in a forked child."""

    def __init__(self) -> None: ...
    @property
    def is_held_here(self) -> bool:
        """Whether this thread has it."""

    def hold(self, message: str) -> Hold:
        """Take it, or raise RuntimeError(message). `with lock.hold("..."):` without a name for the object gives it back
        at the end of the block, and also where an interrupt keeps the block from ending."""

class Hold:
    def __enter__(self) -> Hold: ...
    def __exit__(self, *exception: object) -> None: ...

def slot_names(optimizer: str, settings: dict[str, float]) -> list[str]: ...
def loss_names() -> list[str]: ...
def metric_names() -> list[str]: ...
def activation_names() -> list[str]: ...

"""Compiling, training, evaluating and predicting: what every model can do once it is built."""

from __future__ import annotations

import math
import threading
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import _checks, _progress, _random, _threads, _training, losses, metrics, optimizers
from .callbacks import History
from .errors import NotBuiltError, NotCompiledError
from .layers.base import Layer, WeightSpec

if TYPE_CHECKING:
    from . import _core

Array = NDArray[Any]
Verbose = int | Literal["auto"]
BatchSize = int | Literal["full"] | None


class Built(NamedTuple):
    """A model's native network and what belongs to it."""

    network: _core.Network
    dtype: str
    input_shape: tuple[int, ...]  # of a sample, as all shapes here
    output_shape: tuple[int, ...]
    output: int  # number of the output tensor
    shapes: list[tuple[int, ...]]  # what each layer gets
    parameters: list[list[int]]  # the numbers of each layer's parameters


class Compiled(NamedTuple):
    """What ``compile`` was told."""

    optimizer: optimizers.Optimizer
    loss: losses.Loss
    metrics: list[object]


class Trainer:
    """Base of the models. A subclass has `layers` and builds the network."""

    name: str
    _stack: list[Layer]

    def __init__(self) -> None:
        self._built: Built | None = None
        self._compiled: Compiled | None = None
        self._task: _training.Task | None = None  # the network configured as compiled
        self._trainable_flags: list[bool] | None = None  # what the network was told last
        self._lock = threading.Lock()  # held while training
        self._build_lock = threading.RLock()  # held while it is built by the first data, or configured
        self._order_seed = _random.next_key()  # of the orders in which epochs visit the samples
        self._epochs_trained = 0
        self._training_calls = 0  # of the model itself, in training mode: each has noise of its own
        self.history: History | None = None

    @property
    def layers(self) -> list[Layer]:
        """The layers, in order."""
        raise NotImplementedError

    @property
    def built(self) -> bool:
        """Whether the input shape is known and the weights exist."""
        return self._built is not None

    def _build_for(self, shape: tuple[int, ...]) -> None:
        """Make the network for samples of `shape`."""
        raise NotImplementedError

    def _unbuild(self) -> None:
        """Drop the network and all weights."""
        raise NotImplementedError

    def _replace_network(self, built: Built | None) -> None:
        self._built = built
        self._task = None
        self._trainable_flags = None
        if self._compiled is not None:
            self._compiled.optimizer._bind(None)

    def _weight_specs(self) -> list[WeightSpec]:
        """Of all layers, in order."""
        built = self._require_built()
        return [
            spec for layer, shape in zip(self._stack, built.shapes, strict=True) for spec in layer.weight_specs(shape)
        ]

    def _require_built(self) -> Built:
        if self._built is None:
            raise NotBuiltError(
                f"Model {self.name!r} is not built yet: give its first layer an Input or input_shape, call "
                "build((None, ...)), or call the model on data."
            )
        return self._built

    # ---- compiling ---------------------------------------------------------------------------------------------------

    def compile(
        self, optimizer: object = "rmsprop", loss: object = None, metrics: Sequence[object] | None = None
    ) -> None:
        """Say how to train.

        Args:
            optimizer: Name or `Optimizer`. Default ``"rmsprop"``. One that this model has already keeps its state.
            loss: Name or `Loss`.
            metrics: Names or `Metric` objects; ``"accuracy"`` is resolved from the shapes. Default: none.

        Raises:
            TypeError, ValueError: an unknown name, or a combination that does not fit; the earlier compile stays.
        """
        if loss is None:
            raise ValueError('loss must be given, such as "mse" or "sparse_categorical_crossentropy".')
        if metrics is not None and (isinstance(metrics, str) or not isinstance(metrics, Sequence)):
            raise TypeError(f'metrics must be a list such as ["accuracy"], but got {metrics!r}.')
        chosen = optimizers.get(optimizer)
        function = losses.get(loss)
        if function.reduction in (None, "none"):
            raise ValueError("A loss without reduction cannot be trained: it must be one number.")
        owner = None if chosen._owner is None else chosen._owner()
        if owner is not None and owner is not self:
            raise ValueError("The optimizer belongs to another model. Make one of its own for each model.")
        compiled = Compiled(chosen, function, list(metrics or []))
        with self._exclusive():
            # Which accuracy is meant is known with the shapes; the names are checked in any case.
            resolved = _resolve_metrics(compiled, 2 if self._built is None else _columns(self._built))
            self._task = None if self._built is None else self._configure(self._built, compiled, resolved)
            if self._compiled is not None:
                self._compiled.optimizer._owner = None
            chosen._owner = weakref.ref(self)
            self._compiled = compiled

    @property
    def optimizer(self) -> optimizers.Optimizer:
        """The optimizer that `compile` was given."""
        return self._require_compiled().optimizer

    @property
    def loss(self) -> losses.Loss:
        """The loss that `compile` was given."""
        return self._require_compiled().loss

    def _require_compiled(self) -> Compiled:
        if self._compiled is None:
            raise NotCompiledError(
                f"Model {self.name!r} is not compiled: call compile(optimizer, loss, metrics) first."
            )
        return self._compiled

    def _configure(self, built: Built, compiled: Compiled, resolved: list[metrics.Metric]) -> _training.Task:
        """Prepare the network for training and evaluation as compiled."""
        columns = _columns(built)
        name, tensor = self._fused_loss(built, compiled.loss)
        network, optimizer = built.network, compiled.optimizer
        if optimizer._network is not network:
            # First, as it is what can fail, for want of memory.
            learning_rate = network.learning_rate
            network.set_optimizer(optimizer.native_name, optimizer.settings())
            if self._compiled is not None and self._compiled.optimizer is not optimizer:
                self._compiled.optimizer._release(learning_rate)
            optimizer._bind(network)
        network.set_metrics([])  # the old ones may want other targets than the new loss
        network.set_loss(name, tensor, columns, compiled.loss.a, compiled.loss.averages)
        network.set_metrics([(metric.native_name, columns, metric.a) for metric in resolved])
        return _training.Task(network, compiled.loss, resolved, math.prod(built.output_shape) // columns)

    def _fused_loss(self, built: Built, loss: losses.Loss) -> tuple[str, int]:
        """Native name of the loss, and the tensor it is computed from: the logits, where the two can be fused."""
        activation = self.layers[-1].activation
        penalized = self.layers[-1].activity_regularizer is not None  # its gradient has to pass the activation
        if activation is not None and activation.name in loss.fusable and not penalized:
            last_axis = activation.elementwise or activation.split_sample(built.output_shape)[1:] == (
                built.output_shape[-1],
                1,
            )
            if last_axis:
                return loss.fusable[activation.name], built.output - 1  # an activation is one op, the last
        return loss.native_name, built.output

    def _ready(self) -> _training.Task:
        """The network, configured as compiled; the model must be built."""
        with self._build_lock:
            if self._task is None:
                built, compiled = self._require_built(), self._require_compiled()
                self._task = self._configure(built, compiled, _resolve_metrics(compiled, _columns(built)))
            return self._task

    def _ready_to_train(self) -> _training.Task:
        """As `_ready`, with the layers' ``trainable`` taken over, and a way for the gradients."""
        task, built = self._ready(), self._require_built()
        fused = self._fused_loss(built, task.loss)[1] != built.output
        below = False  # whether there are weights to train below
        for layer in self.layers:
            below = below or any(weight.trainable for weight in layer.weights)
            last = layer is self.layers[-1]
            if below and layer.activation is not None and not (last and fused):
                layer.activation.check_differentiable()
        self._take_trainable()
        return task

    def _take_trainable(self) -> None:
        """Tell the network which layers are trainable now."""
        built = self._require_built()
        flags = [layer.trainable for layer, own in zip(self._stack, built.parameters, strict=True) for _ in own]
        if flags != self._trainable_flags:
            built.network.set_trainable(flags)
            self._trainable_flags = flags

    # ---- training and evaluation -------------------------------------------------------------------------------------

    def fit(
        self,
        x: ArrayLike,
        y: ArrayLike,
        batch_size: int | Literal["full"] | None = None,
        epochs: int = 1,
        verbose: Verbose = "auto",
        *,
        validation_split: float = 0.0,
        validation_data: tuple[ArrayLike, ArrayLike] | None = None,
        shuffle: bool = True,
        initial_epoch: int = 0,
        check_finite: bool = True,
    ) -> History:
        """Train.

        A step whose loss is not finite is not made: training ends there with a RuntimeWarning. After Ctrl-C the weights
        are those of the last finished step, and ``model.history`` has the finished epochs.

        Args:
            x: Samples, of shape (samples, ...). Arrays of bytes (uint8) are used as they are; others are converted to
                the model's number type once.
            y: Targets: like the output, or class labels for the sparse losses.
            batch_size: Samples a step: 32 (mini-batch, the default), 1 (online), or ``"full"`` (one step an epoch).
            epochs: Number of the last epoch; the number of epochs, unless `initial_epoch` is given. Default ``1``.
            verbose: 0 nothing, 1 a progress bar, 2 a line an epoch, ``"auto"`` (default) a bar in a terminal or
                notebook and lines elsewhere.
            validation_split: Share of the samples, the last ones, to evaluate on after each epoch instead of training
                on them; in [0, 1). Default ``0``.
            validation_data: ``(x, y)`` to evaluate on after each epoch; wins over `validation_split`.
            shuffle: Whether to visit the samples in a new random order each epoch. Default ``True``.
            initial_epoch: Epochs that are done already. Default ``0``.
            check_finite: Whether to refuse NaN and infinity in `x`. Default ``True``.

        Returns:
            A `History`.

        Raises:
            TypeError, ValueError: unfit data or settings; the model is as before then.
            NotCompiledError: `compile` was not called. RuntimeError: another thread is training the model.
        """
        self._require_compiled()
        level = _progress.resolve_verbose(verbose)
        shuffle = _checks.boolean(shuffle, "shuffle")
        last = _checks.non_negative_int(epochs, "epochs")
        first = _checks.non_negative_int(initial_epoch, "initial_epoch")
        share = _checks.unit_interval(validation_split, "validation_split")
        check_finite = _checks.boolean(check_finite, "check_finite")
        with self._exclusive():
            with self._unbuilt_on_error():
                data = self._data(x, y, check_finite)
                validation = None
                if validation_data is not None:
                    validation = self._data(*_pair(validation_data), check_finite, "validation_data: ")
                elif share > 0:
                    data, validation = _split(data, share)
                size = _batch_size(batch_size, data.samples)
                task = self._ready_to_train()
            plan = _training.Plan(size, range(first, last), shuffle, self._order_seed, self._epochs_trained)
            self.history = History(self, {"epochs": last, "steps": -(-data.samples // size), "verbose": level})
            try:
                with _progress.display(level) as display:
                    _training.run_epochs(task, data, validation, plan, display, self.history)
            finally:
                self._epochs_trained += len(self.history.epoch)
            return self.history

    def evaluate(
        self,
        x: ArrayLike,
        y: ArrayLike,
        batch_size: BatchSize = None,
        verbose: Verbose = "auto",
        *,
        return_dict: bool = False,
        check_finite: bool = True,
    ) -> float | list[float] | dict[str, float]:
        """Loss and metrics on data.

        Args:
            x, y, check_finite: As for `fit`.
            batch_size: Samples a batch, ``"full"`` for all. Default ``32``. It only matters for a loss with
                ``reduction="sum"``, whose value is that of a batch.
            verbose: As for `fit`.
            return_dict: Whether to return a dict by name. Default ``False``.

        Returns:
            The loss, or a list of the loss and the metrics if there are any.

        Raises:
            TypeError, ValueError, NotCompiledError, RuntimeError: as for `fit`.
        """
        self._require_compiled()
        level = _progress.resolve_verbose(verbose)
        with self._unbuilt_on_error():
            data = self._data(x, y, check_finite)
            size = _batch_size(batch_size, data.samples)
            task = self._ready()
        # Only trainable weights have penalties. While another thread trains, those count that it trains.
        if any(weight.regularizer for weight in self._weight_specs()) and self._lock.acquire(blocking=False):
            try:
                self._take_trainable()
            finally:
                self._lock.release()
        with _progress.display(level) as display:
            return _as_result(task.evaluate(data, size, display), return_dict)

    def predict(
        self, x: ArrayLike, batch_size: BatchSize = None, verbose: Verbose = "auto", *, check_finite: bool = True
    ) -> Array:
        """The output for samples.

        Shapes: `x` (samples, ...), result (samples, ...) in the model's number type.

        Args:
            x, check_finite: As for `fit`; there may be no samples.
            batch_size: Checked, but without effect: the engine cuts the samples as suits it.
            verbose: As for `fit`.

        Raises:
            TypeError, ValueError: unfit data. RuntimeError: another thread is training the model.
        """
        level = _progress.resolve_verbose(verbose)
        _batch_size(batch_size, 1)
        check = _checks.boolean(check_finite, "check_finite")
        if level == 0:
            return self._outputs(x, check)
        with self._unbuilt_on_error():
            samples = self._samples(x, check)
        with _progress.display(level) as display:
            steps = -(-len(samples) // _PREDICT_ROWS)
            display.begin("", steps)
            parts = []
            for step in range(steps):
                parts.append(self._predict(samples[step * _PREDICT_ROWS : (step + 1) * _PREDICT_ROWS], False))
                display.update(step + 1, {})
            display.end({})
            return np.concatenate(parts) if parts else self._predict(samples, False)

    def __call__(self, x: ArrayLike, training: bool = False) -> Array:
        """The output for samples, as `predict`, without a display.

        Args:
            x: As for `fit`; there may be no samples.
            training: Whether layers work as in training, with all samples as one batch: noise is added, and batch
                normalisation uses the statistics of the batch, which its moving ones follow. Default ``False``.

        Raises:
            TypeError, ValueError: unfit data. RuntimeError: another thread is training the model.
        """
        if not _checks.boolean(training, "training"):
            return self._outputs(x, True)
        with self._exclusive(), self._unbuilt_on_error():
            samples = self._samples(x, True)
            self._take_trainable()
            self._training_calls += 1
            return self._predict(samples, True, _FIRST_TRAINING_CALL + self._training_calls)

    def train_on_batch(
        self, x: ArrayLike, y: ArrayLike, *, return_dict: bool = False
    ) -> float | list[float] | dict[str, float]:
        """One step, on all samples as one batch.

        Returns:
            The batch's loss before the step, or a list of it and the metrics, or a dict of them.

        Raises:
            TypeError, ValueError, NotCompiledError, RuntimeError: as for `fit`.
        """
        self._require_compiled()
        with self._exclusive():
            with self._unbuilt_on_error():
                data = self._data(x, y, True)
                task = self._ready_to_train()
            return _as_result(_training.train_batch(task, data), return_dict)

    def test_on_batch(
        self, x: ArrayLike, y: ArrayLike, *, return_dict: bool = False
    ) -> float | list[float] | dict[str, float]:
        """Loss and metrics of all samples as one batch; results and errors as for `evaluate`."""
        return self.evaluate(x, y, batch_size="full", verbose=0, return_dict=return_dict)

    def predict_on_batch(self, x: ArrayLike) -> Array:
        """The output for samples, as `predict`."""
        return self(x)

    # ---- data --------------------------------------------------------------------------------------------------------

    def _samples(self, x: ArrayLike, check_finite: bool, name: str = "x") -> Array:
        """`x` as the engine takes it: checked, two-dimensional. Builds the model if it is not yet."""
        if self._built is None:
            shape = _checks.as_numbers(x, name).shape[1:]
            if not shape:
                raise ValueError(
                    f"{name} must have a batch axis and one or more others, but has the shape {np.shape(x)}. "
                    f"One number a sample has the shape (samples, 1): {name}[:, None]."
                )
            if 0 in shape:
                raise ValueError(f"{name} has samples of the shape {shape}, without a single number.")
            self._build_for(shape)
        built = self._require_built()
        samples = _checks.as_samples(x, name, built.dtype, built.input_shape, check_finite)
        if samples.ndim == 2:
            return samples
        return samples.reshape(len(samples), -1) if len(samples) else samples.reshape(0, math.prod(built.input_shape))

    def _data(self, x: ArrayLike, y: ArrayLike, check_finite: bool, prefix: str = "") -> _training.Data:
        """Samples and targets as the engine takes them."""
        samples = self._samples(x, check_finite, f"{prefix}x")
        built, loss = self._require_built(), self._require_compiled().loss
        targets = loss.prepare_targets(y, dtype=built.dtype, output_shape=built.output_shape, name=f"{prefix}y")
        if _checks.same_length(**{f"{prefix}x": samples, f"{prefix}y": targets}) == 0:
            raise ValueError(f"{prefix}x and y have no samples.")
        for metric in _resolve_metrics(self._require_compiled(), _columns(built)):
            metric.check_targets(targets)
        return _training.Data(samples, targets)

    def _outputs(self, x: ArrayLike, check_finite: bool) -> Array:
        if self._built is not None:
            return self._predict(self._samples(x, False), check_finite)
        with self._unbuilt_on_error():
            return self._predict(self._samples(x, False), check_finite)

    def _predict(self, samples: Array, check_finite: bool, training_step: int | None = None) -> Array:
        built = self._require_built()
        rows = len(samples)
        out = np.empty((rows, *built.output_shape), built.dtype)
        if rows:
            threads = _threads.get_num_threads()
            if training_step is None:
                bad = built.network.predict(out, samples, check_finite, threads)
            else:
                bad = built.network.predict_training(out, samples, check_finite, training_step, threads)
            if bad >= 0:
                raise _checks.not_finite("x", samples, (rows, *built.input_shape), bad)
        return out

    @contextmanager
    def _exclusive(self) -> Iterator[None]:
        """One training at a time."""
        if not self._lock.acquire(blocking=False):
            raise RuntimeError(f"Model {self.name!r} is being trained already, by another thread or from within.")
        try:
            yield
        finally:
            self._lock.release()

    @contextmanager
    def _unbuilt_on_error(self) -> Iterator[None]:
        """A call that is rejected does not leave a model built that was not."""
        if self.built:
            yield
            return
        with self._build_lock:
            built = self.built
            try:
                yield
            except BaseException:
                if not built and self.built:
                    self._unbuild()
                raise


# The steps that calls in training mode stand for, far from those of training.
_FIRST_TRAINING_CALL = 2**63

# Rows between two looks at the display of `predict`.
_PREDICT_ROWS = 8192


def _columns(built: Built) -> int:
    """Size of the last axis of the output: what a row of the loss has."""
    return built.output_shape[-1] if built.output_shape else 1


def _resolve_metrics(compiled: Compiled, columns: int) -> list[metrics.Metric]:
    resolved = [
        metrics.resolve(identifier, sparse=compiled.loss.sparse, output_columns=columns)
        for identifier in compiled.metrics
    ]
    names = {"loss"}
    for metric in resolved:
        metric.check_kind(compiled.loss.sparse)
        if metric.name in names:
            raise ValueError(f"metrics has two values of the name {metric.name!r}. Give one of them another name.")
        names.add(metric.name)
    return resolved


def _batch_size(batch_size: BatchSize, samples: int) -> int:
    if batch_size is None:
        return 32
    if isinstance(batch_size, str):
        if batch_size != "full":
            raise ValueError(f'batch_size must be a whole number of at least 1 or "full", but got {batch_size!r}.')
        return samples
    return min(_checks.positive_int(batch_size, "batch_size"), max(samples, 1))


def _pair(validation_data: object) -> tuple[Any, Any]:
    if not isinstance(validation_data, tuple | list) or len(validation_data) != 2:
        raise ValueError("validation_data must be a tuple (x, y).")
    return validation_data[0], validation_data[1]


def _split(data: _training.Data, share: float) -> tuple[_training.Data, _training.Data]:
    """The data without the last `share` of the samples, and these."""
    at = int(data.samples * (1 - share))
    if at in (0, data.samples):
        raise ValueError(
            f"validation_split={share} of {data.samples} samples leaves {at} to train on and {data.samples - at} to "
            "validate on. Give another share or more samples."
        )
    return _training.Data(data.x[:at], data.y[:at]), _training.Data(data.x[at:], data.y[at:])


def _as_result(logs: dict[str, float], return_dict: bool) -> float | list[float] | dict[str, float]:
    """What Keras returns: a dict, the loss alone, or a list of the loss and the metrics."""
    if return_dict:
        return logs
    values = list(logs.values())
    return values if len(values) > 1 else values[0]

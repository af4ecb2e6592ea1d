"""Training, evaluating and predicting: what every model can do once it is built."""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import _progress, _training
from ._compiling import Compilable, resolve_metrics
from .callbacks import History
from .data import arrays
from .foundation import checks, draws, parallel

Array = NDArray[Any]
Verbose = int | Literal["auto"]
BatchSize = int | Literal["full"] | None


class Trainer(Compilable):
    """Base of the models. A subclass has `layers` and builds the network."""

    def __init__(self) -> None:
        super().__init__()
        self._order_seed = draws.next_key()  # of the orders in which epochs visit the samples
        self._epochs_trained = 0
        self._training_calls = 0  # of the model itself, in training mode: each has noise of its own
        self.history: History | None = None

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
        shuffle = checks.boolean(shuffle, "shuffle")
        last = checks.non_negative_int(epochs, "epochs")
        first = checks.non_negative_int(initial_epoch, "initial_epoch")
        share = checks.unit_interval(validation_split, "validation_split")
        check_finite = checks.boolean(check_finite, "check_finite")
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
        check = checks.boolean(check_finite, "check_finite")
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
        if not checks.boolean(training, "training"):
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
            shape = arrays.as_numbers(x, name).shape[1:]
            if not shape:
                raise ValueError(
                    f"{name} must have a batch axis and one or more others, but has the shape {np.shape(x)}. "
                    f"One number a sample has the shape (samples, 1): {name}[:, None]."
                )
            if 0 in shape:
                raise ValueError(f"{name} has samples of the shape {shape}, without a single number.")
            self._build_for(shape)
        built = self._require_built()
        samples = arrays.as_samples(x, name, built.dtype, built.input_shape, check_finite)
        if samples.ndim == 2:
            return samples
        return samples.reshape(len(samples), -1) if len(samples) else samples.reshape(0, math.prod(built.input_shape))

    def _data(self, x: ArrayLike, y: ArrayLike, check_finite: bool, prefix: str = "") -> _training.Data:
        """Samples and targets as the engine takes them."""
        samples = self._samples(x, check_finite, f"{prefix}x")
        built, loss = self._require_built(), self._require_compiled().loss
        targets = loss.prepare_targets(y, dtype=built.dtype, output_shape=built.output_shape, name=f"{prefix}y")
        if arrays.same_length(**{f"{prefix}x": samples, f"{prefix}y": targets}) == 0:
            raise ValueError(f"{prefix}x and y have no samples.")
        for metric in resolve_metrics(self._require_compiled(), built.columns):
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
            threads = parallel.get_num_threads()
            if training_step is None:
                bad = built.network.predict(out, samples, check_finite, threads)
            else:
                bad = built.network.predict_training(out, samples, check_finite, training_step, threads)
            if bad >= 0:
                raise arrays.not_finite("x", samples, (rows, *built.input_shape), bad)
        return out


# The steps that calls in training mode stand for, far from those of training.
_FIRST_TRAINING_CALL = 2**63

# Rows between two looks at the display of `predict`.
_PREDICT_ROWS = 8192


def _batch_size(batch_size: BatchSize, samples: int) -> int:
    if batch_size is None:
        return 32
    if isinstance(batch_size, str):
        if batch_size != "full":
            raise ValueError(f'batch_size must be a whole number of at least 1 or "full", but got {batch_size!r}.')
        return samples
    return min(checks.positive_int(batch_size, "batch_size"), max(samples, 1))


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

"""What every model can do: it is a layer of layers that can be compiled, trained, evaluated and asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..callbacks import Callback, History
from ..foundation import checks, names, registry
from ..foundation.arguments import explained
from ..layers.base import Layer
from ..layers.calling import no_values_yet
from ..layers.trial import is_calling
from ..metrics import Metric
from ..optimizers import Optimizer, OptimizerLike
from ..training import fit
from ..training import steps as calls
from ..training.arguments import BatchSize, Verbose
from ..training.by_output import Losses, LossWeights, Metrics
from ..training.compiling import compiled
from ..training.steps import Inputs, Outputs
from .several import gathered, not_taken
from .stored import Stored
from .symbols import given_tensors, is_symbolic

Array = NDArray[Any]


class Model(Stored):
    """A network of layers: what lies between symbolic inputs and outputs.

    ``Model(inputs, outputs)`` finds the layers from the tensors that `Input` and calls of layers gave. A subclass may
    instead have layers as attributes and write ``call(self, x, training=False)``, which puts them together: it is
    called with symbolic tensors, for both values of `training`, when the model first sees data or shapes, and when data
    have other lengths.

    A model is a layer, too: it can be called on arrays and on symbolic tensors, and be part of other models. Layers may
    be part of several models, which then share their weights.

    Args:
        inputs: A symbolic tensor, or a list, tuple or dict of them; calls then take arrays in that form.
        outputs: A symbolic tensor, or a list, tuple or dict of them; calls then return arrays in that form.
        name: Default: ``"functional"`` with a number, as in Keras; of a subclass, its name.
        trainable: ``False`` makes all these layers untrainable. Default ``True``: they stay as they are.

    Raises:
        TypeError, ValueError: no symbolic tensors, outputs that need other inputs, two layers of one name.

    Example:
        >>> x = pynn.Input((32,))
        >>> y = pynn.layers.Dense(32, activation="relu")(x)
        >>> model = pynn.Model(x, pynn.layers.Dense(10)(x + y))
    """

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if cls._has_call():
            on_one = Model._call_on_one if cls._optional_of_call else Model.__call__
            cls.__call__ = Model._call_on_several if len(cls._inputs_of_call) > 1 else on_one  # type: ignore[method-assign]

    # In place of `__call__`, where the `call` of a subclass takes more than one argument for what comes in.
    def _call_on_several(
        self, *inputs: Inputs, training: bool | None = None, mask: Any = None, **named: Inputs
    ) -> Outputs:
        return Model.__call__(self, gathered(self.name, self._inputs_of_call, inputs, named), training, mask)

    # Where it takes one, and has arguments that keep a default.
    def _call_on_one(self, inputs: Inputs, training: bool | None = None, mask: Any = None, **named: Any) -> Outputs:
        if named or not isinstance(training, bool | np.bool_ | None):
            raise not_taken(self.name, self._inputs_of_call, self._optional_of_call)
        return Model.__call__(self, inputs, training, mask)

    def _note_arguments(self, args: tuple[Any, ...], named: dict[str, Any]) -> None:
        if self._has_call() or registry.is_own(type(self).__init__):
            self._given = args, named

    @explained
    def __init__(
        self, inputs: Any = None, outputs: Any = None, name: str | None = None, trainable: bool = True
    ) -> None:
        super().__init__()
        self._own = frozenset(vars(self))
        if (inputs is None) != (outputs is None):
            raise TypeError("Model takes inputs and outputs, but got one of them.")
        if inputs is None and not self._has_call():
            raise TypeError(
                f"{type(self).__name__} needs inputs and outputs, such as Model(x, Dense(10)(x)), or a method "
                "call(self, x, training=False) that puts its layers together."
            )
        trainable = checks.boolean(trainable, "trainable")
        if inputs is not None:
            self._connect(inputs, outputs, type(self).__name__ if name is None else name)
        if name is None:
            name = names.auto_name("Functional" if type(self) is Model else type(self).__name__)
        Layer.__init__(self, name)
        if not trainable:
            self.trainable = False

    # ---- training and evaluation -------------------------------------------------------------------------------------

    @explained
    def compile(
        self,
        optimizer: OptimizerLike = "rmsprop",
        loss: Losses = None,
        loss_weights: LossWeights = None,
        metrics: Metrics = None,
        weighted_metrics: Metrics = None,
        run_eagerly: bool = False,
        steps_per_execution: int = 1,
        jit_compile: bool | Literal["auto"] | None = "auto",
        auto_scale_loss: bool = True,
    ) -> None:
        """Say how to train.

        Args:
            optimizer: Name or `Optimizer`. Default ``"rmsprop"``. One that this model has already keeps its state.
            loss: Name, `Loss`, or function of ``(y_true, y_pred)``. ``"crossentropy"``, or ``"ce"``, is binary for an
                output of one column; otherwise the first targets, labels or numbers for each class, say which one is
                meant, up to the next `compile`. Of several outputs: one for all, a list, or a dict by output; of nested
                outputs also nested as they are, and so are the next three. An output may have None, but not all of
                them. The loss of the model is the sum of them, each times its weight. Default ``None``: the loss is
                what `Layer.add_loss` and regularizers add to it. Where nothing does, the model cannot be trained or
                evaluated.
            loss_weights: Numbers, as a list or dict by output. Default: 1 for each.
            metrics: List of names, `Metric` objects or functions of ``(y_true, y_pred)``; ``"accuracy"`` is resolved
                from the shapes. Of several outputs: a list or dict of what each has: a metric, a list of them or None.
                Weights of samples do not count in them. Default: none.
            weighted_metrics: As `metrics`, but weights of samples count.
            run_eagerly, steps_per_execution, jit_compile, auto_scale_loss: Without effect: Keras has them, for engines
                of other kinds.

        Raises:
            TypeError, ValueError: an unknown name, or a combination that does not fit; the earlier compile stays.
        """
        self._compile(
            compiled(
                optimizer,
                loss,
                loss_weights,
                metrics,
                weighted_metrics,
                run_eagerly,
                steps_per_execution,
                jit_compile,
                auto_scale_loss,
            )
        )

    @property
    def compiled(self) -> bool:
        """Whether `compile` was called."""
        return self._state.compiled is not None

    @property
    def optimizer(self) -> Optimizer:
        """The optimizer that `compile` was given."""
        return self._require_compiled().optimizer

    @property
    def loss(self) -> Any:
        """The loss that `compile` was given: a `Loss`, or a list or dict of them."""
        return self._require_compiled().loss

    @property
    def metrics_names(self) -> list[str]:
        """The names of what `evaluate` returns, in order."""
        return self._heads_for(self._require_layout()).names

    @property
    def metrics(self) -> list[Metric]:
        """The metrics that `compile` was told, as objects. Their values are the last ones of `evaluate`, in this order.

        ``result()`` of each is what was last reported: of an epoch, an evaluation, or a batch. Empty before the model
        is compiled and built, and where there can be no loss. Losses are not among them: `metrics_names` has the names
        of all values.
        """
        compiled, layout = self._state.compiled, self._state.layout
        if compiled is None or layout is None or compiled.decided(layout.outputs).undecided:
            return []
        return self._heads_for(layout).metrics if self._may_have_loss(compiled) else []

    def reset_metrics(self) -> None:
        """Have `metrics` begin anew. What the model reports does not depend on it: `train_on_batch` and
        `test_on_batch` measure their batch, as in Keras 3.15."""
        for metric in self.metrics:
            metric.reset_state()

    @explained
    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: BatchSize = None,
        epochs: int = 1,
        verbose: Verbose = "auto",
        callbacks: Callback | Sequence[Callback] | None = None,
        validation_split: float = 0.0,
        validation_data: tuple[Any, ...] | None = None,
        shuffle: bool = True,
        class_weight: Mapping[int, float] | Literal["balanced"] | None = None,
        sample_weight: Any = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        validation_batch_size: BatchSize = None,
        validation_freq: int | Sequence[int] = 1,
        *,
        check_finite: bool = True,
    ) -> History:
        """Train.

        A step whose loss is not finite is not made: training ends there with a RuntimeWarning. After Ctrl-C the weights
        are those of the last finished step, and ``model.history`` has the finished epochs.

        Args:
            x: Samples, of shape (samples, ...). Arrays of bytes (uint8) are used as they are; others are converted to
                the model's number type once. A last axis of size 1 may be missing, or be one too many, as in Keras.
                Frames of numbers are taken, and sparse matrices of SciPy's, which become dense a few batches at a time.
                A dict of inputs may have more than the model takes: a warning names what is left aside. Lists
                and dicts within one another must be just those of the model.
                Or what gives batches ``(x, y)`` or ``(x, y, sample_weight)``: a `pynn.utils.PyDataset`, a generator, or
                another iterable. Then there is no `y`, `sample_weight`, `batch_size` or `validation_split`, and batches
                come as they are given, but for a `PyDataset` with `shuffle`. Training ends, with a warning, where a
                generator has no more.
            y: Targets: like the output, or class labels for the sparse losses. Of several outputs: a list or dict. A
                model that was compiled without a loss and without metrics needs none, and leaves them aside.
            batch_size: Samples a step: 32 (mini-batch, the default), 1 (online), or ``"full"`` (one step an epoch).
            epochs: Number of the last epoch; the number of epochs, unless `initial_epoch` is given. Default ``1``.
            verbose: 0 nothing, 1 a progress bar in a terminal or notebook and lines elsewhere, 2 a line an epoch,
                ``"auto"`` (default) as 1.
            callbacks: A `Callback`, or a list of them. Default: none.
            validation_split: Share of the samples, the last ones, to evaluate on after each epoch instead of training
                on them; in [0, 1). Default ``0``.
            validation_data: ``(x, y)`` or ``(x, y, sample_weight)`` to evaluate on after each epoch, or what gives such
                batches; ``x`` or ``(x,)`` where `y` is not needed, of several inputs ``((x, z),)``. It wins over
                `validation_split`.
            shuffle: Whether to visit the samples in a new random order each epoch. Default ``True``.
            class_weight: What samples of each class count for, ``{label: weight}``, for models of one output whose
                targets are classes: labels, one-hot rows (also smoothed) or 0 and 1. It multiplies `sample_weight`,
                and does not count in validation. ``"balanced"``: ``samples / (classes * samples of the class)``.
                Default: none.
            sample_weight: What each sample counts for, of shape (samples,), or what each row (time step, pixel) does,
                (samples, ...). Of several outputs: one of shape (samples,) for all, or a list or dict; None where all
                count alike. A loss is ``sum(weight * loss of the row) / rows``, unless its `reduction` is another.
                Default: none.
            initial_epoch: Epochs that are done already. Default ``0``.
            steps_per_epoch: Steps after which an epoch is over. The next epoch goes on where it ended, and begins the
                data anew where they are through. Default: one pass over the data. Data without end need it.
            validation_steps: How many batches of the validation data to evaluate on. Default: all.
            validation_batch_size: Samples a batch of the validation. Default: `batch_size`.
            validation_freq: After how many epochs to evaluate, each time; or a list of epochs, counted from 1. Default
                ``1``.
            check_finite: Whether to refuse NaN and infinity in `x`. Default ``True``.

        Returns:
            A `History`.

        Raises:
            TypeError, ValueError: unfit data or settings; the model is as before then, but built where what is refused
                is a callback, or that no layer adds to a loss.
            NotCompiledError: `compile` was not called. RuntimeError: another thread is training the model.
        """
        return fit.fit(
            self,
            x,
            y,
            batch_size,
            epochs,
            verbose,
            callbacks,
            validation_split,
            validation_data,
            shuffle,
            class_weight,
            sample_weight,
            initial_epoch,
            steps_per_epoch,
            validation_steps,
            validation_batch_size,
            validation_freq,
            check_finite,
        )

    @explained
    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: BatchSize = None,
        verbose: Verbose = "auto",
        sample_weight: Any = None,
        steps: int | None = None,
        callbacks: Callback | Sequence[Callback] | None = None,
        return_dict: bool = False,
        *,
        check_finite: bool = True,
    ) -> float | list[Any] | dict[str, Any]:
        """Loss and metrics on data.

        Args:
            x, y, sample_weight, check_finite: As for `fit`.
            batch_size: Samples a batch, ``"full"`` for all. Default ``32``. It only matters where the loss is that of a
                batch: with ``reduction="sum"``, or with weights. What is returned is its mean, by samples.
            verbose: As for `fit`.
            steps: How many batches to evaluate on. Default: all.
            callbacks: A `Callback`, or a list of them. Default: none.
            return_dict: Whether to return a dict by name. Default ``False``.

        Returns:
            The loss, or a list if there are several values: the loss, the losses of the outputs where there are
            several, the metrics. `metrics_names` says which.

        Raises:
            TypeError, ValueError, NotCompiledError, RuntimeError: as for `fit`.
        """
        return calls.evaluate(
            self, x, y, batch_size, verbose, sample_weight, steps, callbacks, return_dict, check_finite
        )

    @explained
    def predict(
        self,
        x: Inputs,
        batch_size: BatchSize = None,
        verbose: Verbose = "auto",
        steps: int | None = None,
        callbacks: Callback | Sequence[Callback] | None = None,
        *,
        check_finite: bool = True,
    ) -> Outputs:
        """The output for samples.

        Shapes: `x` (samples, ...), result (samples, ...) in the model's number type.

        Args:
            x, check_finite: As for `fit`; there may be no samples. Of batches ``(x, y)`` the `y` is left aside.
            batch_size: Samples a batch, for `steps` and callbacks; otherwise the engine cuts the samples as suits it.
                Default ``32``.
            verbose: As for `fit`.
            steps: For how many batches. Default: all.
            callbacks: A `Callback`, or a list of them. Default: none.

        Raises:
            TypeError, ValueError: unfit data. RuntimeError: another thread is training the model.
        """
        return calls.predict(self, x, batch_size, verbose, steps, callbacks, check_finite)

    def __call__(self, inputs: Inputs, training: bool | None = None, mask: Any = None) -> Outputs:
        """The output for samples, as `predict`, without a display; the symbolic output for symbolic tensors.

        Args:
            inputs: As `x` for `fit`; there may be no samples. Or symbolic tensors.
            training: Whether layers work as in training, with all samples as one batch: noise is added, and batch
                normalisation uses the statistics of the batch, which its moving ones follow. Default ``None``: not on
                arrays; on symbolic tensors as the model works that they become part of.
            mask: Which steps are real, as for a layer; for several inputs a list, or a dict by their names, some of
                which may be None. Default ``None``.

        Raises:
            TypeError, ValueError: unfit data; also arrays where the `call` of another model or layer is traced.
            RuntimeError: another thread is training the model.
        """
        if type(inputs) is not np.ndarray and is_symbolic(inputs):
            if not self.built and self._has_call():
                self._trace_once(given_tensors(inputs))
            return super().__call__(inputs, training, mask)
        if is_calling():
            raise no_values_yet(f"Model {self.name!r}")
        if mask is not None:
            self._check_no_mask_in_call()
            self._wait_until(lambda: self.built, lambda: self._build_to_call(inputs, mask))
            return super().__call__(inputs, training, mask)
        if training is not None and checks.boolean(training, "training"):
            return calls.outputs_in_training(self, inputs)
        return calls.outputs(self, inputs) if self._state.added == () else calls.outputs_and_losses(self, inputs)

    @explained
    def train_on_batch(
        self,
        x: Inputs,
        y: Any = None,
        sample_weight: Any = None,
        class_weight: Mapping[int, float] | Literal["balanced"] | None = None,
        return_dict: bool = False,
    ) -> float | list[Any] | dict[str, Any]:
        """One step, on all samples as one batch.

        Args:
            x, y, sample_weight, class_weight: As for `fit`.
            return_dict: Whether to return a dict by name. Default ``False``.

        Returns:
            The batch's loss before the step, or a list of it and the metrics, as of `evaluate`, or a dict of them.

        Raises:
            TypeError, ValueError, NotCompiledError, RuntimeError: as for `fit`.
        """
        return calls.train_on_batch(self, x, y, sample_weight, class_weight, return_dict)

    @explained
    def test_on_batch(
        self, x: Inputs, y: Any = None, sample_weight: Any = None, return_dict: bool = False
    ) -> float | list[Any] | dict[str, Any]:
        """Loss and metrics of all samples as one batch; arguments, results and errors as for `evaluate`."""
        return calls.test_on_batch(self, x, y, sample_weight, return_dict)

    def predict_on_batch(self, x: Inputs) -> Outputs:
        """The output for samples, as `predict`."""
        return Model.__call__(self, x)

    # ---- gradients ---------------------------------------------------------------------------------------------------

    @explained
    def gradients(
        self, x: Inputs, y: Any = None, sample_weight: Any = None, *, training: bool = False
    ) -> tuple[float, list[Array]]:
        """The loss of a batch, penalties included, and its gradients. Nothing is changed, moving statistics included.

        Args:
            x, y, sample_weight: As for `fit`; all samples are one batch.
            training: Whether layers work as in training: noise is added, and batch normalisation uses the statistics
                of the batch. Default ``False``.

        Returns:
            The loss, and an array for each of `trainable_weights`, in their order.

        Raises:
            TypeError, ValueError, NotCompiledError, RuntimeError: as for `fit`.
        """
        from ..training import gradients

        return gradients.of_loss(self, x, y, sample_weight, training)

    @explained
    def vjp(self, x: Inputs, dy: Outputs, *, training: bool = False) -> tuple[list[Array], Outputs]:
        """The vector-Jacobian product: the gradients of ``sum(model(x) * dy)``, dy being constant. Changes nothing.

        With ``dy = dL/dy`` these are the gradients of any scalar L that is computed from the outputs y. Penalties have
        no part in them.

        Args:
            x: As for `predict`.
            dy: As the outputs: arrays of their shapes.
            training: As for `gradients`; the noise is not that of another call. Default ``False``.

        Returns:
            An array for each of `trainable_weights`, in their order; and the gradient of the input, or of several
            inputs in the form of `x`, None for whole numbers.

        Raises:
            TypeError, ValueError: unfit data, or a function without gradient. RuntimeError: as for `predict`.
        """
        from ..training import gradients

        return gradients.of_outputs(self, x, dy, training)

"""What every model can do: it is a layer of layers that can be compiled, trained, evaluated and asked."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, SupportsIndex

from numpy.typing import ArrayLike, NDArray

from ..callbacks import History
from ..foundation import checks, identifiers
from ..foundation.arguments import explained
from ..layers.base import Layer
from ..layers.weight import Weight, assign_all
from ..losses import Loss, LossLike
from ..metrics import MetricLike
from ..optimizers import Optimizer, OptimizerLike
from ..training import fit, steps
from ..training.arguments import BatchSize, Verbose
from ..training.compiling import compiled
from ..training.steps import Inputs, Outputs
from . import summary
from .structure import Structure

Array = NDArray[Any]


class Model(Structure):
    """Base of the models; see `Sequential`, the only one there is yet."""

    def __init__(self, *args: object, **named: object) -> None:
        super().__init__()  # refuses all but pynn's own models, which hand on no arguments

    # ---- training and evaluation -------------------------------------------------------------------------------------

    @explained
    def compile(
        self,
        optimizer: OptimizerLike = "rmsprop",
        loss: LossLike | None = None,
        metrics: Sequence[MetricLike] | None = None,
    ) -> None:
        """Say how to train.

        Args:
            optimizer: Name or `Optimizer`. Default ``"rmsprop"``. One that this model has already keeps its state.
            loss: Name or `Loss`.
            metrics: Names or `Metric` objects; ``"accuracy"`` is resolved from the shapes. Default: none.

        Raises:
            TypeError, ValueError: an unknown name, or a combination that does not fit; the earlier compile stays.
        """
        self._compile(compiled(optimizer, loss, metrics))

    @property
    def optimizer(self) -> Optimizer:
        """The optimizer that `compile` was given."""
        return self._require_compiled().optimizer

    @property
    def loss(self) -> Loss:
        """The loss that `compile` was given."""
        return self._require_compiled().loss

    @explained
    def fit(
        self,
        x: ArrayLike,
        y: ArrayLike,
        batch_size: BatchSize = None,
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
        return fit.fit(
            self,
            x,
            y,
            batch_size,
            epochs,
            verbose,
            validation_split,
            validation_data,
            shuffle,
            initial_epoch,
            check_finite,
        )

    @explained
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
        return steps.evaluate(self, x, y, batch_size, verbose, return_dict, check_finite)

    @explained
    def predict(
        self, x: Inputs, batch_size: BatchSize = None, verbose: Verbose = "auto", *, check_finite: bool = True
    ) -> Outputs:
        """The output for samples.

        Shapes: `x` (samples, ...), result (samples, ...) in the model's number type.

        Args:
            x, check_finite: As for `fit`; there may be no samples.
            batch_size: Checked, but without effect: the engine cuts the samples as suits it.
            verbose: As for `fit`.

        Raises:
            TypeError, ValueError: unfit data. RuntimeError: another thread is training the model.
        """
        return steps.predict(self, x, batch_size, verbose, check_finite)

    def __call__(self, x: Inputs, training: bool | None = False) -> Outputs:
        """The output for samples, as `predict`, without a display.

        Args:
            x: As for `fit`; there may be no samples.
            training: Whether layers work as in training, with all samples as one batch: noise is added, and batch
                normalisation uses the statistics of the batch, which its moving ones follow. Default ``False``, which
                None means, too.

        Raises:
            TypeError, ValueError: unfit data. RuntimeError: another thread is training the model.
        """
        if training is not None and checks.boolean(training, "training"):
            return steps.outputs_in_training(self, x)
        return steps.outputs(self, x)

    @explained
    def train_on_batch(
        self, x: ArrayLike, y: ArrayLike, *, return_dict: bool = False
    ) -> float | list[float] | dict[str, float]:
        """One step, on all samples as one batch.

        Returns:
            The batch's loss before the step, or a list of it and the metrics, or a dict of them.

        Raises:
            TypeError, ValueError, NotCompiledError, RuntimeError: as for `fit`.
        """
        return steps.train_on_batch(self, x, y, return_dict)

    @explained
    def test_on_batch(
        self, x: ArrayLike, y: ArrayLike, *, return_dict: bool = False
    ) -> float | list[float] | dict[str, float]:
        """Loss and metrics of all samples as one batch; results and errors as for `evaluate`."""
        return self.evaluate(x, y, batch_size="full", verbose=0, return_dict=return_dict)

    def predict_on_batch(self, x: Inputs) -> Outputs:
        """The output for samples, as `predict`."""
        return self(x)

    # ---- layers and weights ------------------------------------------------------------------------------------------

    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer:
        """The layer of this name, or at this index.

        Raises:
            ValueError: no such layer; both or neither given. TypeError: an index that is no whole number.
        """
        if (name is None) == (index is None):
            raise ValueError(f"Give either the name or the index of a layer, but got name={name!r}, index={index!r}.")
        own = self.layers
        if index is not None:
            index = checks.index(index, "index")
            if not -len(own) <= index < len(own):
                raise ValueError(f"index must be that of one of the {len(own)} layers, but got {index}.")
            return own[index]
        for layer in own:
            if layer.name == name:
                return layer
        raise ValueError(f"There is no layer {name!r}; there are: {', '.join(layer.name for layer in own) or 'none'}.")

    @property
    def weights(self) -> list[Weight]:
        """The weights of all layers, in order."""
        self._require_layout()
        return [weight for layer in self.layers for weight in layer.weights]

    @property
    def trainable_weights(self) -> list[Weight]:
        """The weights that training changes."""
        return [weight for weight in self.weights if weight.trainable]

    @property
    def non_trainable_weights(self) -> list[Weight]:
        """The weights that training leaves alone."""
        return [weight for weight in self.weights if not weight.trainable]

    def get_weights(self) -> list[Array]:
        """Copies of all weight arrays, in order."""
        return [weight.numpy() for weight in self.weights]

    def set_weights(self, weights: Sequence[ArrayLike]) -> None:
        """Overwrite all weight arrays, in the order of `get_weights`.

        Raises:
            TypeError, ValueError: another number of arrays, or one of another kind or shape; nothing is changed then.
        """
        assign_all(self.weights, weights, f"Model {self.name!r}")

    def count_params(self) -> int:
        """Number of weights, single numbers counted."""
        self._require_layout()
        return sum(layer.count_params() for layer in self.layers)

    # ---- description -------------------------------------------------------------------------------------------------

    @explained
    def summary(self, *, print_fn: Callable[[str], object] | None = None) -> None:
        """Print a table of the layers with output shapes and parameter counts, and the totals with their bytes.

        Of a model that is not built, shapes are ``?`` and counts ``0 (unbuilt)``.

        Args:
            print_fn: Called with the text. Default: ``print``.
        """
        if print_fn is None:
            summary.show(summary.table(self))
        else:
            print_fn(summary.table(self))

    def to_json(self, **options: Any) -> str:
        """`get_config` as a JSON text that `model_from_json` reads; `options` go to ``json.dumps``."""
        return json.dumps(identifiers.serialize(self), **options)

    def __reduce_ex__(self, protocol: SupportsIndex) -> Any:
        """How copy and pickle take a model apart: refused, as a copy would share the layers."""
        kind = type(self).__name__
        raise TypeError(
            f"Model {self.name!r} cannot be copied or pickled. Make an equal one: twin = "
            f"{kind}.from_config(model.get_config()), and twin.set_weights(model.get_weights())."
        )

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}, built={self.built}>"

"""What a model is told by ``compile``, and how its network is configured accordingly."""

from __future__ import annotations

import math
import threading
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from . import _training, losses, metrics, optimizers
from .errors import NotBuiltError, NotCompiledError
from .layers.base import Layer, WeightSpec

if TYPE_CHECKING:
    from . import _core


class Built(NamedTuple):
    """A model's native network and what belongs to it."""

    network: _core.Network
    dtype: str
    input_shape: tuple[int, ...]  # of a sample, as all shapes here
    output_shape: tuple[int, ...]
    output: int  # number of the output tensor
    shapes: list[tuple[int, ...]]  # what each layer gets
    parameters: list[list[int]]  # the numbers of each layer's parameters

    @property
    def columns(self) -> int:
        """Size of the last axis of the output: what a row of the loss has."""
        return self.output_shape[-1] if self.output_shape else 1


class Compiled(NamedTuple):
    """What ``compile`` was told."""

    optimizer: optimizers.Optimizer
    loss: losses.Loss
    metrics: list[object]


class Compilable:
    """Base of `Trainer`: a model whose network, once there is one, is configured as ``compile`` was told."""

    name: str
    _stack: list[Layer]

    def __init__(self) -> None:
        self._built: Built | None = None
        self._compiled: Compiled | None = None
        self._task: _training.Task | None = None  # the network configured as compiled
        self._trainable_flags: list[bool] | None = None  # what the network was told last
        self._lock = threading.Lock()  # held while training
        self._build_lock = threading.RLock()  # held while it is built by the first data, or configured

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
            resolved = resolve_metrics(compiled, 2 if self._built is None else self._built.columns)
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
        columns = built.columns
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
                self._task = self._configure(built, compiled, resolve_metrics(compiled, built.columns))
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

    # ---- one at a time -----------------------------------------------------------------------------------------------

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


def resolve_metrics(compiled: Compiled, columns: int) -> list[metrics.Metric]:
    """The metrics that are meant where the output has so many columns; ValueError for those that do not fit."""
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

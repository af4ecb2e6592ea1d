"""Averages of weights in place of the weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..foundation import checks
from .base import Callback, Logs


class SwapEMAWeights(Callback):
    """Evaluates, and predicts, with the averages of the weights that an optimizer with ``use_ema=True`` keeps.

    The weights are back when training goes on.

    Args:
        swap_on_epoch: Whether the averages stay in place from the end of an epoch to the begin of the next one, so that
            callbacks that come later, such as `ModelCheckpoint`, save them. Default ``False``.

    Raises:
        ValueError: the optimizer keeps no averages.
    """

    _kept = ("_own",)

    def __init__(self, swap_on_epoch: bool = False) -> None:
        self.swap_on_epoch = checks.boolean(swap_on_epoch, "swap_on_epoch")
        self._own: list[Any] | None = None  # the weights, while their averages are in place

    def _check_run(self, names: Sequence[str], directions: Mapping[str, str], more: bool = False) -> None:
        if not self.model.optimizer.use_ema:
            raise ValueError("SwapEMAWeights needs an optimizer with use_ema=True.")

    def _swap_in(self) -> None:
        if self._own is None:
            weights = self.model.trainable_weights
            averages = self.model.optimizer._averages(weights)
            self._own = [weight.numpy() for weight in weights]
            for weight, average in zip(weights, averages, strict=True):
                if average is not None:
                    weight.assign(average)

    def _swap_out(self) -> None:
        if self._own is not None:
            for weight, own in zip(self.model.trainable_weights, self._own, strict=True):
                weight.assign(own)
            self._own = None

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Forget an earlier run."""
        self._own = None

    def on_train_end(self, logs: Logs | None = None) -> None:
        """The averages have become the weights."""
        self._own = None

    def _give_up(self) -> None:
        self._swap_out()

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Put the weights back."""
        self._swap_out()

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Put the averages in place, if asked for."""
        if self.swap_on_epoch:
            self._swap_in()

    def on_test_begin(self, logs: Logs | None = None) -> None:
        """Put the averages in place."""
        self._check_run([], {})
        self._swap_in()

    def on_test_end(self, logs: Logs | None = None) -> None:
        """Put the weights back."""
        self._swap_out()

    def on_predict_begin(self, logs: Logs | None = None) -> None:
        """Put the averages in place."""
        self._check_run([], {})
        self._swap_in()

    def on_predict_end(self, logs: Logs | None = None) -> None:
        """Put the weights back."""
        self._swap_out()

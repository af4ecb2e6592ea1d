"""What an MLP does between two epochs: scikit-learn's records, stopping rules and learning rates."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from ..callbacks import Callback

# scikit-learn's SGD gives up below this rate.
_LOWEST_RATE = 1e-6


class DivergedError(Exception):
    """The loss is not finite, so that no further step is made."""


class Epochs(Callback):
    """Keeps the records of an estimator, and ends its run.

    Args:
        mlp: The estimator; ``n_iter_``, ``t_``, ``loss_``, ``loss_curve_`` and so on are written here.
        samples: What ``t_`` counts for an epoch.
        loss: The loss of an epoch from its logs.
        score: The validation score, where there is early stopping on it.
        incremental: Whether this is a call of `partial_fit`, which makes one epoch.
    """

    def __init__(
        self,
        mlp: Any,
        samples: int,
        loss: Callable[[dict[str, float]], float],
        score: Callable[[], float] | None,
        incremental: bool,
    ) -> None:
        self.mlp, self.samples, self.loss, self.score, self.incremental = mlp, samples, loss, score, incremental
        self.best: list[Any] | None = None  # weights
        self.converged = False
        # An optimizer of pynn has a rate, or a schedule, of its own.
        self.schedule = mlp.learning_rate if mlp.solver == "sgd" else "constant"

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Record the epoch, look whether it was better, and stop or change the learning rate where it was not."""
        mlp, value = self.mlp, self.loss(logs or {})
        mlp.n_iter_ += 1
        mlp.loss_ = value
        mlp.t_ += self.samples
        mlp.loss_curve_.append(value)
        if mlp.verbose:
            print(f"Iteration {mlp.n_iter_}, loss = {value:.8f}")
        self._compare(value)
        if not math.isfinite(value):
            raise DivergedError
        if self.schedule == "invscaling":
            self.model.optimizer.learning_rate = float(mlp.learning_rate_init) / (mlp.t_ + 1) ** mlp.power_t
        if mlp._no_improvement_count > mlp.n_iter_no_change:
            self._stop()

    def _compare(self, value: float) -> None:
        """Count the epochs without a gain of ``tol``."""
        mlp = self.mlp
        if self.score is None:
            better = value <= mlp.best_loss_ - mlp.tol
            if value < mlp.best_loss_:
                mlp.best_loss_ = value
        else:
            score = self.score() if math.isfinite(value) else math.nan
            mlp.validation_scores_.append(score)
            if mlp.verbose:
                print(f"Validation score: {score:f}")
            better = score >= mlp.best_validation_score_ + mlp.tol
            if score > mlp.best_validation_score_:
                mlp.best_validation_score_ = score
                self.best = self.model.get_weights()
        mlp._no_improvement_count = 0 if better else mlp._no_improvement_count + 1

    def _stop(self) -> None:
        mlp, optimizer = self.mlp, self.model.optimizer
        what = "Training loss" if self.score is None else "Validation score"
        text = f"{what} did not improve more than tol={mlp.tol:f} for {mlp.n_iter_no_change} consecutive epochs."
        if self.schedule == "adaptive" and optimizer.learning_rate > _LOWEST_RATE:
            optimizer.learning_rate = optimizer.learning_rate / 5.0
            mlp._no_improvement_count = 0
            if mlp.verbose:
                print(f"{text} Setting learning rate to {optimizer.learning_rate:f}")
            return
        if mlp.verbose:
            print(text + (" Learning rate too small." if self.schedule == "adaptive" else "") + " Stopping.")
        self.converged = self.model.stop_training = True

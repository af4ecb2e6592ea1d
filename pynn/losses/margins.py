"""Losses for the side of a boundary: targets are signs, or one-hot."""

from __future__ import annotations

from .base import Array, Loss, row_function

__all__ = [
    "CategoricalHinge",
    "Hinge",
    "Perceptron",
    "SquaredHinge",
    "categorical_hinge",
    "hinge",
    "perceptron",
    "squared_hinge",
]


class _Signed(Loss):
    """Base of the losses for targets of -1 and 1, or of 0 and 1, where 0 counts as -1, as in Keras."""

    def check_values(self, targets: Array, name: str) -> None:
        zeros = targets == 0
        if zeros.any() and not (zeros | (targets == 1)).all():
            raise ValueError(f"{self.name} takes targets of -1 and 1, or of 0 and 1, but {name} mixes 0 with others.")


class Hinge(_Signed):
    """``mean(max(1 - y * p, 0))``, y being -1 or 1 (of targets 0 and 1, 0 counts as -1)."""

    native_name = "hinge"


class SquaredHinge(_Signed):
    """``mean(max(1 - y * p, 0)**2)``, y being -1 or 1 (of targets 0 and 1, 0 counts as -1)."""

    native_name = "squared_hinge"


class CategoricalHinge(Loss):
    """``max(max((1 - y) * p) - sum(y * p) + 1, 0)``, y being one-hot."""

    native_name = "categorical_hinge"
    labels_hint = "Make class labels one-hot: pynn.utils.to_categorical."


class Perceptron(_Signed):
    """``mean(max(0, -y * z))``, y being -1 or 1 (of targets 0 and 1, 0 counts as -1) (Rosenblatt, 1958).

    Its derivative is -y wherever ``y * z <= 0``: gradient descent on it is Rosenblatt's rule, and learns from zero
    weights too. After a ``step`` activation, z is the activation's input.
    """

    native_name = "perceptron"
    fused_with = "step"


# ---- the functions -------------------------------------------------------------------------------------------------

hinge = row_function(Hinge)
squared_hinge = row_function(SquaredHinge)
categorical_hinge = row_function(CategoricalHinge)
perceptron = row_function(Perceptron)

"""Class labels of any kind, and the numbers that stand for them in a network."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.multiclass import type_of_target, unique_labels

Array = NDArray[Any]


class Labels(NamedTuple):
    """What classes there are.

    Attributes:
        kind: ``"binary"``, also where there is one class only, ``"multiclass"`` or ``"multilabel-indicator"``.
        classes: In order.
    """

    kind: str
    classes: Array

    @classmethod
    def of(cls, y: Any) -> Labels:
        """Those in `y`; ValueError for targets of another kind, such as numbers with fractions."""
        kind = type_of_target(y, input_name="y")
        if "multioutput" in kind:
            raise ValueError(
                "Multioutput target data is not supported: y has several columns of classes. Give one column, or a "
                "column of 0 and 1 for each label; or fit one estimator a column with "
                "sklearn.multioutput.MultiOutputClassifier."
            )
        if kind not in ("binary", "multiclass", "multilabel-indicator"):
            raise ValueError(
                f"Unknown label type: {kind}. y must be class labels: whole numbers, strings or booleans, or a column "
                "of 0 and 1 for each label. For other numbers use a regressor."
            )
        return cls(kind, unique_labels(y))

    @property
    def columns(self) -> int:
        """Outputs of a network for them: one where there are two classes."""
        return 1 if self.kind == "binary" else len(self.classes)

    @property
    def activation(self) -> str:
        """scikit-learn's name of the function of these outputs."""
        return "softmax" if self.kind == "multiclass" else "logistic"

    def numbers(self, y: Array) -> Array:
        """The number of each label among the classes, or the matrix of 0 and 1; the labels must be among the classes.

        Raises:
            ValueError: y is a matrix where labels are wanted, or has other columns.
        """
        if self.kind != "multilabel-indicator":
            if y.ndim != 1:
                raise ValueError(
                    f"y must have one column, for the classes {self.classes}, but has the shape {y.shape}."
                )
            return np.searchsorted(self.classes, y).astype(np.int32)
        matrix = np.asarray(y.toarray() if hasattr(y, "toarray") else y)
        if matrix.ndim != 2 or matrix.shape[1] != len(self.classes):
            raise ValueError(
                f"y must have a column for each of {len(self.classes)} labels, but has the shape {matrix.shape}."
            )
        return matrix.astype(np.int32)

    def targets(self, numbers: Array, dtype: str) -> Array:
        """What the network is trained on: class numbers for softmax, 0.0 and 1.0 for sigmoid."""
        return numbers if self.kind == "multiclass" else numbers.reshape(len(numbers), -1).astype(dtype)

    def chosen(self, outputs: Array) -> Array:
        """Of what the network gives: the numbers of the likeliest classes, or the matrix of 0 and 1."""
        if self.kind == "multiclass":
            return np.asarray(outputs.argmax(axis=1))
        over = outputs > 0.5
        if self.kind == "multilabel-indicator":
            return over.astype(np.int64)
        return over[:, 0].astype(np.int64) if len(self.classes) > 1 else np.zeros(len(outputs), np.int64)

    def of_numbers(self, numbers: Array) -> Array:
        """The labels of such numbers."""
        if self.kind == "multilabel-indicator":
            return numbers
        found: Array = self.classes[numbers]
        return found

    def probabilities(self, outputs: Array) -> Array:
        """A column for each class."""
        if self.kind != "binary":
            return outputs
        if len(self.classes) == 1:
            return np.ones_like(outputs)
        both = np.empty((len(outputs), 2), outputs.dtype)
        both[:, 1] = outputs[:, 0]
        np.subtract(1, outputs[:, 0], out=both[:, 0])
        return both


def weights_of_classes(class_weight: Any, labels: Labels, numbers: Array, sample_weight: Array | None) -> Array | None:
    """The weights of samples times those of their classes.

    Args:
        class_weight: ``"balanced"``, a dict of weights by label, in which missing ones count 1, or None.

    Raises:
        TypeError, ValueError: something else, or targets of several labels.
    """
    if class_weight is None:
        return sample_weight
    if labels.kind == "multilabel-indicator":
        raise ValueError("class_weight is for one class a sample. Where there are several labels, give sample_weight.")
    counts = np.bincount(numbers, weights=sample_weight, minlength=len(labels.classes))
    if isinstance(class_weight, str) and class_weight == "balanced":
        present = counts > 0
        of_class = np.ones(len(counts))
        of_class[present] = counts.sum() / (present.sum() * counts[present])
    elif isinstance(class_weight, dict):
        known = labels.classes.tolist()
        unknown = [key for key in class_weight if key not in known]
        if unknown:
            raise ValueError(f"class_weight has the labels {unknown}, which are none of the classes {known}.")
        of_class = np.array([float(class_weight.get(key, 1.0)) for key in known])
    else:
        raise ValueError(
            f'class_weight must be "balanced", a dict of weights by label or None, but got {class_weight!r}.'
        )
    weights = of_class[numbers]
    return weights if sample_weight is None else weights * sample_weight

"""From the x, y and weights of a call to the columns that the engine takes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..data import arrays, dataset, nests
from ..data.dataset import Dataset
from ..data.layout import Layout, Port, Ports
from ..foundation import checks
from .heads import Head, Heads

Array = NDArray[Any]

_OF_SHARES = 1e-3  # how far the sum of a row of shares may be from 1


def dataset_of(
    layout: Layout, heads: Heads, x: Any, y: Any, sample_weight: Any, check_finite: bool, prefix: str = ""
) -> Dataset:
    """Inputs, targets and weights as the engine takes them; messages call them `prefix` x, y and sample_weight.

    Raises:
        TypeError, ValueError: data that do not fit the model, a loss or a metric; no samples.
    """
    name_x, name_y, name_w = f"{prefix}x", f"{prefix}y", f"{prefix}sample_weight"
    xs = dataset.columns(x, name_x, layout, check_finite)
    named_y, given_y = _by_head(y, name_y, layout.outputs, heads)
    ys = [
        _targets(head, each, name, layout.dtype) for head, name, each in zip(heads.heads, named_y, given_y, strict=True)
    ]
    rows = len(xs[0])
    if rows == 0 or any(len(each) != rows for each in ys):
        named_x = layout.inputs.named(name_x)[0]
        arrays.same_length(**{named_x: xs[0], **dict(zip(named_y, ys, strict=True))})
        raise ValueError(f"{name_x} and y have no samples.")
    if sample_weight is None and len(ys) == 1 and heads.ignores_nothing:  # the way of every small step
        return Dataset(xs, (ys[0] if ys[0].ndim == 2 else ys[0].reshape(rows, -1),))
    if not ys:
        return Dataset(xs, ())
    weights = _weights(sample_weight, name_w, layout, heads, len(ys[0]))
    masked = [_masked(*each, layout.dtype) for each in zip(heads.heads, ys, weights, strict=True)]
    flat = tuple(each if each.ndim == 2 else each.reshape(len(each), -1) for each in ys)
    return Dataset(xs, flat, tuple(masked) if any(each is not None for each in masked) else ())


def _targets(head: Head, y: ArrayLike, name: str, dtype: str) -> Array:
    targets = (head.loss or head.judge).prepare_targets(y, dtype=dtype, output_shape=head.port.sizes, name=name)
    for each in head.measured:
        each.metric.check_targets(targets)
    return targets


def _masked(head: Head, targets: Array, weights: Array | None, dtype: str) -> Array | None:
    """The weights, with those rows masked that the loss ignores."""
    ignored = None if head.loss is None else head.loss.take_ignored(targets)
    if ignored is None:
        return weights
    flat = ignored.reshape(len(ignored), -1)
    return np.where(flat, -1, np.ones((), dtype) if weights is None else weights).astype(dtype)


def _by_head(values: Any, name: str, outputs: Ports, heads: Heads) -> tuple[list[str], list[Any]]:
    """What messages call the value of each head, and the values."""
    if not heads.heads:
        return [], []
    if type(values) is np.ndarray and len(outputs.ports) == 1:  # nothing to look into: the way of every small step
        return outputs.named(name), [values]
    first = heads.heads[0]
    may_lack_axis = first.sparse or first.port.columns == 1
    return of_outputs(values, name, outputs, [head.number for head in heads.heads], may_lack_axis)


def of_outputs(
    values: Any, name: str, outputs: Ports, wanted: list[int], may_lack_axis: bool
) -> tuple[list[str], list[Any]]:
    """What messages call the value of each output wanted, and the values: a list or dict by output, or one.

    Those of outputs that are not wanted may be left out.

    Args:
        may_lack_axis: Whether the targets of a single output may come without the last axis.
    """
    if outputs.form == "nested" and nests.is_like(outputs.nest, values):
        names, found = outputs.named(name), outputs.take_apart(values, name)
        return [names[number] for number in wanted], [found[number] for number in wanted]
    numbers = sorted(wanted)
    form = "list" if outputs.form == "nested" else outputs.form
    asked = Ports(
        tuple(outputs.ports[number] for number in numbers),
        "dict" if isinstance(values, Mapping) and len(outputs.ports) > 1 else form,
        tuple(outputs.keys[number] for number in numbers),
    )
    if isinstance(values, Mapping):
        found = asked.take_apart(_without_unused(values, outputs, numbers), name)
    elif isinstance(values, list | tuple) and len(outputs.ports) > 1 and len(values) == len(outputs.ports):
        found = [values[number] for number in numbers]
    elif isinstance(values, list | tuple) and len(outputs.ports) > 1 and len(values) == len(numbers):
        found = list(values)
    elif len(outputs.ports) == 1 and may_lack_axis and _is_around(values, outputs.ports[0]):
        found = [values[0]]
    else:
        found = asked.take_apart(values, name)
    names, places = asked.named(name), [numbers.index(number) for number in wanted]
    return [names[place] for place in places], [found[place] for place in places]


def _is_around(values: Any, port: Port) -> bool:
    """Whether `values` is a list that has the one array of targets, without its last axis."""
    if not isinstance(values, list | tuple) or len(values) != 1 or not isinstance(values[0], np.ndarray):
        return False
    return values[0].ndim == len(port.shape)


def _without_unused(values: Mapping[Any, Any], outputs: Ports, numbers: list[int]) -> Mapping[Any, Any]:
    unused = [number for number in range(len(outputs.ports)) if number not in numbers]
    names = {name for number in unused for name in (outputs.keys[number], outputs.names[number])}
    return {key: value for key, value in values.items() if key not in names}


# ---- weights of samples ----------------------------------------------------------------------------------------------


def _weights(sample_weight: Any, name: str, layout: Layout, heads: Heads, samples: int) -> list[Array | None]:
    """The weights of each head, (samples, 1) or (samples, rows); None where all count alike."""
    if sample_weight is None:
        return [None] * len(heads.heads)
    outputs = layout.outputs
    if len(outputs.ports) == 1 and _is_around_an_array(sample_weight):
        sample_weight = sample_weight[0]
    if len(outputs.ports) > 1 and not _is_by_output(sample_weight):
        one = arrays.as_weights(sample_weight, name, layout.dtype, samples, ())
        for head in heads.heads:
            head.weights_shape()  # a loss may take none
        return [one] * len(heads.heads)
    if isinstance(sample_weight, Mapping):
        unknown = [key for key in sample_weight if key not in (*outputs.keys, *outputs.names)]
        if not unknown:
            keys = outputs.keys if set(sample_weight) <= set(outputs.keys) else outputs.names
            sample_weight = {key: sample_weight.get(key) for key in keys}
    names, found = _by_head(sample_weight, name, outputs, heads)
    return [
        None if each is None else arrays.as_weights(each, called, layout.dtype, samples, head.weights_shape())
        for head, called, each in zip(heads.heads, names, found, strict=True)
    ]


def _is_by_output(sample_weight: Any) -> bool:
    """Whether there are weights for each output, rather than numbers for all."""
    if isinstance(sample_weight, Mapping):
        return True
    return isinstance(sample_weight, list | tuple) and not all(np.isscalar(each) for each in sample_weight)


def _is_around_an_array(sample_weight: Any) -> bool:
    """Whether it is a list that has the weights of the only output."""
    if not isinstance(sample_weight, list | tuple) or len(sample_weight) != 1:
        return False
    return isinstance(sample_weight[0], np.ndarray) and sample_weight[0].ndim > 0


# ---- weights of classes ----------------------------------------------------------------------------------------------


def check_class_weight(class_weight: Any, outputs: Ports) -> None:
    """Raise TypeError or ValueError unless `class_weight` is None, "balanced" or a dict of weights by class."""
    if class_weight is None:
        return
    if len(outputs.ports) > 1:
        raise ValueError("class_weight is for models of one output. Give sample_weight for each of the outputs.")
    if isinstance(class_weight, str) and class_weight == "balanced":
        return
    if not isinstance(class_weight, Mapping):
        raise TypeError(
            'class_weight must be a dict of weights by class, such as {0: 1.0, 1: 2.5}, or "balanced", but got '
            f"{checks.shown(class_weight)}."
        )
    for key, weight in class_weight.items():
        if not isinstance(key, int | np.integer) or isinstance(key, bool):
            raise TypeError(
                f"class_weight must have class labels, whole numbers, as its keys, but has {checks.shown(key)} of type "
                f"{type(key).__name__}."
            )
        checks.number(weight, f"class_weight[{key}]", "[0, inf)")


def with_class_weights(data: Dataset, heads: Heads, class_weight: Any, dtype: str) -> Dataset:
    """The data with each row's weight multiplied by that of its class.

    Raises:
        ValueError: targets that are no classes; a class that has no weight.
    """
    if class_weight is None:
        return data
    if not heads.heads:
        raise ValueError("class_weight is for targets, and compile was given neither a loss nor metrics of them.")
    head, targets = heads.heads[0], data.ys[0]
    before = data.weights[0] if data.weights else None
    classes = _classes(head, targets)
    counted = classes if before is None else classes[np.broadcast_to(before >= 0, classes.shape)]
    found, counts = np.unique(counted, return_counts=True)
    if isinstance(class_weight, str):
        table = dict(zip(found.tolist(), (counts.sum() / (len(found) * counts)).tolist(), strict=True))
    else:
        table = {int(key): float(weight) for key, weight in class_weight.items()}
    missing = [each for each in found.tolist() if each not in table]
    if missing:
        shown = ", ".join(map(str, missing[:10])) + ", ..." * (len(missing) > 10)
        raise ValueError(f"class_weight must have a weight for each class in y, but has none for {shown}.")
    every = np.unique(classes)  # with those that only masked rows have
    of_class = np.array([table.get(each, 1.0) for each in every.tolist()])
    weights = of_class[np.searchsorted(every, classes)].astype(dtype)
    if weights.shape[1] > 1 and weights.shape[1] != math.prod(head.weights_shape()):
        raise ValueError(
            f"class_weight is for targets of one class a sample where the loss is {head.loss!r}, but there are "
            f"{weights.shape[1]}."
        )
    if before is not None:
        weights = np.where(before < 0, before, weights * before)
    return data._replace(weights=(np.ascontiguousarray(weights),))


def _classes(head: Head, targets: Array) -> Array:
    """The class of each row, (samples, rows); of one with shares of several classes, as smoothing gives it, the most
    likely one."""
    if head.sparse:
        return targets
    columns = head.port.columns
    rows = targets.reshape(len(targets), -1, columns)
    labels: Array = rows.astype(np.int64)[..., 0] if columns == 1 else rows.argmax(-1)
    if columns == 1:
        known = (rows == labels[..., None]).all()
    else:
        known = (rows >= 0).all() and (np.abs(rows.sum(-1) - 1) < _OF_SHARES).all()
    if known:
        return labels
    raise ValueError(
        "class_weight is for targets that are classes: labels, rows of shares that sum to 1, such as one-hot rows, or "
        "one whole number a row."
    )

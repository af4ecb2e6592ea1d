"""Elements in other places, under Keras's names (``keras.ops``): of arrays as NumPy's, and of symbolic tensors, whose
first axis is that of the samples and stays."""

from __future__ import annotations

import math
import string
from collections.abc import Sequence
from typing import Any, Literal, cast

import numpy as np

from .. import layers
from ..foundation import checks
from ..layers import symbolic
from ..layers.of_weights import WeightEinsum, WeightRows, for_each_sample
from ..layers.symbolic import SymbolicTensor
from ..layers.trial import ask_for_length, is_calling
from ..layers.weight import Weight
from . import _elementwise, _reductions
from ._shapes import matmul, reshape, transpose
from ._values import (
    along,
    as_array,
    behind,
    for_all,
    is_of_weights,
    is_symbolic,
    listed,
    operation,
    size_along,
    tensor_of_samples,
)

__all__ = [
    "broadcast_to",
    "einsum",
    "moveaxis",
    "pad",
    "repeat",
    "roll",
    "take",
    "tile",
    "tril",
    "triu",
]


def _taken(x: SymbolicTensor, places: Any, axis: int) -> Any:
    index = (*(slice(None),) * axis, places)
    return x[index]


def take(x: Any, indices: Any, axis: int | None = None) -> Any:
    """The elements at places along an axis.

    Args:
        x: An array or a symbolic tensor.
        indices: Whole numbers, an array.
        axis: Which; of a symbolic tensor not the first one. Default ``None``: the array as one row.

    Raises:
        TypeError, ValueError, IndexError: no such places.
    """
    if not is_symbolic(x, indices):
        return np.take(as_array(x, "x"), as_array(indices, "indices"), axis=axis)
    if is_symbolic(indices):
        if isinstance(x, Weight) and isinstance(indices, SymbolicTensor) and axis in (0, -x.ndim):
            return _rows(x, indices)
        raise TypeError(
            "ops.take takes places that are an array. Rows of a table by ids are what an Embedding gives, and take of "
            "a weight with axis=0."
        )
    if is_of_weights(x):
        if axis is None:
            x, axis = reshape(x, [-1]), 0
        return for_all(lambda each: take(each, indices, behind(axis)), x)
    tensor, place = along(x, axis, "take")
    places = np.asarray(as_array(indices, "indices"))
    if places.dtype.kind not in "iu":
        raise TypeError(f"indices must be whole numbers, but got {checks.shown(indices)}.")
    return _taken(tensor, places if places.ndim else int(places), place)


def _rows(weight: Weight, ids: SymbolicTensor) -> Any:
    """The rows of a weight that ids name."""
    rows = WeightRows(weight)
    rows._check_ids(ids)
    return rows(ids)


def repeat(x: Any, repeats: int | Sequence[int] | None, axis: int | None = None) -> Any:
    """Each element several times, one behind the other: along an axis, which a symbolic tensor needs, not the first.

    In a `call`, an array or weight of one row may be repeated for each sample, as for `tile`:
    ``repeat(x, ops.shape(y)[0], axis=0)``.
    """
    if repeats is None and axis == 0 and is_calling():  # ops.shape(y)[0]
        return tile(x, [None, *(1,) * (np.ndim(x) - 1)])
    if not is_symbolic(x):
        return np.repeat(as_array(x, "x"), cast("Any", repeats), cast("Any", axis))
    if is_of_weights(x):
        return for_all(lambda each: repeat(each, repeats, behind(axis)), x)
    tensor, place = along(x, axis, "repeat")
    return _taken(tensor, np.repeat(np.arange(size_along(tensor, place, "repeat")), cast("Any", repeats)), place)


def tile(x: Any, repeats: int | Sequence[int | None]) -> Any:
    """The whole several times along each axis; of a symbolic tensor once along the first one.

    In a `call`, an array or weight of one row may be repeated for each sample, ``tile(x, (ops.shape(y)[0], 1, 1))``: an
    array stays one row where the number of samples is not known, as that is the same for all samples.
    """
    if not is_symbolic(x):
        if _begins_with_samples(repeats):
            times = list(cast("Sequence[Any]", repeats))
            return np.tile(_for_all(x, len(times), "tile"), [1, *times[1:]])
        return np.tile(as_array(x, "x"), cast("int", repeats))
    if is_of_weights(x):
        if _begins_with_samples(repeats):
            times = list(cast("Sequence[Any]", repeats))
            return tile(_one_row(x, len(times), "tile"), [1, *times[1:]])
        return for_all(lambda each: tile(each, repeats), x)
    tensor = tensor_of_samples(x, "tile")
    given: list[Any] = [repeats] if isinstance(repeats, int | np.integer) else list(repeats)
    times = [1] * (tensor.ndim - len(given)) + given
    if len(times) > tensor.ndim or times[0] != 1:
        raise ValueError(f"repeats must have at most {tensor.ndim} numbers, 1 for the samples, but got {repeats}.")
    for axis, count in enumerate(times):
        if count != 1:
            tensor = _taken(tensor, np.tile(np.arange(size_along(tensor, axis, "tile")), count), axis)
    return tensor


def _begins_with_samples(sizes: Any) -> bool:
    """Whether the first size is that of the samples, ``ops.shape(x)[0]`` where it is not known."""
    return isinstance(sizes, list | tuple | np.ndarray) and len(sizes) > 0 and sizes[0] is None and is_calling()


def _for_all(x: Any, axes: int, function: str) -> Any:
    """An array of so many axes that is the same for all samples; ValueError where it has several rows."""
    array = np.asarray(as_array(x, "x"))
    if array.ndim < axes:
        array = array.reshape((1,) * (axes - array.ndim) + array.shape)
    if array.ndim != axes or len(array) != 1:
        raise ValueError(
            f"{function} for each sample takes an array of one row, which is the same for all, but x has the shape "
            f"{np.shape(x)}."
        )
    return array


def _one_row(x: Any, axes: int, function: str) -> SymbolicTensor:
    """A weight of so many axes, or fewer, as what each sample has; ValueError where it has several rows."""
    if x.ndim > axes or (x.ndim == axes and x.shape[0] != 1):
        raise ValueError(
            f"{function} for each sample takes a weight of one row, which is the same for all, but x has the shape "
            f"{tuple(x.shape)}."
        )
    row = x[0] if x.ndim == axes else x
    return cast("SymbolicTensor", reshape(for_each_sample(row), [-1, *(1,) * (axes - 1 - row.ndim), *row.shape]))


def roll(x: Any, shift: int | Sequence[int], axis: int | Sequence[int] | None = None) -> Any:
    """The elements moved along an axis or several, the last ones come first. A symbolic tensor needs an axis, not the
    first."""
    if not is_symbolic(x):
        return np.roll(as_array(x, "x"), shift, listed(axis))
    if is_of_weights(x):
        return for_all(lambda each: roll(each, shift, behind(axis)), x)
    tensor = tensor_of_samples(x, "roll")
    for count, each in np.broadcast(shift, cast("Any", axis)):
        tensor, place = along(tensor, each, "roll")
        tensor = _taken(tensor, np.roll(np.arange(size_along(tensor, place, "roll")), int(count)), place)
    return tensor


def broadcast_to(x: Any, shape: Sequence[int | None]) -> Any:
    """The elements repeated along axes of size 1. Of a symbolic tensor the first size is that of the samples, or -1."""
    if not is_symbolic(x):
        if _begins_with_samples(shape):
            x, shape = _for_all(x, len(shape), "broadcast_to"), (1, *shape[1:])
        return np.broadcast_to(as_array(x, "x"), cast("Sequence[int]", shape))
    if is_of_weights(x):
        if _begins_with_samples(shape):
            return broadcast_to(_one_row(x, len(shape), "broadcast_to"), shape)
        more = [1] * (len(shape) - x.ndim)
        return for_all(lambda each: broadcast_to(reshape(each, [-1, *more, *x.shape]), [-1, *shape]), x)
    tensor, wanted = tensor_of_samples(x, "broadcast_to"), tuple(shape)
    fits = len(wanted) == tensor.ndim and wanted[0] in (-1, None, tensor.shape[0])
    if not fits or any(own not in (1, size) for own, size in zip(tensor.shape[1:], wanted[1:], strict=True)):
        raise ValueError(f"The symbolic tensor {tensor.name!r} of shape {tensor.shape} does not fit the shape {shape}.")
    for axis, (own, size) in enumerate(zip(tensor.shape[1:], wanted[1:], strict=True), 1):
        if own == 1 and size not in (1, None):
            tensor = _taken(tensor, np.zeros(size, int), axis)
    return tensor


def moveaxis(x: Any, source: int | Sequence[int], destination: int | Sequence[int]) -> Any:
    """Axes at other places; of a symbolic tensor the first one stays."""
    if not is_symbolic(x):
        return np.moveaxis(as_array(x, "x"), source, destination)
    if is_of_weights(x):
        return for_all(lambda each: moveaxis(each, behind(source), behind(destination)), x)
    tensor = tensor_of_samples(x, "moveaxis")
    places = np.empty(tuple(range(tensor.ndim)))
    return transpose(tensor, list(np.moveaxis(places, source, destination).shape))


def pad(
    x: Any,
    pad_width: Any,
    mode: Literal["constant", "edge", "reflect", "symmetric", "wrap"] = "constant",
    constant_values: float | None = None,
) -> Any:
    """Elements in front of an array and behind it, along its axes.

    Args:
        x: An array or a symbolic tensor.
        pad_width: How many: ``((before, after), ...)``, a pair for each axis, or one for all; of a symbolic tensor
            ``(0, 0)`` for the samples.
        mode: ``"constant"``, or what NumPy has: ``"edge"``, ``"reflect"``, ``"symmetric"``, ``"wrap"``.
        constant_values: The number. Default 0.

    Raises:
        ValueError: others.
    """
    number = 0.0 if constant_values is None else float(constant_values)
    if not is_symbolic(x):
        array = as_array(x, "x")
        if mode == "constant":
            return np.pad(array, pad_width, constant_values=number)
        return np.pad(array, pad_width, mode)
    if is_of_weights(x):
        widths = [(0, 0), *np.broadcast_to(np.asarray(pad_width), (x.ndim, 2)).tolist()]
        return for_all(lambda each: pad(each, widths, mode, constant_values), x)
    tensor = tensor_of_samples(x, "pad")
    pairs = np.broadcast_to(np.asarray(pad_width), (tensor.ndim, 2)).tolist()
    if pairs[0] != [0, 0]:
        raise ValueError(f"pad_width must have (0, 0) for the samples of {tensor.name!r}, but got {pad_width}.")
    for axis, (before, after) in enumerate(pairs):
        if before == after == 0:
            continue
        if mode != "constant":
            size = size_along(tensor, axis, "pad")
            tensor = _taken(tensor, np.pad(np.arange(size), (before, after), mode), axis)
            continue
        parts = [_filled(tensor, axis, count, number) if count else None for count in (before, after)]
        tensor = operation(layers.Concatenate, axis)(
            [each for each in (parts[0], tensor, parts[1]) if each is not None]
        )
    return tensor


def _filled(x: SymbolicTensor, axis: int, count: int, number: float) -> Any:
    """`count` times one number along an axis, beside a tensor whose other axes may be of any length."""
    sizes: list[Any] = [*x.shape[1:axis], count, *x.shape[axis + 1 :]]
    if None not in sizes:
        return symbolic.constant(np.full(sizes, number), x)
    some = _taken(x, np.zeros(count, int), axis)
    return _elementwise.add(_elementwise.less(some, some), number)


def tril(x: Any, k: int = 0) -> Any:
    """The matrices of the last two axes with zeros above the diagonal `k`."""
    return _triangle(np.tril, x, k)


def triu(x: Any, k: int = 0) -> Any:
    """The matrices of the last two axes with zeros below the diagonal `k`."""
    return _triangle(np.triu, x, k)


def _triangle(function: Any, x: Any, k: int) -> Any:
    if not is_symbolic(x):
        return function(as_array(x, "x"), k)
    if is_of_weights(x):
        return for_all(lambda each: _triangle(function, each, k), x)
    tensor, name = tensor_of_samples(x, function.__name__), function.__name__
    sizes = [size_along(tensor, axis, name) for axis in (tensor.ndim - 2, tensor.ndim - 1)]
    return _elementwise.where(function(np.ones(sizes), k), tensor, 0.0)


def einsum(subscripts: str, *operands: Any) -> Any:
    """Sums of products in Einstein's notation, as ``numpy.einsum`` has it.

    Of symbolic tensors with the samples as their first letter, and so the result; each letter once an operand, and the
    arrow written: ``"bqhd,bkhd->bhqk"``, ``"...d,...d->..."``. Beside them there may be weights and arrays, without
    that letter: ``"bqd,dhk->bqhk"``. Three operands or more are multiplied one after the other.

    Raises:
        TypeError, ValueError: other operands or subscripts.
    """
    if not is_symbolic(*operands):
        return np.einsum(subscripts, *(as_array(each, "an operand") for each in operands))
    letters, output = _parts(subscripts, operands)
    if all(map(is_of_weights, operands)):  # any letter is that of the samples
        sample = next(each for each in string.ascii_letters if each not in "".join(letters))
        given = ",".join(sample + each for each in letters)
        return for_all(lambda *each: einsum(f"{given}->{sample}{output}", *each), *operands)
    tensors = list(operands)
    while len(tensors) > 2:
        needed = {*output, *"".join(letters[2:])}
        found = [each for each in dict.fromkeys(letters[0] + letters[1]) if each in needed]
        between = "".join(sorted(found, key=lambda each: each != output[0]))
        tensors[:2] = [einsum(f"{letters[0]},{letters[1]}->{between}", *tensors[:2])]
        letters[:2] = [between]
    if not all(isinstance(each, SymbolicTensor) and each.per_sample for each in tensors):
        return _with_fixed(tensors, letters, output)
    sizes = _sizes(subscripts, tensors, letters, output)
    if len(tensors) == 1:
        return _summed_to(tensors[0], letters[0], output)
    return _product(tensors, letters, output, sizes)


def _with_fixed(tensors: Sequence[Any], letters: Sequence[str], output: str) -> Any:
    """The sum of products of a tensor of samples and a weight, or an array, that is the same for all of them."""
    first = isinstance(tensors[0], SymbolicTensor) and tensors[0].per_sample
    (x, fixed), (own, others) = (tensors, letters) if first else (tensors[::-1], letters[::-1])
    x, own = _kept_of(x, own, others + output)
    if isinstance(fixed, Weight) and set(others) <= {*own, *output}:
        return WeightEinsum(fixed, f"{own},{others}->{output}")(x)
    lifted = for_each_sample(fixed) if is_of_weights(fixed) else symbolic.constant(as_array(fixed, "an operand"), x)
    return einsum(f"{own},{own[0]}{others}->{output}", x, lifted)


def _parts(subscripts: str, operands: Sequence[Any]) -> tuple[list[str], str]:
    """The letters of each operand and of the output, also in place of "..."; ValueError for others."""
    given, arrow, output = subscripts.replace(" ", "").partition("->")
    letters = given.split(",")
    fits = bool(arrow and output) and len(letters) == len(operands)
    if fits and "..." in given:
        ranks = [np.ndim(x) - len(own.replace("...", "")) for own, x in zip(letters, operands, strict=True)]
        most = max(rank for own, rank in zip(letters, ranks, strict=True) if "..." in own)
        elided = [each for each in string.ascii_letters if each not in subscripts][: max(most, 0)]
        last = ["".join(elided[max(len(elided) - rank, 0) :]) for rank in ranks]
        letters = [own.replace("...", each) for own, each in zip(letters, last, strict=True)]
        output = output.replace("...", "".join(elided))
    if not fits or not all(own.isalpha() and len(own) == len(set(own)) for own in (*letters, output)):
        raise ValueError(
            'einsum of symbolic tensors takes operands of letters, each letter once, "->" and letters, such as '
            f'"bqhd,bkhd->bhqk", but got {subscripts!r} for {len(operands)} operands.'
        )
    if not set(output) <= set("".join(letters)):
        raise ValueError(f"einsum has letters behind the arrow that no operand has: {subscripts!r}.")
    return letters, output


def _sizes(
    subscripts: str, tensors: Sequence[SymbolicTensor], letters: Sequence[str], output: str
) -> dict[str, int | None]:
    """The sizes that the letters stand for; ValueError where they do not fit."""
    if any(own[0] != output[0] for own in letters):
        raise ValueError(
            f"einsum of symbolic tensors has the letter of the samples first, in each and behind the arrow, but got "
            f"{subscripts!r}."
        )
    sizes: dict[str, int | None] = {}
    for own, tensor in zip(letters, tensors, strict=True):
        if len(own) != tensor.ndim:
            raise ValueError(f"einsum has {own!r} for {tensor.name!r}, which has {tensor.ndim} axes.")
        for letter, size in zip(own, tensor.batch_shape, strict=True):
            if sizes.setdefault(letter, size) != size:
                raise ValueError(f"einsum has {letter!r} for axes of the sizes {sizes[letter]} and {size}.")
    return sizes


def _product(
    tensors: Sequence[SymbolicTensor], letters: Sequence[str], output: str, sizes: dict[str, int | None]
) -> Any:
    """The sum of products of two operands: one product of matrices for each place of the letters that both keep."""
    (a, b), (of_a, of_b) = tensors, letters
    a, of_a = _kept_of(a, of_a, of_b + output)
    b, of_b = _kept_of(b, of_b, of_a + output)
    shared = [each for each in output[1:] if each in of_a and each in of_b]
    rows, columns = ([each for each in output[1:] if each in own and each not in shared] for own in (of_a, of_b))
    terms = [each for each in of_a[1:] if each not in output]
    batch = [sizes[each] for each in shared]

    def matrix(x: Any, own: str, first: list[str], second: list[str]) -> Any:
        x = _summed_to(x, own, "".join([own[0], *shared, *first, *second]))
        return reshape(x, [-1, *batch, *(math.prod(_known(sizes[each]) for each in part) for part in (first, second))])

    product = matmul(matrix(a, of_a, rows, terms), matrix(b, of_b, terms, columns))
    made = [output[0], *shared, *rows, *columns]
    return _summed_to(reshape(product, [-1, *(sizes[each] for each in made[1:])]), "".join(made), output)


def _known(size: int | None) -> int:
    if size is None:
        ask_for_length()
        raise ValueError("einsum of two symbolic tensors needs to know the lengths of their axes.")
    return size


def _kept_of(x: Any, own: str, wanted: str) -> tuple[Any, str]:
    """`x`, summed up over the letters that are not wanted."""
    kept = "".join(each for each in own if each in wanted)
    return _summed_to(x, own, kept), kept


def _summed_to(x: Any, own: str, output: str) -> Any:
    """`x` with the letters of the output, in their order: summed up over the others."""
    over = [place for place, letter in enumerate(own) if letter not in output]
    if over:
        x = _reductions.sum(x, over)
        own = "".join(each for each in own if each in output)
    order = [own.index(each) for each in output]
    return x if order == list(range(len(order))) else transpose(x, order)

"""Einstein's sums under Keras's name (``keras.ops.einsum``): of arrays as NumPy's, and of symbolic tensors."""

from __future__ import annotations

import math
import string
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..layers import symbolic
from ..layers.of_weights import WeightEinsum, for_each_sample
from ..layers.symbolic import SymbolicTensor
from ..layers.trial import ask_for_length
from ..layers.weight import Weight
from . import _reductions
from ._shapes import matmul, reshape, transpose
from ._values import as_array, for_all, is_of_weights, is_symbolic

__all__ = ["einsum"]


def einsum(subscripts: str, *operands: Any) -> Any:
    """Sums of products in Einstein's notation, as ``numpy.einsum`` has it.

    Of symbolic tensors with the samples as their first letter, and so the result; each letter once an operand, and the
    arrow written: ``"bqhd,bkhd->bhqk"``, ``"...d,...d->..."``. Beside them there may be weights and arrays, without
    that letter: ``"bqd,dhk->bqhk"``. Weights may come without symbolic tensors, too, alone or beside arrays. Three
    operands or more are multiplied one after the other.

    Raises:
        TypeError, ValueError: other operands or subscripts.
    """
    if not is_symbolic(*operands):
        return np.einsum(subscripts, *(as_array(each, "an operand") for each in operands))
    letters, output = _parts(subscripts, operands)
    if not any(map(_has_samples, operands)):
        return _of_weights(operands, letters, output)
    tensors = list(operands)
    while len(tensors) > 2:
        needed = {*output, *"".join(letters[2:])}
        found = [each for each in dict.fromkeys(letters[0] + letters[1]) if each in needed]
        between = "".join(sorted(found, key=lambda each: each != output[0]))
        tensors[:2] = [einsum(f"{letters[0]},{letters[1]}->{between}", *tensors[:2])]
        letters[:2] = [between]
    if not all(map(_has_samples, tensors)):
        return _with_fixed(tensors, letters, output)
    sizes = _sizes(tensors, letters, output)
    if len(tensors) == 1:
        return _summed_to(tensors[0], letters[0], output)
    return _product(tensors, letters, output, sizes)


def _has_samples(operand: Any) -> bool:
    return isinstance(operand, SymbolicTensor) and operand.per_sample


def _of_weights(operands: Sequence[Any], letters: Sequence[str], output: str) -> Any:
    """The sum of products of weights, or of weights and arrays: any letter is that of the samples."""
    sample = next(each for each in string.ascii_letters if each not in "".join(letters))
    given = [sample + own if is_of_weights(x) else own for own, x in zip(letters, operands, strict=True)]

    def of_samples(*tensors: Any) -> Any:
        rest = iter(tensors)
        factors = [next(rest) if is_of_weights(x) else x for x in operands]
        return einsum(f"{','.join(given)}->{sample}{output}", *factors)

    return for_all(of_samples, *filter(is_of_weights, operands))


def _with_fixed(factors: Sequence[Any], letters: Sequence[str], output: str) -> Any:
    """The sum of products of a tensor of samples and a weight, or an array, that is the same for all of them."""
    (x, fixed), (own, others) = (factors, letters) if _has_samples(factors[0]) else (factors[::-1], letters[::-1])
    if not is_of_weights(fixed):
        array = np.asarray(as_array(fixed, "an operand"))
        return _product_with_array(x, own, array, others, output, _sizes((x, array), (own, others), output))
    x, own = _kept_of(x, own, others + output)
    if isinstance(fixed, Weight) and set(others) <= {*own, *output}:
        return WeightEinsum(fixed, f"{own},{others}->{output}")(x)
    return einsum(f"{own},{own[0]}{others}->{output}", x, for_each_sample(fixed))


def _product_with_array(
    x: SymbolicTensor, of_x: str, array: NDArray[Any], of_array: str, output: str, sizes: dict[str, int | None]
) -> Any:
    """The sum of products of a tensor and an array: a product with one matrix, unless both keep a letter."""
    samples = output[0]
    if any(each in of_x and each in of_array for each in output):
        return _product((x, symbolic.constant(array, x)), (of_x, samples + of_array), output, sizes)
    x, of_x = _kept_of(x, of_x, of_array + output)
    rows, columns = ([each for each in output[1:] if each in own] for own in (of_x, of_array))
    terms = [each for each in of_x if each not in output]
    matrix = _summed_to(array, of_array, "".join([*terms, *columns]))
    count = math.prod(matrix.shape[: len(terms)])
    x = _summed_to(x, of_x, "".join([samples, *rows, *terms]))
    if len(terms) != 1:
        x = reshape(x, [-1, *(sizes[each] for each in rows), count])
    x = matmul(x, matrix.reshape(count, -1))
    if len(columns) != 1:
        x = reshape(x, [-1, *(sizes[each] for each in (*rows, *columns))])
    return _summed_to(x, "".join([samples, *rows, *columns]), output)


def _parts(subscripts: str, operands: Sequence[Any]) -> tuple[list[str], str]:
    """The letters of each operand and of the output, also in place of "..."; ValueError for others."""
    given, arrow, output = subscripts.replace(" ", "").partition("->")
    letters = given.split(",")
    fits = bool(arrow and (output or not any(map(_has_samples, operands)))) and len(letters) == len(operands)
    if fits and "..." in given:
        ranks = [np.ndim(x) - len(own.replace("...", "")) for own, x in zip(letters, operands, strict=True)]
        most = max(rank for own, rank in zip(letters, ranks, strict=True) if "..." in own)
        elided = [each for each in string.ascii_letters if each not in subscripts][: max(most, 0)]
        last = ["".join(elided[max(len(elided) - rank, 0) :]) for rank in ranks]
        letters = [own.replace("...", each) for own, each in zip(letters, last, strict=True)]
        output = output.replace("...", "".join(elided))
    if not fits or not all(own.isalpha() and len(own) == len(set(own)) for own in (*letters, output or "a")):
        raise ValueError(
            'einsum of symbolic tensors takes operands of letters, each letter once, "->" and letters, such as '
            f'"bqhd,bkhd->bhqk", but got {subscripts!r} for {len(operands)} operands.'
        )
    if not set(output) <= set("".join(letters)):
        raise ValueError(f"einsum has letters behind the arrow that no operand has: {subscripts!r}.")
    return letters, output


def _sizes(factors: Sequence[Any], letters: Sequence[str], output: str) -> dict[str, int | None]:
    """The sizes that the letters stand for; ValueError where they do not fit."""
    is_array = [isinstance(each, np.ndarray) for each in factors]
    if any(output[0] in own if array else own[0] != output[0] for own, array in zip(letters, is_array, strict=True)):
        raise ValueError(
            f"einsum of symbolic tensors has the letter of the samples first, in each and behind the arrow, and an "
            f"array goes without it, but got {','.join(letters)}->{output}."
        )
    sizes: dict[str, int | None] = {}
    for own, factor, array in zip(letters, factors, is_array, strict=True):
        if len(own) != factor.ndim:
            name = "an array" if array else repr(factor.name)
            raise ValueError(f"einsum has {own!r} for {name}, which has {factor.ndim} axes.")
        for letter, size in zip(own, factor.shape if array else factor.batch_shape, strict=True):
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

"""Products of samples and a kernel that an equation describes, ``"abc,cd->abd"``, as a matrix product, or as one for
each element of the axes that input, kernel and output share (``"abc,bcd->abd"``)."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import NamedTuple

Shape = tuple[int, ...]

_FORMS = "[X],[Y]->[Z], ...[X],[Y]->...[Z] or [X]...,[Y]->[Z]..."
_EQUATION = re.compile(r"(\.\.\.)?([a-zA-Z]+)(\.\.\.)?,([a-zA-Z]+)->(\.\.\.)?([a-zA-Z]+)(\.\.\.)?")


class Equation(NamedTuple):
    """The letters of an equation, and where its ellipsis is."""

    text: str
    input: str
    kernel: str
    output: str
    left: bool
    right: bool

    @property
    def lengths(self) -> int:
        """How many sizes the output has, without the samples and what the ellipsis stands for."""
        return len(self.output) - (not self.left)


class Product(NamedTuple):
    """``y = x @ kernel`` and what is around it. Orders are those of axes of a sample; `inner` is the shape of ``y``."""

    input_order: tuple[int, ...]
    kernel: Shape
    kernel_is_transposed: bool  # (outputs, inputs)
    kernel_order: tuple[int, ...] | None  # of a kernel that is put into order; axes of the products come first
    products: int
    rows: int
    inputs: int
    units: int
    inner: Shape
    output_order: tuple[int, ...]
    output: Shape
    bias: Shape | None
    bias_axes: tuple[int, ...]  # of a sample of the output
    bias_is_inside: bool  # whether it has an element for each of the units, in their order


def parsed(text: str) -> Equation:
    """The parts of an equation; ValueError for one that is no product of samples and a kernel."""
    match = _EQUATION.fullmatch(text.replace(" ", ""))
    if match is None or (match[1], match[3]) != (match[5], match[7]) or (match[1] and match[3]):
        raise ValueError(f"equation must have the form {_FORMS}, but got {text!r}.")
    equation = Equation(text, match[2], match[4], match[6], bool(match[1]), bool(match[3]))
    for letters in (equation.input, equation.kernel, equation.output):
        for letter in letters:
            if letters.count(letter) > 1:
                raise ValueError(f"equation {text!r} has the axis {letter!r} twice in {letters!r}.")
    _check_axes(equation)
    return equation


def _shared(equation: Equation) -> list[str]:
    """The axes that input, kernel and output have."""
    return [letter for letter in equation.kernel if letter in equation.input and letter in equation.output]


def _check_axes(equation: Equation) -> None:
    """Raise ValueError unless the equation can be made of matrix products."""
    text, input_, kernel, output = equation[:4]
    if not equation.left and (input_[0] != output[0] or input_[0] in kernel):
        raise ValueError(
            f"equation {text!r} must begin with the axis of the samples, in the input and in the output, and have it "
            "in no kernel."
        )
    for letter in output:
        if letter not in input_ and letter not in kernel:
            raise ValueError(f"equation {text!r} has the axis {letter!r} in its output alone.")
    for letter in input_:
        if letter not in kernel and letter not in output:
            raise ValueError(f"equation {text!r} has the axis {letter!r} in its input alone, which pynn cannot sum up.")
    for letter in kernel:
        if letter not in input_ and letter not in output:
            raise ValueError(f"equation {text!r} has the axis {letter!r} in its kernel alone.")


def product(equation: Equation, sample: Shape, sizes: Sequence[int | None], bias_axes: str | None) -> Product:
    """The product for samples of a shape.

    Args:
        sizes: Those of the output, without the samples and what the ellipsis stands for; None: as in the input.

    Raises:
        ValueError: samples, or sizes, that do not fit the equation.
    """
    text, input_, kernel, output, left, right = equation
    elided = len(sample) + 1 - len(input_)  # with the axis of the samples where it is on the left
    if elided < left or (elided > 0 and not (left or right)):
        raise ValueError(f"equation {text!r} does not fit samples of {len(sample)} axes.")
    more = [str(number) for number in range(elided - left)]
    inputs = [*more, *input_] if left else [*input_[1:], *more]
    outputs = [*more, *output] if left else [*output[1:], *more]
    size = dict(zip(inputs, sample, strict=True))
    for letter, given in zip(output if left else output[1:], sizes, strict=True):
        if given is None and letter not in size:
            raise ValueError(f"output_shape must have a number for the axis {letter!r} of equation {text!r}, not None.")
        if given is not None and size.setdefault(letter, given) != given:
            raise ValueError(
                f"the axis {letter!r} has {size[letter]} in the input of {text!r}, but {given} in output_shape."
            )
    shared = _shared(equation)
    summed = [letter for letter in kernel if letter in input_ and letter not in shared]
    new = [letter for letter in kernel if letter not in input_]
    kept = [letter for letter in inputs if letter not in summed and letter not in shared]
    found = [*shared, *kept, *new]

    # A kernel whose axes are neither inputs before outputs nor the other way round is put into order for each sample.
    in_order = [*kernel] in ([*summed, *new], [*new, *summed])

    def shape_of(letters: Sequence[str]) -> Shape:
        return tuple(size[letter] for letter in letters)

    bias = None if bias_axes is None else [letter for letter in outputs if letter in bias_axes]
    first = min(map(outputs.index, bias)) if bias else 0
    return Product(
        input_order=tuple(inputs.index(letter) for letter in [*shared, *kept, *summed]),
        kernel=shape_of(kernel),
        kernel_is_transposed=bool(new and summed) and in_order and kernel[0] == new[0],
        kernel_order=None if in_order else tuple(map(kernel.index, [*shared, *summed, *new])),
        products=math.prod(shape_of(shared)),
        rows=math.prod(shape_of(kept)),
        inputs=math.prod(shape_of(summed)),
        units=math.prod(shape_of(new)),
        inner=shape_of(found),
        output_order=tuple(found.index(letter) for letter in outputs),
        output=shape_of(outputs),
        bias=None if bias is None else tuple(size[a] if a in bias else 1 for a in outputs[first:]),
        bias_axes=tuple(map(outputs.index, bias or ())),
        bias_is_inside=bias == new and in_order,
    )

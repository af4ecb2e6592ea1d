"""Convolutions as kernels: against loops, against differences, threads, what is refused."""

from dataclasses import dataclass

import numpy as np
import pytest
import reference_windows as reference
from helpers import THREADS, close_gradient
from reference import central_difference

import pynn
from pynn import ops


@dataclass(frozen=True)
class Case:
    images: int
    sample: tuple[int, ...]  # height, width, channels or length, channels
    size: tuple[int, ...]
    filters: int
    strides: tuple[int, ...] = (1, 1)
    padding: str = "valid"
    dilation: tuple[int, ...] = (1, 1)
    groups: int = 1

    def __str__(self):
        text = f"{self.images}x{'x'.join(map(str, self.sample))}-{'x'.join(map(str, self.size))}x{self.filters}"
        more = (("s", self.strides), ("d", self.dilation), ("g", self.groups), ("", self.padding))
        return text + "".join(f"-{name}{value}" for name, value in more if value not in ((1, 1), (1,), 1, "valid"))

    def arrays(self, dtype, draw):
        """x, kernel, bias and dy."""
        kernel = (*self.size, self.sample[-1] // self.groups, self.filters)
        y = ops.conv_forward(np.zeros((self.images, *self.sample)), np.zeros(kernel), **self.settings)
        return [draw(s).astype(dtype) for s in ((self.images, *self.sample), kernel, (self.filters,), y.shape)]

    @property
    def settings(self):
        return {
            "strides": self.strides,
            "padding": self.padding,
            "dilation_rate": self.dilation,
            "groups": self.groups,
        }

    @property
    def plain(self):
        return self.strides, self.padding, self.dilation, self.groups


ONE = {"strides": (1,), "dilation": (1,)}
CASES = [
    Case(1, (1, 1, 1), (1, 1), 1),
    Case(3, (1, 1, 17), (1, 1), 33),
    Case(2, (5, 5, 2), (5, 5), 3),  # the kernel is as large as the image
    Case(2, (7, 6, 3), (3, 2), 5),
    Case(1, (9, 9, 1), (3, 3), 32),
    Case(3, (6, 7, 17), (3, 3), 16),
    Case(2, (6, 7, 4), (3, 3), 17),
    *(Case(2, (8, 9, 3), (3, 3), f) for f in (1, 2, 7, 15, 33, 64, 70)),
    *(Case(2, (8, 9, c), (2, 3), 6) for c in (1, 2, 7, 15, 16, 33)),
    # strides, also larger than the kernel
    Case(2, (9, 8, 3), (3, 3), 5, strides=(2, 2)),
    Case(2, (9, 8, 3), (2, 2), 5, strides=(3, 3)),
    Case(2, (10, 11, 2), (3, 2), 4, strides=(1, 3)),
    # same
    Case(2, (6, 7, 3), (3, 3), 5, padding="same"),
    Case(2, (6, 7, 3), (2, 2), 5, padding="same"),
    Case(2, (6, 7, 3), (4, 2), 5, padding="same"),
    Case(3, (2, 2, 3), (5, 5), 4, padding="same"),
    Case(1, (1, 1, 2), (3, 3), 4, padding="same"),
    Case(2, (7, 8, 3), (3, 3), 5, strides=(2, 2), padding="same"),
    Case(2, (8, 7, 3), (2, 4), 5, strides=(2, 3), padding="same"),
    Case(2, (7, 7, 3), (2, 2), 5, strides=(3, 4), padding="same"),
    # dilation
    Case(2, (9, 9, 3), (3, 3), 5, dilation=(2, 2)),
    Case(2, (9, 8, 3), (3, 2), 5, dilation=(1, 3), padding="same"),
    Case(2, (4, 4, 3), (3, 3), 5, dilation=(3, 3), padding="same"),
    Case(2, (9, 9, 3), (2, 3), 5, strides=(2, 1), dilation=(2, 3)),
    # groups
    Case(2, (6, 6, 4), (3, 3), 6, groups=2),
    Case(2, (6, 6, 6), (2, 3), 6, groups=6, padding="same"),
    Case(2, (6, 5, 17), (3, 3), 34, groups=17, strides=(2, 2)),
    Case(3, (5, 6, 32), (3, 3), 64, groups=4, padding="same"),
    # sequences
    Case(3, (10, 3), (3,), 5, **ONE),
    Case(3, (10, 3), (3,), 5, **ONE, padding="same"),
    Case(3, (10, 3), (4,), 5, **ONE, padding="causal"),
    Case(2, (11, 2), (3,), 4, strides=(1,), dilation=(2,), padding="causal"),
    Case(2, (11, 2), (3,), 4, strides=(2,), dilation=(1,), padding="causal"),
    Case(2, (12, 4), (3,), 6, strides=(3,), dilation=(2,), groups=2, padding="same"),
    # longer than a block of pixels, rows that are copied in several bands, a kernel that is not small
    Case(1, (600, 2), (3,), 5, **ONE, padding="same"),
    Case(2, (40, 40, 32), (3, 3), 8, padding="same"),
    Case(9, (6, 6, 64), (3, 3), 128, padding="same"),
    Case(40, (6, 6, 8), (3, 3), 16),
]
every_case = pytest.mark.parametrize("case", CASES, ids=str)
every_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64])


@every_case
@every_dtype
def test_conv_of_whole_numbers_is_exact(case, dtype, random):
    x, kernel, bias, dy = case.arrays(dtype, lambda size: random.integers(-4, 5, size))
    wide = [array.astype(np.int64) for array in (x, kernel, bias, dy)]
    got = ops.conv_forward(x, kernel, bias, **case.settings)
    assert got.dtype == dtype
    np.testing.assert_array_equal(got, reference.conv_forward(*wide[:3], *case.plain))
    np.testing.assert_array_equal(
        ops.conv_forward(x, kernel, **case.settings), reference.conv_forward(*wide[:2], None, *case.plain)
    )
    expected = reference.conv_backward(wide[3], *wide[:2], *case.plain)
    for gradient, reference_gradient in zip(ops.conv_backward(dy, x, kernel, **case.settings), expected, strict=True):
        assert gradient.dtype == dtype
        np.testing.assert_array_equal(gradient, reference_gradient)


@every_case
@every_dtype
def test_conv_rounding(case, dtype, random):
    """The error of a sum of n products is at most n eps times the sum of their magnitudes."""
    x, kernel, bias, dy = case.arrays(dtype, lambda size: random.normal(size=size))
    wide = [array.astype(np.float64) for array in (x, kernel, bias, dy)]
    absolute = [np.abs(array) for array in wide]
    eps, terms = np.finfo(dtype).eps, kernel[..., 0].size
    limit = (terms + 1) * eps * reference.conv_forward(*absolute[:3], *case.plain)
    error = np.abs(ops.conv_forward(x, kernel, bias, **case.settings) - reference.conv_forward(*wide[:3], *case.plain))
    assert np.all(error <= limit)
    magnitudes = reference.conv_backward(absolute[3], *absolute[:2], *case.plain)
    counts = (kernel[..., 0, :].size, dy[..., 0].size, dy[..., 0].size)
    results = zip(
        ops.conv_backward(dy, x, kernel, **case.settings),
        reference.conv_backward(wide[3], *wide[:2], *case.plain),
        magnitudes,
        counts,
        strict=True,
    )
    for got, expected, magnitude, count in results:
        assert np.all(np.abs(got - expected) <= (count + 1) * eps * magnitude)


@pytest.mark.parametrize("case", [c for c in CASES if np.prod(c.sample) < 200], ids=str)
def test_conv_backward_is_the_derivative(case, random):
    x, kernel, bias, dy = case.arrays(np.float64, lambda size: random.normal(size=size))
    gradients = ops.conv_backward(dy, x, kernel, **case.settings)
    functions = (
        (lambda x: ops.conv_forward(x, kernel, bias, **case.settings), x),
        (lambda w: ops.conv_forward(x, w, bias, **case.settings), kernel),
        (lambda b: ops.conv_forward(x, kernel, b, **case.settings), bias),
    )
    for (forward, at), gradient in zip(functions, gradients, strict=True):
        numeric = central_difference(lambda value, f=forward: np.sum(dy * f(value)), at)
        assert close_gradient(numeric, gradient).all()


@every_case
@every_dtype
def test_conv_threads(case, dtype, random):
    x, kernel, bias, dy = case.arrays(dtype, lambda size: random.normal(size=size))
    seen = set()
    for threads in THREADS:
        pynn.config.set_num_threads(threads)
        results = [
            ops.conv_forward(x, kernel, bias, **case.settings),
            *ops.conv_backward(dy, x, kernel, **case.settings),
        ]
        seen.add(b"".join(array.tobytes() for array in results))
    assert len(seen) == 1


@every_case
def test_conv_image_by_image(case, random):
    x, kernel, bias, _ = case.arrays(np.float32, lambda size: random.normal(size=size))
    each = [ops.conv_forward(image[None], kernel, bias, **case.settings) for image in x]
    np.testing.assert_array_equal(ops.conv_forward(x, kernel, bias, **case.settings), np.concatenate(each))

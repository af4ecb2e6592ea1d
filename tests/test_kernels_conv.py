"""Convolutions as kernels: against loops, against differences, threads, what is refused."""

import itertools
from dataclasses import dataclass

import numpy as np
import pytest
import reference_windows as reference
from helpers import THREADS, close_gradient, looped
from reference import central_difference
from tiers import slow

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
    # few filters
    *(Case(2, (7, width, 12), (3, 3), f, padding="same") for f in (1, 2, 3, 4) for width in (2, 7, 17)),
    *(Case(2, (5, 19, c), (2, 3), 1) for c in (1, 5, 7, 16, 33)),
    Case(3, (6, 33, 40), (1, 1), 4),
    Case(2, (9, 20, 20), (3, 3), 2, strides=(2, 1), dilation=(1, 2)),
    Case(2, (40, 17), (5,), 3, strides=(2,), dilation=(1,), padding="causal"),
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
    # a filter for each channel
    Case(9, (12, 12, 33), (3, 3), 33, groups=33),
    Case(2, (5, 20, 17), (3, 3), 17, groups=17, padding="same"),
    Case(2, (6, 23, 5), (5, 4), 5, groups=5, padding="same"),
    Case(3, (7, 19, 4), (3, 3), 4, groups=4, strides=(2, 2), padding="same"),
    Case(2, (7, 9, 3), (2, 2), 3, groups=3, strides=(3, 4), padding="same"),
    Case(2, (9, 12, 3), (3, 3), 3, groups=3, dilation=(2, 3), padding="same"),
    Case(2, (9, 40, 2), (2, 3), 2, groups=2, strides=(2, 3), dilation=(3, 2), padding="same"),
    Case(1, (3, 2, 2), (5, 5), 2, groups=2, padding="same"),
    Case(2, (21, 3), (3,), 3, strides=(1,), dilation=(2,), groups=3, padding="causal"),
    *(Case(2, (3, width, 9), (3, 5), 9, groups=9, padding="same") for width in (1, 2, 7, 15, 16, 17, 33)),
    *(Case(2, (4, 18, 5), (size, size), 5, groups=5, padding="same") for size in (1, 2, 4, 6, 7, 11)),
    Case(4, (7, 33, 17), (5, 7), 17, groups=17, strides=(2, 2), padding="same"),
    Case(2, (4, 33, 17), (3, 3), 17, groups=17, dilation=(1, 2), padding="same"),
    Case(2, (3, 73, 2), (2, 5), 2, groups=2, strides=(1, 2), dilation=(1, 3)),
    Case(3, (2, 150, 3), (2, 3), 3, groups=3, padding="same"),
    # few channels and filters in a group
    Case(2, (4, 33, 6), (3, 5), 12, groups=6, padding="same"),
    Case(5, (5, 12, 6), (3, 3), 12, groups=6, padding="same"),
    Case(2, (6, 11, 8), (3, 2), 8, groups=4, strides=(2, 1), padding="same"),
    Case(2, (6, 13, 9), (2, 3), 3, groups=3, dilation=(2, 2), padding="same"),
    Case(2, (5, 9, 8), (3, 3), 8, groups=2, strides=(1, 2), padding="same"),
    Case(2, (3, 14, 6), (2, 7), 6, groups=3, padding="same"),
    Case(2, (3, 20, 4), (1, 3), 4, groups=4, dilation=(1, 7), padding="same"),
    Case(2, (3, 30, 2), (2, 25), 4, groups=2, padding="same"),
    Case(2, (9, 40, 4), (2, 3), 10, groups=2, strides=(2, 3), dilation=(3, 2)),
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
LARGEST = CASES[-2]  # takes as long as twenty others; where it shows nothing of its own it is for the slow tier
every_case = pytest.mark.parametrize("case", CASES, ids=str)
every_dtype = looped("dtype", [np.float32, np.float64])


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


@pytest.mark.parametrize("case", [*(c for c in CASES if c != LARGEST), *slow(LARGEST)], ids=str)
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


@pytest.mark.parametrize("case", [case for case in CASES if case.groups == case.sample[-1] > 1], ids=str)
@every_dtype
def test_depthwise_backward_image_by_image(case, dtype, random):
    """A batch of 4 is worked on in another way than one of fewer images."""
    x, kernel, _, dy = case.arrays(dtype, lambda size: random.normal(size=size))
    x, dy = (np.concatenate([array] * 4) for array in (x, dy))
    each = [ops.conv_backward(dy[i : i + 1], x[i : i + 1], kernel, **case.settings)[0] for i in range(len(x))]
    np.testing.assert_array_equal(ops.conv_backward(dy, x, kernel, **case.settings)[0], np.concatenate(each))


# ---- what a convolution is -------------------------------------------------------------------------------------------
@every_case
@every_dtype
def test_conv_is_linear(case, dtype, random):
    """conv(a x + b z) is a conv(x) + b conv(z), to the rounding of both sides."""
    x, kernel, _, _ = case.arrays(dtype, lambda size: random.normal(size=size))
    z = random.normal(size=x.shape).astype(dtype)
    a, b = dtype(1.7), dtype(-0.6)
    together = ops.conv_forward(a * x + b * z, kernel, **case.settings)
    apart = [ops.conv_forward(part, kernel, **case.settings) for part in (x, z)]
    sizes = [reference.conv_forward(np.abs(part), np.abs(kernel), None, *case.plain) for part in (x, z)]
    limit = 2 * (kernel[..., 0].size + 3) * np.finfo(dtype).eps * (abs(a) * sizes[0] + abs(b) * sizes[1])
    assert np.all(np.abs(together - (a * apart[0] + b * apart[1])) <= limit)


@pytest.mark.parametrize("case", [c for c in CASES if c.padding == "valid" and set(c.strides) == {1}], ids=str)
@every_dtype
def test_conv_of_a_shifted_image_is_shifted(case, dtype, random):
    x, kernel, bias, _ = case.arrays(dtype, lambda size: random.normal(size=size))
    y = ops.conv_forward(x, kernel, bias, **case.settings)
    for axis in range(1, y.ndim - 1):
        for by in range(1, min(y.shape[axis], 4)):
            shifted, expected = (np.ascontiguousarray(np.delete(array, range(by), axis)) for array in (x, y))
            np.testing.assert_array_equal(ops.conv_forward(shifted, kernel, bias, **case.settings), expected)


@every_case
def test_conv_backward_is_the_adjoint(case, random):
    """<conv(x), g> is <x, dx>, and as a convolution is linear in its kernel too, <kernel, dkernel>."""
    x, kernel, _, g = case.arrays(np.float64, lambda size: random.normal(size=size))
    expected = np.sum(ops.conv_forward(x, kernel, **case.settings) * g)
    limit = 1e-12 * np.sum(ops.conv_forward(np.abs(x), np.abs(kernel), **case.settings) * np.abs(g))
    dx, dkernel, _ = ops.conv_backward(g, x, kernel, **case.settings)
    assert abs(np.sum(x * dx) - expected) <= limit
    assert abs(np.sum(kernel * dkernel) - expected) <= limit


# ---- where it reads and writes ---------------------------------------------------------------------------------------
@every_case
@every_dtype
def test_conv_writes_where_told(case, dtype, random):
    x, kernel, bias, dy = case.arrays(dtype, lambda size: random.normal(size=size))
    out = np.full_like(dy, np.nan)
    assert ops.conv_forward(x, kernel, bias, **case.settings, out=out) is out
    np.testing.assert_array_equal(out, ops.conv_forward(x, kernel, bias, **case.settings))
    wanted = ops.conv_backward(dy, x, kernel, **case.settings)
    outs = [np.full_like(array, np.nan) for array in wanted]
    told = dict(zip(("dx", "dkernel", "dbias"), outs, strict=True))
    results = ops.conv_backward(dy, x, kernel, **case.settings, **told)
    for result, out, expected in zip(results, outs, wanted, strict=True):
        assert result is out
        np.testing.assert_array_equal(out, expected)


def at_offset(array, offset):
    """A copy that begins so many bytes behind a cache line's beginning."""
    memory = np.empty(array.nbytes + 128, np.uint8)
    start = -memory.ctypes.data % 64 + offset
    copy = memory[start : start + array.nbytes].view(array.dtype).reshape(array.shape)
    copy[...] = array
    return copy


@every_case
@every_dtype
def test_conv_of_arrays_that_begin_anywhere(case, dtype, random):
    """A kernel that does not begin with a cache line may be copied first."""
    arrays = case.arrays(dtype, lambda size: random.normal(size=size))
    wanted = None
    for offset in range(0, 64, np.dtype(dtype).itemsize * 3):
        x, kernel, bias, dy = (at_offset(array, offset) for array in arrays)
        results = [
            ops.conv_forward(x, kernel, bias, **case.settings),
            *ops.conv_backward(dy, x, kernel, **case.settings),
        ]
        wanted = results if wanted is None else wanted
        for result, expected in zip(results, wanted, strict=True):
            np.testing.assert_array_equal(result, expected)


@every_case
def test_conv_backward_leaves_out_what_nobody_needs(case, random):
    x, kernel, _, dy = case.arrays(np.float32, lambda size: random.normal(size=size))
    wanted = ops.conv_backward(dy, x, kernel, **case.settings)
    for needed in itertools.product((False, True), repeat=3):
        flags = dict(zip(("need_dx", "need_dkernel", "need_dbias"), needed, strict=True))
        results = ops.conv_backward(dy, x, kernel, **case.settings, **flags)
        for need, got, expected in zip(needed, results, wanted, strict=True):
            if need:
                np.testing.assert_array_equal(got, expected)
            else:
                assert got is None


@every_case
def test_conv_without_images(case):
    x, kernel = np.ones((0, *case.sample)), np.ones((*case.size, case.sample[-1] // case.groups, case.filters))
    y = ops.conv_forward(x, kernel, np.ones(case.filters), **case.settings)
    one = ops.conv_forward(np.ones((1, *case.sample)), kernel, **case.settings)
    assert y.shape == (0, *one.shape[1:])
    dx, none, nothing = ops.conv_backward(y, x, kernel, **case.settings, need_dkernel=False, need_dbias=False)
    assert dx.shape == x.shape
    assert none is nothing is None


def test_conv_parameters_without_images():
    for case in CASES:
        x, kernel = np.ones((0, *case.sample)), np.ones((*case.size, case.sample[-1] // case.groups, case.filters))
        y = ops.conv_forward(x, kernel, **case.settings)
        _, dkernel, dbias = ops.conv_backward(y, x, kernel, **case.settings)
        np.testing.assert_array_equal(dkernel, np.zeros(kernel.shape))
        np.testing.assert_array_equal(dbias, np.zeros(case.filters))


# ---- NaN and infinity ------------------------------------------------------------------------------------------------
def assert_same_specials(got, expected):
    """NaN, infinity and the sign of infinity are in the same places."""
    for kind in (np.isnan, np.isposinf, np.isneginf):
        np.testing.assert_array_equal(kind(got), kind(expected))


@looped("special", [np.nan, np.inf])
@pytest.mark.parametrize(
    ("where", "case"),
    [
        pytest.param(where, c, marks=[pytest.mark.slow] * (c == LARGEST))
        for where in ("x", "kernel", "dy")
        for c in CASES
        if where == "x" or c.padding == "valid"
    ],
    ids=str,
)
@every_dtype
def test_conv_passes_specials_on(case, dtype, where, special, random):
    """Half of the others are 0, and 0 times infinity is NaN: nothing that is 0 is passed over. (What meets the zeros of
    a padding is the next test's.)
    """
    x, kernel, bias, dy = case.arrays(dtype, lambda size: random.integers(0, 2, size))
    array = {"x": x, "kernel": kernel, "dy": dy}[where]
    array.reshape(-1)[random.integers(array.size)] = special
    with np.errstate(invalid="ignore"):
        y = reference.conv_forward(x, kernel, bias, *case.plain)
        gradients = reference.conv_backward(dy, x, kernel, *case.plain)
    assert_same_specials(ops.conv_forward(x, kernel, bias, **case.settings), y)
    for got, expected in zip(ops.conv_backward(dy, x, kernel, **case.settings), gradients, strict=True):
        assert_same_specials(got, expected)


@pytest.mark.parametrize("width", [2, 7, 8, 17])
def test_depthwise_weights_meet_no_padding(width):
    kernel = np.ones((3, 3, 1, 5), np.float32)
    kernel[:, 0] = np.inf
    y = ops.conv_forward(np.ones((1, 4, width, 5), np.float32), kernel, padding="same", groups=5)
    assert np.isfinite(y[:, :, 0]).all()
    assert np.isposinf(y[:, :, 1:]).all()
    dx = ops.conv_backward(np.ones_like(y), np.ones_like(y), kernel, padding="same", groups=5)[0]
    assert np.isfinite(dx[:, :, -1]).all()
    assert np.isposinf(dx[:, :, :-1]).all()


# ---- what is refused -------------------------------------------------------------------------------------------------
X, KERNEL, BIAS, DY = np.ones((2, 6, 5, 4)), np.ones((3, 2, 4, 4)), np.ones(4), np.ones((2, 4, 4, 4))
SQUARE = np.ones((1, 1, 4, 4))  # a kernel whose result is as large as x
MEMORY = np.ones(KERNEL.size + 3)  # of a kernel and, with one element too few, of a bias before it


@pytest.mark.parametrize(
    ("more", "error", "message"),
    [
        ({"x": X[..., :3].copy()}, ValueError, r"channels of x"),
        ({"x": X[0]}, ValueError, r"^x must have the axes \(n, height, width, channels\)"),
        ({"x": X[:, :0].copy()}, ValueError, r"^x and kernel must not be empty"),
        ({"x": X.astype(np.float32)}, TypeError, r"x is float32"),
        ({"x": X.astype(np.int64)}, TypeError, r"^x must be float32 or float64"),
        ({"x": X.astype(np.float16)}, TypeError, r"^x must be float32 or float64"),
        ({"x": X.tolist()}, TypeError, r"\bx\b"),
        ({"x": np.ones((2, 6, 10, 4))[:, :, ::2]}, ValueError, r"^x must be C-contiguous"),
        ({"x": np.ones((2, 4, 6, 5)).transpose(0, 2, 3, 1)}, ValueError, r"^x must be C-contiguous"),
        ({"x": X[:, :2].copy()}, ValueError, r"smaller than the kernel, which spans \(3, 2\)"),
        ({"dilation_rate": 3}, ValueError, r"smaller than the kernel, which spans \(7, 4\)"),
        ({"kernel": KERNEL[0, 0]}, ValueError, r"^kernel must have"),
        ({"kernel": KERNEL[None]}, ValueError, r"^kernel must have"),
        ({"kernel": KERNEL[0]}, ValueError, r"^x must have the axes \(n, length, channels\)"),
        ({"kernel": KERNEL[..., :0].copy(), "bias": None}, ValueError, r"^x and kernel must not be empty"),
        ({"kernel": KERNEL[:, :, :3].copy()}, ValueError, r"the kernel has 3 channels"),
        ({"kernel": KERNEL.astype(np.float32)}, TypeError, r"kernel is float32"),
        ({"kernel": np.ones((4, 4, 2, 3)).T}, ValueError, r"^kernel must be C-contiguous"),
        ({"bias": np.ones(5)}, ValueError, r"^bias must have the shape \(4,\)"),
        ({"bias": BIAS[None]}, ValueError, r"^bias must have the shape \(4,\)"),
        ({"bias": BIAS.astype(np.float32)}, TypeError, r"bias is float32"),
        ({"groups": 3}, ValueError, r"^groups=3 must divide the 4 channels and the 4 filters"),
        ({"groups": 2}, ValueError, r"the kernel has 4 channels, which must be 4 / groups=2"),
        ({"groups": 0}, ValueError, r"^groups"),
        ({"groups": 1.5}, ValueError, r"^groups"),
        ({"strides": 0}, ValueError, r"^strides"),
        ({"strides": (1, -1)}, ValueError, r"^strides"),
        ({"strides": (1, 1, 1)}, ValueError, r"^strides"),
        ({"strides": "2"}, TypeError, r"^strides"),
        ({"dilation_rate": (1, 0)}, ValueError, r"^dilation_rate"),
        ({"dilation_rate": 0.5}, ValueError, r"^dilation_rate"),
        ({"padding": "full"}, ValueError, r"^padding"),
        ({"padding": "causal"}, ValueError, r"^padding"),
        ({"padding": 1}, ValueError, r"^padding"),
        ({"out": np.ones((2, 4, 4, 5))}, ValueError, r"^out must have the shape"),
        ({"out": DY.astype(np.float32)}, TypeError, r"^out must be float64"),
        ({"out": np.ones((2, 4, 4, 8))[..., ::2]}, ValueError, r"^out must be C-contiguous"),
        ({"out": np.broadcast_to(np.ones(()), DY.shape)}, ValueError, r"^out"),
        ({"kernel": SQUARE, "out": X}, ValueError, r"^out overlaps"),
        ({"x": np.ones((1, 1, 1, 4)), "kernel": SQUARE, "out": BIAS[None, None, None]}, ValueError, r"^out overlaps"),
        ({"x": SQUARE, "kernel": SQUARE.copy(), "out": SQUARE}, ValueError, r"^out overlaps"),
    ],
)
def test_conv_forward_bad_argument_names_it(more, error, message):
    arguments = {"x": X, "kernel": KERNEL, "bias": BIAS, **more}
    with pytest.raises(error, match=message):
        ops.conv_forward(**arguments)


@pytest.mark.parametrize(
    ("more", "error", "message"),
    [
        ({"dy": np.ones((2, 4, 4, 3))}, ValueError, r"^dy must have the shape \(2, 4, 4, 4\)"),
        ({"dy": np.ones((1, 4, 4, 4))}, ValueError, r"^dy must have the shape \(2, 4, 4, 4\)"),
        ({"dy": np.ones((2, 6, 5, 4))}, ValueError, r"^dy must have the shape \(2, 4, 4, 4\)"),
        ({"dy": DY, "padding": "same"}, ValueError, r"^dy must have the shape \(2, 6, 5, 4\)"),
        ({"dy": DY.reshape(2, 16, 4)}, ValueError, r"^dy must have the shape"),
        ({"dy": DY.astype(np.float32)}, TypeError, r"dy is float32"),
        ({"dy": np.ones((4, 4, 4, 2)).T}, ValueError, r"^dy must be C-contiguous"),
        ({"x": X[:, :2].copy()}, ValueError, r"smaller than the kernel"),
        ({"groups": 3}, ValueError, r"^groups=3 must divide"),
        ({"dx": np.ones((2, 5, 6, 4))}, ValueError, r"^dx must have the shape"),
        ({"dx": X.astype(np.float32)}, TypeError, r"^dx must be float64"),
        ({"dkernel": np.ones((2, 3, 4, 4))}, ValueError, r"^dkernel must have the shape"),
        ({"dbias": np.ones(5)}, ValueError, r"^dbias must have the shape"),
        ({"dx": X}, ValueError, r"^dx overlaps"),
        ({"dkernel": KERNEL}, ValueError, r"^dkernel overlaps"),
        ({"dbias": DY[0, 0, 0]}, ValueError, r"^dbias overlaps"),
        ({"dkernel": MEMORY[3:].reshape(KERNEL.shape), "dbias": MEMORY[:4]}, ValueError, r"^dbias overlaps"),
    ],
)
def test_conv_backward_bad_argument_names_it(more, error, message):
    with pytest.raises(error, match=message):
        ops.conv_backward(**{"dy": DY, "x": X, "kernel": KERNEL, **more})

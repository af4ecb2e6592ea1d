"""Matrix products: every shape that takes another path, all transposes, rounding, threads, what is refused."""

import numpy as np
import pytest
from helpers import SIZES, THREADS, looped
from reference import gemm, gemm_magnitude

import pynn
from pynn import ops

SHAPES = [
    *((s, s, s) for s in SIZES),
    *((s, 33, 17) for s in SIZES),
    *((17, s, 33) for s in SIZES),
    *((33, 17, s) for s in SIZES),
    *((5, k, 9) for k in (255, 256, 257, 511, 512, 513, 1000)),
    *((m, 20, 66) for m in (3, 4, 5, 31, 32)),
    *((6, 20, n) for n in (47, 48, 49, 63, 65, 127, 128)),
    (32, 784, 128),
    (784, 32, 128),
    (1, 784, 128),
    (128, 1, 784),
    pytest.param((300, 700, 500), marks=pytest.mark.slow),
]
DTYPES = (np.float32, np.float64)
every_transpose = looped("transposed", [(False, False), (True, False), (False, True), (True, True)])
every_dtype = looped("dtype", DTYPES)


def operands(shape, transposed, draw, dtype):
    """A and B for a product of the shape (m, k, n), stored transposed where asked for."""
    m, k, n = shape
    a = draw((k, m) if transposed[0] else (m, k))
    b = draw((n, k) if transposed[1] else (k, n))
    return a.astype(dtype), b.astype(dtype)


def product(a, b, transposed, **more):
    return ops.gemm(a, b, transpose_a=transposed[0], transpose_b=transposed[1], **more)


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: "x".join(map(str, shape)))
@every_transpose
@every_dtype
def test_gemm_of_whole_numbers_is_exact(shape, transposed, dtype, random):
    a, b = operands(shape, transposed, lambda size: random.integers(-8, 9, size), dtype)
    expected = gemm(a.astype(np.int64), b.astype(np.int64), *transposed)
    out = np.full(expected.shape, np.nan, dtype)
    assert product(a, b, transposed, out=out) is out
    np.testing.assert_array_equal(out, expected)
    product(a, b, transposed, out=out, accumulate=True)
    np.testing.assert_array_equal(out, 2 * expected)


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: "x".join(map(str, shape)))
@every_transpose
@every_dtype
def test_gemm_rounding(shape, transposed, dtype, random):
    a, b = operands(shape, transposed, lambda size: random.normal(size=size), dtype)
    wide = a.astype(np.float64), b.astype(np.float64)
    limit = shape[1] * np.finfo(dtype).eps * gemm_magnitude(*wide, *transposed)
    assert np.all(np.abs(product(a, b, transposed) - gemm(*wide, *transposed)) <= limit)


@pytest.mark.parametrize("shape", [(1, 1, 1), (7, 33, 100), (17, 257, 66), (32, 784, 128), (300, 700, 500)], ids=str)
@every_transpose
@every_dtype
@pytest.mark.parametrize("accumulate", [False, True])
def test_gemm_threads(shape, transposed, dtype, accumulate, random):
    a, b = operands(shape, transposed, lambda size: random.normal(size=size), dtype)
    start = random.normal(size=(shape[0], shape[2])).astype(dtype)
    seen = set()
    for threads in THREADS:
        pynn.config.set_num_threads(threads)
        seen.add(product(a, b, transposed, out=start.copy(), accumulate=accumulate).tobytes())
    assert len(seen) == 1


@pytest.mark.parametrize("shape", [(7, 33, 100), (40, 784, 128), (300, 700, 500)], ids=str)
@every_transpose
@every_dtype
def test_gemm_passes_nan_and_infinity_on(shape, transposed, dtype, random):
    a, b = operands(shape, transposed, lambda size: random.uniform(1, 2, size), dtype)
    a[(3, 5) if not transposed[0] else (5, 3)] = np.nan
    b[(4, 6) if not transposed[1] else (6, 4)] = np.inf
    c = product(a, b, transposed)
    nan, inf = np.zeros_like(c, bool), np.zeros_like(c, bool)
    nan[3], inf[:, 6] = True, True
    np.testing.assert_array_equal(np.isnan(c), nan)
    np.testing.assert_array_equal(np.isposinf(c), inf & ~nan)


@every_dtype
def test_gemm_zero_times_infinity_is_nan(dtype):
    a, b = np.zeros((20, 30), dtype), np.full((30, 40), np.inf, dtype)
    assert np.isnan(ops.gemm(a, b)).all()


@pytest.mark.parametrize("shape", [(0, 3, 4), (3, 0, 4), (3, 4, 0)], ids=str)
def test_gemm_of_nothing(shape):
    m, k, n = shape
    np.testing.assert_array_equal(ops.gemm(np.ones((m, k)), np.ones((k, n))), np.zeros((m, n)))
    start = np.full((m, n), 5.0)
    np.testing.assert_array_equal(ops.gemm(np.ones((m, k)), np.ones((k, n)), out=start, accumulate=True), start)


A, B, C = np.ones((4, 5)), np.ones((5, 6)), np.ones((4, 6))
READ_ONLY = np.ones((4, 6))
READ_ONLY.flags.writeable = False


@pytest.mark.parametrize(
    ("a", "b", "more", "message"),
    [
        (A.tolist(), B, {}, r"\ba\b"),
        (A, B.astype(np.float32), {}, r"\bb\b|type"),
        (A.astype(int), B, {}, r"\ba\b"),
        (A.astype(np.float16), B, {}, r"\ba\b"),
        (A.astype(">f8"), B, {}, r"\ba\b"),
        (np.asfortranarray(A), B, {}, r"\ba\b.*contiguous"),
        (np.ones((8, 5))[::2], B, {}, r"\ba\b.*contiguous"),
        (A, np.ones((5, 12))[:, ::2], {}, r"\bb\b.*contiguous"),
        (np.ma.masked_array(A), B, {}, r"\ba\b"),
        (A[0], B, {}, r"\ba\b"),
        (A, B[None], {}, r"\bb\b"),
        (A, B.T.copy(), {}, "5.*6"),
        (A, B, {"transpose_a": True}, "4.*5"),
        (A, B, {"accumulate": True}, "out"),
        (A, B, {"out": np.ones((6, 4))}, "out"),
        (A, B, {"out": np.ones((4, 6), np.float32)}, "out"),
        (A, B, {"out": np.asfortranarray(C)}, "out"),
        (A, B, {"out": READ_ONLY}, "out.*read-only"),
        (A, B, {"out": C.tolist()}, "out"),
    ],
)
def test_gemm_bad_argument_names_it(a, b, more, message):
    with pytest.raises((ValueError, TypeError), match=message):
        ops.gemm(a, b, **more)


def test_gemm_out_must_not_overlap():
    memory = np.ones(100)
    a, b = memory[:25].reshape(5, 5), memory[50:75].reshape(5, 5)
    for start in (0, 24, 26, 74):
        with pytest.raises(ValueError, match=r"out.*overlap"):
            ops.gemm(a, b, out=memory[start : start + 25].reshape(5, 5))
    ops.gemm(a, b, out=memory[25:50].reshape(5, 5))
    np.testing.assert_array_equal(memory, np.r_[np.ones(25), np.full(25, 5.0), np.ones(50)])

"""Loss kernels against the reference: values, gradients, large logits, threads, what is refused."""

import numpy as np
import pytest
from helpers import SIZES, THREADS, close_gradient, looped
from loss_cases import LOSS_CASES, LossCase, as_loss, make_case
from reference import central_difference
from reference_losses import EPSILON, loss_rows

import pynn
from pynn import losses, ops

every_case = pytest.mark.parametrize("case", LOSS_CASES, ids=str)
every_dtype = looped("dtype", [np.float32, np.float64])


def cast(y_true, y_pred, dtype):
    """Targets and predictions in a float type; labels stay int32."""
    return y_true if y_true.dtype == np.int32 else y_true.astype(dtype), y_pred.astype(dtype)


def wide(array):
    return array if array.dtype == np.int32 else array.astype(np.float64)


@every_case
@every_dtype
@looped("columns", SIZES)
def test_loss_value_and_gradient(case, dtype, columns):
    y_true, y_pred = cast(*make_case(case, rows=9, columns=columns), dtype)
    values, gradients = loss_rows(case.name, wide(y_true), wide(y_pred), *case.settings)
    loss = as_loss(case)
    got = ops.loss_forward(y_true, y_pred, loss)
    assert got.dtype == np.float64
    assert got.shape == (9,)
    # Terms that cancel, such as those of a single column, leave their rounding; they are of the size 1 to 20
    rtol = 1e-12 if dtype == np.float64 else 1e-5
    atol = 64 * np.finfo(dtype).eps
    np.testing.assert_allclose(got, values, rtol=rtol, atol=atol)
    gradient = ops.loss_backward(y_true, y_pred, loss, scale=1.0)
    assert gradient.dtype == dtype
    np.testing.assert_allclose(gradient, gradients, rtol=rtol, atol=atol)


@pytest.mark.parametrize("from_logits", [False, True])
@every_dtype
@looped("columns", SIZES)
def test_focal_loss_with_alpha_by_class(from_logits, dtype, columns, random):
    name = "categorical_focal_crossentropy" + "_from_logits" * from_logits
    alphas = random.uniform(0.1, 2, columns)
    alphas[columns // 2] = 0
    loss = losses.CategoricalFocalCrossentropy(alphas, 1.5, from_logits, 0.1)
    y_true, y_pred = cast(
        *make_case(LossCase(name, "fractions", "real" if from_logits else "fractions"), 9, columns), dtype
    )
    values, gradients = loss_rows(name, wide(y_true), wide(y_pred), 0.1, 1.5, alphas)
    rtol, atol = (1e-12, 1e-14) if dtype == np.float64 else (1e-5, 64 * np.finfo(dtype).eps)
    np.testing.assert_allclose(ops.loss_forward(y_true, y_pred, loss), values, rtol=rtol, atol=atol)
    got = ops.loss_backward(y_true, y_pred, loss, scale=1.0)
    np.testing.assert_allclose(got, gradients, rtol=rtol, atol=64 * np.finfo(dtype).eps)


@every_case
def test_loss_gradient_is_the_derivative(case):
    y_true, y_pred = make_case(case, rows=3, columns=5)
    loss = as_loss(case)
    numeric = central_difference(lambda p: ops.loss_forward(y_true, p, loss).mean(), y_pred)
    assert close_gradient(numeric, ops.loss_backward(y_true, y_pred, loss)).all()


@every_case
@looped("scale", [0.0, 1.0, -2.5, 1 / 3])
def test_loss_scale(case, scale):
    y_true, y_pred = make_case(case, rows=4, columns=6)
    unit = ops.loss_backward(y_true, y_pred, as_loss(case), scale=1.0)
    scaled = ops.loss_backward(y_true, y_pred, as_loss(case), scale=scale)
    np.testing.assert_allclose(scaled, scale * unit, rtol=1e-14, atol=1e-15)


@every_case
@every_dtype
def test_loss_threads(case, dtype):
    y_true, y_pred = cast(*make_case(case, rows=101, columns=33), dtype)
    seen = set()
    for threads in THREADS:
        pynn.config.set_num_threads(threads)
        values, gradient = (f(y_true, y_pred, as_loss(case)) for f in (ops.loss_forward, ops.loss_backward))
        seen.add(values.tobytes() + gradient.tobytes())
    assert len(seen) == 1


@every_case
def test_loss_row_does_not_depend_on_the_others(case):
    y_true, y_pred = make_case(case, rows=7, columns=5)
    whole = ops.loss_forward(y_true, y_pred, as_loss(case))
    for i in range(7):
        alone = ops.loss_forward(y_true[i : i + 1].copy(), y_pred[i : i + 1].copy(), as_loss(case))
        assert alone[0] == whole[i]


@every_case
@every_dtype
def test_loss_nan_stays_in_its_row(case, dtype):
    y_true, y_pred = cast(*make_case(case, rows=6, columns=17), dtype)
    y_pred[2] = np.nan
    values = ops.loss_forward(y_true, y_pred, as_loss(case))
    np.testing.assert_array_equal(np.isnan(values), np.arange(6) == 2)


@every_case
def test_loss_of_more_axes(case):
    y_true, y_pred = make_case(case, rows=6, columns=5)
    values = ops.loss_forward(y_true.reshape(2, 3, *y_true.shape[1:]), y_pred.reshape(2, 3, 5), as_loss(case))
    np.testing.assert_array_equal(values.ravel(), ops.loss_forward(y_true, y_pred, as_loss(case)))
    assert values.shape == (2, 3)


@every_case
def test_loss_writes_where_told(case):
    y_true, y_pred = make_case(case, rows=6, columns=5)
    values, gradient = np.full(6, np.nan), np.full((6, 5), np.nan)
    assert ops.loss_forward(y_true, y_pred, as_loss(case), out=values) is values
    assert ops.loss_backward(y_true, y_pred, as_loss(case), out=gradient) is gradient
    np.testing.assert_array_equal(values, ops.loss_forward(y_true, y_pred, as_loss(case)))
    np.testing.assert_array_equal(gradient, ops.loss_backward(y_true, y_pred, as_loss(case)))


# ---- the ends of the range -------------------------------------------------------------------------------------------
LOGIT_CASES = [case for case in LOSS_CASES if case.name.endswith("from_logits")]


@pytest.mark.parametrize("case", LOGIT_CASES, ids=str)
@every_dtype
@looped("size", [30.0, 100.0, 1000.0, 30000.0])
def test_loss_from_large_logits(case, dtype, size):
    y_true, y_pred = make_case(case, rows=8, columns=5)
    y_true, y_pred = cast(y_true, size * np.sign(y_pred), dtype)
    values, gradients = loss_rows(case.name, wide(y_true), wide(y_pred), *case.settings)
    rtol = 32 * np.finfo(dtype).eps
    np.testing.assert_allclose(ops.loss_forward(y_true, y_pred, as_loss(case)), values, rtol=rtol, atol=1e-30)
    gradient = ops.loss_backward(y_true, y_pred, as_loss(case), scale=1.0)
    np.testing.assert_allclose(gradient, gradients, rtol=rtol, atol=rtol)


@pytest.mark.parametrize(
    ("name", "y", "p"),
    [
        ("binary_crossentropy", [[1.0, 0.0, 1.0, 0.0]], [[0.0, 1.0, 1.0, 0.0]]),
        ("categorical_crossentropy", [[1.0, 0.0, 0.0, 0.0]], [[0.0, 0.0, 1.0, 0.0]]),
        ("kl_divergence", [[0.0, 1.0, 0.0, 0.5]], [[0.0, 0.0, 1.0, 2.0]]),
        ("poisson", [[0.0, 1.0, 2.0, 0.0]], [[0.0, 0.0, 1.0, 2.0]]),
        ("mean_squared_logarithmic_error", [[0.0, -1.0, 2.0, 0.0]], [[-2.0, 3.0, -0.5, 0.0]]),
        ("mean_absolute_percentage_error", [[0.0, -1.0, 2.0, 1e-9]], [[1.0, 3.0, -0.5, 0.0]]),
        ("cosine_similarity", [[0.0, 0.0, 0.0, 0.0]], [[1.0, 3.0, -0.5, 0.0]]),
        ("cosine_similarity", [[1.0, 2.0, 0.0, 0.0]], [[0.0, 0.0, 0.0, 0.0]]),
    ],
)
def test_loss_where_it_is_clipped(name, y, p):
    """Probabilities of 0 and 1 and the like stay finite, by Keras's epsilon; the clipped ends have no slope."""
    y, p = np.array(y), np.array(p)
    case = next(case for case in LOSS_CASES if case.name == name)
    values, gradients = loss_rows(name, y, p, *case.settings)
    np.testing.assert_allclose(ops.loss_forward(y, p, as_loss(case)), values, rtol=1e-9)
    gradient = ops.loss_backward(y, p, as_loss(case), scale=1.0)
    assert np.isfinite(gradient).all()
    np.testing.assert_allclose(gradient, gradients, rtol=1e-9, atol=1e-9)


def test_loss_epsilon_is_fixed():
    y, p = np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]])
    pynn.config.set_epsilon(1e-3)
    assert ops.loss_forward(y, p, "binary_crossentropy")[0] == pytest.approx(-np.log(EPSILON), rel=1e-8)


def test_loss_kinks():
    """|.| has slope 0 at 0, hinge none at the margin, the perceptron's rule acts at 0."""
    zeros, ones = np.zeros((1, 3)), np.ones((1, 3))
    for name, y, p, slope in (
        ("mean_absolute_error", ones, ones, 0),
        ("mean_absolute_percentage_error", ones, ones, 0),
        ("hinge", ones, ones, 0),
        ("squared_hinge", ones, ones, 0),
        ("perceptron", ones, zeros, -1 / 3),
        ("perceptron", -ones, zeros, 1 / 3),
        ("perceptron", ones, ones, 0),
    ):
        np.testing.assert_allclose(ops.loss_backward(y, p, name, scale=1.0), np.full((1, 3), slope), rtol=1e-15)


@pytest.mark.parametrize("e", [0.0, 1e-8, 1e-4, 0.1, 5.0, 50.0, 1000.0, -1000.0, -0.1])
def test_loss_log_cosh_range(e):
    mpmath = pytest.importorskip("mpmath")
    with mpmath.workdps(60):
        expected = float(mpmath.log(mpmath.cosh(mpmath.mpf(e))))
    value = ops.loss_forward(np.zeros((1, 1)), np.full((1, 1), e), "log_cosh")[0]
    assert value == pytest.approx(expected, rel=1e-14, abs=2.5e-16)


# ---- what is refused -------------------------------------------------------------------------------------------------
Y, P, LABELS = np.ones((4, 3)), np.full((4, 3), 0.3), np.zeros(4, np.int32)


@pytest.mark.parametrize(
    ("y_true", "y_pred", "loss", "message"),
    [
        (Y[:, :2].copy(), P, "mse", "y_true"),
        (Y[:3], P, "mse", "y_true"),
        (Y.astype(np.float32), P, "mse", "type"),
        (Y.tolist(), P, "mse", "y_true"),
        (Y, P.tolist(), "mse", "y_pred"),
        (Y, P.astype(int), "mse", "y_pred"),
        (Y, P[:, ::-1], "mse", "y_pred.*contiguous"),
        (Y, P[:, :0].copy(), "mse", "y_pred"),
        (Y, P, "msee", "mse"),
        (Y, P, "sparse_categorical_crossentropy", "y_true.*int32"),
        (LABELS.astype(np.int64), P, "sparse_categorical_crossentropy", "y_true.*int32"),
        (LABELS[:3], P, "sparse_categorical_crossentropy", "y_true"),
        (LABELS[:, None], P, "sparse_categorical_crossentropy", "y_true"),
        (LABELS + np.int32(3), P, "sparse_categorical_crossentropy", r"\[0, 3\)"),
        (LABELS - np.int32(1), P, "sparse_categorical_crossentropy", r"\[0, 3\)"),
        (LABELS, P, "mse", "y_true"),
    ],
)
def test_loss_bad_argument_names_it(y_true, y_pred, loss, message):
    for function in (ops.loss_forward, ops.loss_backward):
        with pytest.raises((ValueError, TypeError), match=message):
            function(y_true, y_pred, loss)


@pytest.mark.parametrize(
    ("out", "message"), [(np.ones((3, 4)), "out"), (np.ones((4, 3), np.float32), "out"), (P, "out.*overlap")]
)
def test_loss_bad_out_names_it(out, message):
    with pytest.raises((ValueError, TypeError), match=message):
        ops.loss_backward(Y, P, "mse", out=out)
    with pytest.raises((ValueError, TypeError), match="out"):
        ops.loss_forward(Y, P, "mse", out=out)


@pytest.mark.parametrize(
    ("dtype", "size"), [(np.float32, 1e30), (np.float32, 1e38), (np.float64, 1e200), (np.float64, 8e306)]
)
def test_cosine_similarity_of_numbers_whose_squares_overflow(dtype, size, random):
    plain = random.normal(size=(5, 17)), random.normal(size=(5, 17))
    p, t = (np.array(a, dtype) for a in plain)
    scale = dtype(size) / np.abs(p).max()
    expected = ops.loss_forward(t, p, pynn.losses.CosineSimilarity())
    eps = np.finfo(dtype).eps
    for y_true, y_pred in ((t, p * scale), (t * scale, p), (t * scale, p * scale)):
        np.testing.assert_allclose(
            ops.loss_forward(y_true, y_pred, pynn.losses.CosineSimilarity()), expected, atol=20 * eps
        )
        slope = ops.loss_backward(t, p, pynn.losses.CosineSimilarity())
        got = ops.loss_backward(y_true, y_pred, pynn.losses.CosineSimilarity())
        if y_pred is not p:
            got = got * scale
            if np.abs(slope).min() / scale < np.finfo(dtype).tiny:
                continue  # the gradient is smaller than any number of its type
        np.testing.assert_allclose(got, slope, atol=40 * eps * np.abs(slope).max())

"""Losses as users meet them: classes, functions, strings, reductions, fusion with the last activation."""

import json

import numpy as np
import pytest
from helpers import make_data
from loss_cases import CLASSES, LOSS_CASES, make_case
from reference_losses import loss_rows

import pynn
from pynn import losses

every_class = pytest.mark.parametrize(("name", "config", "native"), CLASSES)


def case_of(native, config):
    """Data for a class: the targets and predictions of the kernel's case."""
    settings = tuple(v for k, v in config.items() if k not in ("from_logits", "apply_class_balancing"))
    if native.startswith("binary_focal") and len(settings) == 2:
        settings = (*settings, -1.0)  # not balanced
    case = next(c for c in LOSS_CASES if c.name == native and c.settings in (settings, ()))
    return settings, make_case(case, rows=6, columns=4)


@every_class
@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "mean", "sum", None, "none"])
def test_loss_value(name, config, native, reduction):
    settings, (y_true, y_pred) = case_of(native, config)
    rows, _ = loss_rows(native, y_true, y_pred, *settings)
    result = getattr(losses, name)(**config, reduction=reduction)(y_true, y_pred)
    expected = {"sum": rows.sum(), None: rows, "none": rows}.get(reduction, rows.mean())
    np.testing.assert_allclose(result, expected, rtol=1e-12)
    assert np.shape(result) == np.shape(expected)


@every_class
def test_loss_native_name(name, config, native):
    loss = getattr(losses, name)(**config)
    assert loss.native_name == native
    assert loss.sparse == native.startswith("sparse")


@every_class
def test_loss_config(name, config, native):
    loss = getattr(losses, name)(**config, reduction="sum", name="mine")
    twin = type(loss).from_config(json.loads(json.dumps(loss.get_config())))
    assert twin.get_config() == loss.get_config()
    assert (twin.name, twin.reduction, twin.native_name, twin.a) == ("mine", "sum", native, loss.a)


@every_class
def test_loss_get(name, config, native):
    kind = getattr(losses, name)
    snake = native.removesuffix("_from_logits")
    assert type(losses.get(snake)) is kind
    assert type(losses.get(name)) is kind
    assert type(losses.get(getattr(losses, snake))) is kind
    loss = kind(**config)
    assert losses.get(loss) is loss


@every_class
def test_loss_function(name, config, native):
    """The function of the loss's name gives the values of the rows."""
    settings, (y_true, y_pred) = case_of(native, config)
    function = getattr(losses, native.removesuffix("_from_logits"))
    rows, _ = loss_rows(native, y_true, y_pred, *settings)
    np.testing.assert_allclose(function(y_true, y_pred, **config), rows, rtol=1e-12)


@pytest.mark.parametrize(
    ("alias", "name"),
    [
        *(("mse", "MeanSquaredError"), ("MSE", "MeanSquaredError"), ("mae", "MeanAbsoluteError")),
        *(("mape", "MeanAbsolutePercentageError"), ("msle", "MeanSquaredLogarithmicError")),
        *(("kld", "KLDivergence"), ("bce", "BinaryCrossentropy")),
    ],
)
def test_loss_alias(alias, name):
    assert type(losses.get(alias)) is getattr(losses, name)


@pytest.mark.parametrize("name", ["Hinge", "SquaredHinge", "Perceptron"])
def test_loss_binary_labels_become_signs(name, random):
    binary, y_pred = random.integers(0, 2, (6, 4)).astype(float), random.normal(size=(6, 4))
    loss = getattr(losses, name)()
    assert loss(binary, y_pred) == loss(2 * binary - 1, y_pred)


def test_loss_column_equals_vector(random):
    y, p = random.normal(size=(2, 7))
    loss = losses.MeanSquaredError()
    assert loss(y, p[:, None]) == loss(y[:, None], p[:, None]) == pytest.approx(np.mean((y - p) ** 2), rel=1e-14)


@pytest.mark.parametrize(("of_targets", "of_predictions"), [((6, 1), (6,)), ((3, 2, 1), (3, 2)), ((6, 1, 1), (6, 1))])
def test_loss_of_targets_with_one_axis_more(of_targets, of_predictions, random):
    """It has the size 1, and is no axis to spread along."""
    y, p = random.normal(size=of_targets), random.normal(size=of_predictions)
    rows = np.square(y.reshape(p.shape) - p) if p.ndim == 1 else np.square(y[..., 0] - p).mean(-1)
    np.testing.assert_allclose(losses.MeanSquaredError(reduction=None)(y, p), rows)
    np.testing.assert_allclose(losses.mean_squared_error(y.tolist(), p.tolist()), rows, rtol=1e-5)
    assert pynn.metrics.MeanSquaredError()(y, p) == pytest.approx(rows.mean())
    with pytest.raises(ValueError, match="y_true"):
        losses.mean_squared_error(y[1:], p)


def test_loss_labels_of_higher_rank(random):
    p, labels = random.uniform(0.1, 1, (4, 3, 5)), random.integers(0, 5, (4, 3))
    loss = losses.SparseCategoricalCrossentropy(reduction=None)
    expected, _ = loss_rows("sparse_categorical_crossentropy", labels.ravel(), p.reshape(-1, 5))
    np.testing.assert_allclose(loss(labels, p), expected.reshape(4, 3), rtol=1e-12)


def test_loss_of_one_row(random):
    y, p = random.uniform(0.1, 0.9, (2, 5))
    assert losses.MeanSquaredError()(y, p) == pytest.approx(np.mean((y - p) ** 2), rel=1e-14)
    assert losses.CategoricalCrossentropy()(y, p) == pytest.approx(losses.CategoricalCrossentropy()(y[None], p[None]))
    assert losses.mean_squared_error(np.zeros((0, 3)), np.zeros((0, 3))).shape == (0,)


def test_loss_sum_squared_error_is_summed_by_default(random):
    """E = 1/2 sum over rows and columns, with its gradient; Keras's losses are means over the rows."""
    y, p = random.normal(size=(2, 6, 4))
    half = np.sum((y - p) ** 2) / 2
    assert losses.SumSquaredError()(y, p) == pytest.approx(half, rel=1e-14)
    assert losses.get("sum_squared_error")(y, p) == pytest.approx(half, rel=1e-14)
    assert losses.SumSquaredError(reduction="mean")(y, p) == pytest.approx(half / 6, rel=1e-14)
    kernel = random.normal(size=(4, 4))
    value, gradient = train_on_logits(p, y, kernel, None, "sum_squared_error")
    assert value == pytest.approx(np.sum((y - p @ kernel) ** 2) / 2, rel=1e-12)
    np.testing.assert_allclose(gradient, p.T @ (p @ kernel - y), rtol=1e-12)


def test_loss_config_has_what_keras_has():
    assert losses.MeanSquaredError(dtype="float64").get_config() == {
        "name": "mean_squared_error",
        "reduction": "sum_over_batch_size",
    }
    assert list(losses.Huber().get_config()) == ["name", "reduction", "delta"]
    own = ["from_logits", "label_smoothing", "axis"]
    assert list(losses.BinaryCrossentropy().get_config()) == ["name", "reduction", *own]


def test_loss_is_shown_by_what_it_was_made_of():
    assert repr(losses.MeanSquaredError()) == "MeanSquaredError()"
    assert repr(losses.SumSquaredError()) == "SumSquaredError()"
    assert repr(losses.Huber(0.3, reduction="sum", name="mine")) == "Huber(name='mine', reduction='sum', delta=0.3)"
    assert repr(losses.BinaryCrossentropy(from_logits=True)) == "BinaryCrossentropy(from_logits=True)"


def test_loss_of_keras_that_is_not_there_yet():
    with pytest.raises(AttributeError, match="does not have the loss 'Circle' of Keras yet"):
        _ = losses.Circle
    with pytest.raises(AttributeError, match="has no attribute 'Circus'"):
        _ = losses.Circus
    assert not hasattr(losses, "Circle")
    assert "MeanSquaredError" in dir(losses)


def test_loss_of_a_single_class_warns():
    with pytest.warns(UserWarning, match="binary_crossentropy"):
        losses.CategoricalCrossentropy()([[1.0]], [[0.5]])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: losses.get("mean_sqared_error"), "mean_squared_error"),
        (lambda: losses.get(3), "loss"),
        (lambda: losses.Huber(delta=0.0), "delta"),
        (lambda: losses.Huber(delta=float("nan")), "delta"),
        (lambda: losses.BinaryCrossentropy(label_smoothing=1.5), "label_smoothing"),
        (lambda: losses.CategoricalCrossentropy(label_smoothing=-0.1), "label_smoothing"),
        (lambda: losses.MeanSquaredError(reduction="average"), "reduction"),
        (lambda: losses.MeanSquaredError()(np.zeros((3, 2)), np.zeros((3, 4))), "y_true"),
        (lambda: losses.MeanSquaredError()(np.zeros((3, 2)), np.zeros((4, 2))), "y_true|y_pred"),
        (lambda: losses.SparseCategoricalCrossentropy()([0, 3], np.full((2, 3), 0.3)), r"\[0, 3\)"),
        (lambda: losses.SparseCategoricalCrossentropy()([0.5, 1], np.full((2, 3), 0.3)), "whole"),
        (lambda: losses.BinaryCrossentropy()([[2.0]], [[0.5]]), r"y_true.*\[0, 1\]"),
        (lambda: losses.CategoricalCrossentropy(axis="classes"), "axis"),
        (lambda: losses.CategoricalCrossentropy(axis=2)(np.eye(3), np.eye(3)), "axis=2 is not an axis"),
        (lambda: losses.CosineSimilarity(axis=1)(np.ones((3, 2)), np.ones((3, 2, 2))), "y_true"),
        (lambda: compiled(losses.CosineSimilarity(axis=0)), "axis=0 of CosineSimilarity is for direct calls"),
        (lambda: compiled("mse", pynn.metrics.CosineSimilarity(axis=0)), "axis=0 of CosineSimilarity is for direct"),
        (
            lambda: pynn.ops.loss_forward(np.eye(3), np.eye(3), losses.CosineSimilarity(axis=0)),
            "axis=0 of CosineSimilarity is for direct calls",
        ),
        (lambda: losses.MeanSquaredError()(1.0, 2.0), "y_pred"),
        (lambda: losses.get("CTC"), "does not have the loss 'CTC' of Keras yet"),
        (lambda: losses.get("circle"), "of Keras yet"),
        (lambda: losses.BinaryFocalCrossentropy(alpha=1.5), "alpha"),
        (lambda: losses.BinaryFocalCrossentropy(gamma=-1), "gamma"),
        (lambda: losses.CategoricalFocalCrossentropy(alpha=[0.5, -0.5]), r"alpha\[1\] must be"),
        (lambda: losses.CategoricalFocalCrossentropy(alpha=[]), "alpha must be"),
        (lambda: losses.CategoricalFocalCrossentropy(alpha=[0.5, 0.5])(np.eye(3), np.eye(3)), "alpha.*2 numbers.*3"),
        (lambda: losses.CategoricalFocalCrossentropy()([[2.0, 0.0]], [[0.5, 0.5]]), r"y_true.*\[0, 1\]"),
        (lambda: losses.Loss(), "Loss must define call. A loss of your own"),
        (lambda: type("Own", (losses.Loss,), {})(), "Own must define call. A loss of your own"),
        (lambda: type("Own", (losses.MeanSquaredError,), {}), "Own extends a loss of pynn.*A loss of your own"),
        (lambda: losses.Huber(detla=1.0), r"Huber\(\) has no argument 'detla'. Did you mean 'delta'"),
        (lambda: losses.SparseCategoricalCrossentropy(ignore_class=0.5), "ignore_class"),
    ],
)
def test_loss_bad_argument_names_it(make, message):
    with pytest.raises((ValueError, TypeError), match=message):
        make()


# ---- rows along another axis -----------------------------------------------------------------------------------------


def compiled(loss, metric=None):
    model = pynn.Sequential([pynn.Input((3,)), pynn.layers.Dense(3)])
    model.compile("sgd", loss, metrics=metric and [metric])
    model.evaluate(np.eye(3), np.eye(3), verbose=0)
    return model


AXES = [
    (losses.CosineSimilarity, {}),
    (losses.BinaryCrossentropy, {"label_smoothing": 0.1}),
    (losses.CategoricalCrossentropy, {"label_smoothing": 0.1}),
    (losses.CategoricalCrossentropy, {"from_logits": True}),
    (losses.BinaryFocalCrossentropy, {}),
    (losses.CategoricalFocalCrossentropy, {"alpha": [0.2, 0.5, 0.3]}),
]


@pytest.mark.parametrize(("kind", "config"), AXES)
@pytest.mark.parametrize("axis", [0, 1, -2, 2])
def test_loss_of_another_axis(kind, config, axis, random):
    """It is that of the last axis of arrays with the axes exchanged; the last one may be named by its number."""
    p = np.moveaxis(random.dirichlet([1, 1, 1], (4, 2)), -1, axis)
    y = np.moveaxis(np.eye(3)[random.integers(0, 3, (4, 2))], -1, axis)
    whole = kind(**config, reduction=None)(np.moveaxis(y, axis, -1), np.moveaxis(p, axis, -1))
    loss = kind(**config, axis=axis, reduction=None)
    np.testing.assert_array_equal(loss(y, p), whole)
    assert kind.from_config(loss.get_config())(y, p).shape == whole.shape == (4, 2)
    weights = random.random(len(whole))
    assert kind(**config, axis=axis)(y, p, weights[:, None]) == pytest.approx(np.mean(whole * weights[:, None]))
    if axis == 1:
        assert compiled_at(kind(**config, axis=1)) == compiled_at(kind(**config))


def compiled_at(loss):
    """The loss of a model whose output has one axis, which is 1 and -1."""
    pynn.set_random_seed(1)
    model = pynn.Sequential([pynn.Input((3,)), pynn.layers.Dense(3, "sigmoid")])
    model.compile("sgd", loss)
    return model.evaluate(np.eye(3), np.eye(3), verbose=0)


def test_loss_of_labels_along_another_axis(random):
    """Pictures with their classes first."""
    p = np.moveaxis(random.dirichlet([1, 1, 1], (2, 4, 5)), -1, 1)
    labels = random.integers(0, 3, (2, 4, 5))
    loss = losses.SparseCategoricalCrossentropy(ignore_class=1, axis=1, reduction=None)
    rows = -np.log(np.take_along_axis(p, labels[:, None], 1))[:, 0]
    np.testing.assert_allclose(loss(labels, p), np.where(labels == 1, 0, rows), rtol=1e-6)
    np.testing.assert_allclose(losses.sparse_categorical_crossentropy(labels, p, axis=1), rows, rtol=1e-6)
    mean = pynn.metrics.SparseCategoricalCrossentropy(axis=1, ignore_class=1)(labels, p)
    assert mean == pytest.approx(rows[labels != 1].mean())


# ---- a cross-entropy after its activation is computed from the logits ------------------------------------------------
FUSED = [
    ("softmax", losses.CategoricalCrossentropy),
    ("softmax", losses.SparseCategoricalCrossentropy),
    ("sigmoid", losses.BinaryCrossentropy),
]


def train_on_logits(x, y, kernel, activation, loss):
    """The loss of one step on z = x kernel, and the gradient of kernel."""
    units = kernel.shape[1]
    last = [pynn.layers.Dense(units, use_bias=False, activation=activation, dtype="float64")]
    model = pynn.Sequential([pynn.Input((len(kernel),)), *last])
    model.set_weights([kernel])
    model.compile(optimizer=pynn.optimizers.SGD(learning_rate=1.0), loss=loss)
    value = model.train_on_batch(x, y)
    return value, kernel - model.get_weights()[0]


def fusion_data(kind, random):
    x, labels = make_data(20)
    one_hot = np.eye(3)[labels]
    return x, labels if kind is losses.SparseCategoricalCrossentropy else one_hot, random.normal(size=(5, 3))


FOCAL = [("sigmoid", losses.BinaryFocalCrossentropy), ("softmax", losses.CategoricalFocalCrossentropy)]


@pytest.mark.parametrize(("activation", "kind"), [*FUSED, *FOCAL])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_fused_loss_equals_loss_from_logits(activation, kind, smoothing, random):
    x, y, kernel = fusion_data(kind, random)
    fused = train_on_logits(x, y, kernel, activation, kind(label_smoothing=smoothing))
    logits = train_on_logits(x, y, kernel, None, kind(from_logits=True, label_smoothing=smoothing))
    assert fused[0] == logits[0]
    np.testing.assert_array_equal(fused[1], logits[1])


@pytest.mark.parametrize(("activation", "kind"), [*FUSED, *FOCAL])
def test_fused_loss_equals_unfused(activation, kind, random):
    x, y, kernel = fusion_data(kind, random)
    value, gradient = train_on_logits(x, y, kernel, activation, kind())
    z = x.astype(np.float64) @ kernel
    p = pynn.activations.get(activation)(z)
    assert value == pytest.approx(kind()(y, p), rel=1e-12)
    name = kind().native_name
    _, dp = loss_rows(name, y, p, 0.0)
    jacobian = p * (dp - (dp * p).sum(axis=1, keepdims=True)) if activation == "softmax" else dp * p * (1 - p)
    np.testing.assert_allclose(gradient, x.T.astype(np.float64) @ jacobian / len(x), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(("activation", "kind"), FUSED)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("size", [100.0, 1000.0])
def test_fused_loss_of_large_logits(activation, kind, dtype, size):
    """Where probabilities round to 0 and 1, the fused loss is still the difference of logits."""
    z = size * np.array([[1.0, -1.0, 0.0], [-1.0, 1.0, 0.0], [1.0, -1.0, -1.0]])
    labels = np.array([1, 1, 0])
    y = labels if kind is losses.SparseCategoricalCrossentropy else np.eye(3)[labels]
    model = pynn.Sequential([pynn.Input((3,)), pynn.layers.Activation(activation, dtype=dtype)])
    model.compile(loss=kind())
    # softmax: 2 size, 0, 0; sigmoid: (2 size + log 2) / 3, log(2) / 3 and 0
    expected = 2 * size / 3 if activation == "softmax" else (2 * size + 2 * np.log(2)) / 9
    assert model.evaluate(z, y, verbose=0) == pytest.approx(expected, rel=1e-6)


def test_poisson_of_logarithms(random):
    x, y, kernel = make_data(20)[0], random.poisson(1.0, (20, 3)).astype(np.float64), random.normal(size=(5, 3))
    loss = losses.Poisson(from_logs=True)
    value, gradient = train_on_logits(x, y, kernel, None, loss)
    x = x.astype(np.float64)
    z = x @ kernel
    assert value == pytest.approx((np.exp(z) - y * z).mean(), rel=1e-13)
    np.testing.assert_allclose(gradient, x.T @ (np.exp(z) - y) / y.size, rtol=1e-11, atol=1e-13)
    for dtype, columns in (
        (dtype, columns) for dtype in ("float32", "float64") for columns in (1, 2, 7, 15, 16, 17, 33)
    ):
        z, t = random.normal(size=(4, columns)).astype(dtype), random.poisson(2.0, (4, columns))
        expected = (np.exp(z.astype(np.float64)) - t * z).mean(axis=1)
        np.testing.assert_allclose(
            loss.row_values(t, z), expected, rtol=1e-12 if dtype == "float64" else 2e-5, atol=1e-5
        )
    assert loss(np.ones((1, 2)), np.full((1, 2), -200.0)) == 200.0
    assert losses.get(losses.serialize(loss)).from_logs
    assert "from_logs" not in losses.Poisson().get_config()


def test_softmax_over_another_axis_is_not_fused(random):
    """The loss is over the last axis, the softmax over the first: each does its own."""
    x, y = random.normal(size=(6, 3, 4)), random.uniform(size=(6, 3, 4))
    model = pynn.Sequential([pynn.Input((3, 4)), pynn.layers.Softmax(axis=1, dtype="float64")])
    model.compile(loss="categorical_crossentropy")
    p = pynn.activations.softmax(x, axis=1)
    rows, _ = loss_rows("categorical_crossentropy", y.reshape(-1, 4), p.reshape(-1, 4), 0.0)
    assert model.evaluate(x, y, verbose=0) == pytest.approx(rows.mean(), rel=1e-12)


# ---- overlaps --------------------------------------------------------------------------------------------------------
def overlap(y, p, alpha, beta, axis):
    """Tversky's loss."""
    both, missed, wrong = (np.sum(part, axis=axis) for part in (y * p, y * (1 - p), (1 - y) * p))
    return 1 - both / (both + alpha * missed + beta * wrong + 1e-7)


@pytest.mark.parametrize("axis", [None, -1, (1, 2), (0, 1, 2), [1, -1]])
def test_loss_of_overlaps(axis, random):
    y, p = random.integers(0, 2, (3, 4, 5)).astype(float), random.uniform(size=(3, 4, 5))
    at = tuple(axis) if isinstance(axis, list) else axis
    # sum(y) + sum(p) = 2 both + missed + wrong
    np.testing.assert_allclose(losses.dice(y, p, axis=axis), overlap(y, p, 0.5, 0.5, at), rtol=1e-6)
    np.testing.assert_allclose(losses.tversky(y, p, 0.3, 0.7, axis=axis), overlap(y, p, 0.3, 0.7, at), rtol=1e-12)
    loss = losses.Tversky(0.3, 0.7, axis=axis)
    assert loss(y, p) == pytest.approx(np.mean(overlap(y, p, 0.3, 0.7, at)), rel=1e-12)
    assert losses.Tversky(0.3, 0.7, "sum", axis=axis)(y, p) == pytest.approx(np.sum(overlap(y, p, 0.3, 0.7, at)))
    twin = losses.get(json.loads(json.dumps(losses.serialize(loss))))
    assert twin.get_config() == loss.get_config()


def test_loss_of_overlaps_has_the_values_of_keras():
    y = [[[[1.0], [1.0]], [[0.0], [0.0]]], [[[1.0], [1.0]], [[0.0], [0.0]]]]
    p = [[[[0.0], [1.0]], [[0.0], [1.0]]], [[[0.4], [0.0]], [[0.0], [0.9]]]]
    np.testing.assert_allclose(losses.dice(y, p, axis=(1, 2, 3)), [0.5, 0.75757575], rtol=1e-6)
    assert losses.Dice()(y, p) == pytest.approx(0.6164384, rel=1e-6)
    assert losses.Dice()([[0.0, 0.0]], [[0.0, 0.0]]) == 1


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: losses.Dice()(np.ones((2, 3)), np.ones((2, 4))), r"y_true.*\(2, 3\)"),
        (lambda: losses.Dice(axis=3)(np.ones((2, 3)), np.ones((2, 3))), "axis=3"),
        (lambda: losses.Tversky(alpha=-1), "alpha"),
        (lambda: pynn.metrics.MeanLoss("dice"), "Dice has no value for each row"),
        (lambda: pynn.ops.loss_backward(np.ones((2, 3)), np.ones((2, 3)), "dice"), "Dice has no value for each row"),
    ],
)
def test_loss_of_overlaps_bad_argument_names_it(make, message):
    with pytest.raises((ValueError, TypeError), match=message):
        make()

"""What cannot be a loss, and what losses of one's own cannot be."""

import numpy as np
import pytest
from helpers import unchanged
from own_losses import F64, Squares, compiled, data, squares

import pynn
from pynn import ops


def no_number(y_true, y_pred):
    return 0.0


def of_the_batch(y_true, y_pred):
    return ops.max(ops.square(y_true - y_pred))


def of_pynn(y_true, y_pred):
    return pynn.losses.mean_squared_error(y_true, y_pred)


def stopped(y_true, y_pred):
    return ops.mean(ops.square(y_true - ops.stop_gradient(y_pred)), axis=-1)


def several(y_true, y_pred):
    return [y_true, y_pred]


def of_targets(y_true, y_pred):
    return ops.mean(y_true, axis=-1)


def in_numpy(y_true, y_pred):
    return np.mean((y_true - y_pred) ** 2)


def in_exponentials(y_true, y_pred):
    return np.exp(y_pred)


def other_shapes(y_true, y_pred):
    return y_true @ y_pred


def step(y_true, y_pred):
    return pynn.activations.get("step")(y_pred)


def one_argument(y_true):
    return y_true


def with_weights(y_true, y_pred):
    return pynn.layers.Dense(1)(y_pred)


@pytest.mark.parametrize(
    ("loss", "error", "message"),
    [
        (no_number, TypeError, "no_number cannot be computed: it must return a symbolic tensor.*but returned 0.0"),
        (of_the_batch, ValueError, "of_the_batch cannot be computed: max of a symbolic tensor needs an axis"),
        (
            of_pynn,
            TypeError,
            "of_pynn cannot be computed: MeanSquaredError takes arrays alone, and no symbolic tensors",
        ),
        (stopped, ValueError, "stopped cannot be computed: its values do not depend on y_pred"),
        (several, TypeError, "several cannot be computed.*of type list"),
        (of_targets, ValueError, "of_targets cannot be computed: its values do not depend on y_pred"),
        (in_numpy, TypeError, "in_numpy cannot be computed"),
        (in_exponentials, TypeError, "in_exponentials cannot be computed: numpy.exp takes no symbolic tensor"),
        (other_shapes, ValueError, "other_shapes cannot be computed"),
        (step, ValueError, "step cannot be computed.*no gradient"),
        (one_argument, TypeError, "one_argument cannot be computed"),
        (with_weights, ValueError, "with_weights cannot be computed"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_cannot_be_a_loss_is_told(loss, error, message):
    x, y = data()
    model = compiled("mse")
    model.train_on_batch(x, y)
    with unchanged(model), pytest.raises(error, match=f"The loss {message}"):
        model.compile("sgd", loss)
    assert model.loss.name == "mean_squared_error"
    later = pynn.Sequential([pynn.layers.Dense(3, dtype=F64)])
    later.compile("sgd", loss)
    for _ in range(2):
        with pytest.raises(error, match=f"The loss {message}"):
            later.fit(x, y, verbose=0)


def test_errors_of_a_loss_itself_come_through():
    with pytest.raises(ZeroDivisionError):
        compiled(lambda y_true, y_pred: 1 / 0)


def test_own_loss_is_no_metric_and_no_kernel():
    for use in (
        lambda: compiled("mse", metrics=[Squares()]),
        lambda: pynn.metrics.MeanLoss(Squares()),
        lambda: ops.loss_forward(np.ones((2, 3)), np.ones((2, 3)), Squares()),
    ):
        with pytest.raises(ValueError, match=r"squares is a loss of your own.*A metric may be a function"):
            use()
    assert compiled(squares, metrics=[squares]).evaluate(*data(), verbose=0)[0] > 0


def test_loss_without_reduction_does_not_train():
    with pytest.raises(ValueError, match="A loss without reduction cannot be trained"):
        compiled(Squares(reduction=None))

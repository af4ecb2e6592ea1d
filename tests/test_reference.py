"""The reference itself: its derivatives against central differences, its values against Keras's."""

import json
import pathlib

import numpy as np
import pytest
import reference
import reference_losses
from helpers import close_gradient
from loss_cases import LOSS_CASES, make_case

GOLDEN = np.load(pathlib.Path(__file__).with_name("golden") / "keras.npz")
TABLES = json.loads(str(GOLDEN["tables"]))

# Away from the kinks of the piecewise functions
POINTS = np.array([-9.3, -4.1, -2.2, -1.3, -0.6, -0.01, 0.02, 0.4, 0.7, 1.6, 2.9, 5.1, 8.2])


@pytest.mark.parametrize("name", [name for name in reference.ACTIVATIONS if name not in ("step", "stop_gradient")])
def test_activation_derivative(name):
    function = reference.ACTIVATIONS[name]
    points = np.abs(POINTS) if name in ("log", "log1p") else POINTS
    numeric = [reference.central_difference(lambda x: function(x)[0].item(), x[None]) for x in points]
    assert close_gradient(np.ravel(numeric), function(points)[1]).all()


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_softmax_derivative(name, random):
    x, dy = random.normal(size=(2, 3, 5))
    forward, backward = getattr(reference, name), getattr(reference, name + "_backward")
    numeric = reference.central_difference(lambda x: np.sum(dy * forward(x)), x)
    assert close_gradient(numeric, backward(dy, forward(x))).all()


@pytest.mark.parametrize("case", LOSS_CASES, ids=str)
def test_loss_gradient(case):
    y_true, y_pred = make_case(case, rows=3, columns=4)
    function, settings = reference_losses.LOSSES[case.name], case.settings
    for y, p in zip(y_true, y_pred, strict=True):
        numeric = reference.central_difference(lambda p, y=y: function(y, p, *settings)[0], p)
        assert close_gradient(numeric, function(y, p, *settings)[1]).all()


@pytest.mark.parametrize("number", range(len(TABLES["activations"])))
def test_activation_equals_keras(number):
    name, config = TABLES["activations"][number]
    name = "gelu_tanh" if config.pop("approximate", False) else name
    y = getattr(reference, name)(GOLDEN["grid"], **config)
    expected = GOLDEN[f"activation/{number}"]
    np.testing.assert_allclose(y if name.endswith("softmax") else y[0], expected, rtol=1e-14, atol=1e-14)

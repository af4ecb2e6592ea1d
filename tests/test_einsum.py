"""EinsumDense against numpy.einsum, and which equations it refuses."""

import numpy as np
import pytest
from helpers import close_gradient

import pynn
from pynn import layers

# equation, output_shape, bias_axes, shape of a sample, shapes of kernel and bias
ROWS = [
    ("ab,bc->ac", 64, "c", (32,), (32, 64), (64,)),
    ("abc,cd->abd", (None, 5), "d", (3, 7), (7, 5), (5,)),
    ("abc,cd->abd", (3, 5), None, (3, 7), (7, 5), None),
    ("abc,cd->abd", (None, 5), "bd", (3, 7), (7, 5), (3, 5)),
    ("abc,cd->abd", (None, 5), "b", (3, 7), (7, 5), (3, 1)),
    ("...x,xy->...y", 5, "y", (7,), (7, 5), (5,)),
    ("...x,xy->...y", 5, "y", (2, 3, 7), (7, 5), (5,)),
    ("...ab,bc->...ac", (None, 5), "a", (2, 3, 7), (7, 5), (3, 1)),
    ("ab...,bc->ac...", 5, "c", (7, 2, 3), (7, 5), (5, 1, 1)),
    ("abc,cde->abde", (None, 2, 5), "de", (3, 7), (7, 2, 5), (2, 5)),
    ("abc,cde->abde", (None, 2, 5), "d", (3, 7), (7, 2, 5), (2, 1)),
    ("abcd,cde->abe", (None, 5), "e", (3, 2, 7), (2, 7, 5), (5,)),
    ("abcd,dce->aeb", (5, None), "e", (3, 2, 7), (7, 2, 5), (5, 1)),
    ("abc,dc->abd", (None, 5), "d", (3, 7), (5, 7), (5,)),
    ("abc,edc->adbe", (2, None, 5), "de", (3, 7), (5, 2, 7), (2, 1, 5)),
    ("abc,bd->adc", (5, None), "c", (3, 7), (3, 5), (7,)),
    ("abc,bc->a", (), None, (3, 7), (3, 7), None),
    ("ab,c->abc", (None, 5), "bc", (3,), (5,), (3, 5)),
    ("abc,bcd->abd", (None, 5), "d", (3, 7), (3, 7, 5), (5,)),
    ("abc,cdb->adb", (5, None), "bd", (3, 7), (7, 5, 3), (5, 3)),
    ("abcd,cde->abce", (None, None, 5), "ce", (2, 3, 7), (3, 7, 5), (3, 5)),
    ("...hc,hcd->...hd", (None, 5), None, (2, 4, 3, 7), (3, 7, 5), None),
    ("abc,bc->abc", (None, None), None, (3, 7), (3, 7), None),
    ("abc,bc->ab", (None,), "b", (3, 7), (3, 7), (3,)),
    ("abc,bdc->ad", 5, "d", (3, 7), (3, 5, 7), (5,)),
    ("abc,dce->abde", (None, 2, 5), "de", (3, 7), (2, 7, 5), (2, 5)),
    ("abc,dce->adbe", (2, None, 5), "d", (3, 7), (2, 7, 5), (2, 1, 1)),
    ("...b,cbd->...cd", (2, 5), None, (3, 7), (2, 7, 5), None),
]
IDS = [f"{row[0]} {row[2]}" for row in ROWS]


@pytest.mark.parametrize(("equation", "output_shape", "bias_axes", "shape", "kernel", "bias"), ROWS, ids=IDS)
def test_einsum_dense_is_numpys(equation, output_shape, bias_axes, shape, kernel, bias, random):
    layer = layers.EinsumDense(equation, output_shape, bias_axes=bias_axes, bias_initializer="ones", dtype="float64")
    x = random.normal(size=(4, *shape))
    y = pynn.Sequential([pynn.Input(shape), layer])(x)
    assert layer.kernel.shape == kernel
    assert (layer.bias.shape if bias else layer.bias) == bias
    product = np.einsum(equation, x, layer.kernel.numpy())
    np.testing.assert_allclose(y, product + (bias is not None), rtol=1e-12, atol=1e-12)
    if bias is not None:
        layer.bias.assign(random.normal(size=bias))
        y = pynn.Sequential([pynn.Input(shape), layer])(x)
        np.testing.assert_allclose(y, product + layer.bias.numpy(), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("equation", "output_shape"),
    [("abc,cdb->adb", (2, None)), ("abc,dce->adbe", (2, None, 3))],
    ids=["shared", "order"],
)
def test_einsum_dense_of_copied_kernels_has_gradients(equation, output_shape, random):
    inputs = pynn.Input((3, 4), dtype="float64")
    hidden = layers.Dense(4, activation="tanh")(inputs)
    model = pynn.Model(inputs, layers.EinsumDense(equation, output_shape, bias_axes="d")(hidden))
    model.compile("sgd", "mse")
    x = random.normal(size=(5, 3, 4))
    y = random.normal(size=model(x).shape)
    for weight, gradient in zip(model.weights, model.gradients(x, y)[1], strict=True):
        value = weight.numpy()
        direction = random.normal(size=value.shape)
        sides = []
        for step in (1e-6, -1e-6):
            weight.assign(value + step * direction)
            sides.append(model.gradients(x, y)[0])
        weight.assign(value)
        assert close_gradient((sides[0] - sides[1]) / 2e-6, (gradient * direction).sum())


def test_einsum_dense_initial_values_are_those_of_its_matrix():
    pynn.set_random_seed(1)
    layer = layers.EinsumDense("abc,cde->abde", (None, 4, 25))
    layer.build((None, 3, 50))
    values = layer.kernel.numpy()
    assert np.sqrt(6 / 150) * 0.98 < np.abs(values).max() <= np.sqrt(6 / 150)
    layer = layers.EinsumDense("abc,bcd->abd", (None, 250))
    layer.build((None, 4, 100))
    values = layer.kernel.numpy()
    assert np.sqrt(6 / 1100) * 0.98 < np.abs(values).max() <= np.sqrt(6 / 1100)


def test_einsum_dense_config_has_keras_names():
    config = layers.EinsumDense("abc,cd->abd", (None, 5), bias_axes="d").get_config()
    assert config["equation"] == "abc,cd->abd"
    assert config["output_shape"] == (None, 5)
    assert config["bias_axes"] == "d"
    assert "use_bias" not in config


@pytest.mark.parametrize(
    ("equation", "output_shape", "bias_axes", "message"),
    [
        ("ab,bc", 3, None, "must have the form"),
        ("ab->ac", 3, None, "must have the form"),
        ("...ab,bc->ac", 3, None, "must have the form"),
        ("...ab...,bc->...ac...", 3, None, "must have the form"),
        ("abb,bc->ac", 3, None, "'b' twice"),
        ("ab,bc->ca", 3, None, "axis of the samples"),
        ("ab,abc->ac", 3, None, "axis of the samples"),
        ("ab,bc->acd", (3, 4), None, "'d' in its output alone"),
        ("abc,cd->ad", 3, None, "'b' in its input alone"),
        ("ab,bcd->ac", 3, None, "'d' in its kernel alone"),
        ("ab,bc->ac", (3, 4), None, "output_shape must have 1 sizes"),
        ("ab,bc->ac", "3", None, "output_shape"),
        ("ab,bc->ac", 0, None, "output_shape"),
        ("ab,bc->ac", 3, "d", "bias_axes.*'d'"),
        ("ab,bc->ac", 3, "a", "bias_axes.*'a'"),
        (5, 3, None, "equation"),
    ],
)
def test_einsum_dense_refuses(equation, output_shape, bias_axes, message):
    with pytest.raises((ValueError, TypeError), match=message):
        layers.EinsumDense(equation, output_shape, bias_axes=bias_axes)


@pytest.mark.parametrize(
    ("equation", "output_shape", "shape", "message"),
    [
        ("ab,bc->ac", 3, (2, 4), "does not fit samples of 2 axes"),
        ("...abc,cd->...abd", (None, None, 3), (4,), "does not fit samples of 1 axes"),
        ("abc,cd->abd", (5, 3), (2, 4), "'b' has 2 in the input.*but 5"),
        ("abc,cd->abd", (None, None), (2, 4), "number for the axis 'd'"),
    ],
)
def test_einsum_dense_wrong_shape_names_it(equation, output_shape, shape, message):
    with pytest.raises(ValueError, match=f"probe.*{message}"):
        pynn.Sequential([pynn.Input(shape), layers.EinsumDense(equation, output_shape, name="probe")])

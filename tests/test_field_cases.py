"""What people reported of other libraries: small inputs with the right result."""

import numpy as np
import pytest

import pynn
from pynn import layers


def linear(**settings):
    return layers.Dense(1, use_bias=False, kernel_initializer="ones", **settings)


def test_zero_weights_divide_by_the_number_of_samples():
    """keras#12176, keras#19740, tf#25178: errors 0, 4, 4 with weights .1, 0, .1."""
    model = pynn.Sequential([pynn.Input((1,)), linear()])
    model.compile("sgd", "mse", metrics=["mae"], weighted_metrics=["mse"])
    x, y = np.array([[1.0], [2.0], [2.0]]), np.array([[1.0], [0.0], [0.0]])
    found = model.evaluate(x, y, sample_weight=np.array([0.1, 0, 0.1]), verbose=0, return_dict=True)
    assert found == pytest.approx({"loss": 0.4 / 3, "mae": 4 / 3, "mse": 2.0})
    found = model.evaluate(x, y, sample_weight=np.zeros(3), verbose=0, return_dict=True)
    assert found == pytest.approx({"loss": 0.0, "mae": 4 / 3, "mse": 0.0})


def test_ignored_labels_alone_make_no_nan():
    """keras#22284, tf-keras#734."""
    loss = pynn.losses.SparseCategoricalCrossentropy(ignore_class=-1)
    p = np.array([[0.7, 0.2, 0.1]] * 4)
    assert loss([0, -1, 2, -1], p) == pytest.approx(-(np.log(0.7) + np.log(0.1)) / 2)
    assert loss([-1] * 4, p) == 0


def test_weights_without_decay_stay():
    """tensorflow/addons#2624: one step of AdamW(.1, weight_decay=.5) with a gradient of zero."""
    model = pynn.Sequential([pynn.Input((2,)), layers.Dense(1, kernel_initializer="ones", bias_initializer="ones")])
    optimizer = pynn.optimizers.AdamW(0.1, weight_decay=0.5)
    optimizer.exclude_from_weight_decay(var_names=["bias"])
    model.compile(optimizer, "mse")
    model.fit(np.zeros((4, 2)), np.ones((4, 1)), verbose=0)
    kernel, bias = model.get_weights()
    np.testing.assert_allclose(kernel, 0.95, rtol=1e-6)
    assert bias == 1


def test_weights_of_classes_for_pixels():
    """keras#1624, keras#3653: 3 images of 2 x 2, half of the pixels of each class, weights 1 and 5."""
    x = pynn.Input((2, 2, 1))
    model = pynn.Model(x, layers.Conv2D(2, 1, activation="softmax", kernel_initializer="zeros")(x))
    model.compile(pynn.optimizers.SGD(0.0), "sparse_categorical_crossentropy")
    labels = np.array([[[0, 1], [0, 1]]] * 3)
    history = model.fit(np.ones((3, 2, 2, 1)), labels, class_weight={0: 1, 1: 5}, verbose=0)
    assert history.history["loss"][0] == pytest.approx((1 + 5) / 2 * np.log(2))


def test_penalty_of_a_shared_layer_counts_once():
    """keras#8807, tf#43995: L1(1.) on a layer of two inputs, SGD(.25)."""
    a, b = pynn.Input((1,)), pynn.Input((1,))
    shared = linear(kernel_regularizer=pynn.regularizers.L1(1.0))
    model = pynn.Model([a, b], layers.Subtract()([shared(a), shared(b)]))
    model.compile(pynn.optimizers.SGD(0.25), "mse")
    assert model.train_on_batch([np.ones((2, 1))] * 2, np.zeros((2, 1))) == 1
    np.testing.assert_allclose(model.get_weights()[0], 0.75)

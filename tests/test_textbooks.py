"""The small examples that textbooks work out by hand must come out."""

import numpy as np
import pytest

import pynn
from pynn import layers


def test_textbook_first_network():
    """One sigmoid unit, full-batch gradient descent on the sum of squares, 100,000 updates in float64."""
    x = np.array([[0, 1, 0], [1, 1, 0], [0, 0, 0], [0, 0, 1], [1, 0, 1]])
    y = np.array([0, 1, 1, 0, 1])
    pynn.config.set_floatx("float64")
    model = pynn.Sequential([pynn.Input((3,)), layers.Dense(1, activation="sigmoid", use_bias=False)])
    model.set_weights([np.array([[-0.165955990594852], [0.4406489868843162], [-0.9997712503653102]])])
    model.compile(optimizer=pynn.optimizers.SGD(learning_rate=1.0), loss=pynn.losses.SumSquaredError())
    history = model.fit(x, y, batch_size="full", epochs=100_000, shuffle=False, verbose=0)
    assert len(history.history["loss"]) == 100_000
    expected = [11.842708376056809, -5.747265011450249, -5.747265011450573]
    np.testing.assert_allclose(model.get_weights()[0].ravel(), expected, atol=1e-6, rtol=0)
    assert model.predict([[1, 1, 0]], verbose=0).item() == pytest.approx(0.99775195, abs=1e-8)


def test_textbook_neuron():
    model = pynn.Sequential([pynn.Input((2,)), layers.Dense(1, activation="relu")])
    model.set_weights([[[-0.5], [2.0]], [1.0]])
    assert model.predict([[10.0, 1.0]], verbose=0).item() == 0.0


def test_textbook_three_two_one():
    model = pynn.Sequential([pynn.Input((3,)), layers.Dense(2), layers.ReLU(), layers.Dense(1, activation="sigmoid")])
    model.set_weights([np.transpose([[-0.5, 1, 0.5], [-1, 0.5, 0.5]]), [0.0, 1.0], [[0.8], [-0.5]], [0.2]])
    x = np.array([[10.0, 1.0, 1.0]])
    hidden = pynn.Sequential([pynn.Input((3,)), layers.Dense(2)])
    hidden.set_weights(model.get_weights()[:2])
    np.testing.assert_allclose(hidden.predict(x, verbose=0), [[-3.5, -8.0]], rtol=1e-6)
    assert model.predict(x, verbose=0).item() == pytest.approx(0.549834, abs=1e-6)
    assert model.count_params() == 11


def test_textbook_two_two_one():
    model = pynn.Sequential(
        [pynn.Input((2,)), layers.Dense(2, activation="sigmoid"), layers.Dense(1, activation="sigmoid")]
    )
    model.set_weights([np.full((2, 2), 0.5), np.zeros(2), np.full((2, 1), 0.5), np.zeros(1)])
    outputs = model.predict([[0, 0], [0, 1], [1, 0], [1, 1]], verbose=0).ravel()
    np.testing.assert_allclose(outputs, [0.62245933, 0.65077768, 0.65077768, 0.67503753], atol=1e-7)


@pytest.mark.parametrize("seed", range(3))
def test_textbook_xor(seed):
    pynn.set_random_seed(seed)
    x, y = np.array([[0, 0], [0, 1], [1, 0], [1, 1]]), np.array([0, 1, 1, 0])
    model = pynn.Sequential(
        [pynn.Input((2,)), layers.Dense(8, activation="tanh"), layers.Dense(1, activation="sigmoid")]
    )
    model.compile(optimizer=pynn.optimizers.Adam(0.05), loss="binary_crossentropy", metrics=["accuracy"])
    history = model.fit(x, y, batch_size=4, epochs=500, verbose=0).history
    assert history["accuracy"][-1] == 1.0
    np.testing.assert_array_equal(model.predict(x, verbose=0).ravel() > 0.5, y.astype(bool))


def test_textbook_perceptron_learns_and():
    """The unit is trained on its sum with the perceptron loss from zero weights, and used with the threshold."""
    x, y = np.array([[0, 0], [0, 1], [1, 0], [1, 1]]), np.array([0, 0, 0, 1])
    unit = layers.Dense(1, kernel_initializer="zeros")
    model = pynn.Sequential([pynn.Input((2,)), unit])
    model.compile(optimizer=pynn.optimizers.SGD(learning_rate=1.0), loss="perceptron")
    model.fit(x, y, batch_size=1, epochs=20, verbose=0)
    np.testing.assert_array_equal(pynn.activations.step(model.predict(x, verbose=0)).ravel(), y)
    assert all(np.all(w == np.round(w)) for w in model.get_weights())


def test_textbook_perceptron_is_a_step_unit():
    """The loss is computed from what the step gets, so that its missing gradient is not asked for."""
    x, y = np.array([[0, 0], [0, 1], [1, 0], [1, 1]]), np.array([0, 0, 0, 1])
    model = pynn.Sequential([pynn.Input((2,)), layers.Dense(1, activation="step", kernel_initializer="zeros")])
    model.compile(optimizer=pynn.optimizers.SGD(learning_rate=1.0), loss="perceptron", metrics=["accuracy"])
    history = model.fit(x, y, batch_size=1, epochs=20, verbose=0).history
    assert history["accuracy"][-1] == 1.0
    np.testing.assert_array_equal(model.predict(x, verbose=0).ravel(), y)


def test_textbook_line(random):
    x = random.uniform(-1, 1, (100, 1))
    model = pynn.Sequential([pynn.Input((1,)), layers.Dense(1, dtype="float64")])
    model.compile(optimizer=pynn.optimizers.SGD(learning_rate=0.5), loss="mse")
    history = model.fit(x, 3 * x - 2, batch_size="full", epochs=500, verbose=0).history
    assert history["loss"][-1] < 1e-20
    assert model.get_weights()[0].item() == pytest.approx(3)
    assert model.get_weights()[1].item() == pytest.approx(-2)

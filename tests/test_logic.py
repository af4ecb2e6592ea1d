"""Logic of symbolic tensors: & | ^ ~."""

import numpy as np
import pytest

import pynn
from pynn import layers

LOGIC = {
    "and": lambda a, b: (a > 0) & (b > 0),
    "or": lambda a, b: (a > 0) | (b > 0),
    "exclusive or": lambda a, b: (a > 0) ^ (b > 0),
    "not": lambda a, b: ~(a > 0),
    "within": lambda a, b: ~((a > -1) & (a < 1)) | (b > 0),
    "array": lambda a, b: (a > 0) & np.array([True, False, True]),
    "array first": lambda a, b: np.array([True, False, True]) | (a > 0),
    "number": lambda a, b: False ^ (a > 0),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", LOGIC)
def test_logic_gives_1_and_0(case, dtype, random):
    a, b = pynn.Input((3,), dtype=dtype), pynn.Input((3,), dtype=dtype)
    model = pynn.Model([a, b], LOGIC[case](a, b))
    given = random.normal(size=(2, 50, 3)).astype(dtype)
    expected = LOGIC[case](*given)
    for found in (model.predict(list(given), verbose=0), pynn.Model.from_config(model.get_config())(list(given))):
        np.testing.assert_array_equal(found, expected)
        assert found.dtype == dtype


def test_logic_takes_what_is_not_0_as_true():
    a, b = pynn.Input((2,)), pynn.Input((1,))
    model = pynn.Model([a, b], [a & b, a | b, a ^ b, ~a])
    given = [np.array([[2, 0], [-3, 0.5]]), np.array([[0.1], [0]])]
    for found, expected in zip(
        model.predict(given, verbose=0),
        ([[1, 0], [0, 0]], [[1, 1], [1, 1]], [[0, 1], [1, 1]], [[0, 1], [0, 0]]),
        strict=True,
    ):
        np.testing.assert_array_equal(found, expected)


def test_logic_of_ids_and_of_weights():
    class Chosen(layers.Layer):
        def build(self, input_shape):
            self.open = self.add_weight(shape=input_shape[-1:], initializer="ones", name="open")

        def call(self, x):
            return ((x > 0) & self.open) * x

    given = np.array([[1, -2, 3]])
    layer = Chosen()
    np.testing.assert_array_equal(layer(given), [[1, 0, 3]])
    layer.open.assign([0.0, 1.0, 1.0])
    np.testing.assert_array_equal(layer(given), [[0, 0, 3]])
    ids = pynn.Input((3,), dtype="int32")
    model = pynn.Model(ids, ~ids | (ids > 2))
    np.testing.assert_array_equal(model(np.array([[0, 1, 3]])), [[1, 0, 1]])


def test_logic_refuses_what_is_no_number():
    a = pynn.Input((2,))
    with pytest.raises(TypeError, match="numbers"):
        a & "b"
    with pytest.raises(ValueError, match="constant of shape"):
        a | np.ones((5, 4, 2))

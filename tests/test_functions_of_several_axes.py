"""Functions of pynn.ops along several axes, and arguments of theirs that Keras has: of arrays and of tensors."""

import numpy as np
import pytest

import pynn
from pynn import ops

X = np.arange(24, dtype="float32").reshape(2, 3, 4)
ONES = X[:, :1, :, None]
BOTH = {
    "flip": (X, lambda a: ops.flip(a, (1, 2)), np.flip(X, (1, 2))),
    "flip of a list": (X, lambda a: ops.flip(a, [1, -1]), np.flip(X, (1, 2))),
    "roll": (X, lambda a: ops.roll(a, (1, 2), (1, 2)), np.roll(X, (1, 2), (1, 2))),
    "roll of lists": (X, lambda a: ops.roll(a, [1, -1], axis=[1, 2]), np.roll(X, (1, -1), (1, 2))),
    "roll by one number": (X, lambda a: ops.roll(a, 1, (1, 2)), np.roll(X, 1, (1, 2))),
    "roll twice": (X, lambda a: ops.roll(a, (1, 1), (1, 1)), np.roll(X, 2, 1)),
    "squeeze": (ONES, lambda a: ops.squeeze(a), X[:, 0]),
    "squeeze of nothing": (X, lambda a: ops.squeeze(a), X),
    "squeeze of two": (ONES, lambda a: ops.squeeze(a, (1, 3)), X[:, 0]),
    "squeeze of a list": (ONES, lambda a: ops.squeeze(a, [-1]), ONES[..., 0]),
    "max": (X, lambda a: ops.max(a, axis=1, initial=15), np.maximum(X.max(1), 15)),
    "min": (X, lambda a: ops.min(a, axis=(1, 2), initial=-3.5), np.float32([-3.5, -3.5])),
    "amax": (X, lambda a: ops.amax(a, 1, True, 15), np.maximum(X.max(1, keepdims=True), 15)),
}


@pytest.mark.parametrize("case", BOTH)
def test_arrays_and_tensors_give_what_numpy_gives(case):
    x, function, expected = BOTH[case]
    found = function(x)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, expected)
    tensor = pynn.Input(x.shape[1:])
    np.testing.assert_array_equal(pynn.Model(tensor, function(tensor)).predict(x, verbose=0), expected)


def test_all_axes_of_arrays():
    np.testing.assert_array_equal(ops.flip(X), np.flip(X))
    np.testing.assert_array_equal(ops.roll(X, 1), np.roll(X, 1))
    shares = np.exp(np.float64(X) - 23)
    shares /= shares.sum()
    np.testing.assert_allclose(ops.softmax(X, axis=None), shares, rtol=1e-5)
    np.testing.assert_allclose(ops.log_softmax(X, axis=None), np.log(shares), rtol=1e-6)


@pytest.mark.parametrize("function", [ops.flip, lambda x: ops.roll(x, 1), lambda x: ops.softmax(x, axis=None)])
def test_all_axes_of_a_tensor_are_refused(function):
    with pytest.raises(ValueError, match=r"symbolic tensor.* needs an axis"):
        function(pynn.Input((3, 4)))


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda x: ops.flip(x, (0, 1)), "axis of the samples"),
        (lambda x: ops.flip(x, (1, 1)), "each axis once"),
        (lambda x: ops.roll(x, 1, (0, 1)), "axis of the samples"),
        (lambda x: ops.squeeze(x, (1, 2)), "of length 1"),
    ],
)
def test_axes_that_a_tensor_does_not_have_are_refused(function, message):
    with pytest.raises(ValueError, match=message):
        function(pynn.Input((1, 4)))


def test_initial_has_the_type_of_the_array():
    assert ops.max(np.int32([1, 2]), initial=5.5) == 5
    assert ops.max(np.int32([1, 2]), initial=5.5).dtype == np.int32
    assert ops.max(np.zeros(0, "float32"), initial=5) == 5
    with pytest.raises(ValueError, match="zero-size"):
        ops.max(np.zeros(0, "float32"))


def test_numbers_at_equal_distances():
    found = ops.linspace(0, 1, 5, endpoint=False)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, np.float32([0, 0.2, 0.4, 0.6, 0.8]))
    found, step = ops.linspace(0, 1, 5, retstep=True)
    np.testing.assert_array_equal(found, [0, 0.25, 0.5, 0.75, 1])
    assert step == 0.25
    assert step.dtype == np.float32
    np.testing.assert_array_equal(
        ops.linspace(np.array([0, 1.0]), np.array([1, 2.0]), 3, axis=1), [[0, 0.5, 1], [1, 1.5, 2]]
    )
    np.testing.assert_array_equal(ops.linspace(0, 10, 5, dtype="int32"), [0, 2, 5, 7, 10])


def test_where_of_one_argument_tells_places():
    for found in (ops.where(np.array([[1, 0], [0, 2]])), ops.where([[True, False], [False, True]])):
        assert isinstance(found, tuple)
        assert [places.dtype for places in found] == [np.int32, np.int32]
        np.testing.assert_array_equal(found, [[0, 1], [0, 1]])
    with pytest.raises(ValueError, match="or none of them"):
        ops.where(X > 3, X)
    with pytest.raises(TypeError, match="condition is a symbolic tensor"):
        ops.where(pynn.Input((3,)))


@pytest.mark.parametrize(
    ("shape", "width", "mode"),
    [
        ((None, 3), ((0, 0), (1, 2), (0, 0)), "constant"),
        ((None, 3), ((0, 0), (0, 0), (2, 1)), "constant"),
        ((None, 3), ((0, 0), (0, 0), (2, 1)), "edge"),
        ((None, None, 2), ((0, 0), (1, 2), (3, 0), (1, 1)), "constant"),
    ],
)
@pytest.mark.parametrize("length", [1, 4])
def test_pad_beside_axes_of_any_length(shape, width, mode, length, random):
    tensor = pynn.Input(shape)
    settings = {"constant_values": 2.5} if mode == "constant" else {}
    model = pynn.Model(tensor, ops.pad(tensor, width, mode, **settings))
    x = random.normal(size=(2, *(size or length for size in shape))).astype("float32")
    x.flat[0] = np.nan
    found = model.predict(x, verbose=0, check_finite=False)
    np.testing.assert_array_equal(found, np.pad(x, width, mode, **settings))


@pytest.mark.parametrize("clip", ["clipnorm", "clipvalue", "global_clipnorm"])
def test_a_clip_of_0_is_none(clip):
    model = pynn.Sequential([pynn.Input((2,)), pynn.layers.Dense(1, kernel_initializer="ones")])
    optimizer = pynn.optimizers.SGD(0.1, **{clip: 0.0})
    assert getattr(optimizer, clip) == optimizer.get_config()[clip] == 0
    model.compile(optimizer, "mse")
    model.fit(np.ones((4, 2)), np.zeros((4, 1)), verbose=0)
    np.testing.assert_allclose(model.get_weights()[0], [[0.6], [0.6]], rtol=1e-6)
    np.testing.assert_allclose(model.get_weights()[1], [-0.4], rtol=1e-6)

"""Adaptive poolings against plain windows."""

import numpy as np
import pytest

import pynn
from pynn import layers


def bounds(n, out):
    """Begin and end of each window: the largest whole number below, and the smallest above."""
    return [(int(np.floor(i * n / out)), int(np.ceil((i + 1) * n / out))) for i in range(out)]


def plain(x, output_size, combine):
    rows = [combine(x[:, begin:end], axis=1) for begin, end in bounds(x.shape[1], output_size[0])]
    y = np.stack(rows, axis=1)
    if len(output_size) == 1:
        return y
    return np.stack([combine(y[:, :, begin:end], axis=2) for begin, end in bounds(x.shape[2], output_size[1])], axis=2)


SIZES_1D = [(7, 3), (8, 4), (5, 5), (3, 7), (1, 4), (17, 1), (16, 15)]
SIZES_2D = [((7, 5), (3, 2)), ((4, 6), (2, 3)), ((5, 3), (4, 3)), ((2, 9), (5, 4)), ((6, 6), (1, 1))]


@pytest.mark.parametrize(("kind", "combine"), [("Average", np.mean), ("Max", np.max)])
@pytest.mark.parametrize(("shape", "output_size"), [*(((n,), (out,)) for n, out in SIZES_1D), *SIZES_2D], ids=str)
@pytest.mark.parametrize("channels", [1, 3, 17])
def test_adaptive_pooling_is_that_of_plain_windows(shape, output_size, channels, kind, combine, random):
    x = random.normal(size=(4, *shape, channels))
    layer = getattr(layers, f"Adaptive{kind}Pooling{len(shape)}D")(output_size, dtype="float64")
    y = pynn.Sequential([pynn.Input(x.shape[1:]), layer])(x)
    expected = plain(x, output_size, combine)
    assert y.shape == expected.shape
    np.testing.assert_allclose(y, expected, rtol=1e-13, atol=1e-14)


def test_adaptive_max_pooling_gradient_goes_to_the_first_of_equals():
    """Windows 0..1, 1..3 and 3..4 of 5: a position that is laid out twice gets its gradient once for each window."""
    model = pynn.Sequential(
        [
            pynn.Input((5,)),
            layers.Dense(5, kernel_initializer="identity", use_bias=False, dtype="float64"),
            layers.Reshape((5, 1), dtype="float64"),
            layers.AdaptiveMaxPooling1D(3, dtype="float64"),
            layers.Flatten(dtype="float64"),
        ]
    )
    model.compile(pynn.optimizers.SGD(1.0), pynn.losses.SumSquaredError())
    x = np.array([[2.0, 2, 1, 2, 2]])
    y = model(x)
    np.testing.assert_array_equal(y, [[2, 2, 2]])
    model.train_on_batch(x, y - [[1.0, 10, 100]])
    gradient = np.eye(5) - model.get_weights()[0]
    factor = gradient[1, 0]
    np.testing.assert_allclose(gradient[1] / factor, [1, 10, 0, 100, 0])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: layers.AdaptiveMaxPooling1D(0), "output_size"),
        (lambda: layers.AdaptiveAveragePooling2D((2, 3, 4)), "output_size"),
        (lambda: layers.AdaptiveAveragePooling1D(2, data_format="middle"), "data_format"),
    ],
)
def test_adaptive_pooling_bad_argument_names_it(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("kind", ["AdaptiveAveragePooling2D", "AdaptiveMaxPooling2D"])
@pytest.mark.parametrize(("output_size", "shape"), [((2, 2), (5, 5)), (2**20, (5, 5, 1))])
def test_adaptive_pooling_wrong_shape_names_it(kind, output_size, shape):
    with pytest.raises(ValueError, match="probe"):
        pynn.Sequential([pynn.Input(shape), getattr(layers, kind)(output_size, name="probe")])

"""``data_format="channels_first"``: the same layer on samples that are turned round."""

import numpy as np
import pytest

import pynn
from pynn import layers

SEQUENCES = [
    ("Conv1D", {"filters": 4, "kernel_size": 3, "padding": "causal", "activation": "relu"}),
    ("Conv1DTranspose", {"filters": 4, "kernel_size": 3, "strides": 2}),
    ("DepthwiseConv1D", {"kernel_size": 2, "depth_multiplier": 2}),
    ("SeparableConv1D", {"filters": 4, "kernel_size": 2}),
    ("MaxPooling1D", {}),
    ("AveragePooling1D", {"pool_size": 3, "strides": 1, "padding": "same"}),
    ("GlobalMaxPooling1D", {}),
    ("GlobalAveragePooling1D", {"keepdims": True}),
    ("AdaptiveAveragePooling1D", {"output_size": 4}),
    ("AdaptiveMaxPooling1D", {"output_size": 4}),
    ("ZeroPadding1D", {"padding": (2, 1)}),
]
IMAGES = [
    ("Conv2D", {"filters": 4, "kernel_size": 3, "strides": 2, "activation": "tanh"}),
    ("Conv2D", {"filters": 6, "kernel_size": 2, "groups": 3, "padding": "same"}),
    ("Conv2DTranspose", {"filters": 2, "kernel_size": (2, 3), "strides": 2}),
    ("DepthwiseConv2D", {"kernel_size": (1, 3), "depth_multiplier": 2}),
    ("SeparableConv2D", {"filters": 4, "kernel_size": 2}),
    ("MaxPooling2D", {"pool_size": (2, 3)}),
    ("AveragePooling2D", {}),
    ("GlobalMaxPooling2D", {"keepdims": True}),
    ("GlobalAveragePooling2D", {}),
    ("AdaptiveAveragePooling2D", {"output_size": (2, 4)}),
    ("AdaptiveMaxPooling2D", {"output_size": (4, 2)}),
    ("ZeroPadding2D", {"padding": ((1, 0), (2, 3))}),
    ("Cropping2D", {"cropping": ((1, 0), (2, 1))}),
    ("UpSampling2D", {"size": (2, 1)}),
    ("UpSampling2D", {"size": (2, 3), "interpolation": "bilinear"}),
    ("Flatten", {}),
]
ROWS = [((3, 7), *row) for row in SEQUENCES] + [((3, 5, 6), *row) for row in IMAGES]
FIRST = {"data_format": "channels_first"}


def last(x):
    """Channels first to channels last; what has no positions stays."""
    return np.moveaxis(x, 1, -1) if x.ndim > 2 else x


def through(layer, x):
    return pynn.Sequential([pynn.Input(x.shape[1:]), layer])(x)


@pytest.mark.parametrize(("shape", "kind", "config"), ROWS, ids=str)
def test_channels_first_are_the_channels_last_turned_round(shape, kind, config, random):
    x = random.normal(size=(4, *shape))
    make = getattr(layers, kind)
    plain, turned = make(**config, dtype="float64"), make(**config, **FIRST, dtype="float64")
    expected = through(plain, last(x))
    turned.build((None, *shape))
    turned.set_weights(plain.get_weights())
    y = through(turned, x)
    np.testing.assert_array_equal(last(y), expected)
    assert turned.output_shape == (None, *y.shape[1:])
    assert make(**config).get_config()["data_format"] == "channels_last"
    assert turned.get_config()["data_format"] == "channels_first"


def test_channels_first_activation_is_along_the_last_axis_there_is(random):
    """As in Keras: softmax is over the width then."""
    x = random.normal(size=(2, 3, 5, 6))
    y = through(layers.Conv2D(4, 2, activation="softmax", **FIRST, dtype="float64"), x)
    np.testing.assert_allclose(y.sum(axis=-1), 1, rtol=1e-12)


def test_channels_first_dropout_drops_whole_channels():
    x = np.ones((5, 16, 3, 4))
    model = pynn.Sequential([pynn.Input(x.shape[1:]), layers.SpatialDropout2D(0.5, "channels_first", seed=2)])
    y = model(x, training=True)
    assert (y == y[:, :, :1, :1]).all()
    assert 0 < (y[:, :, 0, 0] == 0).mean() < 1


@pytest.mark.parametrize("value", ["CHANNELS_FIRST", "Channels_Last", None])
def test_data_format_in_capitals_or_by_default(value):
    assert layers.Conv2D(4, 3, data_format=value).data_format == (value or "channels_last").lower()


def test_channels_first_error_names_the_axes_in_their_order():
    with pytest.raises(ValueError, match=r"probe.*\(channels, height, width\).*\(5, 5\)"):
        pynn.Sequential([pynn.Input((5, 5)), layers.Conv2D(4, 3, **FIRST, name="probe")])


def test_channels_first_flatten_of_whole_numbers():
    inputs = pynn.Input((2, 3), dtype="int32")
    model = pynn.Model(inputs, layers.Flatten("channels_first")(inputs))
    np.testing.assert_array_equal(model(np.arange(6).reshape(1, 2, 3)), [[0, 3, 1, 4, 2, 5]])
    with pytest.raises((TypeError, ValueError), match="embedding"):
        pynn.Model(inputs, layers.Embedding(9, 2)(layers.Flatten("channels_first")(inputs)))


def test_channels_first_layers_in_a_row_turn_nothing_round(random):
    """What one puts first the next would put last again: between them the engine is that of channels last."""
    kinds = [("Conv2D", {"filters": 4, "kernel_size": 3, "activation": "relu"}), ("MaxPooling2D", {})]
    x = random.normal(size=(4, 3, 9, 8))
    plain = pynn.Sequential([pynn.Input((9, 8, 3)), *(getattr(layers, kind)(**config) for kind, config in kinds)])
    turned = pynn.Sequential(
        [pynn.Input((3, 9, 8)), *(getattr(layers, kind)(**config, **FIRST) for kind, config in kinds)]
    )
    turned.set_weights(plain.get_weights())
    np.testing.assert_array_equal(last(turned(x)), plain(last(x)))
    inner = pynn.Model(turned.inputs, [turned.layers[0].output, turned.output])
    for found, expected in zip(inner(x), (turned.layers[0](x), turned(x)), strict=True):
        np.testing.assert_array_equal(found, expected)

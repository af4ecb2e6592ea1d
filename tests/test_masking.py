"""Masks: where they come from, how they go through layers, and what they do to losses and metrics."""

import warnings

import numpy as np
import pytest
from helpers import THREADS, bits, close_gradient
from reference import central_difference

import pynn
from pynn import layers, ops


class MaskOut(layers.Layer):
    """The mask of its input, twos where it has none."""

    def call(self, x, mask=None):
        return x[..., 0] * 0 + 2 if mask is None else mask


def ids(random, samples=6, steps=5, most=9):
    """Ids of sequences of all lengths from 0 on, with padding at their ends."""
    found = random.integers(1, most, (samples, steps)).astype("int32")
    found[np.arange(steps) >= np.arange(samples)[:, None] % (steps + 1)] = 0
    return found


def padded(random, samples=6, steps=5, features=3, value=0.0):
    """Sequences with padding in the middle, one of padding alone."""
    x = random.normal(size=(samples, steps, features)).astype("float32")
    x[:, 1] = value
    x[0] = value
    x[1, 3] = value
    x[2, 2, 0] = value  # not all of the step
    return x


def tokens(*rest, steps=5, loss=None, metrics=None, weighted=None, optimizer="sgd"):
    model = pynn.Sequential([pynn.Input((steps,), dtype="int32"), layers.Embedding(9, 4, mask_zero=True), *rest])
    if loss is not None:
        model.compile(optimizer, loss, metrics=metrics, weighted_metrics=weighted)
    return model


# ---- where masks come from


def test_embedding_masks_id_0(random):
    x = ids(random)
    model = tokens(MaskOut())
    np.testing.assert_array_equal(model.predict(x, verbose=0), x != 0)
    layer = layers.Embedding(9, 4, mask_zero=True)
    mask = layer.compute_mask(x)
    assert mask.dtype == bool
    np.testing.assert_array_equal(mask, x != 0)
    assert layers.Embedding(9, 4).compute_mask(x) is None
    assert layer.supports_masking
    assert not layers.Embedding(9, 4).supports_masking
    assert layer.get_config()["mask_zero"] is True


def test_embedding_of_no_sequence_has_a_mask(random):
    x = np.array([0, 3, 0, 1])
    layer = layers.Embedding(9, 4, mask_zero=True)
    np.testing.assert_array_equal(layer.compute_mask(x[:, None, None]), (x != 0)[:, None, None])


@pytest.mark.parametrize("value", [0.0, -1.0, 0.1])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_masking_masks_steps_of_its_value(value, dtype, random):
    x = padded(random, value=value).astype(dtype)
    x = np.where(x == np.float32(value), value, x).astype(dtype)
    mask = (x != np.asarray(value, dtype)).any(-1)
    layer = layers.Masking(value, dtype=dtype)
    np.testing.assert_array_equal(layer(x), np.where(mask[..., None], x, 0))
    np.testing.assert_array_equal(layer.compute_mask(x), mask)
    model = pynn.Sequential([pynn.Input((5, 3), dtype=dtype), layers.Masking(value), MaskOut()])
    np.testing.assert_array_equal(model.predict(x, verbose=0), mask)


def test_masking_keeps_steps_that_are_not_a_number():
    x = np.array([[[np.nan, 0.0], [0.0, 0.0]]], "float32")
    np.testing.assert_array_equal(layers.Masking()(x), x)
    np.testing.assert_array_equal(layers.Masking().compute_mask(x), [[True, False]])


@pytest.mark.parametrize("value", ["a", None, np.nan, np.inf])
def test_masking_value_must_be_a_finite_number(value):
    with pytest.raises((TypeError, ValueError), match="mask_value"):
        layers.Masking(value)


# ---- how they go through layers


@pytest.mark.parametrize(
    "layer",
    [
        layers.Dense(4),
        layers.Dense(4, activation="softmax"),
        layers.Activation("relu"),
        layers.ReLU(),
        layers.LeakyReLU(),
        layers.PReLU(),
        layers.ELU(),
        layers.Dropout(0.5),
        layers.AlphaDropout(0.5),
        layers.SpatialDropout1D(0.5),
        layers.GaussianNoise(1.0),
        layers.GaussianDropout(0.5),
        layers.ActivityRegularization(0.1),
        layers.LayerNormalization(),
        layers.GroupNormalization(1),
        layers.BatchNormalization(),
        layers.UnitNormalization(),
        layers.Rescaling(2.0),
        layers.Identity(),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_layers_hand_the_mask_on(layer, random):
    x = padded(random)
    mask = (x != 0).any(-1)
    layer = type(layer).from_config({**layer.get_config(), "name": None})
    assert layer.supports_masking
    model = pynn.Sequential([pynn.Input((5, 3)), layers.Masking(), layer, MaskOut()])
    np.testing.assert_array_equal(model.predict(x, verbose=0), mask)
    np.testing.assert_array_equal(layer.compute_mask(x, mask), mask)
    assert layer.compute_mask(x) is None


@pytest.mark.parametrize(
    "layer",
    [
        layers.Flatten(),
        layers.Reshape((3, 5)),
        layers.Permute((2, 1)),
        layers.Conv1D(2, 2),
        layers.MaxPooling1D(),
        layers.GlobalMaxPooling1D(),
        layers.RMSNormalization(),
        layers.ZeroPadding1D(),
        layers.UpSampling1D(),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_layers_that_end_a_mask_say_so(layer, random):
    x = padded(random)
    layer = type(layer).from_config({**layer.get_config(), "name": None})
    model = pynn.Sequential([pynn.Input((5, 3)), layers.Masking(), layer, MaskOut()])
    with pytest.warns(UserWarning, match=rf"Layer '{layer.name}' .* does not support masks"):
        y = model.predict(x, verbose=0)
    assert (y == 2).all()
    assert not layer.supports_masking
    assert layer.compute_mask(x, (x != 0).any(-1)) is None


def two(random):
    x = padded(random)
    other = padded(random)[::-1].copy()
    return x, other, (x != 0).any(-1), (other != 0).any(-1)


MERGED = ["Add", "Average", "Maximum", "Minimum", "Multiply", "Subtract"]


@pytest.mark.parametrize("kind", [*MERGED, "Concatenate"])
def test_merged_steps_are_real_where_one_is(kind, random):
    x, other, of_x, of_other = two(random)
    a, b = pynn.Input((5, 3)), pynn.Input((5, 3))
    layer = getattr(layers, kind)()
    y = MaskOut()(layer([layers.Masking()(a), layers.Masking()(b)]))
    np.testing.assert_array_equal(pynn.Model([a, b], y).predict([x, other], verbose=0), of_x | of_other)
    np.testing.assert_array_equal(layer.compute_mask([x, other], [of_x, of_other]), of_x | of_other)
    y = MaskOut()(layer([layers.Masking()(a), b]))
    assert (pynn.Model([a, b], y).predict([x, other], verbose=0) == 2).all()
    assert layer.compute_mask([x, other], [of_x, None]) is None


def merged(kind, xs, masks):
    """What is made of several sequences, some of which have a mask: what these leave out does not count."""
    real = [np.ones(x.shape[:2], bool) if mask is None else mask for x, mask in zip(xs, masks, strict=True)]
    real = [each[..., None] for each in real]
    if kind == "Multiply":
        found = np.prod([np.where(each, x, 1) for each, x in zip(real, xs, strict=True)], 0)
        return np.where(np.any(real, 0), found, 0)
    extremum, worst = (np.max, -np.inf) if kind == "Maximum" else (np.min, np.inf)
    found = extremum([np.where(each, x, worst) for each, x in zip(real, xs, strict=True)], 0)
    return np.where(np.any(real, 0), found, xs[0])


@pytest.mark.parametrize("kind", ["Maximum", "Minimum", "Multiply"])
@pytest.mark.parametrize("masked", [(0, 1, 2), (0, 1), (0,), (1,), (1, 2)], ids=str)
def test_steps_that_are_padding_do_not_count_where_others_are_real(kind, masked, random):
    pynn.config.set_floatx("float64")
    xs = [padded(random).astype("float64") for _ in range(3)]
    xs[1][3, 0] = xs[2][3, 2] = 0
    masks = [(x != 0).any(-1) if number in masked else None for number, x in enumerate(xs)]
    inputs = [pynn.Input((5, 3)) for _ in xs]
    tensors = [layers.Masking()(a) if number in masked else a for number, a in enumerate(inputs)]
    layer = getattr(layers, kind)()
    model = pynn.Model(inputs, layer(tensors))
    y = merged(kind, xs, masks)
    np.testing.assert_allclose(model(xs), y, rtol=1e-12)
    np.testing.assert_array_equal(layer(xs, mask=masks), model(xs))
    dy = random.normal(size=y.shape)
    slopes = model.vjp(xs, dy)[1]
    for number, slope in enumerate(slopes):

        def loss(x, number=number):
            return float((merged(kind, [*xs[:number], x, *xs[number + 1 :]], masks) * dy).sum())

        real = (
            np.ones(xs[0].shape, bool)
            if masks[number] is None
            else np.broadcast_to(masks[number][..., None], (6, 5, 3))
        )
        rest = [each for place, each in enumerate(xs) if place != number]
        apart = real & np.all([xs[number] != each for each in rest], 0)  # where two are equal, both get a part
        assert close_gradient(central_difference(loss, xs[number]), slope)[apart].all()
        assert masks[number] is None or not slope[~real].any()


@pytest.mark.parametrize("kind", ["Maximum", "Minimum", "Multiply"])
def test_masked_sequences_are_broadcast(kind, random):
    x, other, of_x, of_other = two(random)
    narrow = other[..., :1]
    of_other = (narrow != 0).any(-1)
    y = merged(kind, [x, np.broadcast_to(narrow, x.shape)], [of_x, of_other])
    np.testing.assert_allclose(getattr(layers, kind)()([x, narrow], mask=[of_x, of_other]), y, rtol=1e-6)
    y = merged(kind, [np.broadcast_to(narrow, x.shape), x], [of_other, of_x])
    np.testing.assert_allclose(getattr(layers, kind)()([narrow, x], mask=[of_other, of_x]), y, rtol=1e-6)


def test_masks_along_the_steps_come_one_after_the_other(random):
    x, other, of_x, of_other = two(random)
    a, b = pynn.Input((5, 3)), pynn.Input((5, 3))
    layer = layers.Concatenate(axis=1)
    y = MaskOut()(layer([layers.Masking()(a), layers.Masking()(b)]))
    model = pynn.Model([a, b], y)
    np.testing.assert_array_equal(model.predict([x, other], verbose=0), np.concatenate([of_x, of_other], 1))
    y = MaskOut()(layer([a, layers.Masking()(b)]))
    model = pynn.Model([a, b], y)
    np.testing.assert_array_equal(model.predict([x, other], verbose=0), np.concatenate([of_x | True, of_other], 1))


def test_dot_has_no_mask(random):
    x, other, _, _ = two(random)
    a, b = pynn.Input((5, 3)), pynn.Input((5, 3))
    y = MaskOut()(layers.Dot(2)([layers.Masking()(a), layers.Masking()(b)]))
    assert (pynn.Model([a, b], y).predict([x, other], verbose=0) == 2).all()


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize("channels", [1, 3, 17])
def test_mean_of_real_steps(channels, data_format, keepdims, random):
    x = random.normal(size=(4, 7, channels)).astype("float32")
    mask = random.random((4, 7)) < 0.5
    mask[0] = False
    layer = layers.GlobalAveragePooling1D(data_format, keepdims)
    given = x if data_format == "channels_last" else np.ascontiguousarray(x.transpose(0, 2, 1))
    count = np.maximum(mask.sum(1), 1)[:, None]
    wanted = (x * mask[..., None]).sum(1) / count
    if keepdims:
        wanted = np.expand_dims(wanted, 1 if data_format == "channels_last" else 2)
    np.testing.assert_allclose(layer(given, mask=mask), wanted, rtol=1e-5, atol=1e-6)
    assert (layer(given, mask=mask)[0] == 0).all()
    np.testing.assert_array_equal(layer(given), layers.GlobalAveragePooling1D(data_format, keepdims)(given))
    np.testing.assert_array_equal(layer(given, mask), layer(given, mask=mask))
    given = np.where(mask[..., None] if data_format == "channels_last" else mask[:, None], given, np.nan)
    np.testing.assert_allclose(layer(given, mask=mask), wanted, rtol=1e-5, atol=1e-6)
    assert layer.compute_mask(given, mask) is None


def test_softmax_of_some_elements(random):
    x = random.normal(size=(4, 3, 5)).astype("float32")
    mask = random.random((4, 3, 5)) < 0.6
    mask[0, 0] = False
    y = layers.Softmax()(x, mask=mask)
    e = np.exp(x) * mask
    np.testing.assert_allclose(y, e / np.maximum(e.sum(-1, keepdims=True), 1e-30), rtol=1e-5, atol=1e-7)
    assert (y[~mask] == 0).all()
    wide = mask[:, :1]
    np.testing.assert_array_equal(
        layers.Softmax()(x, mask=wide), layers.Softmax()(x, mask=np.broadcast_to(wide, x.shape))
    )
    np.testing.assert_allclose(layers.Softmax()(x), np.exp(x) / np.exp(x).sum(-1, keepdims=True), rtol=1e-5)
    np.testing.assert_array_equal(layers.Softmax()(x, mask), y)
    for few in (mask[1:2], mask[1], mask[1, 1]):
        np.testing.assert_array_equal(layers.Softmax()(x, few), layers.Softmax()(x, np.broadcast_to(few, x.shape)))


def test_softmax_refuses_the_mask_of_steps(random):
    with pytest.raises(ValueError, match="must have the same axes"):
        pynn.Sequential([pynn.Input((5, 3)), layers.Masking(), layers.Softmax()])
    with pytest.raises(ValueError, match="must have the same axes"):
        layers.Softmax()(np.ones((2, 5, 3)), mask=np.ones((2, 5)))
    with pytest.raises(ValueError, match="must have the shape"):
        layers.Softmax()(np.ones((1, 5, 3)), mask=np.ones((2, 5, 3)))
    with pytest.raises(ValueError, match="must have the same axes"):
        layers.Softmax()(np.ones((2, 3)), mask=np.ones((2, 1, 3)))


def test_masks_go_through_models_within_models(random):
    x = ids(random)
    inner = pynn.Sequential([pynn.Input((5, 4)), layers.Dense(3), layers.Dropout(0.5)])
    start = pynn.Input((5, 3))
    other = pynn.Model(start, layers.Dense(2)(start))
    model = tokens(inner, other, MaskOut())
    np.testing.assert_array_equal(model.predict(x, verbose=0), x != 0)
    source = pynn.Sequential([pynn.Input((5,), dtype="int32"), layers.Embedding(9, 4, mask_zero=True)])
    model = pynn.Sequential([source, layers.Dense(3), MaskOut()])
    np.testing.assert_array_equal(model.predict(x, verbose=0), x != 0)


def test_a_model_within_a_model_that_is_built_by_it(random):
    x = ids(random)
    model = pynn.Sequential(
        [layers.Embedding(9, 4, mask_zero=True), pynn.Sequential([layers.Dense(3), layers.ReLU()]), MaskOut()]
    )
    np.testing.assert_array_equal(model.predict(x, verbose=0), x != 0)


def test_models_cut_out_of_models_have_their_masks(random):
    x = ids(random)
    start = pynn.Input((5,), dtype="int32")
    embedded = layers.Embedding(9, 4, mask_zero=True)(start)
    hidden = layers.Dense(3)(embedded)
    end = MaskOut()(hidden)
    np.testing.assert_array_equal(pynn.Model(start, end).predict(x, verbose=0), x != 0)
    cut = pynn.Model(embedded, end)  # what goes in has no mask by itself
    assert (cut.predict(np.zeros((2, 5, 4), "float32"), verbose=0) == 2).all()


def test_operators_drop_masks(random):
    x = ids(random)
    start = pynn.Input((5,), dtype="int32")
    embedded = layers.Embedding(9, 4, mask_zero=True)(start)
    assert embedded.mask_shape == (5,)
    for y in (embedded * 2, embedded[:, 1:], pynn.activations.relu(embedded)):
        assert y.mask_shape is None
        assert (pynn.Model(start, MaskOut()(y)).predict(x, verbose=0) == 2).all()


@pytest.mark.parametrize("steps", [5, 3])
def test_any_number_of_steps(steps, random):
    x = ids(random, steps=steps)
    model = tokens(layers.Dense(3), MaskOut(), steps=None)
    assert model.layers[1].output.mask_shape == (None,)
    np.testing.assert_array_equal(model.predict(x, verbose=0), x != 0)


# ---- masks that a call is given


def test_a_mask_is_given_to_a_symbolic_call(random):
    x = random.normal(size=(4, 5, 3)).astype("float32")
    mask = random.random((4, 5)) < 0.5
    a, m = pynn.Input((5, 3)), pynn.Input((5,), name="m")
    pooled = layers.GlobalAveragePooling1D()(a, mask=m)
    model = pynn.Model([a, m], pooled)
    np.testing.assert_array_equal(
        model.predict([x, mask.astype("float32")], verbose=0), layers.GlobalAveragePooling1D()(x, mask=mask)
    )
    again = pynn.Model.from_config(model.get_config())
    np.testing.assert_array_equal(
        again.predict([x, mask.astype("float32")], verbose=0), layers.GlobalAveragePooling1D()(x, mask=mask)
    )


def test_a_mask_that_is_given_takes_the_place_of_the_own_one(random):
    x = ids(random)
    start = pynn.Input((5,), dtype="int32")
    layer = layers.Embedding(9, 4, mask_zero=True)
    embedded, mask = layer(start), layer.compute_mask(start)
    assert mask.shape == (None, 5)
    reverse = 1 - mask
    y = MaskOut()(layers.Dense(3)(embedded, mask=reverse))
    np.testing.assert_array_equal(pynn.Model(start, y).predict(x, verbose=0), x == 0)
    y = MaskOut()(layers.Dense(3)(embedded))
    np.testing.assert_array_equal(pynn.Model(start, y).predict(x, verbose=0), x != 0)


def test_compute_mask_of_a_symbolic_tensor_is_saved(random, tmp_path):
    x = ids(random)
    start = pynn.Input((5,), dtype="int32")
    layer = layers.Embedding(9, 4, mask_zero=True)
    end = layers.GlobalAveragePooling1D()(layer(start) * 1, mask=layer.compute_mask(start))
    model = pynn.Model(start, end)
    model.save(tmp_path / "model.pynn")
    again = pynn.load_model(tmp_path / "model.pynn")
    np.testing.assert_array_equal(again.predict(x, verbose=0), model.predict(x, verbose=0))
    table = layer.get_weights()[0]
    wanted = (table[x] * (x != 0)[..., None]).sum(1) / np.maximum((x != 0).sum(1), 1)[:, None]
    np.testing.assert_allclose(model.predict(x, verbose=0), wanted, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("shape", [(4,), (4, 3), (3, 5), (4, 5, 1), (1, 4), (5,)])
def test_a_mask_of_another_shape_is_refused(shape, random):
    layer, x = layers.GlobalAveragePooling1D(), random.normal(size=(4, 5, 3))
    with pytest.raises(ValueError, match="mask"):
        layer(x, mask=np.ones(shape))
    layer(x, mask=np.ones((4, 5)))


def test_a_symbolic_mask_of_another_shape_is_refused():
    a, m = pynn.Input((5, 3)), pynn.Input((4,))
    with pytest.raises(ValueError, match="got a mask of shape"):
        layers.GlobalAveragePooling1D()(a, mask=m)
    for array, message in (
        (np.ones((1, 4)), r"got a mask of shape \(None, 4\)"),
        (np.ones((2, 5)), "size 1 along the first axis"),
        (np.ones(5), "size 1 along the first axis"),
    ):
        with pytest.raises(ValueError, match=message):
            layers.GlobalAveragePooling1D()(a, mask=array)


OF_ALL = np.array([[True, False, True, True, False]])
TAKE_ONE_MASK = {
    "pooling": (layers.GlobalAveragePooling1D, lambda layer, x, mask: layer(x, mask=mask)),
    "recurrent": (lambda: layers.LSTM(2), lambda layer, x, mask: layer(x, mask=mask)),
    "own": (MaskOut, lambda layer, x, mask: layer(x, mask=mask)),
    "dense": (lambda: layers.Dense(2), lambda layer, x, mask: MaskOut()(layer(x, mask=mask))),
    "attention": (layers.Attention, lambda layer, x, mask: layer([x, x], mask=[mask, mask])),
    "heads": (lambda: layers.MultiHeadAttention(2, 3), lambda layer, x, mask: layer(x, x, value_mask=mask)),
    "model": (
        lambda: pynn.Sequential([pynn.Input((5, 3)), layers.LSTM(2)]),
        lambda layer, x, mask: layer(x, mask=mask),
    ),
}


@pytest.mark.parametrize("kind", TAKE_ONE_MASK)
def test_an_array_is_the_mask_of_all_samples(kind, random, tmp_path):
    """As in Keras, which broadcasts it; beside symbolic tensors and beside arrays."""
    make, call = TAKE_ONE_MASK[kind]
    layer, x = make(), random.normal(size=(4, 5, 3)).astype("float32")
    a, m = pynn.Input((5, 3)), pynn.Input((5,), name="m")
    model, whole = pynn.Model(a, call(layer, a, OF_ALL)), pynn.Model([a, m], call(layer, a, m))
    wanted = whole.predict([x, np.repeat(OF_ALL, 4, 0).astype("float32")], verbose=0)
    assert (whole.predict([x, np.ones((4, 5), "float32")], verbose=0) != wanted).any()
    np.testing.assert_array_equal(model.predict(x, verbose=0), wanted)
    if kind != "dense":  # an array carries no mask
        np.testing.assert_array_equal(call(layer, x, OF_ALL), wanted)
    model.save(tmp_path / "model.pynn")
    again = pynn.load_model(tmp_path / "model.pynn", custom_objects={"MaskOut": MaskOut})
    np.testing.assert_array_equal(again.predict(x, verbose=0), wanted)


class Block(layers.Layer):
    """Attention that is told who may look at whom; what is within does not take that for a mask of steps."""

    supports_masking = True

    def __init__(self, **base):
        super().__init__(**base)
        self.attention = layers.MultiHeadAttention(2, 3)

    def call(self, x, mask=None):
        return self.attention(x, x, attention_mask=mask)


@pytest.mark.parametrize("shape", [(4, 5, 5), (4, 1, 5), (4, 1, 1, 5)])
def test_an_own_layer_may_be_given_any_mask(shape, random):
    layer, x = Block(), random.normal(size=(4, 5, 3)).astype("float32")
    mask = random.random(shape) < 0.6
    wanted = layer.attention(x, x, attention_mask=mask)
    np.testing.assert_array_equal(layer(x, mask=mask), wanted)
    a, m = pynn.Input((5, 3)), pynn.Input(shape[1:])
    y = layer(a, mask=m)
    model = pynn.Model([a, m], [y, MaskOut()(y)])
    found, none = model.predict([x, mask.astype("float32")], verbose=0)
    np.testing.assert_array_equal(found, wanted)
    assert (none == 2).all()
    for_all = pynn.Model(a, layer(a, mask=mask[:1])).predict(x, verbose=0)
    np.testing.assert_array_equal(for_all, layer(x, mask=mask[:1]))
    with pytest.raises(ValueError, match="mask of inputs of layer"):
        layer(x, mask=mask[:3])


class Fixed(layers.Layer):
    """Its mask is the same, whatever comes."""

    def call(self, x):
        return 2 * x

    def compute_mask(self, x, mask=None):
        return OF_ALL


def test_an_own_mask_may_be_an_array(random):
    x = random.normal(size=(4, 5, 3)).astype("float32")
    a = pynn.Input((5, 3))
    model = pynn.Model(a, MaskOut()(Fixed()(a)))
    np.testing.assert_array_equal(model.predict(x, verbose=0), np.repeat(OF_ALL, 4, 0))
    symbolic = layers.Dense(2).compute_mask(a, OF_ALL)
    np.testing.assert_array_equal(pynn.Model(a, symbolic).predict(x, verbose=0), np.repeat(OF_ALL, 4, 0))


def test_a_mask_with_training(random):
    x = random.normal(size=(400, 5, 3)).astype("float32")
    y = layers.Dropout(0.5, seed=1)(x, training=True, mask=np.ones((400, 5)))
    assert 0.4 < (y == 0).mean() < 0.6


# ---- layers of one's own


class Halved(layers.Layer):
    """Every other step, with its mask."""

    def call(self, x):
        return x[:, ::2]

    def compute_mask(self, inputs, mask=None):
        return None if mask is None else mask[:, ::2]


class Passing(layers.Layer):
    """Hands its mask on, as it says."""

    def __init__(self, **more):
        super().__init__(**more)
        self.supports_masking = True

    def call(self, x):
        return x * 2


class Inner(layers.Layer):
    """Has layers that know masks."""

    def __init__(self, **more):
        super().__init__(**more)
        self.dense = layers.Dense(3)

    def call(self, x, training=None):
        return self.dense(x)


class Two(layers.Layer):
    """Takes two tensors with a mask each."""

    def call(self, query, value, query_mask=None, value_mask=None):
        y = query * 0 + value * 0
        y = y if query_mask is None else y + query_mask[..., None]
        return y if value_mask is None else y + value_mask[..., None] * 10


class Needs(layers.Layer):
    """Cannot do without a mask."""

    def call(self, x, mask):
        return x * mask[:, :, None]


@pytest.mark.parametrize("kind", [Passing, Inner, Halved])
def test_own_layers_hand_masks_on(kind, random):
    x = ids(random)
    wanted = (x != 0)[:, ::2] if kind is Halved else x != 0
    np.testing.assert_array_equal(tokens(kind(), MaskOut()).predict(x, verbose=0), wanted)
    assert kind().supports_masking == (kind is not Inner)


def test_an_own_layer_gets_the_mask_of_each_tensor(random):
    x, other, of_x, of_other = two(random)
    a, b = pynn.Input((5, 3)), pynn.Input((5, 3))
    masked, wanted = layers.Masking(), of_x[..., None] + 10.0 * of_other[..., None] + 0 * x
    model = pynn.Model([a, b], Two()(masked(a), masked(b)))
    np.testing.assert_array_equal(model.predict([x, other], verbose=0), wanted)
    layer = Two()
    np.testing.assert_array_equal(layer(x, other, query_mask=of_x, value_mask=of_other), wanted)
    np.testing.assert_array_equal(layer(x, other, value_mask=of_other), 10.0 * of_other[..., None] + 0 * x)
    np.testing.assert_array_equal(layer(x, other), 0 * x)


def test_an_own_layer_that_needs_its_mask(random):
    x = padded(random)
    mask = (x != 0).any(-1)
    model = pynn.Sequential([layers.Masking(), Needs()])
    np.testing.assert_array_equal(model.predict(x, verbose=0), x * mask[..., None])
    np.testing.assert_array_equal(Needs()(x, mask=mask), x * mask[..., None])
    with pytest.raises(TypeError):
        Needs()(x)


def test_own_layers_with_masks_are_saved(random, tmp_path):
    x = ids(random)
    model = tokens(Halved(), Passing(), MaskOut())
    model.save(tmp_path / "model.pynn")
    own = {"Halved": Halved, "Passing": Passing, "MaskOut": MaskOut}
    again = pynn.load_model(tmp_path / "model.pynn", custom_objects=own)
    np.testing.assert_array_equal(again.predict(x, verbose=0), (x != 0)[:, ::2])


# ---- losses and metrics


def rows_of(loss, y, p):
    """The value of a loss for each row, in double precision."""
    p = p.astype("float64")
    if loss == "mse":
        return ((p - y) ** 2).mean(-1)
    return -np.log(np.take_along_axis(p, y[..., None].astype(int), -1)[..., 0])


@pytest.mark.parametrize("weights", [None, "steps", "samples"])
@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "mean_with_sample_weight", "sum"])
@pytest.mark.parametrize("kind", ["mse", "crossentropy"])
def test_losses_and_metrics_leave_masked_steps_out(kind, reduction, weights, random):
    x = ids(random)
    mask = (x != 0).astype("float64")
    if kind == "mse":
        loss, y = pynn.losses.MeanSquaredError(reduction), random.normal(size=(6, 5, 3))
        last, metric = layers.Dense(3), pynn.metrics.MeanAbsoluteError(name="m")
    else:
        loss, y = pynn.losses.SparseCategoricalCrossentropy(reduction=reduction), random.integers(0, 3, (6, 5))
        last, metric = layers.Dense(3, activation="softmax"), pynn.metrics.SparseCategoricalAccuracy(name="m")
    again = type(metric)(name="w")
    model = tokens(last, loss=loss, metrics=[metric], weighted=[again])
    w = {None: None, "steps": random.random((6, 5)), "samples": random.random(6)}[weights]
    of_rows = np.ones((6, 5)) if w is None else np.broadcast_to(w if w.ndim == 2 else w[:, None], (6, 5))
    p = model.predict(x, verbose=0)
    rows = rows_of(kind, y, p)
    values = np.abs(p - y).mean(-1) if kind == "mse" else (p.argmax(-1) == y)
    divisors = {"sum": 1, "sum_over_batch_size": mask.sum(), "mean_with_sample_weight": (mask * of_rows).sum()}
    wanted = {
        "loss": (rows * mask * of_rows).sum() / divisors[reduction],
        "m": (values * mask).sum() / mask.sum(),
        "w": (values * mask * of_rows).sum() / (mask * of_rows).sum(),
    }
    for found in (
        model.evaluate(x, y, sample_weight=w, batch_size=6, verbose=0, return_dict=True),
        model.test_on_batch(x, y, sample_weight=w, return_dict=True),
        model.train_on_batch(x, y, sample_weight=w, return_dict=True),
    ):
        for name, value in wanted.items():
            assert found[name] == pytest.approx(value, rel=1e-5), name


def test_an_evaluation_by_batches_is_the_mean_of_their_losses(random):
    x, y = ids(random, 12), random.normal(size=(12, 5, 3))
    model = tokens(layers.Dense(3), loss="mse", metrics=["mae"])
    parts = [model.evaluate(x[i : i + 4], y[i : i + 4], verbose=0) for i in (0, 4, 8)]
    found = model.evaluate(x, y, batch_size=4, verbose=0)
    assert found[0] == pytest.approx(np.mean([part[0] for part in parts]), rel=1e-6)
    mask = x != 0
    error = np.abs(model.predict(x, verbose=0) - y).mean(-1)
    assert found[1] == pytest.approx((error * mask).sum() / mask.sum(), rel=1e-5)


class Seen(pynn.metrics.Metric):
    """How many rows it is shown, and 1000 times their weights."""

    def __init__(self, name="seen"):
        super().__init__(name=name)
        self.total = 0.0

    def reset_state(self):
        self.total = 0.0

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.total += y_true.size // 3 + (0 if sample_weight is None else 1000 * sample_weight.sum())

    def result(self):
        return self.total


def test_metrics_in_python_see_real_rows_only(random):
    x, y, w = ids(random), random.normal(size=(6, 5, 3)), random.integers(1, 4, (6, 5)).astype("float32")
    real = (x != 0).sum()
    model = tokens(layers.Dense(3), loss="mse", metrics=[Seen()], weighted=[Seen("w")])
    for found in (
        model.evaluate(x, y, sample_weight=w, verbose=0, return_dict=True),
        model.train_on_batch(x, y, sample_weight=w, return_dict=True),
    ):
        assert found["seen"] == real
        assert found["w"] == real + 1000 * (w * (x != 0)).sum()
    history = model.fit(x, y, batch_size=4, verbose=0, epochs=2).history
    assert history["seen"] == [real, real]


def test_several_outputs_each_with_its_mask(random):
    x, features = ids(random), padded(random)
    a, b = pynn.Input((5,), dtype="int32"), pynn.Input((5, 3))
    first = layers.Dense(2, name="first")(layers.Embedding(9, 4, mask_zero=True)(a))
    second = layers.Dense(1, name="second")(layers.Masking()(b))
    third = layers.Dense(1, name="third")(b)
    model = pynn.Model([a, b], [first, second, third])
    model.compile("sgd", "mse", metrics=[["mae"], ["mae"], ["mae"]])
    ys = [random.normal(size=(6, 5, n)) for n in (2, 1, 1)]
    found = model.evaluate([x, features], ys, batch_size=6, verbose=0, return_dict=True)
    masks = [x != 0, (features != 0).any(-1), np.ones((6, 5))]
    made = model.predict([x, features], verbose=0)
    for name, y, p, mask in zip(("first", "second", "third"), ys, made, masks, strict=True):
        assert found[f"{name}_loss"] == pytest.approx((((p - y) ** 2).mean(-1) * mask).sum() / mask.sum(), rel=1e-5)
        assert found[f"{name}_mae"] == pytest.approx((np.abs(p - y).mean(-1) * mask).sum() / mask.sum(), rel=1e-5)


def test_a_batch_without_a_real_step_has_no_loss_and_changes_nothing(random):
    x, y = np.zeros((3, 5), "int32"), random.normal(size=(3, 5, 3))
    model = tokens(layers.Dense(3), loss="mse", metrics=["mae"])
    before = bits(model)
    assert model.train_on_batch(x, y) == [0.0, 0.0]
    assert bits(model) == before
    assert model.evaluate(x, y, verbose=0) == [0.0, 0.0]


def test_masked_targets_may_be_anything(random):
    x = ids(random)
    y = random.normal(size=(6, 5, 3)).astype("float32")
    model = tokens(layers.Dense(3), loss="mse")
    loss = model.evaluate(x, y, verbose=0)
    y[x == 0] = 1e30
    assert model.evaluate(x, y, verbose=0) == loss
    assert model.train_on_batch(x, y) == loss
    assert all(np.isfinite(weight).all() for weight in model.get_weights())


def test_outputs_that_are_no_sequence_have_a_mask_of_samples(random):
    x, y = random.normal(size=(6, 3)).astype("float32"), random.normal(size=(6, 2))
    x[[1, 4]] = 0
    model = pynn.Sequential([pynn.Input((3,)), layers.Masking(), layers.Dense(2)])
    model.compile("sgd", "mse")
    kept = [0, 2, 3, 5]
    wanted = ((model.predict(x, verbose=0) - y) ** 2)[kept].mean()
    assert model.evaluate(x, y, verbose=0) == pytest.approx(wanted, rel=1e-5)


class Shorter(layers.Layer):
    """Fewer steps, with the mask of all."""

    def call(self, x):
        return x[:, :4]

    def compute_mask(self, inputs, mask=None):
        return mask


def test_a_mask_of_other_steps_than_the_rows_of_a_loss_is_refused():
    with pytest.raises(ValueError, match="a mask with a step for each of 4 rows"):
        tokens(Shorter(), loss="mse")


@pytest.mark.parametrize("axis", [None, 0, 1, (1, 2), (0, 1, 2)])
def test_a_loss_of_overlaps_refuses_a_mask_where_it_sums_over_steps(axis, random):
    model = tokens(layers.Dense(3, activation="sigmoid"))
    model.compile("sgd", "mse")
    x, y = ids(random), random.normal(size=(6, 5, 3))
    before = model.evaluate(x, y, verbose=0)
    for loss in (pynn.losses.Dice(axis=axis), pynn.losses.Tversky(axis=axis)):
        with pytest.raises(ValueError, match=rf"{type(loss).__name__} with axis=.* is of an output with a mask"):
            model.compile("sgd", loss)
    assert model.evaluate(x, y, verbose=0) == before


@pytest.mark.parametrize("weights", [None, "steps", "samples"])
@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "mean_with_sample_weight", "sum"])
@pytest.mark.parametrize("columns", [1, 3])
def test_a_loss_of_overlaps_of_each_step_leaves_masked_ones_out(columns, reduction, weights, random):
    """As in Keras; and their targets may be anything."""
    pynn.config.set_floatx("float64")
    x = ids(random)
    y = random.integers(0, 2, (6, 5, columns)).astype("float64")
    loss = pynn.losses.Tversky(0.3, 0.8, reduction, axis=-1)
    model = tokens(layers.Dense(columns, activation="sigmoid"), loss=loss)
    w = {None: np.ones((6, 5)), "steps": random.uniform(0, 2, (6, 5)), "samples": random.uniform(0, 2, (6, 1))}[weights]
    given = {} if weights is None else {"sample_weight": w if weights == "steps" else w[:, 0]}
    mask, w = x != 0, np.broadcast_to(w, (6, 5))

    def expected():
        values = pynn.losses.tversky(y, model.predict(x, verbose=0), 0.3, 0.8, -1)
        divisor = {"sum": 1, "sum_over_batch_size": mask.sum(), "mean_with_sample_weight": w[mask].sum()}[reduction]
        return (values * w)[mask].sum() / divisor

    value = expected()
    found, gradients = model.gradients(x, y, **given)
    assert found == pytest.approx(value, rel=1e-12)
    assert model.evaluate(x, y, verbose=0, **given) == pytest.approx(value, rel=1e-12)
    kernel = model.layers[-1].kernel
    start, numeric = kernel.numpy().copy(), np.zeros(kernel.shape)
    for place in np.ndindex(start.shape):
        for sign in (1, -1):
            moved = start.copy()
            moved[place] += sign * 1e-6
            kernel.assign(moved)
            numeric[place] += sign * expected() / 2e-6
    kernel.assign(start)
    np.testing.assert_allclose(gradients[1], numeric, rtol=1e-6, atol=1e-9)
    y[~mask] = 1e300
    again, same = model.gradients(x, y, **given)
    assert again == found
    assert all(one.tobytes() == other.tobytes() for one, other in zip(gradients, same, strict=True))


# ---- padding changes nothing, bit for bit


def network(steps):
    model = tokens(
        layers.Dense(7, activation="relu", kernel_initializer=pynn.initializers.GlorotUniform(1)),
        layers.LayerNormalization(),
        layers.Dense(3, activation="softmax", kernel_initializer=pynn.initializers.GlorotUniform(2)),
        steps=steps,
    )
    model.layers[0].set_weights([np.random.default_rng(3).normal(size=(9, 4))])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def with_padding(real, steps, where, random):
    """Sequences without padding, spread over more steps."""
    samples, length = real.shape
    spread = np.zeros((samples, steps), int)
    for sample in range(samples):
        places = {
            "end": np.arange(length),
            "begin": np.arange(steps - length, steps),
            "within": np.sort(random.permutation(steps)[:length]),
        }[where]
        spread[sample, places] = real[sample]
    return spread


@pytest.mark.parametrize("where", ["end", "begin", "within"])
def test_padding_changes_no_bit(where, random):
    real, y = random.integers(1, 9, (16, 5)), random.integers(0, 3, (16, 5))
    alone, long = network(None), network(None)
    x = with_padding(real, 9, where, random)
    targets = np.zeros((16, 9), int)
    targets[x != 0] = y.ravel()
    assert long.evaluate(x, targets, verbose=0) == alone.evaluate(real, y, verbose=0)
    assert long.train_on_batch(x, targets) == alone.train_on_batch(real, y)
    for model, samples, wanted in ((alone, real, y), (long, x, targets)):
        for _ in range(3):
            model.train_on_batch(samples, wanted)
    # Sums over rows of gradients are made in blocks, which padding moves
    for one, other in zip(alone.get_weights(), long.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)
    long.set_weights(alone.get_weights())
    np.testing.assert_array_equal(long.predict(x, verbose=0)[x != 0], alone.predict(real, verbose=0).reshape(-1, 3))


@pytest.mark.parametrize("where", ["end", "begin", "within"])
def test_padding_changes_no_bit_of_a_mean(where, random):
    real = random.normal(size=(5, 4, 19)).astype("float32")
    mask = with_padding(np.ones((5, 4), int), 11, where, random).astype(bool)
    x = random.normal(size=(5, 11, 19)).astype("float32")
    x[mask] = real.reshape(-1, 19)
    layer = layers.GlobalAveragePooling1D()
    np.testing.assert_array_equal(layer(x, mask=mask), layer(real, mask=np.ones((5, 4))))


@pytest.mark.parametrize("where", ["end", "begin", "within"])
def test_padding_changes_no_moment(where, random):
    real = random.normal(2.0, size=(6, 4, 3)).astype("float32")
    mask = with_padding(np.ones((6, 4), int), 9, where, random).astype(bool)
    x = random.normal(size=(6, 9, 3)).astype("float32")
    x[mask] = real.reshape(-1, 3)
    one, other = layers.BatchNormalization(), layers.BatchNormalization()
    y, wanted = one(x, training=True, mask=mask), other(real, training=True)
    np.testing.assert_array_equal(y[mask], wanted.reshape(-1, 3))
    for a, b in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_allclose(y[~mask], (x[~mask] - real.mean((0, 1))) / np.sqrt(real.var((0, 1)) + 1e-3), rtol=1e-4)


def test_moments_of_no_real_step_are_0(random):
    x = random.normal(size=(3, 4, 2)).astype("float32")
    layer = layers.BatchNormalization()
    np.testing.assert_allclose(layer(x, training=True, mask=np.zeros((3, 4))), x / np.sqrt(1e-3), rtol=1e-5)


def test_gradients_of_no_real_step_are_those_of_constant_moments(random):
    inputs = pynn.Input((4,), dtype="int32")
    model = pynn.Model(inputs, layers.BatchNormalization()(layers.Embedding(5, 3, mask_zero=True)(inputs)))
    dy = random.normal(size=(2, 4, 3)).astype("float32")
    table, *_ = model.vjp(np.zeros((2, 4), int), dy, training=True)[0]
    np.testing.assert_allclose(table[0], dy.sum((0, 1)) / np.sqrt(1e-3), rtol=1e-4, atol=1e-4)
    assert not table[1:].any()


def test_batch_normalization_refuses_masks_of_other_axes(random):
    x = random.normal(size=(2, 3, 4, 5))
    with pytest.raises(ValueError, match="a mask must have the shape"):
        layers.BatchNormalization()(x, training=True, mask=np.ones((2, 3)))
    with pytest.raises(ValueError, match="axis of the channels be the last"):
        layers.BatchNormalization(axis=1)(x, training=True, mask=np.ones((2, 3, 4)))


def test_threads_give_the_same_bits(random):
    x, y = ids(random, 64, 9), random.integers(0, 3, (64, 9))
    found = set()
    for threads in THREADS:
        pynn.config.set_num_threads(threads)
        model = network(9)
        model.fit(x, y, batch_size=16, epochs=2, verbose=0, shuffle=False)
        found.add((bits(model), *model.evaluate(x, y, batch_size=64, verbose=0)))
    assert len(found) == 1


# ---- gradients


@pytest.mark.parametrize("kind", ["mean", "steps", "softmax", "merged", "normalized"])
def test_gradients_go_through_masks(kind, random):
    x = random.normal(size=(4, 5, 3))
    x[0] = 0
    x[1, 2:] = 0
    x[2, 0] = 0
    pynn.config.set_floatx("float64")
    start = pynn.Input((5, 3))
    hidden = layers.Dense(4, activation="tanh")(layers.Masking()(start))
    if kind == "mean":
        hidden = layers.GlobalAveragePooling1D()(hidden)
    if kind == "softmax":
        hidden = layers.Softmax(axis=1)(hidden, mask=layers.Masking().compute_mask(start)[:, :, None])
    if kind == "merged":
        hidden = layers.Concatenate(axis=1)([hidden, layers.Dense(4)(start)])
    if kind == "normalized":
        hidden = layers.BatchNormalization()(hidden) * 1  # the loss sees the padded steps, too
    model = pynn.Model(start, layers.Dense(2)(hidden))
    model.compile("sgd", "mse")
    shape = model.output_shape[1:]
    y, w = random.normal(size=(4, *shape)), random.random((4, *shape[:-1]))
    training = {"training": kind == "normalized"}
    _, found = model.gradients(x, y, w, **training)
    for weight, gradient in zip(model.trainable_weights, found, strict=True):
        before = weight.numpy().copy()

        def loss(values, weight=weight):
            weight.assign(values)
            return model.gradients(x, y, w, **training)[0]

        numeric = central_difference(loss, before)
        weight.assign(before)
        assert close_gradient(numeric, gradient).all(), weight.path
    if kind == "normalized":
        return
    dy = random.normal(size=(4, *shape))
    _, slope = model.vjp(x, dy)
    moved = np.flatnonzero(x)  # a step that is padding becomes real where it moves
    numeric = central_difference(lambda values: (model.predict(values, verbose=0) * dy).sum(), x, places=moved)
    assert close_gradient(numeric.flat[moved], slope.flat[moved]).all()


# ---- sequences of targets


@pytest.mark.parametrize("masked", [True, False])
def test_targets_of_steps_in_all_their_forms(masked, random):
    """Labels (N, steps), the same as (N, steps, 1), and one-hot rows give the same loss and accuracy."""
    x, labels, w = ids(random), random.integers(0, 3, (6, 5)), random.random((6, 5))
    model = pynn.Sequential([pynn.Input((5,), dtype="int32"), layers.Embedding(9, 4, mask_zero=masked)])
    model.add(layers.Dense(3, activation="softmax"))
    found = []
    for loss, y in (
        ("sparse_categorical_crossentropy", labels),
        ("sparse_categorical_crossentropy", labels[..., None]),
        ("categorical_crossentropy", np.eye(3)[labels]),
    ):
        model.compile("sgd", loss, metrics=["accuracy"], weighted_metrics=[loss])
        found.append(model.evaluate(x, y, sample_weight=w, batch_size=6, verbose=0))
    for each in found[1:]:
        assert each == pytest.approx(found[0], rel=1e-6)
    real = (x != 0) if masked else np.ones((6, 5), bool)
    p = model.predict(x, verbose=0)
    rows = -np.log(np.take_along_axis(p, labels[..., None], -1)[..., 0])
    assert found[0][0] == pytest.approx((rows * w)[real].sum() / real.sum(), rel=1e-5)
    assert found[0][1] == pytest.approx((p.argmax(-1) == labels)[real].mean())
    assert found[0][2] == pytest.approx((rows * w)[real].sum() / w[real].sum(), rel=1e-5)


# Of Keras 3.15.1, `evaluate` on JAX: without weights, with those of samples and with those of steps. (Its `fit` counts
# all steps in metrics on JAX.)
OF_KERAS = {
    "none": [1.71653616, 0.58136022, 1.13517606, 0.67433542, 0.67433542, 0.35, 0.35],
    "samples": [1.40915072, 0.49257687, 0.91657394, 0.67433542, 0.70997304, 0.35, 0.42935136],
    "steps": [1.64510489, 0.66494340, 0.98016143, 0.67433542, 0.68079108, 0.35, 0.36513087],
}


@pytest.mark.parametrize("weights", OF_KERAS)
def test_metrics_of_real_steps_are_those_of_keras(weights):
    names = ["loss", "a_loss", "b_loss", "a_mae", "a_weighted_mae", "b_accuracy", "b_weighted_accuracy"]
    inputs = pynn.Input((5, 3))
    h = layers.LSTM(4, return_sequences=True)(layers.Masking()(inputs))
    model = pynn.Model(inputs, [layers.Dense(2, name="a")(h), layers.Dense(3, activation="softmax", name="b")(h)])
    model.set_weights([np.cos(1 + np.arange(w.size)).reshape(w.shape) / 2 for w in model.get_weights()])
    losses, metrics = ["mse", "sparse_categorical_crossentropy"], [["mae"], ["accuracy"]]
    model.compile(pynn.optimizers.SGD(0.0), losses, metrics=metrics, weighted_metrics=metrics)
    x = np.sin(np.arange(90.0)).reshape(6, 5, 3)
    for sample, length in enumerate((2, 4, 5, 1, 5, 3)):
        x[sample, length:] = 0
    y = [np.cos(np.arange(60.0)).reshape(6, 5, 2), np.arange(30).reshape(6, 5) % 3]
    w = 1 + np.sin(np.arange(30.0)).reshape(6, 5)
    for given in {"none": [None], "samples": [[w[:, :1]] * 2, [w[:, 0]] * 2], "steps": [[w, 2 - w]]}[weights]:
        rest = {"sample_weight": given, "batch_size": 4, "verbose": 0}
        found = model.evaluate(x, y, return_dict=True, **rest)
        np.testing.assert_allclose([found[name] for name in names], OF_KERAS[weights], rtol=1e-6)
        history = model.fit(x, y, shuffle=False, **rest).history
        np.testing.assert_allclose([history[name][0] for name in names], OF_KERAS[weights], rtol=1e-6)


def test_one_number_a_step(random):
    x, y = ids(random), random.integers(0, 2, (6, 5))
    model = tokens(layers.Dense(1, activation="sigmoid"), loss="binary_crossentropy", metrics=["accuracy"])
    p = model.predict(x, verbose=0)[..., 0]
    rows = -np.log(np.where(y == 1, p, 1 - p))
    for targets in (y, y[..., None]):
        loss, accuracy = model.evaluate(x, targets, verbose=0)
        assert loss == pytest.approx(rows[x != 0].mean(), rel=1e-5)
        assert accuracy == pytest.approx(((p > 0.5) == y)[x != 0].mean())


def test_classes_have_weights_beside_a_mask(random):
    x, y = ids(random), random.integers(0, 3, (6, 5))
    model = tokens(layers.Dense(3, activation="softmax"), loss="sparse_categorical_crossentropy")
    p, table = model.predict(x, verbose=0), np.array([0.5, 2.0, 1.25])
    rows = -np.log(np.take_along_axis(p, y[..., None], -1)[..., 0]) * table[y]
    found = model.train_on_batch(x, y, class_weight=dict(enumerate(table.tolist())))
    assert found == pytest.approx(rows[x != 0].sum() / (x != 0).sum(), rel=1e-5)


def test_targets_or_weights_of_other_steps_are_refused(random):
    x, y = ids(random), random.integers(0, 3, (6, 5))
    model = tokens(layers.Dense(3, activation="softmax"), loss="sparse_categorical_crossentropy")
    before = bits(model)
    with pytest.raises(ValueError, match="y must"):
        model.fit(x, y[:, :4], verbose=0)
    with pytest.raises(ValueError, match="sample_weight"):
        model.fit(x, y, sample_weight=np.ones((6, 4)), verbose=0)
    assert bits(model) == before


# ---- masks that a model is given with arrays


def test_a_model_takes_masks_of_arrays(random):
    """As the layers do; of some of its inputs, in the forms in which inputs come."""
    one, other, start = pynn.Input((None, 3), name="one"), pynn.Input((5, 3)), pynn.Input((5,), dtype="int32")
    dense, lstm, gru, embedding = layers.Dense(2), layers.LSTM(4), layers.GRU(3), layers.Embedding(9, 2)
    model = pynn.Model([one, other, start], [lstm(dense(one)), gru(other), embedding(start)])
    x, z, tokens_ = padded(random), padded(random), ids(random)
    mask = random.random((6, 5)) < 0.6
    masked = lstm(dense(x), mask=mask), gru(z, mask=~mask)
    plain = lstm(dense(x)), gru(z)
    names = [each.name for each in model.inputs]
    for given, wanted in (
        ([mask, ~mask, None], masked),
        ((mask.astype("float32"), ~mask, None), masked),
        (dict(zip(names, (mask, ~mask, None), strict=True)), masked),
        ([mask, None, None], (masked[0], plain[1])),
        ([None, (~mask).tolist(), None], (plain[0], masked[1])),
    ):
        for training in (None, True):
            *found, embedded = model([x, z, tokens_], training=training, mask=given)
            np.testing.assert_array_equal(embedded, embedding(tokens_))
            for one, other in zip(found, wanted, strict=True):
                np.testing.assert_array_equal(one, other)
    for one, other in zip(model([x, z, tokens_]), plain, strict=False):
        np.testing.assert_array_equal(one, other)
    with pytest.raises(ValueError, match="mask must be a list of 3 arrays"):
        model([x, z, tokens_], mask=[mask, mask])


def test_a_mask_comes_before_a_model_is_built(random):
    class Own(pynn.Model):
        def __init__(self):
            super().__init__()
            self.dense, self.lstm = layers.Dense(3), layers.LSTM(2)

        def call(self, x):
            return self.lstm(self.dense(x))

    x, mask = padded(random), random.random((6, 5)) < 0.6
    for model in (Own(), pynn.Sequential([layers.Dense(3), layers.LSTM(2)])):
        with pytest.raises(ValueError, match="mask of inputs of layer"):
            model(x, mask=mask[:5])
        with pytest.raises(ValueError, match="shape of their first axes"):
            model(x, mask=mask[:, :4])
        assert not model.built
        y = model(x, mask=mask)
        np.testing.assert_array_equal(y, model.layers[1](model.layers[0](x), mask=mask))
        assert (y != model(x)).any()
        with pytest.raises(ValueError, match="shape of their first axes"):
            model(x, mask=mask[:, :4])


def test_a_model_that_grows_after_a_mask(random):
    x, mask = padded(random), random.random((6, 5)) < 0.6
    model = pynn.Sequential([pynn.Input((5, 3)), layers.LSTM(2, return_sequences=True)])
    assert model(x, mask=mask).shape == (6, 5, 2)
    model.add(layers.GlobalAveragePooling1D())
    inner = model.layers[0](x, mask=mask)
    np.testing.assert_array_equal(model(x, mask=mask), model.layers[1](inner, mask=mask))


def test_a_model_of_ones_own_whose_call_asks_for_a_mask_is_told(random):
    class Asks(pynn.Model):
        def call(self, x, mask=None):
            return x if mask is None else x * mask[:, :, None]

    told = "its call has an argument mask, which only the call of a layer is given"
    with pytest.raises(TypeError, match=told):
        Asks()(padded(random), mask=np.ones((6, 5)))
    with pytest.raises(TypeError, match=told):
        Asks()(layers.Masking()(pynn.Input((5, 3))))
    with pytest.raises(TypeError, match=told):
        pynn.Sequential([pynn.Input((5, 3)), layers.Masking(), Asks()])
    assert Asks()(padded(random)).shape == (6, 5, 3)


def test_masks_of_layers_of_several_outputs(random):
    x, mask = padded(random), random.random((6, 5)) < 0.6
    assert layers.LSTM(2, return_state=True).compute_mask(x, mask) == [None] * 3
    assert layers.GRU(2, return_state=True, return_sequences=True).compute_mask(x) == [None] * 2
    found, *states = layers.LSTM(2, return_state=True, return_sequences=True).compute_mask(x, mask)
    np.testing.assert_array_equal(found, mask)
    assert states == [None, None]
    one, other, *states = layers.Bidirectional(
        layers.GRU(2, return_state=True, return_sequences=True), merge_mode=None
    ).compute_mask(x, mask)
    np.testing.assert_array_equal(one, mask)
    np.testing.assert_array_equal(other, mask)
    assert states == [None, None]
    both = layers.Bidirectional(layers.GRU(2, return_sequences=True))
    np.testing.assert_array_equal(both.compute_mask(x, mask), mask)


def test_own_layer_that_computes_with_a_mask_of_any_length():
    """Keras's guide has such a layer: a softmax over the steps that are real."""

    class TemporalSoftmax(layers.Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.supports_masking = True

        def call(self, inputs, mask=None):
            real = pynn.ops.expand_dims(mask, -1)
            numbers = pynn.ops.exp(inputs) * real
            return numbers / pynn.ops.sum(numbers, axis=1, keepdims=True)

    ids = pynn.Input((None,), dtype="int32")
    scores = layers.Embedding(9, 1, mask_zero=True)
    model = pynn.Model(ids, TemporalSoftmax()(scores(ids)))
    table = scores.embeddings.numpy()
    for steps in (4, 6):
        given = np.random.default_rng(steps).integers(0, 9, (3, steps))
        given[:, 0] = 5
        numbers = np.exp(table[given]) * (given != 0)[..., None]
        np.testing.assert_allclose(model(given), numbers / numbers.sum(axis=1, keepdims=True), rtol=1e-6)


def test_own_layer_that_says_nothing_of_masks_is_told(random):
    class Doubled(layers.Layer):
        def call(self, x):
            return 2 * x

    class Asks(layers.Layer):
        def call(self, x, mask=None):
            return 2 * x

    def model_of(layer):
        return pynn.Sequential([pynn.Input((3, 2)), layers.Masking(), layer, layers.LSTM(2)])

    x = random.normal(size=(2, 3, 2))
    with pytest.warns(UserWarning, match=r"Layer 'doubled.*' \(Doubled\) got an input with a mask"):
        model_of(Doubled())(x)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model_of(Asks())(x)
        handing_on = Doubled()
        handing_on.supports_masking = True
        model_of(handing_on)(x)


@pytest.mark.parametrize("steps", [5, None])
def test_mean_of_another_axis_than_that_of_the_mask_names_the_layer(steps):
    mean = layers.GlobalAveragePooling1D(data_format="channels_first", name="mean")
    model = pynn.Sequential([pynn.Input((steps, 2)), layers.Masking(), mean])
    with pytest.raises(ValueError, match=r"'mean'.*channels_first.*have 2 steps.*mask of shape \(5,\)"):
        model.predict(np.ones((1, 5, 2)), verbose=0)


def test_a_call_that_insists_on_a_mask_is_in_the_table(random):
    class Strict(layers.Layer):
        def call(self, x, mask=None):
            assert mask is not None
            return x * ops.expand_dims(mask, -1)

    model, texts = tokens(Strict(), layers.Dense(2)), []
    model.summary(print_fn=texts.append)
    assert "(None, 5, 4)" in texts[0]
    assert model.layers[1].output_shape == (None, 5, 4)


@pytest.mark.parametrize("by_name", [False, True])
def test_a_mask_beside_several_tensors_is_one_more_of_them(by_name, random):
    class Attend(layers.Layer):
        """As in TensorFlow's tutorial."""

        def call(self, v, k, q, mask, scale=1.0):
            scores = scale * ops.matmul(q, ops.transpose(k, (0, 2, 1)))
            if mask is not None:
                scores += mask * -1e9
            return ops.matmul(ops.softmax(scores), v)

    x, y = random.normal(size=(3, 4, 2)), random.normal(size=(3, 5, 2))
    hidden = np.zeros((3, 1, 4))
    hidden[0, 0, 2:] = 1
    a, b, m = pynn.Input((4, 2)), pynn.Input((5, 2)), pynn.Input((1, 4))
    for told in ({}, {"scale": 0.5}):
        outputs = Attend()(a, a, b, mask=m, **told) if by_name else Attend()(a, a, b, m, **told)
        made = pynn.Model([a, b, m], outputs).predict([x, y, hidden], verbose=0)
        scores = told.get("scale", 1.0) * y @ x.swapaxes(1, 2) - 1e9 * hidden
        shares = np.exp(scores - scores.max(-1, keepdims=True))
        np.testing.assert_allclose(made, shares / shares.sum(-1, keepdims=True) @ x, rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(Attend()(x, x, y, hidden, **told), made, rtol=1e-4, atol=1e-6)
    assert Attend()(x, x, y, None).shape == (3, 5, 2)
    assert pynn.Model([a, b], Attend()(a, a, b, None)).predict([x, y], verbose=0).shape == (3, 5, 2)

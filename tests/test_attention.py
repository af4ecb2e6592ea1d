"""Layers of attention: against the reference, with masks, in models and files, and what they refuse."""

import numpy as np
import pytest
from helpers import THREADS, bits, close_gradient
from reference import attention, central_difference, softmax

import pynn
from pynn import layers

RANDOM = np.random.default_rng(3)
B, T, S, D = 3, 5, 6, 8


@pytest.fixture(autouse=True)
def double():
    pynn.config.set_floatx("float64")


def arrays(*shapes):
    return [RANDOM.normal(size=(B, *shape)) for shape in shapes]


def multi_head(layer, query, value, key=None, masks=(), **settings):
    """The output and the scores of a layer, from its weights."""
    kernels, bias = {}, {}
    for weight in layer.weights:
        name = weight.path.split("/")[1]
        (bias if weight.name == "bias" else kernels)[name] = weight.numpy()

    def project(x, name, summed=1):
        return np.tensordot(x, kernels[name], summed) + bias.get(name, 0)

    key = value if key is None else key
    q, k, v = project(query, "query"), project(key, "key"), project(value, "value")
    y, scores = attention(q, k, v, masks, 1 / np.sqrt(q.shape[-1]), **settings)
    if "gate" in kernels:
        y = y / (1 + np.exp(-project(query, "gate")))
    return project(y, "attention_output", 2), scores


def shake(layer):
    """Weights that are not 0, biases too."""
    layer.set_weights([RANDOM.normal(0, 0.5, w.shape) for w in layer.get_weights()])


MAKERS = [
    lambda: layers.MultiHeadAttention(2, 3),
    lambda: layers.MultiHeadAttention(2, 3, value_dim=5, output_shape=4, use_bias=False),
    lambda: layers.MultiHeadAttention(2, 3, use_gate=True, output_shape=(2, 3)),
    lambda: layers.GroupQueryAttention(3, 4, 2),
    lambda: layers.GroupedQueryAttention(2, 4, 1, use_gate=True, use_bias=False),
]
every_layer = pytest.mark.parametrize("make", MAKERS, ids=range(len(MAKERS)))


@every_layer
def test_value(make):
    query, value, key = arrays((T, D), (S, 4), (S, 7))
    layer = make()
    layer.build((None, T, D), (None, S, 4), (None, S, 7))
    shake(layer)
    expected, scores = multi_head(layer, query, value, key)
    np.testing.assert_allclose(layer(query, value, key), expected, rtol=1e-10, atol=1e-12)
    found = layer(query, value, key, return_attention_scores=True)
    assert isinstance(found, tuple)
    np.testing.assert_allclose(found[0], expected, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(found[1], scores, rtol=1e-10, atol=1e-12)
    causal, _ = multi_head(layer, query, value, key, causal=True)
    np.testing.assert_allclose(layer(query, value, key, use_causal_mask=True), causal, rtol=1e-10, atol=1e-12)
    assert layer.compute_output_shape((B, T, D), (B, S, 4), (B, S, 7)) == expected.shape


@every_layer
def test_gradients(make):
    """Of all weights, through a model with a causal call and one that gives its scores."""
    x, y, layer = pynn.Input((T, D)), pynn.Input((S, D)), make()
    found, scores = layer(x, y, return_attention_scores=True)
    outputs = [layers.Flatten()(each) for each in (found + layer(x, y, use_causal_mask=True), scores)]
    model = pynn.Model([x, y], layers.Dense(1)(layers.Concatenate()(outputs)))
    shake(layer)
    data, target = arrays((T, D), (S, D)), RANDOM.normal(size=(B, 1))
    model.compile(pynn.optimizers.SGD(1.0), "mse")
    start = model.get_weights()
    model.train_on_batch(data, target)
    stepped = model.get_weights()
    for i, weight in enumerate(start):

        def loss(w, i=i):
            model.set_weights([*start[:i], w, *start[i + 1 :]])
            return model.test_on_batch(data, target)

        places = np.unique(np.linspace(0, weight.size - 1, min(weight.size, 12)).astype(int))
        numeric = central_difference(loss, weight, places=places)
        assert close_gradient(numeric, weight - stepped[i]).flat[places].all()


@pytest.mark.parametrize("scores", [False, True])
def test_masks_hold_together(scores):
    """Query, value and key masks, one of pairs, and the causal order; a query without a key gets what Keras gives."""
    query, value = arrays((T, D), (T, D))
    layer = layers.MultiHeadAttention(2, 3)
    layer.build((None, T, D), (None, T, D))
    shake(layer)
    of_query, of_value, of_key = (RANDOM.random((B, T)) < 0.7 for _ in range(3))
    pairs = RANDOM.random((B, T, T)) < 0.7
    masks = [of_query[:, None, :, None], of_value[:, None, None], of_key[:, None, None], pairs[:, None]]
    expected = multi_head(layer, query, value, None, masks, causal=True, all_masked="zeros" if scores else "mean")
    found = layer(
        query,
        value,
        query_mask=of_query,
        value_mask=of_value,
        key_mask=of_key,
        attention_mask=pairs,
        use_causal_mask=True,
        return_attention_scores=scores,
    )
    for a, b in zip(found if scores else [found], expected, strict=False):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("shape", [(T, S), (1, T, S), (B, T, S), (B, 1, S), (B, T, 1), (B, 2, T, S), (1, 1, T, S)])
@pytest.mark.parametrize("dtype", [bool, np.int64, np.float64])
def test_shapes_of_attention_masks(shape, dtype):
    query, value = arrays((T, D), (S, D))
    layer = layers.MultiHeadAttention(2, 3)
    mask = (RANDOM.random(shape) < 0.6).astype(dtype)
    found = layer(query, value, attention_mask=mask)
    wide = mask[None] if mask.ndim == 2 else mask
    wide = wide[:, None] if wide.ndim == 3 else wide
    expected, _ = multi_head(layer, query, value, None, [np.broadcast_to(wide, (B, 2, T, S))])
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("scores", [False, True])
@pytest.mark.parametrize("make", [lambda **s: layers.MultiHeadAttention(2, 3, **s), lambda **s: MAKERS[3]()])
def test_field_case_150(make, scores, dtype):
    """A query all of whose keys are masked: finite, and all other rows unchanged."""
    pynn.config.set_floatx(dtype)
    query, value = (x[:2].astype(dtype) for x in arrays((4, D), (4, D)))
    layer, mask = make(), np.ones((2, 4, 4))
    found = []
    for each in (1, 0):
        mask[1, 2] = each
        y = layer(query, value, attention_mask=mask, return_attention_scores=scores)
        found.append(y[0] if scores else y)
    before, after = found
    assert np.isfinite(after).all()
    changed = np.abs(after - before).max(axis=-1) > 0
    assert changed.sum() == 1
    assert changed[1, 2]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "make",
    [
        lambda: layers.MultiHeadAttention(2, 3),
        lambda: layers.MultiHeadAttention(2, 3, dropout=0.1),
        lambda: layers.GroupQueryAttention(3, 4, 2),
        layers.Attention,
        layers.AdditiveAttention,
        lambda: layers.Attention(use_scale=True, score_mode="concat"),
    ],
)
def test_a_sample_of_padding_alone(make, dtype):
    """150: its outputs are finite, and so are all weights after training; it counts for nothing."""
    pynn.config.set_floatx(dtype)
    tokens = pynn.Input((4,), dtype="int32")
    x = layers.Embedding(9, D, mask_zero=True)(tokens)
    layer = make()
    y = layer([x, x], use_causal_mask=True) if isinstance(layer, layers.Attention | layers.AdditiveAttention) else None
    y = layer(x, x, use_causal_mask=True) if y is None else y
    model = pynn.Model(tokens, layers.Dense(2)(y))
    model.compile("adam", "mse")
    given, target = RANDOM.integers(1, 9, (4, 4)), RANDOM.normal(size=(4, 4, 2))
    before = model.predict(given, verbose=0)
    given[1] = 0
    after = model.predict(given, verbose=0)
    assert np.isfinite(after).all()
    np.testing.assert_array_equal(after[[0, 2, 3]], before[[0, 2, 3]])
    loss = model.evaluate(given[[0, 2, 3]], target[[0, 2, 3]], verbose=0)
    assert model.evaluate(given, target, verbose=0) == pytest.approx(loss, rel=1e-14)
    model.fit(given, target, epochs=3, verbose=0)
    assert all(np.isfinite(weight).all() for weight in model.get_weights())


def test_axes_between_samples_and_features():
    """More of them are attended to together."""
    x = RANDOM.normal(size=(B, 2, 3, D))
    layer, flat = layers.MultiHeadAttention(2, 3), layers.MultiHeadAttention(2, 3)
    y, scores = layer(x, x, return_attention_scores=True)
    assert y.shape == x.shape
    assert scores.shape == (B, 2, 2, 3, 2, 3)
    flat.build((None, 6, D), (None, 6, D))
    flat.set_weights(layer.get_weights())
    np.testing.assert_array_equal(flat(x.reshape(B, 6, D), x.reshape(B, 6, D)).reshape(x.shape), y)
    same = layers.MultiHeadAttention(2, 3, attention_axes=(1, 2))
    same.build(x.shape, x.shape)
    same.set_weights(layer.get_weights())
    np.testing.assert_array_equal(same(x, x), y)


# Sizes of query and key between samples and features, the axes, and their order: the others first.
AXES = [
    ((2, 5), (2, 4), 2, (0, 1)),
    ((2, 5), (2, 4), (-2,), (0, 1)),
    ((5, 2), (4, 2), 1, (1, 0)),
    ((2, 3), (4, 5), (2, 1), (1, 0)),
    ((2, 5, 3), (2, 4, 3), (2,), (0, 2, 1)),
    ((2, 3, 4), (5, 3, 2), (1, 3), (1, 0, 2)),
    ((2, 3, 4), (5, 3, 2), (3, 1), (1, 2, 0)),
    ((3, 2, 4), (3, 2, 4), (3,), (0, 1, 2)),
]


def in_order(x, order):
    """The axes between samples and the rest in another order."""
    return x.transpose(0, *(axis + 1 for axis in order), *range(len(order) + 1, x.ndim))


@pytest.mark.parametrize(("of_query", "of_key", "axes", "order"), AXES)
@pytest.mark.parametrize("make", [dict, lambda: {"use_gate": True, "output_shape": (2, 2), "value_dim": 2}])
def test_attention_axes(of_query, of_key, axes, order, make):
    """As attention of so many more samples; with all masks at once."""
    query, value = arrays((*of_query, D), (*of_key, 4))
    layer, flat = (
        layers.MultiHeadAttention(2, 3, attention_axes=axes, **make()),
        layers.MultiHeadAttention(2, 3, **make()),
    )
    layer.build(query.shape, value.shape)
    shake(layer)
    attended = 1 if isinstance(axes, int) else len(axes)
    others = [of_query[axis] for axis in order[:-attended]]
    t, s = (tuple(sizes[axis] for axis in order[-attended:]) for sizes in (of_query, of_key))
    of_each, of_all, count = int(np.prod(t)), int(np.prod(s)), int(np.prod(others))
    q = in_order(query, order).reshape(B * count, of_each, D)
    v = in_order(value, order).reshape(B * count, of_all, 4)
    flat.build(q.shape, v.shape)
    flat.set_weights(layer.get_weights())
    y, scores = flat(q, v, return_attention_scores=True)
    found = layer(query, value, return_attention_scores=True)
    np.testing.assert_array_equal(in_order(found[0], order).reshape(y.shape), y)
    np.testing.assert_array_equal(found[1], scores.reshape(B, *others, 2, *t, *s))
    assert layer.compute_output_shape(query.shape, value.shape) == found[0].shape
    masks = RANDOM.random((B, *of_query)) < 0.7, RANDOM.random((B, *of_key)) < 0.7
    flat_masks = [in_order(mask, order).reshape(B * count, -1) for mask in masks]
    for lead in ([], others[:1], others, [*others, 2], [1] * len(others) + [2]):
        pairs = RANDOM.random((B, *lead, *t, *s)) < 0.8
        whole = pairs.reshape(B, *lead, *[1] * (len(others) + 1 - len(lead)), of_each, of_all)
        whole = np.broadcast_to(whole, (B, *others, 2, of_each, of_all)).reshape(-1, 2, of_each, of_all)
        # A query without a key gets zeros where there are more axes, and where scores are asked for
        y, _ = flat(q, v, None, flat_masks[0], flat_masks[1], None, whole, return_attention_scores=True)
        found = layer(query, value, query_mask=masks[0], value_mask=masks[1], attention_mask=pairs)
        np.testing.assert_array_equal(in_order(found, order).reshape(y.shape), y)
    if attended == 1:
        y, _ = flat(q, v, use_causal_mask=True, return_attention_scores=True)
        found = layer(query, value, use_causal_mask=True)
        np.testing.assert_array_equal(in_order(found, order).reshape(y.shape), y)


def test_attention_axes_in_a_model(tmp_path):
    """Gradients of inputs and weights; one sample alone, threads, a file, and an axis of any length."""
    x = pynn.Input((4, None, D))
    layer = layers.MultiHeadAttention(2, 3, attention_axes=1)
    model = pynn.Model(x, layer(x, x, use_causal_mask=True))
    shake(layer)
    (data,) = arrays((4, 3, D))
    dy = RANDOM.normal(size=data.shape)
    found, slope = model.vjp(data, dy)
    assert close_gradient(central_difference(lambda value: (model(value) * dy).sum(), data), slope).all()
    for weight, gradient in zip(model.trainable_weights, found, strict=True):
        before = weight.numpy().copy()

        def total(values, weight=weight):
            weight.assign(values)
            return (model(data) * dy).sum()

        assert close_gradient(central_difference(total, before), gradient).all()
        weight.assign(before)
    model.save(tmp_path / "model.pynn")
    y = model(data)
    np.testing.assert_array_equal(pynn.load_model(tmp_path / "model.pynn")(data), y)
    np.testing.assert_array_equal(model(data[1:2]), y[1:2])
    np.testing.assert_array_equal(model(data[:, :, :2].copy()), y[:, :, :2])
    assert len({(pynn.config.set_num_threads(n), model.predict(data, verbose=0).tobytes())[1] for n in THREADS}) == 1


@pytest.mark.parametrize("shape", [(T, T), (1, T, T), (1, 2, T, T), (1, 1, T), (1, T, 1)])
@pytest.mark.parametrize("dtype", [bool, "int64", "float64"])
def test_an_array_as_the_mask_of_a_symbolic_query(shape, dtype, tmp_path):
    mask = (RANDOM.random(shape) < 0.6).astype(dtype)
    start, (data,) = pynn.Input((T, D)), arrays((T, D))
    layer = layers.MultiHeadAttention(2, 3)
    model = pynn.Model(start, layer(start, start, attention_mask=mask))
    y = model.predict(data, verbose=0)
    np.testing.assert_array_equal(y, layer(data, data, attention_mask=mask))
    assert [each.name for each in model.layers] == [start.name, layer.name]
    model.save(tmp_path / "model.pynn")
    for other in (pynn.load_model(tmp_path / "model.pynn"), pynn.models.clone_model(model)):
        other.set_weights(model.get_weights())
        np.testing.assert_array_equal(other.predict(data, verbose=0), y)
    model.compile("sgd", "mse")
    model.fit(data, data, verbose=0)


def masked_model(**more):
    tokens = pynn.Input((None,), dtype="int32")
    x = layers.Embedding(9, D, mask_zero=True)(tokens)
    y = layers.MultiHeadAttention(2, 3, **more)(x, x, use_causal_mask=bool(more))
    return pynn.Model(tokens, layers.Dense(2)(y))


@pytest.mark.parametrize("more", [{}, {"sliding_window": 2}])
@pytest.mark.parametrize(("before", "after"), [(0, 4), (4, 0), (3, 2), (0, 100)])
def test_padding_changes_no_bit(before, after, more):
    """In front of real steps that holds up to 64 steps in all: docs/masks.md."""
    model, ids = masked_model(**more), RANDOM.integers(1, 9, (B, T))
    padded = np.pad(ids, [(0, 0), (before, after)])
    found = model.predict(padded, verbose=0)[:, before : before + T]
    np.testing.assert_array_equal(found, model.predict(ids, verbose=0))


def test_mask_goes_on_to_the_loss():
    model, ids = masked_model(), RANDOM.integers(1, 9, (B, T))
    model.compile("sgd", "mse")
    y = RANDOM.normal(size=(B, T + 2, 2))
    padded = np.pad(ids, [(0, 0), (0, 2)])
    expected = model.evaluate(ids, y[:, :T], verbose=0)
    np.testing.assert_allclose(model.evaluate(padded, y, verbose=0), expected, rtol=1e-12)


def test_a_sample_alone_and_thread_counts_have_the_same_bits():
    x = pynn.Input((70, D))
    y = layers.MultiHeadAttention(2, 3, dropout=0.2, seed=1)(x, x, use_causal_mask=True)
    model = pynn.Model(x, layers.Dense(3)(layers.LayerNormalization()(x + y)))
    data, target = RANDOM.normal(size=(4, 70, D)), RANDOM.normal(size=(4, 70, 3))
    whole = model.predict(data, verbose=0)
    for i in range(4):
        np.testing.assert_array_equal(model.predict(data[i : i + 1], verbose=0)[0], whole[i])
    start, found = model.get_weights(), []
    for threads in THREADS:
        pynn.config.set_num_threads(threads)
        model.set_weights(start)
        model.compile("adam", "mse")
        model.fit(data, target, batch_size=2, epochs=2, shuffle=False, verbose=0)
        found.append(bits(model))
    assert len(set(found)) == 1


def test_dropout_is_for_training():
    query, value = arrays((T, D), (S, D))
    layer, same = layers.MultiHeadAttention(2, 3, dropout=0.5), layers.MultiHeadAttention(2, 3)
    expected = layer(query, value)
    same.build((None, T, D), (None, S, D))
    same.set_weights(layer.get_weights())
    np.testing.assert_array_equal(same(query, value), expected)
    first, second = layer(query, value, training=True), layer(query, value, training=True)
    assert np.abs(first - expected).max() > 1e-3
    assert np.abs(first - second).max() > 1e-3


# ---- attention of one head


def one_head(mode, query, value, key, scale=1.0, weight=1.0, mask=None, causal=False):
    if mode == "dot":
        s = scale * np.einsum("bqd,bkd->bqk", query, key)
    else:
        s = (weight * np.tanh(scale * (query[:, :, None] + key[:, None]))).sum(-1)
    allowed = np.tri(*s.shape[1:], dtype=bool) if causal else np.ones(s.shape[1:], bool)
    allowed = allowed & (np.ones((B, 1, 1), bool) if mask is None else mask[:, None])
    p = softmax(np.where(allowed, s, s - 1e9))
    return p @ value, p


@pytest.mark.parametrize("mode", ["dot", "concat", "additive"])
@pytest.mark.parametrize("use_scale", [False, True])
@pytest.mark.parametrize("causal", [False, True])
def test_one_head(mode, use_scale, causal):
    query, value, key = arrays((T, D), (S, 4), (S, D))
    mask = RANDOM.random((B, S)) < 0.7
    mask[0] = False
    kind, more = (layers.AdditiveAttention, {}) if mode == "additive" else (layers.Attention, {"score_mode": mode})
    layer = kind(use_scale=use_scale, **more)
    layer.build([(None, T, D), (None, S, 4), (None, S, D)])
    shake(layer)
    found = {weight.name: weight.numpy() for weight in layer.weights}
    scale, weight = found.get("scale", 1.0), found.get("concat_score_weight", 1.0)
    scale, weight = (1.0, scale) if mode == "additive" else (scale, weight)
    for given in (None, mask):
        expected = one_head(mode, query, value, key, scale, weight, given, causal)
        masks = None if given is None else [None, given]
        seen = layer([query, value, key], mask=masks, use_causal_mask=causal, return_attention_scores=True)
        for a, b in zip(seen, expected, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-7)
        np.testing.assert_allclose(
            layer([query, value, key], mask=masks, use_causal_mask=causal), seen[0], rtol=1e-9, atol=1e-12
        )
    of_query = np.arange(T) < 3
    kept = layer([query, value, key], mask=[np.tile(of_query, (B, 1)), None])
    whole = layer([query, value, key])
    np.testing.assert_array_equal(kept, np.where(of_query[:, None], whole, 0))


ONE_HEAD = [layers.Attention, layers.AdditiveAttention, lambda **m: layers.Attention(True, "concat", **m)]


@pytest.mark.parametrize("make", ONE_HEAD)
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("others", [(2,), (2, 3)])
def test_one_head_at_each_place(make, causal, others):
    """Of images, say, as in Keras."""
    inputs, layer = arrays((*others, T, D), (*others, S, 4), (*others, S, D)), make()
    with_scores = layer(inputs, use_causal_mask=causal, return_attention_scores=True)
    alone = layer(inputs, use_causal_mask=causal)
    assert with_scores[0].shape == (B, *others, T, 4)
    assert with_scores[1].shape == (B, *others, T, S)
    for place in np.ndindex(others):
        at = (slice(None), *place)
        expected = layer([x[at] for x in inputs], use_causal_mask=causal, return_attention_scores=True)
        for found, value in zip(with_scores, expected, strict=True):
            np.testing.assert_allclose(found[at], value, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(alone[at], expected[0], rtol=1e-6, atol=1e-9)


def test_weights_of_one_head_have_names():
    query, value = arrays((T, D), (S, D))
    both, none, additive = layers.Attention(True, "concat"), layers.Attention(), layers.AdditiveAttention()
    for layer in (both, none, additive):
        layer([query, value])
    assert [both.scale, both.concat_score_weight] == both.weights
    assert none.scale is none.concat_score_weight is None
    assert [additive.scale] == additive.weights


@pytest.mark.parametrize(
    ("make", "shapes"), [(make, ((T, D), (S, D))) for make in ONE_HEAD] + [(layers.Attention, ((2, T, D), (2, S, D)))]
)
def test_gradients_of_one_head(make, shapes):
    query, value = map(pynn.Input, shapes)
    layer = make(dropout=0.3, seed=2)
    found, scores = layer([layers.Dense(D)(query), layers.Dense(D)(value)], return_attention_scores=True)
    model = pynn.Model([query, value], layers.Dense(1)(layers.Flatten()(layers.Concatenate()([found, scores]))))
    data, target = arrays(*shapes), RANDOM.normal(size=(B, 1))
    start = model.get_weights()

    def loss(i, w):
        model.compile(pynn.optimizers.SGD(1.0), "mse")  # so that the step is the first again, and its noise the same
        model.set_weights([*start[:i], w, *start[i + 1 :]])
        return model.train_on_batch(data, target)

    loss(0, start[0])
    stepped = model.get_weights()
    for i, weight in enumerate(start):
        places = np.unique(np.linspace(0, weight.size - 1, min(weight.size, 8)).astype(int))
        numeric = central_difference(lambda w, i=i: loss(i, w), weight, places=places)
        assert close_gradient(numeric, weight - stepped[i]).flat[places].all()


# ---- configurations, files, weights


def several_calls():
    """One layer, called in several ways."""
    x, mask = pynn.Input((T, D), name="x"), pynn.Input((T, T), name="mask")
    layer = layers.MultiHeadAttention(2, 3, name="attention")
    y, scores = layer(x, x, return_attention_scores=True, use_causal_mask=True)
    y = layer(y, x, x, attention_mask=mask)
    pair = layers.Attention(name="pair")([y, x], use_causal_mask=True)
    return pynn.Model([x, mask], [pair + layer(x, y), scores])


def test_calls_are_kept_in_files(tmp_path):
    model = several_calls()
    data = [*arrays((T, D)), (RANDOM.random((B, T, T)) < 0.7) * 1.0]
    expected = model.predict(data, verbose=0)
    model.save(tmp_path / "model.pynn")
    for other in (pynn.load_model(tmp_path / "model.pynn"), pynn.models.clone_model(model)):
        other.set_weights(model.get_weights())
        assert other.get_config()["layers"] == model.get_config()["layers"]
        for a, b in zip(other.predict(data, verbose=0), expected, strict=True):
            np.testing.assert_array_equal(a, b)


def test_config_of_calls_is_checked():
    config = several_calls().get_config()
    (entry,) = [each for each in config["layers"] if each["name"] == "attention"]
    assert entry["inbound_nodes"][0]["kwargs"] == {
        "inputs": ["query", "value"],
        "return_attention_scores": True,
        "use_causal_mask": True,
    }
    assert entry["inbound_nodes"][1]["kwargs"] == {"inputs": ["query", "value", "key", "attention_mask"]}
    for wrong in (["value", "query"], ["query"], "query", ["query", "value", "key"], 3):
        entry["inbound_nodes"][0]["kwargs"]["inputs"] = wrong
        with pytest.raises(ValueError, match="attention"):
            pynn.Model.from_config(config)
    entry["inbound_nodes"][0]["kwargs"] = {"inputs": ["query", "value"], "use_causal_mask": "yes"}
    with pytest.raises(ValueError, match="attention"):
        pynn.Model.from_config(config)


@pytest.mark.parametrize("make", [*MAKERS, layers.Attention, layers.AdditiveAttention])
def test_config(make):
    layer = make()
    assert type(layer).from_config(layer.get_config()).get_config() == layer.get_config()
    assert pynn.layers.deserialize(pynn.layers.serialize(layer)).get_config() == layer.get_config()


def test_weights_have_the_names_shapes_and_order_of_keras():
    layer = layers.MultiHeadAttention(2, 3, value_dim=5, use_gate=True, name="mha")
    layer.build((None, T, 8), (None, S, 4), (None, S, 7))
    assert [(weight.path, weight.shape) for weight in layer.weights] == [
        ("mha/query/kernel", (8, 2, 3)),
        ("mha/query/bias", (2, 3)),
        ("mha/key/kernel", (7, 2, 3)),
        ("mha/key/bias", (2, 3)),
        ("mha/gate/kernel", (8, 2, 5)),
        ("mha/gate/bias", (2, 5)),
        ("mha/value/kernel", (4, 2, 5)),
        ("mha/value/bias", (2, 5)),
        ("mha/attention_output/kernel", (2, 5, 8)),
        ("mha/attention_output/bias", (8,)),
    ]
    grouped = layers.GroupQueryAttention(3, 4, 2)
    grouped.build((None, T, 8), (None, S, 8))
    assert grouped.name.startswith("grouped_query_attention")
    assert [weight.shape for weight in grouped.weights if weight.name == "kernel"] == [
        *((8, 4, 3), (8, 2, 3), (8, 2, 3), (4, 3, 8))
    ]
    # Bounds of glorot_uniform: a projection counts as a matrix.
    assert np.abs(layer.weights[0].numpy()).max() <= np.sqrt(6 / (8 + 6))


def test_penalties_are_those_of_all_projections():
    x = pynn.Input((T, D))
    layer = layers.MultiHeadAttention(2, 3, activity_regularizer="l1", kernel_regularizer="l2")
    model = pynn.Model(x, layer(x, x))
    model.compile("sgd", "mse")
    (data,) = arrays((T, D))
    y = model.predict(data, verbose=0)
    w = {weight.path.split("/")[1]: weight.numpy() for weight in layer.weights if weight.name == "kernel"}
    outputs = [np.tensordot(data, w[name], 1) for name in ("query", "key", "value")]
    expected = sum(0.01 * np.abs(each).sum() / B for each in (*outputs, y))
    expected += sum(0.01 * np.square(each).sum() for each in w.values())
    np.testing.assert_allclose(model.evaluate(data, y, verbose=0), expected, rtol=1e-10)


@pytest.mark.parametrize(("scores", "expected"), [(False, 2.7908916), (True, 2.8308916)])
def test_penalties_of_grouped_queries_are_those_of_keras(scores, expected):
    """Keras counts the output twice, and the scores where they come along."""
    data = np.random.default_rng(0).normal(size=(4, 2, 6)).astype("float32")
    x = pynn.Input((2, 6))
    layer = layers.GroupQueryAttention(2, 2, 1, activity_regularizer="l1", kernel_initializer="ones")
    y = layer(x, x, return_attention_scores=scores)
    model = pynn.Model(x, (y[0] if scores else y) * 0)
    model.compile("sgd", "mse")
    np.testing.assert_allclose(model.evaluate(data, data * 0, verbose=0), expected, rtol=1e-6)
    assert layer.activity_regularizer.l1 == 0.01


# ---- what is refused

x3, x5, start3 = np.zeros((B, T, D)), np.zeros((B, S, D)), pynn.Input((T, D))
REFUSED = [
    (lambda: layers.MultiHeadAttention(0, 3), "num_heads"),
    (lambda: layers.MultiHeadAttention(2, 1.5), "key_dim"),
    (lambda: layers.MultiHeadAttention(2, 3, value_dim=0), "value_dim"),
    (lambda: layers.MultiHeadAttention(2, 3, dropout=2), "dropout"),
    (lambda: layers.MultiHeadAttention(2, 3, sliding_window=0), "sliding_window"),
    (lambda: layers.MultiHeadAttention(2, 3, attention_axes="time"), "attention_axes"),
    (lambda: layers.MultiHeadAttention(2, 3, attention_axes=2)(x3, x5), "must be among the axes .*, 1"),
    (lambda: layers.MultiHeadAttention(2, 3, attention_axes=0)(x3, x5), "must be among the axes"),
    (lambda: layers.MultiHeadAttention(2, 3, attention_axes=(1, -2))(x3, x5), "must be among the axes"),
    (lambda: layers.MultiHeadAttention(2, 3, attention_axes=2)(x3[:, None], x5[:, [0, 0]]), "the same sizes along all"),
    (lambda: layers.MultiHeadAttention(2, 3, attention_axes=1)(x3[:, None], x3), "the same sizes along all"),
    (
        lambda: layers.MultiHeadAttention(2, 3, attention_axes=(1, 2))(x3[:, None], x3[:, None], use_causal_mask=True),
        "one axis only",
    ),
    (
        lambda: layers.MultiHeadAttention(2, 3, attention_axes=2)(
            x3[:, None], x3[:, None], attention_mask=np.ones((B, 2, T, T))
        ),
        r"of shape \(None, 1, 5, 5\), perhaps with 2 heads behind \(1,\)",
    ),
    (lambda: layers.MultiHeadAttention(2, 3)(start3, start3, attention_mask=np.ones((B, T, T))), "all samples"),
    (lambda: layers.MultiHeadAttention(2, 3)(start3, start3, attention_mask=np.ones((T, S))), "attention_mask"),
    (lambda: layers.MultiHeadAttention(2, 3)(start3, start3, attention_mask="causal"), "attention_mask"),
    (lambda: layers.MultiHeadAttention(2, 3, dropout=0.1, flash_attention=True), "flash_attention"),
    (lambda: layers.MultiHeadAttention(2, 3, flash_attention=True)(x3, x5, return_attention_scores=True), "flash"),
    (lambda: layers.GroupQueryAttention(3, 4, 3), "num_query_heads"),
    (lambda: layers.Attention(score_mode="sum"), "score_mode"),
    (lambda: layers.MultiHeadAttention(2, 3)(x3), "value"),
    (lambda: layers.MultiHeadAttention(2, 3)(x3, x5[:, :, 0]), "sequences"),
    (lambda: layers.MultiHeadAttention(2, 3)(x3, x5, x3), "a value and a key of the same lengths"),
    (lambda: layers.MultiHeadAttention(2, 3)(x3, x5[:2]), "the same number of samples"),
    (lambda: layers.MultiHeadAttention(2, 3)(x3, x5, attention_mask=np.ones((B, S, T))), "attention_mask"),
    (lambda: layers.MultiHeadAttention(2, 3)(x3, x5, attention_mask=np.ones((B, 3, T, S))), "attention_mask"),
    (lambda: layers.MultiHeadAttention(2, 3)(x3, x5, attention_mask=np.ones((B, S))), "attention_mask"),
    (lambda: layers.MultiHeadAttention(2, 3)(x3, x5, value_mask=np.ones((B, T))), "mask"),
    (lambda: layers.MultiHeadAttention(2, 3)(x3, x5, use_causal_mask="yes"), "use_causal_mask"),
    (lambda: layers.MultiHeadAttention(2, 3)(x3, pynn.Input((S, D))), "symbolic tensors together"),
    (lambda: layers.Attention()(x3), "list"),
    (lambda: layers.Attention()([x3]), "query, value"),
    (lambda: layers.Attention()([x3, x5[:, :, :4]]), "of the same size"),
    (lambda: layers.Attention()([x3, x5], mask=np.ones((B, T))), "mask"),
    (lambda: layers.Attention()([x3, x5], mask=[None, np.ones((B, T))]), "mask"),
    (lambda: layers.Attention()([x3[:, None], x5[:, None, None]]), "same axes in front"),
    (lambda: layers.Attention()([x3[:, None]] * 2, mask=[None, np.ones((B, 1))]), "masks for samples of shape"),
]


@pytest.mark.parametrize(("call", "message"), REFUSED, ids=range(len(REFUSED)))
def test_refused(call, message):
    with pytest.raises((TypeError, ValueError), match=message):
        call()


def test_a_refused_call_leaves_the_layer_as_it_was():
    layer = layers.MultiHeadAttention(2, 3)
    with pytest.raises(ValueError, match="attention_mask"):
        layer(x3, x5, attention_mask=np.ones((B, S, T)))
    assert not layer.built
    y = layer(x3 + 1, x5 + 1)
    weights = layer.get_weights()
    with pytest.raises(ValueError, match="weights for samples"):
        layer(np.zeros((B, T, 4)), x5)
    np.testing.assert_array_equal(layer(x3 + 1, x5 + 1), y)
    assert all((a == b).all() for a, b in zip(weights, layer.get_weights(), strict=True))


def test_lengths_may_change():
    query = pynn.Input((None, D))
    model = pynn.Model(query, layers.MultiHeadAttention(2, 3)(query, query, use_causal_mask=True))
    assert model.output_shape == (None, None, D)
    long = RANDOM.normal(size=(B, 90, D))
    np.testing.assert_array_equal(model.predict(long[:, :64], verbose=0), model.predict(long, verbose=0)[:, :64])


def test_automatic_names_count_the_layers_that_keras_makes_within():
    pynn.utils.clear_session()
    x = pynn.Input((4, 6))
    for layer in (layers.MultiHeadAttention(2, 3), layers.GroupQueryAttention(3, 4, 2)):
        layer(layer(x, x), x)
    assert (layers.Dropout(0.1).name, layers.Softmax().name) == ("dropout_2", "softmax_2")

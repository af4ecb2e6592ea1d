"""Attention against the reference."""

import itertools

import numpy as np
import pytest
from helpers import THREADS, close_gradient
from reference import attention, central_difference
from tiers import DTYPES_OF_TEAMS

import pynn
from pynn.foundation.native import core

every_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64])
every_all_masked = pytest.mark.parametrize("all_masked", ["mean", "zeros", "unmasked"])

# Tails of vectors, of tiles, and several tiles
LENGTHS = (1, 2, 7, 15, 16, 17, 33, 64, 65, 150)

PLAIN = {"causal": False, "window": 0, "all_masked": "mean", "rate": 0.0, "seed": 0, "drops_scores": False}


class Case:
    """Samples, and the op on them."""

    def __init__(self, random, queries, keys, heads=2, kv_heads=2, key_size=3, value_size=4, dtype=np.float64, **more):
        masks = more.pop("masks", [])
        self.shape = (2, queries, keys, heads, kv_heads)
        self.inputs = [
            random.normal(size=(2, queries, heads, key_size)).astype(dtype),
            random.normal(size=(2, keys, kv_heads, key_size)).astype(dtype),
            random.normal(size=(2, keys, kv_heads, value_size)).astype(dtype),
            *(np.ascontiguousarray(mask, dtype) for mask in masks),
        ]
        self.settings = {"scale": 0.7, **PLAIN, **more}
        self.attributes = {
            **self.settings,
            "queries": queries,
            "keys": keys,
            "heads": heads,
            "kv_heads": kv_heads,
            "masks": [size for mask in masks for size in mask.shape[1:]],
        }

    def outputs(self, scores):
        samples, queries, keys, heads, _ = self.shape
        q, _, v = self.inputs[:3]
        made = [(samples, queries, heads, v.shape[-1]), (samples, heads, queries, keys)]
        return [np.full(shape, np.nan, q.dtype) for shape in (made if scores else made[:1])]

    def forward(self, inputs=None, scores=True, threads=None):
        """y, and the scores where they are asked for; and what the way back needs."""
        inputs = self.inputs if inputs is None else inputs
        ys, saved = self.outputs(scores), np.empty((2, self.shape[3], 2, self.shape[1]), inputs[0].dtype)
        threads = pynn.config.get_num_threads() if threads is None else threads
        core.op_forward("attention", {**self.attributes, "scores": scores}, ys, inputs, [], saved, threads)
        return ys, saved

    def backward(self, dys, threads=None):
        """The gradients of query, key and value."""
        ys, saved = self.forward(scores=len(dys) == 2)
        dxs = [np.full_like(x, np.nan) for x in self.inputs[:3]] + [None] * (len(self.inputs) - 3)
        threads = pynn.config.get_num_threads() if threads is None else threads
        attributes = {**self.attributes, "scores": len(dys) == 2}
        core.op_backward("attention", attributes, dxs, [], dys, self.inputs, ys, [], saved, threads)
        return dxs[:3]

    def reference(self, dropped=None):
        masks = [mask.reshape(2, *sizes) for mask, sizes in zip(self.inputs[3:], self.mask_sizes(), strict=True)]
        q, k, v = (x.astype(np.float64) for x in self.inputs[:3])
        names = ("scale", "causal", "all_masked", "window")
        return attention(q, k, v, masks, dropped=dropped, **{name: self.settings[name] for name in names})

    def mask_sizes(self):
        return [tuple(self.attributes["masks"][i : i + 3]) for i in range(0, len(self.attributes["masks"]), 3)]


def some_masks(random, queries, keys, heads):
    """One of each kind: whole queries, whole keys, pairs, pairs of a head. Some queries have no key left."""
    shapes = [(1, queries, 1), (1, 1, keys), (1, queries, keys), (heads, queries, keys)]
    masks = [(random.random((2, *shape)) < 0.8) * random.choice([1.0, -2.0, 0.5]) for shape in shapes]
    masks[2][0, :, queries // 2] = 0
    return masks


def check(case, dtype, rtol=64):
    (y, scores), _ = case.forward()
    expected_y, expected_scores = case.reference()
    tolerance = rtol * np.finfo(dtype).eps
    np.testing.assert_allclose(scores, expected_scores, rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(y, expected_y, rtol=tolerance, atol=4 * tolerance)
    (alone,), _ = case.forward(scores=False)
    np.testing.assert_array_equal(alone, y)


@pytest.mark.parametrize(("queries", "keys"), [*((n, 20) for n in LENGTHS), *((20, n) for n in LENGTHS), (150, 150)])
@every_dtype
def test_attention_value(queries, keys, dtype, random):
    check(Case(random, queries, keys, dtype=dtype), dtype)
    check(Case(random, queries, keys, dtype=dtype, causal=True), dtype)


@pytest.mark.parametrize("size", [1, 2, 7, 15, 16, 17, 33, 65])
@every_dtype
def test_sizes_of_keys_and_values(size, dtype, random):
    check(Case(random, 9, 70, key_size=size, value_size=3, dtype=dtype), dtype, rtol=256)
    check(Case(random, 9, 70, key_size=3, value_size=size, dtype=dtype), dtype)


@pytest.mark.parametrize(("heads", "kv_heads"), [(1, 1), (4, 1), (6, 3), (5, 5)])
@every_dtype
def test_several_heads_look_at_the_same_keys(heads, kv_heads, dtype, random):
    check(Case(random, 5, 66, heads=heads, kv_heads=kv_heads, dtype=dtype), dtype)


@pytest.mark.parametrize(("queries", "keys"), [(1, 1), (7, 5), (17, 65), (66, 129), (130, 3)])
@pytest.mark.parametrize("causal", [False, True])
@every_all_masked
@every_dtype
def test_masks(queries, keys, causal, all_masked, dtype, random):
    masks = some_masks(random, queries, keys, 2)
    check(Case(random, queries, keys, dtype=dtype, masks=masks, causal=causal, all_masked=all_masked), dtype)
    for mask in masks:
        check(Case(random, queries, keys, dtype=dtype, masks=[mask], causal=causal, all_masked=all_masked), dtype)


@pytest.mark.parametrize("window", [1, 2, 40, 64, 65, 500])
@pytest.mark.parametrize(("queries", "keys"), [(1, 1), (150, 150), (150, 20), (20, 150)])
@pytest.mark.parametrize("causal", [False, True])
@every_all_masked
def test_window(window, queries, keys, causal, all_masked, random):
    """Also where the last queries have no key in theirs."""
    check(Case(random, queries, keys, causal=causal, window=window, all_masked=all_masked), np.float64)


@every_dtype
def test_scores_may_be_large(dtype, random):
    """The largest is taken off before the exponential; it comes in the first tile, in the middle, or last."""
    case = Case(random, 5, 200, dtype=dtype)
    for at in (0, 100, 199):
        case.inputs[1][:, at] *= 3000
        (y,), _ = case.forward(scores=False)
        assert np.isfinite(y).all()
        np.testing.assert_allclose(y, case.reference()[0], rtol=2e-2 if dtype == np.float32 else 1e-9, atol=1e-6)


@pytest.mark.parametrize("far", [30.0, 1e4, 1.2e7, 5e15, 7e15, 1e30])
@every_dtype
def test_scores_far_below_the_largest_weigh_nothing(dtype, far, random):
    """However far they lie below it: the scores are 1 and -far."""
    case = Case(random, 2, 3, dtype=dtype, scale=1.0)
    for x in case.inputs[:2]:
        x[:] = 1 / np.sqrt(x.shape[-1])
    case.inputs[1][:, 1:] *= -far
    (y, scores), _ = case.forward()
    largest = np.broadcast_to(np.eye(3)[0], scores.shape)
    np.testing.assert_allclose(scores, largest, atol=1e-12, rtol=0)
    np.testing.assert_allclose(y, np.repeat(case.inputs[2][:, :1], 2, axis=1), atol=1e-11)


def test_nan_stays_with_its_query(random):
    case = Case(random, 5, 70)
    case.inputs[0][1, 3, 1, 0] = np.nan
    (y, scores), _ = case.forward()
    assert np.isnan(y[1, 3, 1]).all()
    assert np.isnan(scores[1, 1, 3]).all()
    assert np.isnan(y).sum() == 4
    assert np.isnan(scores).sum() == 70


def test_masked_keys_equal_keys_that_are_not_there(random):
    """Bit for bit, wherever they stand."""
    case = Case(random, 9, 60)
    for kept in (np.arange(40), np.arange(20, 60), np.r_[:10, 30:60]):
        mask = np.zeros((2, 1, 1, 60))
        mask[..., kept] = 1
        masked = Case(random, 9, 60, masks=[mask])
        trimmed = Case(random, 9, len(kept))
        masked.inputs[:3] = case.inputs
        trimmed.inputs[:] = [case.inputs[0], *(np.ascontiguousarray(x[:, kept]) for x in case.inputs[1:3])]
        np.testing.assert_array_equal(masked.forward(scores=False)[0][0], trimmed.forward(scores=False)[0][0])


GRADIENTS = [
    *(((n, 5), {}) for n in (1, 2, 7, 16, 17)),
    *(((3, n), {}) for n in (1, 2, 15, 33)),
    ((5, 3), {"causal": True}),
    ((3, 5), {"causal": True}),
    ((2, 66), {"causal": True}),
    ((9, 5), {"window": 2}),
    ((66, 4), {"window": 3, "causal": True}),
    ((66, 2), {}),
    ((3, 4), {"heads": 4, "kv_heads": 2}),
    ((3, 4), {"key_size": 17, "value_size": 1}),
]


@pytest.mark.parametrize(("lengths", "more"), GRADIENTS)
@pytest.mark.parametrize("scores", [False, True])
def test_gradient_is_the_derivative(lengths, more, scores, random):
    check_gradient(Case(random, *lengths, **more), scores, random)


@pytest.mark.parametrize("causal", [False, True])
@every_all_masked
def test_gradient_with_masks(causal, all_masked, random):
    masks = some_masks(random, 4, 5, 2)
    check_gradient(Case(random, 4, 5, masks=masks, causal=causal, all_masked=all_masked), True, random)


@pytest.mark.parametrize("drops_scores", [False, True])
def test_gradient_with_noise(drops_scores, random):
    case = Case(random, 4, 70, rate=0.4, seed=5, drops_scores=drops_scores)
    for scores in (True, False):
        check_gradient(case, scores, random, most=100)


def check_gradient(case, scores, random, most=2000):
    """The gradient is that of central differences, at so many places of each input."""
    dys = [random.normal(size=y.shape) for y in case.outputs(scores)]

    def loss(x, number):
        inputs = [*case.inputs]
        inputs[number] = x
        return sum(np.sum(dy * y) for dy, y in zip(dys, case.forward(inputs, scores)[0], strict=True))

    for number, dx in enumerate(case.backward(dys)):
        places = np.unique(np.linspace(0, dx.size - 1, min(dx.size, most)).astype(int))
        numeric = central_difference(lambda x, number=number: loss(x, number), case.inputs[number], places=places)
        assert close_gradient(numeric, dx).flat[places].all()


@pytest.mark.parametrize("queries", [1, 65, 150])
@pytest.mark.parametrize("keys", [17, 130])
@pytest.mark.parametrize("causal", [False, True])
def test_float_gradients_are_those_of_double(queries, keys, causal, random):
    masks = [random.random((2, 1, 1, keys)) < 0.9]
    double = Case(random, queries, keys, heads=4, kv_heads=2, key_size=16, value_size=16, masks=masks, causal=causal)
    single = Case(random, queries, keys, heads=4, kv_heads=2, dtype=np.float32, masks=masks, causal=causal)
    single.inputs[:3] = [x.astype(np.float32) for x in double.inputs[:3]]
    double.inputs[:3] = [x.astype(np.float64) for x in single.inputs[:3]]
    dy = random.normal(size=(2, queries, 4, 16)).astype(np.float32)
    for a, b in zip(single.backward([dy]), double.backward([dy.astype(np.float64)]), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)  # of terms of some ones


@pytest.mark.parametrize("rate", [0.3, 1.0])
@every_dtype
def test_weights_are_dropped_at_the_rate(rate, dtype, random):
    settings = {"rate": rate, "seed": 11, "dtype": dtype}
    kept = Case(random, 70, 150, **settings)
    dropped = Case(random, 70, 150, drops_scores=True, **settings)
    dropped.inputs[:] = kept.inputs
    (y, scores), _ = kept.forward()
    (same, after), _ = dropped.forward()
    np.testing.assert_array_equal(y, same)
    _, expected = kept.reference()
    np.testing.assert_allclose(scores, expected, rtol=1e-4)  # before dropping
    is_kept = after != 0
    if rate < 1:
        np.testing.assert_allclose(after[is_kept], scores[is_kept] / (1 - rate), rtol=1e-5)
    assert abs(is_kept.mean() - (1 - rate)) < 0.01
    expected, _ = kept.reference(is_kept / (1 - rate) if rate < 1 else np.zeros(is_kept.shape))
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-5)
    other = Case(random, 70, 150, rate=rate, seed=12, drops_scores=True, dtype=dtype)
    if rate < 1:
        assert ((other.forward()[0][1] != 0) != is_kept).mean() > 0.2


def test_what_is_dropped_is_independent(random):
    """No pattern along samples, heads, queries or keys."""
    case = Case(random, 128, 128, rate=0.5, seed=1, drops_scores=True)
    is_kept = (case.forward()[0][1] != 0) * 2.0 - 1
    for axis in range(4):
        pairs = is_kept * np.roll(is_kept, 1, axis)
        assert abs(pairs.mean()) < 5 / np.sqrt(pairs.size)


@pytest.mark.parametrize(
    "more", [{}, {"causal": True}, {"rate": 0.3, "seed": 4}, {"window": 9}, {"heads": 6, "kv_heads": 2}]
)
@pytest.mark.parametrize("lengths", [(3, 5), (70, 200), (200, 70)])
@pytest.mark.parametrize("dtype", DTYPES_OF_TEAMS)
def test_thread_counts_give_the_same_bits(more, lengths, dtype, random):
    """Also where there are fewer heads than members, which then share the queries and the keys."""
    for kv_heads in (1, more.get("kv_heads", 2)):
        case = Case(random, *lengths, **{"heads": 2, **more, "kv_heads": kv_heads}, key_size=9, dtype=dtype)
        dys = [random.normal(size=y.shape).astype(dtype) for y in case.outputs(True)]
        found = [(case.forward(threads=n)[0], case.backward(dys, n)) for n in (*THREADS, 16)]
        for other, (first, one) in itertools.product(found[1:], zip(found[0], range(2), strict=True)):
            for a, b in zip(first, other[one], strict=True):
                np.testing.assert_array_equal(a, b)


def test_a_sample_by_itself_has_the_same_bits(random):
    whole = Case(random, 70, 90, masks=[random.random((2, 1, 1, 90)) < 0.9])
    half = Case(random, 70, 90, masks=[np.ones((2, 1, 1, 90))])
    half.inputs[:] = [np.concatenate([x[1:], x[1:]]) for x in whole.inputs]
    np.testing.assert_array_equal(whole.forward()[0][0][1], half.forward()[0][0][0])


REFUSED = [
    ({"queries": 0}, "queries and heads of at least 1"),
    ({"heads": 3, "queries": 2}, "a multiple of kv_heads"),
    ({"queries": 4}, "query to have"),
    ({"keys": 7}, "key to have"),
    ({"scale": 0.0}, "a scale above 0"),
    ({"scale": np.inf}, "a scale above 0"),
    ({"window": -1}, "a window of 0"),
    ({"rate": 1.5}, r"a rate in \[0, 1\]"),
    ({"all_masked": "nan"}, "one of mean, zeros, unmasked"),
    ({"masks": [1, 1]}, "three sizes in masks"),
    ({"masks": [1, 1, 4]}, "a mask of 1 or 5"),
    ({"masks": [1, 3, 5]}, "a mask of 15 elements"),
]


@pytest.mark.parametrize(("wrong", "message"), REFUSED)
def test_wrong_sizes_are_refused(wrong, message, random):
    case = Case(random, 3, 5, masks=[np.ones((2, 1, 1, 5))])
    case.attributes.update(wrong)
    with pytest.raises(ValueError, match=message):
        case.forward()


def test_a_mask_has_no_gradient(random):
    case = Case(random, 3, 5, masks=[np.ones((2, 1, 1, 5))])
    (y,), saved = case.forward(scores=False)
    dxs = [np.empty_like(x) for x in case.inputs]
    with pytest.raises(ValueError, match="no gradient of this input"):
        core.op_backward(
            "attention", {**case.attributes, "scores": False}, dxs, [], [y], case.inputs, [y], [], saved, 1
        )

"""What must hold for any data (hypothesis)."""

import numpy as np
import pytest
from helpers import bits

import pynn

pytest.importorskip("hypothesis")
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

settings.register_profile("pynn", derandomize=True, deadline=None, max_examples=50)
settings.load_profile("pynn")

NUMBERS = st.floats(-100, 100, width=32)
MATRICES = hnp.arrays(np.float32, st.tuples(st.integers(1, 20), st.integers(1, 40)), elements=NUMBERS)


def dense_model(inputs, units=(7, 3), seed=5):
    pynn.set_random_seed(seed)
    layers = [pynn.layers.Dense(n, activation="tanh") for n in units[:-1]]
    return pynn.Sequential([pynn.Input((inputs,)), *layers, pynn.layers.Dense(units[-1], activation="softmax")])


@given(MATRICES, st.randoms(use_true_random=False))
def test_predict_commutes_with_the_order_of_samples(x, random):
    model = dense_model(x.shape[1])
    order = list(range(len(x)))
    random.shuffle(order)
    np.testing.assert_array_equal(model(x[order]), model(x)[order])


@given(MATRICES)
def test_predict_of_a_batch_is_that_of_its_rows(x):
    model = dense_model(x.shape[1])
    np.testing.assert_array_equal(np.concatenate([model(row[None]) for row in x]), model(x))


@given(MATRICES, st.floats(-50, 50, width=32))
def test_softmax_does_not_see_a_shift(x, shift):
    y = pynn.activations.softmax(x)
    np.testing.assert_allclose(y.sum(axis=-1), 1, rtol=1e-5)
    np.testing.assert_allclose(pynn.activations.softmax(x + shift), y, rtol=1e-3, atol=1e-6)


@given(hnp.arrays(np.float64, st.tuples(st.integers(2, 12), st.integers(1, 9)), elements=st.floats(-10, 10)))
def test_layout_and_type_give_the_same_bits(x):
    y = np.arange(len(x)) % 3
    seen = set()
    for given_x in (x.astype(np.float32), np.asfortranarray(x), x[::-1].copy()[::-1], x.astype(">f8"), x.tolist()):
        model = dense_model(x.shape[1])
        model.compile("adam", "sparse_categorical_crossentropy")
        model.fit(given_x, y, epochs=2, batch_size=5, verbose=0)
        seen.add(bits(model))
    assert len(seen) == 1


@given(st.lists(st.integers(0, 9), min_size=1, max_size=30))
def test_to_categorical_is_undone_by_argmax(labels):
    one_hot = pynn.utils.to_categorical(labels, 10)
    assert one_hot.sum() == len(labels)
    assert one_hot.argmax(axis=1).tolist() == labels


@given(
    hnp.arrays(np.float64, st.tuples(st.integers(1, 9), st.integers(2, 9)), elements=st.floats(-1000, 1000)),
    st.floats(0, 0.5),
)
def test_crossentropy_of_logits_is_that_of_labels(z, smoothing):
    """Sparse and one-hot targets are one loss; it is never negative, and its gradient sums to 0 in each row."""
    labels = (np.arange(len(z)) % z.shape[1]).astype(np.int32)
    sparse = pynn.losses.SparseCategoricalCrossentropy(from_logits=True, label_smoothing=smoothing)
    onehot = pynn.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=smoothing)
    targets = np.eye(z.shape[1])[labels]
    values = pynn.ops.loss_forward(labels, z, sparse)
    np.testing.assert_allclose(values, pynn.ops.loss_forward(targets, z, onehot), rtol=1e-12, atol=1e-12)
    assert np.all(values >= 0)
    gradient = pynn.ops.loss_backward(labels, z, sparse)
    np.testing.assert_allclose(gradient.sum(axis=1), 0, atol=1e-12)

"""Small ops, which each member of a team takes its samples through alone: the number of threads changes no bit."""

import pytest
from helpers import THREADS, bits
from tiers import DTYPES_OF_TEAMS

import pynn
from pynn import layers


def make_model(dtype):
    """Many small layers behind a wide one, which makes the step worth a team."""
    pynn.config.set_floatx(dtype)
    pynn.set_random_seed(8)
    x = pynn.Input((40,))
    y = layers.Dense(64, "tanh")(layers.Dense(4000, "relu")(x))
    shared = layers.Dense(64, "gelu", kernel_regularizer="l2")
    for _ in range(3):
        y = layers.add([y, layers.Dense(64, "relu")(y)])
        y = layers.Dropout(0.1)(shared(y))
    y = layers.multiply([y, layers.Dense(64, "sigmoid", activity_regularizer="l2")(y)])
    model = pynn.Model(x, layers.Dense(10, "softmax")(layers.concatenate([y, shared(y)])))
    model.compile("adam", "sparse_categorical_crossentropy")
    return model


@pytest.mark.parametrize("dtype", DTYPES_OF_TEAMS)
@pytest.mark.parametrize("batch_size", [9, 16, 33, 100])  # too few to share, some for some members, some for all
def test_threads(dtype, batch_size, random):
    x, y = random.normal(size=(110, 40)), random.integers(0, 10, 110)
    seen = set()
    for threads in THREADS:
        pynn.config.set_num_threads(threads)
        model = make_model(dtype)
        loss = model.fit(x, y, batch_size=batch_size, epochs=2, verbose=0).history["loss"]
        seen.add((bits(model), str(loss)))
    assert len(seen) == 1

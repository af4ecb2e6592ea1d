"""The adding problem (Hochreiter and Schmidhuber, 1997): of a sequence of numbers two are marked; what is their sum?

The first mark is among the first half of 100 steps, so the network must remember a number for 50 steps or more. An LSTM
does. A SimpleRNN forgets, and learns to say 1, the mean, whose error is 1/6. ``--short`` has 30 steps, and takes
seconds.
"""

import sys

import numpy as np

import pynn
from pynn import layers

short = "--short" in sys.argv
STEPS, EPOCHS, PER_EPOCH = (30, 12, 5_000) if short else (100, 15, 20_000)
random = np.random.default_rng(1)


def draw(count):
    """Sequences (count, STEPS, 2) of numbers in [0, 1) and marks, and the sums of the marked numbers."""
    numbers, marks, rows = random.random((count, STEPS)), np.zeros((count, STEPS)), np.arange(count)
    first, second = (random.integers(start, start + STEPS // 2, count) for start in (0, STEPS // 2))
    marks[rows, first] = marks[rows, second] = 1
    return np.stack([numbers, marks], axis=-1).astype(np.float32), (numbers * marks).sum(axis=1)


x_test, y_test = draw(2_000)
print(f"{STEPS} steps. Error of the mean: {np.mean((y_test - 1) ** 2):.4f}")
for kind in (layers.LSTM, layers.SimpleRNN):
    pynn.set_random_seed(1)
    model = pynn.Sequential([pynn.Input((None, 2)), kind(64), layers.Dense(1)])
    model.compile(pynn.optimizers.Adam(2e-3, clipnorm=1.0), "mse")
    for epoch in range(EPOCHS):
        x, y = draw(PER_EPOCH)
        model.fit(x, y, batch_size=32, verbose=0)
        error = model.evaluate(x_test, y_test, verbose=0)
        print(f"{kind.__name__:9}  after {(epoch + 1) * PER_EPOCH:7,} sequences: {error:.4f}", flush=True)
    print(f"{kind.__name__:9} {'solves it' if error < 0.01 else 'does not solve it'}")

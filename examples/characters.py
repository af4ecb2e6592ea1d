"""A network learns a small text, character by character, and writes on in its manner.

It is trained on pieces of 100 characters, for each of which it guesses the next. For writing, the same weights go into
a stateful network that takes one character at a time. ``--short`` trains on a third of the pieces, once.
"""

import argparse
from pathlib import Path

import numpy as np

import pynn
from pynn.layers import GRU, Dense, Embedding

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--short", action="store_true")
arguments = parser.parse_args()

LENGTH, UNITS = 100, 192
text = (Path(__file__).parent / "text.txt").read_text()
characters = sorted(set(text))
ids = np.array([characters.index(character) for character in text], dtype="int32")

pynn.set_random_seed(1)
pieces = pynn.utils.timeseries_dataset_from_array(ids, None, LENGTH + 1, sequence_stride=10).x
x, y = pieces[:, :-1], pieces[:, 1:]


def network(batch_shape, stateful):
    return pynn.Sequential(
        [
            pynn.Input(batch_shape=batch_shape, dtype="int32"),
            Embedding(len(characters), 32),
            GRU(UNITS, return_sequences=True, stateful=stateful),
            Dense(len(characters)),
        ]
    )


model = network((None, LENGTH), stateful=False)
model.summary()
loss = pynn.losses.SparseCategoricalCrossentropy(from_logits=True)
model.compile(pynn.optimizers.Adam(0.003), loss, metrics=["accuracy"])
if arguments.short:
    x, y = x[::3], y[::3]
model.fit(x, y, epochs=1 if arguments.short else 12, verbose=2)

writer = network((1, 1), stateful=True)
writer.set_weights(model.get_weights())


def write(begin, count, temperature):
    """`begin` and `count` characters more. The lower the temperature, the more often the likeliest one comes."""
    writer.layers[1].reset_states()
    random = np.random.default_rng(1)
    for character in begin:
        logits = writer(np.array([[characters.index(character)]]))[0, 0]
    written = begin
    for _ in range(count):
        # The largest of logits with Gumbel noise is a draw from their softmax.
        noise = -np.log(-np.log(random.random(len(characters))))
        chosen = int(np.argmax(logits / temperature + noise))
        written += characters[chosen]
        logits = writer(np.array([[chosen]]))[0, 0]
    return written


for temperature in (0.2, 0.7, 1.2):
    print(f"\nTemperature {temperature}:\n{write('In the morning ', 300, temperature)}")

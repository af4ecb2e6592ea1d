"""A small transformer learns the text of characters.py, and writes on in its manner.

It has two layers of causal attention: each character looks at those before it, and guesses the next. Nothing in it
knows of order but the positional encodings, which a layer written here adds to the characters. ``--short`` trains on
a few of the pieces, once.
"""

import argparse
from pathlib import Path

import numpy as np

import pynn
from pynn.layers import Dense, Dropout, Embedding, LayerNormalization, MultiHeadAttention, add

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--short", action="store_true")
arguments = parser.parse_args()

LENGTH, WIDTH, HEADS, LAYERS = 64, 64, 4, 2
text = (Path(__file__).parent / "text.txt").read_text()
characters = sorted(set(text))
ids = np.array([characters.index(character) for character in text], dtype="int32")


class PositionalEncoding(pynn.layers.Layer):
    """Adds sines and cosines of the position, of wavelengths from 2 pi to 10,000 * 2 pi (Vaswani et al., 2017)."""

    def call(self, inputs):
        length, width = inputs.shape[1:]
        angles = np.arange(length)[:, None] / 10_000 ** (np.arange(0, width, 2) / width)
        return inputs + np.concatenate([np.sin(angles), np.cos(angles)], axis=1)


def block(x):
    """Attention, and two dense layers for each character. Both add to `x`, and see it normalized."""
    seen = LayerNormalization()(x)
    attended = MultiHeadAttention(HEADS, WIDTH // HEADS)(seen, seen, use_causal_mask=True)
    x = add([x, Dropout(0.1)(attended)])
    hidden = Dense(4 * WIDTH, activation="gelu")(LayerNormalization()(x))
    return add([x, Dropout(0.1)(Dense(WIDTH)(hidden))])


pynn.set_random_seed(1)
inputs = pynn.Input((LENGTH,), dtype="int32")
embedded = Embedding(len(characters), WIDTH)(inputs) * WIDTH**0.5  # else small beside the positional encodings
x = PositionalEncoding()(embedded)
for _ in range(LAYERS):
    x = block(x)
model = pynn.Model(inputs, Dense(len(characters))(LayerNormalization()(x)))
model.summary()
loss = pynn.losses.SparseCategoricalCrossentropy(from_logits=True)
model.compile(pynn.optimizers.Adam(0.003), loss, metrics=["accuracy"])

# Pieces from every place of the text: so the network meets each word at each position.
pieces = pynn.utils.timeseries_dataset_from_array(ids, None, LENGTH + 1).x
x, y = pieces[:, :-1], pieces[:, 1:]
every = 40 if arguments.short else 10
few = x[::every], y[::every]
before = model.evaluate(*few, verbose=0)[0]
model.fit(*(few if arguments.short else (x, y)), batch_size=16, epochs=1 if arguments.short else 3, verbose=2)
after = model.evaluate(*few, verbose=0)[0]
print(f"Loss before: {before:.3f} (guessing: {np.log(len(characters)):.3f}), after: {after:.3f}")


def write(begin, count, temperature):
    """`begin` and `count` characters more. The lower the temperature, the more often the likeliest one comes."""
    random = np.random.default_rng(1)
    written = [characters.index(character) for character in begin]
    for _ in range(count):
        last = written[-LENGTH:]
        padded = np.pad(last, (0, LENGTH - len(last)))  # no character looks at what comes after it
        logits = model(padded[None])[0, len(last) - 1]
        # The largest of logits with Gumbel noise is a draw from their softmax.
        noise = -np.log(-np.log(random.random(len(characters))))
        written.append(int(np.argmax(logits / temperature + noise)))
    return "".join(characters[number] for number in written)


for temperature in (0.2, 0.7, 1.2):
    print(f"\nTemperature {temperature}:\n{write('In the morning ', 300, temperature)}")

"""Layers and models whose calls ask for the length of an axis that may have any."""

import numpy as np

import pynn
from pynn import layers, ops

ARANGES = {
    "three numbers": lambda length: ops.arange(0, length, 1),
    "one number": lambda length: ops.arange(length),
    "two numbers": lambda length: ops.arange(0, length),
    "by name": lambda length: ops.arange(start=0, stop=length, step=1),
    "backwards and forwards": lambda length: length - 1 - ops.arange(length - 1, -1, -1),
}


class Positions(layers.Layer):
    """The embedding of ids and their positions of Chollet's book."""

    def __init__(self, most=6, how="three numbers", **kwargs):
        super().__init__(**kwargs)
        self.most, self.how = most, how
        self.tokens = layers.Embedding(9, 4)
        self.positions = layers.Embedding(most, 4, name="positions")
        self.supports_masking = True

    def call(self, ids):
        positions = ARANGES[self.how](ops.shape(ids)[-1])
        return self.tokens(ids) + self.positions(positions)

    def compute_mask(self, ids, mask=None):
        return ops.not_equal(ids, 0)


class Waves(layers.Layer):
    """Sines and cosines of positions."""

    supports_masking = True

    def call(self, x):
        angles = ops.cast(ops.arange(ops.shape(x)[1]), "float32")[:, None] * np.array([1.0, 0.1], "float32")
        return x + ops.concatenate([ops.sin(angles), ops.cos(angles)], axis=-1)


class Causal(layers.Layer):
    """A block of a transformer whose mask is written by hand, for each sample where `tiled`."""

    def __init__(self, tiled=False, supports_masking=False, **kwargs):
        super().__init__(**kwargs)
        self.tiled, self.supports_masking = tiled, supports_masking
        self.attention = layers.MultiHeadAttention(2, 2)
        self.dense = pynn.Sequential([layers.Dense(5, activation="tanh"), layers.Dense(4)])

    def call(self, x):
        samples, n = ops.shape(x)[0], ops.shape(x)[1]
        i, j = ops.arange(n)[:, None], ops.arange(n)
        mask = ops.reshape(ops.cast(i >= j, "int32"), (1, n, n))
        if self.tiled:
            times = ops.concatenate([ops.expand_dims(samples, -1), ops.convert_to_tensor([1, 1])], 0)
            mask = ops.tile(mask, times)
        return x + self.dense(self.attention(x, x, attention_mask=mask))


class Table(layers.Layer):
    """A weight, cut to the length."""

    def __init__(self, most, **kwargs):
        super().__init__(**kwargs)
        self.most = most

    def build(self, input_shape):
        self.table = self.add_weight((self.most, input_shape[-1]), "uniform", name="table")

    def call(self, x):
        return x + self.table[: x.shape[1]]


class Embedded(pynn.Model):
    """A subclass of Model with positions."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.embedding, self.pooling, self.last = Positions(), layers.GlobalAveragePooling1D(), layers.Dense(1)

    def call(self, ids):
        return self.last(self.pooling(self.embedding(ids)))


def of_tensors(length=None, **options):
    ids = pynn.Input((length,), dtype="int64")
    return pynn.Model(ids, layers.Dense(1)(layers.GlobalAveragePooling1D()(Positions(**options)(ids))))


def of_layers(length=None, **options):
    first = [pynn.Input((length,), dtype="int32"), Positions(**options)]
    return pynn.Sequential([*first, layers.GlobalAveragePooling1D(), layers.Dense(1)])


def of_a_subclass(length=None):
    model = Embedded()
    model.build((None, length))
    return model


MODELS = [of_tensors, of_layers, of_a_subclass]


def with_weights(model):
    values = [np.cos(1 + np.arange(w.size)).reshape(w.shape) / 2 for w in model.get_weights()]
    model.set_weights(values)
    return model


def ids_of(samples, length):
    return np.arange(samples * length).reshape(samples, length) * 7 % 9


def expected(model, ids):
    tokens, positions, kernel, bias = model.get_weights()
    real = (ids != 0)[..., None]
    y = tokens[ids] + positions[: ids.shape[1]]
    return (y * real).sum(1) / real.sum(1) @ kernel + bias


def on(layer, *sample):
    """A model of the layer alone."""
    x = pynn.Input(sample)
    return pynn.Model(x, layer(x))

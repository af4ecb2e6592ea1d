"""Models of every kind to be saved, each with data: what several tests of saving go through."""

import numpy as np

import pynn
from pynn import layers, optimizers


class Own(pynn.Model):
    """A model with a call of its own, which its configuration describes."""

    def __init__(self, units=4, name=None):
        super().__init__(name=name)
        self.units = units
        self.first = layers.Dense(units, activation="relu")
        self.more = [layers.Dense(units), layers.Dropout(0.2), layers.Dense(units)]
        self.last = layers.Dense(2)

    def call(self, x, training=False):
        x = self.first(x)
        for layer in self.more:
            x = layer(x)
        return self.last(x)

    def get_config(self):
        return {"units": self.units, "name": self.name}


class Doubled(layers.Layer):
    """A layer of one's own."""

    def sample_output_shape(self, shape):
        return shape

    def lower(self, net, x, shape):
        return net.add("binary", [x, x], kind="add", shapes=[*shape, *shape], ranks=[len(shape)] * 2, size=shape)


def dense():
    return pynn.Sequential(
        [
            pynn.Input((5,)),
            layers.Dense(6, activation="leaky_relu", kernel_regularizer="l2", bias_constraint="non_neg"),
            layers.BatchNormalization(),
            layers.Dropout(0.3),
            layers.GaussianNoise(0.1, seed=7),
            layers.Dense(2),
        ]
    )


def images():
    return pynn.Sequential(
        [
            layers.Conv2D(3, 3, activation="relu", input_shape=(6, 6, 2)),
            layers.SpatialDropout2D(0.2),
            layers.MaxPooling2D(),
            layers.SeparableConv2D(4, 2),
            layers.Flatten(),
            layers.Dense(2),
        ]
    )


def unbuilt():
    """Which finds its input shape in the data."""
    return pynn.Sequential([layers.Rescaling(0.5), layers.Dense(3, dtype="float64"), layers.Dense(2)])


def tensors():
    """Branches, a shared layer and model, models in models with layers of equal names, and two outputs."""
    inner = pynn.Sequential([pynn.Input((4,)), layers.Dense(4, name="same"), layers.Dropout(0.1)], name="inner")
    a, b = pynn.Input((4,), name="a"), pynn.Input((4,), name="b")
    shared = layers.Dense(4, activation="tanh", name="shared")
    x = layers.Dense(4, name="same")(shared(a) + shared(b) * 0.5)
    c = pynn.Input((4,), name="c")
    innermost = pynn.Sequential([pynn.Input((4,)), layers.Dense(4, name="same")], name="inner")
    half = pynn.Model(c, innermost(layers.Dense(4, name="same")(c)), name="half")
    y = layers.Concatenate()([half(x), inner(x), half(a)])
    return pynn.Model(
        [a, b], {"p": layers.Dense(2, name="p")(y), "q": layers.Dense(1, name="q")(x[:, :2])}, name="whole"
    )


def open_axes():
    x = pynn.Input((None, 3))
    y = layers.Conv1D(4, 2, padding="same", activation="relu")(x)
    y = layers.Dropout(0.2)(y)
    return pynn.Model(x, layers.Dense(2)(layers.GlobalAveragePooling1D()(y)))


def ids():
    x = pynn.Input((3,), dtype="int32")
    return pynn.Model(x, layers.Dense(2)(layers.Flatten()(layers.Embedding(20, 4)(x))))


def frozen():
    model = dense()
    model.layers[0].trainable = False
    return model


def prelu():
    return pynn.Sequential(
        [
            pynn.Input((5,)),
            layers.EinsumDense("ab,bc->ac", 6),
            layers.PReLU(),
            layers.LayerNormalization(),
            layers.Dense(2),
        ]
    )


def data_of(model, name, rows=24):
    random = np.random.default_rng(3)
    y = random.normal(size=(rows, 2)).astype(np.float32)
    shapes = {"images": (6, 6, 2), "open_axes": (7, 3)}
    if name == "ids":
        return random.integers(0, 20, (rows, 3)), y
    if name == "tensors":
        return [random.normal(size=(rows, 4)).astype(np.float32) for _ in "ab"], {"p": y, "q": y[:, :1]}
    return random.normal(size=(rows, *shapes.get(name, (5,)))).astype(np.float32), y


MODELS = {f.__name__: f for f in (dense, images, unbuilt, tensors, open_axes, ids, frozen, prelu)} | {"own": Own}
CUSTOM = {"Own": Own}

OPTIMIZERS = {
    "sgd": lambda: optimizers.SGD(0.05),
    "momentum": lambda: optimizers.SGD(0.02, momentum=0.9, nesterov=True, clipnorm=0.5),
    "rmsprop": lambda: optimizers.RMSprop(0.01, momentum=0.5, centered=True),
    "adagrad": lambda: optimizers.Adagrad(0.05),
    "adadelta": lambda: optimizers.Adadelta(0.5),
    "adam": lambda: optimizers.Adam(0.01, amsgrad=True),
    "adamw": lambda: optimizers.AdamW(0.01, weight_decay=0.1),
    "adamax": lambda: optimizers.Adamax(0.01),
    "nadam": lambda: optimizers.Nadam(0.01),
    "lion": lambda: optimizers.Lion(0.003),
    "averages": lambda: optimizers.Adam(0.01, use_ema=True, ema_momentum=0.9, ema_overwrite_frequency=4),
    "accumulation": lambda: optimizers.Adam(0.01, gradient_accumulation_steps=5, global_clipnorm=1.0),
}


def compiled(name, optimizer, dtype="float32"):
    """A model of this name with that optimizer; and data."""
    pynn.config.set_floatx(dtype)
    model = MODELS[name]()
    metrics = {"p": ["mae"], "q": []} if name == "tensors" else ["mae"]
    model.compile(OPTIMIZERS[optimizer](), "mse", metrics=metrics)
    return model, data_of(model, name)

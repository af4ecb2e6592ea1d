"""Losses of one's own, and small models that have them, for the tests of these."""

import numpy as np

import pynn
from pynn import ops

F64 = "float64"


def squares(y_true, y_pred):
    return ops.mean(ops.square(y_true - y_pred), axis=-1)


def huge(y_true, y_pred):
    return ops.mean(ops.abs(y_true - y_pred) ** 3, axis=-1)


class Squares(pynn.losses.Loss):
    """factor (y - p)^2"""

    def __init__(self, factor=1.0, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor

    def call(self, y_true, y_pred):
        return self.factor * ops.mean(ops.square(y_true - y_pred), axis=-1)

    def get_config(self):
        return {**super().get_config(), "factor": self.factor}


class Elements(pynn.losses.Loss):
    """A value for each element."""

    def call(self, y_true, y_pred):
        return ops.square(y_true - y_pred)


OWN = {"Squares": Squares, "Elements": Elements, "squares": squares}


def data(rows=40, columns=3, seed=0, dtype=F64):
    random = np.random.default_rng(seed)
    return random.normal(size=(rows, 4)).astype(dtype), random.normal(size=(rows, columns)).astype(dtype)


def network(columns=3, dtype=F64):
    pynn.utils.set_random_seed(3)
    last = pynn.layers.Dense(columns, dtype=dtype)
    return pynn.Sequential([pynn.Input((4,)), pynn.layers.Dense(8, activation="tanh", dtype=dtype), last])


def compiled(loss, columns=3, dtype=F64, **options):
    model = network(columns, dtype)
    model.compile(pynn.optimizers.SGD(0.1, momentum=0.5), loss, **options)
    return model

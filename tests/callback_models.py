"""A model of one weight, whose training can be worked out by hand, for tests of callbacks."""

import numpy as np

import pynn

ONE, ZERO = np.ones((1, 1)), np.zeros((1, 1))


def one_weight(rate, weight=2.0, **compiled):
    """A model y = w x, whose loss on ONE and ZERO is w * w: each step multiplies w by 1 - 2 rate."""
    model = pynn.Sequential([pynn.Input((1,)), pynn.layers.Dense(1, use_bias=False, dtype="float64")])
    model.compile(pynn.optimizers.SGD(rate), "mse", **compiled)
    model.set_weights([np.array([[weight]])])
    return model


def run(callbacks, epochs=8, rate=1.2, **fitted):
    model = one_weight(rate)
    return model, model.fit(ONE, ZERO, epochs=epochs, verbose=0, callbacks=callbacks, **fitted)


def weight_of(model):
    return model.get_weights()[0].item()

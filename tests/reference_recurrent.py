"""Recurrent layers step by step, in plain NumPy: what the engine's ops are compared with.

Formulas, gate orders and masks are those of Keras: gates of an LSTM in the order i, f, c, o, of a GRU z, r, h.
"""

import numpy as np

GATES = {"simple_rnn": 1, "lstm": 4, "gru": 3}


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def step(kind, x, states, met, kernel, recurrent, bias, f, g, reset_after):
    """The states after a step. `met` is h as it meets the recurrent kernel."""
    h = states[0]
    if kind == "simple_rnn":
        return (f(x @ kernel + bias + met @ recurrent),)
    if kind == "lstm":
        i, forget, c, o = np.split(x @ kernel + bias + met @ recurrent, 4, axis=1)
        c = g(forget) * states[1] + g(i) * f(c)
        return g(o) * f(c), c
    b0, b1 = (bias[0], bias[1]) if reset_after else (bias, np.zeros_like(bias))
    xz, xr, xh = np.split(x @ kernel + b0, 3, axis=1)
    uz, ur, uh = np.split(recurrent, 3, axis=1)
    bz, br, bh = np.split(b1, 3)
    z, r = g(xz + met @ uz + bz), g(xr + met @ ur + br)
    inner = r * (met @ uh + bh) if reset_after else (r * met) @ uh
    return (z * h + (1 - z) * f(xh + inner),)


def run(
    kind,
    x,
    kernel,
    recurrent,
    bias=None,
    *,
    mask=None,
    initial=None,
    dropped=None,
    f=np.tanh,
    g=sigmoid,
    reset_after=False,
    go_backwards=False,
    zero_masked=False,
):
    """The outputs (samples, steps, units) in the order in which steps are made, and the states at the end."""
    units = len(recurrent)
    if bias is None:
        bias = np.zeros((2, 3 * units) if reset_after else GATES[kind] * units)
    count = 2 if kind == "lstm" else 1
    states = [np.zeros((len(x), units)) for _ in range(count)] if initial is None else list(initial)
    outputs = []
    for t in reversed(range(x.shape[1])) if go_backwards else range(x.shape[1]):
        met = states[0] if dropped is None else states[0] * dropped
        new = step(kind, x[:, t], states, met, kernel, recurrent, bias, f, g, reset_after)
        real = np.ones((len(x), 1), bool) if mask is None else mask[:, t : t + 1] != 0
        states = [np.where(real, after, before) for after, before in zip(new, states, strict=True)]
        outputs.append(np.where(real | (not zero_masked), states[0], 0))
    return np.stack(outputs, axis=1), states

"""Optimizers in plain NumPy, as Keras 3 defines them. See reference.py.

A rule takes the gradient g, a dict of slots (arrays that start as start_slots gives them), the number t of the step
from 1 on and the settings; it changes the slots and returns what is to be added to the weights.
"""

import numpy as np


def sgd(g, slots, t, learning_rate=0.01, momentum=0.0, nesterov=False):
    """v = momentum v - lr g;  w += v, or with nesterov momentum v - lr g"""
    if not momentum:
        return -learning_rate * g
    slots["velocity"] = momentum * slots["velocity"] - learning_rate * g
    return momentum * slots["velocity"] - learning_rate * g if nesterov else slots["velocity"]


def rmsprop(g, slots, t, learning_rate=0.001, rho=0.9, momentum=0.0, epsilon=1e-7, centered=False):
    """v = rho v + (1 - rho) g^2;  d = lr g / sqrt(v + epsilon);  m = momentum m + d;  w -= m

    centered: v - a^2 in place of v, a = rho a + (1 - rho) g."""
    slots["velocity"] = rho * slots["velocity"] + (1 - rho) * g**2
    denominator = slots["velocity"] + epsilon
    if centered:
        slots["average_gradient"] = rho * slots["average_gradient"] + (1 - rho) * g
        denominator = slots["velocity"] - slots["average_gradient"] ** 2 + epsilon
    increment = learning_rate * g / np.sqrt(denominator)
    if not momentum:
        return -increment
    slots["momentum"] = momentum * slots["momentum"] + increment
    return -slots["momentum"]


def adagrad(g, slots, t, learning_rate=0.001, initial_accumulator_value=0.1, epsilon=1e-7):
    """a += g^2;  w -= lr g / sqrt(a + epsilon)"""
    slots["accumulator"] = slots["accumulator"] + g**2
    return -learning_rate * g / np.sqrt(slots["accumulator"] + epsilon)


def adadelta(g, slots, t, learning_rate=0.001, rho=0.95, epsilon=1e-7):
    """a = rho a + (1 - rho) g^2;  d = -sqrt(b + epsilon) / sqrt(a + epsilon) g;  w += lr d

    b = rho b + (1 - rho) d^2."""
    slots["accumulated_grad"] = rho * slots["accumulated_grad"] + (1 - rho) * g**2
    delta = -np.sqrt(slots["accumulated_delta_var"] + epsilon) / np.sqrt(slots["accumulated_grad"] + epsilon) * g
    slots["accumulated_delta_var"] = rho * slots["accumulated_delta_var"] + (1 - rho) * delta**2
    return learning_rate * delta


def adam(g, slots, t, learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-7, amsgrad=False):
    """m += (1 - b1)(g - m);  v += (1 - b2)(g^2 - v);  w -= lr sqrt(1 - b2^t) / (1 - b1^t) m / (sqrt v + epsilon)

    amsgrad: the largest v so far in place of v."""
    slots["momentum"] = slots["momentum"] + (1 - beta_1) * (g - slots["momentum"])
    v = slots["velocity"] = slots["velocity"] + (1 - beta_2) * (g**2 - slots["velocity"])
    if amsgrad:
        v = slots["velocity_hat"] = np.maximum(slots["velocity_hat"], v)
    alpha = learning_rate * np.sqrt(1 - beta_2**t) / (1 - beta_1**t)
    return -alpha * slots["momentum"] / (np.sqrt(v) + epsilon)


def adamax(g, slots, t, learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-7):
    """m += (1 - b1)(g - m);  u = max(b2 u, |g|);  w -= lr m / ((1 - b1^t)(u + epsilon))"""
    slots["m"] = slots["m"] + (1 - beta_1) * (g - slots["m"])
    slots["u"] = np.maximum(beta_2 * slots["u"], np.abs(g))
    return -learning_rate * slots["m"] / ((1 - beta_1**t) * (slots["u"] + epsilon))


def nadam(g, slots, t, learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-7):
    """u(i) = b1 (1 - 0.96^i / 2), U = u(1) ... u(t);  m and v as in adam;

    w -= lr (u(t+1) m / (1 - U u(t+1)) + (1 - u(t)) g / (1 - U)) / (sqrt(v / (1 - b2^t)) + epsilon)"""

    def u(i):
        return beta_1 * (1 - 0.5 * 0.96**i)

    product = np.prod([u(i) for i in range(1, t + 1)])
    slots["momentum"] = slots["momentum"] + (1 - beta_1) * (g - slots["momentum"])
    slots["velocity"] = slots["velocity"] + (1 - beta_2) * (g**2 - slots["velocity"])
    m_hat = u(t + 1) * slots["momentum"] / (1 - product * u(t + 1)) + (1 - u(t)) * g / (1 - product)
    return -learning_rate * m_hat / (np.sqrt(slots["velocity"] / (1 - beta_2**t)) + epsilon)


def lion(g, slots, t, learning_rate=0.001, beta_1=0.9, beta_2=0.99):
    """w -= lr sign(b1 m + (1 - b1) g);  m = b2 m + (1 - b2) g"""
    direction = np.sign(beta_1 * slots["momentum"] + (1 - beta_1) * g)
    slots["momentum"] = beta_2 * slots["momentum"] + (1 - beta_2) * g
    return -learning_rate * direction


RULES = {f.__name__: f for f in (sgd, rmsprop, adagrad, adadelta, adam, adamax, nadam, lion)}


def slot_names(name, settings):
    """The names of the arrays that an optimizer keeps for each parameter, in the engine's order."""
    if name == "sgd":
        return ["velocity"] if settings.get("momentum") else []
    if name == "rmsprop":
        more = [("momentum", settings.get("momentum")), ("average_gradient", settings.get("centered"))]
        return ["velocity", *(slot for slot, wanted in more if wanted)]
    if name == "adam":
        return ["momentum", "velocity"] + (["velocity_hat"] if settings.get("amsgrad") else [])
    return {
        "adagrad": ["accumulator"],
        "adadelta": ["accumulated_grad", "accumulated_delta_var"],
        "adamax": ["m", "u"],
        "nadam": ["momentum", "velocity"],
        "lion": ["momentum"],
    }[name]


def start_slots(name, settings, w):
    """Zeros; Adagrad's accumulator starts at its initial_accumulator_value."""
    start = settings.get("initial_accumulator_value", 0.1) if name == "adagrad" else 0.0
    return {slot: np.full_like(w, start) for slot in slot_names(name, settings)}


def clip(gradients, clipnorm=None, clipvalue=None, global_clipnorm=None):
    """At most one of: each gradient to a length, all together to a length, each element to [-value, value]."""
    if clipnorm:
        return [g * clipnorm / max(np.sqrt(np.sum(g**2)), clipnorm) for g in gradients]
    if global_clipnorm:
        norm = np.sqrt(sum(np.sum(g**2) for g in gradients))
        return [g * global_clipnorm / max(norm, global_clipnorm) for g in gradients]
    if clipvalue:
        return [np.clip(g, -clipvalue, clipvalue) for g in gradients]
    return gradients


def update(name, weights, gradients, slots, t, weight_decay=None, undecayed=(), **settings):
    """One step of a whole model: clip, decay (w -= lr wd w), apply the rule. Lists of arrays in, new weights out.

    undecayed: the numbers of the weights without decay."""
    clips = {key: settings.pop(key) for key in ("clipnorm", "clipvalue", "global_clipnorm") if key in settings}
    decay = (weight_decay or 0.0) * settings["learning_rate"]
    result = []
    for i, (w, g, slot) in enumerate(zip(weights, clip(gradients, **clips), slots, strict=True)):
        result.append(w - (0 if i in undecayed else decay) * w + RULES[name](g, slot, t, **settings))
    return result


class Trajectory:
    """A model that is trained step by step, with accumulation of gradients and averages of weights.

    Attributes: weights, averages (lists of arrays), steps (how many were made)."""

    def __init__(self, name, weights, **settings):
        self.name, self.settings, self.weights, self.steps = name, settings, weights, 0
        self.every = settings.pop("gradient_accumulation_steps", 1)
        self.use_ema = settings.pop("use_ema", False)
        self.ema_momentum = settings.pop("ema_momentum", 0.99)
        self.overwrite = settings.pop("ema_overwrite_frequency", None)
        self.slots = [start_slots(name, settings, w) for w in weights]
        self.sums = [np.zeros_like(w) for w in weights]
        self.averages = [np.zeros_like(w) for w in weights]

    def step(self, gradients):
        """Add up; in every so many-th step update with the mean. a = momentum a + (1 - momentum) w, at first a = w."""
        updates = self.steps // self.every
        self.sums = [s + g for s, g in zip(self.sums, gradients, strict=True)]
        if (self.steps + 1) % self.every == 0:
            means = [s / self.every for s in self.sums]
            self.weights = update(self.name, self.weights, means, self.slots, updates + 1, **self.settings)
            self.sums = [np.zeros_like(s) for s in self.sums]
        if self.use_ema:
            momentum = self.ema_momentum if updates else 0
            self.averages = [
                momentum * a + (1 - momentum) * w for a, w in zip(self.averages, self.weights, strict=True)
            ]
            if self.overwrite and (updates + 1) % self.overwrite == 0:
                self.weights = [a.copy() for a in self.averages]
        self.steps += 1

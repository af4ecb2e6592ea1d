"""Functions of pynn.ops that are made of others: of two tensors (N, 3, 4), by ops, and by NumPy."""

import numpy as np

from pynn import ops

WEIGHTS = np.array([0.2, 1.0, 3.0, 0.5])
UPWARDS = np.arange(12.0).reshape(3, 4) / 4 - 1


def shares(a):
    e = np.exp(a)
    return e / e.sum(axis=-1, keepdims=True)


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def binary(t, p):
    return -t * np.log(p) - (1 - t) * np.log(1 - p)


FUNCTIONS = {
    "tan": (lambda a, b: ops.tan(0.3 * a), lambda a, b: np.tan(0.3 * a)),
    "sinh": (lambda a, b: ops.sinh(a) + ops.sinh(1e-9 * b) * 1e9, lambda a, b: np.sinh(a) + b),
    "cosh": (lambda a, b: ops.cosh(a), lambda a, b: np.cosh(a)),
    "exp2": (lambda a, b: ops.exp2(a), lambda a, b: 2.0**a),
    "cbrt": (lambda a, b: ops.cbrt(a), lambda a, b: np.cbrt(a)),
    "hypot": (lambda a, b: ops.hypot(a, b) + ops.hypot(3.0, b), lambda a, b: np.hypot(a, b) + np.hypot(3, b)),
    "logaddexp": (
        lambda a, b: ops.logaddexp(a, b) + ops.logaddexp(500 * a, b),
        lambda a, b: np.logaddexp(a, b) + np.logaddexp(500 * a, b),
    ),
    "select": (
        lambda a, b: ops.select([a > 0.5, b > 0.5], [a, 2 * b], 3.0),
        lambda a, b: np.select([a > 0.5, b > 0.5], [a, 2 * b], 3.0),
    ),
    "average": (
        lambda a, b: ops.average(a, 2, WEIGHTS) + ops.average(b, axis=-1),
        lambda a, b: np.average(a, 2, WEIGHTS) + b.mean(-1),
    ),
    "average along the middle": (
        lambda a, b: ops.average(a, axis=1, weights=WEIGHTS[:3]),
        lambda a, b: np.average(a, axis=1, weights=WEIGHTS[:3]),
    ),
    "average of weights that are a tensor": (
        lambda a, b: ops.average(a, axis=(1, 2), weights=ops.exp(b)),
        lambda a, b: (a * np.exp(b)).sum((1, 2)) / np.exp(b).sum((1, 2)),
    ),
    "moments": (
        lambda a, b: ops.concatenate(ops.moments(a, [1], keepdims=True), -1),
        lambda a, b: np.concatenate([a.mean(1, keepdims=True), a.var(1, keepdims=True)], -1),
    ),
    "normalize": (
        lambda a, b: ops.normalize(a) + ops.normalize(b, axis=1, order=1),
        lambda a, b: a / np.sqrt((a * a).sum(-1, keepdims=True)) + b / np.linalg.norm(b, 1, axis=1, keepdims=True),
    ),
    "normalize less": (lambda a, b: ops.normalize(a, epsilon=50), lambda a, b: a / 50),
    "amax": (lambda a, b: ops.amax(a, 1) + ops.amin(b, axis=1), lambda a, b: a.max(1) + b.min(1)),
    "unstack": (
        lambda a, b: ops.unstack(a, axis=1)[2] * ops.unstack(b, 4, -1)[0][:, :1],
        lambda a, b: a[:, 2] * b[:, :1, 0],
    ),
    "hstack": (lambda a, b: ops.hstack([a, b]), lambda a, b: np.hstack([a, b])),
    "append": (lambda a, b: ops.append(a, b, axis=2), lambda a, b: np.append(a, b, axis=2)),
    "full_like": (lambda a, b: a * ops.full_like(b, 2.5), lambda a, b: a * 2.5),
    "dot": (lambda a, b: ops.dot(a, UPWARDS.T), lambda a, b: a @ UPWARDS.T),
    "dot of a row": (lambda a, b: ops.dot(a, WEIGHTS), lambda a, b: a @ WEIGHTS),
    "tensordot": (
        lambda a, b: ops.tensordot(a, UPWARDS.T, axes=1) + ops.tensordot(b, UPWARDS.T, [[-1], [0]]),
        lambda a, b: (a + b) @ UPWARDS.T,
    ),
    "cumsum": (lambda a, b: ops.cumsum(a, axis=-1) * ops.cumsum(b, 1), lambda a, b: a.cumsum(-1) * b.cumsum(1)),
    "diff": (
        lambda a, b: ops.diff(a) + ops.diff(b, axis=1)[:, :1, :3],
        lambda a, b: np.diff(a) + np.diff(b, axis=1)[:, :1, :3],
    ),
    "diff twice": (lambda a, b: ops.diff(a, 2, axis=2), lambda a, b: np.diff(a, 2, axis=2)),
    "binary_crossentropy": (
        lambda a, b: ops.binary_crossentropy(ops.sigmoid(a), ops.sigmoid(b)),
        lambda a, b: binary(sigmoid(a), sigmoid(b)),
    ),
    "binary_crossentropy of logits": (
        lambda a, b: ops.binary_crossentropy(ops.sigmoid(a), b, from_logits=True),
        lambda a, b: binary(sigmoid(a), sigmoid(b)),
    ),
    "categorical_crossentropy": (
        lambda a, b: ops.categorical_crossentropy(ops.softmax(a), 2 * ops.softmax(b)),
        lambda a, b: -(shares(a) * np.log(shares(b))).sum(-1),
    ),
    "categorical_crossentropy of logits": (
        lambda a, b: ops.categorical_crossentropy(ops.softmax(a, 1), b, from_logits=True, axis=1),
        lambda a, b: -(shares(a.swapaxes(1, 2)) * np.log(shares(b.swapaxes(1, 2)))).sum(-1),
    ),
    "sparse_categorical_crossentropy": (
        lambda a, b: ops.sparse_categorical_crossentropy(ops.cast(a[:, :, 0] > 0, "int32"), ops.softmax(b)),
        lambda a, b: -np.log(np.where(a[:, :, 0] > 0, shares(b)[..., 1], shares(b)[..., 0])),
    ),
    "sparse_categorical_crossentropy of logits": (
        lambda a, b: ops.sparse_categorical_crossentropy(
            ops.cast(a[:, :, :1] > 0, "int32"), b, from_logits=True, axis=2
        ),
        lambda a, b: -np.log(np.where(a[:, :, 0] > 0, shares(b)[..., 1], shares(b)[..., 0])),
    ),
    "shrinking": (
        lambda a, b: ops.hard_shrink(a) + ops.soft_shrink(b, 0.3) + ops.tanh_shrink(a) + ops.threshold(b, 0.4, 2.0),
        lambda a, b: (
            np.where(abs(a) > 0.5, a, 0)
            + np.sign(b) * np.maximum(abs(b) - 0.3, 0)
            + (a - np.tanh(a))
            + np.where(b > 0.4, b, 2)
        ),
    ),
}
# Those without a gradient
STEPS = {
    "trunc": (lambda a, b: ops.trunc(3 * a), lambda a, b: np.trunc(3 * a)),
    "round": (lambda a, b: ops.round(3 * a), lambda a, b: np.round(3 * a)),
    "round of halves": (lambda a, b: ops.round(ops.floor(9 * a) / 2), lambda a, b: np.round(np.floor(9 * a) / 2)),
    "round to decimals": (lambda a, b: ops.round(a, 2), lambda a, b: np.round(a, 2)),
    "any": (lambda a, b: 1 * ops.any(a > 0.9, 2), lambda a, b: 1 * (a > 0.9).any(2)),
    "all": (
        lambda a, b: 1 * ops.all(ops.relu(a + 1), axis=-1, keepdims=True),
        lambda a, b: 1 * (a > -1).all(-1, keepdims=True),
    ),
    "count_nonzero": (lambda a, b: ops.count_nonzero(a > 0, axis=[1, 2]), lambda a, b: (a > 0).sum((1, 2))),
}

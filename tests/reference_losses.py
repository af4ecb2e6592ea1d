"""Losses and metrics in plain NumPy, as Keras 3 defines them. See reference.py.

A loss takes the targets y and the predictions p of one row (the last axis, of C elements) and gives the pair
(value, gradient with respect to p). The sparse losses take the number of the class for y.
"""

import numpy as np
from reference import log_softmax, sigmoid, softmax, softplus

EPSILON = 1e-7


# ---- regression ------------------------------------------------------------------------------------------------------
def mean_squared_error(y, p):
    """mean (p - y)^2"""
    return np.mean((p - y) ** 2), 2 * (p - y) / p.size


def sum_squared_error(y, p):
    """1/2 sum (p - y)^2"""
    return np.sum((p - y) ** 2) / 2, p - y


def mean_absolute_error(y, p):
    """mean |p - y|"""
    return np.mean(np.abs(p - y)), np.sign(p - y) / p.size


def mean_absolute_percentage_error(y, p):
    """100 mean |p - y| / max(|y|, epsilon)"""
    scale = np.maximum(np.abs(y), EPSILON)
    return 100 * np.mean(np.abs(p - y) / scale), 100 * np.sign(p - y) / scale / p.size


def mean_squared_logarithmic_error(y, p):
    """mean (log(max(p, epsilon) + 1) - log(max(y, epsilon) + 1))^2"""
    difference = np.log1p(np.maximum(p, EPSILON)) - np.log1p(np.maximum(y, EPSILON))
    return np.mean(difference**2), np.where(p > EPSILON, 2 * difference / (p + 1), 0) / p.size


def huber(y, p, delta=1.0):
    """mean of e^2 / 2 where |e| <= delta, delta |e| - delta^2 / 2 beyond; e = p - y"""
    e = p - y
    value = np.where(np.abs(e) <= delta, e**2 / 2, delta * np.abs(e) - delta**2 / 2)
    return np.mean(value), np.clip(e, -delta, delta) / p.size


def log_cosh(y, p):
    """mean log cosh e = mean (e + softplus(-2 e) - log 2); e = p - y"""
    e = np.abs(p - y)
    return np.mean(e + softplus(-2 * e)[0] - np.log(2)), np.tanh(p - y) / p.size


def cosine_similarity(y, p):
    """-(y / |y|) . (p / |p|), where a length is at least epsilon"""
    y = y / max(np.sqrt(np.sum(y * y)), EPSILON)
    square = np.sum(p * p)
    length = max(np.sqrt(square), EPSILON)
    value = -np.sum(y * p) / length
    along = value * p / square if square > EPSILON**2 else 0
    return value, -y / length - along


# ---- probabilities ---------------------------------------------------------------------------------------------------
def poisson(y, p):
    """mean (p - y log(p + epsilon))"""
    return np.mean(p - y * np.log(p + EPSILON)), (1 - y / (p + EPSILON)) / p.size


def poisson_from_logs(y, z):
    """mean (e^z - y z)"""
    return np.mean(np.exp(z) - y * z), (np.exp(z) - y) / z.size


def kl_divergence(y, p):
    """sum y log(y / p), both clipped to [epsilon, 1]"""
    y = np.clip(y, EPSILON, 1)
    clipped = np.clip(p, EPSILON, 1)
    return np.sum(y * np.log(y / clipped)), np.where(clipped == p, -y / clipped, 0)


def binary_crossentropy(y, p, label_smoothing=0.0):
    """mean -(y log p + (1 - y) log(1 - p)), p clipped to [epsilon, 1 - epsilon]; y smoothed: y (1 - s) + s / 2"""
    y = y * (1 - label_smoothing) + 0.5 * label_smoothing
    clipped = np.clip(p, EPSILON, 1 - EPSILON)
    value = -(y * np.log(clipped) + (1 - y) * np.log(1 - clipped))
    gradient = np.where(clipped == p, (clipped - y) / (clipped * (1 - clipped)), 0)
    return np.mean(value), gradient / p.size


def binary_crossentropy_from_logits(y, z, label_smoothing=0.0):
    """mean of softplus(z) - y z, the same with p = sigmoid(z)"""
    y = y * (1 - label_smoothing) + 0.5 * label_smoothing
    return np.mean(y * softplus(-z)[0] + (1 - y) * softplus(z)[0]), (sigmoid(z)[0] - y) / z.size


def binary_focal_crossentropy(y, p, label_smoothing=0.0, gamma=2.0, alpha=-1.0):
    """mean of -w m^gamma (y log q + (1 - y) log(1 - q)), q = p clipped to [epsilon, 1 - epsilon]; y smoothed

    m = y (1 - p) + (1 - y) p;  w = y alpha + (1 - y) (1 - alpha), or 1 for an alpha below 0."""
    y = y * (1 - label_smoothing) + 0.5 * label_smoothing
    q = np.clip(p, EPSILON, 1 - EPSILON)
    m = y * (1 - p) + (1 - y) * p
    w = y * alpha + (1 - y) * (1 - alpha) if alpha >= 0 else 1
    crossentropy = -(y * np.log(q) + (1 - y) * np.log(1 - q))
    slope = np.where(q == p, (q - y) / (q * (1 - q)), 0)
    gradient = w * (_power_slope(m, gamma) * (1 - 2 * y) * crossentropy + m**gamma * slope)
    return np.mean(w * m**gamma * crossentropy), gradient / p.size


def binary_focal_crossentropy_from_logits(y, z, label_smoothing=0.0, gamma=2.0, alpha=-1.0):
    """the same with p = sigmoid(z), and the cross-entropy softplus(z) - y z"""
    y = y * (1 - label_smoothing) + 0.5 * label_smoothing
    (p, slope), (rest, _) = sigmoid(z), sigmoid(-z)
    m = y * rest + (1 - y) * p
    w = y * alpha + (1 - y) * (1 - alpha) if alpha >= 0 else 1
    crossentropy = y * softplus(-z)[0] + (1 - y) * softplus(z)[0]
    gradient = w * (_power_slope(m, gamma) * (1 - 2 * y) * slope * crossentropy + m**gamma * (p - y))
    return np.mean(w * m**gamma * crossentropy), gradient / z.size


def _power_slope(m, gamma):
    """gamma m^(gamma - 1)"""
    return gamma * m ** (gamma - 1) if gamma else 0


def categorical_focal_crossentropy(y, p, label_smoothing=0.0, gamma=2.0, alpha=0.25):
    """-sum alpha y (1 - q)^gamma log q, q = p / sum p clipped to [epsilon, 1 - epsilon]; y smoothed"""
    y = y * (1 - label_smoothing) + label_smoothing / p.size
    total = np.sum(p)
    q = np.clip(p / total, EPSILON, 1 - EPSILON)
    dq = alpha * y * (_power_slope(1 - q, gamma) * np.log(q) - (1 - q) ** gamma / q)
    dq = np.where(q == p / total, dq, 0)
    return -np.sum(alpha * y * (1 - q) ** gamma * np.log(q)), (dq - np.sum(dq * p / total)) / total


def categorical_focal_crossentropy_from_logits(y, z, label_smoothing=0.0, gamma=2.0, alpha=0.25):
    """the same with q = softmax(z), not clipped"""
    y = y * (1 - label_smoothing) + label_smoothing / z.size
    q, log_q = softmax(z), log_softmax(z)
    dlog = alpha * y * (_power_slope(1 - q, gamma) * q * log_q - (1 - q) ** gamma)
    return -np.sum(alpha * y * (1 - q) ** gamma * log_q), dlog - q * np.sum(dlog)


def categorical_crossentropy(y, p, label_smoothing=0.0):
    """-sum y log q, q = p / sum p clipped to [epsilon, 1 - epsilon]; y smoothed: y (1 - s) + s / C"""
    y = y * (1 - label_smoothing) + label_smoothing / p.size
    total = np.sum(p)
    q = p / total
    clipped = np.clip(q, EPSILON, 1 - EPSILON)
    dq = np.where(clipped == q, -y / clipped, 0)
    return -np.sum(y * np.log(clipped)), (dq - np.sum(dq * q)) / total


def categorical_crossentropy_from_logits(y, z, label_smoothing=0.0):
    """-sum y log_softmax(z)"""
    y = y * (1 - label_smoothing) + label_smoothing / z.size
    return -np.sum(y * log_softmax(z)), np.sum(y) * softmax(z) - y


def one_hot(label, classes):
    """The row of zeros with a one at the label."""
    return (np.arange(classes) == label).astype(np.float64)


def sparse_categorical_crossentropy(label, p, label_smoothing=0.0):
    """categorical_crossentropy of the one-hot row"""
    return categorical_crossentropy(one_hot(label, p.size), p, label_smoothing)


def sparse_categorical_crossentropy_from_logits(label, z, label_smoothing=0.0):
    """categorical_crossentropy_from_logits of the one-hot row"""
    return categorical_crossentropy_from_logits(one_hot(label, z.size), z, label_smoothing)


# ---- margins (labels -1 and 1) ---------------------------------------------------------------------------------------
def hinge(y, z):
    """mean max(1 - y z, 0)"""
    return np.mean(np.maximum(1 - y * z, 0)), np.where(1 - y * z > 0, -y, 0) / z.size


def squared_hinge(y, z):
    """mean max(1 - y z, 0)^2"""
    return np.mean(np.maximum(1 - y * z, 0) ** 2), -2 * y * np.maximum(1 - y * z, 0) / z.size


def categorical_hinge(y, z):
    """max(1 + max (1 - y) z - sum y z, 0)"""
    others = (1 - y) * z
    value = 1 + others.max() - np.sum(y * z)
    gradient = one_hot(np.argmax(others), z.size) * (1 - y) - y
    return max(value, 0.0), gradient * (value > 0)


def perceptron(y, z):
    """mean max(0, -y z), with the derivative -y where y z <= 0: Rosenblatt's rule"""
    return np.mean(np.maximum(0, -y * z)), np.where(y * z <= 0, -y, 0) / z.size


def mean_value(y, p):
    """mean p"""
    return np.mean(p), np.full_like(p, 1 / p.size)


LOSSES = {
    f.__name__: f
    for f in (
        *(mean_squared_error, sum_squared_error, mean_absolute_error, mean_absolute_percentage_error),
        *(mean_squared_logarithmic_error, huber, log_cosh, cosine_similarity, poisson, poisson_from_logs),
        kl_divergence,
        *(binary_crossentropy, binary_crossentropy_from_logits),
        *(binary_focal_crossentropy, binary_focal_crossentropy_from_logits),
        *(categorical_focal_crossentropy, categorical_focal_crossentropy_from_logits),
        *(categorical_crossentropy, categorical_crossentropy_from_logits),
        *(sparse_categorical_crossentropy, sparse_categorical_crossentropy_from_logits),
        *(hinge, squared_hinge, categorical_hinge, perceptron, mean_value),
    )
}


def loss_rows(name, y_true, y_pred, *settings):
    """The values (rows,) and the gradients (rows, C) of a whole batch."""
    pairs = [LOSSES[name](y, p, *settings) for y, p in zip(y_true, y_pred, strict=True)]
    return np.array([value for value, _ in pairs]), np.array([gradient for _, gradient in pairs])


# ---- metrics ---------------------------------------------------------------------------------------------------------
def binary_accuracy(y, p, threshold=0.5):
    """mean of y == (p > threshold)"""
    return np.mean(y == (p > threshold))


def sparse_categorical_accuracy(label, p):
    """1 if the first of the largest scores is the label's"""
    return float(np.argmax(p) == label)


def categorical_accuracy(y, p):
    """sparse_categorical_accuracy of the first maximum of y"""
    return sparse_categorical_accuracy(np.argmax(y), p)


def sparse_top_k_categorical_accuracy(label, p, k=5):
    """1 if fewer than k scores are larger than the label's, which must be finite"""
    return float(np.isfinite(p[label]) and np.sum(p > p[label]) < k)


def top_k_categorical_accuracy(y, p, k=5):
    """sparse_top_k_categorical_accuracy of the first maximum of y"""
    return sparse_top_k_categorical_accuracy(np.argmax(y), p, k)


METRICS = {
    f.__name__: f
    for f in (
        *(binary_accuracy, categorical_accuracy, sparse_categorical_accuracy),
        *(top_k_categorical_accuracy, sparse_top_k_categorical_accuracy),
    )
}


def metric_rows(name, y_true, y_pred, *settings):
    """The values (rows,) of a whole batch."""
    return np.array([METRICS[name](y, p, *settings) for y, p in zip(y_true, y_pred, strict=True)])

"""The kernels in slow, plain NumPy: the specification that the tests hold the native engine to.

Every function works in the dtype of its arguments (the tests pass float64 or longdouble) and returns new arrays.
Activations give the pair (f(x), f'(x)). Losses and metrics are in reference_losses.py, optimizers in
reference_optimizers.py.
"""

import math

import numpy as np

SELU_ALPHA = 1.6732632423543772848170429916717
SELU_SCALE = 1.0507009873554804934193349852946


# ---- products --------------------------------------------------------------------------------------------------------
def gemm(a, b, transpose_a=False, transpose_b=False):
    """C[i, j] = sum over k of A[i, k] B[k, j], where A and B are transposed first if asked for."""
    a = a.T if transpose_a else a
    b = b.T if transpose_b else b
    return np.einsum("ik,kj->ij", a, b)


def gemm_magnitude(a, b, transpose_a=False, transpose_b=False):
    """The sum over k of |A[i, k]| |B[k, j]|: what rounding errors of a product are measured against."""
    return gemm(np.abs(a), np.abs(b), transpose_a, transpose_b)


def dense_forward(x, kernel, bias=None):
    """Y = X W + b.   X (N, I)   W (I, O)   b (O)   Y (N, O)"""
    y = gemm(x, kernel)
    return y if bias is None else y + bias


def dense_backward(dy, x, kernel):
    """dX = dY W', dW = X' dY, db = the sum of dY over the rows."""
    return gemm(dy, kernel, transpose_b=True), gemm(x, dy, transpose_a=True), dy.sum(axis=0)


# ---- softmax ---------------------------------------------------------------------------------------------------------
def softmax(x, axis=-1):
    """p = exp(x - max x) / sum exp(x - max x)"""
    e = np.exp(x - x.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


def log_softmax(x, axis=-1):
    """(x - max x) - log sum exp(x - max x)"""
    shifted = x - x.max(axis=axis, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=axis, keepdims=True))


def softmax_backward(dy, y, axis=-1):
    """dx = y (dy - sum dy y)"""
    return y * (dy - (dy * y).sum(axis=axis, keepdims=True))


def log_softmax_backward(dy, y, axis=-1):
    """dx = dy - exp(y) sum dy"""
    return dy - np.exp(y) * dy.sum(axis=axis, keepdims=True)


def sparsemax(x, axis=-1):
    """max(x - t, 0): of the k largest, t = (their sum - 1) / k, with the largest k for which the k-th is above its t.

    Martins and Astudillo (2016), From softmax to sparsemax, algorithm 1."""
    x = np.moveaxis(x - x.max(axis=axis, keepdims=True), axis, -1)  # a shift changes nothing
    ranked = -np.sort(-x, axis=-1)
    total, k = np.cumsum(ranked, axis=-1), np.arange(1, x.shape[-1] + 1)
    number = np.sum(1 + k * ranked > total, axis=-1, keepdims=True)
    t = (np.take_along_axis(total, np.maximum(number, 1) - 1, -1) - 1) / number
    return np.moveaxis(np.maximum(x - t, 0), -1, axis)


def sparsemax_backward(dy, y, axis=-1):
    """dx = dy - the mean of dy over the support, where y > 0; else 0"""
    kept = y > 0
    mean = (dy * kept).sum(axis=axis, keepdims=True) / kept.sum(axis=axis, keepdims=True)
    return np.where(kept, dy - mean, 0)


def glu(x, axis=-1):
    """a s, s = sigmoid(b), a and b the halves of the axis"""
    a, b = np.split(x, 2, axis=axis)
    return a * sigmoid(b)[0]


def glu_backward(dy, x, axis=-1):
    """da = dy s, db = dy a s'"""
    a, b = np.split(x, 2, axis=axis)
    gate, slope = sigmoid(b)
    return np.concatenate([dy * gate, dy * a * slope], axis=axis)


# ---- activations -----------------------------------------------------------------------------------------------------
def linear(x):
    """f = x, f' = 1"""
    return x.copy(), np.ones_like(x)


def relu(x, negative_slope=0.0, max_value=None, threshold=0.0):
    """f = min(x, max_value) if x > threshold, else negative_slope (x - threshold)."""
    top = np.inf if max_value is None else max_value
    below = negative_slope * (x - threshold) if negative_slope else np.where(np.isnan(x), x, np.zeros_like(x))
    y = np.where(x > threshold, np.minimum(x, top), below)
    return y.astype(x.dtype), np.where(x > threshold, x < top, negative_slope).astype(x.dtype)


def relu6(x):
    """f = min(max(x, 0), 6)"""
    return relu(x, max_value=6.0)


def leaky_relu(x, negative_slope=0.2):
    """f = x if x > 0 else negative_slope x"""
    return relu(x, negative_slope)


def elu(x, alpha=1.0):
    """f = x if x > 0 else alpha (exp(x) - 1)"""
    negative = np.minimum(x, 0)
    return np.where(x > 0, x, alpha * np.expm1(negative)), np.where(x > 0, 1, alpha * np.exp(negative))


def selu(x):
    """f = scale elu(x, alpha), with the constants that keep mean 0 and variance 1"""
    y, dy = elu(x, SELU_ALPHA)
    return SELU_SCALE * y, SELU_SCALE * dy


def celu(x, alpha=1.0):
    """f = x if x > 0 else alpha (exp(x / alpha) - 1)"""
    negative = np.minimum(x, 0) / alpha
    return np.where(x > 0, x, alpha * np.expm1(negative)), np.where(x > 0, 1, np.exp(negative))


def _times(x, gate):
    """x gate, and 0 (not NaN) where x is -inf and the gate is 0."""
    return np.where(x == -np.inf, 0, x * gate) if np.ndim(x) else x * gate


def normal_cdf(x):
    """erfc(-x / sqrt 2) / 2, which keeps its relative precision in the left tail"""
    return np.vectorize(lambda v: math.erfc(-v / math.sqrt(2)) / 2, otypes=[np.float64])(x)


def gelu(x):
    """f = x Phi(x), with the normal distribution function Phi; f' = Phi(x) + x phi(x)"""
    cdf = normal_cdf(x)
    density = np.exp(-x * x / 2) / np.sqrt(2 * np.pi)
    return _times(x, cdf), cdf + np.where(np.isinf(x), 0, x * density)


def gelu_tanh(x):
    """f = x (1 + tanh u) / 2 = x sigmoid(2 u), u = sqrt(2 / pi) (x + 0.044715 x^3)"""
    root = np.sqrt(2 / np.pi)
    gate, slope = sigmoid(2 * root * (x + 0.044715 * x**3))
    inner = 2 * root * (1 + 3 * 0.044715 * x * x)
    return _times(x, gate), gate + np.where(slope == 0, 0, x * slope * inner)


def silu(x):
    """f = x sigmoid(x)"""
    gate, slope = sigmoid(x)
    return _times(x, gate), gate + np.where(slope == 0, 0, x * slope)


def mish(x):
    """f = x tanh(softplus(x)) = x n / (n + 2), n = e (e + 2), e = exp(x)"""
    e = np.exp(np.minimum(x, 40))  # beyond, the gate is 1 to more than longdouble precision
    n = e * (e + 2)
    gate = n / (n + 2)
    slope = 4 * e * (e + 1) / (n + 2) ** 2
    return _times(x, gate), gate + np.where(slope < 1e-30, 0, x * slope)


def sigmoid(x):
    """s = 1 / (1 + exp(-x)); s' = s (1 - s) = exp(-|x|) / (1 + exp(-|x|))^2"""
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1, e) / (1 + e), e / (1 + e) ** 2


def log_sigmoid(x):
    """log s = min(x, 0) - log(1 + exp(-|x|)); its derivative is sigmoid(-x)"""
    return np.minimum(x, 0) - np.log1p(np.exp(-np.abs(x))), sigmoid(-x)[0]


def hard_sigmoid(x):
    """f = relu6(x + 3) / 6"""
    y, dy = relu6(x + 3)
    return y / 6, dy / 6


def hard_silu(x):
    """f = x hard_sigmoid(x)"""
    gate, slope = hard_sigmoid(x)
    return _times(x, gate), gate + np.where(slope == 0, 0, x * slope)


def tanh(x):
    """f = tanh(x), f' = 1 - f^2 = 1 / cosh(x)^2"""
    e = np.exp(-2 * np.abs(x))
    return np.tanh(x), 4 * e / (1 + e) ** 2


def hard_tanh(x):
    """f = min(max(x, -1), 1)"""
    return np.clip(x, -1, 1), ((x > -1) & (x < 1)).astype(x.dtype)


def softplus(x):
    """f = log(1 + exp(x)) = max(x, 0) + log(1 + exp(-|x|))"""
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x))), sigmoid(x)[0]


def softsign(x):
    """f = x / (1 + |x|), f' = 1 / (1 + |x|)^2"""
    y = np.where(np.isinf(x), np.sign(x), x / (1 + np.where(np.isinf(x), 0, np.abs(x))))
    return y, 1 / (1 + np.abs(x)) ** 2


def exponential(x):
    """f = f' = exp(x)"""
    return np.exp(x), np.exp(x)


def step(x):
    """f = 1 if x > 0 else 0 (NaN stays); it has no useful derivative"""
    return np.heaviside(x, 0).astype(x.dtype), np.zeros_like(x)


def squareplus(x, b=4):
    """f = (x + r) / 2, r = sqrt(x^2 + b), f' = f / r;  for x < 0 f = b / 2 / (r - x)"""
    r = np.hypot(x, np.sqrt(b))
    y = np.where(x < 0, b / 2 / (r - x), x / 2 + r / 2)
    return y, np.where(r == 0, 0.5, y / r)


def hard_shrink(x, threshold=0.5):
    """f = x if |x| > threshold else 0"""
    out = np.abs(x) > threshold
    return np.where(out | np.isnan(x), x, 0), out.astype(x.dtype)


def soft_shrink(x, threshold=0.5):
    """f = x - threshold if x > threshold, x + threshold if x < -threshold, else 0"""
    out = np.abs(x) > threshold
    return np.where(out | np.isnan(x), x - np.sign(x) * threshold, 0), out.astype(x.dtype)


def tanh_shrink(x):
    """f = x - tanh(x), f' = tanh(x)^2"""
    return x - np.tanh(x), np.tanh(x) ** 2


def threshold(x, threshold=0.3, default_value=-1.0):
    """f = x if x > threshold else default_value"""
    out = x > threshold
    return np.where(out | np.isnan(x), x, default_value), out.astype(x.dtype)


def log(x):
    """f = ln(x), f' = 1 / x"""
    return np.log(x), 1 / x


def log1p(x):
    """f = ln(1 + x), f' = 1 / (1 + x)"""
    return np.log1p(x), 1 / (1 + x)


def sin(x):
    """f = sin(x), f' = cos(x)"""
    return np.sin(x), np.cos(x)


def cos(x):
    """f = cos(x), f' = -sin(x)"""
    return np.cos(x), -np.sin(x)


def stop_gradient(x):
    """f = x, and f' is taken to be 0"""
    return x, np.zeros_like(x)


ACTIVATIONS = {
    f.__name__: f
    for f in (
        *(linear, relu, relu6, leaky_relu, elu, selu, celu, gelu, gelu_tanh, silu, mish, sigmoid, log_sigmoid),
        *(hard_sigmoid, hard_silu, tanh, hard_tanh, softplus, softsign, exponential, step),
        *(squareplus, hard_shrink, soft_shrink, tanh_shrink, threshold),
        *(log, log1p, sin, cos, stop_gradient),  # which are no activations of layers
    )
}


# ---- numbers for the tests -------------------------------------------------------------------------------------------
def binary_backward(function, dy, a, b):
    """The gradients of the operands of y = f(a, b), summed up over the axes along which one is repeated.

    Where a = b, maximum and minimum give half of dy to each; d(a^b)/db is 0 where a <= 0.
    """
    operands = (a, b)
    a, b = np.broadcast_arrays(a, b)
    with np.errstate(all="ignore"):
        slopes = {
            "add": lambda: (1, 1),
            "subtract": lambda: (1, -1),
            "multiply": lambda: (b, a),
            "divide": lambda: (1 / b, -a / b**2),
            "power": lambda: (np.where(b == 0, 0, b * a ** (b - 1)), np.where(a <= 0, 0, a**b * np.log(a))),
            "maximum": lambda: ((np.sign(a - b) + 1) / 2, (np.sign(b - a) + 1) / 2),
            "minimum": lambda: ((np.sign(b - a) + 1) / 2, (np.sign(a - b) + 1) / 2),
            "floor_divide": lambda: (0, 0),
            "remainder": lambda: (1, -np.floor_divide(a, b)),
            "less": lambda: (0, 0),
            "less_equal": lambda: (0, 0),
            "not_equal": lambda: (0, 0),
        }[function]()
    return [sum_to(dy * slope, x.shape) for slope, x in zip(slopes, operands, strict=True)]


def sum_to(x, shape):
    """x summed up over the axes that have one element in `shape`."""
    return x.sum(axis=tuple(i for i, size in enumerate(shape) if size == 1), keepdims=True)


def central_difference(f, x, scale=1e-6, places=None):
    """(f(x + h) - f(x - h)) / 2h for one element of x at a time, where f gives a number; h = scale max(1, |x|).

    NaN for elements that are not at the given `places` of the flattened x. Default: all places.
    """
    gradient = np.full(x.size, np.nan)
    for i in range(x.size) if places is None else places:
        value = x.flat[i]
        h = scale * max(1.0, abs(value))
        shifted = x.copy()
        shifted.flat[i] = value + h
        high, up = f(shifted), shifted.flat[i]
        shifted.flat[i] = value - h
        gradient[i] = (high - f(shifted)) / (up - shifted.flat[i])
    return gradient.reshape(x.shape)


def ulp_error(got, exact):
    """|got - exact| in units of the last place of got's dtype; exact is of a wider dtype."""
    unit = np.spacing(np.abs(exact).astype(got.dtype)).astype(exact.dtype)
    return np.abs(got.astype(exact.dtype) - exact) / unit


def attention(q, k, v, masks=(), scale=1.0, causal=False, all_masked="mean", dropped=None, window=0):
    """y_i = sum_j p_ij v_j and p_i = softmax of scale q_i k_j over the keys j that query i may look at.

    q (samples, queries, heads, size), k and v (samples, keys, kv_heads, size); a mask is broadcast to the shape of p,
    (samples, heads, queries, keys). window: |i - j| is below it, where it is not 0. dropped: what p is multiplied by
    before the sum. Where a query may look at no key: the mean of all values, zeros, or attention to all keys.
    """
    group = q.shape[2] // k.shape[2]
    k, v = np.repeat(k, group, axis=2), np.repeat(v, group, axis=2)
    s = scale * np.einsum("bqhd,bkhd->bhqk", q, k)
    allowed = np.tri(*s.shape[2:], dtype=bool) if causal else np.ones(s.shape[2:], bool)
    if window:
        allowed = allowed & (np.abs(np.arange(s.shape[2])[:, None] - np.arange(s.shape[3])) < window)
    allowed = np.broadcast_to(allowed, s.shape)
    for mask in masks:
        allowed = allowed & (mask != 0)
    none = ~allowed.any(axis=-1, keepdims=True)
    if all_masked == "mean":
        s = np.where(none, 0, s)
    p = softmax(np.where(allowed | none, s, -np.inf))
    if all_masked == "zeros":
        p = np.where(none, 0, p)
    used = p if dropped is None else p * dropped
    return np.einsum("bhqk,bkhd->bqhd", used, v), p

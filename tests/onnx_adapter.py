"""ONNX operators in terms of pynn: what the cases of ONNX's own test suite are run on.

`OPERATORS` has a function for each operator: it takes the attributes of the node and the inputs, and returns the
outputs. These functions see to names and layouts only (ONNX has the channels before the axes of the image, pynn has
them last); what is computed is computed by pynn. Only what the cases use is there: a name that is not known raises
KeyError or TypeError.
"""

import math
from typing import NamedTuple

import numpy as np
import reference_windows

import pynn
from pynn import layers, ops
from pynn.activations import Activation
from pynn.engine import single
from pynn.foundation.native import core


def run(operator, attributes, inputs):
    """The outputs of one node, as a list."""
    outputs = OPERATORS[operator](attributes, *inputs)
    return list(outputs) if isinstance(outputs, tuple) else [outputs]


def channels_last(x):
    return np.ascontiguousarray(np.moveaxis(x, 1, -1))


def channels_first(x):
    return np.moveaxis(x, -1, 1)


def through(layer, x):
    """What a network of this one layer makes of x."""
    return pynn.Sequential([pynn.Input(x.shape[1:]), layer]).predict(x, verbose=0)


# ---- activations -----------------------------------------------------------------------------------------------------
def activation(name, **settings):
    """A function for the operator that is pynn's activation `name`.

    settings: pynn's setting -> (ONNX's attribute, its default)
    """

    def forward(attributes, x):
        chosen = {setting: attributes.get(*attribute) for setting, attribute in settings.items()}
        assert set(attributes) <= {attribute for attribute, _ in settings.values()}
        return ops.activation_forward(x, Activation(name, **chosen))

    return forward


def with_fixed(name, **fixed):
    """A function for the operator whose attributes are no settings of pynn's activation `name`, but fixed.

    fixed: ONNX's attribute -> (the value that pynn has, ONNX's default)
    """

    def forward(attributes, x):
        assert set(attributes) <= set(fixed)
        for attribute, (value, default) in fixed.items():
            assert math.isclose(attributes.get(attribute, default), value, rel_tol=1e-6), f"{name} has another value"
        return ops.activation_forward(x, name)

    return forward


def gelu(attributes, x):
    kinds = {b"none": False, b"tanh": True}
    return ops.activation_forward(x, Activation("gelu", approximate=kinds[attributes.get("approximate", b"none")]))


# ---- products --------------------------------------------------------------------------------------------------------
def gemm(attributes, a, b, c=None):
    """alpha * op(a) @ op(b) + beta * c; alpha and beta are multiplied in first, and the product is added to c."""
    a = ops.rescaling_forward(a, attributes.get("alpha", 1.0))
    transpose_a, transpose_b = bool(attributes.get("transA", 0)), bool(attributes.get("transB", 0))
    flags = {"transpose_a": transpose_a, "transpose_b": transpose_b}
    if c is None:
        return ops.gemm(a, b, **flags)
    shape = (a.shape[1 if transpose_a else 0], b.shape[0 if transpose_b else 1])
    out = np.broadcast_to(ops.rescaling_forward(c, attributes.get("beta", 1.0)), shape).copy()
    return ops.gemm(a, b, **flags, accumulate=True, out=out)


def matmul(attributes, a, b):
    """One product for each matrix of the batch."""
    wide_a, wide_b = (a[None, :] if a.ndim == 1 else a), (b[:, None] if b.ndim == 1 else b)
    batch = np.broadcast_shapes(wide_a.shape[:-2], wide_b.shape[:-2])
    y = np.empty((*batch, wide_a.shape[-2], wide_b.shape[-1]), a.dtype)
    wide_a, wide_b = (np.broadcast_to(m, (*batch, *m.shape[-2:])) for m in (wide_a, wide_b))
    for at in np.ndindex(batch):
        y[at] = ops.gemm(np.ascontiguousarray(wide_a[at]), np.ascontiguousarray(wide_b[at]))
    y = y[..., 0, :] if a.ndim == 1 else y
    return y[..., 0] if b.ndim == 1 else y


# ---- windows ---------------------------------------------------------------------------------------------------------
class Axis(NamedTuple):
    """How a window moves along one axis of length n: zeros before and after, and the length of the output."""

    n: int
    size: int
    stride: int
    dilation: int
    before: int
    after: int
    out: int


def axes_of(attributes, lengths, sizes):
    """The rules of ONNX's Conv and of its poolings, for each axis."""
    rank = len(lengths)
    assert rank in (1, 2), "pynn has no volumes"
    auto = attributes.get("auto_pad", b"NOTSET").decode()
    pads = attributes.get("pads", [0] * 2 * rank) if auto == "NOTSET" else [0] * 2 * rank
    ones = [1] * rank
    axes = []
    for i, (n, size) in enumerate(zip(lengths, sizes, strict=True)):
        stride, dilation = attributes.get("strides", ones)[i], attributes.get("dilations", ones)[i]
        span = (size - 1) * dilation + 1
        before, after = pads[i], pads[i + rank]
        if auto.startswith("SAME"):
            total = max((math.ceil(n / stride) - 1) * stride + span - n, 0)
            before, after = (total // 2, total - total // 2)[:: 1 if auto == "SAME_UPPER" else -1]
        out = (n + before + after - span) // stride + 1
        if attributes.get("ceil_mode", 0) and (n + before + after - span) % stride and out * stride < n + before:
            out += 1  # a last window that reaches over the edge, but begins before it
        axes.append(Axis(n, size, stride, dilation, before, after, out))
    return axes


def padding_of(axes):
    """pynn's name for the padding, or None if it has none."""
    for name in ("valid", "same", "causal")[: 2 if len(axes) == 2 else 3]:
        if all(reference_windows.pads(*axis[:4], name) == (axis.out, axis.before, axis.after) for axis in axes):
            return name
    return None


def padded(x, axes):
    return np.pad(x, [(0, 0), *((axis.before, axis.after) for axis in axes), (0, 0)])


def conv(attributes, x, kernel, bias=None):
    axes = axes_of(attributes, x.shape[2:], kernel.shape[2:])
    x, padding = channels_last(x), padding_of(axes)
    if padding is None:  # pynn has names for paddings, but takes no numbers: the zeros are put around x here
        x, padding = padded(x, axes), "valid"
    y = ops.conv_forward(
        x,
        np.ascontiguousarray(np.moveaxis(kernel, (0, 1), (-1, -2))),
        bias,
        strides=[axis.stride for axis in axes],
        padding=padding,
        dilation_rate=[axis.dilation for axis in axes],
        groups=attributes.get("group", 1),
    )
    return channels_first(y)


def conv_transpose(attributes, x, kernel, bias=None):
    """Straight to the engine, which takes any number of pixels to cut off in front, and any length of the result."""
    rank = x.ndim - 2
    ones, nothing = [1] * rank, [0] * rank
    strides, dilations = attributes.get("strides", ones), attributes.get("dilations", ones)
    spans = [(size - 1) * d + 1 for size, d in zip(kernel.shape[2:], dilations, strict=True)]
    extra = attributes.get("output_padding", nothing)
    whole = [(n - 1) * s + r + e for n, s, r, e in zip(x.shape[2:], strides, spans, extra, strict=True)]
    same = attributes.get("auto_pad", b"NOTSET").startswith(b"SAME")
    if same or "output_shape" in attributes:
        out = attributes.get("output_shape") or [n * s for n, s in zip(x.shape[2:], strides, strict=True)]
        cut = [w - o for w, o in zip(whole, out, strict=True)]
        before = [c // 2 if attributes.get("auto_pad") == b"SAME_UPPER" else c - c // 2 for c in cut]
    else:
        pads = attributes.get("pads", 2 * nothing)
        before = pads[:rank]
        out = [w - b - a for w, b, a in zip(whole, before, pads[rank:], strict=True)]
    groups, channels = attributes.get("group", 1), x.shape[1]
    filters = kernel.shape[1] * groups
    x, kernel = channels_last(x), np.ascontiguousarray(np.moveaxis(kernel, (0, 1), (-1, -2)))

    def images(numbers, single=1):  # a sequence is an image of height 1
        return [*[single] * (2 - rank), *numbers]

    numbers = [*images(out), filters, *images(x.shape[1:-1]), channels, *images(kernel.shape[:-2])]
    numbers += [*images(strides), *images(dilations), *images(before, 0), groups]
    y = np.empty((len(x), *out, filters), x.dtype)
    single.forward("conv", y, np.ascontiguousarray(x), [kernel, bias], shape=numbers, transposed=True)
    return channels_first(y)


def pool(kind):
    """The pooling "max" or "average"."""
    made_by = {
        "max": (layers.MaxPooling1D, layers.MaxPooling2D),
        "average": (layers.AveragePooling1D, layers.AveragePooling2D),
    }[kind]

    def forward(attributes, x):
        axes = axes_of(attributes, x.shape[2:], attributes["kernel_shape"])
        assert all(axis.dilation == 1 for axis in axes), "pynn's poolings have no dilation"
        x = channels_last(x)
        if attributes.get("count_include_pad", 0):  # in pynn what lies outside does not count: it is put inside
            x = padded(x, axes)
            axes = [axis._replace(n=axis.before + axis.n + axis.after, before=0, after=0) for axis in axes]
        padding = padding_of(axes)
        if padding in ("valid", "same"):
            sizes, strides = [axis.size for axis in axes], [axis.stride for axis in axes]
            return channels_first(through(made_by[len(axes) - 1](sizes, strides=strides, padding=padding), x))
        return channels_first(pool_by_numbers(kind, x, axes))

    return forward


def pool_by_numbers(kind, x, axes):
    """The kernel of the layers, which takes any number of zeros in front and any number of windows."""
    y = np.empty((len(x), *(axis.out for axis in axes), x.shape[-1]), x.dtype)
    # In the order of a PoolShape (csrc/kernels/pool.h); a sequence is an image of height 1
    i, j = axes if len(axes) == 2 else (Axis(1, 1, 1, 1, 0, 0, 1), axes[0])
    shape = [i.n, j.n, x.shape[-1], i.out, j.out, i.size, j.size, i.stride, j.stride, i.before, j.before]
    single.forward("pool", y, x, kind=kind, shape=shape)
    return y


def global_pool(one_axis, two_axes):
    def forward(attributes, x):
        assert not attributes
        return channels_first(through({3: one_axis, 4: two_axes}[x.ndim](keepdims=True), channels_last(x)))

    return forward


# ---- normalisation ---------------------------------------------------------------------------------------------------
def batch_norm(attributes, x, gamma, beta, mean, variance):
    layer = layers.BatchNormalization(momentum=attributes.get("momentum", 0.9), epsilon=attributes.get("epsilon", 1e-5))
    training = bool(attributes.get("training_mode", 0))
    x = channels_last(x)
    model = pynn.Sequential([pynn.Input(x.shape[1:]), layer])
    layer.set_weights([gamma, beta, mean, variance])
    y = channels_first(model(x, training=training))
    return (y, layer.moving_mean.numpy(), layer.moving_variance.numpy()) if training else y


def group_norm(attributes, x, gamma, beta):
    layer = layers.GroupNormalization(attributes["num_groups"], epsilon=attributes.get("epsilon", 1e-5))
    x = channels_last(x)
    model = pynn.Sequential([pynn.Input(x.shape[1:]), layer])
    layer.set_weights([gamma, beta])
    return channels_first(model(x))


def instance_norm(attributes, x, gamma, beta):
    """A group for each channel."""
    return group_norm({**attributes, "num_groups": x.shape[1]}, x, gamma, beta)


def layer_norm(attributes, x, gamma, beta=None):
    """The kernel of the layer, as that keeps the moments to itself; what is normalised may be all of the batch."""
    axis = attributes.get("axis", -1) % x.ndim
    samples, columns = math.prod(x.shape[:axis]), math.prod(x.shape[axis:])
    y = np.empty_like(x)
    mean, inverse = saved = np.empty((2, *x.shape[:axis], *[1] * (x.ndim - axis)), x.dtype)
    whole = x.reshape(1, -1)
    attributes = {"samples": samples, "groups": 1, "columns": columns, "epsilon": attributes.get("epsilon", 1e-5)}
    core.op_forward("group_norm", attributes, [y.reshape(1, -1)], [whole], [gamma, beta], saved, 1)
    return y, mean, inverse


# ---- sequences -------------------------------------------------------------------------------------------------------
def recurrent(kind, gates):
    """The layer `kind`, whose gates are these ones of the operator's, in one direction or in two."""

    def forward(attributes, x, w, r, b=None, lengths=None, *states):
        assert lengths is None, "sequences of one length"
        assert set(attributes) <= {"hidden_size", "layout", "direction", "linear_before_reset"}
        ways = {"forward": [False], "reverse": [True], "bidirectional": [False, True]}
        ways = ways[attributes.get("direction", b"forward").decode()]
        batch_first = bool(attributes.get("layout", 0))
        x = x if batch_first else np.swapaxes(x, 0, 1)
        settings = {"reset_after": bool(attributes.get("linear_before_reset", 0))} if kind is layers.GRU else {}
        outputs = []
        for way, backwards in enumerate(ways):
            layer = kind(
                attributes["hidden_size"],
                use_bias=b is not None,
                return_sequences=True,
                return_state=True,
                go_backwards=backwards,
                **settings,
            )
            layer.build((None, *x.shape[1:]))
            by_gate = [np.split(each[way], len(gates)) for each in (w, r)]
            weights = [np.concatenate([parts[gate] for gate in gates]).T for parts in by_gate]
            if b is not None:
                by_gate = [np.split(each, len(gates)) for each in np.split(b[way], 2)]
                biases = [np.concatenate([parts[gate] for gate in gates]) for parts in by_gate]
                weights.append(np.stack(biases) if settings.get("reset_after") else sum(biases))
            layer.set_weights(weights)
            y, *ends = layer(x, initial_state=[state[way] for state in states] or None)
            outputs.append([y[:, ::-1] if backwards else y, *ends])
        steps, *ends = (np.stack(each, axis=-2) for each in zip(*outputs, strict=True))
        if batch_first:
            return steps, *ends
        return np.moveaxis(steps, (1, 2), (0, 1)), *(np.swapaxes(end, 0, 1) for end in ends)

    return forward


def attention(attributes, q, k, v, mask=None):
    """The op, for inputs (samples, heads, steps, size), or (samples, steps, heads * size).

    A query without any key gets zeros.
    """
    assert mask is None or mask.dtype == bool, "masks that are added are not there"
    apart = q.ndim == 4
    if apart:
        q, k, v = (np.ascontiguousarray(np.swapaxes(x, 1, 2)) for x in (q, k, v))
        heads, kv_heads = q.shape[2], k.shape[2]
    else:
        heads, kv_heads = attributes["q_num_heads"], attributes["kv_num_heads"]
    samples, queries, keys = len(q), q.shape[1], k.shape[1]
    size, value_size = q[0, 0].size // heads, v[0, 0].size // kv_heads
    masks = []
    if mask is not None:
        sizes = (1,) * (4 - mask.ndim) + mask.shape
        masks = [np.ascontiguousarray(np.broadcast_to(mask.reshape(sizes), (samples, *sizes[1:])), q.dtype)]
    y = np.empty((samples, queries, heads, value_size), q.dtype)
    scores = np.empty((samples, heads, queries, keys), q.dtype)
    settings = {
        "queries": queries,
        "keys": keys,
        "heads": heads,
        "kv_heads": kv_heads,
        "window": 0,
        "masks": [size for each in masks for size in each.shape[1:]],
        "scale": attributes.get("scale", 1 / math.sqrt(size)),
        "causal": bool(attributes.get("is_causal", 0)),
        "all_masked": "zeros",
        "scores": True,
        "rate": 0.0,
        "seed": 0,
        "drops_scores": False,
    }
    rows = np.empty((samples, heads, 2, queries), q.dtype)
    core.op_forward("attention", settings, [y, scores], [q, k, v, *masks], [], rows, 1)
    y = np.swapaxes(y, 1, 2) if apart else y.reshape(samples, queries, -1)
    return y, None, None, scores


# ---- shapes ----------------------------------------------------------------------------------------------------------
def flatten(attributes, x):
    """The axes from `axis` on as one; pynn's goes from axis 1 on."""
    axis = attributes.get("axis", 1)
    rows = math.prod(x.shape[: axis if axis >= 0 else x.ndim + axis])
    return through(layers.Flatten(), x.reshape(rows, *x.shape[axis:] or (1,)))


OPERATORS = {
    "Attention": attention,
    "AveragePool": pool("average"),
    "BatchNormalization": batch_norm,
    "Celu": activation("celu", alpha=("alpha", 1.0)),
    "Conv": conv,
    "ConvTranspose": conv_transpose,
    "Elu": activation("elu", alpha=("alpha", 1.0)),
    "Flatten": flatten,
    "GRU": recurrent(layers.GRU, (0, 1, 2)),
    "Gelu": gelu,
    "Gemm": gemm,
    "GlobalAveragePool": global_pool(layers.GlobalAveragePooling1D, layers.GlobalAveragePooling2D),
    "GlobalMaxPool": global_pool(layers.GlobalMaxPooling1D, layers.GlobalMaxPooling2D),
    "GroupNormalization": group_norm,
    "HardSwish": activation("hard_silu"),
    "InstanceNormalization": instance_norm,
    "LSTM": recurrent(layers.LSTM, (0, 2, 3, 1)),
    "LayerNormalization": layer_norm,
    "LeakyRelu": activation("leaky_relu", negative_slope=("alpha", 0.01)),
    "LogSoftmax": activation("log_softmax", axis=("axis", -1)),
    "MatMul": matmul,
    "MaxPool": pool("max"),
    "Mish": activation("mish"),
    "RNN": recurrent(layers.SimpleRNN, (0,)),
    "Relu": activation("relu"),
    "Selu": with_fixed("selu", alpha=(1.67326324, 1.67326319), gamma=(1.05070098, 1.05070102)),
    "Sigmoid": activation("sigmoid"),
    "Softmax": activation("softmax", axis=("axis", -1)),
    "Softplus": activation("softplus"),
    "Softsign": activation("softsign"),
    "Swish": with_fixed("silu", alpha=(1.0, 1.0)),
    "Tanh": activation("tanh"),
}

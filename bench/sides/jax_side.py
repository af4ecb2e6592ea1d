"""JAX: an epoch is one compiled scan over the batches, whose weights are updated in place.

With convolutions only a step is compiled: inside a scan, XLA takes several times as long for them on processors.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from networks import (
    Branches,
    Conv2D,
    Dense,
    Flatten,
    GlobalAveragePooling1D,
    Layer,
    LayerNormalization,
    MaxPooling2D,
    Network,
    Recurrent,
    Residual,
    SelfAttention,
    Shape,
)
from training_data import TEST_ROWS, Array, Data

from .base import Side, in_parts, rows_at_a_time

Apply = Callable[[Any, jax.Array], jax.Array]

ACTIVATIONS: dict[str, Callable[[jax.Array], jax.Array]] = {
    "relu": jax.nn.relu,
    "linear": lambda x: x,
    "softmax": lambda x: x,
}


def make_layer(layer: Layer, shape: Shape, key: jax.Array) -> tuple[Any, Apply]:
    """The first weights of a layer and its function. A softmax is left to the loss, which takes what is before it."""
    if isinstance(layer, Flatten):
        return (), lambda weights, x: x.reshape(len(x), -1)
    if isinstance(layer, Dense):
        kernel = jax.nn.initializers.glorot_uniform()(key, (shape[-1], layer.units), jnp.float32)
        after = ACTIVATIONS[layer.activation]
        return (kernel, jnp.zeros(layer.units)), lambda weights, x: after(x @ weights[0] + weights[1])
    if isinstance(layer, Conv2D):
        kernel = jax.nn.initializers.glorot_uniform()(key, (*layer.size, shape[-1], layer.filters), jnp.float32)
        after = ACTIVATIONS[layer.activation]
        return (kernel, jnp.zeros(layer.filters)), partial(convolved, after, layer.padding.upper())
    if isinstance(layer, MaxPooling2D):
        window = (1, *layer.size, 1)
        return (), lambda weights, x: jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, window, window, "VALID")
    if isinstance(layer, Residual):
        own, function = make_chain(layer.layers, shape, key)
        return own, lambda weights, x: x + function(weights, x)
    if isinstance(layer, Branches):
        chains = [
            make_chain(chain, shape, each)
            for chain, each in zip(layer.chains, keys_for(key, layer.chains), strict=True)
        ]
        functions = [function for _, function in chains]
        return [own for own, _ in chains], lambda weights, x: jnp.concatenate(
            [function(own, x) for own, function in zip(weights, functions, strict=True)], -1
        )
    if isinstance(layer, Recurrent):
        return recurrent_weights(layer, shape[-1], key), partial(recurrent, layer)
    if isinstance(layer, SelfAttention):
        width = shape[-1]
        kernels = [jax.nn.initializers.glorot_uniform()(each, (width, width)) for each in jax.random.split(key, 4)]
        return [(kernel, jnp.zeros(width)) for kernel in kernels], partial(attend, layer.heads)
    if isinstance(layer, LayerNormalization):
        return (jnp.ones(shape[-1]), jnp.zeros(shape[-1])), normalized
    if isinstance(layer, GlobalAveragePooling1D):
        return (), lambda weights, x: x.mean(1)
    raise TypeError(f"The JAX side has no {layer!r}.")


def recurrent_weights(layer: Recurrent, features: int, key: jax.Array) -> tuple[jax.Array, ...]:
    """Kernel, recurrent kernel and bias; the GRU has two rows of biases, the LSTM's forget gate begins with ones."""
    columns = layer.gates * layer.units
    for_kernel, for_state = jax.random.split(key)
    kernel = jax.nn.initializers.glorot_uniform()(for_kernel, (features, columns))
    bias = jnp.zeros((2, columns) if layer.kind == "GRU" else columns)
    if layer.kind == "LSTM":
        bias = bias.at[layer.units : 2 * layer.units].set(1)
    return kernel, jax.nn.initializers.orthogonal()(for_state, (layer.units, columns)), bias


def recurrent(layer: Recurrent, weights: tuple[jax.Array, ...], x: jax.Array) -> jax.Array:
    """A scan over the steps; the products with the input are made beforehand, all at once."""
    kernel, state_kernel, bias = weights
    bias, state_bias = bias if layer.kind == "GRU" else (bias, None)
    products = jnp.swapaxes(x, 0, 1) @ kernel + bias
    start = jnp.zeros((len(x), layer.units))

    def simple(h: jax.Array, z: jax.Array) -> Any:
        h = jnp.tanh(z + h @ state_kernel)
        return h, h

    def lstm(carry: Any, z: jax.Array) -> Any:
        h, c = carry
        i, f, g, o = jnp.split(z + h @ state_kernel, 4, 1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        h = jax.nn.sigmoid(o) * jnp.tanh(c)
        return (h, c), h

    def gru(h: jax.Array, products: jax.Array) -> Any:
        z, r, g = jnp.split(products, 3, 1)
        of_state = jnp.split(h @ state_kernel + state_bias, 3, 1)
        z, r = jax.nn.sigmoid(z + of_state[0]), jax.nn.sigmoid(r + of_state[1])
        h = z * h + (1 - z) * jnp.tanh(g + r * of_state[2])
        return h, h

    step: Any = {"SimpleRNN": simple, "LSTM": lstm, "GRU": gru}[layer.kind]
    _, outputs = jax.lax.scan(step, (start, start) if layer.kind == "LSTM" else start, products)
    return jnp.swapaxes(outputs, 0, 1) if layer.return_sequences else outputs[-1]


def attend(heads: int, weights: Any, x: jax.Array) -> jax.Array:
    """The sequence attends to itself; the weights are those of query, key, value and output."""
    query, key, value = ((x @ kernel + bias).reshape(*x.shape[:2], heads, -1) for kernel, bias in weights[:3])
    kernel, bias = weights[3]
    return jax.nn.dot_product_attention(query, key, value).reshape(x.shape) @ kernel + bias


def normalized(weights: tuple[jax.Array, jax.Array], x: jax.Array) -> jax.Array:
    """The last axis."""
    x = x - x.mean(-1, keepdims=True)
    return x * jax.lax.rsqrt(jnp.square(x).mean(-1, keepdims=True) + 1e-3) * weights[0] + weights[1]


def keys_for(key: jax.Array, things: tuple[Any, ...]) -> jax.Array:
    """A key for each of them."""
    return jax.random.split(key, len(things))


def make_chain(layers: tuple[Layer, ...], shape: Shape, key: jax.Array) -> tuple[Any, Apply]:
    """The first weights of layers that follow each other, and their function."""
    made = []
    for layer, each in zip(layers, keys_for(key, layers), strict=True):
        made.append(make_layer(layer, shape, each))
        shape = layer.output_shape(shape)

    def function(weights: Any, x: jax.Array) -> jax.Array:
        for own, (_, apply) in zip(weights, made, strict=True):
            x = apply(own, x)
        return x

    return [own for own, _ in made], function


def convolved(
    after: Callable[[jax.Array], jax.Array], padding: str, weights: tuple[jax.Array, jax.Array], x: jax.Array
) -> jax.Array:
    """Channels last, stride 1."""
    sums = jax.lax.conv_general_dilated(x, weights[0], (1, 1), padding, dimension_numbers=("NHWC", "HWIO", "NHWC"))
    return after(sums + weights[1])


def sgd(rate: float) -> Callable[..., Any]:
    """``w -= rate * g``."""
    return lambda weights, slopes, state: (jax.tree.map(lambda w, g: w - rate * g, weights, slopes), state)


def adam(rate: float) -> Callable[..., Any]:
    """Adam with Keras's constants; the state is (m, v, number of steps)."""

    def update(weights: Any, slopes: Any, state: Any) -> Any:
        m, v, steps = state
        steps = steps + 1
        m = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, m, slopes)
        v = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, v, slopes)
        step = rate * jnp.sqrt(1 - 0.999**steps) / (1 - 0.9**steps)
        weights = jax.tree.map(lambda w, m, v: w - step * m / (jnp.sqrt(v) + 1e-7), weights, m, v)
        return weights, (m, v, steps)

    return update


class Library(Side):
    """Softmax networks. The number of threads comes from the processors that the worker may run on."""

    def __init__(self, network: Network, data: Data, threads: int) -> None:
        self.batch, self.random = network.batch, np.random.default_rng(1)
        self.part = rows_at_a_time(network, TEST_ROWS)
        self.x, self.y = jnp.asarray(data.x), jnp.asarray(data.y.astype(np.int32))
        weights, forward = make_chain(network.layers, network.input_shape, jax.random.key(1))
        update = {"sgd": sgd, "adam": adam}[network.optimizer](network.learning_rate)
        # Weights, m and v are buffers of their own: they are given away to be written over.
        self.state = (weights, (*(jax.tree.map(jnp.zeros_like, weights) for _ in range(2)), jnp.float32(0)))

        def loss(weights: Any, x: jax.Array, y: jax.Array) -> jax.Array:
            return -jnp.take_along_axis(jax.nn.log_softmax(forward(weights, x)), y[:, None], 1).mean()

        def step(state: Any, x: jax.Array, y: jax.Array, rows: jax.Array) -> Any:
            weights, memory = state
            return update(weights, jax.grad(loss)(weights, x[rows], y[rows]), memory)

        def scan(state: Any, x: jax.Array, y: jax.Array, batches: jax.Array) -> Any:
            return jax.lax.scan(lambda state, rows: (step(state, x, y, rows), None), state, batches)[0]

        # What is compiled: an epoch, or each step on its own.
        compiled = jax.jit(step if network.is_convolutional else scan, donate_argnums=0)

        def train(state: Any, x: jax.Array, y: jax.Array, batches: Array) -> Any:
            for part in batches if network.is_convolutional else [batches]:
                state = compiled(state, x, y, part)
            return state

        self.train = train
        self.forward = jax.jit(lambda weights, x: jax.nn.softmax(forward(weights, x)))

    def epoch(self) -> None:
        order = self.random.permutation(len(self.x))
        whole = len(order) // self.batch * self.batch
        for rows, batch in ((order[:whole], self.batch), (order[whole:], len(order) - whole)):
            if len(rows):
                self.state = self.train(self.state, self.x, self.y, rows.reshape(-1, batch))
        jax.block_until_ready(self.state)

    def take(self, x: Array) -> jax.Array:
        return jnp.asarray(x)

    def predict(self, rows: jax.Array) -> jax.Array:
        outputs = in_parts(partial(self.forward, self.state[0]), rows, self.part, jnp.concatenate)
        return outputs.block_until_ready()

    def ways(self, row: jax.Array) -> dict[str, Callable[[], object]]:
        return {"jit(model)(x)": partial(self.predict, row)}

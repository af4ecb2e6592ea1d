"""More programs like those of graph_programs.py: layers of one's own, in the words of Keras."""

import numpy as np
from graph_runs import ids, program, real, weight


def own(keras):
    """The layers that the programs use."""
    layers, activations = keras.layers, keras.activations

    class Linear(layers.Layer):
        """``x @ w + b``."""

        def __init__(self, units=32, **kwargs):
            super().__init__(**kwargs)
            self.units = units

        def build(self, input_shape):
            self.w = self.add_weight(
                shape=(input_shape[-1], self.units), initializer="random_normal", trainable=True, name="w"
            )
            self.b = self.add_weight(shape=(self.units,), initializer="zeros", name="b")

        def call(self, inputs, training=None):
            return inputs @ self.w + self.b

        def get_config(self):
            return {**super().get_config(), "units": self.units}

    class Gate(layers.Layer):
        """``x * sigmoid(x @ w)``, beside a scale that is made at once and a number that is not learned."""

        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.scale = self.add_weight(shape=(), initializer="ones", name="scale")

        def build(self, input_shape):
            width = input_shape[-1]
            self.offset = self.add_weight(shape=(1, width), initializer="ones", trainable=False, name="offset")
            self.w = self.add_weight(
                shape=(width, width), regularizer="l2", constraint=keras.constraints.MaxNorm(0.8), name="w"
            )

        def call(self, x):
            gate = activations.sigmoid(x @ self.w)
            return self.scale * x * gate + (1 - self.offset) ** 2 / 2

    class Residual(layers.Layer):
        """``x + dense(dropout(norm(x)))`` in several blocks, and a bias."""

        def __init__(self, blocks=2, **kwargs):
            super().__init__(**kwargs)
            self.blocks = blocks
            self.norm = layers.BatchNormalization()
            self.dropout = layers.Dropout(0.0)

        def build(self, input_shape):
            self.dense = [layers.Dense(input_shape[-1], activation="tanh") for _ in range(self.blocks)]
            self.bias = self.add_weight(shape=(input_shape[-1],), initializer="zeros", name="bias")
            super().build(input_shape)

        def call(self, x, training=False):
            h = self.norm(x, training=training)
            for dense in self.dense:
                h = h + self.dropout(dense(h), training=training)
            return layers.add([x, h]) - self.bias

    class Mix(layers.Layer):
        """Two inputs, mixed by shares that a softmax of weights gives, or by one in a mixture of its own."""

        def build(self, left_shape, right_shape):
            self.logits = self.add_weight(shape=(2, left_shape[-1]), initializer="zeros", name="logits")
            self.inner = Linear(right_shape[-1], name="inner")

        def call(self, left, right):
            shares = activations.softmax(self.logits)
            return shares[0] * left + abs(shares[1]) * self.inner(right)

    class Noisy(layers.Layer):
        """Twice the input in training, and the input otherwise."""

        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.first = layers.Dense(3)

        def call(self, x, training=None):
            x = self.first(x)
            if training:
                return 2 * x
            return x

    class Table(layers.Layer):
        """Rows that ids choose, and a mean of their own."""

        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.rows = layers.Embedding(6, 4)
            self.mean = layers.GlobalAveragePooling1D()

        def call(self, words):
            return self.mean(self.rows(words))

    return Linear, Gate, Residual, Mix, Noisy, Table


@program(x=real(5), y=real(2), weights=weight())
def own_linear(keras):
    linear, *_ = own(keras)
    inputs = keras.Input((5,))
    stack = keras.Sequential([linear(4), keras.layers.ReLU(), linear(2)])
    model = keras.Model(inputs, stack(inputs))
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9), "mse", metrics=["mae"])
    return model


@program(x=real(3, 4), y=real(3, 2), weights=weight(3))
def own_gate(keras):
    linear, gate, *_ = own(keras)
    inputs = keras.Input((3, 4))
    x = gate(name="first")(inputs)
    model = keras.Model(inputs, linear(2)(gate()(x) + x))
    model.compile(keras.optimizers.Adam(0.02), "mse", metrics=["mae"])
    return model


@program(x=real(4), y=real(2))
def own_residual_blocks(keras):
    _, _, residual, *_ = own(keras)

    class Network(keras.Model):
        def __init__(self):
            super().__init__()
            self.block = residual()
            self.last = keras.layers.Dense(2)

        def call(self, x, training=None):
            return self.last(self.block(x, training=training))

    model = Network()
    model(np.zeros((1, 4)))
    model.compile(keras.optimizers.RMSprop(0.01), "mse")
    return model


@program(x=[real(4), real(3)], y=real(1), weights=weight())
def own_two_inputs(keras):
    _, _, _, mix, *_ = own(keras)
    left, right = keras.Input((4,), name="left"), keras.Input((3,), name="right")
    model = keras.Model([left, right], keras.layers.Dense(1)(mix()(left, keras.layers.Dense(4)(right))))
    model.compile(keras.optimizers.Adam(0.01), "mse")
    return model


@program(x=real(5), y=real(5))
def own_layer_frozen(keras):
    linear, gate, residual, *_ = own(keras)
    inputs = keras.Input((5,))
    frozen = gate(name="frozen", trainable=False)
    block = residual(blocks=1)
    x = linear(5)(block(frozen(inputs)))
    block.trainable = False
    model = keras.Model(inputs, x)
    model.compile(keras.optimizers.SGD(0.1), "mse")
    return model


@program(x=real(3, 4), y=real(4))
def own_layer_used_twice(keras):
    linear, gate, *_ = own(keras)
    inputs = keras.Input((3, 4))
    shared, again = gate(), linear(4, name="again")
    x = again(shared(again(shared(inputs))))
    model = keras.Model(inputs, keras.layers.GlobalAveragePooling1D()(x))
    model.compile(keras.optimizers.Adagrad(0.1), "mse")
    return model


@program(x=real(5), y=real(3))
def own_layer_that_differs_in_training(keras):
    *_, noisy, _ = own(keras)
    inputs = keras.Input((5,))
    stack = keras.Sequential([keras.Input((5,)), noisy(), keras.layers.Dense(3)])
    model = keras.Model(inputs, stack(inputs))
    model.compile(keras.optimizers.SGD(0.1), "mse", metrics=["mae"])
    return model


@program(x=ids(6, 5), y=real(2))
def own_layer_of_ids(keras):
    linear, *_, table = own(keras)
    words = keras.Input((5,), dtype="int32")
    model = keras.Model(words, linear(2)(table()(words)))
    model.compile(keras.optimizers.Adam(0.05), "mse")
    return model

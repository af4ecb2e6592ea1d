"""A model of Keras and pynn alike, for golden/make_interchange_keras.py and test_interchange_keras.py."""


def subclass(keras):
    """A subclass: attributes whose names come before and behind `layers`, in containers, and a private one."""
    layers = keras.layers

    class Block(layers.Layer):
        """A layer of one's own, with layers in a list and a tuple within it."""

        def __init__(self):
            super().__init__()
            self.inner = [layers.Dense(3), (layers.Dense(3), layers.Dense(3))]
            self.norm, self.out = layers.LayerNormalization(), layers.Dense(3)

        def call(self, x):
            first, (second, third) = self.inner
            return self.out(self.norm(third(second(first(x)))))

    class Net(keras.Model):
        def __init__(self):
            super().__init__()
            self.hidden, self.out = layers.Dense(3), layers.Dense(3)
            self.pool = {"b": layers.Dense(3), "a": layers.Dense(3)}
            self.blocks = [Block(), Block()]
            self.middle, self.zed = layers.Dense(3, use_bias=False), [layers.Dense(3), layers.Dense(3)]
            self.attention, self._last = layers.GroupQueryAttention(2, 4, 2), layers.Dense(3)

        def call(self, x):
            x = self.pool["a"](self.pool["b"](self.out(self.hidden(x))))
            for block in self.blocks:
                x = block(x)
            x = self.zed[1](self.zed[0](self.middle(x)))
            return self._last(self.attention(x, x))

    return Net()

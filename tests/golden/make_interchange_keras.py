"""Makes interchange_keras_*: models and weights that Keras 3 wrote, and what they compute. Needs Keras with JAX, h5py.

KERAS_BACKEND=jax python tests/golden/make_interchange_keras.py
"""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

import keras
import numpy as np
from interchange_models import subclass
from keras import layers, ops

FOLDER = pathlib.Path(__file__).parent


def sequential():
    return keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Rescaling(0.5),
            layers.Conv2D(4, 3, padding="same", activation="relu", kernel_regularizer="l2"),
            layers.BatchNormalization(),
            layers.MaxPooling2D(),
            layers.DepthwiseConv2D(3, depth_multiplier=2),
            layers.LayerNormalization(),
            layers.SeparableConv2D(3, 2, depthwise_constraint=keras.constraints.MaxNorm(3)),
            layers.PReLU(),
            layers.Flatten(),
            layers.Dropout(0.5),
            layers.Dense(3, activation="softmax"),
        ]
    )


def functional():
    """Branches, operators, a nested model that is used twice, several inputs and outputs."""
    numbers, ids = keras.Input((6,), name="numbers"), keras.Input((4,), dtype="int32", name="ids")
    inner = keras.Sequential([keras.Input((6,)), layers.Dense(5, activation="tanh"), layers.Dense(6)], name="inner")
    words = layers.Conv1D(6, 2)(layers.Embedding(11, 5)(ids))
    x = layers.Concatenate()([inner(numbers), layers.GlobalAveragePooling1D()(words)])
    x = layers.Dense(6)(x)
    x = inner(x) + layers.GroupNormalization(2)(x)
    return keras.Model({"numbers": numbers, "ids": ids}, [layers.Dense(2, name="a")(x), layers.Softmax(name="b")(x)])


def normalized():
    """A Normalization that was adapted, and axes of any length."""
    first = layers.Normalization()
    first.adapt(np.random.default_rng(1).normal(3, 2, (50, 5, 3)))
    return keras.Sequential(
        [
            keras.Input((None, 3)),
            first,
            layers.Conv1DTranspose(4, 2, strides=2),
            layers.RMSNormalization(),
            layers.EinsumDense("abc,cd->abd", (None, 2)),
        ]
    )


def recurrent():
    return keras.Sequential(
        [
            keras.Input((7,)),
            layers.Embedding(11, 5, mask_zero=True),
            layers.Bidirectional(layers.LSTM(4, return_sequences=True)),
            layers.GRU(3, return_sequences=True),
            layers.TimeDistributed(layers.Dense(4)),
            layers.SimpleRNN(3),
            layers.Dense(2),
        ]
    )


def attention():
    x = keras.Input((5, 6))
    y = layers.MultiHeadAttention(2, 3)(x, x)
    return keras.Model(x, layers.Dense(2)(layers.LayerNormalization()(y + x)))


def decoder():
    """A causal attention, and recurrent layers that begin with the states of others."""
    x, y = keras.Input((5, 6), name="x"), keras.Input((4, 6), name="y")
    _, *states = layers.LSTM(6, return_state=True)(x)
    y1 = layers.LSTM(6, return_sequences=True)(y, initial_state=states)
    y2 = layers.GRU(6, return_sequences=True)(y, initial_state=states[0])
    z = layers.MultiHeadAttention(2, 3)(y1, y2, use_causal_mask=True)
    return keras.Model({"x": x, "y": y}, layers.Attention()([z, y1], use_causal_mask=True))


def masked():
    """Masks that come from a Masking and from an Embedding: Keras writes what makes them as operations."""
    steps, ids = keras.Input((5, 3), name="steps"), keras.Input((6,), dtype="int32", name="ids")
    means = [
        layers.GlobalAveragePooling1D()(layers.TimeDistributed(layers.Dense(4, activation="tanh"))(x))
        for x in (layers.Masking()(steps), layers.Embedding(11, 4, mask_zero=True)(ids))
    ]
    return keras.Model({"steps": steps, "ids": ids}, layers.Dense(2)(layers.Concatenate()(means)))


def operators():
    """Operators and functions of tensors, with numbers and arrays."""
    a, b = keras.Input((3, 4), name="a"), keras.Input((3, 4), name="b")
    ids = keras.Input((3,), dtype="int32", name="ids")
    row = np.array([0.5, -1.0, 2.0, 3.0], "float32")
    made = [
        *(
            a + 1.5,
            2 - a,
            a * row,
            ops.divide(row, abs(b) + 1),
            a**2,
            -a,
            a // 0.5,
            a % 3,
            a * b[:, :1],
            a - b,
            a / (b**2 + 1),
        ),
        *(a < b, a <= row, a > b, a >= 0.5, a != 0, (a > 0) & (b > 0), (a > 0) | (b > 0), (a > 0) ^ (b > 0), ~(a > 0)),
        *(a @ np.ones((4, 2), "float32"), ops.matmul(np.ones((2, 3), "float32"), a), a @ ops.transpose(b, (0, 2, 1))),
        *(a[:, 0], a[:, 1:, ::2], a[..., None], a[..., -1], ops.expand_dims(a, 2), ops.squeeze(a[:, :1], 1)),
        *(ops.relu(a), ops.tanh(a), ops.softmax(a, axis=1), ops.exp(a), ops.gelu(a, approximate=False), ops.silu(a)),
        *(ops.leaky_relu(a, negative_slope=0.3), ops.elu(a, alpha=0.5), ops.log_softmax(a), ops.hard_sigmoid(a)),
        *(ops.square(a), ops.sqrt(abs(a)), ops.maximum(a, 0.3), ops.minimum(0.1, a), ops.maximum(a, b)),
        *(ops.concatenate([a, b], axis=1), ops.reshape(a, (-1, 2, 6)), ops.cast(a > 0, "float32")),
        *(ops.mean(a, axis=1), ops.max(a, axis=1, keepdims=True), ops.mean(a[..., None], axis=(1, 2))),
        layers.Embedding(40, 2)(ids + np.array([0, 11, 25], "int32")),
        layers.Embedding(4, 3)(ids % 4),
        layers.Embedding(110, 2)(ids[:, 1:] * 10 + ids[:, :1] % 10),
        *(ops.log(abs(a)), ops.log1p(b**2), ops.sin(a), ops.cos(a), ops.floor(a)),
    ]
    return keras.Model({"a": a, "b": b, "ids": ids}, [ops.cast(each, "float32") for each in made])


MODELS = {
    each.__name__: each
    for each in (sequential, functional, normalized, recurrent, attention, masked, operators, decoder)
}


def data(name, model, random):
    """Three samples, as one array or as a dict by input."""
    found = {}
    for tensor in model.inputs:
        shape = (3, *(5 if n is None else n for n in tensor.shape[1:]))
        ids = tensor.name == "ids" or name == "recurrent"
        found[tensor.name] = random.integers(0, 11, shape) if ids else random.normal(size=shape).astype("float32")
    if name == "masked":
        found["steps"][:, 3:], found["ids"][1:, 4:] = 0, 0
    return found if len(found) > 1 else next(iter(found.values()))


def main():
    found = {"keras": keras.__version__}
    for number, (name, make) in enumerate(MODELS.items()):
        keras.utils.set_random_seed(number)
        keras.backend.clear_session()
        model, random = make(), np.random.default_rng(number)
        # Initial biases and statistics are 0 and 1, and would hide what is exchanged.
        model.set_weights([random.uniform(0.1, 1, w.shape).astype("float32") for w in model.get_weights()])
        for layer in model.layers:
            if isinstance(layer, layers.Normalization):
                layer.finalize_state()
        x = data(name, model, random)
        if name == "sequential":
            model.compile("adam", "mse", metrics=["mae"])
            model.train_on_batch(x, np.zeros((3, 3)))
        model.save(FOLDER / f"interchange_keras_{name}.keras")
        y = model.predict(x, verbose=0)
        found |= {f"{name}/x/{key}": each for key, each in (x if isinstance(x, dict) else {"": x}).items()}
        found |= {f"{name}/y/{key}": each for key, each in enumerate(y if isinstance(y, list) else [y])}
    keras.utils.set_random_seed(1)
    model = sequential()
    model.set_weights([np.random.default_rng(1).uniform(0.1, 1, w.shape) for w in model.get_weights()])
    model.compile("adam", "mse", metrics=["mae"])
    x = found["sequential/x/"]
    model.train_on_batch(x, np.zeros((3, 3)))
    model.save_weights(FOLDER / "interchange_keras.weights.h5")
    found["weights/y"] = model.predict(x, verbose=0)
    model, random = subclass(keras), np.random.default_rng(2)
    found["subclass/x"] = random.normal(size=(2, 4, 5)).astype("float32")
    model(found["subclass/x"])
    model.set_weights([random.uniform(0.1, 1, w.shape) for w in model.get_weights()])
    model.save_weights(FOLDER / "interchange_keras_subclass.weights.h5")
    found["subclass/y"] = np.asarray(model(found["subclass/x"]))
    np.savez_compressed(FOLDER / "interchange_keras.npz", **found)


if __name__ == "__main__":
    main()

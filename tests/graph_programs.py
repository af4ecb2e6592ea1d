"""Branching networks in the words of Keras's functional API.

Each program is a function of the module that it is to use, Keras or pynn, and returns a compiled model, or a list of
models of which the first holds all weights. golden/make_keras_graphs.py runs the programs with Keras and keeps the
numbers; test_keras_graphs.py runs the same text with pynn. graph_runs.py says what is done with the models. Programs of
several inputs, outputs and models are in graph_programs_models.py.
"""

import graph_runs as runs
from graph_runs import binary, ids, program, real, weight

IMAGE, SEQUENCE = (6, 6, 2), (5, 3)


@program(x=real(7), y=ids(3), weights=weight())
def residual_mlp(keras):
    layers = keras.layers
    x = inputs = keras.Input((7,))
    for _ in range(2):
        h = layers.Dense(9, activation="relu")(x)
        x = layers.Add()([x, layers.Dense(7)(h)])
    model = keras.Model(inputs, layers.Dense(3, activation="softmax")(x))
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


@program(x=real(*IMAGE), y=real(2), weights=weight())
def residual_cnn(keras):
    layers = keras.layers
    x = inputs = keras.Input(IMAGE)
    for filters, strides in ((2, 1), (4, 2)):
        h = layers.Conv2D(filters, 3, strides=strides, padding="same", use_bias=False)(x)
        h = layers.ReLU()(layers.BatchNormalization()(h))
        h = layers.BatchNormalization()(layers.Conv2D(filters, 3, padding="same", use_bias=False)(h))
        shortcut = x if strides == 1 else layers.Conv2D(filters, 1, strides=strides)(x)
        x = layers.Activation("relu")(layers.add([shortcut, h]))
    model = keras.Model(inputs, layers.Dense(2)(layers.GlobalAveragePooling2D()(x)))
    model.compile(keras.optimizers.SGD(0.05, momentum=0.9, nesterov=True), "mse", metrics=["mae"])
    return model


@program(x=real(*IMAGE), y=ids(3))
def inception_block(keras):
    layers = keras.layers
    inputs = keras.Input(IMAGE)
    narrow = {"activation": "relu", "padding": "same"}
    one = layers.Conv2D(2, 1, **narrow)(inputs)
    three = layers.Conv2D(3, 3, **narrow)(layers.Conv2D(2, 1, **narrow)(inputs))
    five = layers.Conv2D(2, 5, **narrow)(layers.Conv2D(1, 1, **narrow)(inputs))
    pooled = layers.Conv2D(2, 1, **narrow)(layers.MaxPooling2D(3, strides=1, padding="same")(inputs))
    x = layers.Concatenate()([one, three, five, pooled])
    x = layers.GlobalAveragePooling2D()(layers.AveragePooling2D(2)(x))
    model = keras.Model(inputs, layers.Dense(3)(x))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.RMSprop(0.01), loss, metrics=["accuracy"])
    return model


@program(x=real(*IMAGE), y=binary(6, 6, 1), weights=weight(6, 6))
def unet_upsampling(keras):
    layers = keras.layers
    inputs = keras.Input(IMAGE)
    fine = layers.Conv2D(3, 3, activation="relu", padding="same")(inputs)
    coarse = layers.Conv2D(4, 3, activation="tanh", padding="same")(layers.MaxPooling2D()(fine))
    x = layers.concatenate([fine, layers.UpSampling2D()(coarse)], axis=-1)
    x = layers.Conv2D(3, 3, activation="elu", padding="same")(x)
    model = keras.Model(inputs, layers.Conv2D(1, 1, activation="sigmoid")(x))
    model.compile(
        keras.optimizers.Adam(0.01), "binary_crossentropy", metrics=["binary_accuracy"], weighted_metrics=["mae"]
    )
    return model


@program(x=real(*IMAGE), y=ids(3, 6, 6), weights=weight(6, 6))
def unet_transposed(keras):
    layers = keras.layers
    inputs = keras.Input(IMAGE)
    fine = layers.Conv2D(3, 3, activation="relu", padding="same")(inputs)
    coarse = layers.Conv2D(4, 3, activation="relu", padding="same", strides=2)(fine)
    up = layers.Conv2DTranspose(3, 2, strides=2, activation="relu")(coarse)
    x = layers.Concatenate(axis=3)([up, fine])
    model = keras.Model(inputs, layers.Conv2D(3, 1, activation="softmax")(x))
    model.compile(keras.optimizers.Nadam(0.01), "sparse_categorical_crossentropy", weighted_metrics=["accuracy"])
    return model


@program(x=real(*IMAGE), y=real(2))
def squeeze_and_excite(keras):
    layers = keras.layers
    inputs = keras.Input(IMAGE)
    x = layers.Conv2D(4, 3, activation="relu")(inputs)
    scale = layers.Reshape((1, 1, 4))(layers.GlobalAveragePooling2D()(x))
    scale = layers.Dense(4, activation="sigmoid")(layers.Dense(2, activation="relu")(scale))
    x = layers.Multiply()([x, scale])
    model = keras.Model(inputs, layers.Dense(2)(layers.Flatten()(x)))
    model.compile(keras.optimizers.Adagrad(0.05), keras.losses.Huber())
    return model


@program(x=real(6), y=ids(2), weights=weight())
def highway(keras):
    layers = keras.layers
    x = inputs = keras.Input((6,))
    for _ in range(2):
        gate = layers.Dense(6, activation="sigmoid", bias_initializer=keras.initializers.Constant(-1.0))(x)
        x = gate * layers.Dense(6, activation="relu")(x) + (1 - gate) * x
    model = keras.Model(inputs, layers.Dense(2, activation="softmax")(x))
    model.compile(keras.optimizers.Adam(0.01, clipnorm=0.5), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


@program(x=real(5), y=real(2), weights=weight())
def mixture_of_experts(keras):
    layers = keras.layers
    inputs = keras.Input((5,))
    gate = layers.Dense(2, activation="softmax")(inputs)
    experts = [layers.Dense(2)(layers.Dense(3, activation="relu")(inputs)) for _ in range(2)]
    model = keras.Model(inputs, gate[:, 0:1] * experts[0] + gate[:, 1:2] * experts[1])
    model.compile(keras.optimizers.Adam(0.02), "mse")
    return model


@program(x=[real(4), binary(6)], y=binary(1), weights=weight())
def wide_and_deep(keras):
    layers = keras.layers
    deep, wide = keras.Input((4,), name="deep"), keras.Input((6,), name="wide")
    x = layers.Dense(5, activation="relu")(layers.BatchNormalization()(deep))
    x = layers.Dense(3, activation="relu")(x)
    model = keras.Model([wide, deep], layers.Dense(1, activation="sigmoid")(layers.concatenate([wide, x])))
    model = keras.Model([deep, wide], model([wide, deep]))
    model.compile(keras.optimizers.AdamW(0.01), "binary_crossentropy", metrics=["accuracy"])
    return model


@program(x=real(*IMAGE), y=ids(2))
def dense_block(keras):
    layers = keras.layers
    x = inputs = keras.Input(IMAGE)
    for _ in range(3):
        h = layers.Activation("relu")(layers.BatchNormalization()(x))
        x = layers.Concatenate()([x, layers.Conv2D(2, 3, padding="same", use_bias=False)(h)])
    x = layers.AveragePooling2D(2)(layers.Conv2D(3, 1)(x))
    model = keras.Model(inputs, layers.Dense(2, activation="softmax")(layers.GlobalAveragePooling2D()(x)))
    model.compile(keras.optimizers.SGD(0.05, momentum=0.9), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


@program(x=real(*SEQUENCE), y=real(*SEQUENCE), weights=weight(5))
def attention_by_hand(keras):
    layers = keras.layers
    inputs = keras.Input(SEQUENCE)
    query, key, value = layers.Dense(4)(inputs), layers.Dense(4)(inputs), layers.Dense(3)(inputs)
    scores = layers.Dot(axes=2)([query, key]) / 2.0
    attended = layers.Dot(axes=(2, 1))([layers.Softmax()(scores), value])
    model = keras.Model(inputs, layers.LayerNormalization()(layers.Add()([inputs, attended])))
    model.compile(keras.optimizers.Adam(0.02), "mse", weighted_metrics=["mae"])
    return model


@program(x=real(8, 2), y=real(8, 1), weights=weight(8))
def temporal_residuals(keras):
    layers = keras.layers
    x = inputs = keras.Input((8, 2))
    for dilation in (1, 2):
        h = layers.Conv1D(3, 2, padding="causal", dilation_rate=dilation, activation="relu")(x)
        x = layers.Add()([layers.Conv1D(3, 1)(x), h])
    model = keras.Model(inputs, layers.Dense(1)(x))
    model.compile(keras.optimizers.Adam(0.01), "mae", metrics=["mse"])
    return model


@program(x=real(*IMAGE), y=[ids(3), ids(3)], weights=[weight(), weight()])
def auxiliary_head(keras):
    layers = keras.layers
    inputs = keras.Input(IMAGE)
    x = layers.MaxPooling2D()(layers.Conv2D(3, 3, activation="relu", padding="same")(inputs))
    early = layers.Dense(3, activation="softmax", name="early")(layers.GlobalMaxPooling2D()(x))
    x = layers.Conv2D(4, 2, activation="relu")(x)
    late = layers.Dense(3, activation="softmax", name="late")(layers.Flatten()(x))
    model = keras.Model(inputs, (early, late))
    loss = "sparse_categorical_crossentropy"
    model.compile(keras.optimizers.Adam(0.01), [loss, loss], loss_weights=[0.3, 1.0], metrics=["accuracy", "accuracy"])
    return model


@program(x=real(5), y=ids(3), run=runs.class_weights)
def skip_to_the_end(keras):
    layers = keras.layers
    inputs = keras.Input((5,))
    x = layers.Dense(4, activation="relu")(layers.Dense(4, activation="relu")(inputs))
    model = keras.Model(inputs, layers.Dense(3, activation="softmax")(layers.Concatenate()([inputs, x])))
    model.compile(keras.optimizers.SGD(0.1), "sparse_categorical_crossentropy", weighted_metrics=["accuracy"])
    return model


@program(x=[real(4), real(4)], y=real(4), weights=weight())
def arithmetic(keras):
    layers = keras.layers
    a, b = keras.Input((4,)), keras.Input((4,))
    x, y = layers.Dense(4)(a), layers.Dense(4, activation="sigmoid")(b)
    quotient = (2.0 * x - 1.0) / (1.5 + y**2)
    model = keras.Model([a, b], -quotient + (x + y) * 0.5 + (1.0 - x * y) / 4.0 + 1.0 / (y + 1.0) + 2.0**y)
    model.compile(keras.optimizers.SGD(0.05), "mse")
    return model


@program(x=real(4, 6), y=real(3))
def slices(keras):
    layers = keras.layers
    inputs = keras.Input((4, 6))
    x = layers.Dense(6, activation="tanh")(inputs)
    halves = x[:, :, :3] * x[:, :, 3:]
    model = keras.Model(inputs, halves[:, 0] + halves[:, -1] - layers.Dense(3)(x[:, 1, ::2]) + x[:, 1:3, 2:5][:, 1])
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9), "mse")
    return model


@program(x=[real(3, 4), real(4, 5)], y=real(3, 2), weights=weight(3))
def products_of_matrices(keras):
    layers = keras.layers
    a, b = keras.Input((3, 4)), keras.Input((4, 5))
    product = layers.Dense(4)(a) @ layers.Dense(5, activation="tanh")(b)
    same = layers.Dot(axes=(2, 1))([a, b])
    model = keras.Model([a, b], layers.Dense(2)(product + same))
    model.compile(keras.optimizers.SGD(0.02), "mse")
    return model


@program(x=[real(4), real(3)], y=real(1))
def merges(keras):
    layers = keras.layers
    a, b = keras.Input((4,)), keras.Input((3,))
    x, y, z = layers.Dense(5)(a), layers.Dense(5)(b), layers.Dense(5, activation="relu")(layers.concatenate([a, b]))
    merged = [
        layers.Average()([x, y, z]),
        layers.Maximum()([x, y, z]),
        layers.Minimum()([x, y, z]),
        layers.Subtract()([x, y]),
        layers.Multiply()([x, y, z]),
        layers.Dot(axes=1)([x, y]),
        layers.Dot(axes=-1, normalize=True)([y, z]),
    ]
    model = keras.Model([a, b], layers.Dense(1)(layers.Concatenate()(merged)))
    model.compile(keras.optimizers.SGD(0.02), "mse")
    return model


@program(x=real(3, 4), y=real(2))
def merges_along_axes(keras):
    layers = keras.layers
    inputs = keras.Input((3, 4))
    column, row = layers.Dense(1)(inputs), layers.Reshape((1, 4))(layers.Dense(4)(inputs[:, 0]))
    x = layers.maximum([layers.multiply([inputs, column]), row])  # (3, 4) with (3, 1) and (1, 4)
    x = layers.Concatenate(axis=1)([x, layers.average([inputs, row]), layers.minimum([inputs, column])])
    model = keras.Model(inputs, layers.Dense(2)(layers.Flatten()(layers.subtract([x, row]))))
    model.compile(keras.optimizers.SGD(0.02), "mse")
    return model


@program(x=real(4), y=real(4), weights=weight())
def layer_used_three_times(keras):
    layers = keras.layers
    inputs = keras.Input((4,))
    shared = layers.Dense(4, activation="tanh")
    once = shared(inputs)
    model = keras.Model(inputs, once + shared(shared(once)))
    model.compile(keras.optimizers.Adamax(0.02), "mse")
    return model

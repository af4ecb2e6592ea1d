"""More programs like those of graph_programs.py: several inputs, several outputs, models that share layers."""

import graph_runs as runs
import numpy as np
from graph_runs import binary, ids, program, real, weight

SEQUENCE = (5, 3)


@program(x=[real(5), real(5)], y=binary(1), weights=weight())
def siamese_distance(keras):
    layers = keras.layers
    encoder = keras.Sequential([keras.Input((5,)), layers.Dense(6, activation="tanh"), layers.Dense(4)], name="encoder")
    left, right = keras.Input((5,), name="left"), keras.Input((5,), name="right")
    distance = (encoder(left) - encoder(right)) ** 2
    model = keras.Model([left, right], layers.Dense(1, activation="sigmoid")(distance))
    model.compile(keras.optimizers.Adam(0.01), "binary_crossentropy", metrics=["accuracy"])
    return model


@program(x=(real(*SEQUENCE), real(*SEQUENCE)), y=real(1))
def siamese_cosine(keras):
    layers = keras.layers
    encode = layers.Dense(4, activation="tanh")
    pool = layers.GlobalAveragePooling1D()
    left, right = keras.Input(SEQUENCE), keras.Input(SEQUENCE)
    cosine = layers.Dot(axes=1, normalize=True)([pool(encode(left)), pool(encode(right))])
    model = keras.Model((left, right), cosine)
    model.compile(keras.optimizers.SGD(0.1), "mse")
    return model


@program(x=[ids(5, 1), real(3)], y=real(1), weights=weight())
def ids_beside_reals(keras):
    layers = keras.layers
    shop, numbers = keras.Input((1,), dtype="int32", name="shop"), keras.Input((3,), name="numbers")
    place = layers.Flatten()(layers.Embedding(5, 2)(shop))
    x = layers.Dense(4, activation="relu")(layers.Concatenate()([place, numbers]))
    model = keras.Model([shop, numbers], layers.Dense(1)(x))
    model.compile(keras.optimizers.Adam(0.02), "mse", metrics=["mae"])
    return model


@program(x=ids(8, 5), y=ids(3), weights=weight())
def bag_of_words(keras):
    layers = keras.layers
    words = keras.Input((5,), dtype="int32")
    x = layers.GlobalAveragePooling1D()(layers.Embedding(8, 4, embeddings_regularizer="l2")(words))
    model = keras.Model(words, layers.Dense(3, activation="softmax")(x))
    model.compile(keras.optimizers.RMSprop(0.01, momentum=0.5), "sparse_categorical_crossentropy")
    return model


@program(x=real(6), y=[real(2), binary(1)], weights=[weight(), weight()])
def two_outputs_in_lists(keras):
    layers = keras.layers
    inputs = keras.Input((6,))
    x = layers.Dense(5, activation="relu")(inputs)
    outputs = [layers.Dense(2, name="place")(x), layers.Dense(1, activation="sigmoid", name="kind")(x)]
    model = keras.Model(inputs, outputs)
    model.compile(
        keras.optimizers.Adam(0.01),
        loss=["mse", "binary_crossentropy"],
        loss_weights=[0.5, 2.0],
        metrics=[["mae"], ["accuracy"]],
        weighted_metrics=[["mae"], []],
    )
    return model


@program(x=real(6), y={"place": real(2), "kind": ids(3)})
def two_outputs_in_dicts(keras):
    layers = keras.layers
    inputs = keras.Input((6,))
    x = layers.Dense(5, activation="tanh")(inputs)
    outputs = [layers.Dense(2, name="place")(x), layers.Dense(3, activation="softmax", name="kind")(x)]
    model = keras.Model(inputs, outputs)
    model.compile(
        keras.optimizers.SGD(0.1),
        loss={"kind": "sparse_categorical_crossentropy", "place": keras.losses.MeanAbsoluteError()},
        loss_weights={"place": 1.5, "kind": 0.5},
        metrics={"kind": ["accuracy"]},
        weighted_metrics={"place": ["mse"]},
    )
    return model


@program(x=real(4), y={"sum": real(1), "parts": real(3)}, weights={"sum": weight(), "parts": weight()})
def outputs_in_a_dict(keras):
    layers = keras.layers
    inputs = keras.Input((4,))
    parts = layers.Dense(3)(inputs)
    model = keras.Model(inputs, {"sum": layers.Dense(1)(parts), "parts": layers.Dense(3)(parts)})
    model.compile(keras.optimizers.SGD(0.05), loss={"parts": "mse", "sum": "mae"}, metrics={"sum": ["mse"]})
    return model


@program(x=real(6), y=[real(2), real(2)])
def one_loss_for_two_outputs(keras):
    layers = keras.layers
    inputs = keras.Input((6,))
    early = layers.Dense(2, name="early")(inputs)
    model = keras.Model(inputs, [early, layers.Dense(2, name="late")(layers.Activation("tanh")(early))])
    model.compile(keras.optimizers.SGD(0.1, momentum=0.5), "mse", metrics=["mae", "mse"])
    return model


@program(x=real(6), y=[real(2), real(3)])
def output_without_loss(keras):
    layers = keras.layers
    inputs = keras.Input((6,))
    features = layers.Dense(2, activation="relu")(inputs)
    model = keras.Model(inputs, [features, layers.Dense(3)(features)])
    model.compile(keras.optimizers.SGD(0.1), [None, "mse"])
    return model


@program(x=real(6), y=real(6), run=runs.autoencoder)
def autoencoder_halves(keras):
    layers = keras.layers
    inputs, code = keras.Input((6,)), keras.Input((2,))
    encoder = keras.Model(inputs, layers.Dense(2)(layers.Dense(4, activation="tanh")(inputs)), name="encoder")
    decoder = keras.Model(code, layers.Dense(6)(layers.Dense(4, activation="tanh")(code)), name="decoder")
    model = keras.Model(inputs, decoder(encoder(inputs)), name="autoencoder")
    model.compile(keras.optimizers.Adam(0.02), "mse")
    return [model, encoder, decoder]


@program(x=real(3), y=real(2), run=runs.adversaries)
def gan(keras):
    layers = keras.layers
    generator = keras.Sequential(
        [keras.Input((3,)), layers.Dense(5, activation="relu"), layers.Dense(2)], name="generator"
    )
    judge = keras.Sequential(
        [keras.Input((2,)), layers.Dense(5, activation="leaky_relu"), layers.Dense(1)], name="judge"
    )
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    judge.compile(keras.optimizers.Adam(0.02), loss, metrics=[keras.metrics.BinaryAccuracy(threshold=0.0)])
    judge.trainable = False
    noise = keras.Input((3,))
    both = keras.Model(noise, judge(generator(noise)))
    both.compile(keras.optimizers.RMSprop(0.01), loss)
    return [both, generator, judge]


@program(x=real(5), y=real(1), weights=weight())
def new_head_on_frozen_base(keras):
    layers = keras.layers
    inputs = keras.Input((5,))
    x = layers.BatchNormalization()(layers.Dense(4, activation="relu")(inputs))
    base = keras.Model(inputs, layers.Dense(3, activation="tanh", name="features")(x))
    base.trainable = False
    model = keras.Model(base.input, layers.Dense(1)(base.output))
    model.compile(keras.optimizers.Adam(0.02), "mse", metrics=["mae"])
    return model


@program(x=real(5), y=real(1))
def transfer_learning(keras):
    layers = keras.layers
    base = keras.Sequential(
        [keras.Input((5,)), layers.Dense(4), layers.BatchNormalization(), layers.ReLU()], name="base"
    )
    base.trainable = False
    inputs = keras.Input((5,))
    model = keras.Model(inputs, layers.Dense(1)(base(inputs, training=False)))
    model.compile(keras.optimizers.SGD(0.05), "mse")
    return model


@program(x=real(5), y=real(1), run=runs.fine_tuning)
def frozen_then_fine_tuned(keras):
    layers = keras.layers
    base = keras.Sequential(
        [keras.Input((5,)), layers.Dense(4, activation="relu"), layers.BatchNormalization()], name="base"
    )
    inputs = keras.Input((5,))
    model = keras.Model(inputs, layers.Dense(1)(base(inputs)))
    base.trainable = False
    model.compile(keras.optimizers.Adam(0.02), "mse")
    return [model, base]


@program(x=real(5), y=real(2), run=runs.several_models)
def cut_out_of_another(keras):
    layers = keras.layers
    inputs = keras.Input((5,))
    x = layers.Dense(4, activation="relu", name="first")(inputs)
    x = layers.Dense(3, activation="relu", name="features")(x)
    model = keras.Model(inputs, layers.Dense(2)(x))
    model.compile(keras.optimizers.SGD(0.1), "mse")
    features = keras.Model(model.input, model.get_layer("features").output)
    both = keras.Model(model.inputs, [model.output, model.get_layer("first").output])
    return [model, features, both]


@program(x=[real(4), real(4)], y=real(2))
def penalties_of_shared_layer(keras):
    layers = keras.layers
    shared = layers.Dense(3, kernel_regularizer=keras.regularizers.L1L2(0.01, 0.02), bias_regularizer="l1")
    first, second = keras.Input((4,)), keras.Input((4,))
    x = layers.Maximum()([shared(first), shared(second)])
    model = keras.Model([first, second], layers.Dense(2, activity_regularizer=keras.regularizers.L1(0.01))(x))
    model.compile(keras.optimizers.SGD(0.1), "mse", metrics=["mse"])
    return model


@program(x=real(4), y=real(3))
def nested_models(keras):
    layers = keras.layers
    inner = keras.Sequential([layers.Dense(5, activation="relu"), layers.Dense(4)], name="inner")
    middle_input = keras.Input((4,))
    middle = keras.Model(middle_input, layers.LayerNormalization()(middle_input + inner(middle_input)), name="middle")
    inputs = keras.Input((4,), name="outer")
    model = keras.Model(inputs, keras.Sequential([layers.Dense(3)], name="head")(middle(middle(inputs))))
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9), "mse")
    return model


@program(x=[real(7, 3), real(5, 3)], y=[real(2), real(2)], run=runs.two_sizes)
def sequences_of_any_length(keras):
    layers = keras.layers
    inputs = keras.Input((None, 3))
    x = layers.Conv1D(4, 3, activation="relu", padding="same")(inputs)
    x = layers.Concatenate()([layers.GlobalMaxPooling1D()(x), layers.GlobalAveragePooling1D()(inputs)])
    model = keras.Model(inputs, layers.Dense(2)(x))
    model.compile(keras.optimizers.SGD(0.1), "mse")
    return model


@program(x=[real(6, 5, 3), real(4, 7, 3)], y=[real(2), real(2)], run=runs.two_sizes)
def images_of_any_size(keras):
    layers = keras.layers
    inputs = keras.Input((None, None, 3))
    x = layers.Conv2D(3, 3, padding="same")(inputs)
    x = layers.add([inputs, layers.LeakyReLU(negative_slope=0.1)(layers.BatchNormalization()(x))])
    model = keras.Model(inputs, layers.Dense(2)(layers.GlobalAveragePooling2D()(x)))
    model.compile(keras.optimizers.Adam(0.01), "mse", metrics=["mae"])
    return model


@program(x={"age": real(1), "word": ids(6, 4)}, y=real(1), weights=weight())
def inputs_in_a_dict(keras):
    layers = keras.layers
    inputs = {"word": keras.Input((4,), dtype="int32", name="word"), "age": keras.Input((1,), name="age")}
    words = layers.GlobalMaxPooling1D()(layers.Embedding(6, 3)(inputs["word"]))
    model = keras.Model(inputs, layers.Dense(1)(layers.Concatenate()([words, inputs["age"]])))
    model.compile(keras.optimizers.Adadelta(1.0), "mse", metrics=["mae"])
    return model


@program(x=real(5), y=real(2), weights=weight())
def subclass(keras):
    layers = keras.layers

    class Network(keras.Model):
        def __init__(self):
            super().__init__()
            self.first = layers.Dense(4, activation="relu")
            self.norm = layers.BatchNormalization()
            self.blocks = [layers.Dense(4, activation="tanh") for _ in range(2)]
            self.last = layers.Dense(2)

        def call(self, x, training=False):
            x = self.norm(self.first(x), training=training)
            for block in self.blocks:
                x = x + block(x)
            return self.last(x)

    model = Network()
    model(np.zeros((1, 5)))
    model.compile(keras.optimizers.SGD(0.05, momentum=0.9), "mse", metrics=["mae"])
    return model


@program(x=[real(4), real(4)], y=real(2))
def shared_batch_normalization(keras):
    layers = keras.layers
    first, second = keras.Input((4,)), keras.Input((4,))
    norm = layers.BatchNormalization(momentum=0.7)
    frozen = layers.BatchNormalization(trainable=False)
    x = layers.Add()([norm(first), frozen(norm(layers.Dense(4)(second)))])
    model = keras.Model([first, second], layers.Dense(2)(x))
    model.compile(keras.optimizers.SGD(0.1), "mse")
    return model


@program(x=ids(4, 3), y=real(1), weights=weight())
def columns_of_ids(keras):
    layers = keras.layers
    inputs = keras.Input((3,), dtype="int32")
    columns = [layers.Embedding(4, size)(inputs[:, number]) for number, size in enumerate((2, 3, 2))]
    ends = layers.Flatten()(layers.Embedding(4, 2)(inputs[:, ::2]))
    x = layers.Dense(4, activation="tanh")(layers.Concatenate()([*columns, ends]))
    model = keras.Model(inputs, layers.Dense(1)(x))
    model.compile(keras.optimizers.Adam(0.01), "mse", metrics=["mae"])
    return model


@program(x=[real(5), real(5)], y=real(2), weights=weight())
def comparisons(keras):
    layers = keras.layers
    a, b = keras.Input((5,)), keras.Input((5,))
    h = layers.Dense(5)(a)
    larger = (h > b) * h + (h <= b) * b
    steps = (a % 0.75) + 0.25 * (b // 0.5) + (a != b) * b - (a >= 0) * (b < 1)
    rest = layers.Dense(5)(b) % 2
    model = keras.Model([a, b], layers.Dense(2)(layers.Concatenate()([larger, steps, rest])))
    model.compile(keras.optimizers.SGD(0.02, momentum=0.9), "mse", metrics=["mae"])
    return model

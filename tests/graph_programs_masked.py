"""More programs like those of graph_programs.py: recurrent layers that get masks, in the words of Keras.

They have no metrics: those of a `fit` on JAX do not see masks in Keras 3.15.
"""

from graph_runs import ids, padded, program, real, weight

STEPS = (5, 3)


@program(x=ids(6, 5), y=ids(2), weights=weight())
def embedding_and_mask(keras):
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((5,), dtype="int32"),
            layers.Embedding(6, 4, mask_zero=True),
            layers.LSTM(4),
            layers.Dense(2, activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(0.02), "sparse_categorical_crossentropy")
    return model


@program(x=ids(5, 6), y=ids(3, 6), weights=weight(6))
def tagger_with_mask(keras):
    layers = keras.layers
    x = inputs = keras.Input((None,), dtype="int32")
    x = layers.Embedding(5, 4, mask_zero=True)(x)
    x = layers.Dropout(0.0)(layers.GRU(4, return_sequences=True)(x))
    model = keras.Model(inputs, layers.Dense(3, activation="softmax")(x))
    model.compile(
        keras.optimizers.Adam(0.02),
        "sparse_categorical_crossentropy",
    )
    return model


@program(x=padded(*STEPS), y=real(2))
def masking_and_stack(keras):
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input(STEPS),
            layers.Masking(),
            layers.SimpleRNN(4, return_sequences=True),
            layers.LSTM(3, return_sequences=True, go_backwards=True),
            layers.GRU(2),
        ]
    )
    model.compile(keras.optimizers.Adam(0.02), "mse")
    return model


@program(x=padded(*STEPS), y=real(5, 3))
def masked_steps_are_zero(keras):
    layers = keras.layers
    x = inputs = keras.Input(STEPS)
    x = layers.LSTM(3, return_sequences=True, zero_output_for_mask=True)(layers.Masking(0.0)(x))
    model = keras.Model(inputs, x)
    model.compile(keras.optimizers.Adam(0.02), "mse")
    return model


@program(x=ids(5, 6), y=real(6, 3), weights=weight(6))
def bidirectional_with_mask(keras):
    layers = keras.layers
    x = inputs = keras.Input((6,), dtype="int32")
    x = layers.Embedding(5, 3, mask_zero=True)(x)
    x = layers.Bidirectional(layers.GRU(4, return_sequences=True), merge_mode="sum")(x)
    x = layers.Bidirectional(layers.SimpleRNN(3, return_sequences=True), merge_mode="mul")(x)
    model = keras.Model(inputs, layers.Dense(3)(x))
    model.compile(keras.optimizers.Adam(0.02), "mse")
    return model


@program(x=[ids(5, 5), ids(4, 6)], y=ids(4, 6), weights=weight(6))
def sequence_to_sequence_with_masks(keras):
    layers = keras.layers
    source, target = keras.Input((None,), dtype="int32"), keras.Input((None,), dtype="int32")
    x = layers.Embedding(5, 3, mask_zero=True)(source)
    _, forward, backward = layers.Bidirectional(layers.GRU(2, return_state=True))(x)
    x = layers.Embedding(4, 3)(target)  # with initial_state, Keras loses the mask of the sequence
    state = layers.Concatenate()([forward, backward])
    x, _ = layers.GRU(4, return_sequences=True, return_state=True)(x, initial_state=state)
    model = keras.Model([source, target], layers.Dense(4, activation="softmax")(x))
    model.compile(keras.optimizers.Adam(0.02), "sparse_categorical_crossentropy")
    return model


@program(x=padded(*STEPS), y=[real(2), real(3)])
def stacked_cells_with_mask(keras):
    layers = keras.layers
    inputs = keras.Input(STEPS)
    stack = layers.RNN([layers.GRUCell(3), layers.LSTMCell(2)], return_state=True, go_backwards=True, name="stack")
    y, state, (_, carry) = stack(layers.Masking()(inputs))
    model = keras.Model(inputs, [layers.add([y, carry], name="both"), state])
    model.compile(keras.optimizers.Adam(0.02), ["mse", "mse"])
    return model

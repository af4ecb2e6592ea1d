"""More programs like those of graph_programs.py: recurrent layers, in the words of Keras."""

import graph_runs as runs
from graph_runs import ids, padded, program, real, weight

STEPS = (5, 3)


@program(x=real(*STEPS), y=ids(3), weights=weight())
def simple_rnn_to_label(keras):
    layers = keras.layers
    model = keras.Sequential(
        [keras.Input((None, 3)), layers.SimpleRNN(5, name="rnn"), layers.Dense(3, activation="softmax")]
    )
    model.compile(keras.optimizers.Adam(0.02), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


@program(x=real(*STEPS), y=ids(3, 5), weights=weight(5))
def lstm_many_to_many(keras):
    layers = keras.layers
    model = keras.Sequential(
        [keras.Input(STEPS), layers.LSTM(4, return_sequences=True), layers.Dense(3, activation="softmax")]
    )
    model.compile(
        keras.optimizers.Adam(0.02),
        "sparse_categorical_crossentropy",
        metrics=["accuracy"],
        weighted_metrics=["sparse_categorical_crossentropy"],
    )
    return model


@program(x=real(*STEPS), y=real(2))
def gru_stack(keras):
    layers = keras.layers
    model = keras.Sequential([keras.Input(STEPS), layers.GRU(5, return_sequences=True), layers.GRU(3), layers.Dense(2)])
    model.compile(keras.optimizers.RMSprop(0.01), "mse")
    return model


@program(x=real(*STEPS), y=real(5, 2), weights=weight(5))
def gru_of_the_first_kind(keras):
    layers = keras.layers
    gru = layers.GRU(4, reset_after=False, return_sequences=True, recurrent_activation="softsign")
    model = keras.Sequential([keras.Input(STEPS), gru, layers.Dense(2)])
    model.compile(keras.optimizers.Adam(0.01), "mae", weighted_metrics=["mse"])
    return model


@program(x=real(*STEPS), y=real(1))
def lstm_of_other_activations(keras):
    layers = keras.layers
    x = inputs = keras.Input(STEPS)
    x = layers.LSTM(4, activation="relu", recurrent_activation="softsign", use_bias=False, return_sequences=True)(x)
    x = layers.LSTM(3, activation="softsign", recurrent_activation="tanh", unit_forget_bias=False)(x)
    model = keras.Model(inputs, layers.Dense(1)(x))
    model.compile(keras.optimizers.SGD(0.05, momentum=0.9), "mse")
    return model


@program(x=real(*STEPS), y=real(4))
def lstm_with_penalties(keras):
    layers = keras.layers
    lstm = layers.LSTM(
        4,
        kernel_regularizer="l2",
        recurrent_regularizer=keras.regularizers.L1(0.01),
        bias_regularizer=keras.regularizers.L1L2(0.01, 0.02),
        activity_regularizer=keras.regularizers.L2(0.02),
        kernel_constraint=keras.constraints.MaxNorm(0.8),
        recurrent_constraint=keras.constraints.UnitNorm(),
        bias_constraint="non_neg",
    )
    model = keras.Sequential([keras.Input(STEPS), lstm])
    model.compile(keras.optimizers.Adam(0.02), "mse")
    return model


@program(x=real(*STEPS), y=[real(3), real(5, 2)])
def backwards(keras):
    layers = keras.layers
    inputs = keras.Input(STEPS)
    last = layers.LSTM(3, go_backwards=True, name="last")(inputs)
    steps = layers.SimpleRNN(2, go_backwards=True, return_sequences=True, activation="sigmoid", name="steps")(inputs)
    model = keras.Model(inputs, [last, steps])
    model.compile(keras.optimizers.Adam(0.02), ["mse", "mae"])
    return model


@program(x=real(*STEPS), y=ids(2), weights=weight())
def bidirectional_lstm(keras):
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input(STEPS),
            layers.Bidirectional(layers.LSTM(3, return_sequences=True)),
            layers.Bidirectional(layers.LSTM(2)),
            layers.Dense(2, activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(0.02), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


@program(x=real(*STEPS), y=real(2))
def bidirectional_of_two_kinds(keras):
    layers = keras.layers
    inputs = keras.Input(STEPS)
    both = layers.Bidirectional(
        layers.LSTM(3, return_sequences=True),
        merge_mode=None,
        backward_layer=layers.GRU(3, return_sequences=True, go_backwards=True),
    )
    forward, backward = both(inputs)
    x = layers.Bidirectional(layers.GRU(4, activation="relu"), merge_mode="ave")(
        layers.Concatenate()([forward, backward])
    )
    model = keras.Model(inputs, layers.Dense(2)(x))
    model.compile(keras.optimizers.Adam(0.02), "mse")
    return model


@program(x=[real(*STEPS), real(4, 2)], y=ids(3, 4), weights=weight(4))
def sequence_to_sequence(keras):
    layers = keras.layers
    source, target = keras.Input((None, 3)), keras.Input((None, 2))
    _, h, c = layers.LSTM(4, return_state=True)(source)
    x = layers.LSTM(4, return_sequences=True)(target, initial_state=[h, c])
    model = keras.Model([source, target], layers.Dense(3, activation="softmax")(x))
    model.compile(keras.optimizers.Adam(0.02), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


@program(x=real(*STEPS), y=real(4, 2), weights=weight(4))
def encoder_and_decoder(keras):
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input(STEPS),
            layers.LSTM(4, activation="relu"),
            layers.RepeatVector(4),
            layers.LSTM(3, return_sequences=True),
            layers.TimeDistributed(layers.Dense(2)),
        ]
    )
    model.compile(keras.optimizers.Adam(0.02), "mse", weighted_metrics=["mae"])
    return model


@program(x=real(4, 6, 2), y=ids(2))
def images_in_time(keras):
    layers = keras.layers
    x = inputs = keras.Input((4, 6, 2))
    x = layers.TimeDistributed(layers.Conv1D(3, 3, activation="relu"))(x)
    x = layers.TimeDistributed(layers.GlobalMaxPooling1D())(x)
    model = keras.Model(inputs, layers.Dense(2, activation="softmax")(layers.GRU(3)(x)))
    model.compile(keras.optimizers.Adam(0.02), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


@program(x=real(*STEPS), y=real(5, 2))
def stacked_cells(keras):
    layers = keras.layers
    cells = [layers.LSTMCell(4), layers.GRUCell(3), layers.SimpleRNNCell(2)]
    model = keras.Sequential([keras.Input(STEPS), layers.RNN(cells, return_sequences=True)])
    model.compile(keras.optimizers.Adam(0.02), "mse")
    return model


@program(x=real(*STEPS), y=real(5, 4), weights=weight(5))
def cell_of_ones_own(keras):
    layers, activations = keras.layers, keras.activations

    class Gated(layers.Layer):
        """A state, and a sum of what came out."""

        def __init__(self, units, **kwargs):
            super().__init__(**kwargs)
            self.units, self.state_size, self.output_size = units, [units, units], units

        def build(self, input_shape):
            self.kernel = self.add_weight(shape=(input_shape[-1], self.units), name="kernel")
            self.recurrent_kernel = self.add_weight(shape=(self.units, self.units), name="recurrent_kernel")

        def call(self, inputs, states):
            h, total = states
            gate = activations.sigmoid(inputs @ self.kernel + h @ self.recurrent_kernel)
            h = gate * h + (1 - gate) * activations.tanh(inputs @ self.kernel)
            return h, [h, total + h]

    x = inputs = keras.Input(STEPS)
    x, _, total = layers.RNN(Gated(4), return_sequences=True, return_state=True)(x)
    x = layers.RNN([Gated(3), layers.GRUCell(4)], return_sequences=True)(x)
    x = x * layers.Reshape((1, 4))(total)
    model = keras.Model(inputs, x)
    model.compile(keras.optimizers.Adam(0.02), "mse", weighted_metrics=["mae"])
    return model


@program(x=[real(*STEPS), real(2)], y=real(1), weights=weight())
def conditioned(keras):
    layers = keras.layers
    sequence, condition = keras.Input(STEPS), keras.Input((2,))
    h, c = layers.Dense(4, activation="tanh")(condition), layers.Dense(4)(condition)
    x = layers.LSTM(4, return_sequences=True)(sequence, initial_state=[h, c])
    x = layers.SimpleRNN(3)(x, initial_state=layers.Dense(3)(condition))
    model = keras.Model([sequence, condition], layers.Dense(1)(x))
    model.compile(keras.optimizers.Adam(0.02), "mse", weighted_metrics=["mae"])
    return model


@program(x=[real(*STEPS), real(*STEPS)], y=real(1))
def siamese_sequences(keras):
    layers = keras.layers
    left, right = keras.Input(STEPS), keras.Input(STEPS)
    shared = layers.GRU(4)
    model = keras.Model([left, right], layers.Dot(1, normalize=True)([shared(left), shared(right)]))
    model.compile(keras.optimizers.Adam(0.02), "mse")
    return model


@program(x=real(8, 2), y=ids(3))
def convolution_and_lstm(keras):
    layers = keras.layers
    x = inputs = keras.Input((8, 2))
    x = layers.MaxPooling1D(2)(layers.Conv1D(4, 3, padding="same", activation="relu")(x))
    x = layers.add([x, layers.LSTM(4, return_sequences=True)(x)])
    x = layers.LayerNormalization()(layers.LSTM(3)(x))
    model = keras.Model(inputs, layers.Dense(3, activation="softmax")(x))
    model.compile(keras.optimizers.Adam(0.02, clipnorm=0.5), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


@program(x=ids(7, 6), y=ids(7, 6))
def language_model(keras):
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((None,), dtype="int32"),
            layers.Embedding(7, 4),
            layers.LSTM(5, return_sequences=True),
            layers.LSTM(4, return_sequences=True),
            layers.Dense(7),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.AdamW(0.02), loss, metrics=["accuracy"])
    return model


@program(x=real(8, 3), y=real(2), run=runs.in_pieces)
def stateful_in_pieces(keras):
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input(batch_shape=(runs.ROWS, None, 3)),
            layers.LSTM(4, stateful=True, return_sequences=True),
            layers.GRU(3, stateful=True),
            layers.Dense(2),
        ]
    )
    model.compile(keras.optimizers.Adam(0.02), "mse")
    return model


@program(x=padded(6, 3), y=real(2), run=runs.in_pieces)
def stateful_in_both_directions(keras):
    layers = keras.layers
    x = inputs = keras.Input(batch_shape=(runs.ROWS, None, 3))
    x = layers.Bidirectional(layers.GRU(2, stateful=True, return_sequences=True))(layers.Masking()(x))
    model = keras.Model(inputs, layers.RNN(layers.LSTMCell(2), stateful=True)(x))
    model.compile(keras.optimizers.Adam(0.02), "mse")
    return model

"""Networks with masks and with layers at each step, in the words of Keras's functional API; see graph_programs.py.

Weighted metrics are there beside a loss that does not divide by the number of rows: in Keras on torch the loss scales
the weights of samples in place, and what a weighted metric gives then depends on how samples are cut into batches.
"""

from graph_runs import ids, program, real, weight

STEPS = 5


@program(x=ids(6, STEPS), y=ids(3, STEPS), weights=weight(STEPS))
def tags_of_words(keras):
    layers = keras.layers
    inputs = keras.Input((STEPS,), dtype="int32")
    x = layers.Embedding(6, 4, mask_zero=True)(inputs)
    x = layers.Dropout(0.0)(layers.Dense(5, activation="tanh")(x))
    model = keras.Model(inputs, layers.Dense(3, activation="softmax")(x))
    loss = "sparse_categorical_crossentropy"
    model.compile(keras.optimizers.Adam(0.01), loss, metrics=["accuracy"])
    return model


@program(x=ids(6, STEPS), y=real(STEPS, 2), weights=weight(STEPS))
def steps_of_any_number(keras):
    layers = keras.layers
    inputs = keras.Input((None,), dtype="int32")
    x = layers.LayerNormalization()(layers.Embedding(6, 4, mask_zero=True)(inputs))
    model = keras.Model(inputs, layers.TimeDistributed(layers.Dense(2))(x))
    loss = keras.losses.MeanSquaredError(reduction="mean_with_sample_weight")
    model.compile(keras.optimizers.SGD(0.05), loss, metrics=["mae"], weighted_metrics=["mse"])
    return model


@program(x=ids(6, STEPS), y=real(STEPS, 2), weights=weight(STEPS))
def sum_of_real_steps(keras):
    layers = keras.layers
    inputs = keras.Input((STEPS,), dtype="int32")
    model = keras.Model(inputs, layers.Dense(2)(layers.Embedding(6, 4, mask_zero=True)(inputs)))
    model.compile(keras.optimizers.SGD(0.01), keras.losses.Huber(reduction="sum"), metrics=["mae"])
    return model


@program(x=ids(4, STEPS), y=ids(3), weights=weight())
def mean_of_words(keras):
    layers = keras.layers
    inputs = keras.Input((STEPS,), dtype="int32")
    x = layers.Embedding(4, 3, mask_zero=True)(inputs)
    x = layers.GlobalAveragePooling1D()(layers.Dense(4, activation="relu")(x))
    model = keras.Model(inputs, layers.Dense(3, activation="softmax")(x))
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


@program(x=real(STEPS, 3), y=real(STEPS, 2), weights=weight(STEPS))
def masking_of_what_a_layer_makes(keras):
    layers = keras.layers
    inputs = keras.Input((STEPS, 3))
    x = layers.Masking()(layers.Dense(2, activation="relu")(inputs))
    model = keras.Model(inputs, layers.Dense(2)(layers.Dense(4, activation="tanh")(x)))
    model.compile(keras.optimizers.Adam(0.01), "mse", metrics=["mae"])
    return model


@program(x={"one": ids(4, STEPS), "other": ids(5, STEPS)}, y=[real(STEPS, 2), real(2 * STEPS, 1)])
def masks_that_meet(keras):
    layers = keras.layers
    one, other = (keras.Input((STEPS,), dtype="int32", name=name) for name in ("one", "other"))
    a = layers.Embedding(4, 3, mask_zero=True)(one)
    b = layers.Embedding(5, 3, mask_zero=True)(other)
    first = layers.Dense(2, name="first")(layers.Add()([a, b]))
    second = layers.Dense(1, name="second")(layers.Concatenate(axis=1)([a, b]))
    model = keras.Model({"one": one, "other": other}, [first, second])
    model.compile(keras.optimizers.SGD(0.05), "mse", metrics=[["mae"], ["mae"]])
    return model


@program(x=[ids(4, STEPS), real(STEPS, 2)], y=real(STEPS, 1))
def masked_beside_unmasked(keras):
    layers = keras.layers
    words, numbers = keras.Input((STEPS,), dtype="int32"), keras.Input((STEPS, 2))
    x = layers.Concatenate()([layers.Embedding(4, 3, mask_zero=True)(words), numbers])
    model = keras.Model([words, numbers], layers.Dense(1)(x))
    model.compile(keras.optimizers.SGD(0.05), "mse", metrics=["mae"])
    return model


@program(x=ids(4, STEPS), y=ids(3), weights=weight())
def pooled_by_attention(keras):
    layers = keras.layers
    inputs = keras.Input((STEPS,), dtype="int32")
    embedding = layers.Embedding(4, 3, mask_zero=True)
    x, mask = embedding(inputs), embedding.compute_mask(inputs)
    shares = layers.Softmax(axis=1)(layers.Dense(1)(x), mask=mask[:, :, None])
    x = layers.Flatten()(layers.Dot(axes=1)([shares, x]))
    model = keras.Model(inputs, layers.Dense(3, activation="softmax")(x))
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


@program(x=ids(4, STEPS), y=real(STEPS, 2), weights=weight(STEPS))
def a_model_that_hands_masks_on(keras):
    layers = keras.layers
    inner = keras.Sequential([keras.Input((STEPS, 3)), layers.Dense(4, activation="tanh"), layers.UnitNormalization()])
    inputs = keras.Input((STEPS,), dtype="int32")
    model = keras.Model(inputs, layers.Dense(2)(inner(layers.Embedding(4, 3, mask_zero=True)(inputs))))
    model.compile(keras.optimizers.SGD(0.05), "mse", metrics=["mae"])
    return model


@program(x=real(3, 4, 2), y=real(3, 4, 1), weights=weight(3, 4))
def steps_within_steps(keras):
    layers = keras.layers
    inputs = keras.Input((3, 4, 2))
    inner = keras.Sequential([keras.Input((4, 2)), layers.Conv1D(3, 2, padding="causal", activation="tanh")])
    x = layers.TimeDistributed(layers.TimeDistributed(layers.Dense(3)))(layers.TimeDistributed(inner)(inputs))
    model = keras.Model(inputs, layers.Dense(1)(x))
    model.compile(keras.optimizers.SGD(0.05), "mse", metrics=["mae"])
    return model


@program(x=real(3, 4), y=real(3, 2), weights=weight(3))
def normalized_step_by_step(keras):
    layers = keras.layers
    inputs = keras.Input((3, 4))
    x = layers.TimeDistributed(layers.BatchNormalization(momentum=0.8))(layers.Dense(4)(inputs))
    model = keras.Model(inputs, layers.Dense(2)(x))
    model.compile(keras.optimizers.SGD(0.05), "mse", metrics=["mae"])
    return model

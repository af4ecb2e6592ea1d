"""More programs like those of graph_programs.py: attention, in the words of Keras."""

import numpy as np
from graph_runs import binary, ids, program, real, weight


@program(x=real(5, 6), y=real(5, 6), weights=weight(5))
def transformer_block(keras):
    layers = keras.layers
    x = inputs = keras.Input((5, 6))
    x = layers.LayerNormalization()(x + layers.MultiHeadAttention(2, 3)(x, x))
    h = layers.Dense(6)(layers.Dense(8, activation="relu")(x))
    model = keras.Model(inputs, layers.LayerNormalization()(layers.Add()([x, h])))
    model.compile(keras.optimizers.Adam(0.01), "mse", metrics=["mae"])
    return model


@program(x=ids(7, 6), y=ids(7, 6), weights=weight(6))
def causal_language_model(keras):
    layers = keras.layers
    tokens = keras.Input((6,), dtype="int32")
    x = layers.Embedding(7, 8)(tokens)
    for _ in range(2):
        h = layers.LayerNormalization()(x)
        x = x + layers.MultiHeadAttention(2, 4, use_bias=False)(h, h, use_causal_mask=True)
        x = x + layers.Dense(8)(layers.Dense(12, activation="gelu")(layers.LayerNormalization()(x)))
    model = keras.Model(tokens, layers.Dense(7)(x))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.01), loss, metrics=["accuracy"])
    return model


@program(x=[real(3, 4), real(5, 6), real(5, 7)], y=[real(3, 2, 3), real(2, 3, 5)])
def cross_attention_with_scores(keras):
    layers = keras.layers
    query, value, key = keras.Input((3, 4)), keras.Input((5, 6)), keras.Input((5, 7))
    settings = {"value_dim": 5, "output_shape": (2, 3), "kernel_regularizer": "l2"}
    attention = layers.MultiHeadAttention(2, 3, **settings)
    found, scores = attention(query, value, key, return_attention_scores=True)
    outputs = [layers.Identity(name="found")(found), layers.Identity(name="scores")(scores)]
    model = keras.Model([query, value, key], outputs)
    model.compile(keras.optimizers.SGD(0.05), "mse")
    return model


@program(x=[real(4, 6), binary(4, 4)], y=real(4, 6))
def attention_with_a_mask(keras):
    """Each query may look at its own key: the gradients of one that may look at none depend on Keras's backend."""
    layers = keras.layers
    inputs, drawn = keras.Input((4, 6)), keras.Input((4, 4))
    mask = 1 - (1 - drawn) * (1 - np.eye(4))
    x = layers.MultiHeadAttention(3, 2)(inputs, inputs, attention_mask=mask)
    again = layers.MultiHeadAttention(2, 3, sliding_window=2)
    x = x + again(x, x, attention_mask=mask, use_causal_mask=True)
    y, scores = layers.MultiHeadAttention(2, 3)(x, inputs, attention_mask=mask, return_attention_scores=True)
    scores = layers.Reshape((4, 8))(layers.Permute((2, 1, 3))(scores))
    model = keras.Model([inputs, drawn], y + layers.Dense(6)(scores))
    model.compile(keras.optimizers.SGD(0.05), "mse")
    return model


@program(x=real(6, 8), y=real(6, 8))
def grouped_queries(keras):
    layers = keras.layers
    x = inputs = keras.Input((6, 8))
    x = x + layers.GroupQueryAttention(3, 4, 2)(x, x, use_causal_mask=True)
    x = x + layers.GroupQueryAttention(2, 4, 1, use_gate=True, sliding_window=3)(x, x)
    model = keras.Model(inputs, x)
    model.compile(keras.optimizers.Adam(0.01), "mse")
    return model


@program(x=[real(4, 6), real(5, 3), real(5, 6)], y=real(4, 3), weights=weight(4))
def dot_attention(keras):
    layers = keras.layers
    query, value, key = keras.Input((4, 6)), keras.Input((5, 3)), keras.Input((5, 6))
    found, scores = layers.Attention(use_scale=True)([query, value, key], return_attention_scores=True)
    causal = layers.Attention()([query, key], use_causal_mask=True)
    model = keras.Model([query, value, key], found + layers.Dense(3)(causal) + layers.Dense(3)(scores))
    model.compile(keras.optimizers.SGD(0.02), "mse")
    return model


@program(x=[real(4, 6), real(5, 6)], y=real(4, 6))
def attention_through_tanh(keras):
    layers = keras.layers
    query, value = keras.Input((4, 6)), keras.Input((5, 6))
    x = layers.AdditiveAttention()([query, value])
    x = x + layers.AdditiveAttention(use_scale=False)([query, value], use_causal_mask=True)
    x = x + layers.Attention(score_mode="concat", use_scale=True)([query, value])
    model = keras.Model([query, value], x + layers.Attention(score_mode="concat")([x, value], use_causal_mask=True))
    model.compile(keras.optimizers.SGD(0.02), "mse")
    return model


@program(x=[ids(4, 6), real(3, 5)], y=real(3, 5))
def additive_attention_with_masks(keras):
    layers = keras.layers
    tokens, query = keras.Input((6,), dtype="int32"), keras.Input((3, 5))
    value = layers.Embedding(4, 5, mask_zero=True)(tokens)
    x = layers.AdditiveAttention()([query, value]) + layers.Attention()([query, value])
    y = layers.Attention(score_mode="concat")([value, value], use_causal_mask=True)
    model = keras.Model([tokens, query], x + layers.Attention()([query, y]))
    model.compile(keras.optimizers.SGD(0.02), "mse")
    return model


@program(x=ids(6, 7), y=ids(3), weights=weight())
def classifier_of_masked_tokens(keras):
    """What padding makes of queries counts for nothing."""
    layers = keras.layers
    tokens = keras.Input((7,), dtype="int32")
    x = layers.Embedding(6, 4, mask_zero=True)(tokens)
    x = layers.MultiHeadAttention(2, 3)(x, x)
    x = layers.LayerNormalization()(layers.Dense(5, activation="relu")(x))
    x = layers.GroupQueryAttention(2, 2, 1)(x, x)
    x = layers.GlobalAveragePooling1D()(x)
    model = keras.Model(tokens, layers.Dense(3, activation="softmax")(x))
    model.compile(keras.optimizers.Adam(0.02), "sparse_categorical_crossentropy")
    return model


@program(x=[ids(5, 6), ids(4, 5)], y=ids(4, 5), weights=weight(5))
def translator_of_masked_tokens(keras):
    layers = keras.layers
    source, target = keras.Input((6,), dtype="int32"), keras.Input((5,), dtype="int32")
    value = layers.Embedding(5, 4, mask_zero=True)(source)
    value = layers.MultiHeadAttention(2, 2)(value, value)
    x = layers.Embedding(4, 4, mask_zero=True)(target)
    x = layers.MultiHeadAttention(2, 2)(x, x, use_causal_mask=True)
    x = layers.MultiHeadAttention(1, 3, value_dim=2)(x, value)
    model = keras.Model([source, target], layers.Dense(4, activation="softmax")(x))
    model.compile(keras.optimizers.Adam(0.02), "sparse_categorical_crossentropy")
    return model


@program(x=real(3, 4, 6), y=real(3, 4, 6), weights=weight(3, 4))
def attention_along_axes(keras):
    """Along rows, along columns, and along both; with an array as a mask."""
    layers = keras.layers
    x = inputs = keras.Input((3, 4, 6))
    for axes in (2, 1, (1, 2)):
        x = x + layers.MultiHeadAttention(2, 3, attention_axes=axes)(x, x)
    mask = np.tril(np.ones((1, 4, 4), bool))
    x = layers.MultiHeadAttention(2, 3, attention_axes=(2,), use_gate=True)(x, inputs, attention_mask=mask)
    model = keras.Model(inputs, x)
    model.compile(keras.optimizers.SGD(0.05), "mse", metrics=["mae"])
    return model

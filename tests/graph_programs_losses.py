"""Networks with losses that are not the mean of their rows' losses: those of overlaps; and with settings by class.

As graph_programs.py, with the numbers in a file of their own.
"""

from graph_runs import binary, ids, program, real, weight

IMAGE = (6, 6, 2)


def unet(keras, last, activation):
    """A small U-Net of one level."""
    layers = keras.layers
    inputs = keras.Input(IMAGE)
    fine = layers.Conv2D(3, 3, activation="relu", padding="same")(inputs)
    x = layers.Conv2D(4, 3, padding="same", use_bias=False)(layers.MaxPooling2D()(fine))
    x = layers.ReLU()(layers.BatchNormalization()(x))
    x = layers.concatenate([fine, layers.Conv2DTranspose(3, 2, strides=2)(x)])
    return keras.Model(inputs, layers.Conv2D(last, 1, activation=activation)(x))


def convolution(keras, filters, activation):
    inputs = keras.Input(IMAGE)
    return keras.Model(inputs, keras.layers.Conv2D(filters, 3, padding="same", activation=activation)(inputs))


@program(x=real(*IMAGE), y=binary(6, 6, 1), weights=weight())
def unet_dice(keras):
    model = unet(keras, 1, "sigmoid")
    model.compile(keras.optimizers.Adam(0.01), "dice", metrics=["binary_accuracy"], weighted_metrics=["mae"])
    return model


@program(x=real(*IMAGE), y=binary(6, 6, 3), weights=weight())
def unet_dice_of_samples(keras):
    model = unet(keras, 3, "softmax")
    model.compile(keras.optimizers.RMSprop(0.01), keras.losses.Dice(axis=(1, 2, 3)), metrics=["mse"])
    return model


@program(x=real(*IMAGE), y=binary(6, 6, 3), weights=weight())
def dice_of_classes_together(keras):
    model = convolution(keras, 3, "softmax")
    model.compile(keras.optimizers.SGD(0.1), keras.losses.Dice("mean_with_sample_weight"))
    return model


@program(x=real(*IMAGE), y=binary(6, 6, 3))
def dice_of_each_class_in_the_batch(keras):
    model = convolution(keras, 3, "softmax")
    model.compile(keras.optimizers.SGD(0.1), keras.losses.Dice("sum", axis=(0, 1, 2)))
    return model


@program(x=real(*IMAGE), y=binary(6, 6), weights=weight())
def tversky_sum(keras):
    """Targets lack the last axis. With weights the sum is over the samples' weights."""
    model = convolution(keras, 1, "sigmoid")
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9), keras.losses.Tversky(0.3, 0.7, "sum"))
    return model


@program(x=real(*IMAGE), y=binary(6, 6, 3), weights=weight(1))
def tversky_of_each_class(keras):
    model = convolution(keras, 3, "softmax")
    model.compile(keras.optimizers.SGD(0.1), keras.losses.Tversky(0.3, 0.7, axis=(1, 2)))
    return model


@program(x=real(*IMAGE), y=binary(6, 6, 3), weights=weight(6, 6))
def tversky_of_rows(keras):
    model = convolution(keras, 3, "softmax")
    loss = keras.losses.Tversky(0.9, 0.2, "mean_with_sample_weight", axis=-1)
    model.compile(keras.optimizers.SGD(0.1), loss, weighted_metrics=["mse"])
    return model


@program(x=ids(5, 6), y=binary(6, 3), weights=weight(6))
def tversky_of_masked_steps(keras):
    layers = keras.layers
    inputs = keras.Input((6,), dtype="int32")
    x = layers.Embedding(5, 4, mask_zero=True)(inputs)
    model = keras.Model(inputs, layers.Dense(3, activation="sigmoid")(x))
    model.compile(keras.optimizers.SGD(0.5), keras.losses.Tversky(0.3, 0.7, axis=-1))
    return model


@program(x=real(*IMAGE), y=binary(6, 6, 3))
def dice_of_one_axis(keras):
    """Axes before and behind are kept."""
    model = convolution(keras, 3, "sigmoid")
    model.compile(keras.optimizers.SGD(0.1), keras.losses.Dice(axis=2))
    return model


@program(x=real(*IMAGE), y=binary(6, 6, 3))
def dice_of_samples_alone(keras):
    model = convolution(keras, 3, "sigmoid")
    model.compile(keras.optimizers.SGD(0.1), keras.losses.Dice(axis=0))
    return model


@program(x=real(*IMAGE), y={"mask": binary(6, 6, 1), "kind": ids(3)}, weights={"mask": weight(), "kind": weight()})
def mask_and_kind(keras):
    layers = keras.layers
    inputs = keras.Input(IMAGE)
    x = layers.Conv2D(3, 3, activation="relu", padding="same")(inputs)
    mask = layers.Conv2D(1, 3, activation="sigmoid", padding="same", name="mask")(x)
    kind = layers.Dense(3, activation="softmax", name="kind")(layers.GlobalAveragePooling2D()(x))
    model = keras.Model(inputs, {"mask": mask, "kind": kind})
    model.compile(
        keras.optimizers.Adam(0.01),
        {"mask": keras.losses.Tversky(0.4, 0.6), "kind": "sparse_categorical_crossentropy"},
        loss_weights={"mask": 2.0, "kind": 0.5},
        metrics={"kind": ["accuracy"], "mask": ["binary_accuracy"]},
    )
    return model


@program(x=real(*IMAGE), y=binary(6, 6, 3), weights=weight(6, 6))
def focal_by_class(keras):
    model = convolution(keras, 3, "softmax")
    loss = keras.losses.CategoricalFocalCrossentropy(alpha=[0.2, 0.5, 1.5], label_smoothing=0.1)
    model.compile(keras.optimizers.Adam(0.01), loss, metrics=["accuracy"])
    return model


@program(x=real(*IMAGE), y=binary(6, 6, 3))
def focal_by_class_from_logits(keras):
    model = convolution(keras, 3, None)
    loss = keras.losses.CategoricalFocalCrossentropy(alpha=[0.2, 0.0, 1.5], gamma=1.5, from_logits=True)
    model.compile(keras.optimizers.Adam(0.01), loss)
    return model

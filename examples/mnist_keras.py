"""A program written for tf.keras, with `tf.keras` replaced by `pynn` and nothing else changed."""

import os
from pathlib import Path

import pynn

os.environ.setdefault("PYNN_DATA", str(Path(__file__).parent.parent / "data"))  # instead of a download

(x_train, y_train), (x_test, y_test) = pynn.datasets.mnist.load_data()
x_train, x_test = x_train / 255.0, x_test / 255.0

model = pynn.models.Sequential(
    [
        pynn.layers.Flatten(input_shape=(28, 28)),
        pynn.layers.Dense(128, activation="relu"),
        pynn.layers.Dense(10, activation="softmax"),
    ]
)
model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(x_train, y_train, epochs=5)
model.evaluate(x_test, y_test, verbose=2)

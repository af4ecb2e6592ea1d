"""Trains a small dense network on MNIST and tells how often it is right on the test images."""

from pathlib import Path

import pynn
from pynn.datasets import mnist

(x_train, y_train), (x_test, y_test) = mnist.load_data(Path(__file__).parent.parent / "data" / "mnist")

pynn.set_random_seed(1)
model = pynn.Sequential(
    [
        pynn.Input((28, 28)),
        pynn.layers.Rescaling(1 / 255),
        pynn.layers.Flatten(),
        pynn.layers.Dense(128, activation="relu"),
        pynn.layers.Dense(10, activation="softmax"),
    ]
)
model.summary()
model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(x_train, y_train, batch_size=32, epochs=5, validation_split=0.1)

loss, accuracy = model.evaluate(x_test, y_test, verbose=0)
print(f"Test accuracy: {accuracy:.4f}")

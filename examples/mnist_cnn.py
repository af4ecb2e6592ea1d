"""Trains a convolutional network on MNIST, and tells how often it is right on the test images and how long it took."""

import time
from pathlib import Path

import pynn
from pynn.layers import Conv2D, Dense, Flatten, MaxPooling2D, Rescaling

data = Path(__file__).parent.parent / "data" / "mnist"
(x_train, y_train), (x_test, y_test) = pynn.datasets.mnist.load_data(data)
x_train, x_test = x_train[..., None], x_test[..., None]  # images have an axis of channels

pynn.set_random_seed(1)
model = pynn.Sequential(
    [
        Rescaling(1 / 255, input_shape=(28, 28, 1)),
        Conv2D(32, (3, 3), activation="relu"),
        MaxPooling2D((2, 2)),
        Conv2D(64, (3, 3), activation="relu"),
        MaxPooling2D((2, 2)),
        Flatten(),
        Dense(64, activation="relu"),
        Dense(10, activation="softmax"),
    ]
)
model.summary()
model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])

start = time.perf_counter()
model.fit(x_train, y_train, batch_size=32, epochs=3)
seconds = time.perf_counter() - start

loss, accuracy = model.evaluate(x_test, y_test, verbose=0)
print(f"Test accuracy: {accuracy:.4f} after {seconds:.2f} s of training")

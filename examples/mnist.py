"""Trains 784-128-10 on MNIST, and tells how often it is right on the test images and how long it took."""

import time
from pathlib import Path

import pynn

data = Path(__file__).parent.parent / "data" / "mnist"
(x_train, y_train), (x_test, y_test) = pynn.datasets.mnist.load_data(data)

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

start = time.perf_counter()
model.fit(x_train, y_train, batch_size=32, epochs=5)
seconds = time.perf_counter() - start

loss, accuracy = model.evaluate(x_test, y_test, verbose=0)
print(f"Test accuracy: {accuracy:.4f} after {seconds:.2f} s of training")

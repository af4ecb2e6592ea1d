"""Trains 784-128-10 on MNIST, and tells how often it is right on the test images and how long it took.

``--plot FILE`` writes a picture: the network, the curves of the training, and test digits that were got wrong.
"""

import argparse
import time
from pathlib import Path

import pynn

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--plot", metavar="FILE")
arguments = parser.parse_args()

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
history = model.fit(x_train, y_train, batch_size=32, epochs=5)
seconds = time.perf_counter() - start

loss, accuracy = model.evaluate(x_test, y_test, verbose=0)
print(f"Test accuracy: {accuracy:.4f} after {seconds:.2f} s of training")

if arguments.plot:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    said = model.predict(x_test, verbose=0)
    wrong = said.argmax(axis=1) != y_test
    figure = plt.figure(figsize=(10, 6), layout="constrained")
    above, below = figure.subfigures(2, 1, height_ratios=(1, 4))
    left, right = below.subfigures(1, 2, width_ratios=(2, 3))
    pynn.plot_model(model, rankdir="LR", show_layer_names=False, ax=above.subplots())
    pynn.plot_history(history, ax=left.subplots(2, 1))
    pynn.plot_images(x_test[wrong][:24], y_test[wrong][:24], said[wrong][:24], ax=right.subplots(4, 6))
    figure.savefig(arguments.plot, dpi=110)
    print(f"Drawn in {arguments.plot}")

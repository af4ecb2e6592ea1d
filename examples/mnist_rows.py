"""A recurrent network reads the images of MNIST row by row; trained on whole images, it reads shorter and longer ones.

``--short`` trains on 6,000 images for one epoch.
"""

import argparse
from pathlib import Path

import numpy as np

import pynn
from pynn.layers import Dense, SimpleRNN

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--short", action="store_true")
arguments = parser.parse_args()

data = Path(__file__).parent.parent / "data" / "mnist"
(x_train, y_train), (x_test, y_test) = pynn.datasets.mnist.load_data(data)
x_train, x_test = (x.astype("float32") / 255 for x in (x_train, x_test))
if arguments.short:
    x_train, y_train = x_train[:6000], y_train[:6000]

pynn.set_random_seed(1)
model = pynn.Sequential(
    [
        SimpleRNN(64, return_sequences=True, input_shape=(None, 28)),
        SimpleRNN(64),
        Dense(10, activation="softmax"),
    ]
)
model.summary()
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(x_train, y_train, epochs=1 if arguments.short else 5, verbose=2)

images = {
    "all 28 rows": x_test,
    "24 rows, without the 4 at the top, which are empty": x_test[:, 4:],
    "34 rows, with 6 empty ones before them": np.concatenate([np.zeros_like(x_test[:, :6]), x_test], axis=1),
}
for name, x in images.items():
    print(f"Test accuracy, {name}: {model.evaluate(x, y_test, verbose=0)[1]:.4f}")

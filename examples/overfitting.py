"""A network that is too large for 1,000 images learns them by heart. What L2, dropout and batch normalisation do to the
gap between its accuracy on these images and on new ones: a table and, where matplotlib is installed, a plot.
"""

import importlib.util
import tempfile
from pathlib import Path

import pynn
from pynn.layers import BatchNormalization, Dense, Dropout, Flatten, Rescaling
from pynn.regularizers import l2

data = Path(__file__).parent.parent / "data" / "mnist"
(x_train, y_train), (x_test, y_test) = pynn.datasets.mnist.load_data(data)
x_train, y_train = x_train[:1000], y_train[:1000]


def dense(**settings):
    return Dense(256, activation="relu", **settings)


networks = {
    "nothing": lambda: [dense(), dense()],
    "L2 of 0.01": lambda: [dense(kernel_regularizer=l2(0.01)), dense(kernel_regularizer=l2(0.01))],
    "dropout of 0.5": lambda: [dense(), Dropout(0.5), dense(), Dropout(0.5)],
    "batch normalisation": lambda: [dense(), BatchNormalization(), dense(), BatchNormalization()],
}
histories = {}
print(f"{'against overfitting':20} {'training':>9} {'test':>9} {'gap':>9}")
for name, hidden in networks.items():
    pynn.set_random_seed(1)
    model = pynn.Sequential(
        [Rescaling(1 / 255, input_shape=(28, 28)), Flatten(), *hidden(), Dense(10, activation="softmax")]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    fit = model.fit(x_train, y_train, epochs=40, validation_data=(x_test, y_test), verbose=0)
    histories[name] = fit.history
    _, seen = model.evaluate(x_train, y_train, verbose=0)
    _, unseen = model.evaluate(x_test, y_test, verbose=0)
    print(f"{name:20} {seen:9.4f} {unseen:9.4f} {seen - unseen:9.4f}")

if importlib.util.find_spec("matplotlib"):
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 4.5))
    for name, history in histories.items():
        axes.plot(history["val_accuracy"], label=name)
    axes.set(xlabel="epoch", ylabel="accuracy on test images", title="784-256-256-10 on 1,000 images of MNIST")
    axes.legend()
    target = Path(tempfile.gettempdir()) / "overfitting.png"
    figure.savefig(target, dpi=120, bbox_inches="tight")
    print(f"Drawn in {target}")

"""Looks for a better network than the default of MNIST on 10,000 of its images, in two minutes on two cores: prints the
table of trials, and draws them where matplotlib is installed. Where scikit-learn is, its searches do the like with few
settings. ``--short`` is a look at how it goes, in seconds.
"""

import importlib.util
import sys
import tempfile
import time
import warnings
from pathlib import Path

import pynn

short = "--short" in sys.argv
images, trials, seconds = (1000, 5, None) if short else (10000, 200, 80)
data = Path(__file__).parent.parent / "data" / "mnist"
(x, y), (x_test, y_test) = pynn.datasets.mnist.load_data(data)
x, y = x[:images], y[:images]


def build(hp):
    """784-128-10 with Adam is one of these networks."""
    activation = hp.choice("activation", ["relu", "gelu", "tanh"])
    dropout = hp.float("dropout", 0.0, 0.5)
    layers = [pynn.Input((28, 28)), pynn.layers.Rescaling(1 / 255), pynn.layers.Flatten()]
    for number in range(hp.int("layers", 1, 2)):
        layers.append(pynn.layers.Dense(hp.int(f"units_{number}", 64, 512, log=True), activation))
        if hp.boolean(f"batch_normalization_{number}"):
            layers.append(pynn.layers.BatchNormalization())
        layers.append(pynn.layers.Dropout(dropout))
    model = pynn.Sequential([*layers, pynn.layers.Dense(10, "softmax")])
    rate = hp.float("learning_rate", 1e-4, 1e-2, log=True)
    hp.choice("batch_size", [32, 64, 128])
    model.compile(pynn.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


pynn.set_random_seed(1)
default = pynn.Sequential(
    [
        pynn.Input((28, 28)),
        pynn.layers.Rescaling(1 / 255),
        pynn.layers.Flatten(),
        pynn.layers.Dense(128, "relu"),
        pynn.layers.Dense(10, "softmax"),
    ]
)
default.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
default.fit(x, y, epochs=5, validation_split=0.2, verbose=0)

start = time.perf_counter()
study = pynn.tune.search(
    build,
    x,
    y,
    trials=trials,
    timeout=seconds,
    epochs=5 if short else 15,
    validation_split=0.2,
    callbacks=[pynn.callbacks.EarlyStopping("val_accuracy", patience=4)],
)
print(study.table(rows=10))
print(f"{len(study.trials)} trials in {time.perf_counter() - start:.0f} s. The best: {study.best_params}")

for name, model in (("default", default), ("best", study.best_model())):
    loss, accuracy = model.evaluate(x_test, y_test, verbose=0)
    print(f"Test accuracy of the {name} network: {accuracy:.4f}")

if importlib.util.find_spec("sklearn"):
    from sklearn.model_selection import GridSearchCV, RandomizedSearchCV

    few = 500 if short else 2000
    samples, digits = x[:few].reshape(few, -1) / 255, y[:few]
    network = pynn.sklearn.MLPClassifier(max_iter=8 if short else 12, tol=0, batch_size=32, random_state=1)
    settings = {"hidden_layer_sizes": [(64,), (256,)], "dropout": [0.0, 0.3], "learning_rate_init": [1e-3, 3e-3]}
    searches = {
        "GridSearchCV": GridSearchCV(network, settings, cv=3),
        "RandomizedSearchCV": RandomizedSearchCV(network, settings, n_iter=3, cv=3, random_state=1),
    }
    for name, search in searches.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that more epochs would be better
            search.fit(samples, digits)
        accuracy = search.score(x_test.reshape(-1, 784) / 255, y_test)
        print(f"{name} on {few} images: {search.best_params_}, test accuracy {accuracy:.4f}")

if importlib.util.find_spec("matplotlib"):
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(11, 4))
    study.plot_history(axes[0])
    study.plot_importance(axes[1])
    figure.tight_layout()
    target = Path(tempfile.gettempdir()) / "tuning.png"
    figure.savefig(target, dpi=120)
    study.plot_slices()[0, 0].figure.savefig(target.with_name("tuning_slices.png"), dpi=120)
    print(f"Drawn in {target}")

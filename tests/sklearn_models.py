"""What estimators of tests are made with: in a module of its own, which worker processes can import."""

import pynn


def make_classifier(meta, units=8):
    binary = meta["target_type_"] == "binary"
    return pynn.Sequential(
        [
            pynn.Input(meta["X_shape_"][1:]),
            pynn.layers.Dense(units, activation="relu"),
            pynn.layers.Dense(1 if binary else meta["n_classes_"], activation="sigmoid" if binary else "softmax"),
        ]
    )


def make_regressor(meta):
    return pynn.Sequential([pynn.layers.Dense(8, "relu"), pynn.layers.Dense(meta["n_outputs_"])])


def threads_here(_):
    """The number of threads in the process that is asked."""
    return pynn.config.get_num_threads()

"""Make keras_metrics.json: what Keras's metrics give of the cases in ../metric_cases.py.

Needs Keras 3 with JAX, which the tests do not. In an environment that has them:

    pip install keras jax
    KERAS_BACKEND=jax python tests/golden/make_keras_metrics.py

The file has the versions, for each case the result after each of the batches, and what a training logs. IoU metrics add
up whole numbers in Keras, unless they are told a number type: they are, so that weights are not cut off.
"""

import json
import os
import pathlib
import sys

os.environ["KERAS_BACKEND"] = "jax"
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

import jax
import keras
import numpy as np
from metric_cases import BATCHES, CASES, data_of, training


def results(case):
    """The result after each batch, as numbers or lists."""
    config = {**case.config, "dtype": "float32"} if "IoU" in case.name else case.config
    metric = getattr(keras.metrics, case.name)(**config)
    y, p, weights = data_of(case.data)
    found = []
    for part in BATCHES:
        metric.update_state(y[part], p[part], weights[case.weights][part] if case.weights else None)
        found.append(np.asarray(metric.result(), np.float64).round(9).tolist())
    return found


def main():
    made = {str(case): results(case) for case in CASES}
    assert len(made) == len(CASES)
    versions = {"keras": keras.__version__, "jax": jax.__version__, "numpy": np.__version__}
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(found)}" for name, found in made.items())
    path = pathlib.Path(__file__).resolve().parent / "keras_metrics.json"
    keras.backend.clear_session()  # names begin anew
    logs = json.dumps(training(keras))
    path.write_text(f'{{"versions": {json.dumps(versions)},\n"training": {logs},\n"results": {{\n{lines}\n}}}}\n')


main()

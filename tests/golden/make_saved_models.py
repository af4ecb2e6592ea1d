"""Makes the files of format 1 that tests/test_golden_models.py reads: run once, and never again for this format.

They are what an older pynn wrote: all later ones must read them.
"""

import pathlib
import sys

import numpy as np

FOLDER = pathlib.Path(__file__).parent
sys.path.insert(0, str(FOLDER.parent))

from saved_models import compiled  # noqa: E402

import pynn  # noqa: E402
from pynn.storage import tensors  # noqa: E402

CASES = {
    "dense": ("adamw", "float32"),
    "images": ("rmsprop", "float32"),
    "tensors": ("averages", "float64"),
    "open_axes": ("accumulation", "float32"),
    "ids": ("nadam", "float64"),
    "frozen": ("momentum", "float32"),
    "own": ("adagrad", "float32"),
    "prelu": ("lion", "float32"),
}


def main():
    found = {}
    for name, (optimizer, dtype) in CASES.items():
        pynn.set_random_seed(11)
        model, (x, y) = compiled(name, optimizer, dtype)
        model.fit(x, y, batch_size=7, epochs=2, verbose=0)
        model.save(FOLDER / f"saved_{tensors.FORMAT}_{name}")
        predicted = model.predict(x, verbose=0)
        model.fit(x, y, batch_size=7, epochs=1, verbose=0)
        for when, values in (("before", predicted), ("after", model.predict(x, verbose=0))):
            arrays = values if isinstance(values, dict) else {"": values}
            found.update({f"{name}/{when}/{key}": array for key, array in arrays.items()})
    np.savez_compressed(FOLDER / f"saved_{tensors.FORMAT}.npz", **found)


if __name__ == "__main__":
    main()

"""Files that an older pynn wrote are read for ever: of each version of the format there are some."""

import pathlib

import numpy as np
import pytest
from saved_models import CUSTOM, data_of

import pynn
from pynn.storage import tensors

FOLDER = pathlib.Path(__file__).parent / "golden"
FILES = sorted(path for path in FOLDER.glob("saved_[0-9]*_*") if path.suffix != ".npz")


def test_files_are_found():
    assert {path.name.split("_")[1] for path in FILES} == {str(n + 1) for n in range(tensors.FORMAT)}
    assert len(FILES) >= 8


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_model_of_an_older_version(path):
    """It predicts what it did, and goes on training as it did, as far as another processor's last bits let it."""
    number, name = path.name.split("_", 2)[1:]
    with np.load(FOLDER / f"saved_{number}.npz") as file:
        expected = {key: file[key] for key in file if key.startswith(f"{name}/")}
    model = pynn.load_model(path, CUSTOM)
    x, y = data_of(model, name)
    for when in ("before", "after"):
        values = model.predict(x, verbose=0)
        for key, array in (values if isinstance(values, dict) else {"": values}).items():
            wanted = expected.pop(f"{name}/{when}/{key}")
            assert array.dtype == wanted.dtype
            np.testing.assert_allclose(array, wanted, rtol=1e-4, atol=1e-5)
        model.fit(x, y, batch_size=7, epochs=1, verbose=0)
    assert not expected

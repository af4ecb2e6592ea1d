"""Small helpers under Keras's names."""

import subprocess
import sys

import numpy as np
import pytest

import pynn
from pynn import layers


@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize("axis", [-1, 0, 1])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_normalize(axis, order, dtype, random):
    x = random.normal(size=(3, 4)).astype(dtype)
    y = pynn.utils.normalize(x, axis, order)
    assert y.dtype == dtype
    np.testing.assert_allclose(y, x / np.linalg.norm(x, order, axis, keepdims=True), rtol=1e-5)


def test_normalize_zeros_lists_and_numbers_of_any_size():
    np.testing.assert_array_equal(pynn.utils.normalize([[0, 0], [3, 4]]), [[0, 0], [0.6, 0.8]])
    for size in (1e300, 1e-300):
        np.testing.assert_allclose(pynn.utils.normalize([3 * size, 4 * size]), [0.6, 0.8], rtol=1e-15)


def test_clear_session_counts_names_anew():
    layers.Dense(3)
    pynn.backend.clear_session()
    assert [layers.Dense(3).name, layers.Dense(3).name] == ["dense", "dense_1"]
    pynn.utils.clear_session(free_memory=False)
    assert layers.Dense(3).name == "dense"


def test_random_seed_of_pynn_alone():
    np.random.seed(1)
    pynn.random.set_seed(7)
    first, other = pynn.initializers.GlorotUniform()((3, 4)), np.random.random()
    np.random.seed(1)
    pynn.random.set_seed(7)
    np.testing.assert_array_equal(pynn.initializers.GlorotUniform()((3, 4)), first)
    np.random.seed(1)
    assert np.random.random() == other


def test_backend_has_what_config_has():
    assert pynn.backend.floatx is pynn.config.floatx
    assert pynn.backend.epsilon is pynn.config.epsilon


def test_batches_in_one_tuple():
    for parts, packed in (
        ((1,), 1),
        (([1],), ([1],)),
        (((1, 2),), ((1, 2),)),
        ((1, 2), (1, 2)),
        ((1, 2, 3), (1, 2, 3)),
    ):
        assert pynn.utils.pack_x_y_sample_weight(*parts) == packed
        assert pynn.utils.unpack_x_y_sample_weight(packed) == (*parts, None, None)[:3]
    assert pynn.utils.pack_x_y_sample_weight(1, None, 3) == 1
    assert pynn.utils.unpack_x_y_sample_weight([1, 2]) == (1, 2, None)
    for wrong in ((), (1, 2, 3, 4)):
        with pytest.raises(ValueError, match=r"data must be \(x,\)"):
            pynn.utils.unpack_x_y_sample_weight(wrong)


def test_older_names_of_utilities():
    program = (
        "import pynn as keras; from pynn.preprocessing.sequence import pad_sequences; from pynn import preprocessing;"
        "assert keras.preprocessing.sequence.pad_sequences is pad_sequences is keras.utils.pad_sequences;"
        "assert preprocessing.timeseries_dataset_from_array is keras.utils.timeseries_dataset_from_array"
    )
    subprocess.run([sys.executable, "-c", program], cwd="/", check=True)

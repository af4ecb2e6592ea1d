"""Settings of the process, and what it says about itself."""

import numpy as np
import pytest
import reference
import reference_losses

import pynn
from pynn.foundation.native import core


def test_config_show(capsys):
    assert pynn.show_config() is None
    text = capsys.readouterr().out
    for part in (pynn.__version__, np.__version__, core.blas_name(), core.instruction_set(), core.thread_backend()):
        assert part in text
    table = pynn.show_config(mode="dicts")
    assert table["version"] == pynn.__version__
    assert table["threads"] == pynn.config.get_num_threads()
    assert pynn.show_config is pynn.config.show_config
    with pytest.raises(ValueError, match="mode"):
        pynn.show_config(mode="yaml")


def test_config_threads():
    for n in (1, 5, np.int64(3)):
        pynn.config.set_num_threads(n)
        assert pynn.config.get_num_threads() == n
        assert pynn.show_config(mode="dicts")["threads"] == n


def test_config_floatx():
    assert pynn.config.floatx() == "float32"
    for value in ("float64", np.float64, np.dtype("f8")):
        pynn.config.set_floatx("float32")
        pynn.config.set_floatx(value)
        assert pynn.config.floatx() == "float64"
        assert pynn.layers.Dense(2).dtype == "float64"
    assert pynn.activations.relu([1]).dtype == np.float64


def test_config_epsilon():
    assert pynn.config.epsilon() == 1e-7
    pynn.config.set_epsilon(1e-5)
    assert pynn.config.epsilon() == 1e-5
    for value in (0.0, -1.0, float("nan"), "small"):
        with pytest.raises((ValueError, TypeError), match="epsilon"):
            pynn.config.set_epsilon(value)
    assert pynn.config.epsilon() == 1e-5


def test_config_image_data_format():
    """Of layers that are made from then on."""
    before = pynn.layers.Conv2D(4, 3)
    assert pynn.config.image_data_format() == before.data_format == "channels_last"
    pynn.backend.set_image_data_format("channels_first")
    for layer in (pynn.layers.Conv2D(4, 3), pynn.layers.MaxPooling2D(), pynn.layers.Flatten()):
        assert layer.data_format == "channels_first"
    assert pynn.layers.Conv2D(4, 3, data_format="channels_last").data_format == "channels_last"
    assert before.data_format == "channels_last"
    assert pynn.layers.UpSampling1D(2)(np.ones((1, 3, 4))).shape == (1, 6, 4)  # which has no data_format
    for value in ("channels_middle", None, 1):
        with pytest.raises(ValueError, match="data_format"):
            pynn.config.set_image_data_format(value)
    assert pynn.config.image_data_format() == "channels_first"


def test_dtype_policy_is_taken_as_a_type():
    assert pynn.config.dtype_policy() == pynn.DTypePolicy("float32")
    policy = pynn.layers.Dense(2, dtype="float64").dtype_policy
    assert policy.name == policy.compute_dtype == policy.variable_dtype == "float64"
    assert policy == pynn.DTypePolicy.from_config(policy.get_config()) != pynn.DTypePolicy("float32")
    assert len({policy, pynn.DTypePolicy(np.float64)}) == 1
    layer = pynn.layers.Dense(2, dtype=policy)
    assert layer(np.ones((1, 3))).dtype == layer.dtype == layer.get_config()["dtype"] == "float64"
    assert pynn.Input((3,), dtype=policy).dtype == "float64"
    assert pynn.losses.MeanSquaredError(dtype=policy).dtype == "float64"
    assert "float64" in repr(policy)
    described = pynn.saving.serialize_keras_object(policy)
    assert pynn.layers.Dense(2, dtype=described).dtype == "float64"
    for bad in ({**described, "config": {"name": "mixed_float16"}}, {**described, "config": None}):
        with pytest.raises(ValueError, match='dtype must be "float32" or "float64", but got'):
            pynn.layers.Dense(2, dtype=bad)
    pynn.config.set_dtype_policy(policy)
    assert pynn.config.floatx() == pynn.layers.Dense(2).dtype == "float64"
    assert pynn.config.dtype_policy() == policy
    for value in ("mixed_float16", "float16", None):
        with pytest.raises(ValueError, match='must be "float32" or "float64"'):
            pynn.DTypePolicy(value)
    assert pynn.config.floatx() == "float64"


def test_config_native_lists_are_complete():
    assert set(core.activation_names()) == set(reference.ACTIVATIONS)
    assert set(core.loss_names()) == set(reference_losses.LOSSES)
    assert set(core.metric_names()) == set(reference_losses.METRICS)

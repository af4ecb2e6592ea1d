"""Functions as layers."""

import copy

import numpy as np
import pytest

import pynn
from pynn import layers, ops


def distance(pair):
    return ops.sqrt(ops.sum(ops.square(pair[0] - pair[1]), axis=1, keepdims=True))


def scaled(x, by=2.0):
    return x * by


@pynn.saving.register_keras_serializable("mine")
def halved(x, times=1):
    return x * 0.5**times


def test_function_computes_what_it_computes_of_arrays(random):
    x = random.normal(size=(5, 3)).astype(np.float32)
    np.testing.assert_array_equal(layers.Lambda(lambda x: x**2 - 1)(x), x**2 - 1)
    left, right = pynn.Input((3,)), pynn.Input((3,))
    model = pynn.Model([left, right], layers.Lambda(distance)([left, right]))
    assert model.output_shape == (None, 1)
    found = model.predict([x, x[::-1]], verbose=0)
    np.testing.assert_allclose(found, np.sqrt(((x - x[::-1]) ** 2).sum(axis=1, keepdims=True)), rtol=1e-5)
    np.testing.assert_array_equal(layers.Lambda(scaled, arguments={"by": 3})(x), 3 * x)
    np.testing.assert_array_equal(layers.Lambda(pynn.activations.relu)(x), np.maximum(x, 0))


def test_function_is_trained_through(random):
    x = random.normal(size=(20, 3))
    written = pynn.Sequential(
        [pynn.Input((3,)), layers.Dense(4), layers.Lambda(lambda x: ops.maximum(x, 0.0)), layers.Dense(1)]
    )
    plain = pynn.Sequential([pynn.Input((3,)), layers.Dense(4, activation="relu"), layers.Dense(1)])
    plain.set_weights(written.get_weights())
    for model in (written, plain):
        model.compile("sgd", "mse")
        model.fit(x, x[:, :1], epochs=3, shuffle=False, verbose=0)
    for one, other in zip(written.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def test_function_is_told_mask_and_training():
    doubled = layers.Lambda(lambda x, training=False: 2 * x if training else x)
    np.testing.assert_array_equal(doubled(np.ones((1, 2)), training=True), [[2, 2]])
    np.testing.assert_array_equal(doubled(np.ones((1, 2))), [[1, 1]])
    steps = pynn.Input((3, 2))
    counted = layers.Lambda(lambda x, mask=None: x * ops.expand_dims(mask, -1))(layers.Masking()(steps))
    given = np.array([[[1, 2], [0, 0], [3, 4]]])
    np.testing.assert_array_equal(pynn.Model(steps, counted)(given), given)
    kept = layers.Lambda(lambda x: x + 1, mask=lambda x, mask: mask)
    pooled = layers.GlobalAveragePooling1D()(kept(layers.Masking()(steps)))
    np.testing.assert_array_equal(pynn.Model(steps, pooled)(given), [[3, 4]])
    gone = layers.GlobalAveragePooling1D()(layers.Lambda(lambda x: x + 1)(layers.Masking()(steps)))
    np.testing.assert_allclose(pynn.Model(steps, gone)(given), [[7 / 3, 3]], rtol=1e-6)


def test_registered_functions_are_saved(tmp_path, random):
    x = random.normal(size=(5, 3)).astype(np.float32)
    model = pynn.Sequential(
        [pynn.Input((3,)), layers.Lambda(halved, arguments={"times": 2}, name="half"), layers.Dense(2)]
    )
    model.save(tmp_path / "model")
    for other in (
        pynn.load_model(tmp_path / "model"),
        copy.deepcopy(model),
        pynn.models.clone_model(model),
        pynn.models.model_from_json(model.to_json()),
    ):
        other.set_weights(model.get_weights())
        np.testing.assert_array_equal(other(x), model(x))
        assert other.layers[0].name == "half"


def test_functions_are_found_by_names_that_are_given(tmp_path):
    model = pynn.Sequential([pynn.Input((3,)), layers.Lambda(scaled)])
    model.save(tmp_path / "model")
    with pytest.raises(pynn.ModelFileError, match="There is no function 'scaled'"):
        pynn.load_model(tmp_path / "model")
    other = pynn.load_model(tmp_path / "model", custom_objects={"scaled": scaled})
    np.testing.assert_array_equal(other(np.ones((1, 3))), [[2, 2, 2]])
    config = pynn.saving.serialize_keras_object(model.layers[0])["config"]
    for safe_mode in (None, False, True):
        layer = layers.Lambda.from_config(config, custom_objects={"scaled": scaled}, safe_mode=safe_mode)
        np.testing.assert_array_equal(layer(np.ones((1, 3))), [[2, 2, 2]])


def test_functions_without_a_name_are_cloned_and_not_saved(tmp_path):
    model = pynn.Sequential([pynn.Input((3,)), layers.Lambda(lambda x: x + 1)])
    np.testing.assert_array_equal(pynn.models.clone_model(model)(np.zeros((1, 3))), [[1, 1, 1]])
    np.testing.assert_array_equal(pynn.Sequential.from_config(model.get_config())(np.zeros((1, 3))), [[1, 1, 1]])
    for use in (lambda: model.save(tmp_path / "model"), lambda: copy.deepcopy(model), model.to_json):
        with pytest.raises((TypeError, ValueError), match=r"<lambd.*is no function with a name"):
            use()
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"function": 3}, "function must be one, such as"),
        ({"function": scaled, "mask": 3}, "mask must be a function"),
        ({"function": scaled, "output_shape": "3"}, "output_shape"),
        ({"function": scaled, "arguments": [3]}, "arguments must be a dict"),
        ({"function": scaled, "nothing": 3}, "nothing"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(TypeError, match=message):
        layers.Lambda(**arguments)


def test_functions_of_pynn_that_no_file_names_are_told(tmp_path):
    model = pynn.Sequential([pynn.Input((3,)), layers.Lambda(ops.one_hot, arguments={"num_classes": 4})])
    with pytest.raises(ValueError, match="one_hot is a function that no file names: give one of your own"):
        model.save(tmp_path / "model")


def test_functions_that_need_numbers_are_refused():
    layer = layers.Lambda(lambda x: np.sort(x))
    with pytest.raises(TypeError, match="holds no numbers"):
        layer(np.ones((2, 3)))
    assert not layer.built

"""What mistakes of every day are told: each message says what to do."""

import numpy as np
import pytest

import pynn

ROWS = 20
X = np.random.default_rng(0).normal(size=(ROWS, 4)).astype("float32")
CLASSES, TWO = np.arange(ROWS) % 3, np.arange(ROWS) % 2
SPARSE, BINARY = "sparse_categorical_crossentropy", "binary_crossentropy"


def made(units, activation, loss, *before):
    model = pynn.Sequential([*before, pynn.layers.Dense(units, activation)])
    model.compile("sgd", loss)
    return model


def refused(model, x, y, message, kind=ValueError):
    with pytest.raises(kind, match=message):
        model.fit(x, y, verbose=0)


def test_labels_that_count_from_1():
    refused(made(3, "softmax", SPARSE), X, CLASSES + 1, r"found 3 at row 2 of y\. They count from 1.*give y - 1")
    refused(made(1, "sigmoid", BINARY), X, TWO + 1, r"Labels of 1 and 2 become 0 and 1 by y - 1")


def test_labels_of_minus_1_and_1():
    refused(made(1, "sigmoid", BINARY), X, 2 * TWO - 1, r'by \(y \+ 1\) / 2; or take the loss "hinge"')
    refused(made(2, "softmax", SPARSE), X, 2 * TWO - 1, r"by \(y \+ 1\) // 2")


def test_more_classes_than_units():
    refused(made(2, "softmax", SPARSE), X, CLASSES, r"a unit for each class: 3 for these labels")
    refused(made(1, "sigmoid", BINARY), X, CLASSES, r"sparse_categorical_crossentropy, with a unit for each class")


@pytest.mark.parametrize("kind", ["U", "object", "list"])
def test_labels_that_are_texts(kind):
    y = np.array(["no", "yes"])[TWO]
    y = y.tolist() if kind == "list" else y.astype(kind)
    message = r"numpy\.unique\(y, return_inverse=True\).*pynn\.sklearn\.Classifier"
    refused(made(1, "sigmoid", BINARY), X, y, message, TypeError)


@pytest.mark.parametrize(
    ("units", "loss", "y"), [(3, SPARSE, CLASSES), (3, "categorical_crossentropy", np.eye(3)[CLASSES]), (1, "mse", TWO)]
)
def test_a_forgotten_flatten(units, loss, y):
    images = np.ones((ROWS, 4, 4, 1), "float32")
    message = r"row for each of the positions \(3, 3\) of a sample: is a Flatten .* missing"
    refused(made(units, None, loss, pynn.layers.Conv2D(2, 2)), images, y, message)
    refused(made(3, "softmax", SPARSE, pynn.Input((4,))), X.reshape(ROWS, 2, 2), CLASSES, "begin with a Flatten")


def test_numbers_that_are_missing():
    broken = X.copy()
    broken[3, 2] = np.nan
    refused(made(1, None, "mse"), broken, TWO, r"x\[3, 2\], in row 3, is nan\. Leave such rows out, or fill in numbers")


def test_softmax_of_one_unit_warns():
    model = made(1, "softmax", BINARY)
    with pytest.warns(UserWarning, match="softmax over 1 unit, which is always 1. Did you mean sigmoid"):
        model.fit(X, TWO, verbose=0)
    model = made(1, "sigmoid", BINARY)
    model.fit(X, TWO, verbose=0)


# ---- frames ----------------------------------------------------------------------------------------------------------


def test_columns_of_a_frame_that_are_no_numbers():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=list("abcd"))
    frame["b"] = ["u", "v"] * 10
    frame["c"] = pandas.to_datetime(["2020-01-01"] * ROWS)
    message = r"columns of numbers, but has 'b' \((str|object)\), 'c' \(datetime64.*\)\. .*get_dummies\(x\)"
    refused(made(1, None, "mse"), frame, TWO, message, TypeError)
    with pytest.raises(TypeError, match=r"x must have columns of numbers, but has 'b'"):
        made(1, None, "mse", pynn.Input((4,))).predict(frame, verbose=0)


def test_columns_of_a_polars_frame_that_are_no_numbers():
    polars = pytest.importorskip("polars")
    frame = polars.DataFrame({"a": [1, 2] * 10, "b": ["u", "v"] * 10})
    message = r"columns of numbers, but has 'b' \(String\)\. .*to_dummies"
    refused(made(1, None, "mse"), frame, TWO, message, TypeError)


def test_frames_of_mixed_numbers_train_as_their_arrays():
    pandas = pytest.importorskip("pandas")
    columns = {"a": np.arange(ROWS), "b": X[:, 0], "c": TWO == 1}
    array = np.stack([columns[name].astype(np.float64) for name in "abc"], axis=1)
    frames = [pandas.DataFrame(columns), pandas.DataFrame(columns).convert_dtypes()]
    model = made(1, None, "mse", pynn.Input((3,)))
    for frame in frames:
        np.testing.assert_array_equal(model.predict(frame, verbose=0), model.predict(array, verbose=0))
    missing = pandas.DataFrame({"a": pandas.array([1, None] * 10, dtype="Int64"), "b": X[:, 0], "c": TWO})
    refused(made(1, None, "mse"), missing, TWO, r"x\[1, 0\], in row 1, is nan")


def test_columns_of_a_frame_in_an_estimator():
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("sklearn")
    from pynn.sklearn import Classifier, MLPRegressor

    frame = pandas.DataFrame({"a": X[:, 0], "kind": ["u", "v"] * 10})
    for estimator in (MLPRegressor(), Classifier(pynn.Sequential([pynn.layers.Dense(1)]))):
        with pytest.raises(ValueError, match=r"X must have columns of numbers, but has 'kind' .*ColumnTransformer"):
            estimator.fit(frame, TWO)

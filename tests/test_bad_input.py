"""What users may hand in by mistake: a rejected call says why and leaves the model as it was, bit for bit."""

import numpy as np
import pytest
from helpers import bits, make_data, make_model, unchanged

import pynn

NAN, INF = float("nan"), float("inf")
X, Y = make_data(12)


class SparseMatrix:
    """Looks like one of SciPy's."""

    nnz, shape = 3, (12, 5)

    def toarray(self):
        return X


def with_value(value, row=2, column=3):
    x = X.astype(np.float64)
    x[row, column] = value
    return x


# ---- x ---------------------------------------------------------------------------------------------------------------
BAD_X = [
    ("object", X.astype(object), TypeError, r"\bx\b"),
    ("text", X.astype(str), TypeError, r"\bx\b"),
    ("bytes", X.astype(bytes), TypeError, r"\bx\b"),
    ("dates", np.zeros((12, 5), "datetime64[s]"), TypeError, r"\bx\b"),
    ("records", np.zeros((12, 5), "f4,f4"), TypeError, r"\bx\b"),
    ("masked", np.ma.masked_array(X, X > 0), TypeError, r"\bx\b.*mask"),
    ("none", None, TypeError, r"\bx\b"),
    ("complex", X.astype(complex), ValueError, r"\bx\b.*complex"),
    ("ragged", [[1.0] * 5, [1.0] * 4], ValueError, r"\bx\b.*ragged.*[Pp]ad"),
    ("ragged objects", np.array([[1.0] * 5, [1.0] * 4], object), ValueError, r"\bx\b.*ragged.*[Pp]ad"),
    ("ragged arrays", [np.ones((5, 2)), np.ones((4, 2))], ValueError, r"\bx\b.*ragged.*[Pp]ad"),
    ("sparse", SparseMatrix(), ValueError, r"\bx\b.*toarray"),
    ("nan", with_value(NAN), ValueError, r"\bx\b.*row 2.*nan"),
    ("inf", with_value(INF), ValueError, r"\bx\b.*row 2.*inf"),
    ("minus-inf", with_value(-INF), ValueError, r"\bx\b.*row 2.*inf"),
    ("overflow", with_value(1e300), ValueError, r"\bx\b.*1e\+300.*row 2"),
    ("1-d", X[0], ValueError, r"\bx\b.*\(samples, 5\).*\(5,\)"),
    ("3-d", X[:, None], ValueError, r"\bx\b.*\(samples, 5\).*\(12, 1, 5\)"),
    ("scalar", 3.0, ValueError, r"\bx\b"),
    ("few-features", X[:, :4], ValueError, r"\bx\b.*5.*4"),
    ("no-features", X[:, :0], ValueError, r"\bx\b.*5.*0"),
]


CALLS = {
    "fit": lambda model, x: model.fit(x, Y, verbose=0),
    "validation_data": lambda model, x: model.fit(X, Y, validation_data=(x, Y), verbose=0),
    "evaluate": lambda model, x: model.evaluate(x, Y, verbose=0),
    "predict": lambda model, x: model.predict(x, verbose=0),
    "call": lambda model, x: model(x),
    "train_on_batch": lambda model, x: model.train_on_batch(x, Y),
    "test_on_batch": lambda model, x: model.test_on_batch(x, Y),
    "predict_on_batch": lambda model, x: model.predict_on_batch(x),
}


@pytest.mark.parametrize(("x", "error", "message"), [row[1:] for row in BAD_X], ids=[row[0] for row in BAD_X])
@pytest.mark.parametrize("call", CALLS)
def test_bad_x(call, x, error, message):
    model = make_model()
    with unchanged(model), pytest.raises(error, match=message):
        CALLS[call](model, x)


def test_bad_x_without_samples():
    model = make_model()
    for call in (model.fit, model.evaluate, model.train_on_batch, model.test_on_batch):
        with unchanged(model), pytest.raises(ValueError, match=r"sample"):
            call(X[:0], Y[:0])
    assert model.predict(X[:0], verbose=0).shape == (0, 3)
    assert model(X[:0]).shape == (0, 3)


# ---- y ---------------------------------------------------------------------------------------------------------------
def labels_with(value, dtype=np.float64):
    y = Y.astype(dtype)
    y[4] = value
    return y


BAD_LABELS = [
    ("negative", labels_with(-1, int), ValueError, r"\[0, 3\).*-1.*row 4"),
    ("too-large", labels_with(99, int), ValueError, r"\[0, 3\).*99.*row 4"),
    ("fraction", labels_with(0.5), ValueError, r"0\.5.*row 4"),
    ("nan", labels_with(NAN), ValueError, r"nan.*row 4"),
    ("inf", labels_with(INF), ValueError, r"inf.*row 4"),
    ("text", Y.astype(str), TypeError, r"\by\b"),
    ("object", Y.astype(object), TypeError, r"\by\b"),
    ("complex", Y.astype(complex), ValueError, r"\by\b"),
    ("one-hot", np.eye(3)[Y], ValueError, r"\by\b.*(categorical|one-hot)"),
    ("none", None, (TypeError, ValueError), r"\by\b"),
    ("short", Y[:-1], ValueError, r"\bx\b.*12.*\by\b.*11"),
    ("long", np.append(Y, 0), ValueError, r"\bx\b.*12.*\by\b.*13"),
]


@pytest.mark.parametrize(("y", "error", "message"), [row[1:] for row in BAD_LABELS], ids=[row[0] for row in BAD_LABELS])
@pytest.mark.parametrize("call", ["fit", "evaluate", "train_on_batch", "test_on_batch"])
def test_bad_labels(call, y, error, message):
    model = make_model()
    with unchanged(model), pytest.raises(error, match=message):
        getattr(model, call)(X, y)


BAD_TARGETS = [
    ("columns", np.zeros((12, 2)), ValueError, r"\by\b.*3.*2"),
    ("vector", np.zeros(12), ValueError, r"\by\b"),
    ("rank", np.zeros((12, 3, 1)), ValueError, r"\by\b"),
    ("nan", np.full((12, 3), NAN), ValueError, r"\by\b.*nan"),
    ("inf", np.full((12, 3), INF), ValueError, r"\by\b.*inf"),
    ("overflow", np.full((12, 3), 1e300), ValueError, r"\by\b"),
    ("ragged", [[0.0] * 3] * 11 + [[0.0]], ValueError, r"\by\b.*ragged"),
    ("short", np.zeros((11, 3)), ValueError, r"\bx\b.*12.*\by\b.*11"),
    ("object", np.zeros((12, 3), object), TypeError, r"\by\b"),
]


@pytest.mark.parametrize(
    ("y", "error", "message"), [row[1:] for row in BAD_TARGETS], ids=[row[0] for row in BAD_TARGETS]
)
@pytest.mark.parametrize("call", ["fit", "evaluate", "train_on_batch", "test_on_batch"])
def test_bad_targets(call, y, error, message):
    model = make_model(loss="mse", metrics=["mae"])
    with unchanged(model), pytest.raises(error, match=message):
        getattr(model, call)(X, y)


def test_column_and_vector_targets_are_the_same():
    """No broadcasting of (n,) against (n, 1)."""
    y = X.sum(axis=1)
    seen = set()
    for targets in (y, y[:, None], y.tolist()):
        pynn.set_random_seed(1)
        model = pynn.Sequential([pynn.Input((5,)), pynn.layers.Dense(1)])
        model.compile("sgd", "mse", metrics=["mae"])
        seen.add((str(model.fit(X, targets, epochs=2, verbose=0).history), bits(model)))
    assert len(seen) == 1


# ---- settings of fit -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("argument", "value"),
    [
        *(("batch_size", value) for value in (0, -1, 2.5, True, "half", NAN)),
        *(("epochs", value) for value in (-1, 2.5, True, "many", None)),
        *(("initial_epoch", value) for value in (-1, 0.5, "first")),
        *(("validation_split", value) for value in (1.0, 1.5, -0.1, NAN, "some")),
        *(("validation_data", value) for value in (5, (X,), (X, Y, Y, Y))),
        *(("verbose", value) for value in (3, -1, "loud", 1.5)),
        *(("shuffle", value) for value in ("yes", 2.5)),
    ],
)
def test_bad_fit_argument(argument, value):
    model = make_model()
    with unchanged(model), pytest.raises((ValueError, TypeError), match=argument):
        model.fit(X, Y, **{argument: value})


@pytest.mark.parametrize("batch_size", [np.int64(4), np.int32(4), np.uint8(4)])
def test_batch_size_may_be_a_numpy_integer(batch_size):
    model = make_model()
    model.fit(X, Y, batch_size=batch_size, verbose=0)
    assert model.optimizer.iterations == 3


def test_bad_validation_split_that_leaves_nothing():
    model = make_model()
    for split in (0.99, 0.01):
        with unchanged(model), pytest.raises(ValueError, match="validation_split"):
            model.fit(X[:1], Y[:1], validation_split=split, verbose=0)


@pytest.mark.parametrize("call", ["evaluate", "predict"])
@pytest.mark.parametrize(("argument", "value"), [("batch_size", 0), ("batch_size", 1.5), ("verbose", "loud")])
def test_bad_evaluate_and_predict_argument(call, argument, value):
    model = make_model()
    arguments = (X,) if call == "predict" else (X, Y)
    with unchanged(model), pytest.raises((ValueError, TypeError), match=argument):
        getattr(model, call)(*arguments, **{argument: value})


@pytest.mark.parametrize(
    ("argument", "value", "message"),
    [
        ("optimizer", "adamm", "adam"),
        ("optimizer", 3, "optimizer"),
        ("loss", "mean_square", "mean_squared_error"),
        ("loss", 3, "loss"),
        ("loss", [None], "loss"),
        ("metrics", "accuracy", "metrics"),
        ("metrics", ["acuracy"], "accuracy"),
        ("metrics", [3], "metric"),
    ],
)
def test_bad_compile_argument(argument, value, message):
    """The earlier compile stays in force."""
    model = make_model()
    settings = {"optimizer": "sgd", "loss": "mse", "metrics": []}
    with unchanged(model), pytest.raises((ValueError, TypeError), match=message):
        model.compile(**{**settings, argument: value})
    assert list(model.evaluate(X, Y, verbose=0, return_dict=True)) == ["loss", "accuracy"]


# ---- layouts that are not bad at all ---------------------------------------------------------------------------------
def misaligned(x):
    raw = np.zeros(x.nbytes + 1, np.uint8)
    out = raw[1:].view(x.dtype).reshape(x.shape)
    out[:] = x
    assert not out.flags.aligned
    return out


def read_only(x):
    x = x.copy()
    x.flags.writeable = False
    return x


LAYOUTS = {
    "float64": lambda x: x.astype(np.float64),
    "big-endian": lambda x: x.astype(">f4"),
    "big-endian-64": lambda x: x.astype(">f8"),
    "fortran": np.asfortranarray,
    "reversed": lambda x: x[::-1, ::-1].copy()[::-1, ::-1],
    "strided": lambda x: np.repeat(np.repeat(x, 2, axis=0), 3, axis=1)[::2, ::3],
    "transposed": lambda x: x.T.copy().T,
    "read-only": read_only,
    "misaligned": misaligned,
    "list": lambda x: x.tolist(),
    "tuple": lambda x: tuple(map(tuple, x.tolist())),
    "rows": list,
    "subclass": lambda x: x.view(type("Mine", (np.ndarray,), {})),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layout_gives_the_same_bits(layout):
    plain, other = make_model(), make_model()
    y = LAYOUTS[layout](np.eye(3, dtype=np.float32)[Y])
    for model in (plain, other):
        model.compile("sgd", "categorical_crossentropy", metrics=["accuracy"])
    one = plain.fit(X, np.eye(3)[Y], epochs=2, validation_split=0.25, verbose=0).history
    two = other.fit(LAYOUTS[layout](X), y, epochs=2, validation_split=0.25, verbose=0).history
    assert one == two
    assert bits(plain) == bits(other)
    np.testing.assert_array_equal(other.predict(LAYOUTS[layout](X), verbose=0), plain.predict(X, verbose=0))


@pytest.mark.parametrize("dtype", [np.float16, np.int8, np.int16, np.uint16, np.int64, np.uint8, bool, ">i4"])
def test_dtype_gives_the_same_bits(dtype):
    """Small whole numbers are the same in every type."""
    x = (np.abs(X) > 0.5).astype(dtype)
    plain, other = make_model(), make_model()
    plain.fit(x.astype(np.float32), Y, verbose=0)
    other.fit(x, Y, verbose=0)
    assert bits(plain) == bits(other)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int64, np.float32, np.float64, ">i8"])
@pytest.mark.parametrize("column", [False, True])
def test_labels_of_any_type_give_the_same_bits(dtype, column):
    plain, other = make_model(), make_model()
    plain.fit(X, Y, verbose=0)
    other.fit(X, Y.astype(dtype)[:, None] if column else Y.astype(dtype), verbose=0)
    assert bits(plain) == bits(other)


def test_inputs_are_never_written(tmp_path):
    np.save(tmp_path / "x.npy", X)
    x = np.load(tmp_path / "x.npy", mmap_mode="r")
    plain, other = make_model(), make_model()
    plain.fit(X, Y, epochs=2, verbose=0)
    other.fit(x, read_only(Y), epochs=2, verbose=0)
    assert bits(plain) == bits(other)


def test_data_frame_is_taken():
    pandas = pytest.importorskip("pandas")
    plain, other = make_model(), make_model()
    plain.fit(X, Y, verbose=0)
    other.fit(pandas.DataFrame(X), pandas.Series(Y), verbose=0)
    assert bits(plain) == bits(other)


def test_sparse_targets_are_refused():
    scipy = pytest.importorskip("scipy.sparse")
    model = make_model()
    with unchanged(model), pytest.raises(ValueError, match="toarray"):
        model.fit(X, scipy.csr_matrix(Y), verbose=0)


# ---- sizes -----------------------------------------------------------------------------------------------------------
def test_sizes_beyond_memory_are_told_before_allocating():
    for units in (10**10, 2**62):
        with pytest.raises((ValueError, MemoryError), match=r"units|parameters|memory|elements"):
            pynn.Sequential([pynn.Input((10**9,)), pynn.layers.Dense(units)])


@pytest.mark.parametrize("shape", [(0,), (-1,), (2.5,), ("a",), (None, 0), "five", (True,)])
def test_bad_input_shape(shape):
    with pytest.raises((ValueError, TypeError), match=r"shape"):
        pynn.Input(shape)


@pytest.mark.parametrize("value", [0, -1, 2.5, "two", True, None, 10**9])
def test_bad_number_of_threads(value):
    before = pynn.config.get_num_threads()
    with pytest.raises((ValueError, TypeError)):
        pynn.config.set_num_threads(value)
    assert pynn.config.get_num_threads() == before


@pytest.mark.parametrize("value", ["float16", "int32", "double64", None, 3])
def test_bad_floatx(value):
    with pytest.raises((ValueError, TypeError), match="float"):
        pynn.config.set_floatx(value)
    assert pynn.config.floatx() == "float32"


@pytest.mark.parametrize("value", [-1, 1.5, "one", None, 2**70])
def test_bad_seed(value):
    with pytest.raises((ValueError, TypeError), match="seed"):
        pynn.set_random_seed(value)


@pytest.mark.parametrize(
    ("x", "classes", "message"), [([-1, 0], None, r"\[0"), ([0, 3], 3, r"\[0, 3\)"), ([0.5], None, "whole")]
)
def test_bad_to_categorical(x, classes, message):
    with pytest.raises(ValueError, match=message):
        pynn.utils.to_categorical(x, classes)


def test_to_categorical():
    np.testing.assert_array_equal(pynn.utils.to_categorical([0, 2, 1]), np.eye(3)[[0, 2, 1]])
    np.testing.assert_array_equal(pynn.utils.to_categorical([[1], [0]], 4), np.eye(4)[[1, 0]])
    assert pynn.utils.to_categorical([[0, 1], [2, 0]]).shape == (2, 2, 3)


def test_training_of_none_is_false():
    x, model = make_data()[0], make_model()
    np.testing.assert_array_equal(model(x, training=None), model(x))


def test_index_of_a_layer_is_a_whole_number():
    model = make_model()
    assert model.get_layer(index=np.int64(-1)) is model.layers[-1]
    with pytest.raises(TypeError, match="index must be a whole number, but got 'a' of type str"):
        model.get_layer(index="a")


@pytest.mark.parametrize("shape", [(-1, 4), ("a", 4), (1.5, 4)])
def test_batch_axis_is_named(shape):
    with pytest.raises((TypeError, ValueError), match="the batch axis of input_shape must be a whole number"):
        pynn.layers.Dense(2).build(shape)


def test_normalization_takes_axes():
    assert pynn.layers.Normalization(axis=np.int64(-1)).axis == -1
    assert pynn.layers.Normalization(axis=[-1]).get_config()["axis"] == (-1,)
    for none in (None, (), []):
        assert pynn.layers.Normalization(axis=none).get_config()["axis"] is None
    for axis in ("a", (1, "a"), True, 1.0):
        with pytest.raises(TypeError, match="axis must be"):
            pynn.layers.Normalization(axis=axis)

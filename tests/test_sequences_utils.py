"""Sequences made one array, and the windows of time series."""

import numpy as np
import pytest

import pynn
from pynn.data import dataset
from pynn.utils import pad_sequences, timeseries_dataset_from_array

SEQUENCES = [[1], [2, 3], [4, 5, 6], []]


def test_padding_before_and_behind():
    before = pad_sequences(SEQUENCES)
    assert before.dtype == np.int32
    np.testing.assert_array_equal(before, [[0, 0, 1], [0, 2, 3], [4, 5, 6], [0, 0, 0]])
    np.testing.assert_array_equal(
        pad_sequences(SEQUENCES, padding="post", value=-1), [[1, -1, -1], [2, 3, -1], [4, 5, 6], [-1, -1, -1]]
    )


@pytest.mark.parametrize(("truncating", "last"), [("pre", [5, 6]), ("post", [4, 5])])
def test_truncating(truncating, last):
    np.testing.assert_array_equal(
        pad_sequences(SEQUENCES, maxlen=2, truncating=truncating), [[0, 1], [2, 3], last, [0, 0]]
    )
    assert pad_sequences(SEQUENCES, maxlen=7).shape == (4, 7)


def test_steps_that_are_arrays(random):
    given = [random.normal(size=(steps, 2, 3)).astype("float32") for steps in (3, 1, 4)]
    padded = pad_sequences(given, dtype="float32", padding="post", value=0.5)
    assert padded.shape == (3, 4, 2, 3)
    assert padded.dtype == np.float32
    for row, each in zip(padded, given, strict=True):
        np.testing.assert_array_equal(row[: len(each)], each)
        assert (row[len(each) :] == 0.5).all()


def test_fractions_stay_fractions():
    """Field case 108: Keras makes zeros of them, silently."""
    given = [[0.5, 0.25], [0.75]]
    with pytest.raises(ValueError, match=r"dtype='int32' cannot hold 0.5, .* sequences\[0\].*'float32'"):
        pad_sequences(given)
    np.testing.assert_array_equal(pad_sequences(given, dtype="float32"), [[0.5, 0.25], [0, 0.75]])


def test_whole_numbers_of_any_type():
    given = [np.array([2.0, 3.0]), [True], np.array([200], "uint8"), (4,), range(2)]
    np.testing.assert_array_equal(pad_sequences(given), [[2, 3], [0, 1], [0, 200], [0, 4], [0, 1]])


def test_no_sequences_and_no_steps():
    assert pad_sequences([], maxlen=3).shape == (0, 3)
    assert pad_sequences([[], []]).shape == (2, 0)


def test_texts():
    padded = pad_sequences([["a"], ["b", "cde"]], dtype=object, value="-")
    np.testing.assert_array_equal(padded, np.array([["-", "a"], ["b", "cde"]], object))


@pytest.mark.parametrize(
    ("sequences", "settings", "error", "message"),
    [
        ([[2**40]], {}, ValueError, "cannot hold 1099511627776.*'int64'"),
        ([[1], [2, -3]], {"dtype": "uint8"}, ValueError, r"cannot hold -3, which is in sequences\[1\]"),
        ([[np.nan]], {}, ValueError, "cannot hold nan"),
        ([[1e300]], {"dtype": "float32"}, ValueError, "cannot hold 1e\\+300.*'float64'"),
        ([1, 2], {}, TypeError, r"sequences\[0\] must be a list or an array, but is 1"),
        ([[1], "ab"], {}, TypeError, r"sequences\[1\]"),
        ([[1], [[1], [1, 2]]], {}, ValueError, r"sequences\[1\] is ragged"),
        ("ab", {}, TypeError, "sequences must be a list"),
        (3, {}, TypeError, "sequences must be a list"),
        ([[[1, 2]], [[1]]], {}, ValueError, r"one shape.*\(2,\), but sequences\[1\] has \(1,\)"),
        ([["a"]], {}, TypeError, r"sequences\[0\] must be an array of numbers"),
        ([], {}, ValueError, "pass maxlen"),
        ([[1]], {"maxlen": 0}, ValueError, "maxlen"),
        ([[1]], {"value": 0.5}, ValueError, "cannot hold 0.5, which is in value"),
        ([[1]], {"value": "x"}, TypeError, "value must be a number"),
        ([[1]], {"dtype": "foo"}, TypeError, "dtype"),
        ([[1]], {"dtype": "datetime64[s]"}, TypeError, "dtype"),
        ([[1]], {"padding": "left"}, ValueError, "padding must be one of 'pre', 'post'"),
        ([[1]], {"truncating": None}, ValueError, "truncating must be one of"),
    ],
)
def test_padding_refuses(sequences, settings, error, message):
    with pytest.raises(error, match=message):
        pad_sequences(sequences, **settings)


# ---- windows ---------------------------------------------------------------------------------------------------------


def windows_of(data, length, stride, rate, start, end):
    """Slow and plain."""
    found = []
    for begin in range(start, end, stride):
        steps = range(begin, begin + length * rate, rate)
        if steps[-1] < end:
            found.append([data[step] for step in steps])
    return np.array(found)


@pytest.mark.parametrize("shape", [(40,), (40, 3)])
@pytest.mark.parametrize(
    ("length", "stride", "rate", "start", "end"),
    [(1, 1, 1, 0, 40), (10, 1, 1, 0, 40), (10, 3, 2, 5, 37), (5, 7, 3, 1, 40), (40, 1, 1, 0, 40), (2, 50, 1, 0, 40)],
)
def test_windows(shape, length, stride, rate, start, end, random):
    data = random.normal(size=shape)
    made = timeseries_dataset_from_array(
        data, np.arange(40), length, stride, rate, start_index=start, end_index=end, batch_size=4
    )
    expected = windows_of(data, length, stride, rate, start, end)
    np.testing.assert_array_equal(made.x, expected)
    np.testing.assert_array_equal(made.y, start + stride * np.arange(len(expected)))
    batches = list(made)
    assert len(batches) == len(made) == -(-len(expected) // 4)
    np.testing.assert_array_equal(np.concatenate([x for x, _ in batches]), expected)
    np.testing.assert_array_equal(np.concatenate([y for _, y in batches]), made.y)


def test_windows_are_views():
    data = np.arange(1000.0).reshape(500, 2)
    made = timeseries_dataset_from_array(data[::-1], data, 100)
    assert np.shares_memory(made.x, data)
    assert np.shares_memory(made.y, data)
    with pytest.raises(ValueError, match="read-only"):
        made.x[0] = 1
    assert repr(made) == "<Windows (401, 100, 2), targets (401, 2), 4 batches>"


def test_windows_without_targets_and_with_few():
    data = np.arange(20)
    assert timeseries_dataset_from_array(data, None, 5).y is None
    assert [x.tolist() for x in timeseries_dataset_from_array(data, None, 2, 10, batch_size=None)] == [[0, 1], [10, 11]]
    few = timeseries_dataset_from_array(data[:-5], data[5:], 5)
    assert few.x.shape == (11, 5)
    np.testing.assert_array_equal(few.y, few.x[:, -1] + 1)
    assert len(timeseries_dataset_from_array(data, [1, 2, 3], 5, start_index=1).x) == 2


def test_windows_shuffled():
    def passes(**settings):
        made = timeseries_dataset_from_array(np.arange(50), np.arange(50), 3, batch_size=10, shuffle=True, **settings)
        both = [list(made), list(made)]
        for batches in both:
            x, y = (np.concatenate(each) for each in zip(*batches, strict=True))
            np.testing.assert_array_equal(x[:, 0], y)
            np.testing.assert_array_equal(np.sort(y), np.arange(48))
        return [np.concatenate([y for _, y in batches]).tolist() for batches in both]

    first, second = passes(seed=3)
    assert first != second
    assert passes(seed=3) == [first, second]
    assert passes(seed=4)[0] != first
    pynn.set_random_seed(1)
    drawn = passes()
    pynn.set_random_seed(1)
    assert passes() == drawn


SERIES = np.random.default_rng(1).integers(0, 255, (700, 3))


def trained(x, y, first, check_finite=True):
    """What a network of windows makes of all that can be done with them."""
    pynn.set_random_seed(1)
    model = pynn.Sequential([pynn.Input(x.shape[1:]), *first, pynn.layers.Flatten(), pynn.layers.Dense(4, "tanh")])
    model.add(pynn.layers.Dense(1))
    model.compile("adam", "mse")
    model.fit(x, y, epochs=2, validation_split=0.2, verbose=0, check_finite=check_finite)
    gradients = model.vjp(x[:40], np.ones((40, 1)))
    return [
        *model.get_weights(),
        model.predict(x, verbose=0),
        model(x[7:]),
        model.evaluate(x, y, verbose=0),
        *gradients[0],
    ]


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize(
    ("dtype", "length", "settings"),
    [
        ("float32", 20, {}),
        ("float64", 100, {"sequence_stride": 3}),
        ("uint8", 7, {}),
        ("uint8", 100, {"sequence_stride": 2}),
        ("int64", 5, {}),
        ("float32", 5, {"sampling_rate": 2}),
        ("float32", 2, {"sequence_stride": 5}),
    ],
)
def test_windows_train_as_their_copy(dtype, length, settings, threads):
    pynn.config.set_num_threads(threads)
    series = SERIES.astype(dtype)
    made = timeseries_dataset_from_array(series[:-100], SERIES[:, :1] / 255, length, **settings)
    first = [pynn.layers.Rescaling(1 / 255)]
    for ours, plain in zip(trained(made.x, made.y, first), trained(made.x.copy(), made.y, first), strict=True):
        np.testing.assert_array_equal(ours, plain)


def test_zeros_of_windows_are_passed_over_as_those_of_their_copy():
    series = np.where(SERIES[:, 0] < 200, 0, SERIES[:, 0] / 255).astype("float32")
    made = timeseries_dataset_from_array(series, series, 300)
    for ours, plain in zip(trained(made.x, made.y, []), trained(made.x.copy(), made.y, []), strict=True):
        np.testing.assert_array_equal(ours, plain)


@pytest.mark.parametrize("dtype", ["float32", "float64", "uint8"])
def test_windows_are_not_copied(dtype):
    """Not even where the series is of another type: then it is converted, once."""
    model = pynn.Sequential([pynn.Input((100, 3)), pynn.layers.Flatten(), pynn.layers.Dense(1)])
    windows = timeseries_dataset_from_array(SERIES.astype(dtype), None, 100).x
    (column,) = dataset.columns(windows, "x", model._require_layout(), True)
    assert column.shape == (601, 300)
    assert column.strides[0] == 3 * column.itemsize
    assert np.shares_memory(column, windows) == (dtype != "float64")
    np.testing.assert_array_equal(column, windows.reshape(601, 300).astype(column.dtype))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_place_of_what_is_not_finite_in_windows(dtype):
    series = SERIES[:, :2].astype(dtype)
    series[50, 1] = np.nan
    x = timeseries_dataset_from_array(series, None, 20).x
    model = pynn.Sequential([pynn.Input((20, 2)), pynn.layers.Flatten(), pynn.layers.Dense(1)])
    model.compile("sgd", "mse")
    before = model.get_weights()[0].copy()
    for call in (lambda: model.fit(x, x[:, 0, :1], verbose=0), lambda: model.predict(x, verbose=0), lambda: model(x)):
        with pytest.raises(ValueError, match=r"x\[31, 19, 1\], in row 31, is nan"):
            call()
    np.testing.assert_array_equal(model.get_weights()[0], before)


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"sequence_length": 0}, ValueError, "sequence_length"),
        ({"sequence_length": 2.5}, ValueError, "sequence_length"),
        ({"sequence_length": 31}, ValueError, "reaches over 31 steps, but data has 30"),
        ({"sequence_length": 4, "sampling_rate": 10}, ValueError, "reaches over 31 steps"),
        ({"sequence_stride": 0}, ValueError, "sequence_stride"),
        ({"sampling_rate": -1}, ValueError, "sampling_rate"),
        ({"batch_size": 0}, ValueError, "batch_size"),
        ({"shuffle": 2}, TypeError, "shuffle"),
        ({"format": "torch"}, ValueError, "format must be one of"),
        ({"seed": -1}, ValueError, "seed"),
        ({"start_index": -1}, ValueError, "start_index"),
        ({"start_index": 28}, ValueError, "data has 2 from start_index=28 to end_index=30"),
        ({"start_index": 20, "end_index": 10}, ValueError, "data has 0"),
        ({"end_index": 31}, ValueError, "end_index"),
        ({"data": 3}, ValueError, "data must have an axis of time"),
        ({"data": [[1, 2], [3]]}, ValueError, "data is ragged"),
        ({"targets": 3}, ValueError, "targets must have a target"),
        ({"targets": [1, 2], "start_index": 2}, ValueError, "begins at step 2"),
    ],
)
def test_windows_refuse(settings, error, message):
    with pytest.raises(error, match=message):
        timeseries_dataset_from_array(**{"data": range(30), "targets": None, "sequence_length": 3, **settings})

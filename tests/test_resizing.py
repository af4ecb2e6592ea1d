"""Layers that move, repeat and mix groups of elements: against NumPy, against loops, what the engine refuses."""

import itertools

import numpy as np
import pytest
from helpers import THREADS

import pynn
from pynn import layers
from pynn.foundation.native import core
from pynn.geometry import maps

SEQUENCES = [(1, 1), (5, 3), (4, 17), (3, 64)]
IMAGES = [(1, 1, 1), (3, 5, 1), (1, 4, 3), (4, 2, 17), (6, 7, 64)]
every_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])


def apply(layer, x):
    """What a model of this layer alone makes of x."""
    return pynn.Sequential([pynn.Input(x.shape[1:]), layer]).predict(x, verbose=0)


def draw(random, shape, dtype="float64", rows=3):
    return random.normal(size=(rows, *shape)).astype(dtype)


def ops_of(layer, shape):
    """Whether the layer adds an op, by the number of the tensor it gives."""
    graph = core.Graph()
    return layer.lower(layers.Lowering(graph, "float32"), graph.add_input(int(np.prod(shape))), shape)


# ---- values
@every_dtype
@pytest.mark.parametrize("shape", SEQUENCES)
@pytest.mark.parametrize(("padding", "ends"), [(1, (1, 1)), ((0, 3), (0, 3)), ((2, 0), (2, 0)), (0, (0, 0))])
def test_zero_padding_1d_values(padding, ends, shape, dtype, random):
    x = draw(random, shape, dtype)
    got = apply(layers.ZeroPadding1D(padding, dtype=dtype), x)
    np.testing.assert_array_equal(got, np.pad(x, [(0, 0), ends, (0, 0)]))


@every_dtype
@pytest.mark.parametrize("shape", IMAGES)
@pytest.mark.parametrize(
    ("padding", "ends"),
    [
        (2, ((2, 2), (2, 2))),
        ((1, 0), ((1, 1), (0, 0))),
        ((0, 3), ((0, 0), (3, 3))),
        (((0, 1), (2, 3)), ((0, 1), (2, 3))),
        ((1, (0, 2)), ((1, 1), (0, 2))),
    ],
)
def test_zero_padding_2d_values(padding, ends, shape, dtype, random):
    x = draw(random, shape, dtype)
    got = apply(layers.ZeroPadding2D(padding, dtype=dtype), x)
    np.testing.assert_array_equal(got, np.pad(x, [(0, 0), *ends, (0, 0)]))


@every_dtype
@pytest.mark.parametrize("channels", [1, 3, 17, 64])
@pytest.mark.parametrize(("left", "right"), [(0, 0), (1, 1), (0, 4), (3, 1)])
def test_cropping_1d_values(left, right, channels, dtype, random):
    x = draw(random, (5, channels), dtype)
    got = apply(layers.Cropping1D((left, right), dtype=dtype), x)
    np.testing.assert_array_equal(got, x[:, left : 5 - right])


@every_dtype
@pytest.mark.parametrize("channels", [1, 3, 17, 64])
@pytest.mark.parametrize("cropping", [((0, 0), (0, 0)), ((1, 1), (0, 0)), ((0, 0), (5, 1)), ((3, 1), (2, 0))])
def test_cropping_2d_values(cropping, channels, dtype, random):
    x = draw(random, (5, 7, channels), dtype)
    (top, bottom), (left, right) = cropping
    got = apply(layers.Cropping2D(cropping, dtype=dtype), x)
    np.testing.assert_array_equal(got, x[:, top : 5 - bottom, left : 7 - right])


@pytest.mark.parametrize("cropping", [1, (1, 1), ((1, 1), (1, 1))])
def test_cropping_2d_takes_short_forms(cropping):
    assert layers.Cropping2D(cropping).cropping == ((1, 1), (1, 1))
    assert layers.ZeroPadding2D(cropping).padding == ((1, 1), (1, 1))


def test_cropping_undoes_padding(random):
    x = draw(random, (5, 4, 3), "float32")
    ends = ((2, 0), (1, 3))
    model = pynn.Sequential([pynn.Input((5, 4, 3)), layers.ZeroPadding2D(ends), layers.Cropping2D(ends)])
    np.testing.assert_array_equal(model.predict(x, verbose=0), x)


@every_dtype
@pytest.mark.parametrize("shape", SEQUENCES)
@pytest.mark.parametrize("size", [1, 2, 3])
def test_up_sampling_1d_values(size, shape, dtype, random):
    x = draw(random, shape, dtype)
    np.testing.assert_array_equal(apply(layers.UpSampling1D(size, dtype=dtype), x), np.repeat(x, size, 1))


@every_dtype
@pytest.mark.parametrize("shape", IMAGES)
@pytest.mark.parametrize("size", [1, 2, (1, 3), (3, 2)])
def test_up_sampling_2d_nearest_values(size, shape, dtype, random):
    x = draw(random, shape, dtype)
    rows, columns = (size, size) if isinstance(size, int) else size
    got = apply(layers.UpSampling2D(size, dtype=dtype), x)
    np.testing.assert_array_equal(got, np.repeat(np.repeat(x, rows, 1), columns, 2))


def place(i, size, n):
    """Where position i of the larger axis lies on one of length n: below, above, and how far above the first."""
    at = min(max((i + 0.5) / size - 0.5, 0), n - 1)
    low = int(at)
    return low, min(low + 1, n - 1), at - low


def bilinear(x, rows, columns):
    height, width = x.shape[1:3]
    y = np.zeros((len(x), height * rows, width * columns, x.shape[3]))
    for i, j in itertools.product(range(height * rows), range(width * columns)):
        (top, bottom, down), (left, right, aside) = place(i, rows, height), place(j, columns, width)
        upper = x[:, top, left] * (1 - aside) + x[:, top, right] * aside
        lower = x[:, bottom, left] * (1 - aside) + x[:, bottom, right] * aside
        y[:, i, j] = upper * (1 - down) + lower * down
    return y


@every_dtype
@pytest.mark.parametrize("shape", [*IMAGES, (2, 2, 2), (3, 1, 2)])
@pytest.mark.parametrize("size", [(1, 1), (2, 2), (3, 3), (1, 4), (3, 2), (5, 1)])
def test_up_sampling_2d_bilinear_values(size, shape, dtype, random):
    x = draw(random, shape, dtype)
    got = apply(layers.UpSampling2D(size, interpolation="bilinear", dtype=dtype), x)
    assert got.dtype == dtype
    tolerance = 16 * float(np.finfo(dtype).eps)
    np.testing.assert_allclose(got, bilinear(x.astype(np.float64), *size), rtol=tolerance, atol=tolerance)


# What Keras 3.15 makes of the column 0, 1, 4, 9, -2, of twice and three times the length.
BY_KERNEL = {
    "bicubic": (
        [-0.088235, 0.124088, 0.572519, 1.5625, 3.0625, 5.484375, 8.828125, 6.908397, 0.19708, -2.970588],
        [
            *(
                -0.105263,
                0,
                0.172414,
                0.464286,
                1,
                1.777778,
                2.777778,
                4,
                6.111112,
                8.444447,
                9,
                5.821426,
                1.206893,
                -2,
            ),
            -3.157894,
        ],
    ),
    "lanczos3": (
        [-0.016243, 0.059308, 0.594636, 1.391998, 2.601592, 6.057593, 9.606815, 6.590425, 0.352571, -3.62783],
        [
            *(
                -0.030921,
                0,
                0.109297,
                0.470809,
                1,
                1.521889,
                2.286345,
                4,
                6.824872,
                9.345386,
                9,
                5.555333,
                1.301569,
                -2,
            ),
            -4.038051,
        ],
    ),
    "lanczos5": (
        [-0.220293, 0.296612, 0.881788, 1.05728, 2.301434, 6.302376, 9.776615, 6.501252, 0.395165, -3.834274],
        [
            *(
                -0.273588,
                0,
                0.405336,
                0.808316,
                1,
                1.113718,
                1.908001,
                4,
                7.112567,
                9.572695,
                9,
                5.467345,
                1.323387,
                -2,
            ),
            -4.337792,
        ],
    ),
}


@pytest.mark.parametrize("interpolation", BY_KERNEL)
def test_up_sampling_2d_by_a_kernel(interpolation, random):
    x = np.array([0.0, 1, 4, 9, -2]).reshape(1, 5, 1, 1)
    for size, expected in zip((2, 3), BY_KERNEL[interpolation], strict=True):
        for shape, along in (((1, 5, 1, 1), (size, 1)), ((1, 1, 5, 1), (1, size))):
            y = apply(layers.UpSampling2D(along, interpolation=interpolation, dtype="float64"), x.reshape(shape))
            np.testing.assert_allclose(y.ravel(), expected, rtol=1e-5, atol=2e-6)
    image = random.normal(size=(2, 4, 5, 3))
    both = apply(layers.UpSampling2D((2, 3), interpolation=interpolation, dtype="float64"), image)
    rows = apply(layers.UpSampling2D((2, 1), interpolation=interpolation, dtype="float64"), image)
    one_by_one = apply(layers.UpSampling2D((1, 3), interpolation=interpolation, dtype="float64"), rows)
    np.testing.assert_allclose(both, one_by_one, rtol=1e-10, atol=1e-12)
    np.testing.assert_array_equal(
        apply(layers.UpSampling2D(1, interpolation=interpolation, dtype="float64"), image), image
    )
    flat = apply(layers.UpSampling2D(4, interpolation=interpolation, dtype="float64"), np.ones((1, 2, 1, 1)))
    np.testing.assert_allclose(flat, 1, rtol=1e-12)


def test_up_sampling_2d_bilinear_of_a_small_image():
    """Worked by hand: 0 and 1 stay at the edges, 1/4 and 3/4 between."""
    x = np.array([[0.0, 4.0], [8.0, 16.0]])[None, :, :, None]
    expected = [[0, 1, 3, 4], [2, 3.25, 5.75, 7], [6, 7.75, 11.25, 13], [8, 10, 14, 16]]
    got = apply(layers.UpSampling2D(interpolation="bilinear", dtype="float64"), x)
    np.testing.assert_array_equal(got[0, :, :, 0], expected)


@every_dtype
@pytest.mark.parametrize(
    "shape",
    [(2, 3), (3, 17), (33, 16), (2, 3, 4), (7, 15, 33), (1, 3, 1), (2, 1, 3, 5), (1, 16, 2, 3), (2, 3, 1, 7, 5)],
)
def test_permute_values(shape, dtype, random):
    x = draw(random, shape, dtype)
    for dims in itertools.permutations(range(1, len(shape) + 1)):
        got = apply(layers.Permute(dims, dtype=dtype), x)
        np.testing.assert_array_equal(got, np.transpose(x, (0, *dims)))


def test_resizing_keeps_what_is_not_finite():
    """Also next to weights of zero, as an edge has."""
    front = [layers.Dense(4, dtype="float64"), layers.Reshape((2, 2, 1), dtype="float64")]
    probe = layers.UpSampling2D(2, interpolation="bilinear", dtype="float64")
    model = pynn.Sequential([pynn.Input((1,)), *front, probe])
    model.set_weights([np.zeros((1, 4)), np.array([np.inf, 1.0, 2.0, 3.0])])
    y = model.predict(np.zeros((1, 1)), verbose=0)[0, :, :, 0]
    assert not np.isnan(y).any()
    assert (np.isinf(y) == (np.arange(4) < 3)[:, None] * (np.arange(4) < 3)).all()
    np.testing.assert_array_equal(y[3], [2, 2.25, 2.75, 3])


# ---- the gradient is the transposed map
@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (layers.ZeroPadding2D(((1, 0), (2, 1))), (3, 2, 3)),
        (layers.Cropping2D(((1, 0), (0, 2))), (3, 4, 17)),
        (layers.UpSampling2D((2, 3)), (2, 3, 1)),
        (layers.UpSampling2D((3, 2), interpolation="bilinear"), (2, 3, 3)),
        (layers.Permute((3, 1, 2)), (2, 3, 5)),
        (layers.Permute((2, 1)), (17, 7)),
        (layers.Permute((2, 1, 3)), (3, 5, 4)),
        (layers.Permute((3, 1, 4, 2)), (2, 3, 4, 5)),
    ],
    ids=str,
)
def test_resizing_gradient_is_the_transposed_matrix(layer, shape, random):
    """The bias in front of the layer gets the matrix's transpose times the error of its output."""
    size = int(np.prod(shape))
    layer = type(layer).from_config({**layer.get_config(), "dtype": "float64"})
    matrix = apply(layer, np.eye(size).reshape(size, *shape)).reshape(size, -1)
    probe = type(layer).from_config({**layer.get_config(), "name": "probe"})
    front = [layers.Dense(size, dtype="float64"), layers.Reshape(shape, dtype="float64")]
    model = pynn.Sequential([pynn.Input((1,)), *front, probe, layers.Flatten(dtype="float64")])
    model.compile(optimizer=pynn.optimizers.SGD(learning_rate=1.0), loss="mean_squared_error")
    bias, target = random.normal(size=size), random.normal(size=(1, matrix.shape[1]))
    model.set_weights([np.zeros((1, size)), bias])
    model.train_on_batch(np.zeros((1, 1)), target)
    expected = matrix @ (2 * (bias @ matrix - target[0]) / target.size)
    np.testing.assert_allclose(bias - model.get_weights()[1], expected, rtol=1e-12, atol=1e-14)


# ---- what costs nothing
@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (layers.ZeroPadding1D(0), (3, 2)),
        (layers.ZeroPadding2D(0), (3, 4, 2)),
        (layers.Cropping1D(0), (3, 2)),
        (layers.Cropping2D(), (3, 4, 2)),
        (layers.UpSampling1D(1), (3, 2)),
        (layers.UpSampling2D(1, interpolation="bilinear"), (3, 4, 2)),
        (layers.Permute((1, 2, 3)), (3, 4, 2)),
        (layers.Permute((2, 1, 3)), (1, 4, 2)),  # no element moves
        (layers.Permute((3, 1, 2)), (3, 4, 1)),
    ],
    ids=str,
)
def test_resizing_that_changes_nothing_adds_no_op(layer, shape):
    assert ops_of(layer, shape) == 0


def test_resizing_that_changes_something_adds_an_op():
    assert ops_of(layers.Permute((2, 1, 3)), (3, 4, 2)) == 1
    assert ops_of(layers.UpSampling2D(1), (3, 4, 2)) == 0
    assert ops_of(layers.UpSampling2D((1, 2)), (3, 4, 2)) == 1


def test_maps_move_groups_as_long_as_can_be():
    rows_only = maps.product([maps.padded(3, 1, 0), maps.padded(4, 0, 0)], 2)
    assert (rows_only.inputs, rows_only.inner) == (3, 8)
    assert maps.product([maps.padded(3, 0, 0), maps.repeated(4, 2)], 2).inner == 2


def test_permutations_in_a_row_are_one():
    graph = core.Graph()
    net, x = layers.Lowering(graph, "float32"), graph.add_input(24)
    first = net.permute(x, (2, 3, 4), (2, 0, 1))
    assert net.permute(first, (4, 2, 3), (1, 2, 0)) == x
    second = net.permute(first, (4, 2, 3), (0, 2, 1))
    assert net.permute(second, (4, 3, 2), (2, 1, 0)) == x
    assert net.permute(first, (4, 6), (1, 0)) not in (x, first, second)  # after a Reshape
    net.times = 2
    assert net.permute(first, (4, 3), (1, 0)) not in (x, first, second)  # of parts of each sample


def test_permutations_in_a_row_values_and_gradients(random):
    """Also where the first one is an output, too."""
    x = draw(random, (3, 4, 5))
    inputs = pynn.Input(x.shape[1:], dtype="float64")
    first = layers.Permute((3, 1, 2), dtype="float64")(inputs)
    outputs = [first, *(layers.Permute(dims, dtype="float64")(first) for dims in ((2, 3, 1), (1, 3, 2)))]
    reshaped = layers.Permute((2, 1), dtype="float64")(layers.Reshape((5, 12), dtype="float64")(first))
    expected = [x.transpose(0, 3, 1, 2), x, x.transpose(0, 3, 2, 1), x.reshape(3, 12, 5)]
    for made in ([0], [1], [2], [3], [0, 2], [0, 1, 2, 3]):
        model = pynn.Model(inputs, [[*outputs, reshaped][number] for number in made])
        predicted = model.predict(x, verbose=0)
        for found, number in zip(predicted if len(made) > 1 else [predicted], made, strict=True):
            np.testing.assert_array_equal(found, expected[number])
        dy = [random.normal(size=expected[number].shape) for number in made]
        dx = model.vjp(x, dy if len(dy) > 1 else dy[0])[1]
        back = {0: (0, 2, 3, 1), 1: (0, 1, 2, 3), 2: (0, 3, 2, 1)}
        total = sum(
            d.reshape(x.shape) if number == 3 else d.transpose(back[number]) for d, number in zip(dy, made, strict=True)
        )
        np.testing.assert_allclose(dx, total, rtol=1e-12)


def test_maps_have_no_term_of_weight_zero():
    found = maps.product([maps.interpolated(2, 2), maps.padded(3, 1, 1)], 1)
    assert (found.weight > 0).all()
    assert list(np.diff(found.begin)) == [0, 1, 1, 1, 0, *[0, 2, 2, 2, 0] * 2, 0, 1, 1, 1, 0]


# ---- the engine
def integers(*values):
    return np.array(values, np.int64)


def test_resample_takes_any_map(random):
    """Rows without terms, with several, and the same element twice."""
    graph = core.Graph()
    begin, index, weight = integers(0, 2, 2, 5), integers(1, 0, 2, 2, 1), np.array([2.0, -1.0, 0.5, 0.25, 3.0])
    attributes = {"inputs": 3, "inner": 2, "begin": begin, "index": index, "weight": weight}
    graph.set_outputs(graph.add("resample", [graph.add_input(6)], [], attributes))
    x, y = random.normal(size=(4, 3, 2)), np.full((4, 6), np.nan)
    core.Plan(graph, "float64").predict([y], [x.reshape(4, 6)], False, 1)
    expected = np.stack([2 * x[:, 1] - x[:, 0], 0 * x[:, 0], 0.75 * x[:, 2] + 3 * x[:, 1]], 1)
    np.testing.assert_allclose(y.reshape(4, 3, 2), expected, rtol=1e-15, atol=1e-15)


@pytest.mark.parametrize(
    "change",
    [
        {"begin": integers()},
        {"begin": integers(0)},
        {"begin": integers(1, 2, 3)},
        {"begin": integers(0, 4, 3)},
        {"begin": integers(0, -1, 3)},
        {"begin": integers(0, 1, 2)},
        {"begin": integers(0, 1, 4)},
        {"index": integers(0, 1, 3)},
        {"index": integers(0, 1, -1)},
        {"index": integers(0, 1)},
        {"weight": np.ones(2)},
        {"inner": 0},
        {"inner": 3},
        {"inner": -2},
        {"inputs": 0},
        {"inputs": 6},
        {"inner": 2**62, "inputs": 2**62},
    ],
    ids=str,
)
def test_resample_refuses_what_does_not_fit(change):
    graph = core.Graph()
    x = graph.add_input(6)
    arguments = {"inputs": 3, "inner": 2, "begin": integers(0, 1, 3), "index": integers(0, 1, 2), "weight": np.ones(3)}
    with pytest.raises(ValueError, match=r"^\[resample\] expected .*, got "):
        graph.add("resample", [x], [], {**arguments, **change})
    assert graph.add("resample", [x], [], arguments) == [1]
    for name in ("begin", "index", "weight"):
        with pytest.raises(TypeError, match=name):
            graph.add("resample", [x], [], {**arguments, name: arguments[name].astype(np.float32)})


@pytest.mark.parametrize(
    "change",
    [
        {"order": integers(0, 0, 2)},
        {"order": integers(0, 1)},
        {"order": integers(0, 1, 3)},
        {"order": integers(0, 1, -1)},
        {"lengths": integers(2, 3)},
        {"lengths": integers(2, 3, 4)},
        {"lengths": integers(6, 0, 1)},
        {"lengths": integers(-2, -3, 1)},
        {"lengths": integers(2**62, 2**62, 1)},
    ],
    ids=str,
)
def test_permute_refuses_what_does_not_fit(change):
    graph = core.Graph()
    x = graph.add_input(6)
    arguments = {"lengths": integers(2, 1, 3), "order": integers(2, 0, 1)}
    with pytest.raises(ValueError, match=r"^\[permute\] expected .*, got "):
        graph.add("permute", [x], [], {**arguments, **change})
    assert graph.add("permute", [x], [], arguments) == [1]


@pytest.mark.parametrize(
    ("lengths", "order"), [((), ()), ((1, 1), (1, 0)), ((6,), (0,)), ((2, 3), (0, 1)), ((1, 2, 1, 3), (3, 2, 1, 0))]
)
def test_permute_takes_any_axes(lengths, order, random):
    """Also where nothing moves."""
    x = random.normal(size=(4, *lengths))
    graph, size = core.Graph(), int(np.prod(lengths, dtype=int))
    attributes = {"lengths": integers(*lengths), "order": integers(*order)}
    graph.set_outputs(graph.add("permute", [graph.add_input(size)], [], attributes))
    y = np.full((4, size), np.nan)
    core.Plan(graph, "float64").predict([y], [x.reshape(4, size)], False, 1)
    np.testing.assert_array_equal(y, x.transpose(0, *(axis + 1 for axis in order)).reshape(4, size))


@every_dtype
@pytest.mark.parametrize("dims", [(2, 1, 3), (3, 1, 2), (2, 3, 1), (3, 2, 1)])
def test_permute_bits_on_any_team(dims, dtype, random):
    """Work enough for every member, cut at places that differ."""
    x = draw(random, (127, 131, 33), dtype, rows=7)
    dy = np.ascontiguousarray(draw(random, (127, 131, 33), dtype, rows=7).transpose(0, *dims))
    model = pynn.Sequential([pynn.Input(x.shape[1:]), layers.Permute(dims, dtype=dtype)])
    for threads in THREADS:
        pynn.config.set_num_threads(threads)
        np.testing.assert_array_equal(model.predict(x, verbose=0), x.transpose(0, *dims))
        back = [0, *(dims.index(axis) + 1 for axis in (1, 2, 3))]
        np.testing.assert_array_equal(model.vjp(x, dy)[1], dy.transpose(back))


@every_dtype
@pytest.mark.parametrize("kind", ["ZeroPadding2D", "UpSampling2D", "Cropping2D"])
def test_resizing_bits_on_any_team(kind, dtype, random):
    """Work enough for every member, cut at places that differ."""
    x = draw(random, (61, 67, 3), dtype, rows=5)
    seen = set()
    for threads in THREADS:
        pynn.config.set_num_threads(threads)
        settings = {"interpolation": "bilinear"} if kind == "UpSampling2D" else {}
        layer = getattr(layers, kind)(1 if kind == "Cropping2D" else (3, 2), dtype=dtype, **settings)
        seen.add(apply(layer, x).tobytes())
    assert len(seen) == 1

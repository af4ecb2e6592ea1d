"""Pictures: what they have, and that it can be read."""

import builtins
import itertools

import numpy as np
import pytest
from tiers import slow

import pynn
from pynn import layers
from pynn.plotting.arrangement import Box, arrange

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402 - after the backend is chosen


@pytest.fixture(autouse=True)
def figures():
    plt.close("all")  # of other files, too
    yield
    plt.close("all")


def texts_of(ax):
    """The texts that can be seen."""
    made = [*ax.texts, ax.title]
    if ax.axison:
        legend = ax.get_legend()
        made += [] if legend is None else legend.get_texts()
        for axis in (ax.xaxis, ax.yaxis):
            low, high = sorted(axis.get_view_interval())
            made += [axis.label, *(tick.label1 for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high)]
            made += [tick.label2 for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high]
    return [text for text in made if text.get_text() and text.get_visible()]


def check_readable(figure):
    """All texts lie within the figure, none is on top of another, and all are large enough."""
    figure.canvas.draw()
    whole = figure.bbox
    for ax in figure.axes:
        texts = texts_of(ax)
        boxes = [text.get_window_extent() for text in texts]
        for text, box in zip(texts, boxes, strict=True):
            assert text.get_fontsize() >= 6, text
            assert whole.x0 - 1 <= box.x0 <= box.x1 <= whole.x1 + 1, text
            assert whole.y0 - 1 <= box.y0 <= box.y1 <= whole.y1 + 1, text
        level = [box for text, box in zip(texts, boxes, strict=True) if text.get_rotation() == 0]
        low, high = (np.array([end(box) for box in level]).reshape(-1, 2) for end in (lambda b: b.min, lambda b: b.max))
        shared = np.minimum(high[:, None], high) - np.maximum(low[:, None], low)
        assert not np.triu((shared > 1).all(-1), 1).any()


def digits_model(**settings):
    return pynn.Sequential(
        [
            pynn.Input((8, 8)),
            layers.Flatten(),
            layers.Dense(12, activation="relu", name="hidden", **settings),
            layers.Dropout(0.2),
            layers.Dense(10, activation="softmax"),
        ]
    )


def branched_model():
    ids = pynn.Input((20,), dtype="int32", name="words")
    numbers = pynn.Input((8,), name="numbers")
    words = layers.GlobalAveragePooling1D()(layers.Embedding(1000, 16)(ids))
    x = layers.Dense(16, activation="relu")(layers.concatenate([words, numbers]))
    x = x + layers.Dense(16, activation="relu")(x)
    return pynn.Model([ids, numbers], [layers.Dense(1)(x), layers.Dense(3, "softmax")(x)])


def deep_model():
    x = start = pynn.Input((8, 8, 3))
    for _ in range(3):
        y = layers.Conv2D(3, 3, padding="same")(x)
        y = layers.BatchNormalization()(y)
        x = layers.Add()([x, layers.Activation("relu")(y)])
    wide = [layers.Conv2D(2, size, padding="same")(x) for size in (1, 3, 5)]
    x = layers.Concatenate()([*wide, layers.MaxPooling2D(3, 1, padding="same")(x), start])
    return pynn.Model(start, layers.Dense(10)(layers.GlobalAveragePooling2D()(x)))


# ---- the run ---------------------------------------------------------------------------------------------------------


def fitted(epochs=4, **settings):
    model = pynn.Sequential([pynn.Input((3,)), layers.Dense(1)])
    model.compile("sgd", "mse", metrics=["mae"])
    x = np.random.default_rng(1).normal(size=(20, 3))
    return model.fit(x, x[:, :1], epochs=epochs, verbose=0, **settings)


def test_history_has_a_panel_for_each_quantity():
    history = fitted(validation_split=0.5)
    axes = pynn.plot_history(history)
    assert [ax.get_ylabel() for ax in axes] == ["loss", "mae"]
    for ax, name in zip(axes, ("loss", "mae"), strict=True):
        assert [line.get_label() for line in ax.lines] == ["training", "validation"]
        np.testing.assert_array_equal(ax.lines[0].get_xdata(), [1, 2, 3, 4])
        np.testing.assert_array_equal(ax.lines[0].get_ydata(), history.history[name])
        np.testing.assert_array_equal(ax.lines[1].get_ydata(), history.history[f"val_{name}"])
        assert ax.get_xlabel() == "epoch"
        assert all(float(place).is_integer() for place in ax.get_xticks())
    check_readable(axes[0].figure)


def test_history_of_some_epochs_and_some_metrics():
    history = fitted(epochs=6, initial_epoch=2, validation_split=0.5, validation_freq=2)
    (ax,) = pynn.plot_history(history, ["mae"])
    np.testing.assert_array_equal(ax.lines[0].get_xdata(), [3, 4, 5, 6])
    np.testing.assert_array_equal(ax.lines[1].get_xdata(), [4, 6])
    mine = plt.subplots()[1]
    assert pynn.plot_history({"loss": [1.0]}, ax=mine)[0] is mine
    assert len(mine.lines) == 1


def test_history_of_a_model():
    model = pynn.Sequential([pynn.Input((1,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit([[1.0]], [[1.0]], verbose=0)
    assert len(pynn.plot_history(model)) == 1


@pytest.mark.parametrize(
    ("history", "settings", "error", "message"),
    [
        (3, {}, TypeError, "history must be what fit returned"),
        ({"loss": []}, {}, ValueError, "no epoch"),
        ({}, {}, ValueError, "no epoch"),
        ({"loss": [1]}, {"metrics": ["acc"]}, ValueError, "metrics has 'acc', but the history has loss"),
        ({"loss": [1]}, {"metrics": "loss"}, TypeError, "metrics must be a list"),
        ({"loss": [1]}, {"metrics": 3}, TypeError, "metrics must be a list"),
        ({"loss": [1]}, {"metrics": []}, TypeError, "metrics must be a list"),
        ({"loss": [1]}, {"ax": 3}, TypeError, "ax must be axes of matplotlib"),
    ],
)
def test_history_refuses(history, settings, error, message):
    with pytest.raises(error, match=message):
        pynn.plot_history(history, **settings)
    assert not plt.get_fignums()


def test_too_few_axes():
    with pytest.raises(ValueError, match="ax must have 2 axes"):
        pynn.plot_history({"loss": [1], "mae": [2]}, ax=plt.subplots()[1])


# ---- the diagram -----------------------------------------------------------------------------------------------------


def boxes_of(ax):
    """The boxes of layers, in the window."""
    return [patch for patch in ax.patches if type(patch).__name__ == "FancyBboxPatch"]


def check_diagram(ax):
    """No box lies on another, each text is within one, and no line runs through a box."""
    figure = ax.figure
    figure.canvas.draw()
    boxes = [box.get_bbox() for box in boxes_of(ax)]
    for one, other in itertools.combinations(boxes, 2):
        assert not one.overlaps(other)
    inverse = ax.transData.inverted()
    for text in ax.texts:
        extent = text.get_window_extent().transformed(inverse)
        inside = [b for b in boxes if b.x0 < extent.x0 < extent.x1 < b.x1 and b.y0 < min(extent.y0, extent.y1)]
        assert len([b for b in inside if max(extent.y0, extent.y1) < b.y1]) == 1, text
    for line in (patch for patch in ax.patches if type(patch).__name__ == "PathPatch"):
        points = line.get_path().to_polygons(closed_only=False)[0]
        for x, y in points[1:-1]:
            assert not any(b.x0 + 1 < x < b.x1 - 1 and b.y0 + 1 < y < b.y1 - 1 for b in boxes)
    width, height = figure.bbox.width, figure.bbox.height
    for box in boxes_of(ax):
        extent = box.get_window_extent()
        assert 0 <= extent.x0 < extent.x1 <= width
        assert 0 <= extent.y0 < extent.y1 <= height


@pytest.mark.parametrize(
    ("make", "rankdir"),
    [
        (digits_model, "LR"),
        (branched_model, "TB"),
        pytest.param(branched_model, "LR", marks=pytest.mark.slow),
        pytest.param(deep_model, "TB", marks=pytest.mark.slow),
    ],
)
def test_diagram_is_readable(make, rankdir):
    model = make()
    ax = pynn.plot_model(model, rankdir=rankdir, show_layer_activations=True)
    check_readable(ax.figure)
    check_diagram(ax)


def test_diagram_says_what_layers_are():
    ax = pynn.plot_model(digits_model(), show_layer_activations=True)
    said = [text.get_text() for text in ax.texts]
    assert [said[0], said[2]] == ["Input", "(None, 8, 8)"]
    assert said[6:11] == ["Dense", "hidden", "activation: relu", "(None, 12)", "780 parameters"]
    assert len(boxes_of(ax)) == 5
    bare = pynn.plot_model(digits_model(), show_shapes=False, show_layer_names=False, show_params=False)
    assert [text.get_text() for text in bare.texts] == ["Input", "Flatten", "Dense", "Dropout", "Dense"]


def test_diagram_has_a_line_for_each_tensor_that_is_read():
    model = branched_model()
    ax = pynn.plot_model(model)
    said = [text.get_text() for text in ax.texts]
    assert len(boxes_of(ax)) == said.count("Dense") + 6 == 10
    assert {"words", "numbers", "16,000 parameters", "add"} <= set(said)
    assert len([patch for patch in ax.patches if type(patch).__name__ == "PathPatch"]) == 10


def test_diagram_of_shared_layers_and_models_within():
    shared, x = layers.Dense(3, name="twice"), pynn.Input((3,))
    inner = pynn.Sequential([pynn.Input((3,)), layers.Dense(2)], name="inner")
    ax = pynn.plot_model(pynn.Model(x, inner(shared(shared(x)))))
    said = [text.get_text() for text in ax.texts]
    assert said.count("twice") == 2
    assert said.count("Sequential") == said.count("inner") == 1


def test_diagram_of_models_within_as_their_layers():
    """Two levels, several inputs and outputs, and one model used twice."""
    a, b = pynn.Input((3,), name="a"), pynn.Input((3,), name="b")
    pair = pynn.Model([a, b], [layers.Add(name="sum")([a, b]), layers.Dense(2, name="of_b")(b)], name="pair")
    deep = pynn.Sequential([pynn.Input((2,)), layers.Dense(3, name="deepest")], name="deep")
    middle = pynn.Sequential([pynn.Input((2,)), deep, layers.Dense(3, name="behind")], name="middle")
    x, y = pynn.Input((3,), name="x"), pynn.Input((3,), name="y")
    one, two = pair([x, y])
    three, _ = pair([one, middle(two)])
    ax = pynn.plot_model(pynn.Model([x, y], three), expand_nested=True, show_params=False, show_shapes=False)
    said = [text.get_text() for text in ax.texts]
    assert len(boxes_of(ax)) == 8
    assert [said.count(name) for name in ("x", "y", "sum", "of_b", "deepest", "behind")] == [1, 1, 2, 2, 1, 1]
    assert not {"pair", "middle", "deep", "Sequential", "Model"} & set(said)
    # x and y to the first sum, y to the first of_b, of_b to deepest, deepest to behind, both to the second pair
    assert len([patch for patch in ax.patches if type(patch).__name__ == "PathPatch"]) == 8
    check_diagram(ax)


def test_diagram_says_number_types_and_what_is_learned():
    ids = pynn.Input((4,), dtype="int32", name="ids")
    model = pynn.Model(ids, layers.Dense(2, name="head", trainable=False)(layers.Embedding(9, 3, name="table")(ids)))
    ax = pynn.plot_model(model, None, False, True, True, "LR", show_trainable=True, show_params=False, splines="curved")
    said = [text.get_text() for text in ax.texts]
    assert said == [
        *("Input", "ids", "int32"),
        *("Embedding", "table", "float32", "trainable"),
        *("Dense", "head", "float32", "not trainable"),
    ]


def test_diagram_of_a_model_that_is_not_built():
    ax = pynn.plot_model(pynn.Sequential([layers.Dense(3), layers.Dense(2)]))
    assert [text.get_text() for text in ax.texts].count("?") == 3

    class Own(pynn.Model):
        def call(self, x):
            return x

    with pytest.raises(pynn.NotBuiltError, match="not built"):
        pynn.plot_model(Own())


def test_diagram_shows_frozen_layers():
    colours = {}
    for trainable in (True, False):
        boxes = boxes_of(pynn.plot_model(digits_model(trainable=trainable)))
        colours[trainable] = boxes[2].get_facecolor()
    assert colours[True] != colours[False]


def test_diagram_in_axes_and_in_a_file(tmp_path):
    figure, (left, right) = plt.subplots(1, 2, figsize=(12, 9))
    assert pynn.plot_model(branched_model(), ax=left) is left
    figure.canvas.draw()
    inside = left.get_window_extent()
    for text in left.texts:
        box = text.get_window_extent()
        assert inside.x0 <= box.x0 < box.x1 <= inside.x1
    assert not right.texts
    target = tmp_path / "model.png"
    assert pynn.utils.plot_model is pynn.plot_model
    pynn.plot_model(digits_model(), target)
    assert target.stat().st_size > 5000


@pytest.mark.parametrize(
    ("model", "settings", "error", "name"),
    [
        (3, {}, TypeError, "model"),
        (None, {"rankdir": "BT"}, ValueError, "rankdir"),
        (None, {"dpi": 0}, ValueError, "dpi"),
        (None, {"show_shapes": 2}, TypeError, "show_shapes"),
        (None, {"to_file": 3}, TypeError, "to_file"),
        (None, {"expand_nested": "all"}, TypeError, "expand_nested"),
        (None, {"splines": 3}, TypeError, "splines"),
        (None, {"ax": "x"}, TypeError, "ax"),
    ],
)
def test_diagram_refuses(model, settings, error, name):
    with pytest.raises(error, match=name):
        pynn.plot_model(digits_model() if model is None else model, **settings)


@pytest.mark.parametrize("seed", range(8))
def test_boxes_of_any_network_are_apart(seed):
    """Networks drawn at random: nothing overlaps, all lines go forward."""
    random = np.random.default_rng(seed)
    boxes = []
    for number in range(25):
        count = 0 if number == 0 else int(random.integers(0 if random.random() < 0.1 else 1, 4))
        sources = tuple(sorted(random.choice(number, min(count, number), replace=False).tolist()))
        boxes.append(Box(float(random.integers(20, 90)), float(random.integers(10, 50)), sources))
    found = arrange(boxes, 12.0, 16.0)
    sides = [
        (x - b.across / 2, x + b.across / 2, y - b.along / 2, y + b.along / 2)
        for b, (x, y) in zip(boxes, found.centres, strict=True)
    ]
    for one, other in itertools.combinations(sides, 2):
        apart_across = one[1] + 11.9 <= other[0] or other[1] + 11.9 <= one[0]
        apart_along = one[3] + 15.9 <= other[2] or other[3] + 15.9 <= one[2]
        assert apart_across or apart_along
    assert min(side[0] for side in sides) >= 0
    assert max(side[1] for side in sides) <= found.size[0] + 1e-9
    assert max(side[3] for side in sides) <= found.size[1] + 1e-9
    assert set(found.lines) == {(source, number) for number, box in enumerate(boxes) for source in box.sources}
    for (source, target), points in found.lines.items():
        way = [found.centres[source][1], *(y for _, y in points), found.centres[target][1]]
        assert way == sorted(way)
        for (x, y), (_, below) in zip(points[::2], points[1::2], strict=True):
            assert not any(a < x < b and c < below and y < d for a, b, c, d in sides)


# ---- images and weights ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "dtype"), [((6, 5), "uint8"), ((6, 5, 1), "float32"), ((6, 5, 3), "float32"), ((6, 5, 3), "uint8")]
)
def test_images(shape, dtype, random):
    x = random.integers(0, 255, (12, *shape)).astype(dtype)
    labels, says = np.arange(12) % 3, np.eye(3)[np.arange(12) // 4]
    axes = pynn.plot_images(x, labels, says)
    assert len(axes) == 12
    for number, ax in enumerate(axes):
        is_wrong = number % 3 != number // 4
        assert ax.get_title() == f"is {number % 3}\nsays {number // 4}"
        assert ax.title.get_color() == ("tab:red" if is_wrong else "black")
        (image,) = ax.images
        assert image.get_array().shape[:2] == (6, 5)
    check_readable(axes[0].figure)


def test_images_with_names_and_without(random):
    x = random.random((3, 4, 4))
    named = pynn.plot_images(x, [0, 1, 0], class_names=["cat", "dog"], columns=2)
    assert [ax.get_title() for ax in named] == ["cat", "dog", "cat"]
    assert named[0].get_position().y0 > named[2].get_position().y0
    assert [ax.get_title() for ax in pynn.plot_images(x)] == ["", "", ""]
    assert len(pynn.plot_images(x[:1], predictions=[[0.1, 0.9]], ax=plt.subplots()[1])) == 1


@pytest.mark.parametrize(
    ("x", "settings", "message"),
    [
        (np.zeros((3, 4)), {}, "x must have the shape"),
        (np.zeros((4, 4, 4, 4)), {}, "x must have the shape"),
        (np.zeros((0, 4, 4)), {}, "1 to 400 images, but has 0"),
        (np.zeros((401, 1, 1)), {}, "but has 401"),
        (np.zeros((2, 4, 4)), {"labels": [1]}, "labels must have the shape"),
        (np.zeros((2, 4, 4)), {"predictions": np.zeros((3, 2))}, "predictions must have the shape"),
        (np.zeros((1, 4, 4)), {"labels": [2], "class_names": ["a"]}, r"Label must be in \[0, 1\)"),
        (np.zeros((1, 4, 4)), {"columns": 0}, "columns"),
    ],
)
def test_images_refuse(x, settings, message):
    with pytest.raises(ValueError, match=message):
        pynn.plot_images(x, **settings)


def test_weights_of_dense_layers():
    model = digits_model()
    axes = pynn.plot_weights(model)
    kernel = model.layers[1].get_weights()[0]
    assert len(axes) == 12
    for unit, ax in enumerate(axes):
        np.testing.assert_array_equal(ax.images[0].get_array(), kernel[:, unit].reshape(8, 8))
        assert ax.images[0].get_clim() == (-np.abs(kernel).max(), np.abs(kernel).max())
    check_readable(axes[0].figure)
    (whole,) = pynn.plot_weights(model, -1)
    assert whole.images[0].get_array().shape == (12, 10)
    assert "(12, 10)" in whole.get_title()
    check_readable(whole.figure)
    assert len(pynn.plot_weights(model.layers[1], shape=(16, 4), limit=3)) == 3


def test_weights_of_convolutions():
    model = pynn.Sequential(
        [pynn.Input((9, 9, 3)), layers.Conv2D(5, 3, name="colours"), layers.Conv2D(7, 2, name="second")]
    )
    first, second = (layer.get_weights()[0] for layer in model.layers)
    for number, ax in enumerate(pynn.plot_weights(model, "colours")):
        assert ax.images[0].get_array().shape == (3, 3, 3)
        reach = np.abs(first).max()
        np.testing.assert_allclose(ax.images[0].get_array(), 0.5 + first[..., number] / reach / 2, atol=1e-6)
    axes = pynn.plot_weights(model, 1)
    assert len(axes) == 7
    np.testing.assert_array_equal(axes[3].images[0].get_array(), second[..., 3].mean(-1))
    sequence = pynn.Sequential([pynn.Input((9, 4)), layers.Conv1D(3, 2)])
    assert [ax.images[0].get_array().shape for ax in pynn.plot_weights(sequence)] == [(2, 4)] * 3


@pytest.mark.parametrize(
    ("model", "settings", "error", "message"),
    [
        (3, {}, TypeError, "model must be a model or a layer"),
        (None, {"layer": "no"}, ValueError, "layer is 'no', but the model has"),
        (None, {"layer": 4}, ValueError, "layer is 4, but the model has 4 layers"),
        (None, {"layer": 1.5}, TypeError, "layer must be a whole number"),
        (None, {"layer": 0}, ValueError, "has no kernel"),
        (None, {"shape": (3, 3)}, ValueError, "shape must be that of an image of 64 numbers"),
        (None, {"limit": 0}, ValueError, "limit"),
        (layers.Dense(3), {}, pynn.NotBuiltError, "not built"),
        (pynn.Sequential([pynn.Input((3,)), layers.Flatten()]), {}, ValueError, "no layer with a kernel"),
    ],
)
def test_weights_refuse(model, settings, error, message):
    with pytest.raises(error, match=message):
        pynn.plot_weights(digits_model() if model is None else model, **settings)


# ---- decisions -------------------------------------------------------------------------------------------------------

CORNERS = np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]])


def set_model(kernel, bias, activation=None):
    model = pynn.Sequential([pynn.Input((2,)), layers.Dense(len(bias), activation)])
    model.set_weights([np.array(kernel, float), np.array(bias, float)])
    return model


@pytest.mark.parametrize(("labels", "activation"), [([0, 0, 1, 1], "sigmoid"), ([-1, -1, 1, 1], None)])
def test_boundary_of_one_output(labels, activation):
    ax = pynn.plot_decision_boundary(set_model([[8], [0]], [-4], activation), CORNERS, labels, resolution=60)
    line = ax.collections[1].get_paths()[0].vertices
    np.testing.assert_allclose(line[:, 0], 0.5, atol=0.02)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [str(labels[0]), "1"]
    check_readable(ax.figure)


def test_boundary_at_a_threshold_and_without_samples():
    ax = pynn.plot_decision_boundary(set_model([[8], [0]], [-4]), CORNERS, threshold=2, resolution=60)
    np.testing.assert_allclose(ax.collections[1].get_paths()[0].vertices[:, 0], 0.75, atol=0.02)
    assert ax.get_legend() is None


def test_areas_of_several_outputs():
    model = set_model([[4, -4, 0], [0, 0, 6]], [0, 3, -3], "softmax")
    ax = pynn.plot_decision_boundary(model, CORNERS, np.eye(3)[[1, 2, 0, 2]], ["a", "b", "c"], resolution=40)
    (image,) = ax.images
    assert image.get_array().shape == (40, 40, 3)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["a", "b", "c"]
    assert sum(len(each.get_offsets()) for each in ax.collections if type(each).__name__ == "PathCollection") == 4
    check_readable(ax.figure)


def test_boundary_of_a_classifier():
    class Classifier:
        classes_ = np.array(["no", "yes"])

        def predict_proba(self, x):
            return np.stack([x[:, 0] < 0.5, x[:, 0] >= 0.5], 1).astype(float)

    ax = pynn.plot_decision_boundary(Classifier(), CORNERS, ["no", "no", "yes", "yes"], resolution=20)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["no", "yes"]


@pytest.mark.parametrize(
    ("model", "x", "settings", "error", "message"),
    [
        (3, CORNERS, {}, TypeError, "model must be a model or a classifier"),
        (None, np.zeros((4, 3)), {}, ValueError, r"x must have the shape \(samples, 2\)"),
        (None, np.zeros((0, 2)), {}, ValueError, "x has no samples"),
        (None, CORNERS, {"y": [1]}, ValueError, "y must have the shape"),
        (None, CORNERS, {"resolution": 0}, ValueError, "resolution"),
        (None, CORNERS, {"resolution": 1}, ValueError, "resolution must be 2 or more"),
        (set_model(np.eye(2), [0, 0]), CORNERS, {"y": [0, 1, 1, 2]}, ValueError, "y has the class 2"),
        (set_model(np.eye(2), [0, 0]), CORNERS, {"y": list("abba")}, ValueError, "y has the class 'a'"),
        (None, CORNERS, {"threshold": "x"}, TypeError, "threshold"),
        (None, CORNERS, {"y": [0, 1, 1, 0], "class_names": ["a"]}, ValueError, "class_names"),
    ],
)
def test_boundary_refuses(model, x, settings, error, message):
    with pytest.raises(error, match=message):
        pynn.plot_decision_boundary(set_model([[8], [0]], [-4]) if model is None else model, x, **settings)


def test_confusion_matrix():
    truth, guess = [0, 0, 1, 2, 2, 2], [0, 1, 1, 2, 2, 0]
    ax = pynn.plot_confusion_matrix(truth, guess)
    assert [text.get_text() for text in ax.texts] == list("110010102")
    np.testing.assert_allclose(ax.images[0].get_array(), [[0.5, 0.5, 0], [0, 1, 0], [1 / 3, 0, 2 / 3]])
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("predicted", "true")
    check_readable(ax.figure)
    shares = pynn.plot_confusion_matrix(np.eye(3)[truth], np.eye(3)[guess], ["a", "b", "long name"], normalize=True)
    assert [text.get_text() for text in shares.texts][-1] == "0.67"
    assert [text.get_text() for text in shares.get_xticklabels()] == ["a", "b", "long name"]
    check_readable(shares.figure)


@pytest.mark.parametrize("classes", [1, *slow(25), 26])
def test_confusion_matrix_of_any_size(classes, random):
    truth = random.integers(0, classes, 30_000)
    ax = pynn.plot_confusion_matrix(truth, np.where(random.random(30_000) < 0.8, truth, 0))
    assert len(ax.texts) == (classes**2 if classes <= 25 else 0)
    check_readable(ax.figure)


def test_confusion_matrix_of_texts_and_of_classes_that_are_not_there():
    ax = pynn.plot_confusion_matrix(["b", "a"], ["b", "b"])
    assert [text.get_text() for text in ax.get_yticklabels()] == ["a", "b"]
    assert len(pynn.plot_confusion_matrix([1, 0], np.eye(4)[[1, 0]]).texts) == 16


@pytest.mark.parametrize(
    ("truth", "guess", "settings", "message"),
    [
        ([], [], {}, "no samples"),
        ([1, 2], [1], {}, "y_pred must have the shape"),
        ([1, 2], [1, 2], {"class_names": ["a"]}, "class_names must have a name for each of 2"),
        (["a", "b"], [0, 1], {}, "must both have texts as classes"),
        ([0, 1], ["a", "b"], {}, "must both have texts as classes"),
        (["a", "b"], [[0.2, 0.8], [0.7, 0.3]], {}, "must both have texts as classes"),
    ],
)
def test_confusion_matrix_refuses(truth, guess, settings, message):
    with pytest.raises(ValueError, match=message):
        pynn.plot_confusion_matrix(truth, guess, **settings)


# ---- without matplotlib, and in notebooks ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "plot",
    [
        lambda: pynn.plot_history({"loss": [1]}),
        lambda: pynn.plot_model(digits_model()),
        lambda: pynn.plot_weights(digits_model()),
        lambda: pynn.plot_images(np.zeros((1, 2, 2))),
        lambda: pynn.plot_decision_boundary(set_model([[8], [0]], [-4]), CORNERS),
        lambda: pynn.plot_confusion_matrix([1], [1]),
    ],
)
def test_without_matplotlib_it_says_what_to_install(plot, monkeypatch):
    real = builtins.__import__

    def missing(name, *rest):
        if name.split(".")[0] == "matplotlib":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(ImportError, match=r"plot_\w+ needs the package matplotlib: pip install matplotlib"):
        plot()


def test_one_probability_a_sample_is_that_of_class_1():
    y, p = np.array([0, 1, 1, 0]), np.float32([[0.1], [0.9], [0.4], [0.3]])
    axes = pynn.plot_confusion_matrix(y, p)
    assert [text.get_text() for text in axes.get_xticklabels()] == ["0", "1"]
    shown = pynn.plot_images(np.zeros((4, 3, 3)), y, p)
    assert [ax.get_title() for ax in np.ravel(shown)[:3]] == ["is 0\nsays 0", "is 1\nsays 1", "is 1\nsays 0"]
    plt.close("all")


@pytest.mark.parametrize(
    ("predictions", "message"),
    [
        ([0.5, np.nan], "y_pred must be classes or probabilities, but has NaN or infinity"),
        ([0.5, 1.5], "y_pred must be classes or probabilities, but has 1.5. Of logits give"),
        ([[0.5, np.nan], [0.2, 0.8]], "y_pred must be classes or probabilities, but has NaN"),
    ],
)
def test_predictions_that_are_no_classes_are_refused(predictions, message):
    with pytest.raises(ValueError, match=message):
        pynn.plot_confusion_matrix([0, 1], predictions)

"""What the border refuses by itself, whoever calls it: `pynn._core`, and the arrays that `pynn.ops` is given."""

import inspect

import numpy as np
import pytest

from pynn import ops
from pynn.foundation.native import core

HUGE = 2**32  # its square is 0 in 64 bits

# ---- None for an array -----------------------------------------------------------------------------------------------
SQUARE, ROW, IMAGES = np.ones((2, 2)), np.ones(2), np.ones((1, 2, 2, 2))
ARGUMENTS = {
    "activation_backward": {"dy": ROW, "x": ROW, "y": ROW, "activation": "relu"},
    "activation_forward": {"x": ROW},
    "conv_backward": {"dy": IMAGES, "x": IMAGES, "kernel": np.ones((1, 1, 2, 2))},
    "conv_forward": {"x": IMAGES, "kernel": np.ones((1, 1, 2, 2))},
    "dense_backward": {"dy": SQUARE, "x": SQUARE, "kernel": SQUARE},
    "dense_forward": {"x": SQUARE, "kernel": SQUARE},
    "gemm": {"a": SQUARE, "b": SQUARE},
    "loss_backward": {"y_true": SQUARE, "y_pred": SQUARE, "loss": "mse"},
    "loss_forward": {"y_true": SQUARE, "y_pred": SQUARE, "loss": "mse"},
    "metric_forward": {"y_true": SQUARE, "y_pred": SQUARE, "metric": "mse"},
    "rescaling_forward": {"x": ROW, "scale": 2.0},
    "adam_update": {"iteration": 1},
    "adamax_update": {"iteration": 1},
    "nadam_update": {"iteration": 1},
    "append": {"x1": ROW, "x2": ROW},
    "binary_crossentropy": {"target": ROW, "output": ROW},
    "categorical_crossentropy": {"target": ROW, "output": ROW},
    "sparse_categorical_crossentropy": {"target": np.ones(2, int), "output": SQUARE},
    "diagonal": {"x": SQUARE},
    "trace": {"x": SQUARE},
    "moments": {"axes": 0},
    "take_along_axis": {"x": SQUARE, "indices": np.ones((2, 2), int), "axis": 0},
    "tensordot": {"x1": SQUARE, "x2": SQUARE},
    "threshold": {"threshold": 0.5, "default_value": 1.0},
    "clip": {"x_min": 0, "x_max": 1},
    "concatenate": {"xs": [SQUARE, SQUARE]},
    "bincount": {"x": np.arange(2)},
    "cast": {"dtype": "float32"},
    "expand_dims": {"axis": 1},
    "flip": {"axis": 0},
    "glu": {"x": SQUARE},
    "matmul": {"x1": SQUARE, "x2": SQUARE},
    "broadcast_to": {"x": np.ones((1, 3)), "shape": (2, 3)},
    "moveaxis": {"x": SQUARE, "source": 0, "destination": 1},
    "pad": {"x": SQUARE, "pad_width": 1},
    "repeat": {"x": SQUARE, "repeats": 2},
    "roll": {"x": SQUARE, "shift": 1},
    "tile": {"x": SQUARE, "repeats": 2},
    "tril": {"x": SQUARE},
    "triu": {"x": SQUARE},
    "one_hot": {"x": np.arange(2), "num_classes": 3},
    "reshape": {"x": SQUARE, "newshape": (4,)},
    "split": {"x": SQUARE, "indices_or_sections": 2},
    "stack": {"x": [SQUARE, SQUARE]},
    "swapaxes": {"x": SQUARE, "axis1": 0, "axis2": 1},
    "take": {"indices": np.arange(2)},
    "top_k": {"k": 2},
}
# They take no array, or lists of them.
WITHOUT = {
    *("arange", "concatenate", "einsum", "eye", "full", "hstack", "identity", "linspace", "meshgrid", "ones"),
    *("select", "stack", "tri", "vstack", "zeros"),
    "is_tensor",  # which takes anything
}


def arguments_of(name):
    """Those that a function must be given; arrays that an update changes are made anew."""
    given = dict(ARGUMENTS.get(name, {}))
    for parameter in inspect.signature(getattr(ops, name)).parameters.values():
        if parameter.default is parameter.empty:
            given.setdefault(parameter.name, np.ones(3))
    return given


@pytest.mark.parametrize("name", sorted({*ops.__all__} - WITHOUT))
def test_none_for_an_array(name):
    function, arguments = getattr(ops, name), arguments_of(name)
    function(**arguments)
    arrays = [argument for argument, value in arguments.items() if isinstance(value, np.ndarray)]
    assert arrays
    for argument in arrays:
        with pytest.raises((TypeError, ValueError)) as error:
            function(**{**arguments_of(name), argument: None})
        assert argument in str(error.value), error.value


@pytest.mark.parametrize("name", ["loss_forward", "loss_backward", "metric_forward"])
@pytest.mark.parametrize("argument", ["y_true", "y_pred"])
def test_none_beside_labels(name, argument):
    which = "metric" if name == "metric_forward" else "loss"
    given = {"y_true": np.zeros(2, np.int32), "y_pred": SQUARE, which: "sparse_categorical_crossentropy"}
    getattr(ops, name)(**given)
    with pytest.raises(TypeError, match=argument):
        getattr(ops, name)(**{**given, argument: None})


# ---- sizes -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("kind", "attributes"),
    [
        ("softmax", {"outer": HUGE, "axis": HUGE, "inner": 1, "log": False}),
        ("softmax", {"outer": HUGE, "axis": HUGE, "inner": 4, "log": False}),
        ("softmax", {"outer": -2, "axis": -2, "inner": 1, "log": False}),
        ("group_norm", {"samples": 1, "groups": HUGE, "columns": HUGE, "epsilon": 0.1}),
        ("noise", {"kind": "dropout", "shape": [HUGE, HUGE, 4], "sharing": [False] * 4, "amount": 0.5, "seed": 1}),
        ("pool", {"kind": "max", "shape": [HUGE, HUGE, 4, 2, 2, 1, 1, 1, 1, 0, 0]}),
        ("pool", {"kind": "max", "shape": [2, 2, 1, HUGE, HUGE, 1, 1, 1, 1, 0, 0]}),
        ("pool", {"kind": "average", "shape": [2, 2, 1, 2, 2, HUGE, HUGE, 1, 1, 0, 0]}),
        ("pool", {"kind": "max", "shape": [2, 2, 1, 2, 2, 1, 1, 2**62, 2**62, 0, 0]}),
        ("conv", {"shape": [2, 2, 1, 2, 2, 1, 1, 1, HUGE, HUGE, 1, 1, 0, 0, 1], "transposed": False}),
        ("conv", {"shape": [2, 2, 1, 2, 2, 1, 2, 2, 1, 1, 2**62, 2**62, 0, 0, 1], "transposed": True}),
        ("permute", {"lengths": [HUGE, HUGE, 4], "order": [2, 0, 1]}),
        ("resample", {"inputs": HUGE, "inner": HUGE, "begin": [0, 1], "index": [0], "weight": [1.0]}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_sizes_whose_product_wraps(kind, attributes):
    """In an op by itself and in a graph."""
    types = {"lengths": np.int64, "order": np.int64, "begin": np.int64, "index": np.int64, "weight": np.float64}
    attributes = {name: np.array(value, types[name]) if name in types else value for name, value in attributes.items()}
    x, y = np.ones((1, 4)), np.ones((1, 4))
    parameters = {"group_norm": [None, None], "conv": [np.ones(1), None]}.get(kind, [])
    with pytest.raises(ValueError, match=rf"\[{kind}\] expected"):
        core.op_forward(kind, attributes, [y], [x], parameters, None, 1)
    with pytest.raises(ValueError, match=rf"\[{kind}\] expected"):
        core.op_backward(
            kind, attributes, [np.ones((1, 4))], [None] * len(parameters), [y], [x], [y], parameters, None, 1
        )
    graph, weights = core.Graph(), core.Parameters("float64")
    numbers = [graph.add_parameter(weights, weights.add(1)) if p is not None else -1 for p in parameters]
    with pytest.raises(ValueError, match=rf"\[{kind}\] expected"):
        graph.add(kind, [graph.add_input(4)], numbers, attributes)


# ---- a trainer -------------------------------------------------------------------------------------------------------
def make_trainer(loss="sparse_categorical_crossentropy_from_logits", metrics=()):
    """Of a network that passes its three inputs on."""
    graph, weights = core.Graph(), core.Parameters("float64")
    kernel = graph.add_parameter(weights, weights.add(9))
    weights.array(0)[:] = np.eye(3).ravel()
    graph.set_outputs(graph.add("dense", [graph.add_input(3)], [kernel, -1], {"units": 3}))
    trainer = core.Trainer(core.Plan(graph, "float64"))
    trainer.set_heads([(0, loss, 3, 0.0, "mean", 1.0, metrics, None)])
    trainer.set_optimizer("sgd", {"learning_rate": 0.1})
    return trainer, weights


def train(trainer, labels, totals, first_step=0, steps=1):
    return trainer.train(totals, [np.ones((2, 3))], [labels], [], 1, False, 1, 0, first_step, steps, 1)


@pytest.mark.parametrize("labels", [[0, 3], [-1, 2], [2**31 - 1, 0], [0, -(2**31)]])
def test_label_outside(labels):
    """No kernel indexes with it, and no step is made with it."""
    labels, values = np.array(labels, np.int32), np.zeros(2)
    trainer, weights = make_trainer(metrics=[("sparse_categorical_accuracy", 0.0, False)])
    with pytest.raises(ValueError, match="label"):
        train(trainer, labels, np.zeros((1, 3)), steps=2)
    assert trainer.steps_done == int(0 <= labels[0] < 3)  # batches of one are looked at when they are gathered
    weights.array(0)[:] = np.eye(3).ravel()
    with pytest.raises(ValueError, match="label"):
        trainer.evaluate(np.zeros(3), [np.ones((2, 3))], [labels], [], 1)
    np.testing.assert_array_equal(weights.array(0), np.eye(3).ravel())
    loss, pred = ("sparse_categorical_crossentropy", 0.0), np.ones((2, 3))
    with pytest.raises(ValueError, match="label"):
        core.loss_forward(values, pred, labels, *loss, 1)
    with pytest.raises(ValueError, match="label"):
        core.loss_backward(np.zeros((2, 3)), pred, labels, *loss, 1.0, 1)
    with pytest.raises(ValueError, match="label"):
        core.metric_forward(values, pred, labels, "sparse_categorical_accuracy", 0.0, 1)


def test_all_labels_are_taken():
    trainer, weights = make_trainer()
    totals = np.zeros((1, 1))
    assert train(trainer, np.array([0, 2], np.int32), totals, steps=2)
    assert totals[0, 0] > 0
    assert (weights.array(0) != np.eye(3).ravel()).all()


@pytest.mark.parametrize(
    ("first_step", "steps"), [(2**63 - 1, 1), (2**63 - 1, 2), (2**62, 2**62), (1, 2**63 - 1), (-1, 1), (0, -1), (2, 1)]
)
def test_steps_beyond_the_totals(first_step, steps):
    """Also where the number of the last step wraps."""
    trainer, _ = make_trainer()
    with pytest.raises(ValueError, match=r"step|totals|negative"):
        train(trainer, np.zeros(2, np.int32), np.zeros((1, 1)), first_step, steps)


@pytest.mark.parametrize("rates", [np.zeros(0), np.full(1, 0.1), np.ones((1, 1))])
def test_rates_for_fewer_steps(rates):
    trainer, weights = make_trainer()
    data = [np.ones((2, 3))], [np.zeros(2, np.int32)]
    with pytest.raises(ValueError, match="rates must have one for each step"):
        trainer.train(np.zeros((1, 1)), *data, [], 1, False, 1, 0, 0, 2, 1, rates)
    np.testing.assert_array_equal(weights.array(0), np.eye(3).ravel())


@pytest.mark.parametrize(
    "weights",
    [
        [],
        [None, None],
        [np.ones((2, 1)), None],
        [np.ones((3, 1))],
        [np.ones((2, 3))],
        [np.ones((2, 1), np.int32)],
        [np.ones((2, 1), np.uint8)],
        [np.ones((2, 1), np.float32)],
        [np.ones((4, 1))[::2]],
    ],
)
def test_weights_of_another_form(weights):
    """No kernel reads beside them; none at all are fine."""
    trainer, of_network = make_trainer(metrics=[("sparse_categorical_accuracy", 0.0, True)])
    data = [np.ones((2, 3))], [np.zeros(2, np.int32)]
    for call in (
        lambda: trainer.evaluate(np.zeros(3), *data, weights, 1),
        lambda: trainer.train(np.zeros((1, 3)), *data, weights, 1, False, 1, 0, 0, 1, 1),
    ):
        if not any(each is not None for each in weights):
            call()
            continue
        with pytest.raises((ValueError, TypeError)):
            call()
        np.testing.assert_array_equal(of_network.array(0), np.eye(3).ravel())


@pytest.mark.parametrize(
    ("outs", "bad"),
    [
        ([np.zeros((2, 3)), None], True),
        ([np.zeros((1, 3))], True),
        ([np.zeros((2, 3), np.float32)], True),
        ([np.zeros((4, 3))[::2]], True),
        ([np.frombuffer(bytes(48)).reshape(2, 3)], True),  # read-only
        ([np.zeros((2, 3))], False),
        ([None], False),
        ([], False),
    ],
)
@pytest.mark.parametrize("handed", [[], [0]])
def test_outputs_that_are_handed_over(outs, bad, handed):
    """They are written to arrays that have room, of outputs that the trainer was told to make."""
    trainer, weights = make_trainer()
    loss = (0, "sparse_categorical_crossentropy_from_logits", 3, 0.0, "mean", 1.0, [], None)
    trainer.set_heads([loss], handed)
    x, labels = np.array([[1.0, 2, 3], [4, 5, 6]]), np.zeros(2, np.int32)
    for step in range(2):
        wanted = bool(outs) and outs[0] is not None
        call = (
            lambda: trainer.evaluate(np.zeros(1), [x], [labels], [], 1, outs),
            lambda: trainer.train(np.zeros((1, 1)), [x], [labels], [], 2, False, 1, 0, 0, 1, 1, None, outs),
        )[step]
        if bad or (step == 1 and wanted and not handed):
            with pytest.raises((ValueError, TypeError)):
                call()
            np.testing.assert_array_equal(weights.array(0), np.eye(3).ravel())
            continue
        call()
        if wanted:
            np.testing.assert_array_equal(outs[0], x)  # before the step
            outs[0][...] = 0
    with pytest.raises(ValueError, match="output"):
        trainer.set_heads([loss], [1])


def test_none_for_parameters():
    trainer, _ = make_trainer()
    x, labels = np.ones((2, 3)), np.zeros(2, np.int32)
    with pytest.raises(TypeError, match="add_parameter"):
        core.Graph().add_parameter(None, 0)
    with pytest.raises(ValueError, match="None"):
        core.hold_to_read([None], None)
    with pytest.raises(ValueError, match="None"):
        trainer.gradients([x], [labels], [], [(None, 0)], False, 0, 1)


def test_gradients_of_a_weight_that_comes_twice():
    trainer, weights = make_trainer()
    with pytest.raises(ValueError, match="once"):
        trainer.gradients([np.ones((2, 3))], [np.zeros(2, np.int32)], [], [(weights, 0), (weights, 0)], False, 0, 1)


def test_averages_of_an_optimizer_that_was_given_away():
    trainer, weights = make_trainer()
    graph = core.Graph()
    kernel = graph.add_parameter(weights, 0)
    graph.set_outputs(graph.add("dense", [graph.add_input(3)], [kernel, -1], {"units": 3}))
    other = core.Trainer(core.Plan(graph, "float64"))
    trainer.set_optimizer("sgd", {"learning_rate": 0.1, "use_ema": True})
    train(trainer, np.zeros(2, np.int32), np.zeros((1, 1)))
    other.take_optimizer(trainer)
    before = weights.array(0).copy()
    trainer.take_averages([(weights, 0)])  # it has none any more
    np.testing.assert_array_equal(weights.array(0), before)
    other.take_averages([(weights, 0)])
    np.testing.assert_array_equal(weights.array(0), before)  # the first average is the weight


@pytest.mark.parametrize("threads", [0, -1])
def test_threads_of_no_number(threads):
    """libgomp would end the process."""
    x, y = np.ones((1, 4)), np.ones((1, 4))
    trainer, _ = make_trainer()
    graph = core.Graph()
    graph.set_outputs([graph.add_input(4)])
    plan = core.Plan(graph, "float64")
    labels = np.zeros(1, np.int32)
    for call in (
        lambda: core.gemm(SQUARE.copy(), SQUARE, SQUARE, False, False, False, threads),
        lambda: core.op_forward(
            "softmax", {"outer": 1, "axis": 4, "inner": 1, "log": False}, [y], [x], [], None, threads
        ),
        lambda: core.first_non_finite(x, threads),
        lambda: core.loss_forward(np.zeros(1), x, y, "mean_squared_error", 0.0, threads),
        lambda: core.raise_in_team(0, threads),
        lambda: plan.predict([y], [x], False, threads),
        lambda: trainer.evaluate(np.zeros(1), [np.ones((1, 3))], [labels], [], threads),
        lambda: trainer.train(np.zeros((1, 1)), [np.ones((1, 3))], [labels], [], 1, False, 1, 0, 0, 1, threads),
    ):
        with pytest.raises(ValueError, match=r"threads|number"):
            call()

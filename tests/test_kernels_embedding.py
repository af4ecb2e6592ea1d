"""Rows of a table that ids choose, and ids as numbers, against plain NumPy."""

import numpy as np
import pytest
from helpers import THREADS, looped

from pynn.foundation.native import core

SIZES = (1, 2, 7, 15, 16, 17, 33)  # around the lengths of vectors
# samples, ids of a sample, rows, columns
CASES = [*((3, 4, 5, n) for n in SIZES), (5, 1, 1, 3), (1, 200, 7, 40), (300, 60, 40, 33)]
every_case = pytest.mark.parametrize(("samples", "size", "rows", "columns"), CASES)
every_dtype = looped("dtype", [np.float32, np.float64])


def forward(ids, table, threads=1):
    rows, columns = table.shape
    y = np.full((*ids.shape, columns), np.nan, table.dtype)
    core.op_forward("embedding", {"rows": rows, "dim": columns}, [y], [ids], [table], None, threads)
    return y


def backward(dy, ids, y, table, threads=1, dx=None):
    rows, columns = table.shape
    gradient = np.full_like(table, np.nan)
    attributes = {"rows": rows, "dim": columns}
    core.op_backward("embedding", attributes, [dx], [gradient], [dy], [ids], [y], [table], None, threads)
    return gradient


@every_case
@every_dtype
def test_embedding(samples, size, rows, columns, dtype, random):
    ids = random.integers(0, rows, (samples, size)).astype(np.int32)
    table = random.normal(size=(rows, columns)).astype(dtype)
    dy = random.normal(size=(samples, size, columns)).astype(dtype)
    expected = np.zeros_like(table)
    for number, of_row in zip(ids.ravel(), dy.reshape(-1, columns), strict=True):
        expected[number] += of_row
    for threads in THREADS:
        y = forward(ids, table, threads)
        np.testing.assert_array_equal(y, table[ids])
        np.testing.assert_array_equal(backward(dy, ids, y, table, threads), expected)


@pytest.mark.parametrize("wrong", [-1, 5, 2**31 - 1, -(2**31)])
def test_embedding_ids_outside_of_the_table(wrong, random):
    table = random.normal(size=(5, 3))
    ids = np.array([[0, 4, 2], [1, wrong, 0]], np.int32)
    y = np.zeros((2, 3, 3))
    with pytest.raises(ValueError, match=f"from 0 to 4, got {wrong}"):
        forward(ids, table)
    with pytest.raises(ValueError, match=f"from 0 to 4, got {wrong}"):
        backward(y, ids, y, table)


@pytest.mark.parametrize("dtype", [np.int64, np.float32, np.float64, np.uint8])
def test_embedding_of_what_are_no_ids(dtype):
    with pytest.raises(TypeError, match="int32"):
        forward(np.zeros((2, 3), dtype), np.ones((5, 3)))


def test_ids_have_no_gradient():
    ids, table = np.zeros((2, 3), np.int32), np.ones((5, 3))
    y = forward(ids, table)
    with pytest.raises(ValueError, match="none of ids"):
        backward(y, ids, y, table, dx=np.zeros((2, 3)))
    numbers = np.zeros((2, 3))
    with pytest.raises(ValueError, match="no gradient"):
        core.op_backward("numbers", {}, [None], [], [numbers], [ids], [numbers], [], None, 1)


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"rows": 5, "dim": 4}, "the table to have 20 elements"),
        ({"rows": 0, "dim": 3}, "at least 1"),
        ({"rows": 5, "dim": -3}, "at least 1"),
        ({"rows": 2**32, "dim": 1}, "at most"),
        ({"rows": 5}, "dim"),
    ],
)
def test_embedding_wrong_attributes(attributes, message):
    ids, table = np.zeros((2, 3), np.int32), np.ones((5, 3))
    with pytest.raises(ValueError, match=message):
        core.op_forward("embedding", attributes, [np.zeros((2, 3, 3))], [ids], [table], None, 1)


@every_dtype
@pytest.mark.parametrize("size", [*SIZES, 300000])
def test_numbers(size, dtype, random):
    ids = random.integers(-(2**31), 2**31, (2, size)).astype(np.int32)
    for threads in THREADS:
        y = np.full((2, size), np.nan, dtype)
        core.op_forward("numbers", {}, [y], [ids], [], None, threads)
        np.testing.assert_array_equal(y, ids.astype(dtype))


# ---- in a graph


def table_graph(rows=5, columns=3, size=4):
    """Ids to rows of a table; the plan and the table."""
    graph = core.Graph()
    x = graph.add_input(size, "ids")
    weights = core.Parameters("float64")
    table = weights.array(weights.add(rows * columns))
    parameter = graph.add_parameter(weights, 0)
    (y,) = graph.add("embedding", [x], [parameter], {"rows": rows, "dim": columns})
    return graph, x, y, table


@pytest.mark.parametrize("wrong", [-1, 3, 4, 2**31 - 1])
def test_graph_refuses_ids_outside_of_the_smallest_table(wrong):
    graph, x, y, table = table_graph(rows=5)
    small = core.Parameters("float64")
    small.add(9)
    (z,) = graph.add("embedding", [x], [graph.add_parameter(small, 0)], {"rows": 3, "dim": 3})
    (numbers,) = graph.add("numbers", [x], [], {})
    graph.set_outputs([y, z, numbers])
    plan = core.Plan(graph, "float64")
    table[:] = np.arange(15)
    ids = np.array([[0, 1, 2, 2]] * 3, np.int32)
    outs = [np.full((3, 12), np.nan), np.full((3, 12), np.nan), np.full((3, 4), np.nan)]
    assert plan.predict(outs, [ids], True, 1) is None
    np.testing.assert_array_equal(outs[0].reshape(3, 4, 3), table.reshape(5, 3)[ids])
    np.testing.assert_array_equal(outs[2], ids)
    ids[1, 2] = wrong
    with pytest.raises(ValueError, match=f"from 0 to 2, got {wrong}"):
        plan.predict(outs, [ids], True, 1)
    with pytest.raises(ValueError, match=f"from 0 to 2, got {wrong}"):
        plan.predict_training(outs, [ids], True, 0, 1)
    trainer = core.Trainer(plan)
    trainer.set_heads([(0, "mean_squared_error", 12, 0.0, "mean", 1.0, [], None)])
    trainer.set_optimizer("sgd", {"learning_rate": 1.0})
    for call in (
        lambda: trainer.train(np.zeros((1, 1)), [ids], [outs[0]], [], 3, False, 0, 0, 0, 1, 1),
        lambda: trainer.evaluate(np.zeros(1), [ids], [outs[0]], [], 1),
    ):
        with pytest.raises(ValueError, match=f"from 0 to 2, got {wrong}"):
            call()
    np.testing.assert_array_equal(table, np.arange(15))


@pytest.mark.parametrize("wrong", [-1, 3])
@pytest.mark.parametrize("threads", THREADS)
def test_parts_of_ids_have_limits_of_their_own(wrong, threads):
    graph, x, y, table = table_graph(rows=5)
    small = core.Parameters("float64")
    small.array(small.add(9))[:] = np.arange(9)
    (part,) = graph.add("select_ids", [x], [], {"index": [3, 1, 3]})
    (last,) = graph.add("select_ids", [part], [], {"index": [1]})
    (z,) = graph.add("embedding", [last], [graph.add_parameter(small, 0)], {"rows": 3, "dim": 3})
    (numbers,) = graph.add("numbers", [part], [], {})
    graph.set_outputs([y, z, numbers])
    plan = core.Plan(graph, "float64")
    table[:] = np.arange(15)
    ids = np.array([[4, 2, 3, 0]] * 70, np.int32)
    outs = [np.full((70, 12), np.nan), np.full((70, 3), np.nan), np.full((70, 3), np.nan)]
    assert plan.predict(outs, [ids], True, threads) is None
    np.testing.assert_array_equal(outs[0].reshape(70, 4, 3), table.reshape(5, 3)[ids])
    np.testing.assert_array_equal(outs[1], np.tile([6, 7, 8], (70, 1)))
    np.testing.assert_array_equal(outs[2], ids[:, [3, 1, 3]])
    ids[66, 1] = wrong
    with pytest.raises(ValueError, match=f"from 0 to {2 if wrong > 0 else 4}, got {wrong}"):
        plan.predict(outs, [ids], True, threads)


@pytest.mark.parametrize("function", ["add", "subtract", "multiply", "floor_divide", "remainder"])
@pytest.mark.parametrize("threads", THREADS)
def test_ids_are_computed_as_numpy_does(function, threads):
    """Of all pairs of what is special among 32 bits; a table then refuses what it has not."""
    special = np.array([0, 1, -1, 2, -7, 10, 46341, -(2**31), 2**31 - 1], np.int32)
    a, b = (each.reshape(-1, 3).copy() for each in np.meshgrid(special, special))
    with np.errstate(all="ignore"):
        expected = getattr(np, function)(a, b)
    graph = core.Graph()
    x, y = graph.add_input(3, "ids"), graph.add_input(3, "ids")
    (made,) = graph.add("compute_ids", [x, y], [], {"function": function})
    graph.set_outputs(graph.add("numbers", [made], [], {}))
    found = np.empty(a.shape)
    core.Plan(graph, "float64").predict([found], [a, b], True, threads)
    np.testing.assert_array_equal(found, expected)
    weights = core.Parameters("float64")
    weights.add(5)
    (rows,) = graph.add("embedding", [made], [graph.add_parameter(weights, 0)], {"rows": 5, "dim": 1})
    graph.set_outputs([rows])
    with pytest.raises(ValueError, match="from 0 to 4, got"):
        core.Plan(graph, "float64").predict([found], [a, b], True, threads)


def test_graph_refuses_numbers_where_ids_are_read():
    graph, x, y, _ = table_graph()
    real = graph.add_input(4)
    parameter = core.Parameters("float64")
    parameter.add(15)
    for tensor in (real, y):
        with pytest.raises(ValueError, match="a tensor of ids"):
            graph.add("embedding", [tensor], [graph.add_parameter(parameter, 0)], {"rows": 5, "dim": 3})
        with pytest.raises(ValueError, match="a tensor of ids"):
            graph.add("numbers", [tensor], [], {})
    with pytest.raises(ValueError, match="a tensor of numbers"):
        graph.add("concat", [x, real], [], {"outer": 1})


def train(optimizer, settings, *, shared=False, batch=6, samples=20, steps=8, calls=1, rows=50):
    """The table after some steps on a loss whose gradient is easy to tell, from a fixed start."""
    random = np.random.default_rng(7)
    graph, x, y, table = table_graph(rows=rows, columns=3, size=4)
    outputs = [y]
    if shared:
        outputs += graph.add("embedding", [x], [0], {"rows": rows, "dim": 3})
    graph.set_outputs(outputs)
    table[:] = random.normal(size=table.size)
    plan = core.Plan(graph, "float64")
    trainer = core.Trainer(plan)
    trainer.set_heads([(i, "mean_squared_error", 12, 0.0, "mean", 1.0, [], None) for i in range(len(outputs))])
    trainer.set_optimizer(optimizer, settings)
    ids = random.integers(0, 9, (samples, 4)).astype(np.int32)  # most rows stay untouched
    targets = [random.normal(size=(samples, 12)) for _ in outputs]
    epoch_steps = -(-samples // batch)
    for call in range(calls):
        totals = np.zeros((-(-steps * calls // epoch_steps), 1 + (len(outputs) if len(outputs) > 1 else 0)))
        trainer.train(totals, [ids], targets, [], batch, False, 0, 0, call * steps, steps, 1)
    return table.copy(), ids, targets


def plain_sgd(learning_rate, shared, batch, samples, steps, rows=50):
    """What train() shall give for plain gradient descent."""
    random = np.random.default_rng(7)
    table = random.normal(size=rows * 3).reshape(rows, 3)
    ids = random.integers(0, 9, (samples, 4))
    targets = [random.normal(size=(samples, 12)) for _ in range(2 if shared else 1)]
    at = 0
    for _ in range(steps):
        part = slice(at, min(at + batch, samples))
        at = part.stop % samples
        gradient = np.zeros_like(table)
        for target in targets:
            difference = table[ids[part]] - target[part].reshape(-1, 4, 3)
            np.add.at(gradient, ids[part], 2 * difference / 12 / len(difference))
        table = table - learning_rate * gradient
    return table.ravel()


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize(("batch", "samples"), [(6, 20), (20, 20), (600, 700)])  # the last in several slices
def test_sgd_on_a_table(shared, batch, samples):
    got, _, _ = train("sgd", {"learning_rate": 0.5}, shared=shared, batch=batch, samples=samples)
    np.testing.assert_allclose(got, plain_sgd(0.5, shared, batch, samples, 8), rtol=1e-12)


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize(("batch", "samples"), [(6, 20), (600, 700)])
def test_sgd_by_rows_is_sgd(shared, batch, samples):
    """A clip that clips nothing, by norm, has the whole table updated: the same bits."""
    settings = {"shared": shared, "batch": batch, "samples": samples}
    by_rows, _, _ = train("sgd", {"learning_rate": 0.5}, **settings)
    whole, _, _ = train("sgd", {"learning_rate": 0.5, "clipnorm": 1e9}, **settings)
    in_calls, _, _ = train("sgd", {"learning_rate": 0.5}, steps=4, calls=2, **settings)
    np.testing.assert_array_equal(by_rows, whole)
    np.testing.assert_array_equal(by_rows, in_calls)


@pytest.mark.parametrize(
    ("optimizer", "settings"),
    [
        ("sgd", {"learning_rate": 0.1, "momentum": 0.9}),
        ("sgd", {"learning_rate": 0.1, "weight_decay": 0.1}),
        ("adam", {"learning_rate": 0.1}),
    ],
)
def test_other_optimizers_go_on_for_all_rows(optimizer, settings):
    """A row that the second half of the steps does not use moves on, but for one that was never used."""
    start, _, _ = train(optimizer, settings, steps=0)
    table, ids, _ = train(optimizer, settings, batch=10, samples=20, steps=2)
    longer, _, _ = train(optimizer, settings, batch=10, samples=20, steps=1)
    only_first = sorted(set(ids[:10].ravel()) - set(ids[10:].ravel()))
    unused = np.setdiff1d(np.arange(50), ids)
    table, longer, start = (each.reshape(50, 3) for each in (table, longer, start))
    for row in only_first:
        assert (table[row] != longer[row]).all()
    assert ((table[unused] != start[unused]).all()) == ("weight_decay" in settings)


def test_sgd_after_adam_and_after_a_loss_that_is_not_finite():
    """What an earlier run has left of gradients is not added."""
    graph, _, y, table = table_graph(rows=50)
    graph.set_outputs([y])
    plan = core.Plan(graph, "float64")
    trainer = core.Trainer(plan)
    trainer.set_heads([(0, "mean_squared_error", 12, 0.0, "mean", 1.0, [], None)])
    random = np.random.default_rng(7)
    start = random.normal(size=table.size)
    ids = random.integers(0, 9, (700, 4)).astype(np.int32)
    target = random.normal(size=(700, 12))

    def run(optimizer, learning_rate, y=target):
        trainer.set_optimizer(optimizer, {"learning_rate": learning_rate})
        return trainer.train(np.zeros((4, 1)), [ids], [y], [], 600, False, 0, 0, 0, 8, 1)

    broken = target.copy()
    broken[400] = 1e200  # in the second slice of the batch
    table[:] = start
    assert run("sgd", 0.5)
    expected = table.copy()
    for optimizer, y in (("adam", target), ("sgd", broken), ("sgd", target)):
        assert run(optimizer, 0.1, y) == (y is target)
        table[:] = start
        assert run("sgd", 0.5)
        np.testing.assert_array_equal(table, expected)

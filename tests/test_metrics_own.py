"""Metrics of one's own whose state is made by add_variable, as in Keras."""

import copy
import pickle

import numpy as np
import pytest

import pynn
from pynn import metrics
from tests.metric_models import binary_data, binary_model


class Within(metrics.Metric):
    """Share of the predictions that are near their targets."""

    def __init__(self, tolerance=0.6, name="within", **settings):
        super().__init__(name=name, **settings)
        self.tolerance = tolerance
        self.near = self.add_variable(shape=(), initializer=pynn.initializers.Zeros(), name="near")
        self.seen = self.add_weight(name="seen", dtype="int64")

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.near.assign(self.near + np.sum(np.abs(y_true - y_pred) <= self.tolerance))
        self.seen.assign_add(y_pred.size)

    def result(self):
        return self.near / max(int(self.seen), 1)

    def get_config(self):
        return {**super().get_config(), "tolerance": self.tolerance}


class Several(metrics.Metric):
    """Variables and metrics in attributes, lists and dicts."""

    def __init__(self, name="several"):
        super().__init__(name)
        self.sums = {"both": [self.add_variable((2,), "ones") for _ in range(2)]}
        self.pair = (self.add_variable((), "zeros"), 3)
        self.inner = Within(0.5)
        self.means = {"of": ({"predictions": metrics.Mean()}, None)}
        self.list = [metrics.MeanSquaredError()]

    def update_state(self, y_true, y_pred, sample_weight=None):
        for times, each in enumerate(self.sums["both"], 1):
            each.assign_add(times)
        self.pair[0].assign_sub(1)
        self.inner.update_state(y_true, y_pred)
        self.means["of"][0]["predictions"].update_state(y_pred)
        self.list[0].update_state(y_true, y_pred)

    def result(self):
        return (
            self.inner.result()
            + self.means["of"][0]["predictions"].result()
            + self.list[0].result()
            + self.sums["both"][1][0]
        )


def values(metric):
    return {name: value.tolist() for name, value in metric.get_state().items()}


def test_variable():
    metric = Within(name="own")
    variable = metric.near
    assert [each.name for each in metric.variables] == ["near", "seen"]
    assert metric.variables[0] is variable
    assert (variable.name, variable.path, variable.shape, variable.ndim) == ("near", "own/near", (), 0)
    assert (variable.dtype, metric.seen.dtype, Within(dtype="float32").near.dtype) == ("float64", "int64", "float32")
    assert variable.assign(3) == 3
    assert (variable + 1, 1 - variable, variable / 2, -variable, variable**2, np.sqrt(variable)) == (
        *(4, -2, 1.5, -3, 9),
        np.sqrt(3),
    )
    assert (float(variable), int(variable), bool(variable), variable > 2, variable == 3) == (3.0, 3, True, True, True)
    variable += 2
    assert variable is metric.near
    assert (variable.numpy(), variable.assign_add(1), variable.assign_sub(2)) == (5, 6, 4)
    array = metric.add_variable((2, 3), "ones")
    assert array.path == "own/variable_2"
    assert array[0, 1] == 1
    np.testing.assert_array_equal(np.sum(array, axis=0), [2, 2, 2])
    np.testing.assert_array_equal(np.asarray(array, "int32"), np.ones((2, 3)))
    np.testing.assert_array_equal(np.ones(3) * array, np.ones((2, 3)))
    out = np.empty((2, 3))
    assert np.add(array, 1, out=out) is out
    assert (out == 2).all()
    assert repr(variable) == "<Variable path=own/near, shape=(), dtype=float64, value=4.0>"


def test_values_of_a_variable_are_its_own():
    variable = Within().add_variable((2,), "zeros")
    given = np.ones(2)
    variable.assign(given)
    given[:] = 7
    variable.numpy()[:] = 8
    np.asarray(variable)[:] = 9
    for array in (variable.value, variable[:]):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 5
    np.testing.assert_array_equal(variable.value, [1, 1])


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda m: m.near.assign([1.0]), r"own/near has the shape \(\), but got values of \(1,\)"),
        (lambda m: m.seen.assign(1.5), "own/seen is of int64, which does not have the values it got"),
        (lambda m: m.seen.assign(np.nan), "own/seen is of int64"),
        (lambda m: m.near.assign("1"), "value of own/near must be an array of numbers"),
        (lambda m: m.near.assign_add(np.ones(2)), r"own/near has the shape \(\)"),
        (lambda m: m.add_variable((), "zero", dtype="complex64"), "dtype must be"),
        (lambda m: m.add_variable((), "nought"), "Unknown initializer 'nought'"),
        (lambda m: m.add_variable((-1,), "zeros"), "every size of shape"),
        (lambda m: m.add_variable((), "zeros", aggregation="most"), "aggregation must be one of"),
        (lambda m: metrics.Mean().variables, r"Mean has no variables: get_state\(\)"),
    ],
)
def test_what_is_wrong_is_said_and_changes_nothing(act, message):
    metric = Within(name="own")
    metric.update_state(np.ones(3), np.ones(3))
    before = values(metric)
    with pytest.raises((ValueError, TypeError, AttributeError), match=message):
        act(metric)
    assert values(metric) == before


def test_metric_that_cannot_begin_anew_is_refused():
    class Stateless(metrics.Metric):
        def update_state(self, y_true, y_pred, sample_weight=None):
            pass

        def result(self):
            return 1.0

    class Hidden(metrics.Mean):
        def __init__(self):
            super().__init__()
            self.more = self.add_weight()

    class Early(Within):
        def __init__(self):
            self.more = self.add_weight()

    for refused in (Stateless, Hidden):
        with pytest.raises(TypeError, match=f"{refused.__name__} must define reset_state"):
            refused()
    with pytest.raises(TypeError, match=r"must call super\(\).__init__\(name, dtype\) before add_variable"):
        Early()


def test_variables_become_zero(random):
    metric = Several()
    assert [each.path for each in metric.variables] == [
        *("several/variable", "several/variable_1", "several/variable_2", "within/near", "within/seen"),
    ]
    metric(random.random((5, 1)), random.random((5, 1)))
    assert metric.sums["both"][1][0] == 3
    metric.reset_state()
    assert not any(np.any(value) for name, value in metric.get_state().items() if name != "inner.tolerance")


def test_state_goes_on(random):
    y, p = random.random((2, 6, 1))
    metric, twin, whole = Several(), Several(), Several()
    metric.update_state(y[:4], p[:4])
    variables = twin.variables
    twin.update_state(p, y)
    twin.set_state(metric.get_state())
    assert all(now is then for now, then in zip(twin.variables, variables, strict=True))
    twin.update_state(y[4:], p[4:])
    whole.reset_state()
    for part in (slice(4), slice(4, 6)):
        whole.update_state(y[part], p[part])
    assert values(metric)["variables[0]"] == [2, 2]
    assert twin.inner.result() == whole.inner.result()
    assert twin.list[0].result() == whole.list[0].result()
    before = values(twin)
    for wrong in (
        {"variables[9]": 1},
        {"variables[0]": 1},
        {"inner.variables[0]": [1.0]},
        {"nothing": 1},
        {"pair": 1, "sums": 1},
    ):
        with pytest.raises(ValueError, match=r"The state of (Several|Within) is"):
            twin.set_state({**metric.get_state(), **wrong})
    assert values(twin) == before
    with pytest.raises(ValueError, match="The state of Within is"):
        twin.inner.set_state({"near": 1})


def test_copies_share_nothing(random):
    metric = Several()
    metric.update_state(random.random((5, 1)), random.random((5, 1)))
    before = values(metric)
    for twin in (metric.fresh(), copy.deepcopy(metric), pickle.loads(pickle.dumps(metric))):
        assert twin.sums["both"][0] is twin.variables[0]
        twin.update_state(random.random((5, 1)), random.random((5, 1)))
        assert values(metric) == before
        assert values(twin) != before


@pytest.mark.parametrize("make", [Within, Several])
def test_model_measures_with_it(random, make):
    x, y = binary_data(random, 50)
    metric = make()
    variables = metric.variables
    model = binary_model([metric])
    logs = model.fit(x, y, batch_size=8, epochs=2, verbose=0).history[metric.name]
    assert metric.result() == logs[-1]
    assert all(now is then for now, then in zip(metric.variables, variables, strict=True))
    found = model.evaluate(x, y, batch_size=8, verbose=0)[1]
    alone = make()
    alone.reset_state()
    made = model.predict(x, verbose=0)
    for first in range(0, 50, 8):
        alone.update_state(y[first : first + 8, None], made[first : first + 8])
    assert found == metric.result()
    np.testing.assert_allclose(found, alone.result(), rtol=1e-6)


def test_evaluation_does_not_disturb_the_metric_of_an_epoch(random):
    x, y = binary_data(random, 40)
    plain, watched = binary_model([Several()]), binary_model([Several()])
    watched.set_weights(plain.get_weights())
    histories = [
        model.fit(x, y, batch_size=8, epochs=2, shuffle=False, verbose=0, validation_data=data).history["several"]
        for model, data in ((plain, None), (watched, (x, y)))
    ]
    assert histories[0] == histories[1]


def test_model_with_it_is_saved(random, tmp_path):
    x, y = binary_data(random, 30)
    model = binary_model([Within(0.3)])
    model.save(tmp_path / "model")
    loaded = pynn.load_model(tmp_path / "model", {"Within": Within})
    assert loaded.evaluate(x, y, verbose=0) == model.evaluate(x, y, verbose=0)


# ---- subclasses of pynn's metrics ------------------------------------------------------------------------------------
class OfLabels(metrics.Precision):
    """Of class 1, for a loss of labels."""

    def update_state(self, y_true, y_pred, sample_weight=None):
        super().update_state(y_true == 1, y_pred.argmax(-1) == 1, sample_weight)


class Squares(metrics.Mean):
    def update_state(self, y_true, y_pred, sample_weight=None):
        super().update_state((y_true - y_pred.argmax(-1)) ** 2, sample_weight)


class Doubled(metrics.SparseCategoricalAccuracy):
    def update_state(self, y_true, y_pred, sample_weight=None):
        super().update_state(y_true, 1 - y_pred, sample_weight)


class Percent(metrics.SparseCategoricalAccuracy):
    def result(self):
        return 100 * super().result()


class Strict(metrics.SparseTopKCategoricalAccuracy):
    """Other settings alone: the engine measures it."""

    def __init__(self, name="strict"):
        super().__init__(1, name)


class Largest(metrics.MeanIoU):
    def update_state(self, y_true, y_pred, sample_weight=None):
        super().update_state(y_true, y_pred.argmax(-1), sample_weight)


OF_PYNN = [OfLabels, Squares, Doubled, lambda: Percent("percent"), Strict, lambda: Largest(3, "largest")]


@pytest.mark.parametrize("weighted", [False, True])
def test_model_measures_with_subclasses(random, weighted):
    x, labels, weights = random.normal(size=(50, 4)), random.integers(0, 3, 50), random.random(50)
    model = pynn.Sequential([pynn.Input((4,)), pynn.layers.Dense(3, "softmax", dtype="float64")])
    given = [make() for make in OF_PYNN]
    model.compile("sgd", "sparse_categorical_crossentropy", **{"weighted_metrics" if weighted else "metrics": given})
    own = {"sample_weight": weights} if weighted else {}
    logs = model.evaluate(x, labels, batch_size=8, verbose=0, return_dict=True, **own)
    y_pred = model.predict(x, verbose=0)
    for make in OF_PYNN:
        alone = make()
        assert logs[alone.name] == pytest.approx(alone(labels, y_pred, **own))
    assert logs["percent"] == pytest.approx(100 * logs["strict"])  # in NumPy, and in the engine
    by_engine = [each for head in model._heads_for(model._layout_for(x, "x")).heads for each, _ in head.by_engine]
    assert [each.name for each in by_engine] == ["strict"]


def test_subclass_says_nothing_of_its_base():
    """Whether batches may be joined, what the output must be, and which attributes are its state."""

    class Counting(OfLabels):
        def __init__(self, name="counting"):
            super().__init__(name=name)
            self.calls = 0

        def update_state(self, y_true, y_pred, sample_weight=None):
            super().update_state(y_true, y_pred, sample_weight)
            self.calls += 1

        def reset_state(self):
            super().reset_state()
            self.calls = 0

    class Joined(OfLabels):
        additive = True

        def check_output(self, shape):
            raise ValueError("an output of mine")

    assert not Counting().additive
    assert Joined().additive
    metric, twin = Counting(), Counting()
    metric(np.array([0, 1]), np.eye(2))
    twin.set_state(metric.get_state())
    assert (twin.calls, twin.result()) == (1, 1.0)
    model = pynn.Sequential([pynn.Input((4,)), pynn.layers.Dense(3)])
    with pytest.raises(ValueError, match="an output of mine"):
        model.compile("sgd", "sparse_categorical_crossentropy", metrics=[Joined()])
    with pytest.raises(ValueError, match="Mean is of values"):
        model.compile("sgd", "mse", metrics=[metrics.Mean()])
    with pytest.raises(ValueError, match="has no value for each row"):
        pynn.ops.metric_forward(np.zeros(3, np.int32), np.eye(3), Doubled())

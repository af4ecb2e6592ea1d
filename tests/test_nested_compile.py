"""What ``compile`` is given for outputs that are lists, tuples and dicts within one another."""

import numpy as np
import pytest
from helpers import bits

import pynn
from pynn import layers, losses

RANDOM = np.random.default_rng(5)
X = RANDOM.normal(size=(12, 4)).astype(np.float32)
P, Q, R = (RANDOM.normal(size=(12, 2)).astype(np.float32) for _ in "pqr")
FORMS = {
    "lists in a dict": lambda p, q, r: {"a": [p, q], "b": r},
    "lists": lambda p, q, r: [[p, q], r],
    "lists in a tuple": lambda p, q, r: ([p, q], r),
    "dicts in a list": lambda p, q, r: [{"u": p, "v": q}, r],
    "dicts": lambda p, q, r: {"a": {"u": p, "v": q}, "b": r},
}
# The names of the losses, as Keras 3.15.1 has them; those of metrics have the name of the layer alone.
LOSSES = {
    "lists in a dict": ["a/p_loss", "a/q_loss", "b_loss"],
    "lists": ["0/p_loss", "0/q_loss", "r_loss"],
    "lists in a tuple": ["0/p_loss", "0/q_loss", "r_loss"],
    "dicts in a list": ["0/u_loss", "0/v_loss", "r_loss"],
    "dicts": ["a/u_loss", "a/v_loss", "b_loss"],
}


def net(form="lists in a dict", **compiled):
    """Three dense layers of one input, as outputs of this form."""
    pynn.set_random_seed(2)
    given = pynn.Input((4,))
    model = pynn.Model(given, FORMS[form](*(layers.Dense(2, name=name)(given) for name in "pqr")))
    if compiled:
        model.compile("sgd", **compiled)
    return model


def errors(model):
    """The squared and the absolute error of each output."""
    made = {name: model.get_layer(name)(X) for name in "pqr"}
    found = {}
    for name, y in zip("pqr", (P, Q, R), strict=True):
        found[f"{name}_mse"] = ((made[name] - y) ** 2).mean()
        found[f"{name}_mae"] = abs(made[name] - y).mean()
    return found


def evaluated(model, form, **more):
    return model.evaluate(X, FORMS[form](P, Q, R), verbose=0, return_dict=True, **more)


@pytest.mark.parametrize("form", FORMS)
def test_losses_weights_and_metrics_in_the_form_of_the_outputs(form):
    nested = FORMS[form]
    model = net(
        form,
        loss=nested("mse", "mae", "mse"),
        loss_weights=nested(1.0, 2.0, 0.5),
        metrics=nested(["mae"], "mse", ["mae", "mse"]),
        weighted_metrics=nested(None, ["mse"], []),
    )
    names = ["loss", *LOSSES[form], "p_mae", "q_mse", "q_weighted_mse", "r_mae", "r_mse"]
    assert model.metrics_names == names
    expected, found = errors(model), evaluated(model, form)
    assert list(found) == names
    of_losses = [expected["p_mse"], expected["q_mae"], expected["r_mse"]]
    assert [found[name] for name in LOSSES[form]] == pytest.approx(of_losses, rel=1e-5)
    assert found["loss"] == pytest.approx(np.dot(of_losses, [1.0, 2.0, 0.5]), rel=1e-5)
    for name in names[4:]:
        assert found[name] == pytest.approx(expected[name.replace("weighted_", "")], rel=1e-5), name
    y = nested(P, Q, R)
    assert model.evaluate(X, y, verbose=0) == list(found.values())
    assert model.train_on_batch(X, y, return_dict=True) == pytest.approx(found, rel=1e-5)
    history = model.fit(X, y, epochs=2, verbose=0, validation_split=0.25).history
    assert list(history) == [*names, *(f"val_{name}" for name in names)]


@pytest.mark.parametrize("form", FORMS)
def test_flat_forms_come_to_the_same(form):
    nested = FORMS[form]
    models = [
        net(form, loss=nested("mse", "mae", "mse"), loss_weights=nested(1, 2, 3), metrics=nested([], "mae", None)),
        net(form, loss=["mse", "mae", "mse"], loss_weights=[1, 2, 3], metrics=[[], "mae", None]),
        net(
            form,
            loss={"p": "mse", "q": "mae", "r": "mse"},
            loss_weights={"p": 1, "q": 2, "r": 3},
            metrics={"q": ["mae"]},
        ),
    ]
    for model in models:
        model.fit(X, FORMS[form](P, Q, R), epochs=2, shuffle=False, verbose=0)
    assert evaluated(models[0], form) == evaluated(models[1], form) == evaluated(models[2], form)
    assert bits(models[0]) == bits(models[1]) == bits(models[2]) != bits(net(form))


@pytest.mark.parametrize(
    ("form", "loss", "names"),
    [
        ("lists in a dict", {"b": "mae", "a": ("mse", "mae")}, ["b_loss", "a/p_loss", "a/q_loss"]),
        ("lists in a dict", {"a": ["mse", "mse"], "b": None}, ["a/p_loss", "a/q_loss"]),
        ("lists in a dict", {"a": ["mse", "mse"]}, ["a/p_loss", "a/q_loss"]),
        ("lists in a dict", {"a": ["mse", None], "b": "mse"}, ["a/p_loss", "b_loss"]),
        ("lists in a dict", {"a": None, "b": "mse"}, []),
        ("lists in a dict", {"b": "mse"}, []),
        ("lists", [None, "mse"], []),
        ("dicts", {"b": "mae", "a": {"v": "mse", "u": "mae"}}, ["b_loss", "a/v_loss", "a/u_loss"]),
        ("dicts", {"a": {"v": "mae"}, "b": "mse"}, ["a/v_loss", "b_loss"]),
        ("dicts in a list", [{"v": "mse", "u": "mae"}, "mse"], ["0/v_loss", "0/u_loss", "r_loss"]),
        ("dicts in a list", [{"u": "mse"}, "mse"], ["0/u_loss", "r_loss"]),
    ],
)
def test_order_of_losses_and_outputs_without_one(form, loss, names):
    """The order of `evaluate` is that of Keras 3.15.1: that in which a dict was given."""
    model = net(form, loss=loss)
    assert model.metrics_names == ["loss", *names]
    found = evaluated(model, form)
    if names:
        assert found["loss"] == pytest.approx(sum(found[name] for name in names), rel=1e-6)
    else:
        assert found["loss"] == pytest.approx(errors(model)["r_mse"], rel=1e-5)


def test_outputs_of_one_layer_share_its_name():
    """As in Keras, the second metric of a name has a number."""
    x, y, shared = pynn.Input((4,)), pynn.Input((4,)), layers.Dense(2, name="s")
    model = pynn.Model([x, y], {"a": [shared(x), shared(y)], "b": layers.Dense(2, name="r")(x)})
    model.compile("sgd", "mse", metrics={"a": [["mae"], ["mae"]], "b": ["mae"]})
    assert model.metrics_names[-3:] == ["r_mae", "s_mae", "s_mae_1"]


def test_sums_of_losses_of_ones_own_within_a_nest():
    def cubes(y_true, y_pred):
        return abs(y_true - y_pred) ** 3

    model = net(loss={"a": [cubes, "mse"], "b": losses.MeanAbsoluteError()})
    expected = (abs(model.get_layer("p")(X) - P) ** 3).mean()
    assert evaluated(model, "lists in a dict")["a/p_loss"] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("form", FORMS)
def test_files_keep_the_form(form, tmp_path):
    nested = FORMS[form]
    model = net(form, loss=nested("mse", "mae", "mse"), loss_weights=nested(1, 2, 3), metrics=nested("mae", None, []))
    model.save(tmp_path / "net")
    twin = pynn.load_model(tmp_path / "net")
    assert evaluated(twin, form) == evaluated(model, form)
    assert twin.metrics_names == model.metrics_names


NEST = (
    r"must be nested as the outputs are, \{'a': \['p', 'q'\], 'b': 'r'\}, or a dict by output, of 'a/p', 'a/q', 'b', "
)


@pytest.mark.parametrize(
    ("compiled", "message"),
    [
        ({"loss": {"a": "mse", "b": "mse"}}, rf"loss {NEST}but loss\['a'\] is MeanSquaredError"),
        ({"loss": {"a": ["mse"], "b": "mse"}}, rf"loss {NEST}but loss\['a'\] has 1 values in place of 2"),
        ({"loss": {"a": ["mse", "mse", "mse"]}}, rf"loss {NEST}but loss\['a'\] has 3 values in place of 2"),
        ({"loss": {"a": {"p": "mse", "q": "mse"}}}, rf"loss {NEST}but loss\['a'\] is {{'p'"),
        ({"loss": {"a": ["mse", "mse"], "c": "mse"}}, rf"loss {NEST}but loss has 'c' left over"),
        ({"loss": {"a": [["mse", "mae"], "mse"]}}, "loss must have one loss for the output 'a/p', but has "),
        ({"loss": {"b": {"x": "mse"}}}, "loss must have one loss for the output 'b', but has "),
        ({"loss": ["mse", "mse"]}, "loss must have one value for each of 3 outputs, 'a/p', 'a/q', 'b', but has 2"),
        ({"loss": {"a": [None, None], "b": None}}, "loss must be given"),
        ({"loss": {"a": ["mse", "mise"]}}, "'mise'"),
        ({"loss_weights": {"a": [1.0], "b": 2.0}}, rf"loss_weights {NEST}but loss_weights\['a'\] has 1 values"),
        ({"loss_weights": {"a": [1.0, 2.0]}}, rf"loss_weights {NEST}but has 'b' missing"),
        ({"loss_weights": {"a": [[1.0], 2.0], "b": 1.0}}, "loss_weights must have one number for the output 'a/p'"),
        ({"loss_weights": {"a": [1.0, "2"], "b": 1.0}}, "loss_weights must be numbers"),
        ({"loss_weights": {"a": [1.0, np.inf], "b": 1.0}}, "every value of loss_weights"),
        ({"metrics": {"a": ["mae"], "b": "mae"}}, rf"metrics {NEST}but metrics\['a'\] has 1 values in place of 2"),
        ({"metrics": {"a": "mae"}}, rf"metrics {NEST}but metrics\['a'\] is 'mae'"),
        ({"metrics": {"a": [[["mae"]], []]}}, "metrics must have a metric or a list of them for the output 'a/p'"),
        ({"metrics": {"b": {"r": "mae"}}}, "metrics must have a metric or a list of them for the output 'b'"),
        ({"metrics": {"a": [["mae"], ["maee"]]}}, "'maee'"),
        ({"weighted_metrics": {"a": ["mae"]}}, rf"weighted_metrics {NEST}but weighted_metrics\['a'\] has 1 values"),
    ],
)
def test_other_forms_are_refused(compiled, message):
    """The earlier compile stays."""
    model = net(loss="mae")
    before, expected = bits(model), evaluated(model, "lists in a dict")
    with pytest.raises((ValueError, TypeError), match=message):
        model.compile("sgd", **{"loss": "mse", **compiled})
    assert bits(model) == before
    assert evaluated(model, "lists in a dict") == expected


@pytest.mark.parametrize(
    ("form", "loss", "message"),
    [
        (
            "lists",
            [["mse", "mse"]],
            r"nested as the outputs are, \[\['p', 'q'\], 'r'\].*but loss has 1 values in place",
        ),
        ("lists", ["mse", "mse"], r"but loss\[0\] is MeanSquaredError"),
        ("lists", {"p": "mse", "x": "mse"}, "but has 'x' left over"),
        ("dicts in a list", [{"u": "mse", "w": "mse"}, "mse"], r"but loss\[0\] has 'w' left over"),
        (
            "dicts",
            {"a": ["mse", "mse"], "b": "mse"},
            r"\{'a': \{'u': 'p', 'v': 'q'\}, 'b': 'r'\}.*but loss\['a'\] is \[",
        ),
    ],
)
def test_other_forms_of_losses_are_refused(form, loss, message):
    with pytest.raises(ValueError, match=message):
        net(form, loss=loss)


def test_subclass_that_data_build_is_given_nests():
    class Net(pynn.Model):
        def __init__(self):
            super().__init__()
            self.p, self.q, self.r = layers.Dense(2), layers.Dense(2), layers.Dense(2)

        def call(self, x):
            return {"a": [self.p(x), self.q(x)], "b": self.r(x)}

    model = Net()
    model.compile("sgd", {"a": ["mse", None], "b": "mae"}, metrics={"a": [None, "mae"]})
    logs = model.fit(X, {"a": [P, Q], "b": R}, verbose=0).history
    assert logs["loss"][0] == pytest.approx(logs[next(name for name in logs if "/" in name)][0] + logs["b_loss"][0])
    wrong = Net()
    wrong.compile("sgd", {"a": ["mse"], "b": "mae"})
    with pytest.raises(ValueError, match=r"loss\['a'\] has 1 values in place of 2"):
        wrong.fit(X, {"a": [P, Q], "b": R}, verbose=0)
    assert not wrong.built

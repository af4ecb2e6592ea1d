"""What notebooks show of models and of their training."""

import html.parser

import numpy as np

import pynn
from pynn import layers


class Cells(html.parser.HTMLParser):
    """The cells of a table, row by row."""

    def __init__(self, text):
        super().__init__()
        self.rows, self.open = [], []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "td" in self.open or "th" in self.open:
            self.rows[-1][-1] += data


def test_table_of_a_model():
    model = pynn.Sequential([pynn.Input((4,)), layers.Dense(3, name="a/b"), layers.Dense(1)])
    text = model._repr_html_()
    assert Cells(text).rows == [
        ["Layer (type)", "Output Shape", "Param #"],
        ["a/b (Dense)", "(None, 3)", "15"],
        [f"{model.layers[1].name} (Dense)", "(None, 1)", "4"],
    ]
    assert "Total params: 19 (76.00 B)" in text
    assert "<script" not in pynn.Sequential([], name="x")._repr_html_()


def test_table_of_a_network_has_what_goes_in():
    x = pynn.Input((3,), name="x")
    model = pynn.Model(x, layers.Add(name="sum")([x, layers.Dense(3, name="d")(x)]))
    assert Cells(model._repr_html_()).rows[-1] == ["sum (Add)", "(None, 3)", "0", "x[0][0], d[0][0]"]


def fitted(**settings):
    model = pynn.Sequential([pynn.Input((1,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    return model.fit(np.ones((4, 1)), np.ones((4, 1)), verbose=0, validation_split=0.5, **settings)


def test_table_of_a_run():
    history = fitted(epochs=3)
    rows = Cells(history._repr_html_()).rows
    assert rows[0] == ["epoch", "loss", "val_loss"]
    assert [row[0] for row in rows[1:]] == ["1", "2", "3"]
    assert rows[2][1] == f"{history.history['loss'][1]:.6g}"


def test_table_of_a_long_run_has_its_ends():
    rows = Cells(fitted(epochs=110, initial_epoch=10)._repr_html_()).rows
    assert [row[0] for row in rows[1:]] == [*map(str, range(11, 17)), "…", *map(str, range(105, 111))]
    assert len(Cells(fitted(epochs=0)._repr_html_()).rows) == 1
    assert Cells(fitted(epochs=4, validation_freq=2)._repr_html_()).rows[1][2] == ""

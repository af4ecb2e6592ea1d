"""Progress where there is no terminal, in notebooks, and in loops of one's own."""

import io
import re
import sys
import types

import pytest
from helpers import make_data, make_model
from terminal import LOGS, VALIDATED, show

import pynn
from pynn.callbacks import display as progress


# ---- where there is no terminal --------------------------------------------------------------------------------------
class Bare:
    """A stream that can do nothing but take text."""

    def __init__(self):
        self.text = ""

    def write(self, text):
        self.text += text


class Gone(io.StringIO):
    """A stream whose reader has gone away."""

    def __init__(self, terminal):
        super().__init__()
        self.isatty = lambda: terminal

    def write(self, text):
        raise BrokenPipeError


@pytest.mark.parametrize("verbose", [1, 2, "auto"])
def test_stdout_that_is_closed_or_missing(monkeypatch, verbose):
    x, y = make_data()
    closed = io.StringIO()
    closed.close()
    for stream in (None, closed, Gone(False), Gone(True)):
        monkeypatch.setattr(sys, "stdout", stream)
        silent = type(progress.display(progress.resolve_verbose(verbose))) is progress.Display
        assert silent == (stream in (None, closed))
        model = make_model()
        assert len(model.fit(x, y, epochs=2, verbose=verbose).history["loss"]) == 2
        model.evaluate(x, y, verbose=verbose)
        model.predict(x, verbose=verbose)


@pytest.mark.parametrize("verbose", [1, 2, "auto"])
def test_stdout_that_only_writes(monkeypatch, verbose):
    x, y = make_data()
    monkeypatch.setattr(sys, "stdout", Bare())
    make_model().fit(x, y, epochs=2, verbose=verbose)
    assert re.fullmatch(r"(Epoch \d/2  2/2  .*/step  loss: .*  accuracy: .*\n){2}", sys.stdout.text)


def test_stdout_without_fileno_is_80_columns(monkeypatch, clock):
    stream = io.StringIO()
    stream.isatty = lambda: True
    monkeypatch.setattr(sys, "stdout", stream)
    show(clock, LOGS)
    assert 60 < max(len(line) for line in re.split("[\r\n]", stream.getvalue())) < 80


# ---- in a notebook ---------------------------------------------------------------------------------------------------
class ZMQInteractiveShell:
    """Stands for that of IPython's kernel."""


class Shell(ZMQInteractiveShell):
    """Stands for Colab's."""


class SpyderShell(ZMQInteractiveShell):
    """Stands for Spyder's, which shows things once only."""


class Output:
    """Stands for an output of a cell."""

    def __init__(self, data):
        self.shown = [data]

    def update(self, data, raw):
        assert raw
        self.shown.append(data)

    def text(self):
        assert set(self.shown[-1]) == {"text/plain"}
        return self.shown[-1]["text/plain"].split("\n")


@pytest.fixture
def notebook(monkeypatch):
    """The outputs of a cell of a notebook without ipywidgets."""
    outputs = []

    def display(data, raw, display_id):
        assert raw
        assert display_id is True
        outputs.append(Output(data))
        return outputs[-1]

    module = types.ModuleType("IPython")
    module.get_ipython = Shell
    module.display = types.ModuleType("IPython.display")
    module.display.display = display
    monkeypatch.setitem(sys.modules, "IPython", module)
    monkeypatch.setitem(sys.modules, "IPython.display", module.display)
    monkeypatch.setitem(sys.modules, "ipywidgets", None)  # cannot be imported
    return outputs


@pytest.mark.parametrize(("shell", "level"), [(ZMQInteractiveShell, 1), (Shell, 1), (SpyderShell, 2), (type(None), 2)])
def test_auto_is_a_bar_in_a_notebook(notebook, monkeypatch, capsys, shell, level):
    monkeypatch.setattr(sys.modules["IPython"], "get_ipython", shell)
    assert progress.resolve_verbose("auto") == level
    assert isinstance(progress.display(1), progress.Notebook) == (level == 1)


def run_epochs(clock, epochs, begin=0):
    """Epochs of 100 steps of 10 ms, and validation of 1 s."""
    with progress.display(1) as display:
        display.run(epochs - begin)
        for epoch in range(begin, epochs):
            display.begin(f"Epoch {epoch + 1}/{epochs}", 100)
            for step in range(100):
                clock.now += 0.01
                display.update(step + 1, LOGS)
                yield step
            clock.now += 1
            display.end({**VALIDATED, "loss": epoch})


def test_notebook_has_one_bar_for_all_epochs(notebook, clock, capsys):
    assert list(run_epochs(clock, 4))[-1] == 99
    (output,) = notebook
    assert output.text() == [
        "Epoch 4/4  400/400  8 s  18 ms/step  loss: 3.0000  accuracy: 0.9123",
        "           val_loss: 0.3457  val_accuracy: 0.9012",
    ]
    assert len(output.shown) <= 81  # in 8 seconds
    assert capsys.readouterr() == ("", "")


def test_notebook_shows_the_last_epoch_below(notebook, clock):
    steps = run_epochs(clock, 4, begin=2)
    for _ in range(100 + 51):
        next(steps)
    first, *rest = notebook[0].text()
    assert re.fullmatch(r"Epoch 4/4  \[=+> *\]  1 s left  17 ms/step  loss: 0.2346  accuracy: 0.9123", first)
    assert rest == [
        "Epoch 3/4  100/200  2 s  10 ms/step  loss: 2.0000  accuracy: 0.9123",
        "           val_loss: 0.3457  val_accuracy: 0.9012",
    ]


def test_notebook_keeps_the_end_of_short_epochs(notebook, clock):
    with progress.display(1) as display:
        display.run(1000)
        for epoch in range(1000):
            display.begin(f"Epoch {epoch + 1}/1000", 1)
            clock.now += 0.001
            display.end({"loss": epoch / 1000})
    (output,) = notebook
    assert output.text() == ["Epoch 1000/1000  1000/1000  1 s  1 ms/step  loss: 0.9990"]
    assert len(output.shown) <= 12
    assert all(shown != before for shown, before in zip(output.shown[1:], output.shown, strict=False))


def test_notebook_that_is_interrupted(notebook, clock):
    steps = run_epochs(clock, 4)
    for _ in range(56):
        next(steps)
    with pytest.raises(KeyboardInterrupt):
        steps.throw(KeyboardInterrupt())
    assert notebook[0].text() == ["Epoch 1/4  [=>           ]  4 s left  10 ms/step  loss: 0.2346  accuracy: 0.9123"]


def test_notebook_of_fit_evaluate_and_predict(notebook):
    x, y = make_data()
    model = make_model()
    model.fit(x, y, epochs=3, validation_split=0.2, verbose="auto")
    model.evaluate(x, y)
    model.predict(x)
    fit, evaluate, predict = (" ".join(output.text()) for output in notebook)
    assert fit.startswith("Epoch 3/3")
    assert "val_accuracy: " in fit
    assert re.match(r"2/2  .*/step  loss: ", evaluate)
    assert predict.startswith("1/1")


# ---- Progbar ---------------------------------------------------------------------------------------------------------
def test_progbar(open_terminal, clock):
    terminal = open_terminal()
    bar = pynn.utils.Progbar(40, width=12, stateful_metrics=["lr"], unit_name="sample")
    for step, loss in ((10, 4.0), (20, 2.0)):
        clock.now += 0.1
        bar.update(step, [("loss", loss), ("lr", step)])
        clock.now += 0.01
        bar.add(1, [("loss", 1.0)])  # too soon to be seen
    clock.now += 0.1
    bar.update(40, [("loss", 0.5)])
    assert terminal.lines() == [
        "10/40  [==>       ]  1 s left  10 ms/sample  loss: 4.0000  lr: 10.0000",
        "20/40  [=====>    ]  1 s left  11 ms/sample  loss: 2.9500  lr: 20.0000",
        "40/40  320 ms  7.3 ms/sample  loss: 0.5000  lr: 20.0000",
    ]
    assert terminal.rows()[-1] == ""


def test_progbar_averages_some_values(capsys, clock):
    """Without a terminal the end is a line."""
    bar = pynn.utils.Progbar(None, stateless_metrics=["mean"])
    for step, value in ((1, 1.0), (3, 4.0)):
        clock.now += 1
        bar.update(step, [("mean", value), ("last", value)])
    assert capsys.readouterr().out == ""
    bar.update(3, finalize=True)
    assert capsys.readouterr().out == "3 steps  2 s  500 ms/step  mean: 3.0000  last: 4.0000\n"


@pytest.mark.parametrize(("verbose", "shown"), [(0, ""), (2, "5/5  1 s  200 ms/step\n")])
def test_progbar_of_other_verbosity(capsys, clock, verbose, shown):
    bar = pynn.utils.Progbar(5, verbose=verbose)
    clock.now += 1
    bar.add(5)
    assert capsys.readouterr().out == shown


def test_progbar_in_a_notebook(notebook, clock):
    bar = pynn.utils.Progbar(2)
    for _ in range(2):
        clock.now += 1
        bar.add(1)
    (output,) = notebook
    assert [data["text/plain"] for data in output.shown] == [
        "1/2  [=========>        ]  1 s left  1 s/step",
        "2/2  2 s  1 s/step",
    ]


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"target": -1}, "target"),
        ({"target": 1.5}, "target"),
        ({"width": 0}, "width"),
        ({"verbose": 3}, "verbose"),
        ({"interval": -1}, "interval"),
        ({"stateful_metrics": "loss"}, "stateful_metrics"),
        ({"stateless_metrics": [1]}, "stateless_metrics"),
        ({"stateful_metrics": [], "stateless_metrics": []}, "stateless_metrics"),
        ({"unit_name": 3}, "unit_name"),
    ],
)
def test_progbar_refuses(settings, name):
    with pytest.raises((TypeError, ValueError), match=name):
        pynn.utils.Progbar(**{"target": 3, **settings})


@pytest.mark.parametrize("values", [3, [3], [("loss", "x")], [("loss",)]])
def test_progbar_refuses_values(capsys, values):
    bar = pynn.utils.Progbar(3)
    with pytest.raises(TypeError, match="values must be pairs"):
        bar.update(1, values)
    bar.add(3)
    assert capsys.readouterr().out.startswith("3/3")

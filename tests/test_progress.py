"""What fit, evaluate and predict print: nothing, lines, or a bar."""

import sys

import pytest
from helpers import bits, make_data, make_model

from pynn.foundation.native import core


def test_verbose_0_prints_nothing(capsys):
    x, y = make_data()
    model = make_model()
    model.fit(x, y, epochs=2, validation_split=0.2, verbose=0)
    model.evaluate(x, y, verbose=0)
    model.predict(x, verbose=0)
    captured = capsys.readouterr()
    assert captured.out == captured.err == ""


@pytest.mark.parametrize("verbose", [2, "auto"])
def test_verbose_lines_without_a_terminal(capsys, verbose):
    x, y = make_data()
    make_model().fit(x, y, epochs=3, validation_split=0.2, verbose=verbose)
    captured = capsys.readouterr()
    lines = [line for line in (captured.out + captured.err).splitlines() if line.strip()]
    for number in (1, 2, 3):
        line = next(line for line in lines if f"{number}/3" in line)
        rest = "\n".join(lines[lines.index(line) :])
        assert all(word in rest for word in ("loss", "accuracy", "val_loss", "val_accuracy"))
    assert "\r" not in captured.out + captured.err


def test_verbose_1_shows_a_bar(capsys):
    x, y = make_data()
    make_model().fit(x, y, epochs=2, verbose=1)
    captured = capsys.readouterr()
    text = captured.out + captured.err
    assert "2/2" in text
    assert "loss" in text
    assert "accuracy" in text
    assert "%" in text or "|" in text or "step" in text


@pytest.mark.parametrize("verbose", [0, 1, 2])
def test_verbose_does_not_change_training(capsys, verbose):
    x, y = make_data(40)
    quiet, model = make_model(), make_model()
    one = quiet.fit(x, y, epochs=4, verbose=0).history
    two = model.fit(x, y, epochs=4, verbose=verbose).history
    capsys.readouterr()
    assert bits(quiet) == bits(model)
    assert one == two


@pytest.mark.parametrize(("terminal", "verbose"), [(True, 1), (False, 2)])
def test_verbose_auto_is_a_bar_in_a_terminal(capsys, monkeypatch, terminal, verbose):
    x, y = make_data()
    monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal, raising=False)
    history = make_model().fit(x, y, verbose="auto")
    assert history.params["verbose"] == verbose
    assert ("\r" in capsys.readouterr().out) == terminal


@pytest.mark.parametrize("verbose", [1, 2])
def test_verbose_evaluate_and_predict(capsys, verbose):
    x, y = make_data(100)
    model = make_model("float64")
    quiet = [model.evaluate(x, y, batch_size=7, verbose=0), model.predict(x, verbose=0).tolist()]
    capsys.readouterr()
    assert model.evaluate(x, y, batch_size=7, verbose=verbose) == pytest.approx(quiet[0], rel=1e-12)
    text = capsys.readouterr().out
    assert "15/15" in text
    assert "loss" in text
    assert model.predict(x, verbose=verbose).tolist() == quiet[1]
    assert "1/1" in capsys.readouterr().out


def test_verbose_bar_of_a_long_epoch(capsys):
    """The bar hears of batches in between, and the results are those of a silent run."""
    x, y = make_data(30_000)
    quiet, model = make_model(), make_model()
    one = quiet.fit(x, y, batch_size=1, epochs=2, verbose=0).history
    two = model.fit(x, y, batch_size=1, epochs=2, verbose=1).history
    assert bits(quiet) == bits(model)
    assert one == two
    assert "30000/30000" in capsys.readouterr().out


def test_verbose_bar_is_closed_by_an_error(capsys, monkeypatch):
    x, y = make_data()
    model = make_model()
    monkeypatch.setattr(core.Trainer, "train", _raise, raising=False)
    with pytest.raises(KeyboardInterrupt):
        model.fit(x, y, verbose=1)
    monkeypatch.undo()
    capsys.readouterr()
    assert len(model.fit(x, y, verbose=1).history["loss"]) == 1


def _raise(*arguments):
    raise KeyboardInterrupt

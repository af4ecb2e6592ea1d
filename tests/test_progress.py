"""What fit, evaluate and predict print: nothing, lines, or a bar."""

import re
import sys

import numpy as np
import pytest
from helpers import bits, make_data, make_model
from terminal import LOGS, VALIDATED, show

from pynn.callbacks import display as progress
from pynn.foundation import text_bar
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
    assert "/step" in text
    assert "\r" not in text  # no terminal


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


def test_verbose_bar_of_a_long_epoch(open_terminal):
    """The bar hears of batches in between, and the results are those of a silent run."""
    x, y = make_data(30_000)
    quiet, model = make_model(), make_model()
    one = quiet.fit(x, y, batch_size=1, epochs=2, verbose=0).history
    terminal = open_terminal()
    two = model.fit(x, y, batch_size=1, epochs=2, verbose=1).history
    assert bits(quiet) == bits(model)
    assert one == two
    assert [row.split("  ")[:2] for row in terminal.rows()[:2]] == [[f"Epoch {n}/2", "30000/30000"] for n in (1, 2)]


def test_verbose_bar_is_closed_by_an_error(open_terminal, monkeypatch):
    x, y = make_data()
    model = make_model()
    terminal = open_terminal()
    with monkeypatch.context() as patch:
        patch.setattr(core.Trainer, "train", _raise, raising=False)
        with pytest.raises(KeyboardInterrupt):
            model.fit(x, y, verbose=1)
    assert len(model.fit(x, y, verbose=1).history["loss"]) == 1
    first, second, cursor = terminal.rows()
    assert first.startswith("Epoch 1/1  0/2  [>")
    assert second.startswith("Epoch 1/1  2/2")
    assert cursor == ""


def _raise(*arguments):
    raise KeyboardInterrupt


# ---- in a terminal ---------------------------------------------------------------------------------------------------
def test_bar_in_80_columns(open_terminal, clock):
    terminal = open_terminal()
    show(clock, LOGS, last=VALIDATED, seconds=0.003, at=68)
    assert terminal.lines() == [
        "Epoch 3/20    0/100  [>                           ]",
        "Epoch 3/20  [========>   ]  1 s left  3 ms/step  loss: 0.2346  accuracy: 0.9123",
        "Epoch 3/20  100/100  300 ms  3 ms/step  loss: 0.2346  accuracy: 0.9123",
        "            val_loss: 0.3457  val_accuracy: 0.9012",
    ]


def test_bar_shows_more_in_a_wide_terminal(open_terminal, clock):
    terminal = open_terminal(160)
    show(clock, LOGS, last=VALIDATED, seconds=60)
    _, left, _, whole = terminal.lines()
    bar = "[===========>                ]"
    assert left == f"Epoch 3/20   40/100  {bar}  1:00:00 left  60 s/step  loss: 0.2346  accuracy: 0.9123"
    assert whole.startswith("Epoch 3/20  100/100  1:40:00  60 s/step  loss: 0.2346  accuracy: 0.9123  val_loss: 0.3457")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (0.64e-6, "0.64 us"),
        (21e-6, "21 us"),
        (999.4e-6, "999 us"),
        (999.6e-6, "1 ms"),
        (0.003, "3 ms"),
        (0.481875, "482 ms"),
        (0.9996, "1 s"),
        (1.2, "1.2 s"),
        (9.96, "10 s"),
        (83, "83 s"),
    ],
)
def test_rate(capsys, clock, seconds, text):
    for steps in (1, 4):
        with progress.display(2) as display:
            display.begin("Epoch 1/1", steps)
            clock.now += steps * seconds
            display.end({"loss": 1.0})
        assert capsys.readouterr().out.split("  ")[3] == f"{text}/step"


@pytest.mark.parametrize(
    ("seconds", "text"), [(59.4, "59 s"), (59.6, "1:00"), (125, "2:05"), (3599.6, "1:00:00"), (90_061, "25:01:01")]
)
def test_duration(seconds, text):
    assert text_bar.duration(seconds) == text


def test_rate_does_not_count_what_was_before_the_first_look(open_terminal, clock):
    """A run that is resumed begins somewhere, and a first step has set-up in it."""
    terminal = open_terminal()
    display = progress.display(1)
    display.begin("Epoch 1/1", 2000)
    clock.now += 5
    display.update(1000, LOGS)
    clock.now += 100
    display.update(1500, LOGS)
    assert "1:40 left  200 ms/step" in terminal.lines()[-1]


@pytest.mark.parametrize("epochs", [1, 100])
def test_bar_updates_10_times_a_second(open_terminal, clock, epochs):
    terminal = open_terminal()
    with progress.display(1) as display:
        for epoch in range(epochs):
            display.begin(f"Epoch {epoch + 1}/{epochs}", 5000 // epochs)
            for step in range(5000 // epochs):
                clock.now += 0.001
                display.update(step + 1, LOGS)
            display.end(LOGS)
    drawn = terminal.text().count("\r") - terminal.text().count("\r\n") - epochs  # an epoch's end is a line of its own
    assert 45 <= drawn <= 51
    assert len(terminal.rows()) == epochs + 1


@pytest.mark.parametrize("columns", [80, 41, 40, 33, 20, 13, 5, 1, 0])
def test_bar_never_takes_two_rows(open_terminal, clock, columns):
    terminal = open_terminal(columns)
    display = progress.display(1)
    display.begin("Epoch 10/20", 1000)
    for step in range(1, 1001):
        clock.now += 0.3
        display.update(step, VALIDATED)
    assert {len(frame) for frame in terminal.frames()} == {1}
    assert max(len(line) for line in ["", *terminal.lines()]) <= (columns or 80) - 1


def test_bar_in_40_and_20_columns(open_terminal, clock):
    narrow = open_terminal(40)
    show(clock, LOGS, last=VALIDATED)
    assert narrow.lines()[1:] == [
        "Epoch 3/20  15 s left  loss: 0.2346",
        "Epoch 3/20  0 s left  loss: 0.2346  ...",
        "Epoch 3/20  100/100  25 s  250 ms/step",
        "  loss: 0.2346  accuracy: 0.9123",
        "  val_loss: 0.3457",
        "  val_accuracy: 0.9012",
    ]
    narrower = open_terminal(20)
    show(clock, LOGS)
    assert narrower.lines() == [
        "Epoch 3/20    0/100",
        "loss: 0.2346",
        "Epoch 3/20  100/100",
        *("  25 s  250 ms/step", "  loss: 0.2346", "  accuracy: 0.9123"),
    ]


def test_bar_follows_a_terminal_that_is_resized(open_terminal, clock):
    terminal = open_terminal(120)
    display = progress.display(1)
    display.begin("Epoch 1/2", 100)
    for step, columns in ((1, 120), (20, 50), (60, 100)):
        terminal.resize(columns)
        clock.now += step
        display.update(step, LOGS)
    pieces = [len(piece.rstrip()) for piece in terminal.text().split("\r")[2:]]
    assert pieces[0] > 79
    assert pieces[1] <= 49
    assert 79 < pieces[2] <= 99


def test_bar_leaves_nothing_of_a_longer_line(open_terminal, clock):
    terminal = open_terminal()
    display = progress.display(1)
    display.begin("Epoch 1/2", 100)
    for name in ("a_very_long_name_of_a_loss", "l"):
        clock.now += 1
        display.update(50, {name: 1.0})
    display.end({})
    assert terminal.lines()[2] == "Epoch 1/2   50/100  [============>           ]  2 s left  40 ms/step  l: 1.0000"
    assert terminal.rows() == ["Epoch 1/2   50/100  2 s  40 ms/step", ""]


def test_bar_of_many_values(open_terminal, clock):
    logs = {f"output_{n}_accuracy": n / 1000 for n in range(1, 31)}
    terminal = open_terminal()
    show(clock, {"loss": 3.5, **logs})
    assert terminal.lines()[1] == "Epoch 3/20   40/100  [=====>       ]  15 s left  250 ms/step  loss: 3.5000  ..."
    rows = terminal.rows()
    assert max(map(len, rows)) < 80
    for name, value in logs.items():
        assert sum(f"{name}: {value:.4f}" in row for row in rows) == 1


def test_bar_shortens_names_that_are_long(open_terminal, clock):
    logs = {"loss": 0.5, "sparse_top_k_categorical_accuracy": 0.75}
    terminal = open_terminal()
    show(clock, logs)
    assert terminal.lines()[1].endswith("15 s left  250 ms/step  loss: 0.5000  sparse..racy: 0.7500")
    assert terminal.rows()[-2].endswith("  sparse_top_k_categorical_accuracy: 0.7500")
    endless = open_terminal()
    show(clock, {"n" * 200: 0.5})
    assert endless.lines()[1].endswith("nnnnnn..nnnn: 0.5000")
    assert "n" * 200 + ": 0.5000" in "".join(endless.rows())


def test_bar_of_odd_names_and_values(open_terminal, clock):
    """Names of wide characters, of several lines; what callbacks put into logs."""
    logs = {
        "\u640d\u5931" * 4: 0.5,
        "a\x1b[2J\nb": np.float32(2),
        "lr": np.array(1e-5),
        "note": "two\nlines",
        "none": None,
    }
    terminal = open_terminal(60)
    show(clock, logs)
    assert {len(frame) for frame in terminal.frames()[:4]} == {1}
    text = "\n".join(terminal.rows())
    for item in ("\u640d\u5931: 0.5000", "a?[2J?b: 2.0000", "lr: 1e-05", "note: two lines", "none: None"):
        assert item in text


def test_bar_in_ascii(open_terminal, clock):
    terminal = open_terminal(encoding="ascii")
    show(clock, {"verlust_f\u00fcr_\u640d": 0.5})
    assert terminal.rows() == ["Epoch 3/20  100/100  25 s  250 ms/step  verlust_f?r_?: 0.5000", ""]
    assert "[==" in terminal.text()


def test_bar_of_unknown_length(open_terminal, clock):
    terminal = open_terminal()
    with progress.display(1) as display:
        display.begin("Epoch 1/2", None)
        for step in (1, 700):
            clock.now += 14
            display.update(step, LOGS)
        display.end(VALIDATED)
    assert terminal.lines() == [
        "Epoch 1/2  0 steps  0 s",
        "Epoch 1/2  1 steps  14 s  14 s/step  loss: 0.2346  accuracy: 0.9123",
        "Epoch 1/2  700 steps  28 s  20 ms/step  loss: 0.2346  accuracy: 0.9123",
        "           val_loss: 0.3457  val_accuracy: 0.9012",
    ]


def test_bar_of_evaluate_and_predict(open_terminal):
    x, y = make_data(100)
    model = make_model()
    terminal = open_terminal()
    model.evaluate(x, y, batch_size=7, verbose=1)
    model.predict(x, verbose=1)
    model.predict(x[:0], verbose=1)
    rows = terminal.rows()
    assert re.fullmatch(r"15/15  \S+ .?s  \S+ .?s/step  loss: \d\.\d+  accuracy: \d\.\d+", rows[0])
    assert re.fullmatch(r"1/1  \S+ .?s  \S+ .?s/step", rows[1])
    assert rows[2].startswith("0/0")
    assert rows[3:] == [""]


def test_bar_of_fit_with_validation(open_terminal):
    x, y = make_data()
    terminal = open_terminal()
    logs = make_model().fit(x, y, epochs=2, validation_split=0.2, verbose="auto").history
    rows = terminal.rows()
    assert [row[:9] for row in rows] == ["Epoch 1/2", " " * 9, "Epoch 2/2", " " * 9, ""]
    for epoch in (0, 1):
        text = rows[2 * epoch] + rows[2 * epoch + 1]
        assert all(f"  {name}: {values[epoch]:.4f}" in text for name, values in logs.items())


def test_interrupted_bar_leaves_the_cursor_on_a_new_line(open_terminal, clock):
    terminal = open_terminal()
    display = progress.display(1)
    display.begin("Epoch 1/2", 100)
    clock.now += 1
    display.update(1, LOGS)
    clock.now += 0.05
    display.update(2, LOGS)  # too soon to be drawn
    with pytest.raises(KeyboardInterrupt), display:
        raise KeyboardInterrupt
    row, cursor = terminal.rows()
    assert re.fullmatch(r"Epoch 1/2  \[>? *\]  5 s left  50 ms/step  loss: 0.2346  accuracy: 0.9123", row)
    assert cursor == ""


def test_bar_between_epochs_leaves_no_empty_line(open_terminal, clock):
    terminal = open_terminal()
    with progress.display(1) as display:
        display.begin("Epoch 1/2", 1)
        display.end(LOGS)
    assert len(terminal.rows()) == 2

"""What all tests share: settings that a test changes do not reach the next one."""

import gc
import os
import pathlib
import signal
import sys

import numpy as np
import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
if all(file.suffix == ".pyi" for file in (ROOT / "pynn").glob("_core*")):
    # `python -m pytest` puts the clone first, whose sources have no compiled core: the installed package is meant.
    sys.path[:] = [path for path in sys.path if pathlib.Path(path).resolve() != ROOT]

if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # threads that spin would take the core of the other process

import pynn  # noqa: E402


def pytest_collection_finish(session):
    """Refuse names of tests that are others in each process, which cannot share such tests.

    And leave what the tests are made of to no garbage collector: it would be looked through again and again.
    """
    changing = [item.nodeid for item in session.items if " at 0x" in item.nodeid]
    if changing:
        raise pytest.UsageError(f"These tests need ids of their own: {', '.join(changing)}")
    gc.collect()
    gc.freeze()


def pytest_xdist_auto_num_workers(config):
    """All tests run in two processes; chosen files in this one, as others would take longer to start."""
    return 0 if config.getoption("file_or_dir") else min(2, os.cpu_count() or 1)


@pytest.fixture(scope="session", autouse=True)
def interruptible():
    """Answer Ctrl-C, and have it answered by child processes, also where a job in the background was told not to."""
    ignored = signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    if ignored:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    if ignored:
        signal.signal(signal.SIGINT, signal.SIG_IGN)


@pytest.fixture(autouse=True)
def settings():
    """Start from the same seed in every test, and put the settings of the process back after it."""
    floatx, epsilon, threads = pynn.config.floatx(), pynn.config.epsilon(), pynn.config.get_num_threads()
    data_format = pynn.config.image_data_format()
    pynn.set_random_seed(1)
    yield
    pynn.config.set_floatx(floatx)
    pynn.config.set_epsilon(epsilon)
    pynn.config.set_num_threads(threads)
    pynn.config.set_image_data_format(data_format)


@pytest.fixture
def random():
    """A NumPy generator with a fixed seed."""
    return np.random.default_rng(12345)


@pytest.fixture
def open_terminal(monkeypatch):
    """Opens terminals of so many columns as standard output."""
    from terminal import Terminal

    opened = []

    def start(columns=80, encoding="utf-8"):
        opened.append(Terminal(columns, encoding))
        monkeypatch.setattr(sys, "stdout", opened[-1].out)
        return opened[-1]

    yield start
    for each in opened:
        each.text()


@pytest.fixture
def clock(monkeypatch):
    """The clock of whatever is shown; it stands still."""
    from terminal import Clock

    made = Clock()
    for module in ("foundation.text_bar", "callbacks.display", "utils.progress"):
        monkeypatch.setattr(f"pynn.{module}.time", made)
    return made

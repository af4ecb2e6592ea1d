"""The kernels as older processors run them: their tests again, under each lower level of instructions."""

import os
import pathlib
import re
import subprocess
import sys

import pytest

import pynn
from pynn.foundation.native import core

TESTS = pathlib.Path(__file__).parent
CHOSEN = "exact or value or ulp or bits"


def run_at(level, *arguments):
    """What Python prints with these arguments where the engine may use instructions of a level at most."""
    environment = {**os.environ, "PYNN_CPU_LEVEL": str(level)}
    command = [sys.executable, *arguments]
    return subprocess.run(command, env=environment, cwd="/", capture_output=True, text=True, check=False)


@pytest.mark.slow
@pytest.mark.parametrize("level", [2, 3])
def test_kernels_at_a_lower_level(level):
    found = re.fullmatch(r"x86-64-v(\d)", core.instruction_set())
    if found is None or int(found[1]) <= level:
        pytest.skip(f"this processor runs {core.instruction_set()}")
    asked = run_at(level, "-c", "from pynn.foundation.native import core; print(core.instruction_set())")
    assert asked.stdout.strip() == f"x86-64-v{level}"
    kernels = [path for path in sorted(TESTS.glob("test_kernels_*.py")) if path.name != pathlib.Path(__file__).name]
    more = ("test_zeros.py", "test_fused.py", "test_resizing.py")
    files = [*map(str, kernels), *(str(TESTS / name) for name in more)]
    settings = ["-q", "-x", "-m", "", "-p", "no:cacheprovider", "-c", str(TESTS.parent / "pyproject.toml")]
    done = run_at(level, "-m", "pytest", *settings, "-k", CHOSEN, *files)
    assert done.returncode == 0, done.stdout[-4000:]


def test_level_is_told():
    assert pynn.config.show_config(mode="dicts")["instruction_set"] == core.instruction_set()


@pytest.mark.parametrize("level", ["9", "5", "1", "v3", "x86-64-v3", "2.0", " 3", "03"])
def test_level_that_there_is_not_is_refused(level):
    done = run_at(level, "-c", "import pynn")
    assert done.returncode == 1
    assert "ImportError: The environment variable PYNN_CPU_LEVEL must be 2, 3 or 4, the highest level" in done.stderr
    assert f"use, but is {level!r}" in done.stderr


def test_level_that_is_empty_counts_as_unset():
    asked = run_at("", "-c", "from pynn.foundation.native import core; print(core.instruction_set())")
    expected = run_at(4, "-c", "from pynn.foundation.native import core; print(core.instruction_set())")
    assert asked.returncode == expected.returncode == 0
    assert asked.stdout == expected.stdout

"""How long `import pynn` takes, against `import numpy`, which it needs: whole processes, in turns.

python bench/import_time.py [--rounds 15]
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from functools import partial

from common import in_turns

PROGRAMS = {"python alone": "pass", "import numpy": "import numpy", "import pynn": "import pynn"}


def main() -> None:
    """Read the command line, measure and print."""
    parser = argparse.ArgumentParser(description="Time imports in fresh processes, in turns.")
    parser.add_argument("--rounds", type=int, default=15, help="turns of each import, of which the median counts")
    rounds = parser.parse_args().rounds
    # Bytecode is cached, and Python does not start in this checkout, whose sources have no compiled core.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    with tempfile.TemporaryDirectory() as elsewhere:
        start = partial(subprocess.run, check=True, cwd=elsewhere, env=environment)
        tasks = [partial(start, [sys.executable, "-c", program]) for program in PROGRAMS.values()]
        in_turns(tasks, 1)  # writes the bytecode
        alone, numpy, pynn = in_turns(tasks, rounds)
    for name, seconds in zip(PROGRAMS, (alone, numpy, pynn), strict=True):
        print(f"{name:14} {seconds * 1e3:7.1f} ms")
    print(f"{'pynn adds':14} {(pynn - numpy) * 1e3:7.1f} ms")


if __name__ == "__main__":
    main()

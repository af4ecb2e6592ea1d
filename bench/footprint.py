"""What a library costs before it computes: time to import it, and room on the disk."""

from __future__ import annotations

import importlib.metadata
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from functools import partial
from typing import Any

from common import in_turns
from processes import environment, keras_backend
from sides import SIDES


def import_times(sides: list[str], rounds: int) -> dict[str, float]:
    """Median seconds of a whole process that does nothing (``"python"``), or imports what each side needs."""
    programs = {"python": "pass"} | {side: SIDES[side].program for side in sides}
    # Not here, where `import` could find sources instead of what is installed.
    with tempfile.TemporaryDirectory() as elsewhere:
        start = partial(subprocess.run, check=True, cwd=elsewhere, env=environment(), capture_output=True)
        tasks = [partial(start, [sys.executable, "-c", program]) for program in programs.values()]
        in_turns(tasks, 1)  # writes the bytecode
        return dict(zip(programs, in_turns(tasks, rounds), strict=True))


def sizes(sides: list[str]) -> list[dict[str, Any]]:
    """Bytes on the disk: of each side's own package, of what that needs, and of NumPy, which all need."""
    results = []
    for side in sides:
        own = SIDES[side].packages[0]
        needed = closure([own, *(providers().get(keras_backend(), []) if side == "keras" else [])])
        others = sorted(needed - {own, "numpy"})
        results.append(
            {
                "side": side,
                "own": size(own),
                "dependencies": sum(map(size, others)),
                "numpy": size("numpy") if "numpy" in needed - {own} else 0,
                "packages": others,
                "editable": is_editable(own),
            }
        )
    return results


def providers() -> Mapping[str, list[str]]:
    """The packages that modules come from: that of tensorflow may be tensorflow-cpu."""
    return importlib.metadata.packages_distributions()


def closure(names: list[str]) -> set[str]:
    """These packages and all that they need, as far as it is installed."""
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = re.sub(r"[-_.]+", "-", waiting.pop()).lower()
        try:
            requirements = importlib.metadata.requires(name) or []
        except importlib.metadata.PackageNotFoundError:
            continue  # for another system, or another version of Python
        if name not in found:
            found.add(name)
            waiting += [re.match(r"[\w.-]+", text)[0] for text in requirements if not re.search(r"extra\s*==", text)]
    return found


def size(name: str) -> int:
    """Bytes of the files of a package, without the bytecode that Python makes of them."""
    files = importlib.metadata.files(name) or []
    paths = (file.locate() for file in files if file.suffix != ".pyc")
    return sum(path.stat().st_size for path in paths if path.is_file())


def is_editable(name: str) -> bool:
    """Whether the Python files of a package are elsewhere, so that they are not counted."""
    origin = importlib.metadata.distribution(name).read_text("direct_url.json")
    return bool(origin and json.loads(origin).get("dir_info", {}).get("editable"))

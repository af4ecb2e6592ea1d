"""The tables that `compare.py` prints: plain text."""

from __future__ import annotations

import os
import platform
import textwrap
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from common import processor
from measure import Limits, Series, best_of_peers
from networks import NETWORKS
from training_data import TEST_ROWS

import pynn

MB = 1e6

NOTES = {
    "train": """\
Medians of the epochs; ± is half the distance between their quartiles. first: the epoch before, which may compile.
/pynn n: how many times as long as pynn with n threads. GFLOP/s: of the matrix products and convolutions alone. of
limit: the time that these take at NumPy's rate for a large product (or reading the images takes, as bytes at the rate
of a copy, if that is longer), as a share of the epoch; the limits are the best of this run until then. Of each side but
pynn the better number of threads is shown.""",
    "latency": """\
Each side is called from Python with one row, in its own type of array: pynn with bytes, the others with float32.""",
    "predict": f"""\
{TEST_ROWS:,} rows, from and to each side's own type of array: pynn from bytes, the others from float32.""",
    "memory": """\
before: interpreter, NumPy and data (bytes for pynn, float32 for the others). peak: of two epochs, with the library.""",
    "import": """\
Medians of fresh processes, with bytecode cached.""",
    "size": """\
What the installed packages' files take, without bytecode; needs: the packages that it depends on, without NumPy.""",
}


def table(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Columns wide enough for their longest cell: the first to the left, the others to the right."""
    lines = [headers, *rows]
    first, *others = (max(map(len, column)) for column in zip(*lines, strict=True))
    formats = [f"{{:<{first}}}", *(f"{{:>{width}}}" for width in others)]
    return "\n".join("  ".join(formats).format(*line).rstrip() for line in lines)


def machine() -> dict[str, Any]:
    """What the figures depend on."""
    blas = np.show_config("dicts")["Build Dependencies"]["blas"]
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "processor": processor(),
        "processors": usable,
        "load": os.getloadavg()[0],
        "system": platform.platform(),
        "python": platform.python_version(),
        "numpy_blas": f"{blas['name']} {blas['version']}",
        "pynn": pynn.show_config("dicts"),
    }


def head(machine: dict[str, Any], versions: dict[str, dict[str, str]]) -> str:
    """What was compared on what."""
    config = machine["pynn"]
    packages = [f"{package} {version}" for side in versions.values() for package, version in side.items()]
    lines = [
        f"{machine['processor']}, {machine['processors']} cores to use, load {machine['load']:.1f} before the start",
        f"Python {machine['python']}; pynn: {config['instruction_set']}, {config['thread_backend']}, {config['blas']}",
        *textwrap.wrap(", ".join(packages), 120),
    ]
    return "\n".join(lines)


def limits_line(limits: Limits) -> str:
    """The rates that `of limit` compares with."""
    rates = (
        f"{limit['flop'] / 1e9:.0f} GFLOP/s, {limit['bytes'] / 1e9:.1f} GB/s with {threads}"
        for threads, limit in limits.items()
    )
    return f"limits: {'; '.join(rates)} threads"


def ratios(one: Series, series: list[Series], threads: list[int]) -> list[str]:
    """How many times as long as pynn's best way with each number of threads."""
    cells = []
    for number in threads:
        ours = [s.median for s in series if (s.side, s.threads, s.network) == ("pynn", number, one.network)]
        cells.append(f"{one.median / min(ours):.2f}" if ours else "")
    return cells


def ratio_heads(threads: list[int]) -> list[str]:
    """The headers of these columns."""
    return [f"/pynn {number}" for number in threads]


def train_table(series: list[Series], threads: list[int]) -> str:
    """Of one network."""
    rows = []
    for one in best_of_peers(series):
        cells = [one.side, str(one.threads), f"{one.median:.3f}", f"±{one.spread:.0%}"]
        cells += [f"{one.median / NETWORKS[one.network].steps * 1e6:.2f}", *ratios(one, series, threads)]
        cells += [f"{one.flop / one.median / 1e9:.1f}", f"{one.of_limit:.1%}"]
        rows.append([*cells, f"{one.accuracy:.4f}", f"{one.first:.2f}"])
    headers = ["side", "threads", "s/epoch", "±", "us/step", *ratio_heads(threads), "GFLOP/s", "of limit"]
    return table([*headers, "accuracy", "first s"], rows)


def latency_table(series: list[Series], threads: list[int]) -> str:
    """One row, of all networks."""
    rows = []
    for one in best_of_peers(series):
        cells = [one.network, one.side, one.way, str(one.threads)]
        rows.append([*cells, f"{one.median * 1e6:.1f}", f"±{one.spread:.0%}", *ratios(one, series, threads)])
    return table(["network", "side", "call", "threads", "us", "±", *ratio_heads(threads)], rows)


def predict_table(series: list[Series], threads: list[int]) -> str:
    """Many rows, of all networks."""
    rows = []
    for one in best_of_peers(series):
        cells = [one.network, one.side, str(one.threads), f"{one.median * 1e3:.2f}", f"±{one.spread:.0%}"]
        cells += [f"{one.median / TEST_ROWS * 1e6:.3f}", *ratios(one, series, threads)]
        rows.append([*cells, f"{one.flop / one.median / 1e9:.1f}", f"{one.of_limit:.1%}"])
    return table(
        ["network", "side", "threads", "ms", "±", "us/row", *ratio_heads(threads), "GFLOP/s", "of limit"], rows
    )


def memory_table(results: list[dict[str, Any]]) -> str:
    """Of training."""
    rows = [
        [one["side"], str(one["threads"])]
        + [f"{value / MB:.0f}" for value in (one["before"], one["peak"], one["peak"] - one["before"])]
        for one in results
    ]
    return table(["side", "threads", "before MB", "peak MB", "added MB"], rows)


def import_table(seconds: dict[str, float]) -> str:
    """Of the sides."""
    alone, numpy = seconds["python"], seconds["numpy"]
    rows = [
        [side, f"{(s - alone) * 1e3:.0f}", f"{(s - numpy) * 1e3:.0f}" if side != "numpy" else ""]
        for side, s in seconds.items()
        if side != "python"
    ]
    return table(["side", "ms above python", "ms above numpy"], rows)


def size_table(results: list[dict[str, Any]]) -> str:
    """Of the sides."""
    rows = []
    for one in results:
        sizes = (one["own"], one["dependencies"], one["numpy"])
        name = one["side"] + (" (editable: without its Python files)" if one["editable"] else "")
        rows.append([name, *(f"{value / MB:.1f}" for value in (*sizes, sum(sizes))), str(len(one["packages"]))])
    return table(["side", "own MB", "needs MB", "numpy MB", "all MB", "packages needed"], rows)

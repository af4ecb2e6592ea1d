"""Tells whether pynn pays: the same networks with pynn, plain NumPy, and the other libraries that are installed.

python bench/compare.py                                            # everything
python bench/compare.py --networks mlp128,xor --against torch,jax --sections train
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import footprint
import measure
import plot
import report
from measure import Plan, Series, warn
from networks import NETWORKS
from processes import Worker, WorkerError, keras_backend
from sides import PEERS, SIDES
from training_data import save_mnist

MNIST = Path(__file__).resolve().parent.parent / "data" / "mnist"
SECTIONS = ("train", "latency", "predict", "memory", "import", "size")
MEMORY_NETWORK = "mlp128"


def names(known: Iterable[str]) -> Callable[[str], list[str]]:
    """A type for argparse: some of these names, with commas between."""

    def parse(text: str) -> list[str]:
        chosen = list(dict.fromkeys(text.split(",")))
        unknown = [name for name in chosen if name not in known]
        if unknown:
            raise argparse.ArgumentTypeError(f"{', '.join(map(repr, unknown))} not of {', '.join(known)}")
        return chosen

    return parse


def at_least_1(text: str) -> int:
    """A type for argparse."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, but is {number}")
    return number


def thread_numbers(text: str) -> list[int]:
    """A type for argparse: numbers of threads, with commas between."""
    try:
        return sorted({at_least_1(number) for number in text.split(",")})
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be numbers with commas between, but is {text!r}") from None


def writable(text: str) -> Path:
    """A type for argparse: a file in a folder that is there, so that nothing is measured in vain."""
    path = Path(text)
    if path.is_dir() or not os.access(path.parent, os.W_OK):
        raise argparse.ArgumentTypeError(f"cannot write to {text!r}")
    return path


def picture(text: str) -> Path:
    """A type for argparse: a file that matplotlib can draw."""
    if not importlib.util.find_spec("matplotlib"):
        raise argparse.ArgumentTypeError("takes matplotlib: pip install matplotlib")
    if Path(text).suffix not in (".png", ".svg", ".pdf"):
        raise argparse.ArgumentTypeError(f"must end in .png, .svg or .pdf, but is {text!r}")
    return writable(text)


def make_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description="Compare pynn with NumPy and with other libraries.")
    add = parser.add_argument
    add("--networks", type=names(NETWORKS), default=list(NETWORKS), metavar="N,...", help=f"of {', '.join(NETWORKS)}")
    add("--against", type=names(PEERS), metavar="S,...", help=f"of {', '.join(PEERS)}; NumPy always takes part")
    add("--threads", type=thread_numbers, default=[1, 2], metavar="N,...", help="numbers of threads; default: 1,2")
    add("--rounds", type=at_least_1, default=3, metavar="N", help="turns of each side; default: 3")
    add("--sections", type=names(SECTIONS), default=list(SECTIONS), metavar="S,...", help=f"of {', '.join(SECTIONS)}")
    add("--json", type=writable, metavar="F", help="write all figures to this file")
    add("--plot", type=picture, metavar="F.png", help="draw the times; takes matplotlib")
    return parser


def find_sides(against: list[str] | None) -> tuple[dict[str, dict[str, str]], list[str]]:
    """The versions of the sides that can be imported, and why the others can not."""
    versions, absent = {}, []
    for side in SIDES:
        if side not in ("pynn", "numpy") and against is not None and side not in against:
            continue
        try:
            with Worker(side, 1) as worker:
                versions[side] = worker.ask("versions")
        except WorkerError as error:
            absent.append(f"{side} is not there ({error}); to have it: {SIDES[side].install}")
    if "keras" in versions:
        versions["keras"] |= {"back end of Keras:": keras_backend()}
    return versions, absent


def compare(plan: Plan, networks: list[str]) -> list[Series]:
    """Train and predict; the tables of training are printed as they come, those of predictions at the end."""
    series: list[Series] = []
    limits = measure.limits(plan.threads, {}) if {"train", "predict"} & set(plan.sections) else {}
    for number, network in enumerate(networks):
        sections = [s for s in ("train", "latency", "predict") if s in plan.sections]
        if not measure.predicts(network, networks[:number]):
            sections = [s for s in sections if s == "train"]
        if not sections:
            continue
        new = measure.run(plan, network, sections)
        if limits:
            limits = measure.limits(plan.threads, limits)
            for one in new:
                one.limits = limits[one.threads]
        series += new
        if "train" in sections:
            table = report.train_table(of(new, "train"), plan.threads)
            show(f"{network}: {NETWORKS[network].describe()}", table, report.limits_line(limits))
    if of(series, "train"):
        print(f"\n{report.NOTES['train']}")
    if of(series, "latency"):
        show("one row", report.latency_table(of(series, "latency"), plan.threads), report.NOTES["latency"])
    if of(series, "predict"):
        show("many rows", report.predict_table(of(series, "predict"), plan.threads), report.NOTES["predict"])
    return series


def record(one: Series) -> dict[str, Any]:
    """A series for the file, with what follows from its seconds."""
    return asdict(one) | {"median": one.median, "spread": one.spread, "flop": one.flop, "of_limit": one.of_limit}


def of(series: list[Series], section: str) -> list[Series]:
    """Those of a section."""
    return [s for s in series if s.section == section]


def show(title: str, *texts: str) -> None:
    """Print a part of the report."""
    print(f"\n{title}\n{'-' * len(title)}", *texts, sep="\n", flush=True)


def main(arguments: list[str] | None = None) -> None:
    """Compare, print, and write files."""
    parser = make_parser()
    options = parser.parse_args(arguments)
    if options.plot and not set(plot.TITLES) & set(options.sections):
        parser.error(f"--plot draws the sections {', '.join(plot.TITLES)}, but none of them is measured")
    machine = report.machine()
    versions, absent = find_sides(options.against)
    if options.against and absent:
        parser.error("; ".join(absent))
    for line in absent:
        warn(f"skipped: {line}")
    sections, sides = options.sections, list(versions)
    libraries = [side for side in sides if not SIDES[side].is_variant]
    print(report.head(machine, versions), flush=True)
    result: dict[str, Any] = {"machine": machine, "versions": versions}
    result["options"] = {name: getattr(options, name) for name in ("networks", "threads", "rounds", "sections")}
    with tempfile.TemporaryDirectory() as folder:
        plan = Plan(sides, options.threads, options.rounds, sections, Path(folder))
        if {"train", "latency", "predict", "memory"} & set(sections):
            save_mnist(plan.folder, MNIST)
        series = compare(plan, options.networks)
        result["series"] = [record(s) for s in series]
        if "memory" in sections:
            result["memory"] = measure.memory(plan, MEMORY_NETWORK)
            show(f"memory to train {MEMORY_NETWORK}", report.memory_table(result["memory"]), report.NOTES["memory"])
    if "import" in sections:
        result["import"] = footprint.import_times(libraries, options.rounds * measure.SHORT_TURNS)
        show("import", report.import_table(result["import"]), report.NOTES["import"])
    if "size" in sections:
        result["size"] = footprint.sizes(libraries)
        show("installed size", report.size_table(result["size"]), report.NOTES["size"])
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n")
    if options.plot:
        plot.draw(series, options.plot)


if __name__ == "__main__":
    try:
        main()
    except WorkerError as failure:
        sys.exit(str(failure))
    except KeyboardInterrupt:
        sys.exit(130)

"""What `compare.py` measures: the sides in turns, each in its own process, and the medians of that."""

from __future__ import annotations

import math
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from networks import NETWORKS
from processes import Worker, WorkerError
from sides import SIDES
from training_data import TEST_ROWS

CALLS_SECONDS = 0.05  # of calls with one row, which are timed together
SHORT_TURNS = 5  # turns of what is over soon, for each turn of training
PAUSE = 0.02  # before a turn, for threads of the side before that still wait for work


Limits = dict[int, dict[str, float]]  # of each number of threads: the rates "flop" and "bytes"


@dataclass
class Series:
    """How long one side took, each time.

    Args:
        section: ``"train"``, ``"latency"`` or ``"predict"``.
        network, side, threads: What ran.
        way: What a user writes for it, where there are several ways.
        seconds: Of each turn.
        first: Seconds of the turn before these, which may compile and is not counted.
        accuracy: On the test data, after all turns.
        limits: What the machine could do with as many threads: FLOP and bytes a second, see `limits`.
    """

    section: str
    network: str
    side: str
    threads: int
    way: str = ""
    seconds: list[float] = field(default_factory=list)
    first: float = 0.0
    accuracy: float | None = None
    limits: dict[str, float] = field(default_factory=dict)

    @property
    def median(self) -> float:
        """Of the seconds."""
        return statistics.median(self.seconds)

    @property
    def spread(self) -> float:
        """Half of the distance between the quartiles of the seconds, as a share of the median."""
        lower, upper = np.percentile(self.seconds, [25, 75])
        return float(upper - lower) / 2 / self.median

    @property
    def flop(self) -> int:
        """Floating-point operations of the matrix products and convolutions in one turn."""
        network = NETWORKS[self.network]
        if self.section == "train":
            return network.training_flop() * network.rows * network.epochs
        return network.forward_flop() * (1 if self.section == "latency" else TEST_ROWS)

    @property
    def input_bytes(self) -> int:
        """Bytes of the rows that one turn must read: of images a byte for each pixel."""
        network = NETWORKS[self.network]
        rows = {"train": network.rows, "latency": 1, "predict": TEST_ROWS}[self.section]
        return math.prod(network.input_shape) * rows * {"mnist": 1, "patterns": 4, "xor": 0}[network.data]

    @property
    def of_limit(self) -> float | None:
        """The least seconds that the machine's limits allow, as a share of the median."""
        if not self.limits:
            return None
        return max(self.flop / self.limits["flop"], self.input_bytes / self.limits["bytes"]) / self.median


@dataclass
class Plan:
    """What is compared with what: the sides that are there, numbers of threads, rounds, MNIST's folder."""

    sides: list[str]
    threads: list[int]
    rounds: int
    sections: list[str]
    folder: Path

    def pairs(self, network: str) -> list[tuple[str, int]]:
        """Sides and numbers of threads that run a network."""
        only = NETWORKS[network].sides or [side for side in self.sides if not SIDES[side].is_variant]
        there = [side for side in self.sides if side in only and side not in self.lacking(network)]
        return [(side, number) for side in there for number in self.threads]

    def lacking(self, network: str) -> list[str]:
        """Sides that do not have the layers of a network."""
        return [side for side in self.sides if SIDES[side].dense_only and NETWORKS[network].is_convolutional]


def warn(text: str) -> None:
    """Tell the user on the error output, apart from the tables."""
    print(text, file=sys.stderr, flush=True)


class Crew:
    """The workers of a network. A peer that fails is named and left out; pynn and NumPy must not fail."""

    def __init__(self, workers: list[Worker]) -> None:
        self._all = workers

    @property
    def workers(self) -> list[Worker]:
        """Those that have not failed."""
        return [worker for worker in self._all if not worker.failed]

    def ask(self, do: str, **arguments: Any) -> Iterator[tuple[Worker, dict[str, Any]]]:
        """Ask each worker in turn."""
        for worker in self.workers:
            time.sleep(PAUSE)
            try:
                yield worker, worker.ask(do, **arguments)
            except WorkerError as error:
                if worker.side in ("pynn", "numpy"):
                    raise
                warn(f"{worker.side} with {worker.threads} threads is left out: {do}: {error}")
                worker.failed = True

    def that_train(self) -> Crew:
        """Without those that only predict."""
        return Crew([worker for worker in self.workers if SIDES[worker.side].trains])

    def that_predict(self) -> Crew:
        """Without those that predict as the side before them."""
        return Crew([worker for worker in self.workers if not SIDES[worker.side].is_variant])


@contextmanager
def crew(network: str, pairs: Iterable[tuple[str, int]], folder: Path) -> Iterator[Crew]:
    """Workers that are ready."""
    with ExitStack() as stack:
        together = Crew([stack.enter_context(Worker(*pair)) for pair in pairs])
        for _ in together.ask("prepare", network=network, folder=str(folder)):
            pass
        yield together


def predicts(network: str, others: Iterable[str]) -> bool:
    """Whether predictions of a network are worth a table beside those of the others: images, and a new network."""
    layers = NETWORKS[network].layers
    return NETWORKS[network].data == "mnist" and all(NETWORKS[other].layers != layers for other in others)


def run(plan: Plan, network: str, sections: Iterable[str]) -> list[Series]:
    """Measure these of the sections train, latency and predict."""
    measures: dict[str, Callable[[Crew, Plan, str], list[Series]]]
    measures = {"train": train, "latency": latency, "predict": predict}
    for side in plan.lacking(network):
        warn(f"{network} without {side}: it has dense layers only")
    trains_only = set(sections) == {"train"}
    pairs = [(side, threads) for side, threads in plan.pairs(network) if SIDES[side].trains or not trains_only]
    with crew(network, pairs, plan.folder) as together:
        return [series for section in sections for series in measures[section](together, plan, network)]


def turns(together: Crew, section: str, network: str, rounds: int, do: str = "") -> list[Series]:
    """A turn that is not counted, and then the others; those who fail on the way have no series."""
    series = {worker: Series(section, network, worker.side, worker.threads) for worker in together.workers}
    for worker, answer in together.ask(do):
        series[worker].first = answer["seconds"]
    for _ in range(rounds):
        for worker, answer in together.ask(do):
            series[worker].seconds.append(answer["seconds"])
    return [series[worker] for worker in together.workers]


def train(together: Crew, plan: Plan, network: str) -> list[Series]:
    """Epochs."""
    trainers = together.that_train()
    series = turns(trainers, "train", network, plan.rounds, "epoch")
    by_pair = {(one.side, one.threads): one for one in series}
    for worker, answer in trainers.ask("accuracy"):
        by_pair[worker.side, worker.threads].accuracy = answer["accuracy"]
    return series


def predict(together: Crew, plan: Plan, network: str) -> list[Series]:
    """All test images at once."""
    return turns(together.that_predict(), "predict", network, plan.rounds * SHORT_TURNS, "predict")


def latency(together: Crew, plan: Plan, network: str) -> list[Series]:
    """Calls with one row, in each way that a side has."""
    seconds: dict[tuple[Worker, str], list[float]] = defaultdict(list)
    predictors = together.that_predict()
    for _ in range(plan.rounds * SHORT_TURNS):
        for worker, answer in predictors.ask("one_row", seconds=CALLS_SECONDS):
            for way, each in answer["ways"].items():
                seconds[worker, way].append(each)
    return [
        Series("latency", network, worker.side, worker.threads, way, times)
        for (worker, way), times in seconds.items()
        if worker in together.workers
    ]


def best_of_peers(series: list[Series]) -> list[Series]:
    """pynn's series, and of each other side that with its better number of threads, for each network and way."""
    best: dict[tuple[object, ...], Series] = {}
    for one in series:
        key = (one.section, one.network, one.side, one.way, one.threads if one.side == "pynn" else None)
        if key not in best or one.median < best[key].median:
            best[key] = one
    return list(best.values())


def memory(plan: Plan, network: str) -> list[dict[str, Any]]:
    """Bytes that training takes at its peak, in new processes with the largest number of threads."""
    results = []
    for side, threads in plan.pairs(network):
        if SIDES[side].trains and threads == max(plan.threads):
            with crew(network, [(side, threads)], plan.folder) as alone:
                for do in ("epoch", "epoch", "memory"):
                    for _, answer in alone.ask(do):
                        last = answer
                if alone.workers:
                    results.append({"side": side, "threads": threads, **last})
    return results


def limits(threads: Iterable[int], before: Limits) -> Limits:
    """What the machine can do with each number of threads: now, or before if that was more.

    A moment in which other work disturbs is no limit, so this is measured several times in a run.
    """
    result = {}
    for number in threads:
        with Worker("numpy", number) as worker:
            now = worker.ask("limits")
        result[number] = {what: max(rate, before.get(number, {}).get(what, 0)) for what, rate in now.items()}
    return result

"""Trains the same networks with pynn and with plain NumPy, in turns, and prints times, ratio and accuracy.

python bench/compare.py                      # all networks, 3 rounds
python bench/compare.py mlp128 xor --rounds 7
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from common import MNIST, in_turns, make_pair, print_machine
from numpy.typing import NDArray

from pynn.datasets import mnist


@dataclass(frozen=True)
class Case:
    """A network, and how it is trained. Without `samples` it learns XOR instead of MNIST's first samples."""

    sizes: list[int]
    optimizer: str
    learning_rate: float
    batch_size: int | Literal["full"]
    samples: int = 0
    epochs: int = 1  # a round


CASES = {
    "mlp128": Case([784, 128, 10], "adam", 0.001, 32, 60_000),
    "mlp16": Case([784, 16, 16, 10], "sgd", 0.1, 32, 60_000),
    "mlp2048": Case([784, 2048, 2048, 10], "adam", 0.001, 256, 10_240),
    "online": Case([784, 128, 10], "sgd", 0.01, 1, 6_000),
    "xor": Case([2, 4, 1], "sgd", 1.0, "full", epochs=100_000),
}


def run(name: str, case: Case, rounds: int) -> None:
    """Train and print a line."""
    if case.samples:
        (images, labels), (test_images, y_test) = mnist.load_data(MNIST)
        x, y = images[: case.samples], labels[: case.samples].astype(np.int64)
        x_test = test_images
        scaled, scaled_test = (a.reshape(-1, 784) / np.float32(255) for a in (x, x_test))
        model, baseline = make_pair(case.sizes, case.optimizer, case.learning_rate, images=True)
    else:
        x = x_test = scaled = scaled_test = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
        y = y_test = np.array([[0], [1], [1], [0]], np.float32)
        model, baseline = make_pair(case.sizes, case.optimizer, case.learning_rate, "sigmoid", "sigmoid")
    batch = len(x) if case.batch_size == "full" else case.batch_size
    random = np.random.default_rng(1)

    def with_pynn() -> None:
        model.fit(x, y, batch_size=case.batch_size, epochs=case.epochs, verbose=0)

    def with_numpy() -> None:
        if case.batch_size == "full":
            for _ in range(case.epochs):
                baseline.train_step(scaled, y)
            return
        for _ in range(case.epochs):
            baseline.train_epoch(scaled, y, batch, random)

    ours, theirs = in_turns([with_pynn, with_numpy], rounds)
    steps = -(-len(x) // batch) * case.epochs
    right = accuracy(model.predict(x_test, verbose=0), y_test), accuracy(baseline.predict(scaled_test), y_test)
    print(
        f"{name:8} {case.epochs:7} {ours:9.3f} {theirs:9.3f} {ours / steps * 1e6:10.2f} {theirs / steps * 1e6:10.2f} "
        f"{theirs / ours:7.2f} {right[0]:8.4f} {right[1]:8.4f}",
        flush=True,
    )


def accuracy(outputs: NDArray[np.float32], y: NDArray[Any]) -> float:
    """Share of the rows whose largest output, or whose only output rounded, is right."""
    right = outputs.argmax(axis=1) == y if outputs.shape[1] > 1 else (outputs > 0.5) == y
    return float(right.mean())


def main() -> None:
    """Read the command line, and run."""
    parser = argparse.ArgumentParser(description="Train networks with pynn and with NumPy, in turns.")
    parser.add_argument("networks", nargs="*", metavar="network", help=f"of {', '.join(CASES)}; default: all")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each side, of which the median counts")
    options = parser.parse_args()
    unknown = set(options.networks) - set(CASES)
    if unknown or options.rounds < 1:
        parser.error(f"unknown network: {', '.join(sorted(unknown))}" if unknown else "rounds must be at least 1")
    print_machine()
    print(f"{'':8} {'':7} {'seconds a round':>19} {'microseconds a step':>21} {'':7} {'test accuracy':>17}")
    print(
        f"{'network':8} {'epochs':>7} " + f"{'pynn':>9} {'numpy':>9} {'pynn':>10} {'numpy':>10} {'ratio':>7} ", end=""
    )
    print(f"{'pynn':>8} {'numpy':>8}")
    for name in options.networks or CASES:
        run(name, CASES[name], options.rounds)


if __name__ == "__main__":
    main()

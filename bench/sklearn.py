"""pynn's MLPClassifier and MLPRegressor beside scikit-learn's, on the same data, with the same settings, in turns.

python bench/sklearn.py [--rounds 5] [--seeds 10] [--cases mnist,digits,regression,row]
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

# This file has scikit-learn's name, and its folder comes first where a program in it is run. So the folder is left out
# of the search, and who imports scikit-learn from here (bench/sides) gets the real one.
_HERE = Path(__file__).resolve().parent
_PATH = [folder for folder in sys.path if Path(folder or ".").resolve() != _HERE]
if __name__ != "__main__":
    _ALL, sys.path = sys.path, _PATH
    del sys.modules[__name__]
    sys.modules[__name__] = importlib.import_module(__name__)
    sys.path = _ALL
else:
    import argparse
    import functools
    import statistics
    import time
    import warnings
    from collections.abc import Callable
    from typing import Any

    from common import print_machine

    sys.path = _PATH
    import numpy as np
    import sklearn.neural_network as theirs
    from sklearn.datasets import load_digits, make_regression
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.model_selection import train_test_split

    import pynn
    import pynn.sklearn as ours

    Case = tuple[str, str, dict[str, Any], Any, Any]  # name, class, settings, x, y

    def cases(names: list[str]) -> list[Case]:
        """The fits that are timed."""
        found: list[Case] = []
        if "mnist" in names:
            (x, y), _ = pynn.datasets.mnist.load_data(_HERE.parent / "data" / "mnist")
            pixels = (x.reshape(len(x), -1) / 255.0).astype("float32")
            for batch in (32, "auto"):
                settings = {"hidden_layer_sizes": (128,), "max_iter": 2, "batch_size": batch}
                found.append((f"MNIST 784-128-10, batch {batch}", "MLPClassifier", settings, pixels, y))
        if "digits" in names:
            x, y = load_digits(return_X_y=True)
            for dtype in ("float64", "float32"):
                samples = (x / 16).astype(dtype)
                found.append((f"digits 64-100-10, {dtype}", "MLPClassifier", {"max_iter": 60}, samples, y))
        if "regression" in names:
            x, y = make_regression(10_000, 20, noise=5.0, random_state=0)
            settings = {"hidden_layer_sizes": (50, 50), "max_iter": 10}
            y /= y.std()
            for dtype in ("float64", "float32"):
                samples = x.astype(dtype), y.astype(dtype)
                found.append((f"regression 20-50-50-1, {dtype}", "MLPRegressor", settings, *samples))
        return found

    def made(module: Any, case: Case, seed: int = 0) -> Any:
        """An estimator of pynn or of scikit-learn."""
        return getattr(module, case[1])(**case[2], random_state=seed)

    def seconds(call: Callable[[], object]) -> float:
        """Of one call."""
        begin = time.perf_counter()
        call()
        return time.perf_counter() - begin

    def in_turns(own: Callable[[], object], other: Callable[[], object], rounds: int) -> tuple[float, float]:
        """The least seconds of both, which take turns."""
        times = [(seconds(own), seconds(other)) for _ in range(rounds)]
        return min(each[0] for each in times), min(each[1] for each in times)

    def show(name: str, own: float, other: float, unit: str = "s", scale: float = 1.0) -> None:
        """A line of the table."""
        print(f"{name:35} {own * scale:10.3f} {other * scale:12.3f} {unit:>3} {other / own:8.1f}x", flush=True)

    def time_rows(rounds: int) -> None:
        """`predict_proba` of one row."""
        x, y = load_digits(return_X_y=True)
        pair = [module.MLPClassifier(max_iter=5, random_state=0).fit(x, y) for module in (ours, theirs)]

        def calls(mlp: Any) -> None:
            for _ in range(200):
                mlp.predict_proba(x[:1])

        own, other = in_turns(*(functools.partial(calls, mlp) for mlp in pair), 2 * rounds)
        show("predict_proba of a row, 64-100-10", own / 200, other / 200, "us", 1e6)

    def scores(seeds: int) -> None:
        """Mean scores over seeds on data that was held out."""
        print(f"\nscores of {seeds} seeds: mean, and its standard error")
        for case in cases(["digits", "regression"]):
            x, x_test, y, y_test = train_test_split(case[3], case[4], random_state=0)
            for name, module in (("pynn", ours), ("scikit-learn", theirs)):
                found = [made(module, case, seed).fit(x, y).score(x_test, y_test) for seed in range(seeds)]
                error = statistics.stdev(found) / len(found) ** 0.5
                print(f"{case[0]:35} {name:12} {np.mean(found):.5f} +- {error:.5f}", flush=True)

    def main() -> None:
        """Print the tables."""
        parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
        parser.add_argument("--rounds", type=int, default=5)
        parser.add_argument("--seeds", type=int, default=10, help="0: no scores")
        parser.add_argument("--cases", default="mnist,digits,regression,row")
        arguments = parser.parse_args()
        warnings.simplefilter("ignore", ConvergenceWarning)
        print_machine()
        print(f"{'the least of the rounds':35} {'pynn':>10} {'scikit-learn':>12}")
        names = arguments.cases.split(",")
        for case in cases(names):
            fits = [functools.partial(made(module, case).fit, case[3], case[4]) for module in (ours, theirs)]
            show(f"fit {case[0]}", *in_turns(*fits, arguments.rounds))
        if "row" in names:
            time_rows(arguments.rounds)
        if arguments.seeds > 1:
            scores(arguments.seeds)

    main()

"""How long a prediction takes: one row at a time, and 1,000 rows at once, against plain NumPy.

python bench/inference.py [--rounds 9]
"""

from __future__ import annotations

import argparse
from functools import partial

import numpy as np
from common import calls_in_turns, make_pair, print_machine

NETWORKS = {
    "mlp16": [784, 16, 16, 10],
    "mlp128": [784, 128, 10],
    "mlp2048": [784, 2048, 2048, 10],
}
ROWS = 1000


def main() -> None:
    """Read the command line, measure and print."""
    parser = argparse.ArgumentParser(description="Time predictions with pynn and with NumPy, in turns.")
    parser.add_argument("--rounds", type=int, default=9, help="turns of each side, of which the median counts")
    rounds = parser.parse_args().rounds
    print_machine()
    print(f"{'':8} {'one row, microseconds':>29} {f'{ROWS} rows, microseconds a row':>34}")
    print(f"{'network':8} {'predict':>9} {'__call__':>9} {'numpy':>9} {'predict':>14} {'numpy':>9} {'ratio':>9}")
    random = np.random.default_rng(1)
    for name, sizes in NETWORKS.items():
        model, baseline = make_pair(sizes)
        rows = random.random((ROWS, sizes[0]), np.float32)
        row = rows[:1]
        np.testing.assert_allclose(model(rows), baseline.predict(rows), rtol=1e-3, atol=1e-5)
        predict, call, numpy_row = calls_in_turns(
            [partial(model.predict, row, verbose=0), partial(model, row), partial(baseline.predict, row)], rounds
        )
        many, numpy_many = calls_in_turns(
            [partial(model.predict, rows, verbose=0), partial(baseline.predict, rows)], rounds
        )
        one = " ".join(f"{seconds * 1e6:9.1f}" for seconds in (predict, call, numpy_row))
        print(
            f"{name:8} {one} {many / ROWS * 1e6:14.3f} {numpy_many / ROWS * 1e6:9.3f} {numpy_many / many:9.2f}",
            flush=True,
        )


if __name__ == "__main__":
    main()

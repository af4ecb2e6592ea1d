"""Matrix products of many shapes: pynn.ops.gemm and pynn.ops.dense_forward against NumPy's, in turns.

python bench/products.py [--dtype float64] [--rounds 9]
"""

from __future__ import annotations

import argparse
from functools import partial
from typing import Any

import numpy as np
from common import calls_in_turns, print_machine
from numpy.typing import NDArray

from pynn import ops

Array = NDArray[Any]

# rows, inner, columns of the product, and whether each operand is stored transposed
SHAPES = [
    (1, 784, 128, False, False),
    (32, 784, 128, False, False),
    (32, 784, 16, False, False),
    (32, 128, 10, False, False),
    (784, 32, 128, True, False),
    (32, 10, 128, False, True),
    (32, 128, 784, False, True),
    (1000, 784, 128, False, False),
    (256, 784, 2048, False, False),
    (256, 2048, 2048, False, False),
    (2048, 256, 2048, True, False),
    (256, 2048, 2048, False, True),
    (33, 100, 67, False, False),
    (2048, 2048, 2048, False, False),
]


def numpy_dense(x: Array, kernel: Array, bias: Array, out: Array) -> None:
    """``out = x @ kernel + bias``."""
    np.matmul(x, kernel, out=out)
    out += bias


def mark(transposed: bool) -> str:
    """What a transposed operand gets in the table."""
    return "'" if transposed else ""


def main() -> None:
    """Read the command line, measure and print."""
    parser = argparse.ArgumentParser(description="Time matrix products with pynn and with NumPy, in turns.")
    parser.add_argument("--dtype", choices=("float32", "float64"), default="float32")
    parser.add_argument("--rounds", type=int, default=9, help="turns of each side, of which the median counts")
    options = parser.parse_args()
    print_machine()
    print(f"{options.dtype}, GFLOP/s; the operand before a ' is stored transposed\n")
    print(f"{'shape':20} {'gemm':>9} {'matmul':>9} {'ratio':>7}   {'dense':>9} {'x @ w + b':>9} {'ratio':>7}")
    random = np.random.default_rng(1)
    for m, k, n, transpose_a, transpose_b in SHAPES:
        a = random.standard_normal((k, m) if transpose_a else (m, k)).astype(options.dtype)
        b = random.standard_normal((n, k) if transpose_b else (k, n)).astype(options.dtype)
        out = np.empty((m, n), options.dtype)
        gemm = partial(ops.gemm, a, b, transpose_a=transpose_a, transpose_b=transpose_b, out=out)
        matmul = partial(np.matmul, a.T if transpose_a else a, b.T if transpose_b else b, out=out)
        ours, theirs = calls_in_turns([gemm, matmul], options.rounds)
        work = 2e-9 * m * n * k
        shape = f"{m} {k}{mark(transpose_a)} {n}{mark(transpose_b)}"
        line = f"{shape:20} {work / ours:9.1f} {work / theirs:9.1f} {theirs / ours:7.2f}"
        if not (transpose_a or transpose_b):
            bias = random.standard_normal(n).astype(options.dtype)
            dense = partial(ops.dense_forward, a, b, bias, out=out)
            ours, theirs = calls_in_turns([dense, partial(numpy_dense, a, b, bias, out)], options.rounds)
            line += f"   {work / ours:9.1f} {work / theirs:9.1f} {theirs / ours:7.2f}"
        print(line, flush=True)


if __name__ == "__main__":
    main()

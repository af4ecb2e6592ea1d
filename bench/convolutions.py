"""Convolutions one by one, beside PyTorch's: forward, and forward with the gradients of input, kernel and bias.

python bench/convolutions.py [--threads 1] [--rounds 15] [--layers 3x3,1x1]
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from common import in_turns, print_machine

import pynn
from pynn import ops

BATCH = 32
FORMATS = (torch.contiguous_format, torch.channels_last)


@dataclass(frozen=True)
class Layer:
    """A convolution of square images with padding "same"."""

    name: str
    side: int
    channels: int
    filters: int
    size: int
    stride: int = 1
    groups: int = 1


LAYERS = [
    Layer("3x3", 32, 64, 64, 3),
    Layer("5x5 stride 2", 32, 64, 64, 5, stride=2),
    Layer("1x1", 32, 64, 64, 1),
    Layer("3x3 of 1 channel", 28, 1, 32, 3),
    Layer("3x3 of 3 channels", 32, 3, 32, 3),
    Layer("3x3 small", 13, 32, 64, 3),
    Layer("3x3 of 128", 16, 128, 128, 3),
    Layer("3x3 of 256", 8, 256, 256, 3),
    Layer("4 groups", 32, 64, 64, 3, groups=4),
    Layer("32 groups", 32, 64, 64, 3, groups=32),
    Layer("depthwise", 32, 64, 64, 3, groups=64),
    Layer("depthwise, 2 filters", 32, 64, 128, 3, groups=64),
]

Calls = tuple[Callable[[], object], Callable[[], object]]


def make_arrays(layer: Layer) -> dict[str, Any]:
    """Input, kernel, bias, and a gradient of the output, in pynn's order."""
    random = np.random.default_rng(1)
    out = -(-layer.side // layer.stride)
    shapes = {
        "x": (BATCH, layer.side, layer.side, layer.channels),
        "kernel": (layer.size, layer.size, layer.channels // layer.groups, layer.filters),
        "bias": (layer.filters,),
        "dy": (BATCH, out, out, layer.filters),
    }
    return {name: random.uniform(-1, 1, shape).astype(np.float32) for name, shape in shapes.items()}


def pynn_calls(layer: Layer, arrays: dict[str, Any]) -> Calls:
    """The forward pass, and that with the backward pass."""
    x, kernel, bias, dy = arrays.values()
    settings: dict[str, Any] = {"strides": layer.stride, "padding": "same", "groups": layer.groups}
    y, dx, dkernel, dbias = (np.empty_like(array) for array in (dy, x, kernel, bias))

    def backward() -> None:
        ops.conv_forward(x, kernel, bias, out=y, **settings)
        ops.conv_backward(dy, x, kernel, dx=dx, dkernel=dkernel, dbias=dbias, **settings)

    return partial(ops.conv_forward, x, kernel, bias, out=y, **settings), backward


def torch_calls(layer: Layer, arrays: dict[str, Any], memory_format: torch.memory_format) -> Calls:
    """The same of PyTorch, which has channels first, but may keep them last in memory."""
    x, dy = (
        torch.from_numpy(arrays[name].transpose(0, 3, 1, 2).copy()).contiguous(memory_format=memory_format)
        for name in ("x", "dy")
    )
    module = torch.nn.Conv2d(
        layer.channels, layer.filters, layer.size, layer.stride, layer.size // 2, groups=layer.groups
    )
    with torch.no_grad():
        module.weight.copy_(torch.from_numpy(arrays["kernel"].transpose(3, 2, 0, 1).copy()))
        module.bias.copy_(torch.from_numpy(arrays["bias"]))
    module = module.to(memory_format=memory_format)
    x.requires_grad_(True)

    def forward() -> torch.Tensor:
        with torch.inference_mode():
            return module(x)

    def backward() -> None:
        x.grad = None
        module.zero_grad()
        module(x).backward(dy)

    return forward, backward


def check_equal(layer: Layer, arrays: dict[str, Any], forward: Callable[[], Any]) -> None:
    """Both do the same work. With strides they do not: PyTorch pads by the same number on both sides."""
    if layer.stride == 1:
        ours = ops.conv_forward(arrays["x"], arrays["kernel"], arrays["bias"], padding="same", groups=layer.groups)
        np.testing.assert_allclose(ours, forward().numpy().transpose(0, 2, 3, 1), rtol=1e-4, atol=1e-4)


def measure(layer: Layer, rounds: int) -> str:
    """A row of the table."""
    arrays = make_arrays(layer)
    sides = [pynn_calls(layer, arrays), *(torch_calls(layer, arrays, memory_format) for memory_format in FORMATS)]
    check_equal(layer, arrays, sides[1][0])
    row = f"{layer.name:22}"
    for calls in zip(*sides, strict=True):
        in_turns(calls, 2)  # the first ones are slower
        ours, *theirs = in_turns(calls, rounds)
        row += f" {ours * 1e3:8.2f} {min(theirs) * 1e3:8.2f} {min(theirs) / ours:6.2f}"
    return row


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1, help="of both sides; default: 1")
    parser.add_argument("--rounds", type=int, default=15, help="turns of each side; default: 15")
    parser.add_argument("--layers", help="which, by their names; default: all")
    options = parser.parse_args()
    names = [layer.name for layer in LAYERS]
    chosen = options.layers.split(",") if options.layers else names
    for name in chosen:
        if name not in names:
            parser.error(f"--layers {name!r}: must be some of {', '.join(map(repr, names))}")
    if options.threads < 1 or options.rounds < 1:
        parser.error("--threads and --rounds must be at least 1")
    pynn.config.set_num_threads(options.threads)
    torch.set_num_threads(options.threads)
    print_machine()
    print(
        f"torch {torch.__version__}, its better memory format; {BATCH} images; medians, ms; x: torch's time to pynn's"
    )
    print()
    print(f"{'':22} {'forward':>8} {'torch':>8} {'x':>6} {'and back':>8} {'torch':>8} {'x':>6}")
    for layer in LAYERS:
        if layer.name in chosen:
            print(measure(layer, options.rounds), flush=True)


if __name__ == "__main__":
    main()

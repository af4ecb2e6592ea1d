"""Layers that are no large products, one by one, beside PyTorch's: a prediction, and a step of training.

python bench/layers.py [--threads 1] [--rounds 15] [--layers "batch norm,gelu"]
"""

from __future__ import annotations

import argparse
import ctypes
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from common import calls_in_turns, print_machine
from torch import nn
from torch.nn import functional

import pynn
from pynn import layers

BATCH = 32
# A network of a dense layer and so many copies of the layer, and one with more: a copy takes the difference. So the
# dense layer, the loss and the calls from Python do not count. Other work only adds to times, so the least ones count.
FEW, MANY = 1, 5
IMAGE, TOKENS = (16, 16, 32), (64, 128)


@dataclass(frozen=True)
class Case:
    """A layer, or some, that leave the shape as it is."""

    name: str
    shape: tuple[int, ...]
    ours: Callable[[], list[Any]]
    theirs: Callable[[], list[nn.Module]]


class Function(nn.Module):
    """A function as a module."""

    def __init__(self, function: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """What the function makes."""
        return self.function(x)


def depthwise(channels: int, size: int) -> list[nn.Module]:
    """A convolution of each channel by itself."""
    return [nn.Conv2d(channels, channels, size, padding=size // 2, groups=channels)]


def turned(x: torch.Tensor) -> torch.Tensor:
    """relu, and the first two axes exchanged: two exchanges in a row would be none."""
    return functional.relu(x).transpose(1, 2).contiguous()


# fmt: off
CASES = [
    Case("relu", IMAGE, lambda: [layers.ReLU()], lambda: [nn.ReLU()]),
    Case("gelu", IMAGE, lambda: [layers.Activation("gelu")], lambda: [nn.GELU()]),
    Case("silu", IMAGE, lambda: [layers.Activation("silu")], lambda: [nn.SiLU()]),
    Case("tanh", IMAGE, lambda: [layers.Activation("tanh")], lambda: [nn.Tanh()]),
    Case("elu", IMAGE, lambda: [layers.ELU()], lambda: [nn.ELU()]),
    Case("softmax", IMAGE, lambda: [layers.Softmax()], lambda: [Function(lambda x: functional.softmax(x, 1))]),
    Case("batch norm", IMAGE, lambda: [layers.BatchNormalization()], lambda: [nn.BatchNorm2d(32)]),
    Case("batch norm, relu", IMAGE, lambda: [layers.BatchNormalization(), layers.ReLU()],
         lambda: [nn.BatchNorm2d(32), nn.ReLU()]),
    Case("group norm", IMAGE, lambda: [layers.GroupNormalization(8)], lambda: [nn.GroupNorm(8, 32)]),
    Case("instance norm", IMAGE, lambda: [layers.GroupNormalization(-1)], lambda: [nn.GroupNorm(32, 32)]),
    Case("layer norm", TOKENS, lambda: [layers.LayerNormalization()], lambda: [nn.LayerNorm(128)]),
    Case("rms norm", TOKENS, lambda: [layers.RMSNormalization()], lambda: [nn.RMSNorm(128)]),
    Case("depthwise 3x3", (16, 16, 64), lambda: [layers.DepthwiseConv2D(3, padding="same")],
         lambda: depthwise(64, 3)),
    Case("depthwise 5x5", (16, 16, 96), lambda: [layers.DepthwiseConv2D(5, padding="same")],
         lambda: depthwise(96, 5)),
    Case("max pooling, upsampling", IMAGE, lambda: [layers.MaxPooling2D(), layers.UpSampling2D()],
         lambda: [nn.MaxPool2d(2), nn.Upsample(scale_factor=2)]),
    Case("average pooling 3x3", IMAGE, lambda: [layers.AveragePooling2D(3, 1, padding="same")],
         lambda: [nn.AvgPool2d(3, 1, 1, count_include_pad=False)]),
    Case("dropout", IMAGE, lambda: [layers.Dropout(0.3)], lambda: [nn.Dropout(0.3)]),
    Case("relu, turned round", (64, 64), lambda: [layers.ReLU(), layers.Permute((2, 1))], lambda: [Function(turned)]),
]
# fmt: on


def our_network(case: Case, copies: int) -> Any:
    """The network, compiled."""
    stack = [layer for _ in range(copies) for layer in case.ours()]
    model = pynn.Sequential([pynn.Input(case.shape), layers.Dense(case.shape[-1]), *stack])
    model.compile("sgd", "mse")
    return model


def their_network(case: Case, copies: int) -> nn.Module:
    """The same of PyTorch. Images have their channels first, but, where it can, last in memory."""
    stack = [module for _ in range(copies) for module in case.theirs()]
    channels = case.shape[-1]
    if len(case.shape) == 2:
        return nn.Sequential(nn.Linear(channels, channels), *stack)
    network = nn.Sequential(nn.Conv2d(channels, channels, 1), *stack)
    return network if has_group_norm(network) else network.to(memory_format=torch.channels_last)


def has_group_norm(network: nn.Module) -> bool:
    """Its gradient crashes in PyTorch 2.13 where channels are last in memory."""
    return any(isinstance(module, nn.GroupNorm) for module in network.modules())


def our_calls(case: Case, x: np.ndarray[Any, Any], copies: int) -> list[Callable[[], object]]:
    """A prediction, and a step of training."""
    model = our_network(case, copies)
    return [lambda: model.predict_on_batch(x), lambda: model.train_on_batch(x, x)]


def their_calls(case: Case, x: np.ndarray[Any, Any], copies: int) -> list[Callable[[], object]]:
    """The same of PyTorch."""
    network, samples = their_network(case, copies), torch.from_numpy(x)
    if len(case.shape) == 3:
        memory = torch.contiguous_format if has_group_norm(network) else torch.channels_last
        samples = samples.permute(0, 3, 1, 2).contiguous(memory_format=memory)
    optimizer = torch.optim.SGD(network.parameters(), 0.01)
    # It lies in memory as the samples do. That of `mse_loss` does not: activations then take several times as long.
    slopes = torch.rand_like(samples) * 1e-6

    def predict() -> object:
        network.eval()
        with torch.inference_mode():
            return network(samples)

    def train() -> None:
        network.train()
        optimizer.zero_grad()
        network(samples).backward(slopes)
        optimizer.step()

    return [predict, train]


def keep_memory() -> None:
    """Have the C library keep what is given back: else PyTorch may get its memory anew, page by page, in each step."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # of glibc
    if mallopt is not None:
        trim_threshold, mmap_threshold = -1, -3
        mallopt(trim_threshold, 1 << 30)
        mallopt(mmap_threshold, 1 << 25)


def measure(case: Case, rounds: int) -> str:
    """A row of the table."""
    x = np.random.default_rng(1).uniform(-1, 1, (BATCH, *case.shape)).astype(np.float32)
    row = f"{case.name:24}"
    sides = [make(case, x, copies) for make in (our_calls, their_calls) for copies in (FEW, MANY)]
    for calls in zip(*sides, strict=True):
        few, many, their_few, their_many = calls_in_turns(calls, rounds, 0.01, min)
        ours, theirs = ((late - early) / (MANY - FEW) for early, late in ((few, many), (their_few, their_many)))
        row += f" {ours * 1e6:8.1f} {theirs * 1e6:8.1f} {theirs / ours:6.2f}"
    return row


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1, help="of both sides; default: 1")
    parser.add_argument("--rounds", type=int, default=15, help="turns of each side; default: 15")
    parser.add_argument("--layers", help="which, by parts of their names; default: all")
    options = parser.parse_args(arguments)
    parts = options.layers.split(",") if options.layers else [""]
    chosen = [case for case in CASES if any(part in case.name for part in parts)]
    if not chosen:
        parser.error(f"--layers {options.layers!r}: none of {', '.join(case.name for case in CASES)} has such a part")
    if options.threads < 1 or options.rounds < 1:
        parser.error("--threads and --rounds must be at least 1")
    pynn.config.set_num_threads(options.threads)
    torch.set_num_threads(options.threads)
    keep_memory()
    print_machine()
    print(f"torch {torch.__version__}; {BATCH} samples; the least of the rounds, us; x: torch's time to pynn's")
    print()
    print(f"{'':24} {'predict':>8} {'torch':>8} {'x':>6} {'train':>8} {'torch':>8} {'x':>6}")
    for case in chosen:
        print(measure(case, options.rounds), flush=True)


if __name__ == "__main__":
    main()

"""PyTorch, eager: tensors that are indexed (no DataLoader), and fused optimizers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from networks import Branches, Conv2D, Dense, Flatten, Layer, MaxPooling2D, Network, Residual, Shape
from training_data import Array, Data

from .base import Side, in_parts, rows_at_a_time

DENSE_ROWS = 1000  # predicted at a time: quicker than all at once


def make_modules(layer: Layer, shape: Shape) -> list[torch.nn.Module]:
    """The modules of a layer. A softmax is left to the loss, which takes what is before it."""
    if isinstance(layer, Flatten):
        return [torch.nn.Flatten()]
    if isinstance(layer, Dense):
        return with_activation(torch.nn.Linear(shape[-1], layer.units), layer.activation)
    if isinstance(layer, Conv2D):
        return with_activation(
            torch.nn.Conv2d(shape[-1], layer.filters, layer.size, padding=layer.padding), layer.activation
        )
    if isinstance(layer, MaxPooling2D):
        return [torch.nn.MaxPool2d(layer.size)]
    if isinstance(layer, Residual):
        return [Around(make_chain(layer.layers, shape))]
    if isinstance(layer, Branches):
        return [SideBySide([make_chain(chain, shape) for chain in layer.chains])]
    raise TypeError(f"The torch side has no {layer!r}.")


def make_chain(layers: tuple[Layer, ...], shape: Shape) -> torch.nn.Sequential:
    """The modules of layers that follow each other."""
    modules = []
    for layer in layers:
        modules += make_modules(layer, shape)
        shape = layer.output_shape(shape)
    return torch.nn.Sequential(*modules)


class Around(torch.nn.Module):
    """``x + inner(x)``."""

    def __init__(self, inner: torch.nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.inner(x)


class SideBySide(torch.nn.Module):
    """What several modules make of one input, along the axis of the channels."""

    def __init__(self, inner: list[torch.nn.Sequential]) -> None:
        super().__init__()
        self.inner = torch.nn.ModuleList(inner)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([each(x) for each in self.inner], 1)


def with_activation(module: torch.nn.Linear | torch.nn.Conv2d, activation: str) -> list[torch.nn.Module]:
    """The module with the first weights of all sides, and its activation."""
    torch.nn.init.xavier_uniform_(module.weight)
    torch.nn.init.zeros_(module.bias)
    return [module, torch.nn.ReLU()] if activation == "relu" else [module]


class Library(Side):
    """Softmax networks."""

    def __init__(self, network: Network, data: Data, threads: int) -> None:
        torch.set_num_threads(threads)
        torch.manual_seed(1)
        self.batch, self.part = network.batch, rows_at_a_time(network, DENSE_ROWS)
        self.x, self.y = self.take(data.x), torch.from_numpy(data.y.astype(np.int64))
        self.model = make_chain(network.layers, network.input_shape)
        # Images with the channels last are quicker here, in training and in predictions; dense layers do not mind.
        self.model = self.model.to(memory_format=torch.channels_last)
        weights, rate = self.model.parameters(), network.learning_rate
        if network.optimizer == "adam":
            self.optimizer = torch.optim.Adam(weights, rate, eps=1e-7, fused=True)
        else:
            self.optimizer = torch.optim.SGD(weights, rate, fused=True)

    def epoch(self) -> None:
        for rows in torch.randperm(len(self.x)).split(self.batch):
            self.optimizer.zero_grad()
            torch.nn.functional.cross_entropy(self.model(self.x[rows]), self.y[rows]).backward()
            self.optimizer.step()

    def take(self, x: Array) -> torch.Tensor:
        rows = torch.from_numpy(x)
        return rows.permute(0, 3, 1, 2) if rows.ndim == 4 else rows  # channels first for PyTorch, last in memory

    @torch.inference_mode()
    def predict(self, rows: torch.Tensor) -> torch.Tensor:
        return in_parts(lambda part: torch.softmax(self.model(part), 1), rows, self.part, torch.cat)

    def ways(self, row: torch.Tensor) -> dict[str, Callable[[], object]]:
        @torch.inference_mode()
        def call() -> torch.Tensor:
            return torch.softmax(self.model(row), 1)

        return {"model(x)": call}

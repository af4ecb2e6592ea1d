"""PyTorch, eager: tensors that are indexed (no DataLoader), and fused optimizers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from networks import Dense, Flatten, Layer, Network, Shape
from training_data import Array, Data

from .base import Side

ROWS = 1000  # predicted at a time: quicker than all at once


def make_modules(layer: Layer, shape: Shape) -> list[torch.nn.Module]:
    """The modules of a layer. A softmax is left to the loss, which takes what is before it."""
    if isinstance(layer, Flatten):
        return [torch.nn.Flatten()]
    if isinstance(layer, Dense):
        linear = torch.nn.Linear(shape[-1], layer.units)
        torch.nn.init.xavier_uniform_(linear.weight)
        torch.nn.init.zeros_(linear.bias)
        return [linear, torch.nn.ReLU()] if layer.activation == "relu" else [linear]
    raise TypeError(f"The torch side has no {layer!r}.")


class Library(Side):
    """Softmax networks."""

    def __init__(self, network: Network, data: Data, threads: int) -> None:
        torch.set_num_threads(threads)
        torch.manual_seed(1)
        self.batch = network.batch
        self.x, self.y = torch.from_numpy(data.x), torch.from_numpy(data.y.astype(np.int64))
        self.model = torch.nn.Sequential(*(m for pair in network.shaped_layers() for m in make_modules(*pair)))
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
        return torch.from_numpy(x)

    @torch.inference_mode()
    def predict(self, rows: torch.Tensor) -> torch.Tensor:
        return torch.cat([torch.softmax(self.model(part), 1) for part in rows.split(ROWS)])

    def ways(self, row: torch.Tensor) -> dict[str, Callable[[], object]]:
        @torch.inference_mode()
        def call() -> torch.Tensor:
            return torch.softmax(self.model(row), 1)

        return {"model(x)": call}

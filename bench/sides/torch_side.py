"""PyTorch, eager: tensors that are indexed (no DataLoader), and fused optimizers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from networks import (
    Branches,
    Conv2D,
    Dense,
    Flatten,
    GlobalAveragePooling1D,
    Layer,
    LayerNormalization,
    MaxPooling2D,
    Network,
    Recurrent,
    Residual,
    SelfAttention,
    Shape,
)
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
    if isinstance(layer, Recurrent):
        return [Steps(layer, shape)]
    if isinstance(layer, SelfAttention):
        return [Attention(shape[-1], layer.heads)]
    if isinstance(layer, LayerNormalization):
        return [torch.nn.LayerNorm(shape[-1], eps=1e-3)]
    if isinstance(layer, GlobalAveragePooling1D):
        return [Mean()]
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


class Steps(torch.nn.Module):
    """A recurrent layer with Keras's first weights: its output after each step, or after the last."""

    def __init__(self, layer: Recurrent, shape: Shape) -> None:
        super().__init__()
        kind = {"SimpleRNN": torch.nn.RNN, "LSTM": torch.nn.LSTM, "GRU": torch.nn.GRU}[layer.kind]
        self.inner = kind(shape[-1], layer.units, batch_first=True)
        self.return_sequences = layer.return_sequences
        torch.nn.init.xavier_uniform_(self.inner.weight_ih_l0)
        torch.nn.init.orthogonal_(self.inner.weight_hh_l0)
        torch.nn.init.zeros_(self.inner.bias_ih_l0)
        torch.nn.init.zeros_(self.inner.bias_hh_l0)
        if layer.kind == "LSTM":
            torch.nn.init.ones_(self.inner.bias_ih_l0[layer.units : 2 * layer.units].detach())  # of the forget gate
        if layer.kind != "GRU":
            # Only PyTorch has a second bias here; both together would learn at twice the rate.
            self.inner.bias_hh_l0.requires_grad_(False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        outputs, _ = self.inner(x)
        return outputs if self.return_sequences else outputs[:, -1]


class Attention(torch.nn.Module):
    """A sequence that attends to itself."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.inner = torch.nn.MultiheadAttention(width, heads, batch_first=True)
        for weight in (*self.inner.in_proj_weight.detach().chunk(3), self.inner.out_proj.weight):
            torch.nn.init.xavier_uniform_(weight)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.inner(x, x, x, need_weights=False)[0]


class Mean(torch.nn.Module):
    """The mean over the steps of a sequence."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.mean(1)


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
        weights = [weight for weight in self.model.parameters() if weight.requires_grad]
        rate = network.learning_rate
        if network.optimizer == "adam":
            self.optimizer = torch.optim.Adam(weights, rate, eps=1e-7, fused=True)
        else:
            self.optimizer = torch.optim.SGD(weights, rate, fused=True)

    def loss(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """The mean cross-entropy of a batch."""
        return torch.nn.functional.cross_entropy(self.model(x), y)

    def epoch(self) -> None:
        for rows in torch.randperm(len(self.x)).split(self.batch):
            self.optimizer.zero_grad()
            self.loss(self.x[rows], self.y[rows]).backward()
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

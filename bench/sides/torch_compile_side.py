"""PyTorch with `torch.compile`: the forward pass, the loss and their gradients; otherwise as `torch_side.py`.

PyTorch does not compile its recurrent layers, and runs them as they are between the parts that it does compile.
"""

from __future__ import annotations

import torch
from networks import Network
from training_data import Data

from . import torch_side


class Library(torch_side.Library):
    """Takes a compiler for C++, and a minute or more for the first batch."""

    def __init__(self, network: Network, data: Data, threads: int) -> None:
        super().__init__(network, data, threads)
        self.loss = torch.compile(self.loss)

"""Makes interchange_torch.*: states of PyTorch's modules, and what they compute. Needs PyTorch and safetensors.

python tests/golden/make_interchange_torch.py
"""

import pathlib

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn

FOLDER = pathlib.Path(__file__).parent


class Sequences(nn.Module):
    """Recurrent modules of each kind, one after the other."""

    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(11, 5)
        self.lstm = nn.LSTM(5, 4, batch_first=True, bidirectional=True)
        self.gru = nn.GRU(8, 3, batch_first=True)
        self.rnn = nn.RNN(3, 6, batch_first=True)
        self.end = nn.Linear(6, 2)

    def forward(self, x):
        x = self.words(x)
        for each in (self.lstm, self.gru, self.rnn):
            x = each(x)[0]
        return self.end(x)


class Attending(nn.Module):
    def __init__(self):
        super().__init__()
        self.attention = nn.MultiheadAttention(6, 2, batch_first=True)
        self.norm = nn.LayerNorm(6)

    def forward(self, x):
        return self.norm(x + self.attention(x, x, x)[0])


MODULES = {
    "images": (
        lambda: nn.Sequential(
            nn.Conv2d(3, 4, 3),
            nn.BatchNorm2d(4),
            nn.ReLU(),
            nn.Conv2d(4, 8, 3, groups=4),
            nn.GroupNorm(2, 8),
            nn.MaxPool2d(2),
            nn.PReLU(8),
            nn.ConvTranspose2d(8, 3, 2, stride=2),
            nn.Flatten(),
            nn.BatchNorm1d(48),
            nn.Linear(48, 5),
            nn.LayerNorm(5),
            nn.Tanh(),
            nn.Linear(5, 2, bias=False),
        ),
        (3, 8, 8),
    ),
    "signals": (
        lambda: nn.Sequential(
            nn.Conv1d(3, 4, 2),
            nn.ConvTranspose1d(4, 3, 3),
            nn.Flatten(),
            nn.Linear(24, 4),
            nn.Sigmoid(),
            nn.Linear(4, 2),
        ),
        (3, 7),
    ),
    "sequences": (Sequences, (6,)),
    "attending": (Attending, (5, 6)),
}


def main():
    found = {}
    for number, (name, (make, shape)) in enumerate(MODULES.items()):
        torch.manual_seed(number)
        module, random = make(), np.random.default_rng(number)
        state = {
            key: torch.tensor(
                random.uniform(-1, 1, v.shape) ** 2 if "running" in key else random.uniform(-1, 1, v.shape)
            )
            if v.is_floating_point()
            else v
            for key, v in module.state_dict().items()
        }
        module.load_state_dict(state)
        module.eval()
        x = random.integers(0, 11, (3, *shape)) if name == "sequences" else random.normal(size=(3, *shape))
        given = torch.tensor(x) if name == "sequences" else torch.tensor(x, dtype=torch.float32)
        found |= {f"{name}/x": x, f"{name}/y": module(given).detach().numpy()}
        found |= {f"{name}/state/{key}": v.numpy() for key, v in module.state_dict().items()}
        if name == "images":
            save_file(module.state_dict(), FOLDER / "interchange_torch_images.safetensors")
            (FOLDER / "interchange_torch_images.safetensors").chmod(0o644)
    torch.save({"weight": torch.zeros(2, 3)}, FOLDER / "interchange_torch.pt")
    np.savez_compressed(FOLDER / "interchange_torch.npz", **found)


if __name__ == "__main__":
    main()

"""q(c | window): the posterior over the safety variable, from the last w observations."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from safer_gym.types import Gaussian


class SafetyVariable(nn.Module):
    """A transformer's layer over a window of features to a diagonal Gaussian.

    Only the newest row's output is read, so that only its is computed.

    Args:
        features: entries F of each of the window's rows.
        window: rows W.
        size: entries C of the safety variable.
        width: of the transformer.
        heads: of the attention.
    """

    def __init__(
        self, features: int, window: int = 16, size: int = 8, width: int = 32, heads: int = 4
    ) -> None:
        super().__init__()
        self.window, self.size = window, size
        self.embed = nn.Linear(features, width)
        self.position = nn.Parameter(0.02 * torch.randn(window, width))
        self.before, self.after = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)
        self.feed = nn.Sequential(
            nn.Linear(width, 2 * width), nn.ReLU(), nn.Linear(2 * width, width)
        )
        self.head = nn.Linear(width, 2 * size)

    def forward(self, window: Tensor) -> Gaussian:
        """The distribution of c [B, C] given windows [B, W, F], oldest row first."""
        rows = self.embed(window) + self.position
        seen, newest = self.before(rows), rows[:, -1]
        found, _ = self.attention(seen[:, -1:], seen, seen, need_weights=False)
        newest = newest + found[:, 0]
        newest = newest + self.feed(self.after(newest))
        mean, log_scale = self.head(newest).chunk(2, dim=1)
        return Gaussian(mean, log_scale.clamp(-5.0, 2.0).exp())

"""q(c | window): the posterior over the safety variable, from the last w observations."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from safer_gym.types import Gaussian


class SafetyVariable(nn.Module):
    """A transformer over a window of features to a diagonal Gaussian.

    Args:
        features: entries F of each of the window's rows.
        window: rows W.
        size: entries C of the safety variable.
        width: of the transformer.
        heads, layers: of the transformer.
    """

    def __init__(
        self,
        features: int,
        window: int = 16,
        size: int = 8,
        width: int = 32,
        heads: int = 4,
        layers: int = 1,
    ) -> None:
        super().__init__()
        self.window, self.size = window, size
        self.embed = nn.Linear(features, width)
        self.position = nn.Parameter(0.02 * torch.randn(window, width))
        layer = nn.TransformerEncoderLayer(
            width, heads, dim_feedforward=2 * width, dropout=0.0, batch_first=True, norm_first=True
        )
        self.transformer = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        self.head = nn.Linear(width, 2 * size)

    def forward(self, window: Tensor) -> Gaussian:
        """The distribution of c [B, C] given windows [B, W, F], oldest row first."""
        hidden = self.transformer(self.embed(window) + self.position)
        mean, log_scale = self.head(hidden[:, -1]).chunk(2, dim=1)
        return Gaussian(mean, log_scale.clamp(-5.0, 2.0).exp())

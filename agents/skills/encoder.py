"""What a prior makes of an observation before anything conditions on it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

IMAGE_FEATURES = 256


class StateEncoder(nn.Module):
    """A vector of numbers, standardised by the data's mean and standard deviation.

    Args:
        size: entries O.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, size: int) -> None:
        super().__init__()
        self.features = size
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("std", torch.ones(size))

    def fit(self, observations: Tensor) -> None:
        """Take mean and deviation of observations [N, O]; what hardly moves is left as it is."""
        observations = observations.float()
        std = observations.std(dim=0)
        self.mean.copy_(observations.mean(dim=0))
        self.std.copy_(torch.where(std > 1e-4, std, torch.ones_like(std)))

    def forward(self, observations: Tensor) -> Tensor:
        """Features [B, O]."""
        return (observations - self.mean) / self.std


class ImageEncoder(nn.Module):
    """PARROT's network for images of 48 x 48: three convolutions of 16 channels, two pools.

    Args:
        shape: channels, height, width; both multiples of 4.
    """

    def __init__(self, shape: Sequence[int]) -> None:
        super().__init__()
        channels, height, width = shape
        self.features = IMAGE_FEATURES
        self.net = nn.Sequential(
            nn.Conv2d(channels, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(16, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(16, 16, 3, padding=1), nn.ReLU(), nn.Flatten(),
            nn.Linear(16 * (height // 4) * (width // 4), 1024), nn.ReLU(),
            nn.Linear(1024, 512), nn.ReLU(), nn.Linear(512, IMAGE_FEATURES),
        )  # fmt: skip

    def fit(self, observations: Tensor) -> None:
        """Nothing to take: pixels have a range of their own."""

    def forward(self, observations: Tensor) -> Tensor:
        """Features [B, 256] of pixels in [0, 255]."""
        return self.net(observations / 255.0 - 0.5)


def make_encoder(shape: Sequence[int]) -> StateEncoder | ImageEncoder:
    """By the shape of an observation: (O,) or (C, H, W).

    Raises:
        ValueError: another number of axes.
    """
    if len(shape) == 1:
        return StateEncoder(shape[0])
    if len(shape) == 3:
        return ImageEncoder(shape)
    raise ValueError(f"observation shape must be (O,) or (C, H, W); got {tuple(shape)}")

"""The conditional flow f: latent actions z to actions, given a context; Eq. (2) of the paper.

PARROT's Real NVP (Singh et al., 2021): affine coupling layers whose log-scale is a tanh, and a tanh
onto the action box at the end. Its code pads actions to an even size; here the halves may differ.

Axes: B batch, A action, X context.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from safer_gym.divergences import gaussian_log_prob
from safer_gym.types import Gaussian

EDGE = 1e-3
"""Data closer than this to the ends of the action box count as this far inside: at the ends the
density is unbounded."""


class Coupling(nn.Module):
    """One layer: a part of the entries, and the context, shift and scale the other part.

    Args:
        size: entries A.
        context: entries X of the context.
        hidden: units of the two hidden layers.
        flip: whether the first part moves, not the last.
    """

    kept: Tensor
    moved: Tensor

    def __init__(self, size: int, context: int, hidden: int, *, flip: bool) -> None:
        super().__init__()
        half = size // 2  # of a single entry none is left to condition on: the context alone does
        first, last = torch.arange(half), torch.arange(half, size)
        kept, moved = (last, first) if flip and half else (first, last)
        self.register_buffer("kept", kept, persistent=False)
        self.register_buffer("moved", moved, persistent=False)
        self.net = nn.Sequential(
            nn.Linear(len(kept) + context, hidden),
            nn.ReLU(),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
            nn.Linear(hidden, 2 * len(moved)),
        )

    def forward(
        self, x: Tensor, context: Tensor, *, inverse: bool = False
    ) -> tuple[Tensor, Tensor]:
        """The image [B, A] of x [B, A], and log |det| of the map at x [B]."""
        shift, raw = self.net(torch.cat([x[:, self.kept], context], dim=1)).chunk(2, dim=1)
        log_scale = raw.tanh()
        moved = x[:, self.moved]
        if inverse:
            moved, log_scale = (moved - shift) * (-log_scale).exp(), -log_scale
        else:
            moved = moved * log_scale.exp() + shift
        return x.index_copy(1, self.moved, moved), log_scale.sum(dim=1)


class Flow(nn.Module):
    """An invertible map of z to actions, at every context."""

    def inverse(self, actions: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        """z [B, A] of actions in [-1, 1]^A, and log |det dz/da| [B]."""
        raise NotImplementedError

    def log_prob(self, actions: Tensor, context: Tensor) -> Tensor:
        """log p(a | context) for z ~ N(0, I), in nats [B]; Eq. (2)."""
        z, log_det = self.inverse(actions, context)
        return gaussian_log_prob(Gaussian(torch.zeros_like(z), torch.ones_like(z)), z) + log_det


class CouplingFlow(Flow):
    """f: z [B, A] to actions in (-1, 1)^A, invertible at every context [B, X].

    In float32 actions within the box's ends by `EDGE` are found again from their z, within 1e-5; z
    is not found again from its action where that lies nearer to an end, for the tanh saturates.

    Args:
        size: entries A of an action.
        context: entries X of the context.
        layers: coupling layers; their parts alternate.
        hidden: units of their hidden layers.
    """

    def __init__(self, size: int, context: int, layers: int = 4, hidden: int = 256) -> None:
        super().__init__()
        self.size = size
        self.layers = nn.ModuleList(
            Coupling(size, context, hidden, flip=bool(k % 2)) for k in range(layers)
        )

    def forward(self, z: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        """f(z) [B, A] and log |det df/dz| [B]."""
        log_det = z.new_zeros(len(z))
        for layer in self.layers:
            z, step = layer(z, context)
            log_det = log_det + step
        return z.tanh(), log_det + log_slope(z)

    def inverse(self, actions: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        """f^-1 of actions in [-1, 1]^A, and log |det df^-1/da| [B]."""
        x = actions.clamp(EDGE - 1, 1 - EDGE).atanh()
        log_det = -log_slope(x)
        for layer in reversed(self.layers):
            x, step = layer(x, context, inverse=True)
            log_det = log_det + step
        return x, log_det


def log_slope(x: Tensor) -> Tensor:
    """Sum over the entries of log d tanh(x) / dx, exact for large x [B]."""
    return 2 * (torch.log(x.new_tensor(2.0)) - x - softplus(-2 * x)).sum(dim=1)

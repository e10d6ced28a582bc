"""K multilayer perceptrons of a state and an action, evaluated as one batched product.

The first layer is split into a state part and an action part. When N actions are scored for each
of B states, the state part runs B times, not N * B times, and no repeated state is ever stored.
Without gradients, and on a CPU, many actions are scored tile by tile: hidden layers then stay in
the processor's cache instead of in tens of megabytes of fresh memory.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from itertools import pairwise

import torch
from torch import Tensor, nn

TILE_ROWS = 1024
"""Rows of a tile. Its hidden layer, 1 MB at 256 units, fits a core's second-level cache."""


class EnsembleMLP(nn.Module):
    """Q_k(features, action) for k = 1..K.

    Args:
        features_dim: F, size of the state features.
        action_dim: A.
        net_arch: widths of the hidden layers; may be empty (a linear function).
        n_members: K >= 1.
        activation_fn: an activation module class.
    """

    def __init__(
        self,
        features_dim: int,
        action_dim: int,
        net_arch: list[int],
        n_members: int,
        activation_fn: type[nn.Module] = nn.ReLU,
    ) -> None:
        super().__init__()
        self.features_dim, self.action_dim, self.n_members = features_dim, action_dim, n_members
        # The products below do not need their outputs again, so ReLU may overwrite them.
        self.activation = nn.ReLU(inplace=True) if activation_fn is nn.ReLU else activation_fn()
        sizes = [features_dim + action_dim, *net_arch, 1]
        self.weights = nn.ParameterList(
            nn.Parameter(_uniform((n_members, i, o), i)) for i, o in pairwise(sizes)
        )
        self.biases = nn.ParameterList(
            nn.Parameter(_uniform((n_members, 1, o), i)) for i, o in pairwise(sizes)
        )

    def forward(self, features: Tensor, actions: Tensor) -> Tensor:
        """Score actions [..., B, A] in states of features [B, F]; returns [K, ..., B]."""
        lead, batch = actions.shape[:-2], actions.shape[-2]
        if lead and actions.device.type == "cpu" and not torch.is_grad_enabled():
            return self._tiled(features, actions)
        weights, biases = list(self.weights), list(self.biases)  # slices of the lists are slow
        flat = actions.reshape(-1, self.action_dim)
        state_part = torch.baddbmm(
            biases[0],
            features.expand(self.n_members, -1, -1),
            weights[0][:, : self.features_dim],
        )
        action_part = flat.expand(self.n_members, -1, -1) @ weights[0][:, self.features_dim :]
        width = action_part.shape[-1]
        hidden = action_part.view(self.n_members, -1, batch, width).add_(state_part.unsqueeze(1))
        hidden = hidden.view(self.n_members, -1, width)
        for weight, bias in zip(weights[1:], biases[1:], strict=True):
            hidden = torch.baddbmm(bias, self.activation(hidden), weight)
        return hidden.view(self.n_members, *lead, batch)

    def _tiled(self, features: Tensor, actions: Tensor) -> Tensor:
        """The same sums, one member and one tile of actions at a time."""
        lead, batch = actions.shape[:-2], actions.shape[-2]
        groups = actions.reshape(-1, batch, self.action_dim)
        tiles = groups.split(max(1, TILE_ROWS // batch))
        members = [
            torch.cat(list(self._member_tiles(member, features, tiles)))
            for member in range(self.n_members)
        ]
        return torch.stack(members).view(self.n_members, *lead, batch)

    def _member_tiles(
        self, member: int, features: Tensor, tiles: Iterable[Tensor]
    ) -> Iterator[Tensor]:
        """Values [n, 1] of each tile [n / B, B, A] by one member."""
        weights = [weight[member] for weight in self.weights]
        biases = [bias[member] for bias in self.biases]
        state_part = torch.addmm(biases[0], features, weights[0][: self.features_dim])
        action_weight = weights[0][self.features_dim :]
        for tile in tiles:
            hidden = (tile @ action_weight).add_(state_part).flatten(0, 1)
            for weight, bias in zip(weights[1:], biases[1:], strict=True):
                hidden = torch.addmm(bias, self.activation(hidden), weight)
            yield hidden


def _uniform(shape: tuple[int, ...], fan_in: int) -> Tensor:
    """The bound of torch.nn.Linear's own initialisation, 1 / sqrt(fan_in)."""
    bound = 1.0 / math.sqrt(fan_in)
    return torch.empty(shape).uniform_(-bound, bound)

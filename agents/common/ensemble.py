"""K multilayer perceptrons of a state and an action, evaluated as one batched product.

The first layer is split into a state part and an action part. When N actions are scored for each
of B states, the state part runs B times, not N * B times, and no repeated state is ever stored.
"""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor, nn


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
        flat = actions.reshape(-1, self.action_dim)
        state_part = torch.baddbmm(
            self.biases[0],
            features.expand(self.n_members, -1, -1),
            self.weights[0][:, : self.features_dim],
        )
        action_part = flat.expand(self.n_members, -1, -1) @ self.weights[0][:, self.features_dim :]
        width = action_part.shape[-1]
        hidden = action_part.view(self.n_members, -1, batch, width).add_(state_part.unsqueeze(1))
        hidden = hidden.view(self.n_members, -1, width)
        for weight, bias in zip(self.weights[1:], self.biases[1:], strict=True):
            hidden = torch.baddbmm(bias, self.activation(hidden), weight)
        return hidden.view(self.n_members, *lead, batch)


def _uniform(shape: tuple[int, ...], fan_in: int) -> Tensor:
    """The bound of torch.nn.Linear's own initialisation, 1 / sqrt(fan_in)."""
    bound = 1.0 / math.sqrt(fan_in)
    return torch.empty(shape).uniform_(-bound, bound)

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

from safer_gym.networks import Layer

ACTIVATIONS = {nn.ReLU: "relu", nn.Tanh: "tanh"}
"""Those whose gradient is written out, by the name it has there."""
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

    @property
    def layers(self) -> list[Layer]:
        """All layers, [K, I, O] and [K, 1, O]; read past the lists, which are slow."""
        weights, biases = self.weights._parameters.values(), self.biases._parameters.values()
        return [Layer(*pair) for pair in zip(weights, biases, strict=True)]  # type: ignore[arg-type]

    def member(self, k: int) -> nn.Sequential:
        """The k-th network as a module of plain layers that reads [features, action]; a copy."""
        found: list[nn.Module] = []
        for weight, bias in self.layers:
            linear = nn.Linear(*weight.shape[1:])
            linear.weight, linear.bias = (
                nn.Parameter(value.detach().clone()) for value in (weight[k].mT, bias[k, 0])
            )
            found += [linear, type(self.activation)()]
        return nn.Sequential(*found[:-1])

    def forward(
        self, features: Tensor, actions: Tensor, dtype: torch.dtype | None = None
    ) -> Tensor:
        """Score actions [..., B, A] in states of features [B, F]; returns [K, ..., B].

        With a `dtype` of fewer bits, and where neither gradients nor another device are asked for,
        the products between hidden layers are taken in it; all other sums are not.
        """
        on_cpu = actions.device.type == "cpu"
        if actions.dim() > 2 and on_cpu and not torch.is_grad_enabled():
            return self._tiled(features, actions, dtype)
        return self._stacked(features, actions)

    def _stacked(self, features: Tensor, actions: Tensor) -> Tensor:
        """All members in one product for each layer."""
        lead, batch = actions.shape[:-2], actions.shape[-2]
        (weight, bias), *others = self.layers
        flat = actions.reshape(-1, self.action_dim)
        state_part = torch.baddbmm(
            bias, features.expand(self.n_members, -1, -1), weight[:, : self.features_dim]
        )
        action_part = flat.expand(self.n_members, -1, -1) @ weight[:, self.features_dim :]
        width = action_part.shape[-1]
        hidden = action_part.view(self.n_members, -1, batch, width).add_(state_part.unsqueeze(1))
        hidden = hidden.view(self.n_members, -1, width)
        for weight, bias in others:
            hidden = torch.baddbmm(bias, self.activation(hidden), weight)
        return hidden.view(self.n_members, *lead, batch)

    def _tiled(self, features: Tensor, actions: Tensor, dtype: torch.dtype | None) -> Tensor:
        """The same sums, one member and one tile of actions at a time."""
        lead, batch = actions.shape[:-2], actions.shape[-2]
        groups = actions.reshape(-1, batch, self.action_dim)
        tiles = groups.split(max(1, TILE_ROWS // batch))
        members = [
            torch.cat(list(self._member_tiles(member, features, tiles, dtype)))
            for member in range(self.n_members)
        ]
        return torch.stack(members).view(self.n_members, *lead, batch)

    def _member_tiles(
        self, member: int, features: Tensor, tiles: Iterable[Tensor], dtype: torch.dtype | None
    ) -> Iterator[Tensor]:
        """Values [n, 1] of each tile [n / B, B, A] by one member."""
        (weight, bias), *others = [(weight[member], bias[member]) for weight, bias in self.layers]
        state_part = torch.addmm(bias, features, weight[: self.features_dim])
        action_weight = weight[self.features_dim :]
        between = [(weight.to(dtype or weight.dtype), bias) for weight, bias in others[:-1]]
        for tile in tiles:
            hidden = (tile @ action_weight).add_(state_part).flatten(0, 1)
            for weight, bias in between:
                hidden = _affine(bias, self.activation(hidden), weight)
            for weight, bias in others[-1:]:  # none, where there is one layer
                hidden = torch.addmm(bias, self.activation(hidden), weight)
            yield hidden


def _affine(bias: Tensor, inputs: Tensor, weight: Tensor) -> Tensor:
    """bias + inputs @ weight, the product in the weight's type."""
    if weight.dtype == inputs.dtype:
        return torch.addmm(bias, inputs, weight)
    return torch.mm(inputs.to(weight.dtype), weight).to(inputs.dtype).add_(bias)


def _uniform(shape: tuple[int, ...], fan_in: int) -> Tensor:
    """The bound of torch.nn.Linear's own initialisation, 1 / sqrt(fan_in)."""
    bound = 1.0 / math.sqrt(fan_in)
    return torch.empty(shape).uniform_(-bound, bound)

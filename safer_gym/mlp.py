"""Multilayer perceptrons with their own derivatives: what autograd finds, at half its cost.

Small networks spend most of a backward pass on bookkeeping. Here the chain rule is written out.

Shapes: K members, B batch, I inputs, O outputs of a layer; inputs [K, B, I].
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from safer_gym.types import ActionFn, QFn

ACTIVATIONS = ("relu", "tanh")
Pull = Callable[[Tensor], Tensor]
"""From a gradient by outputs to the gradient by inputs."""
Slope = Callable[[Tensor], tuple[Tensor, Tensor]]
"""Actions [B, A] to values [B] and their gradients by the action [B, A]."""


class Layer(NamedTuple):
    """An affine map of each member."""

    weight: Tensor
    """[K, I, O]"""
    bias: Tensor
    """[K, 1, O]"""


def hidden_layers(first: Tensor, layers: Sequence[Layer], activation: str) -> list[Tensor]:
    """Activations [K, B, O] of all hidden layers, from the first one's sums, then the output.

    `first` [K, B, O] is overwritten; `layers` are those after the first.
    """
    values = [first]
    for weight, bias in layers:
        values[-1] = values[-1].relu_() if activation == "relu" else values[-1].tanh_()
        values.append(torch.baddbmm(bias, values[-1], weight))
    return values


def pull_back(
    upstream: Tensor, values: Sequence[Tensor], layers: Sequence[Layer], activation: str
) -> Tensor:
    """Gradient by the first layer's sums; arguments as `hidden_layers` took and gave them."""
    for (weight, _), hidden in zip(reversed(layers), reversed(values[:-1]), strict=True):
        upstream = torch.bmm(upstream, weight.mT)
        if activation == "relu":  # a float mask: products with a boolean one are slow
            upstream.mul_(hidden.sign())
        else:
            upstream.addcmul_(upstream, hidden * hidden, value=-1)
    return upstream


@dataclass(frozen=True)
class MlpAction:
    """low + half (1 + tanh(network(obs))), as a plain function that also gives its pull-back.

    Args:
        function: the same as autograd sees it; what a call runs.
        layers: of one member.
        activation: of `ACTIVATIONS`.
        low, half: lower ends [A] and half widths [A] of the action box.
    """

    function: ActionFn
    layers: Sequence[Layer]
    activation: str
    low: Tensor
    half: Tensor

    def __call__(self, obs: Tensor) -> Tensor:
        return self.function(obs)

    def pull(self, obs: Tensor) -> tuple[Tensor, Pull]:
        """Actions [B, A] at `obs` [B, O], and the pull-back to `obs`. Nothing is recorded."""
        (weight, bias), rest = self.layers[0], self.layers[1:]
        sums = torch.baddbmm(bias, obs.to(weight.dtype).unsqueeze(0), weight)
        values = hidden_layers(sums, rest, self.activation)
        unit = values[-1].squeeze(0).tanh()

        def pull(upstream: Tensor) -> Tensor:
            by_output = (upstream * self.half * (1 - unit * unit)).unsqueeze(0)
            by_sums = pull_back(by_output, values, rest, self.activation)
            return torch.bmm(by_sums, weight.mT).squeeze(0).to(obs.dtype)

        return self.low + (unit + 1) * self.half, pull


@dataclass(frozen=True)
class MlpCritic:
    """The least, mean or largest of K networks of (obs, action), with the slope by the action.

    Args:
        function: the same as autograd sees it; what a call runs.
        layers: of K members; the first one's inputs are the observation, then the action.
        activation: of `ACTIVATIONS`.
        aggregation: "min", "mean" or "max".
        low, half: as in `MlpAction`; the networks take actions in [-1, 1].
    """

    function: QFn
    layers: Sequence[Layer]
    activation: str
    aggregation: str
    low: Tensor
    half: Tensor

    def __call__(self, obs: Tensor, actions: Tensor) -> Tensor:
        return self.function(obs, actions)

    def at(self, obs: Tensor) -> Slope:
        """The critic at fixed observations [B, O]: their part of the first layer is computed once.

        Nothing is recorded. Rows where several members attain the extreme share the slope, as
        autograd does.
        """
        (weight, bias), rest = self.layers[0], self.layers[1:]
        n_members, width = weight.shape[0], obs.shape[1]
        states = obs.to(weight.dtype).expand(n_members, -1, -1)
        of_states = torch.baddbmm(bias, states, weight[:, :width])
        by_action = weight[:, width:].contiguous()

        def slope(actions: Tensor) -> tuple[Tensor, Tensor]:
            unit = ((actions - self.low) / self.half - 1).expand(n_members, -1, -1)
            sums = torch.baddbmm(of_states, unit, by_action)
            values = hidden_layers(sums, rest, self.activation)
            result, share = self._aggregate(values[-1].squeeze(-1))
            by_sums = pull_back(share.unsqueeze(-1), values, rest, self.activation)
            by_unit = torch.bmm(by_sums, by_action.mT).sum(0)
            return result, by_unit / self.half

        return slope

    def _aggregate(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """Result [B] of members [K, B], and each member's share of its slope [K, B]."""
        if len(values) == 1:
            return values[0], torch.ones_like(values)
        if self.aggregation == "mean":
            return values.mean(0), torch.full_like(values, 1 / len(values))
        result = values.amin(0) if self.aggregation == "min" else values.amax(0)
        reached = (values == result).to(values.dtype)
        return result, reached / reached.sum(0)

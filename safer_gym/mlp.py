"""Multilayer perceptrons with their own derivatives: what autograd finds, at a third of its cost.

Small networks spend most of a backward pass on bookkeeping. Here the chain rule is written out, in
as few operations as it takes: at these sizes each costs as much as it computes.

Shapes: K members, B batch, I inputs, O outputs of a layer; inputs [K, B, I].
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor

from safer_gym.types import ActionFn, QFn

ACTIVATIONS = ("relu", "tanh")
Pull = Callable[[Tensor], Tensor]
"""From a gradient by outputs to the gradient by inputs; to be called once."""


class Layer(NamedTuple):
    """An affine map of each member."""

    weight: Tensor
    """[K, I, O]"""
    bias: Tensor
    """[K, 1, O]"""


class Chain:
    """Affine maps of K members with activations between them: forward, and back again.

    The weights are views: they are read as they are at each call. A single member drops its axis
    K, since plain products cost less than stacked ones; [K] below is absent then.
    """

    def __init__(self, layers: Sequence[Layer], activation: str) -> None:
        single = len(layers[0].weight) == 1
        self.affine = torch.addmm if single else torch.baddbmm
        self.product = torch.mm if single else torch.bmm
        self.weights = [layer.weight[0] if single else layer.weight for layer in layers]
        self.biases = [layer.bias[0] if single else layer.bias for layer in layers]
        self.turned = [weight.mT for weight in self.weights]
        self.activation = activation

    def forward(self, first: Tensor) -> list[Tensor]:
        """Hidden activations and the output, [K, B, O] each, from the first layer's sums.

        `first` is overwritten.
        """
        values = [first]
        for weight, bias in zip(self.weights[1:], self.biases[1:], strict=True):
            values[-1] = values[-1].relu_() if self.activation == "relu" else values[-1].tanh_()
            values.append(self.affine(bias, values[-1], weight))
        return values

    def back(self, upstream: Tensor | None, values: Sequence[Tensor]) -> Tensor:
        """Gradient by the first layer's sums; `values` is what `forward` gave, and is overwritten.

        `upstream` [K, B, O] is the gradient by the output; None stands for ones.
        """
        for turned, hidden in zip(self.turned[:0:-1], values[-2::-1], strict=True):
            if self.activation == "relu":
                slope = hidden.sign_()  # a float mask: products with a boolean one are slow
            else:
                slope = hidden.mul_(hidden).neg_().add_(1)
            # One output: its weights are the gradient, the same for all rows.
            pulled = turned if upstream is None else self.product(upstream, turned)
            upstream = slope.mul_(pulled)
        return torch.ones_like(values[-1]) if upstream is None else upstream


@dataclass(frozen=True)
class MlpAction:
    """low + half (1 + tanh(network(obs))), as a plain function that also gives its pull-back.

    Args:
        function: the same as autograd sees it; what a call runs.
        layers: of one member, two at least.
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

    @cached_property
    def chain(self) -> Chain:
        """The network."""
        return Chain(self.layers, self.activation)

    def unit(self, obs: Tensor) -> Tensor:
        """Unit actions [B, A] at `obs` [B, O]: (action - low) / half - 1. Nothing is recorded."""
        return self._forward(obs)[-1].tanh_()

    def pull(self, obs: Tensor) -> tuple[Tensor, Pull]:
        """Unit actions [B, A] at `obs` [B, O], and their pull-back. Nothing is recorded."""
        chain, values = self.chain, self._forward(obs)
        unit = values[-1].tanh_()

        def pull(upstream: Tensor) -> Tensor:
            by_output = torch.addcmul(upstream, upstream * unit, unit, value=-1)
            by_obs = torch.mm(chain.back(by_output, values), chain.turned[0])
            return by_obs if by_obs.dtype == obs.dtype else by_obs.to(obs.dtype)

        return unit, pull

    def _forward(self, obs: Tensor) -> list[Tensor]:
        weight = self.chain.weights[0]
        inputs = obs if obs.dtype == weight.dtype else obs.to(weight.dtype)
        return self.chain.forward(torch.addmm(self.chain.biases[0], inputs, weight))


@dataclass(frozen=True)
class MlpCritic:
    """The least, mean or largest of K networks of (obs, action), with the slope by the action.

    Args:
        function: the same as autograd sees it; what a call runs.
        layers: of K members, two at least; the first one's inputs are the observation, then the
            action.
        activation: of `ACTIVATIONS`.
        aggregation: "min", "mean" or "max".
        low, half: as in `MlpAction`; the networks take unit actions, in [-1, 1].
    """

    function: QFn
    layers: Sequence[Layer]
    activation: str
    aggregation: str
    low: Tensor
    half: Tensor

    def __call__(self, obs: Tensor, actions: Tensor) -> Tensor:
        return self.function(obs, actions)

    def at(self, obs: Tensor) -> CriticAt:
        """The critic at fixed observations [B, O]."""
        return CriticAt(self, obs)

    def aggregate(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """Result [B] of members [K, B], and each member's share of its slope [K, B]."""
        if self.aggregation == "mean":
            return values.mean(0), torch.full_like(values, 1 / len(values))
        result = values.amin(0) if self.aggregation == "min" else values.amax(0)
        reached = (values == result).to(values.dtype)
        return result, reached / reached.sum(0)


class CriticAt:
    """A critic at fixed observations [B, O]: their part of the first layer is computed once.

    Nothing is recorded. Rows where several members attain the extreme share the slope, as autograd
    does.
    """

    def __init__(self, critic: MlpCritic, obs: Tensor) -> None:
        self.critic = critic
        self.chain = chain = Chain(critic.layers, critic.activation)
        self.single, width = len(critic.layers[0].weight) == 1, obs.shape[1]
        weight = chain.weights[0]
        states = self._of_members(obs.to(weight.dtype))
        self.of_states = chain.affine(chain.biases[0], states, weight[..., :width, :])
        self.by_action = weight[..., width:, :].contiguous()

    def value(self, unit: Tensor) -> Tensor:
        """Values [B] of unit actions [B, A]."""
        values = self._forward(unit)[-1]
        return values[:, 0] if self.single else self.critic.aggregate(values.squeeze(-1))[0]

    def slope(self, unit: Tensor) -> tuple[Tensor, Tensor]:
        """Values [B] of unit actions [B, A], and their gradients by them [B, A]."""
        values = self._forward(unit)
        if self.single:
            return values[-1][:, 0], torch.mm(self.chain.back(None, values), self.by_action.mT)
        result, share = self.critic.aggregate(values[-1].squeeze(-1))
        by_sums = self.chain.back(share.unsqueeze(-1), values)
        return result, torch.bmm(by_sums, self.by_action.mT).sum(0)

    def _forward(self, unit: Tensor) -> list[Tensor]:
        first = self.chain.affine(self.of_states, self._of_members(unit), self.by_action)
        return self.chain.forward(first)

    def _of_members(self, rows: Tensor) -> Tensor:
        return rows if self.single else rows.expand(len(self.critic.layers[0].weight), -1, -1)

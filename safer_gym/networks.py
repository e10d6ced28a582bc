"""Multilayer perceptrons with their own derivatives: what autograd finds, at a third of its cost.

Small networks spend most of a backward pass on bookkeeping. Here the chain rule is written out, in
as few operations as it takes: at these sizes each costs as much as it computes.

Shapes: K members, B batch, I inputs, O outputs of a layer; inputs [K, B, I].
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from safer_gym.types import ActionFn, QFn

ACTIVATIONS = ("relu", "tanh")
Pull = Callable[[Tensor], Tensor]
"""From a gradient by outputs to the gradient by inputs; to be called once."""


class Layer(NamedTuple):
    """An affine map of each member; of a single one, the axis K may be absent."""

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
        weight = layers[0].weight
        self.n_members = 1 if weight.dim() == 2 else len(weight)
        self.single = single = self.n_members == 1
        self.affine = torch.addmm if single else torch.baddbmm
        self.product = torch.mm if single else torch.bmm
        has_axis = single and weight.dim() == 3
        self.weights = [layer.weight[0] if has_axis else layer.weight for layer in layers]
        self.biases = [layer.bias[0] if has_axis else layer.bias for layer in layers]
        self.turned = [weight.mT for weight in self.weights]
        self.activation = activation

    def of_members(self, rows: Tensor) -> Tensor:
        """Rows [B, I] as every member's input."""
        return rows if self.single else rows.expand(self.n_members, -1, -1)

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
        """Gradient by the first layer's sums; `values` is what `forward` gave.

        `upstream` [K, B, O] is the gradient by the output; None stands for ones.
        """
        for turned, hidden in zip(self.turned[:0:-1], values[-2::-1], strict=True):
            # One output: its weights are the gradient, the same for all rows.
            pulled = turned if upstream is None else self.product(upstream, turned)
            upstream = self._slope(hidden).mul_(pulled)
        return torch.ones_like(values[-1]) if upstream is None else upstream

    def learn(
        self, upstream: Tensor, inputs: Tensor, values: Sequence[Tensor]
    ) -> tuple[Tensor, list[Tensor]]:
        """Gradients by the first layer's sums, and by each layer's weight and bias in turn.

        `upstream` [K, B, O] is the gradient by the output; `values` is what `forward` gave for
        `inputs`.
        """
        by_parameter: list[Tensor] = []
        for layer in reversed(range(len(self.weights))):
            below = values[layer - 1] if layer > 0 else inputs
            by_parameter += [
                upstream.sum(-2, keepdim=True),
                self._by_weight(layer, below, upstream),
            ]
            if layer > 0:
                pulled = self.product(upstream, self.turned[layer])
                upstream = self._slope(below).mul_(pulled)
        return upstream, by_parameter[::-1]

    def _by_weight(self, layer: int, below: Tensor, upstream: Tensor) -> Tensor:
        """below^T upstream, laid out as the weight is, so that it need not be transposed."""
        if self.weights[layer].stride(-2) == 1:
            return self.product(upstream.mT, below).mT
        return self.product(below.mT, upstream)

    def _slope(self, hidden: Tensor) -> Tensor:
        # A float mask for ReLU: products with a boolean one are slow.
        return hidden.sign() if self.activation == "relu" else hidden.square().neg_().add_(1)


class _Mlp(torch.autograd.Function):
    """A chain as one operation of autograd."""

    @staticmethod
    def forward(ctx: Any, activation: str, inputs: Tensor, *parameters: Tensor) -> Tensor:
        pairs = zip(parameters[::2], parameters[1::2], strict=True)
        chain = Chain([Layer(*pair) for pair in pairs], activation)
        rows = chain.of_members(inputs)
        values = chain.forward(chain.affine(chain.biases[0], rows, chain.weights[0]))
        ctx.save_for_backward(inputs, *parameters)
        ctx.chain, ctx.rows, ctx.hidden = chain, rows, values[:-1]
        return values[-1]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Any, ...]:
        chain: Chain = ctx.chain
        _, *parameters = ctx.saved_tensors  # raises if a weight has changed since
        by_first, found = chain.learn(upstream, ctx.rows, ctx.hidden)
        by_inputs = None
        if ctx.needs_input_grad[1]:
            by_inputs = chain.product(by_first, chain.turned[0])
            by_inputs = by_inputs if chain.single else by_inputs.sum(0)
        by_parameter = [g.view(part.shape) for g, part in zip(found, parameters, strict=True)]
        return None, by_inputs, *by_parameter


def mlp(inputs: Tensor, layers: Sequence[Layer], activation: str) -> Tensor:
    """Outputs [K, B, O] of K members at inputs [B, I] that they share, for autograd too.

    One operation of autograd with its gradient written out, by inputs, weights and biases. It can
    be differentiated once. The output of a single member is [B, O].

    Args:
        activation: of `ACTIVATIONS`.
    """
    out: Tensor = _Mlp.apply(activation, inputs, *(part for layer in layers for part in layer))
    return out


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

    def __deepcopy__(self, memo: dict[int, Any]) -> MlpAction:
        """Returns self: a copy of the function must not copy the policy behind it."""
        return self

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
            # Turned: a product with few columns is slow.
            by_obs = torch.mm(chain.weights[0], chain.back(by_output, values).mT).mT
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

    def __deepcopy__(self, memo: dict[int, Any]) -> MlpCritic:
        """Itself, as of any function."""
        return self

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
        weight, width = chain.weights[0], obs.shape[1]
        states = chain.of_members(obs.to(weight.dtype))
        self.of_states = chain.affine(chain.biases[0], states, weight[..., :width, :])
        self.by_action = weight[..., width:, :].contiguous()
        self.turned = self.by_action.mT

    def rows(self, index: Tensor) -> CriticAt:
        """The critic at some of its observations; `index` [b]."""
        part = copy(self)
        part.of_states = self.of_states.index_select(-2, index)
        return part

    def value(self, unit: Tensor) -> Tensor:
        """Values [B] of unit actions [B, A]."""
        values = self._forward(unit)[-1]
        return values[:, 0] if self.chain.single else self.critic.aggregate(values.squeeze(-1))[0]

    def slope(self, unit: Tensor) -> tuple[Tensor, Tensor]:
        """Values [B] of unit actions [B, A], and their gradients by them [B, A]."""
        values = self._forward(unit)
        if self.chain.single:
            return values[-1][:, 0], torch.mm(self.chain.back(None, values), self.turned)
        result, share = self.critic.aggregate(values[-1].squeeze(-1))
        by_sums = self.chain.back(share.unsqueeze(-1), values)
        return result, torch.bmm(by_sums, self.turned).sum(0)

    def _forward(self, unit: Tensor) -> list[Tensor]:
        first = self.chain.affine(self.of_states, self.chain.of_members(unit), self.by_action)
        return self.chain.forward(first)

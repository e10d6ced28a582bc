"""The arithmetic of fitted Q evaluation, for two signals at once.

Axes: K signals (reward, cost), B batch, T steps, E environments, I network inputs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from safer_gym.returns import discounted_sums


class StackedMLP(nn.Module):
    """K independent ReLU networks of the same shape, evaluated together: [B, I] to [K, B]."""

    def __init__(self, k: int, inputs: int, hidden: Sequence[int], generator: torch.Generator):
        super().__init__()
        sizes = [inputs, *hidden, 1]
        self.weights, self.biases = nn.ParameterList(), nn.ParameterList()
        for fan_in, fan_out in pairwise(sizes):
            bound = 1 / math.sqrt(fan_in)
            for store, shape in (
                (self.weights, (k, fan_in, fan_out)),
                (self.biases, (k, 1, fan_out)),
            ):
                start = 2 * torch.rand(shape, generator=generator) - 1
                store.append(nn.Parameter(bound * start))

    def forward(self, inputs: Tensor) -> Tensor:
        """[B, I] to [K, B]."""
        x = inputs.expand(len(self.weights[0]), *inputs.shape)
        for layer, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            x = torch.baddbmm(bias, x, weight)
            x = x.relu() if layer + 1 < len(self.weights) else x
        return x.squeeze(-1)


class QPair(nn.Module):
    """Q of both signals for raw inputs: standardises what goes in and what comes out."""

    def __init__(
        self, inputs: Tensor, returns: Tensor, hidden: Sequence[int], generator: torch.Generator
    ) -> None:
        super().__init__()
        self.net = StackedMLP(len(returns), inputs.shape[1], hidden, generator)
        for name, value in (
            ("input_mean", inputs.mean(0)),
            ("input_scale", _spread(inputs.std(0))),
            ("mean", returns.flatten(1).mean(1, keepdim=True)),
            ("scale", _spread(returns.flatten(1).std(1, keepdim=True))),
        ):
            self.register_buffer(name, value)
        self.input_mean: Tensor
        self.input_scale: Tensor
        self.mean: Tensor
        self.scale: Tensor

    def forward(self, inputs: Tensor) -> Tensor:
        """[B, I] to [K, B], in units of the signals."""
        return self.mean + self.scale * self.net((inputs - self.input_mean) / self.input_scale)


def td_targets(signals: Tensor, next_values: Tensor, terminated: Tensor, gamma: float) -> Tensor:
    """r + gamma Q(s', pi(s')), [K, B]; nothing follows a terminal state, a time limit is no end."""
    return signals + gamma * (1 - terminated.to(signals.dtype)) * next_values


def returns_with_tails(signals: Tensor, terminated: Tensor, done: Tensor, gamma: float) -> Tensor:
    """Discounted sums [K, T, E] of what was seen, with a guess of what time limits cut off.

    After a cut each signal is taken to go on at its mean, mean / (1 - gamma) in all.
    """
    tail = signals.flatten(1).mean(1) / max(1 - gamma, 1e-3)
    cut = (done & ~terminated).to(signals.dtype)
    sums = []
    for signal, rest in zip(signals, tail, strict=True):
        sums.append(discounted_sums(signal + gamma * rest * cut, done, gamma, rest))
    return torch.stack(sums)


def constant_error(errors: Tensor, terminated: Tensor, gamma: float) -> Tensor:
    """The constant that, added to Q, brings the mean TD error to zero, [K, 1].

    A constant shrinks only by gamma per sweep, the slowest of all errors; so it is solved for.
    """
    alive = 1 - terminated.float().mean()
    return errors.mean(1, keepdim=True) / torch.clamp(1 - gamma * alive, min=1e-3)


def _spread(values: Tensor) -> Tensor:
    return torch.where(values > 1e-6, values, 1.0)

"""Policies that each break one clause of the contract, and are right otherwise."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from safer_gym.types import Gaussian, Victim


def _net() -> nn.Sequential:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 2), nn.Tanh())


class Honest(nn.Module):
    """A small network."""

    def __init__(self) -> None:
        super().__init__()
        self.net = _net()

    def forward(self, obs: Tensor) -> Tensor:
        return self.net(obs)


class OneAction(Honest):
    def forward(self, obs: Tensor) -> Tensor:
        return self.net(obs)[:, :1]


class NanAction(Honest):
    def forward(self, obs: Tensor) -> Tensor:
        return self.net(obs) / 0.0 * 0.0


class Noisy(Honest):
    def forward(self, obs: Tensor) -> Tensor:
        return self.net(obs) + 0.01 * torch.randn(2)


class OwnNoise(Honest):
    def __init__(self) -> None:
        super().__init__()
        self.generator = torch.Generator().manual_seed(0)

    def forward(self, obs: Tensor) -> Tensor:
        return self.net(obs) + 0.01 * torch.randn(2, generator=self.generator)


class Recurrent(Honest):
    """Moves with what it saw last; the same question twice in a row gets the same answer."""

    last: Tensor | None = None
    drift = 0.0

    def forward(self, obs: Tensor) -> Tensor:
        seen = obs.detach().mean(0)
        if self.last is not None and not torch.equal(seen, self.last):
            self.drift = self.drift + 0.01
        self.last = seen
        return self.net(obs) + self.drift


class BatchNormalised(Honest):
    def forward(self, obs: Tensor) -> Tensor:
        return self.net(obs - obs.mean(0))


class Counts(Honest):
    """Statistics of its observations move whenever it is asked."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("seen", torch.zeros(()))

    def forward(self, obs: Tensor) -> Tensor:
        self.seen += len(obs)
        return self.net(obs)


class InPlace(Honest):
    """Clips what it was given in the given memory."""

    def victim(self) -> Victim:
        return Victim(lambda obs: self.net(obs.clamp_(-0.1, 0.1)))


class Trains(Honest):
    """Leaves itself in training mode."""

    def victim(self) -> Victim:
        def action(obs: Tensor) -> Tensor:
            self.train(not self.training)
            return self.net(obs)

        return Victim(action)


class TwoFaced(Honest):
    """What is attacked is not what acts."""

    def victim(self) -> Victim:
        return Victim(self.net)

    def predict(self, obs: Any, deterministic: bool = True) -> Any:
        with torch.no_grad():
            return np.tanh(self.net(torch.as_tensor(obs)).numpy()), None


class NoNoise(Honest):
    def victim(self) -> Victim:
        def distribution(obs: Tensor) -> Gaussian:
            return Gaussian(self.net(obs), torch.zeros(len(obs), 2))

        return Victim(self.net, distribution=distribution)


class ColumnCritic(Honest):
    def victim(self) -> Victim:
        return Victim(self.net, q_cost=lambda obs, action: action[:, :1])


def no_policy() -> Any:
    return 3


BROKEN = [
    (no_policy, "readable"),
    (OneAction, "well formed"),
    (NanAction, "well formed"),
    (Noisy, "repeatable"),
    (OwnNoise, "repeatable"),
    (Recurrent, "stateless"),
    (BatchNormalised, "rows alone"),
    (Counts, "untouched"),
    (InPlace, "untouched"),
    (Trains, "untouched"),
    (TwoFaced, "one policy"),
    (NoNoise, "distribution"),
    (ColumnCritic, "critics"),
]


def constant(obs: Tensor) -> Tensor:
    return torch.zeros(len(obs), 2)


class Rounded(Honest):
    """Straight-through: its gradients are those of another function."""

    def victim(self) -> Victim:
        def action(obs: Tensor) -> Tensor:
            smooth = self.net(obs)
            return smooth + (torch.sign(torch.sin(40 * smooth)) - smooth).detach()

        return Victim(action)

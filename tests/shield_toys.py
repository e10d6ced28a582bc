"""A mass on a line behind a shield, with a model that is exact, and lies of all kinds."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from torch import Tensor, nn

from safer_gym.shield import Backup, Function, Mode, Part, observe, predicted, safe_rows, shielded
from safer_gym.shield.box import Box
from safer_gym.shield.filtering import Filtered

DT = 0.1


def tensor(values: object) -> Tensor:
    return torch.as_tensor(values, dtype=torch.float64)


@cache
def mass(
    *, reach: tuple[float, float] = (0.2, 0.1), error: float = 0.02, brake: float = 1.0
) -> Part:
    """|x| <= 3, |v| <= 3; x' = x + .1 v + .005 u, v' = v + .1 u + w with |w| <= error."""
    mode = Mode(
        tensor([[1, DT], [0, 1]]),
        tensor([[DT**2 / 2], [DT]]),
        tensor([0, 0]),
        tensor([0, -error]),
        tensor([0, error]),
    )
    facets = tensor([[1, 0], [-1, 0], [0, 1], [0, -1]])
    bounds = tensor([3, 3, 3, 3])
    backups = [Backup(tensor([-brake * s]), mode) for s in (1, -1, 1, -1)]
    rows, limits = safe_rows(facets, bounds, backups)
    return Part(
        ("x", "v"),
        torch.eye(2).double(),
        tensor([0, 0]),
        tensor(reach),
        (0,),
        tensor([-1]),
        tensor([1]),
        mode,
        tuple(backups[:2]),
        rows,
        limits,
        4,
    )


class Line(gym.Env):
    """The same mass as an environment; its observation is its state."""

    forgets_on_reset = True
    observation_space = gym.spaces.Box(-100.0, 100.0, (2,), np.float32)
    action_space = gym.spaces.Box(-1.0, 1.0, (1,), np.float32)
    max_step_cost = 1.0

    def __init__(self, error: float = 0.01, horizon: int = 60) -> None:
        self.error, self.horizon = error, horizon
        self.spec = None

    def reset(self, *, seed: int | None = None, options: dict | None = None) -> tuple:
        super().reset(seed=seed)
        self.state = np.array([self.np_random.uniform(-1, 1), 0.0])
        self.steps = 0
        return self.state.astype(np.float32), {}

    def step(self, action: np.ndarray) -> tuple:
        u = float(np.clip(action[0], -1, 1))
        x, v = self.state
        push = self.np_random.uniform(-self.error, self.error)
        self.state = np.array([x + DT * v + DT**2 / 2 * u, v + DT * u + push])
        self.steps += 1
        info = {"cost": float(abs(self.state[0]) > 3)}
        obs = self.state.astype(np.float32)
        return obs, float(self.state[0]) / 3, False, self.steps >= self.horizon, info


def make_line() -> gym.Env:
    return gym.wrappers.TimeLimit(Line(), 60)


def rightward(obs: np.ndarray) -> np.ndarray:
    """A policy that is after the reward alone."""
    return np.ones(1, np.float32)


class Loop:
    """A mass, a shield, and somebody who lies: one step at a time, for a batch [B]."""

    def __init__(self, part: Part, z: Tensor, true: Part | None = None) -> None:
        self.part, self.true, self.z = part, true or part, z
        self.prior = part.nowhere(len(z))
        self.alarm = torch.zeros(len(z), dtype=torch.bool)

    def step(self, lie: Tensor, task: Tensor, error: Tensor) -> Filtered:
        """Lies [B, 2] in units of the true reach, tasks [B, 1], errors [B] in [-1, 1]."""
        seen = observe(self.part, self.z + lie * self.true.reach, self.prior)
        self.alarm |= seen.alarm
        self.box = seen.box
        answer = shielded(self.part, seen.box, task)
        self.prior = predicted(self.part, seen.box, answer)
        mode = self.true.free
        most = torch.where(error > 0, mode.high[1] * error, -mode.low[1] * error)
        self.z = self.z @ mode.A.mT + answer.action @ mode.B.mT + mode.c
        self.z[:, 1] += most
        return answer

    def inside(self) -> Tensor:
        return (self.z @ self.part.rows.mT <= self.part.limits + 1e-9).all(1)


def pendulum(z: Any, u: Any) -> Any:
    """An upright pendulum's angle and rate after a step: no linear model has small errors."""
    angle, rate, push = z[..., 0], z[..., 1], u[..., 0]
    return torch.stack([angle + DT * rate, rate + DT * (torch.sin(angle) + 1.2 * push)], -1)


def mass_step(z: Any, u: Any) -> Any:
    """The mass's model as a function."""
    x, v, push = z[..., 0], z[..., 1], u[..., 0]
    return torch.stack([x + DT * v + DT**2 / 2 * push, v + DT * push], -1)


def functional_mass(**options: Any) -> Part:
    """The same part with its model given as a function."""
    part, one = mass(**options), torch.ones(1, 1).double()
    span = 3 * torch.ones(1, 2).double()
    function = Function.of(mass_step, Box(-span, span), Box(-one, one))
    return replace(part, function=function)


class Drive(nn.Module):
    """Full force to the right."""

    def __init__(self) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.tensor([2.0]))

    def forward(self, obs: torch.Tensor) -> torch.Tensor:
        return torch.tanh(self.bias + 0.01 * obs[:, :1])

"""Attackers that look at nothing: no change, uniform noise, Gaussian noise.

They have no objective, so both objectives of their results are zero.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from safer_gym.attacks.inputs import prepare, quiet_generator, uniform
from safer_gym.balls import LpBall
from safer_gym.domains import POSITIVE, require
from safer_gym.types import AttackResult, Victim


@dataclass(frozen=True)
class NullAttack:
    """Changes nothing."""

    per_row_noise: ClassVar = False
    title: ClassVar = "natural"
    words: ClassVar = "Nothing is moved."

    def __call__(
        self,
        victim: Victim,
        obs: Tensor,
        ball: LpBall,
        generator: torch.Generator | None = None,
    ) -> AttackResult:
        return without_objective(prepare(obs))


@dataclass(frozen=True)
class UniformNoise:
    """Noise uniform in the ball, a draw of its own for each row.

    Without a generator every call draws the same noise.
    """

    per_row_noise: ClassVar = True
    title: ClassVar = "uniform noise"
    words: ClassVar = "A random point of the ball; no adversary at all."

    def __call__(
        self,
        victim: Victim,
        obs: Tensor,
        ball: LpBall,
        generator: torch.Generator | None = None,
    ) -> AttackResult:
        obs = prepare(obs)
        return without_objective(ball.sample(obs, quiet_generator(generator)))


@dataclass(frozen=True)
class GaussianNoise:
    """Independent Gaussian noise with standard deviation `relative_std` * eps, then projected.

    Without a generator every call draws the same noise.
    """

    per_row_noise: ClassVar = True
    title: ClassVar = "Gaussian noise"
    words: ClassVar = "Random noise, cut to the ball; no adversary at all."

    relative_std: float = 0.5

    def __post_init__(self) -> None:
        require(POSITIVE, relative_std=self.relative_std)

    def __call__(
        self,
        victim: Victim,
        obs: Tensor,
        ball: LpBall,
        generator: torch.Generator | None = None,
    ) -> AttackResult:
        obs = prepare(obs)
        draws = uniform(obs.shape, quiet_generator(generator))
        normal = torch.special.ndtri(draws.clamp(min=1e-16)).to(obs)
        noise = self.relative_std * ball.eps.to(obs) * normal
        return without_objective(ball.project(obs, obs + noise))


def without_objective(obs: Tensor) -> AttackResult:
    """The result of an attack that maximises nothing."""
    nothing = obs.new_zeros(len(obs))
    return AttackResult(obs, nothing, nothing)

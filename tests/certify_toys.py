"""A closed loop whose worst case is known, for tests of the engine: x' = x + a, cost at |x| > 1."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import gymnasium as gym
import numpy as np
import torch
from torch import Tensor, nn

from safer_gym.balls import LpBall
from safer_gym.bounds import Activation, Affine, PolicyLayers
from safer_gym.bounds.heads import ExpStd
from safer_gym.types import AttackResult, Victim
from safer_gym.wrappers.policies.stochastic import StochasticPolicy

HORIZON = 10


class Line(gym.Env):
    """The state is its own observation; the action moves it."""

    observation_space = gym.spaces.Box(-10.0, 10.0, (1,), np.float32)
    action_space = gym.spaces.Box(-5.0, 5.0, (1,), np.float32)
    spec = gym.envs.registration.EnvSpec("Line-v0", max_episode_steps=HORIZON)
    max_step_cost = 1.0

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[np.ndarray, dict]:
        super().reset(seed=seed)
        self.x, self.t = float(self.np_random.uniform(-0.2, 0.2)), 0
        return self._obs(), {}

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict]:
        self.x += float(action[0])
        self.t += 1
        info = {"cost": float(abs(self.x) > 1.0)}
        return self._obs(), -abs(self.x), False, self.t >= HORIZON, info

    def _obs(self) -> np.ndarray:
        return np.array([self.x], np.float32)


def homing(std: float = 0.2) -> StochasticPolicy:
    """a = -x / 2 + std noise."""
    layers = PolicyLayers(
        [Affine(torch.tensor([[-0.5]]), torch.zeros(1))],
        1,
        scale=torch.tensor([std], dtype=torch.float64),
        describe="the homing policy",
    )
    return StochasticPolicy(layers, lambda drawn: drawn.clamp(-5.0, 5.0))


def hushed() -> StochasticPolicy:
    """As `homing`, but within a hair to the right of x = 0.2 the noise falls to a tenth.

    There an adversary can multiply it by ten, which makes all Renyi divergences large or infinite.
    A good tenth of the benign episodes come by.
    """
    steep = 1000.0
    layers = PolicyLayers(
        [
            Affine(torch.tensor([[1.0], [-1.0], [steep]]), torch.tensor([0.0, 0.0, -0.2 * steep])),
            Activation("relu"),
            Affine(
                torch.tensor([[-0.5, 0.5, 0.0], [0.0, 0.0, -1.0]]),
                torch.tensor([0.0, math.log(0.2)]),
            ),
        ],
        1,
        scale=ExpStd(low=-4.0),
        describe="the hushed policy",
    )
    return StochasticPolicy(layers, lambda drawn: drawn.clamp(-5.0, 5.0))


def homing_network(weight: float = -0.5) -> nn.Module:
    """a = weight x."""
    network = nn.Sequential(nn.Linear(1, 1))
    with torch.no_grad():
        network[0].weight.fill_(weight)
        network[0].bias.zero_()
    return network


@dataclass(frozen=True)
class Push:
    """Shows the state as far left as the ball allows, so that the policy drives right."""

    cost_directed: ClassVar = True

    def __call__(
        self,
        victim: Victim,
        obs: Tensor,
        ball: LpBall,
        generator: torch.Generator | None = None,
    ) -> AttackResult:
        shown = ball.project(obs, obs - ball.eps.to(obs))
        nothing = obs.new_zeros(len(obs))
        return AttackResult(shown, nothing, nothing)

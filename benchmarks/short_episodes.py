"""Certificates of short episodes without physics: what the engine costs, and nothing else."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.networks import BALL_CIRCLE, Blank, make_agent
from safer_gym.attacks import make_attack
from safer_gym.conformance.certificate.record import Certificate
from safer_gym.conformance.certify import certify

LENGTH = 5
"""Steps of an episode."""


class Short(Blank):
    """Random observations for `LENGTH` steps, at no cost."""

    def __init__(self) -> None:
        super().__init__(*BALL_CIRCLE)
        self._left = LENGTH

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        self._left = LENGTH
        obs, info = super().reset(seed=seed, options=options)
        return self._noise(obs), info

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self._left -= 1
        obs, reward, terminated, _, info = super().step(action)
        return self._noise(obs), reward, terminated, self._left == 0, info

    def _noise(self, obs: np.ndarray) -> np.ndarray:
        return self.np_random.normal(size=obs.shape).astype(np.float32)


def certify_short(
    episodes: int, *, radii: int = 1, attacks: int = 1, width: int = 64
) -> Certificate:
    """A certificate of an untrained deterministic policy, `attacks` times noise at each radius.

    Its requirement is one that no number of harmless episodes shows, so that none stops early.
    """
    agent = make_agent("cvpo", width)
    agent.policy.set_training_mode(False)
    return certify(
        agent,
        Short,
        requirement=[f"P(cost > 1) <= 0.00001 at eps = 0.0{k + 1}" for k in range(radii)],
        battery={f"noise {k}": make_attack("uniform") for k in range(attacks)},
        modes=["deterministic"],
        episodes=episodes,
        max_step_cost=1.0,
    )

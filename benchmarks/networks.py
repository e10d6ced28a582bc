"""Untrained agents of a chosen size: speed does not depend on what they have learnt."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from stable_baselines3.common.logger import configure

from safer_gym.agents import CVPO, SAFER
from safer_gym.agents.cvpo.variational import Variational

BALL_CIRCLE = (8, 2)
"""Sizes of observation and action."""
ALGORITHMS: dict[str, type[Variational]] = {"cvpo": CVPO, "safer": SAFER}

PRINTED: dict[str, dict[str, Any]] = {
    "cvpo": {"cost_action": "sample"},
    "safer": {
        "cost_action": "sample",
        "attacked_cost_critic": False,
        "adversarial_reference": "old",
    },
}
"""The arithmetic of the papers, which the plain version repeats, instead of our defaults."""


class Blank(gym.Env):
    """Spaces of a given size; nothing ever happens."""

    def __init__(self, observation_dim: int, action_dim: int) -> None:
        self.observation_space = spaces.Box(-np.inf, np.inf, (observation_dim,), np.float32)
        self.action_space = spaces.Box(-1.0, 1.0, (action_dim,), np.float32)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        return np.zeros(self.observation_space.shape, np.float32), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        return np.zeros(self.observation_space.shape, np.float32), 0.0, False, False, {"cost": 0.0}


def make_agent(
    algorithm: str,
    width: int,
    *,
    env: gym.Env | None = None,
    n_critics: int = 2,
    n_cost_critics: int = 1,
    actor_kwargs: dict[str, Any] | None = None,
    **options: Any,
) -> Variational:
    """An agent whose actor and critics have two hidden layers of `width`."""
    networks: dict[str, Any] = {"n_critics": n_critics, "n_cost_critics": n_cost_critics}
    networks |= {} if actor_kwargs is None else {"actor_kwargs": actor_kwargs}
    agent = ALGORITHMS[algorithm](
        "MlpPolicy",
        env or Blank(*BALL_CIRCLE),
        policy_kwargs={"net_arch": [width, width], **networks},
        episode_length=250,
        seed=0,
        device="cpu",
        **(PRINTED[algorithm] | options),
    )
    agent.set_logger(configure(None, []))
    return agent


def fill_buffer(agent: Variational, transitions: int) -> None:
    """Store random transitions, one in ten of them with a cost."""
    rng = np.random.default_rng(0)
    observation_dim, action_dim = BALL_CIRCLE
    assert agent.replay_buffer is not None
    for _ in range(transitions):
        obs = rng.normal(size=(1, observation_dim)).astype(np.float32)
        step = 0.1 * rng.normal(size=obs.shape).astype(np.float32)
        action = rng.uniform(-1.0, 1.0, (1, action_dim)).astype(np.float32)
        info = {"cost": float(rng.random() < 0.1)}
        agent.replay_buffer.add(obs, obs + step, action, rng.normal(size=1), np.zeros(1), [info])

"""What is measured of a policy is what its `predict` does, whatever else it brings along."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from numpy.typing import NDArray
from shield_toys import Drive, make_line, mass

from safer_gym.conformance.evaluate import evaluate
from safer_gym.wrappers import Shield, ShieldedPolicy
from safer_gym.wrappers.policies.view import PolicyView, view_of

OTHERWISE = "not what attacks and bounds read of it"


class Unshielded(ShieldedPolicy):
    """Its `answer` asks the shield, its `predict` does not."""

    def predict(self, observation: Any, *memory: Any, **options: Any) -> tuple[NDArray, Any]:
        action, state = super().predict(observation, *memory, **options)
        return np.ones_like(action), state


class UnshieldedThere(ShieldedPolicy):
    """So does this one's, where episodes lead and none begins."""

    def predict(self, observation: Any, *memory: Any, **options: Any) -> tuple[NDArray, Any]:
        action, state = super().predict(observation, *memory, **options)
        there = (np.abs(np.asarray(observation)[..., :1]) > 1.2) & (np.abs(action) < 0.9)
        return np.where(there, 1.0, action).astype(np.float32), state


def policy(kind: type[ShieldedPolicy]) -> ShieldedPolicy:
    env = make_line()
    shield = Shield((mass(reach=(0.2, 0.2), error=0.012),), 0.2)
    spaces = {"action_space": env.action_space, "observation_space": env.observation_space}
    return kind(Drive(), shield, **spaces)


def measured(subject: Any) -> Any:
    return evaluate(subject, make_line, ["natural"], eps=0.1, n_episodes=5)[0]


@pytest.mark.parametrize("kind", [Unshielded, UnshieldedThere])
def test_a_shield_that_predict_ignores_is_refused(kind: type[ShieldedPolicy]) -> None:
    assert measured(policy(ShieldedPolicy)).mean_cost == 0
    with pytest.raises(ValueError, match=OTHERWISE):
        measured(policy(kind))


class Bringing:
    """Brings the view of a policy at rest along, and drives by its own `predict`."""

    def __init__(self, force: float) -> None:
        self.force = force

    def predict(self, observation: Any, *memory: Any, **options: Any) -> tuple[NDArray, Any]:
        return np.full((*np.shape(observation)[:-1], 1), self.force, np.float32), None

    def policy_view(self) -> PolicyView:
        return view_of(lambda obs: np.zeros((*np.shape(obs)[:-1], 1), np.float32))


def test_the_view_that_an_object_brings_is_held_against_its_predict() -> None:
    assert measured(Bringing(0.0)).costs.shape == (5,)
    with pytest.raises(ValueError, match=OTHERWISE):
        measured(Bringing(1.0))


class Stairs(gym.Env):
    """Costs wherever it stands right of 0.8; twelve steps long."""

    observation_space = gym.spaces.Box(-10, 10, (1,), np.float32)
    action_space = gym.spaces.Box(-1, 1, (1,), np.float32)
    max_step_cost = 1.0

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[NDArray, dict]:
        super().reset(seed=seed)
        self.x = float(self.np_random.uniform(-0.5, 0.5))
        return np.array([self.x], np.float32), {}

    def step(self, action: Any) -> tuple[NDArray, float, bool, bool, dict]:
        self.x = float(np.clip(self.x + 0.2 * float(action[0]), -9, 9))
        return np.array([self.x], np.float32), 0.0, False, False, {"cost": float(self.x > 0.8)}


class Warm:
    """Drives right, until it has been far enough to the right often enough."""

    def __init__(self) -> None:
        self.times = 0

    def predict(self, observation: Any, *memory: Any, **options: Any) -> tuple[NDArray, Any]:
        obs = np.asarray(observation)
        action = np.ones((*obs.shape[:-1], 1), np.float32)
        self.times += bool((obs > 0.8).any())
        if self.times > 30:
            action[obs[..., 0] > 0.8] = -1.0
        return action, None


def test_a_memory_that_shows_in_short_episodes_alone_is_refused() -> None:
    def make() -> gym.Env:
        return gym.wrappers.TimeLimit(Stairs(), 12)

    with pytest.raises(ValueError, match="memory of its own"):
        evaluate(Warm(), make, ["natural"], eps=0.0, n_episodes=50, n_envs=1)

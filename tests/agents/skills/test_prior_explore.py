"""Laws of Prior-Explore: who acts, what is drawn, what is remembered, and what is stored."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from torch import Tensor

from safer_gym.agents.skills import PriorExplore, PriorShape, SkillPrior
from safer_gym.agents.skills.prior import Window

W, LONG = 3, 5


class Counting(gym.Env):
    """Shows [episode, step], in episodes of five steps; the action box is not [-1, 1]."""

    observation_space = gym.spaces.Box(-np.inf, np.inf, (2,), np.float32)
    action_space = gym.spaces.Box(-4.0, 2.0, (1,), np.float32)

    def __init__(self) -> None:
        self.episode, self.done = 0, list[float]()

    def reset(self, **kwargs: Any) -> tuple[np.ndarray, dict[str, Any]]:
        super().reset(**kwargs)
        self.episode, self.count = self.episode + 1, 0
        return self._seen(), {}

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        self.done.append(float(action[0]))
        self.count += 1
        return self._seen(), 0.0, self.count == LONG, False, {}

    def _seen(self) -> np.ndarray:
        return np.array([self.episode, self.count], np.float32)


class Marked(SkillPrior):
    """Decodes z to 0.9 tanh(z); notes what it was asked."""

    def __init__(self) -> None:
        super().__init__(PriorShape((2,), 1, W, safety_size=0, hidden=1))
        self.asked: list[tuple[float, np.ndarray, int]] = []

    def act(self, z: Tensor, window: Window) -> Tensor:
        self.asked.append((z.item(), window.features[0].numpy().copy(), int(window.length)))
        return 0.9 * z.tanh()

    def decoded(self) -> np.ndarray:
        """The answers [N], in [-1, 1]."""
        return 0.9 * np.tanh([z for z, *_ in self.asked])


def explored(delta: float, steps: int = 300) -> tuple[Marked, np.ndarray, np.ndarray]:
    """The prior, what the environment did in [-1, 1], and what is in the buffer."""
    torch.manual_seed(0)
    prior, env = Marked(), Counting()
    model = PriorExplore(
        "MlpPolicy", env, prior=prior, delta=delta, learning_starts=steps, buffer_size=steps,
        seed=0, device="cpu", policy_kwargs={"net_arch": [2]},
    )  # fmt: skip
    model.learn(steps)
    buffer: Any = model.replay_buffer
    return prior, (np.array(env.done) + 1) / 3, buffer.actions[:steps, 0, 0]


@pytest.mark.parametrize("delta", [0.0, 0.2, 0.9, 1.0])
def test_the_prior_acts_in_a_share_delta_of_the_steps(delta: float) -> None:
    prior, did, _ = explored(delta)
    by_prior = np.isclose(did, prior.decoded(), atol=1e-5)
    assert by_prior.mean() == pytest.approx(delta, abs=0.07 if 0 < delta < 1 else 0.0)


def test_z_is_drawn_from_the_standard_normal() -> None:
    z = np.array([z for z, *_ in explored(1.0)[0].asked])
    assert z.mean() == pytest.approx(0.0, abs=0.2)
    assert z.std() == pytest.approx(1.0, abs=0.15)
    assert len(np.unique(z)) == len(z)


def test_the_window_holds_the_observations_of_its_episode_alone() -> None:
    for step, (_, window, length) in enumerate(explored(0.5, 4 * LONG)[0].asked):
        episode, count = divmod(step, LONG)
        assert length == min(count + 1, W)
        seen = [[episode + 1, k] for k in range(count + 1 - length, count + 1)]
        np.testing.assert_array_equal(window, [*np.zeros((W - length, 2)), *seen])


@pytest.mark.parametrize("delta", [0.5, 1.0])
def test_what_is_stored_is_what_was_done(delta: float) -> None:
    _, did, stored = explored(delta)
    np.testing.assert_allclose(stored, did, atol=1e-5)


@pytest.mark.parametrize("delta", [-0.1, 1.1, float("nan")])
def test_no_probability_is_refused(delta: float) -> None:
    with pytest.raises(ValueError, match="delta must"):
        PriorExplore("MlpPolicy", Counting(), delta=delta)

"""The stochastic policy draws what the model itself draws."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from stable_baselines3 import PPO, SAC, TD3

from safer_gym.agents import CVPO
from safer_gym.bounds import NotCoveredError
from safer_gym.wrappers.stochastic import StochasticPolicy, stochastic_policy

MODELS: dict[str, Any] = {
    "PPO": (PPO, {"n_steps": 8, "batch_size": 8}),
    "SAC": (SAC, {}),
    "CVPO": (CVPO, {"cost_limit": 1.0}),
    "CVPO, full covariance": (
        CVPO,
        {"cost_limit": 1.0, "policy_kwargs": {"actor_kwargs": {"covariance": "full"}}},
    ),
}


class Still(gym.Env):
    """Nothing happens; the action box is neither symmetric nor of unit size."""

    observation_space = gym.spaces.Box(-3.0, 3.0, (3,), np.float32)
    action_space = gym.spaces.Box(np.float32([-1.0, 0.0]), np.float32([3.0, 0.5]))
    spec = gym.envs.registration.EnvSpec("Still-v0", max_episode_steps=5)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict]:
        super().reset(seed=seed)
        return self.observation_space.sample(), {}

    def step(self, action: np.ndarray) -> tuple[Any, float, bool, bool, dict]:
        return self.observation_space.sample(), 0.0, False, True, {"cost": 0.0}


def made(name: str) -> Any:
    kind, options = MODELS[name]
    return kind("MlpPolicy", Still(), device="cpu", seed=0, **options)


@pytest.mark.parametrize("name", MODELS)
def test_it_draws_what_the_model_draws(name: str) -> None:
    model = made(name)
    obs = np.random.default_rng(0).uniform(-3, 3, (50, 3)).astype(np.float32)
    torch.manual_seed(5)
    expected, _ = model.predict(obs, deterministic=False)
    torch.manual_seed(5)
    drawn = stochastic_policy(model).draw(torch.as_tensor(obs), torch.default_generator)
    np.testing.assert_allclose(drawn.detach().numpy(), expected, atol=1e-5)


def test_constant_noise_makes_a_deterministic_policy_stochastic() -> None:
    model = TD3("MlpPolicy", Still(), device="cpu", seed=0)
    with pytest.raises(NotCoveredError, match="deterministic"):
        stochastic_policy(model)
    policy = stochastic_policy(model, noise=0.2)
    assert policy.layers.has_constant_noise
    obs = torch.zeros(20_000, 3)
    unit = (policy.draw(obs, torch.Generator().manual_seed(0)) - torch.tensor([-1.0, 0.0])) / (
        torch.tensor([2.0, 0.25])
    ) - 1.0
    mean, _ = model.predict(np.zeros((1, 3), np.float32))
    wanted = (torch.as_tensor(mean[0]) - torch.tensor([-1.0, 0.0])) / torch.tensor([2.0, 0.25]) - 1
    torch.testing.assert_close(unit.mean(0), wanted, atol=0.01, rtol=0)
    torch.testing.assert_close(unit.std(0), torch.tensor([0.2, 0.2]), atol=0.01, rtol=0)


def test_it_passes_through() -> None:
    policy = stochastic_policy(made("SAC"))
    assert stochastic_policy(policy) is policy
    assert isinstance(policy, StochasticPolicy)


def test_an_unknown_policy_is_refused() -> None:
    with pytest.raises(NotCoveredError):
        stochastic_policy(lambda obs: obs)

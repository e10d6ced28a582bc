"""The stochastic policy draws what the model itself draws."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from stable_baselines3 import PPO, SAC, TD3

from safer_gym.agents import CVPO, DRAC
from safer_gym.bounds import NotCoveredError
from safer_gym.wrappers.policies.stochastic import StochasticPolicy, noisy_policy, stochastic_policy

MODELS: dict[str, Any] = {
    "PPO": (PPO, {"n_steps": 8, "batch_size": 8}),
    "SAC": (SAC, {}),
    "CVPO": (CVPO, {"cost_limit": 1.0}),
    "CVPO, full covariance": (
        CVPO,
        {"cost_limit": 1.0, "policy_kwargs": {"actor_kwargs": {"covariance": "full"}}},
    ),
    "DRAC": (DRAC, {"constraint": "none", "adversary": False}),
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
    model = kind("MlpPolicy", Still(), device="cpu", seed=0, **options)
    for network in model.policy.modules():  # actions far from the middle, where tanh bends
        if isinstance(network, torch.nn.Linear):
            network.weight.data.mul_(1.5)
    return model


@pytest.mark.parametrize("name", MODELS)
def test_it_draws_what_the_model_draws(name: str) -> None:
    model = made(name)
    obs = np.random.default_rng(0).uniform(-3, 3, (50, 3)).astype(np.float32)
    torch.manual_seed(5)
    expected, _ = model.predict(obs, deterministic=False)
    torch.manual_seed(5)
    drawn = stochastic_policy(model).draw(torch.as_tensor(obs), torch.default_generator)
    np.testing.assert_allclose(drawn.detach().numpy(), expected, atol=1e-5)


def test_a_deterministic_policy_has_no_draw_of_its_own() -> None:
    with pytest.raises(NotCoveredError, match="deterministic"):
        stochastic_policy(TD3("MlpPolicy", Still(), device="cpu", seed=0))


@pytest.mark.parametrize("std", [0.3, [0.6, 0.05]])
@pytest.mark.parametrize("name", [*MODELS, "TD3"])
def test_action_noise_is_what_one_adds_to_a_prediction(name: str, std: Any) -> None:
    model = made(name) if name in MODELS else TD3("MlpPolicy", Still(), device="cpu", seed=0)
    if name == "PPO":  # means beyond the box, which predict clips
        torch.nn.init.constant_(model.policy.action_net.bias, 2.5)
    obs = np.random.default_rng(0).uniform(-3, 3, (50, 3)).astype(np.float32)
    policy = noisy_policy(model, std)
    drawn = policy.draw(torch.as_tensor(obs), torch.Generator().manual_seed(1))
    noise = torch.randn(50, 2, generator=torch.Generator().manual_seed(1)).numpy()
    box = Still.action_space
    expected = model.predict(obs, deterministic=True)[0] + np.asarray(std) * noise
    np.testing.assert_allclose(drawn.numpy(), np.clip(expected, box.low, box.high), atol=1e-5)
    assert policy.layers.has_constant_noise


def test_action_noise_needs_a_network_and_a_deviation() -> None:
    with pytest.raises(NotCoveredError, match="function"):
        noisy_policy(lambda obs: obs, 0.3)
    with pytest.raises(ValueError, match="> 0"):
        noisy_policy(made("PPO"), 0.0)


def test_it_passes_through() -> None:
    policy = stochastic_policy(made("SAC"))
    assert stochastic_policy(policy) is policy
    assert isinstance(policy, StochasticPolicy)


def test_an_unknown_policy_is_refused() -> None:
    with pytest.raises(NotCoveredError):
        stochastic_policy(lambda obs: obs)

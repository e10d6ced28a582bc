"""The short ways through an update give what the long ways give."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium import spaces
from torch import Tensor, nn

from safer_gym.agents import CVPO, SAFER
from safer_gym.agents import updates as critic_update
from safer_gym.agents.cvpo.estep import DualBounds, EStep, solve_estep
from safer_gym.agents.data.buffers import CostSamples
from safer_gym.agents.training_attack.observations import attacked_batch
from safer_gym.agents.updates import fit_critic


class Still(gym.Env):
    """Spaces without a world."""

    observation_space = spaces.Box(-np.inf, np.inf, (5,), np.float32)
    action_space = spaces.Box(-1.0, 1.0, (2,), np.float32)


def make(algorithm: type = CVPO, n_critics: int = 1, **options: Any) -> Any:
    networks = {"net_arch": [16, 8], "n_critics": n_critics, "n_cost_critics": n_critics}
    return algorithm(
        "MlpPolicy",
        Still(),
        policy_kwargs=networks | options.pop("networks", {}),
        episode_length=10,
        buffer_size=10,
        seed=0,
        device="cpu",
        **options,
    )


def batch() -> CostSamples:
    obs, next_obs = torch.randn(2, 12, 5)
    column = torch.rand(12, 1)
    return CostSamples(obs, torch.rand(12, 2), next_obs, column, column, column, column)


# ---------------------------------------------------------------- critics


def fitted(agent: Any, data: CostSamples, target: Tensor, clip: float | None) -> list[Tensor]:
    """The loss, and the weights after three steps."""
    losses = [fit_critic("critic", agent.critic, data, target, clip) for _ in range(3)]
    return [torch.stack(losses), *(weight.detach() for weight in agent.critic.parameters())]


@pytest.mark.parametrize("n_critics", [1, 3])
@pytest.mark.parametrize("activation", [nn.ReLU, nn.Tanh])
@pytest.mark.parametrize("clip", [None, 0.1])
def test_a_critic_fitted_without_autograd_is_the_one_fitted_with_it(
    n_critics: int, activation: type[nn.Module], clip: float | None, monkeypatch: Any
) -> None:
    ours, theirs = (
        make(n_critics=n_critics, networks={"activation_fn": activation}) for _ in range(2)
    )
    data, target = batch(), torch.randn(12)
    short = fitted(ours, data, target, clip)
    monkeypatch.setattr(critic_update, "written_out", lambda net: None)
    long = fitted(theirs, data, target, clip)
    for one, other in zip(short, long, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)
    with pytest.raises(AssertionError):  # another target is another critic
        torch.testing.assert_close(fitted(make(n_critics=n_critics), data, target + 1, clip), short)


def test_other_networks_are_fitted_by_autograd() -> None:
    agent, data = make(networks={"activation_fn": nn.SiLU}), batch()
    losses = fitted(agent, data, torch.zeros(12), None)[0]
    assert losses[-1] < losses[0]


# ---------------------------------------------------------------- policies


@pytest.mark.parametrize("covariance", ["diagonal", "full"])
@pytest.mark.parametrize("activation", [nn.ReLU, nn.Tanh])
def test_a_learning_actor_has_the_gradients_of_its_modules(
    covariance: str, activation: type[nn.Module]
) -> None:
    networks = {"activation_fn": activation, "actor_kwargs": {"covariance": covariance}}
    actor = make(networks=networks).actor
    obs = torch.randn(7, 5)
    found = []
    for learns in (True, False):
        actor.train(learns)
        mean, scale = actor.distribution(obs)
        loss = mean.square().sum() + scale.square().sum()
        found.append([mean, scale, *torch.autograd.grad(loss, list(actor.parameters()))])
    for short, long in zip(*found, strict=True):
        torch.testing.assert_close(short, long, rtol=1e-4, atol=1e-5)


def test_clean_and_attacked_states_in_one_pass_are_two_passes() -> None:
    agent = make(SAFER)
    obs, attacked = torch.randn(2, 7, 5)
    for short, states in zip(agent._both(obs, attacked), (obs, attacked), strict=True):
        for one, other in zip(short, agent.actor.distribution(states), strict=True):
            torch.testing.assert_close(one, other)
    benign, attacked = agent._both(obs, obs)
    assert attacked is benign


def test_a_radius_of_zero_shows_the_batch_itself() -> None:
    agent, obs = make(SAFER, eps=0.1, eps_start=0.5), torch.randn(7, 5)
    agent._current_progress_remaining = 1.0
    assert attacked_batch(agent, obs, agent.adversary) is obs
    agent._current_progress_remaining = 0.0
    assert not torch.equal(attacked_batch(agent, obs, agent.adversary), obs)


# ---------------------------------------------------------------- reduced precision


def solved(agent: Any, obs: Tensor, actions: Tensor, dtype: torch.dtype | None) -> EStep:
    with torch.no_grad():
        rewards, costs = (
            critic.values(obs, actions, dtype)[0]
            for critic in (agent.critic_target, agent.cost_critic_target)
        )
    # Critics of the size that real tasks have.
    scale = 10.0 / rewards.std()
    return solve_estep(
        scale * rewards,
        scale * costs,
        0.5,
        float(scale * costs.mean()),
        start=agent.dual,
        bounds=DualBounds(),
        max_iterations=50,
        tolerance=1e-4,
    )


def distance(one: EStep, other: EStep) -> float:
    """Mean total variation between two E-steps' policies, over states."""
    return float(0.5 * (one.weights - other.weights).abs().sum(0).mean())


def test_an_estep_in_bfloat16_weighs_actions_as_in_float32() -> None:
    agent = make(networks={"net_arch": [64, 64]})
    obs, actions = torch.randn(40, 5), 2 * torch.rand(24, 40, 2) - 1
    exact = solved(agent, obs, actions, None)
    assert distance(solved(agent, obs, actions, torch.float32), exact) == 0
    assert 0 < distance(solved(agent, obs, actions, torch.bfloat16), exact) < 0.02
    # The same bound refuses actions that are weighed as their neighbours should be.
    assert distance(exact._replace(weights=exact.weights.roll(1, 0)), exact) > 0.2


def test_reduced_precision_does_not_reach_beyond_the_hidden_products() -> None:
    """One hidden layer has none of them: the same bits."""
    agent = make(networks={"net_arch": [64]})
    obs, actions = torch.randn(9, 5), torch.rand(6, 9, 2)
    with torch.no_grad():
        exact, reduced = (
            agent.critic.values(obs, actions, dtype) for dtype in (None, torch.bfloat16)
        )
    torch.testing.assert_close(reduced, exact, rtol=0, atol=0)


def test_the_precision_is_an_option_and_a_wrong_one_is_refused() -> None:
    assert make(estep_dtype="bfloat16").estep.estep_dtype == "bfloat16"
    with pytest.raises(ValueError, match="estep_dtype must be one of"):
        make(estep_dtype="float16x")

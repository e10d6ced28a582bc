"""Derivatives written out are those that autograd finds."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium import spaces
from torch import nn

from safer_gym.agents import CVPO
from safer_gym.attacks import make_attack, make_objective
from safer_gym.attacks.analytic import AnalyticScore
from safer_gym.balls import LpBall
from safer_gym.networks import MlpAction, MlpCritic
from safer_gym.types import Victim
from safer_gym.wrappers.adversary import ObservationAdversary


class Still(gym.Env):
    """Spaces, one of them with an uneven action box."""

    observation_space = spaces.Box(-np.inf, np.inf, (5,), np.float32)
    action_space = spaces.Box(np.array([-1.0, 0.0], np.float32), np.array([3.0, 0.5], np.float32))


def make(activation: type[nn.Module] = nn.ReLU, n_critics: int = 2, how: str = "min") -> CVPO:
    networks = {"net_arch": [16, 8], "n_critics": n_critics, "n_cost_critics": n_critics}
    return CVPO(
        "MlpPolicy",
        Still(),
        policy_kwargs={**networks, "activation_fn": activation},
        reward_aggregation=how,
        cost_aggregation=how,
        episode_length=10,
        buffer_size=10,
        seed=0,
        device="cpu",
    )


def by_autograd(victim: Victim) -> Victim:
    """The same victim, its derivatives hidden."""
    return victim._replace(
        action=victim.action.function,  # type: ignore[attr-defined]
        q_reward=victim.q_reward.function,  # type: ignore[union-attr]
        q_cost=victim.q_cost.function,  # type: ignore[union-attr]
    )


def check_equal(victim: Victim, objective: str) -> None:
    obs, points = torch.randn(2, 7, 5, generator=torch.Generator().manual_seed(0))
    score = make_objective(objective)(victim, obs)
    assert isinstance(score, AnalyticScore)
    values, gradient = score.look(points)
    leaf = points.clone().requires_grad_(True)
    expected = make_objective(objective)(by_autograd(victim), obs)(leaf)
    (slope,) = torch.autograd.grad(expected.sum(), leaf)
    torch.testing.assert_close(values, expected.detach(), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(score(points), values, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(gradient, slope, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("objective", ["mc", "mr", "mixture", "min_reward"])
@pytest.mark.parametrize("activation", [nn.ReLU, nn.Tanh])
@pytest.mark.parametrize(("n_critics", "how"), [(1, "min"), (2, "min"), (3, "max"), (2, "mean")])
def test_values_and_gradients_are_those_of_autograd(
    objective: str, activation: type[nn.Module], n_critics: int, how: str
) -> None:
    check_equal(make(activation, n_critics, how).victim(), objective)


def test_the_check_rejects_another_network() -> None:
    victim = make().victim()
    assert isinstance(victim.q_cost, MlpCritic)
    wrong = replace(victim.q_cost, layers=make(n_critics=1).victim().q_cost.layers)
    with pytest.raises(AssertionError):
        check_equal(victim._replace(q_cost=wrong), "mc")


def test_actor_and_critic_of_different_action_boxes_take_the_general_path() -> None:
    victim = make().victim()
    assert isinstance(victim.q_cost, MlpCritic)
    other = replace(victim.q_cost, half=2 * victim.q_cost.half)
    obs = torch.randn(3, 5)
    score = make_objective("mc")(victim._replace(q_cost=other), obs)
    assert not isinstance(score, AnalyticScore)
    torch.testing.assert_close(score(obs), other.function(obs, victim.action(obs)))


def test_an_attack_finds_the_same_points_either_way() -> None:
    victim, ball = make().victim(), LpBall.of("linf", 0.1)
    obs = torch.randn(7, 5, generator=torch.Generator().manual_seed(1))
    attack = make_attack("mc", steps=5)
    fast, general = attack(victim, obs, ball), attack(by_autograd(victim), obs, ball)
    torch.testing.assert_close(fast.obs, general.obs, rtol=0, atol=1e-5)
    torch.testing.assert_close(fast.objective, general.objective, rtol=1e-5, atol=1e-6)


def test_rows_that_settled_are_left_out_and_the_others_do_not_notice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    victim, ball = make().victim(), LpBall.of("linf", 0.1)
    obs = torch.randn(24, 5, generator=torch.Generator().manual_seed(2))
    attack = make_attack("mc", steps=8)
    seen: list[int] = []
    look = AnalyticScore.look

    def counted(score: AnalyticScore, points: torch.Tensor) -> Any:
        seen.append(len(points))
        return look(score, points)

    monkeypatch.setattr(AnalyticScore, "look", counted)
    many, general = attack(victim, obs, ball), attack(by_autograd(victim), obs, ball)
    assert seen[0] == 24
    assert seen[-1] < 24
    assert all(size % 8 == 0 for size in seen)
    seen.clear()
    odd = attack(victim, obs[:23], ball)
    assert set(seen) == {23}
    for k, (all_rows, others, alone) in enumerate(zip(many, general, odd, strict=True)):
        torch.testing.assert_close(all_rows, others, rtol=1e-5, atol=1e-5, msg=f"field {k}")
        torch.testing.assert_close(all_rows[:23], alone, rtol=1e-5, atol=1e-5, msg=f"field {k}")


def flat_in_places() -> Victim:
    """Units that are all off far to one side: some rows have no slope, and some have NaN."""
    agent = make()
    with torch.no_grad():
        first = next(part for part in agent.actor.latent if isinstance(part, nn.Linear))
        first.weight[:, 0] = -first.weight[:, 0].abs() - 1.0
    return agent.victim()


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize(
    "options",
    [{}, {"restarts": 2}, {"random_start": True}, {"step_size": 0.3}, {"steps": 1},
     {"step_rule": "adam"}],
)  # fmt: skip
@pytest.mark.parametrize("eps", [0.3, [0.5, 0.0, 0.1, 0.2, 0.3]])
def test_flat_rows_jump_and_settled_rows_rest_as_with_autograd(
    options: dict[str, Any], eps: Any, norm: str
) -> None:
    victim, ball = flat_in_places(), LpBall.of(norm, eps, low=-1.5, high=1.0)
    obs = torch.randn(16, 5, generator=torch.Generator().manual_seed(3))
    obs[::3, 0] = 40.0
    slopes = make_objective("mc")(victim, obs).look(obs)[1]  # type: ignore[attr-defined]
    assert 0 < int(slopes.any(1).sum()) < 16
    attack = make_attack("mc", **options)
    fast = attack(victim, obs, ball, torch.Generator().manual_seed(0))
    general = attack(by_autograd(victim), obs, ball, torch.Generator().manual_seed(0))
    # Points may differ along a flat top; what they are worth may not.
    for one, other in zip(fast[1:], general[1:], strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)
    assert bool(ball.contains(obs, fast.obs, rtol=0).all())


def test_critics_that_are_not_numbers_leave_the_clean_observation() -> None:
    victim, obs = make().victim(), torch.randn(8, 5)
    assert isinstance(victim.q_cost, MlpCritic)
    with torch.no_grad():
        victim.q_cost.layers[0].weight.fill_(torch.inf)
    result = make_attack("mc")(victim, obs, LpBall.of("linf", 0.1))
    assert torch.equal(result.obs, obs)


def test_weights_are_read_as_they_are_now_and_never_touched() -> None:
    agent = make()
    victim = agent.victim()
    obs = torch.randn(3, 5)
    with torch.no_grad():
        agent.actor.mean_head.bias.add_(0.3)
    before = {name: value.clone() for name, value in agent.policy.state_dict().items()}
    assert isinstance(victim.action, MlpAction)
    unit = victim.action.low + (victim.action.unit(obs) + 1) * victim.action.half
    torch.testing.assert_close(unit, victim.action(obs).detach())
    make_attack("mc", steps=3)(victim, obs, LpBall.of("linf", 0.1))
    for name, value in agent.policy.state_dict().items():
        torch.testing.assert_close(value, before[name], rtol=0, atol=0)
    assert all(weight.grad is None for weight in agent.policy.parameters())


def test_wrappers_keep_the_fast_path_and_never_copy_the_policy() -> None:
    env = ObservationAdversary(Still(), "mc", policy=make(), eps=0.1)
    victim = env.engine.victim
    assert isinstance(victim.action, MlpAction)
    assert isinstance(victim.q_cost, MlpCritic)
    score = make_objective("mc")(victim, torch.randn(3, 5))
    assert isinstance(score, AnalyticScore)
    for function in filter(callable, victim):
        assert copy.deepcopy(function) is function


@pytest.mark.parametrize("kwargs", [{"activation_fn": nn.SiLU}])
def test_other_networks_keep_the_general_path(kwargs: dict[str, Any]) -> None:
    victim = make(kwargs["activation_fn"]).victim()
    assert not isinstance(victim.action, MlpAction)
    attacked = make_attack("mc", steps=2)(victim, torch.randn(3, 5), LpBall.of("linf", 0.1))
    assert bool((attacked.objective >= attacked.clean_objective).all())

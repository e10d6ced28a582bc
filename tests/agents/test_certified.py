"""The penalty on the enclosed shift of the mean, as CVPO and SAFER learn with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from agent_envs import Boxed, small_agent
from torch import Tensor, nn

from safer_gym.agents import CVPO
from safer_gym.agents.certified.options import CertifiedOptions
from safer_gym.agents.certified.penalty import certified_loss, mean_squared_shift
from safer_gym.agents.cvpo.variational import Variational
from safer_gym.balls import LpBall
from safer_gym.bounds import NotCoveredError, gaussian_steps
from safer_gym.wrappers.policies.layers import policy_layers

CONSTANT: dict[str, Any] = {"net_arch": [8, 8], "actor_kwargs": {"covariance": "constant"}}
ALGORITHMS = ("CVPO", "SAFER")


def certifiable(algorithm: str = "CVPO", env: Any = None, **options: Any) -> Variational:
    options = {"certified_weight": 1.0, "certified_eps": 0.3, "policy_kwargs": CONSTANT} | options
    return small_agent(algorithm, env, **options)


def observations(agent: Variational, n: int = 64) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return 2 * torch.rand(n, *agent.observation_space.shape, generator=generator) - 1


def certified_shift(agent: Variational, eps: float = 0.3) -> Tensor:
    """m [B] as a certificate counts it."""
    layers, obs = policy_layers(agent), observations(agent)
    return gaussian_steps(layers, obs, LpBall.of("linf", eps), layers.distribution(obs))


@pytest.mark.parametrize("eps", [0.2, 1.0])
def test_the_penalty_is_what_the_certificate_counts(eps: float) -> None:
    """Of a network whose enclosures agree; tests/core/bounds/test_live.py has the general laws."""
    agent = certifiable(policy_kwargs=CONSTANT | {"net_arch": []})
    obs = observations(agent)
    ball, policy = LpBall.of("linf", eps), agent.actor.distribution(obs)
    square = mean_squared_shift(agent.actor, obs, policy, ball)
    torch.testing.assert_close(
        square.double(), certified_shift(agent, eps).square().mean(), rtol=1e-2, atol=0
    )


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_it_makes_the_shift_small(algorithm: str) -> None:
    weights = (0.0, 1000.0)
    plain, held = (
        certifiable(algorithm, certified_weight=weight, certified_end=0.0).learn(400)
        for weight in weights
    )
    assert float(certified_shift(held).mean()) < 0.7 * float(certified_shift(plain).mean())


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_no_weight_changes_nothing(algorithm: str) -> None:
    default = small_agent(algorithm).learn(100)
    other = small_agent(algorithm, certified_weight=0.0, certified_eps=5.0).learn(100)
    for one, two in zip(default.policy.parameters(), other.policy.parameters(), strict=True):
        assert torch.equal(one, two)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_it_is_logged(algorithm: str) -> None:
    agent = certifiable(algorithm, certified_schedule="constant").learn(100)
    logged = agent.logger.name_to_value
    assert logged["train/certified_eps"] == pytest.approx(0.3)
    assert logged["train/certified_shift"] > 0


def test_the_radius_follows_its_schedule() -> None:
    agent = certifiable(certified_start=0.2, certified_end=0.6).learn(60)
    obs = observations(agent)
    policy, found = agent.actor.distribution(obs), []
    for progress in (0.1, 0.4, 0.6, 1.0):
        agent._current_progress_remaining = 1.0 - progress
        loss, record = certified_loss(agent, obs, policy)
        assert record["certified_eps"] == pytest.approx(agent.certified.radius(progress))
        found.append(float(torch.as_tensor(loss).detach()))
    none, half, whole, end = found
    assert none == pytest.approx(0.0, abs=1e-9)
    assert none < half < whole == end


def test_only_some_states_of_a_batch_are_enclosed() -> None:
    few, many = (certifiable(certified_states=n, certified_end=0.0) for n in (3, 64))
    few.set_parameters(many.get_parameters())
    obs = observations(many)
    losses = [
        certified_loss(agent, rows, agent.actor.distribution(rows))[0]
        for agent, rows in ((few, obs), (many, obs[:3]), (many, obs))
    ]
    some, same, whole = (torch.as_tensor(loss).detach() for loss in losses)
    torch.testing.assert_close(some, same)
    assert not torch.isclose(some, whole)


def test_the_box_of_observations_cuts_the_ball() -> None:
    """At a corner of [-1, 1] only the inner half of each side is left."""
    agent = certifiable(env=Boxed(), certified_eps=5.0, certified_schedule="constant")
    obs = observations(agent)
    policy = agent.actor.distribution(obs)
    whole = mean_squared_shift(agent.actor, obs, policy, LpBall.of("linf", 5.0))
    loss = torch.as_tensor(certified_loss(agent, obs, policy)[0])
    assert bool(loss < whole)


def test_it_is_saved_and_loaded(tmp_path: Path) -> None:
    agent = certifiable(certified_eps=[0.2], certified_norm="l2", certified_end=0.9)
    agent.save(tmp_path / "agent.zip")
    again = CVPO.load(tmp_path / "agent.zip")
    np.testing.assert_allclose(again.certified.certified_eps, [0.2])
    assert again.certified.certified_norm == "l2"
    assert again.certified.radius(0.45) == pytest.approx(0.1)
    changed = CVPO.load(tmp_path / "agent.zip", certified_weight=7.0)
    assert changed.certified.certified_weight == 7.0
    assert changed.certified.certified_norm == "l2"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"certified_weight": -1.0}, "certified_weight must be a finite number >= 0"),
        ({"certified_eps": -0.1}, "certified_eps"),
        ({"certified_eps": float("nan")}, "certified_eps"),
        ({"certified_norm": "l3"}, "l2"),
        ({"certified_schedule": "linaer"}, "Did you mean 'linear'"),
        ({"certified_start": 0.9, "certified_end": 0.1}, "certified_start must not be above"),
        ({"certified_end": 2.0}, "certified_end must be a number in"),
    ],
)
def test_options_are_refused_at_the_border(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CertifiedOptions(**options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"policy_kwargs": {"net_arch": [8]}}, "covariance='diagonal'"),
        ({"certified_eps": [0.1, 0.2]}, "certified_eps must be a number or broadcast"),
    ],
)
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_an_actor_without_such_a_bound_is_refused(
    algorithm: str, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        certifiable(algorithm, **options)


def test_an_activation_without_an_enclosure_is_refused() -> None:
    with pytest.raises(NotCoveredError, match="Hardswish"):
        certifiable(policy_kwargs=CONSTANT | {"activation_fn": nn.Hardswish})

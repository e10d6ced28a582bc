"""TRPO-Lagrangian: an update against TRPO's own, the cost's value, files, a known optimum."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from agent_envs import TINY_ON_POLICY, Gamble, Mixed, Steep, Timed, vectorised
from gymnasium import spaces
from saved_agents import (
    assert_files_act_alike,
    assert_learns,
    assert_resumed_equals_unbroken,
    weights,
)

from safer_gym.agents.means import Means
from safer_gym.agents.ppo_lagrangian.actor_critics import CostMlpPolicy
from safer_gym.agents.registry import find_algorithm
from safer_gym.multipliers import PIDGains

contrib = pytest.importorskip("sb3_contrib")
TRPOLagrangian: Any = find_algorithm("trpo-lagrangian").load()
NOT_TRPOS = ("n_epochs", "buffer_size", "critic_updates", "critic_batch_size")
SMALL = {k: v for k, v in TINY_ON_POLICY.items() if k not in NOT_TRPOS}


class Choices(Timed):
    """Three options."""

    action_space = spaces.Discrete(3)

    def judge(self, action: Any) -> tuple[float, float | None]:
        return float(action), float(action == 2)


def small(env: Any = None, policy: str = "MlpPolicy", **options: Any) -> Any:
    return TRPOLagrangian(policy, Timed() if env is None else env, **deepcopy(SMALL | options))


def collected(agent: Any) -> Any:
    """With a rollout in its buffer, before any update."""
    agent.train = lambda: None
    agent.learn(20)
    del agent.train
    return agent


# ---------------------------------------------------------------- an update


@pytest.mark.parametrize("lam", [0.0, 2.0])
def test_without_a_price_an_update_is_trpos_own(lam: float) -> None:
    agent, plain = collected(small()), contrib.TRPO(CostMlpPolicy, Timed(), **deepcopy(SMALL))
    plain.policy.load_state_dict(agent.policy.state_dict())
    plain.set_logger(agent.logger)
    plain.rollout_buffer = deepcopy(agent.rollout_buffer)
    agent.lam = lam
    for one in (agent, plain):
        np.random.seed(3)  # noqa: NPY002
        one.train()
    ours, theirs = weights(agent), weights(plain)
    actor = [name for name in ours if "policy_net" in name or name.startswith("action_net")]
    assert actor
    equal = all(torch.allclose(ours[name], theirs[name], atol=1e-6) for name in actor)
    assert equal == (lam == 0.0)


def test_the_costs_value_learns_and_leaves_the_actor_as_it_is() -> None:
    agent = collected(small(n_critic_updates=200, learning_rate=1e-2))
    before, buffer = weights(agent), agent.rollout_buffer

    def error() -> float:
        data = next(iter(buffer.get(None)))
        values = agent.policy.state_values(data.observations)[:, 1]
        return float((values.detach() - data.cost_returns).square().mean())

    first = error()
    agent._fit_cost_value(Means())
    assert error() < 0.5 * first
    after = weights(agent)
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert moved
    assert all("value" in name for name in moved)


def test_the_advantage_is_weighed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """(A_r - lam A_c) / (1 + lam), A_r standardised over the rollout; TRPO must not do it again."""
    agent = collected(small())
    buffer = agent.rollout_buffer
    reward, cost = buffer.advantages.copy(), buffer.cost_advantages.copy()
    seen: list[Any] = []

    def told(self: Any) -> None:
        seen.append((self.normalize_advantage, self.rollout_buffer.advantages.copy()))
        list(self.rollout_buffer.get(None))

    monkeypatch.setattr(contrib.TRPO, "train", told)
    agent.lam = 3.0
    agent.train()
    expected = ((reward - reward.mean()) / reward.std(ddof=1) - 3.0 * cost) / 4.0
    assert seen[0][0] is False
    np.testing.assert_allclose(seen[0][1], expected, rtol=1e-4, atol=1e-5)
    assert agent.normalize_advantage is True


# ---------------------------------------------------------------- contract


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cost_limit": -1.0}, "cost_limit must be a finite number >= 0"),
        ({"cost_limt": 1.0}, "Did you mean 'cost_limit'"),
        ({"target_k": 1.0}, "Did you mean 'target_kl'"),
        ({"cost_surrogate": "clipped"}, "cost_surrogate"),
        ({"cost_advantage": "centered"}, "Did you mean 'centred'"),
        ({"missing_cost": "zeros"}, "Did you mean 'zero'"),
    ],
)
def test_bad_options_are_refused_by_name(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        small(**options)


@pytest.mark.parametrize(
    ("policy", "env", "options"),
    [
        ("MlpPolicy", Steep, {}),
        ("MlpPolicy", Choices, {}),
        ("MultiInputPolicy", Mixed, {}),
        ("MlpPolicy", Timed, {"use_sde": True}),
    ],
    ids=["box", "discrete", "dict", "sde"],
)
def test_all_policies_learn_and_are_loaded(
    policy: str, env: type[gym.Env], options: dict[str, Any], tmp_path: Path
) -> None:
    agent = small(env(), policy, **options)
    assert_learns(agent, 60, ("action_net", "value_net", "cost_value_net"))
    obs, _ = env().reset(seed=3)
    assert_files_act_alike(agent, obs, tmp_path)


def test_a_resumed_run_equals_an_unbroken_one(tmp_path: Path) -> None:
    agent = small(vectorised(Timed, 2), cost_limit=0.0, pid_gains=(0.1, 0.2, 0.3))
    agent.learn(120)
    assert agent.lam > 0.0
    again = assert_resumed_equals_unbroken(agent, tmp_path, ("lam", "pid"))
    assert again.lagrange.gains == PIDGains(0.1, 0.2, 0.3)


# ---------------------------------------------------------------- a known optimum


@pytest.mark.slow
def test_the_constrained_optimum_is_found() -> None:
    """Gamble: stake 0.3 a step, no less and no more, at the price of a stake: 2 reward a cost."""
    agent = TRPOLagrangian(
        "MlpPolicy",
        vectorised(Gamble, 4),
        cost_limit=0.3 * Gamble.horizon,
        gamma=0.5,
        n_steps=100,
        batch_size=100,
        target_kl=0.02,
        normalize_advantage=False,
        pid_gains=(0.1, 0.02, 0.0),
        seed=1,
        policy_kwargs={"net_arch": [32], "log_std_init": -1.0},
    ).learn(12_000, log_interval=None)
    obs = np.linspace(-1.0, 1.0, 41, dtype=np.float32)[:, None]
    action, _ = agent.predict(obs, deterministic=True)
    stake = float((1.0 + action[:, 1]).mean()) / 2.0
    tracking = float((1.0 - (action[:, 0] - obs[:, 0]) ** 2).mean())
    assert 0.15 <= stake <= 0.45
    assert tracking >= 0.9
    assert agent.lam == pytest.approx(2.0, abs=1.0)

"""Problems of identity size with known answers, the constraint active, solved in seconds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from agent_envs import Cliff, Gamble, small_ppol, vectorised

from safer_gym.agents import PPOLagrangian

LEARN: dict[str, Any] = {
    "n_steps": 40,
    "batch_size": 40,
    "n_epochs": 5,
    # A step is worth far more here, and there are far fewer, than where the paper's gains are from.
    "pid_gains": (0.3, 0.05, 0.1),
    "gamma": 0.5,
    "learning_rate": 1e-2,
    "critic_learning_rate": 1e-2,
    "target_kl": 0.05,
    "buffer_size": 5000,
    "critic_updates": 10,
    "critic_batch_size": 64,
    "tau": 0.05,
    "policy_kwargs": {"net_arch": [32], "actor_kwargs": {"min_std": 0.1, "init_std": 0.5}},
}


def learned(env: Any, steps: int, **options: Any) -> PPOLagrangian:
    return small_ppol(env, **(LEARN | options)).learn(steps, log_interval=None)


def mean_step(agent: PPOLagrangian) -> tuple[float, float]:
    """Reward and cost of a step of the deterministic policy in `Gamble`, over all states."""
    obs = np.linspace(-1.0, 1.0, 41, dtype=np.float32)[:, None]
    action, _ = agent.predict(obs, deterministic=True)
    stake = (1.0 + action[:, 1]) / 2.0
    reward = 1.0 - (action[:, 0] - obs[:, 0]) ** 2 + 2.0 * stake
    return float(reward.mean()), float(stake.mean())


@pytest.mark.slow
@pytest.mark.parametrize("cost_surrogate", ["clipped", "linear"])
def test_the_constrained_optimum_is_found(cost_surrogate: str) -> None:
    """Gamble: stake cost_limit / horizon, no less and no more; reward 1 + 2 * 0.3 a step."""
    limit = 0.3 * Gamble.horizon
    agent = learned(vectorised(Gamble, 4), 8_000, cost_limit=limit, cost_surrogate=cost_surrogate)
    reward, cost = mean_step(agent)
    assert 0.18 <= cost <= 0.4
    assert reward >= 0.8 * (1.0 + 2.0 * 0.3)
    assert agent.lam > 0.0


@pytest.mark.slow
def test_a_loose_limit_frees_the_unconstrained_optimum() -> None:
    """The same task: stake everything, which breaks the tight limit; the multiplier rests."""
    agent = learned(vectorised(Gamble, 4), 5_000, cost_limit=5.0 * Gamble.horizon)
    reward, cost = mean_step(agent)
    assert cost >= 0.8
    assert reward >= 0.8 * 3.0
    assert agent.lam <= 0.05  # a cost that grows below the limit has a derivative part


@pytest.mark.slow
def test_adversarial_rollouts_keep_the_attacked_cost_low_and_benign_ones_do_not() -> None:
    """Cliff: the worst throttle at the cliff over all that an attacker may show."""
    worst, road = {}, {}
    schedule = {"eps": Cliff.eps, "eps_start": 0.0, "eps_end": 0.3}
    for form, options in (("PPOL", {}), ("ADV-PPOL", {"collection_attack": "mc", **schedule})):
        agent = learned(vectorised(Cliff, 4), 8_000, cost_limit=2.0, **options)

        def throttle(obs: Any, agent: Any = agent) -> np.ndarray:
            obs = np.asarray(obs, np.float32).reshape(-1, 1)
            return (1.0 + agent.predict(obs, deterministic=True)[0][:, 0]) / 2.0

        worst[form] = float(throttle(np.linspace(-1.0 - Cliff.eps, -1.0 + Cliff.eps, 61)).max())
        road[form] = float(throttle([4.0])[0])
    assert min(road.values()) >= 0.7
    assert worst["PPOL"] >= 0.5
    assert worst["ADV-PPOL"] <= 0.6 * worst["PPOL"]

"""Problems of identity size with known answers, the constraint active, solved in seconds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from agent_envs import Cliff, Gamble, Pendulum, small_agent, vectorised

from safer_gym.agents.cvpo.variational import Variational
from safer_gym.attacks import make_attack
from safer_gym.balls import LpBall

# gamma is small against 1 / horizon, so that the threshold on Q_c stands for the limit exactly.
LEARN: dict[str, Any] = {
    "buffer_size": 5000,
    "learning_starts": 200,
    "batch_size": 64,
    "train_freq": 25,
    "gradient_steps": 25,
    "n_particles": 16,
    "gamma": 0.5,
    "n_steps": 1,
    "learning_rate": 3e-3,
    "critic_learning_rate": 3e-3,
    # Named here, as the defaults are tuned for longer tasks.
    "dual_rate": 1.0,
    "kl_bound_estep": 0.1,
    "kl_bound_mean": 0.01,
    "kl_bound_cov": 1e-3,
    "seed": 1,
}
ROBUST: dict[str, Any] = {
    "kl_bound_adversarial": 0.05,
    "kl_bound_adversarial_cov": 0.05,
    "adversarial_cap_mean": 1.0,
    "adversarial_cap_cov": 1.0,
    "adversarial_weight": 1.0,
    "adversarial_reference": "old",
    "attacked_cost_critic": False,
    "attack_steps": 5,
}
# Two hidden layers: between them lies what is computed in fewer bits.
REDUCED: dict[str, Any] = {
    "estep_dtype": "bfloat16",
    "policy_kwargs": {"net_arch": [32, 32], "actor_kwargs": {"min_std": 0.1, "init_std": 0.5}},
}


def learned(algorithm: str, env: Any, steps: int, **options: Any) -> Variational:
    narrow = {"net_arch": [32], "actor_kwargs": {"min_std": 0.1, "init_std": 0.5}}
    robust = ROBUST if algorithm == "SAFER" else {}
    options = {**LEARN, **robust, "policy_kwargs": narrow, **options}
    agent = small_agent(algorithm, env, **options)
    return agent.learn(steps, log_interval=None)  # type: ignore[arg-type]


def mean_step(agent: Variational) -> tuple[float, float]:
    """Reward and cost of a step of the deterministic policy in `Gamble`, over all states."""
    obs = np.linspace(-1.0, 1.0, 41, dtype=np.float32)[:, None]
    action, _ = agent.predict(obs, deterministic=True)
    stake = (1.0 + action[:, 1]) / 2.0
    reward = 1.0 - (action[:, 0] - obs[:, 0]) ** 2 + 2.0 * stake
    return float(reward.mean()), float(stake.mean())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("algorithm", "options"), [("CVPO", {}), ("CVPO", REDUCED), ("SAFER", {"eps": 0.05})]
)
def test_the_constrained_optimum_is_found(algorithm: str, options: dict[str, Any]) -> None:
    """Gamble: stake cost_limit / horizon, no less and no more; reward 1 + 2 * 0.3 a step."""
    limit = 0.3 * Gamble.horizon
    agent = learned(algorithm, vectorised(Gamble, 4), 1600, cost_limit=limit, **options)
    reward, cost = mean_step(agent)
    assert 0.18 <= cost <= 0.33
    assert reward >= 0.8 * (1.0 + 2.0 * 0.3)
    assert agent.dual.lam == pytest.approx(2.0, abs=1.0)  # the price of a stake: 2 reward a cost


@pytest.mark.slow
def test_a_loose_limit_frees_the_unconstrained_optimum() -> None:
    """The same task: stake everything, which breaks the tight limit; the multiplier rests."""
    agent = learned("CVPO", vectorised(Gamble, 4), 2400, cost_limit=5.0 * Gamble.horizon)
    reward, cost = mean_step(agent)
    assert cost >= 0.8
    assert reward >= 0.8 * 3.0
    assert agent.dual.lam == 0.0


class Brief(Gamble):
    """Three steps, which is short against 1 / (1 - gamma) = 10."""

    horizon = 3


@pytest.mark.slow
@pytest.mark.parametrize(
    ("threshold_horizon", "least", "most"), [("endless", 0.45, 0.75), ("episode", 0.0, 0.3)]
)
def test_short_episodes_meet_the_limit_with_the_endless_threshold(
    threshold_horizon: str, least: float, most: float
) -> None:
    """The limit is a stake of 0.6; the paper's bound, 3.7 times smaller, stands for 0.16."""
    agent = learned(
        "CVPO",
        vectorised(Brief, 4),
        2400,
        cost_limit=0.6 * Brief.horizon,
        gamma=0.9,
        threshold_horizon=threshold_horizon,
    )
    assert least <= mean_step(agent)[1] <= most


@pytest.mark.slow
def test_a_limit_of_zero_is_a_penalty_at_the_bound() -> None:
    """The same task: no batch is free of cost for sure, so the multiplier rests at its bound.

    Above the price of a stake (2), that bound leaves hardly any, and the rest is still learned.
    """
    agent = learned("CVPO", vectorised(Gamble, 4), 1600, cost_limit=0.0, max_lam=5.0)
    assert agent.threshold == 0.0
    reward, cost = mean_step(agent)
    assert cost <= 0.2
    assert reward - 2.0 * cost >= 0.75  # 1 - 1/3 for a policy that does not track
    assert agent.dual.lam == 5.0


@pytest.mark.slow
def test_safer_keeps_its_cost_low_under_attack_and_cvpo_does_not() -> None:
    """Cliff: the worst throttle at the cliff, by a gradient attack and by looking everywhere."""
    schedule = {"eps": Cliff.eps, "eps_start": 0.0, "eps_end": 0.3}
    worst, clean, road = {}, {}, {}
    for algorithm, options in (("CVPO", {}), ("SAFER", schedule)):
        agent = learned(algorithm, vectorised(Cliff, 4), 1600, cost_limit=2.0, **options)

        def throttle(obs: Any, agent: Any = agent) -> np.ndarray:
            obs = np.asarray(obs, np.float32).reshape(-1, 1)
            return (1.0 + agent.predict(obs, deterministic=True)[0][:, 0]) / 2.0

        ball = LpBall.of("linf", Cliff.eps)
        found = make_attack("mc", steps=10)(agent.victim(), torch.tensor([[-1.0]]), ball).obs
        everywhere = throttle(np.linspace(-1.0 - Cliff.eps, -1.0 + Cliff.eps, 61))
        worst[algorithm] = float(everywhere.max())
        assert throttle(found)[0] >= 0.7 * worst[algorithm]
        clean[algorithm], road[algorithm] = float(throttle([-1.0])[0]), float(throttle([4.0])[0])
    assert max(clean.values()) <= 0.25
    assert min(road.values()) >= 0.7
    assert worst["CVPO"] >= 0.5
    assert worst["SAFER"] <= 0.5 * worst["CVPO"]


@pytest.mark.parametrize(
    ("terminates", "cost_bootstrap", "reward_values", "cost_values"),
    [
        (False, "until_terminated", (4 / 3, 2 / 3), (4 / 3, 2 / 3)),
        (False, "always", (4 / 3, 2 / 3), (4 / 3, 2 / 3)),
        (True, "until_terminated", (1.0, 0.0), (1.0, 0.0)),
        (True, "always", (1.0, 0.0), (4 / 3, 2 / 3)),
    ],
    ids=["clock", "clock-always", "terminal", "terminal-always"],
)
@pytest.mark.parametrize("n_steps", [1, 2])
def test_the_critics_learn_the_known_values(
    terminates: bool,
    cost_bootstrap: str,
    reward_values: tuple[float, float],
    cost_values: tuple[float, float],
    n_steps: int,
) -> None:
    """Pendulum, gamma = 1/2: a time limit cuts no value, a termination does."""
    agent = small_agent(
        "CVPO",
        Pendulum(terminates),
        gamma=0.5,
        n_steps=n_steps,
        cost_bootstrap=cost_bootstrap,
        learning_starts=60,
        critic_learning_rate=1e-2,
        policy_kwargs={"net_arch": [16], "n_critics": 1, "n_cost_critics": 1},
    )
    agent.learn(60)
    agent._set_learning_rates()
    for _ in range(200):
        agent._update_critics(agent._sample_batch(32))
        agent._update_targets()
    states = torch.tensor([[0.0], [1.0]])
    with torch.no_grad():
        actions = agent.actor(states, deterministic=True)
        by_reward = agent.critic(states, actions)[0].flatten()
        by_cost = agent.cost_critic(states, actions)[0].flatten()
    torch.testing.assert_close(by_reward, torch.tensor(reward_values), atol=0.12, rtol=0.0)
    torch.testing.assert_close(by_cost, torch.tensor(cost_values), atol=0.12, rtol=0.0)

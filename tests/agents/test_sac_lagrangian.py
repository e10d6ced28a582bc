"""SAC-Lagrangian: the losses, the multiplier, SB3's contract, a known optimum."""

from __future__ import annotations

from copy import deepcopy
from itertools import pairwise
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from agent_envs import TINY, Camera, Gamble, Mixed, Pendulum, Steep, Timed, vectorised
from hypothesis import given
from hypothesis import strategies as st
from saved_agents import (
    assert_attacks_use_both_critics,
    assert_files_act_alike,
    assert_learns,
    assert_resumed_equals_unbroken,
    weights,
)
from stable_baselines3 import SAC
from stable_baselines3.common.vec_env import SubprocVecEnv, VecNormalize

from safer_gym.agents import SACLagrangian
from safer_gym.agents.lagrangian import lagrangian as cost_part
from safer_gym.agents.lagrangian.multiplier import Multiplier, MultiplierRule
from safer_gym.agents.sac_lagrangian import sac_lagrangian as module
from safer_gym.agents.sac_lagrangian.losses import actor_loss, temperature_loss
from safer_gym.agents.sac_lagrangian.policies import LagrangianPolicy
from safer_gym.agents.training.checkpoint import load_checkpoint, save_checkpoint
from safer_gym.multipliers import PIDGains

SMALL = {key: value for key, value in TINY.items() if key != "n_particles"}


def small(env: Any = None, policy: str = "MlpPolicy", **options: Any) -> SACLagrangian:
    return SACLagrangian(policy, Timed() if env is None else env, **(SMALL | options))


NETS = ("actor.mu", "critic.", "cost_critic.", "critic_target.", "cost_critic_target.")


# ---------------------------------------------------------------- the price


@given(st.floats(0.0, 50.0), st.floats(0.01, 2.0))
def test_the_actor_ascends_the_lagrangian(lam: float, alpha: float) -> None:
    """Twins of which the first is lower, a cost of 3 a^2, a log-density of a: by hand."""
    actions = torch.linspace(-1.0, 1.0, 8, dtype=torch.float64, requires_grad=True)
    q_reward = torch.stack([actions, actions + 1.0])
    temperature = torch.tensor(alpha, dtype=torch.float64)
    loss = actor_loss(actions, q_reward, 3.0 * actions.square(), temperature, lam)
    (slope,) = torch.autograd.grad(8.0 * loss, actions)
    gain = (1.0 - 6.0 * lam * actions.detach()) / (1.0 + lam)
    torch.testing.assert_close(slope, alpha - gain)


@given(st.floats(-2.0, 2.0), st.floats(-3.0, 3.0))
def test_the_temperature_rises_where_entropy_is_missing(log_alpha: float, target: float) -> None:
    """The slope by log alpha is entropy - target."""
    variable = torch.tensor(log_alpha, dtype=torch.float64, requires_grad=True)
    log_prob = torch.linspace(-1.0, 2.0, 5, dtype=torch.float64, requires_grad=True)
    temperature_loss(variable, log_prob, target).backward()
    torch.testing.assert_close(variable.grad, -log_prob.detach().mean() - target)
    assert log_prob.grad is None


def one_update(agent: Any) -> dict[str, torch.Tensor]:
    np.random.seed(3)  # noqa: NPY002
    torch.manual_seed(3)
    agent.train(1, 16)
    return weights(agent)


@pytest.mark.parametrize("lam", [0.0, 2.0])
def test_without_a_price_an_update_is_stable_baselines3s_own(lam: float) -> None:
    """The same weights, batch and noise: SAC over our networks, and SAC-Lagrangian."""
    collects = {**SMALL, "learning_starts": 1000}
    agent = small(**collects, multiplier_lr=0.0)
    plain = SAC(LagrangianPolicy, Timed(), **deepcopy(collects))  # it writes into them
    for untrained in (agent, plain):
        untrained.learn(40)
    plain.replay_buffer = agent.replay_buffer
    plain.policy.load_state_dict(agent.policy.state_dict())
    agent.multiplier = Multiplier(lam)
    theirs, ours = one_update(plain), one_update(agent)
    equal = {
        net: all(torch.equal(ours[k], theirs[k]) for k in ours if k.startswith(net))
        for net in ("actor.", "critic.")
    }
    assert equal == {"actor.": lam == 0.0, "critic.": True}


# ---------------------------------------------------------------- the multiplier


@pytest.mark.parametrize("kind", ["gradient", "pid"])
def test_the_multiplier_rises_above_the_limit_and_falls_below(kind: str) -> None:
    rule = MultiplierRule.of(kind, 0.1, (0.1, 0.05, 0.0), 3.0)
    state, seen = Multiplier(), []
    for error in [2.0] * 200 + [-2.0] * 400:
        state = rule.step(state, error)
        seen.append(state.lam)
    assert seen[0] == pytest.approx(0.2 if kind == "gradient" else 0.1 * 2 + 0.05 * 2)
    assert max(seen) == 3.0
    assert seen[-1] == 0.0
    assert all(a <= b for a, b in pairwise(seen[:200]))


@pytest.mark.parametrize("signal", ["episodes", "critic"])
def test_the_signal_moves_the_multiplier(signal: str) -> None:
    """Every step costs 1 (Timed, action above 0) or the limit is far away."""
    options: dict[str, Any] = {"multiplier_signal": signal, "multiplier_lr": 0.1}
    options |= {"learning_rate": 1e-2, "gradient_steps": 20}
    dear = small(cost_limit=0.0, **options).learn(200)
    cheap = small(cost_limit=1e6, **options).learn(200)
    assert cheap.multiplier.lam == 0.0
    assert dear.multiplier.lam > 0.0


def test_the_critic_is_held_against_the_bound_on_q_c(monkeypatch: pytest.MonkeyPatch) -> None:
    agent = small(multiplier_signal="critic")
    told: list[float] = []
    monkeypatch.setattr(agent, "_cost_of", lambda obs, actions: torch.ones(len(actions)))
    monkeypatch.setattr(agent, "_step_multiplier", told.append)
    agent.learn(60)
    assert set(told) == {1.0 - agent.threshold}
    assert agent.threshold != agent.cost_limit  # the specimen


def test_episodes_count_once() -> None:
    agent = small(multiplier_lr=0.01, cost_limit=0.0, learning_starts=0)
    agent.learn(60)  # three episodes, one at the end of each round
    recent = list(agent.cost_monitor.recent)
    assert len(recent) == 3
    assert agent.multiplier.lam == pytest.approx(0.01 * sum(recent))


# ---------------------------------------------------------------- the cost critic


@pytest.mark.parametrize(("interval", "tracked"), [(1, 5), (2, 3), (4, 2)])
def test_both_critics_learn_from_each_batch_and_their_targets_follow(
    interval: int, tracked: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = small(target_update_interval=interval).learn(40)
    calls: list[str] = []
    batches: list[Any] = []
    for name in ("_update_soft", "_update_cost_critic"):
        update = getattr(agent, name)

        def noted(data: Any, name: str = name, update: Any = update) -> Any:
            calls.append(name)
            batches.append(data)
            return update(data)

        monkeypatch.setattr(agent, name, noted)
    monkeypatch.setattr(module, "track_critics", lambda *args: calls.append("track"))
    agent.train(5, 8)
    assert [call for call in calls if call != "track"] == [
        "_update_soft",
        "_update_cost_critic",
    ] * 5
    assert calls.count("track") == tracked
    assert all(one is other for one, other in zip(batches[::2], batches[1::2], strict=True))


@pytest.mark.parametrize("cost_action", ["mean", "sample"])
def test_the_cost_of_the_mean_or_of_a_sampled_action(cost_action: str) -> None:
    agent, obs = small(cost_action=cost_action), torch.randn(6, 1)
    first, again = (agent._action(obs) for _ in range(2))
    assert torch.equal(first, again) == (cost_action == "mean")
    assert torch.equal(first, agent.actor(obs, deterministic=True)) == (cost_action == "mean")


@pytest.mark.parametrize("cost_bootstrap", ["always", "until_terminated"])
def test_the_cost_behind_a_terminal_state(
    cost_bootstrap: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next value is 10 everywhere; only "always" counts it behind the end."""
    agent = small(Pendulum(terminates=True), cost_bootstrap=cost_bootstrap, gamma=0.5)
    agent.learn(40)
    told: list[torch.Tensor] = []

    def noted(name: str, critic: Any, data: Any, target: Any, limit: Any) -> torch.Tensor:
        told.append(target)
        return target.mean()

    monkeypatch.setattr(cost_part, "fit_critic", noted)
    monkeypatch.setattr(
        cost_part, "aggregate", lambda values, how: torch.full_like(values[0], 10.0)
    )
    data = agent.replay_buffer.sample(64)
    agent._update_cost_critic(data)
    ended = data.dones.squeeze(-1) > 0
    assert ended.any()
    assert not ended.all()
    counted = torch.full_like(told[0], 5.0)
    counted[ended] = 5.0 if cost_bootstrap == "always" else 0.0
    torch.testing.assert_close(told[0], data.costs.squeeze(-1) + counted)


# ---------------------------------------------------------------- contract


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cost_limit": -1.0}, "cost_limit must be a finite number >= 0"),
        ({"cost_limt": 1.0}, "Did you mean 'cost_limit'"),
        ({"ent_coeff": 1.0}, "Did you mean 'ent_coef'"),
        ({"multiplier": "pdi"}, "Did you mean 'pid'"),
        ({"multiplier_signal": "episode"}, "Did you mean 'episodes'"),
        ({"multiplier_lr": -0.1}, "multiplier_lr must be a finite number >= 0"),
        ({"max_lam": float("nan")}, "max_lam must be a number >= 0"),
        ({"pid_gains": (1.0, 2.0)}, "pid_gains must be three numbers"),
        ({"threshold_horizon": "endles"}, "Did you mean 'endless'"),
        ({"threshold_horizon": "endless", "gamma": 1.0}, "gamma must be below 1"),
        (
            {"optimize_memory_usage": True, "cost_bootstrap": "always"},
            "until_terminated",
        ),
        ({"policy_kwargs": {"n_cost_critic": 2}}, "Did you mean 'n_cost_critics'"),
    ],
)
def test_bad_options_are_refused_by_name(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        small(**options)


def test_arguments_of_sac_by_position_or_name() -> None:
    agent = SACLagrangian("MlpPolicy", Timed(), 1e-4, 500, 7, gamma=0.9)
    assert (agent.learning_rate, agent.buffer_size, agent.learning_starts) == (1e-4, 500, 7)
    assert agent.threshold == pytest.approx(5.0 / 20 * (1 - 0.9**20) / 0.1)


@pytest.mark.parametrize(
    ("policy", "env", "options"),
    [
        ("CnnPolicy", Camera, {"policy_kwargs": {"net_arch": [8]}, "buffer_size": 100}),
        (
            "CnnPolicy",
            Camera,
            {
                "policy_kwargs": {"net_arch": [8], "share_features_extractor": True},
                "buffer_size": 100,
            },
        ),
        ("MultiInputPolicy", Mixed, {}),
        ("MlpPolicy", Steep, {"policy_kwargs": {"net_arch": [8], "n_cost_critics": 3}}),
        ("MlpPolicy", Timed, {"use_sde": True, "cost_action": "mean"}),
        ("MlpPolicy", Timed, {"n_steps": 3, "target_update_interval": 2, "ent_coef": 0.1}),
    ],
    ids=["cnn", "cnn-shared", "dict", "three", "sde", "n-step"],
)
def test_all_policies_learn_and_are_loaded(
    policy: str, env: type[gym.Env], options: dict[str, Any], tmp_path: Path
) -> None:
    agent = small(env(), policy, **options)
    assert_learns(agent, 60, NETS)
    obs, _ = env().reset(seed=3)
    expected, _ = agent.predict(obs, deterministic=True)
    low, high = agent.action_space.low, agent.action_space.high
    assert ((expected >= low) & (expected <= high)).all()
    assert_files_act_alike(agent, obs, tmp_path)


def test_normalised_parallel_environments() -> None:
    agent = small(VecNormalize(vectorised(Timed, 4), gamma=0.9))
    assert_learns(agent, 240, NETS)
    assert len(agent.cost_monitor.running) == 4


def test_environments_in_processes() -> None:
    env = SubprocVecEnv([Timed, Timed], start_method="fork")
    try:
        assert_learns(small(env), 120, NETS)
    finally:
        env.close()


def test_a_resumed_learner_is_the_saved_one(tmp_path: Path) -> None:
    agent = small(vectorised(Timed, 2), cost_limit=0.0, multiplier="pid", pid_gains=(0.1, 0.2, 0.3))
    agent.learn(240)
    assert agent.multiplier.lam > 0.0
    folder = save_checkpoint(agent, tmp_path, [])
    loaded, _ = load_checkpoint(SACLagrangian, folder, vectorised(Timed, 2), device="cpu")
    assert loaded.multiplier == agent.multiplier
    assert loaded.rule == agent.rule
    assert loaded.rule.gains == PIDGains(0.1, 0.2, 0.3)
    assert loaded._episodes_counted == agent._episodes_counted
    theirs = weights(loaded)
    assert all(torch.equal(value, theirs[name]) for name, value in weights(agent).items())
    assert any(name.startswith("cost_critic_target") for name in theirs)
    for net in ("actor", "critic", "cost_critic"):
        moments = [getattr(a, net).optimizer.state_dict()["state"] for a in (agent, loaded)]
        assert moments[0]
        for key, values in moments[0].items():
            assert all(torch.equal(v, moments[1][key][name]) for name, v in values.items())
    before = loaded.multiplier
    loaded.learn(80, reset_num_timesteps=False)
    assert loaded.multiplier != before


@pytest.mark.parametrize("signal", ["episodes", "critic"])
def test_a_resumed_run_equals_an_unbroken_one(signal: str, tmp_path: Path) -> None:
    agent = small(vectorised(Timed, 2), cost_limit=1.0, multiplier_signal=signal, ent_coef="auto")
    agent.learn(240)
    again = assert_resumed_equals_unbroken(agent, tmp_path, ("multiplier",))
    assert torch.equal(again.log_ent_coef, agent.log_ent_coef)
    for name in ("observations", "actions", "rewards", "costs", "timeouts"):
        ours, theirs = (getattr(twin.replay_buffer, name) for twin in (again, agent))
        np.testing.assert_array_equal(ours, theirs)


def test_the_victim_has_both_critics_and_attacks_use_them(tmp_path: Path) -> None:
    agent = small(Steep(), policy_kwargs={"net_arch": [16], "n_cost_critics": 2})
    agent.learn(100)
    assert_attacks_use_both_critics(agent, tmp_path)


# ---------------------------------------------------------------- a known optimum


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        {"multiplier": "gradient", "multiplier_lr": 0.03},
        {"multiplier": "pid", "pid_gains": (0.05, 0.02, 0.0)},
        {"multiplier": "pid", "pid_gains": (1.0, 0.005, 0.0), "multiplier_signal": "critic"},
    ],
    ids=["gradient", "pid", "critic"],
)
def test_the_constrained_optimum_is_found(options: dict[str, Any]) -> None:
    """Gamble: stake 0.3 a step, no less and no more, at the price of a stake: 2 reward a cost."""
    agent = SACLagrangian(
        "MlpPolicy",
        vectorised(Gamble, 4),
        cost_limit=0.3 * Gamble.horizon,
        gamma=0.5,
        learning_rate=3e-3,
        tau=0.05,
        learning_starts=200,
        batch_size=64,
        buffer_size=5000,
        train_freq=20,
        gradient_steps=20,
        ent_coef=0.01,
        seed=1,
        policy_kwargs={"net_arch": [32]},
        **options,
    ).learn(4800, log_interval=None)
    obs = np.linspace(-1.0, 1.0, 41, dtype=np.float32)[:, None]
    action, _ = agent.predict(obs, deterministic=True)
    stake = float((1.0 + action[:, 1]).mean()) / 2.0
    reward = float((1.0 - (action[:, 0] - obs[:, 0]) ** 2).mean()) + 2.0 * stake
    assert 0.15 <= stake <= 0.42
    assert reward >= 0.8 * (1.0 + 2.0 * 0.3)
    assert agent.multiplier.lam == pytest.approx(2.0, abs=1.0)

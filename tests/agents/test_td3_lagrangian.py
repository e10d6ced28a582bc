"""TD3- and DDPG-Lagrangian: the losses, an update against SB3's own, noise, a known optimum."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from agent_envs import TINY, Camera, Gamble, Mixed, Steep, Timed, vectorised
from hypothesis import given
from hypothesis import strategies as st
from saved_agents import (
    assert_attacks_use_both_critics,
    assert_files_act_alike,
    assert_learns,
    assert_resumed_equals_unbroken,
    weights,
)
from stable_baselines3 import DDPG, TD3
from stable_baselines3.common.noise import NormalActionNoise

from safer_gym.agents import DDPGLagrangian, TD3Lagrangian
from safer_gym.agents.lagrangian.multiplier import Multiplier
from safer_gym.agents.networks.critics import QEnsemble
from safer_gym.agents.td3_lagrangian.losses import actor_loss, smoothed
from safer_gym.agents.td3_lagrangian.policies import LagrangianPolicy

SMALL = {key: value for key, value in TINY.items() if key != "n_particles"}
BOTH = pytest.mark.parametrize("algorithm", [TD3Lagrangian, DDPGLagrangian])


def small(
    algorithm: Any = TD3Lagrangian, env: Any = None, policy: str = "MlpPolicy", **own: Any
) -> Any:
    return algorithm(policy, Timed() if env is None else env, **(SMALL | own))


# ---------------------------------------------------------------- the losses


@given(st.floats(0.0, 50.0))
def test_the_actor_ascends_the_lagrangian(lam: float) -> None:
    """The first critic is a, the second would be 5 a; the cost is 3 a^2: by hand."""
    actions = torch.linspace(-1.0, 1.0, 8, dtype=torch.float64, requires_grad=True)
    q_reward = torch.stack([actions, 5.0 * actions])
    loss = actor_loss(q_reward, 3.0 * actions.square(), lam)
    (slope,) = torch.autograd.grad(8.0 * loss, actions)
    torch.testing.assert_close(slope, -(1.0 - 6.0 * lam * actions.detach()) / (1.0 + lam))


@given(st.floats(0.0, 2.0), st.integers(0, 2**32))
def test_smoothing_stays_near_and_inside(clip: float, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    actions = torch.rand(50, 2, generator=generator, dtype=torch.float64) * 2 - 1
    noise = torch.randn(50, 2, generator=generator, dtype=torch.float64)
    moved = smoothed(actions, noise, clip)
    assert float((moved - actions).abs().max()) <= clip + 1e-12
    assert float(moved.abs().max()) <= 1.0
    free = (noise.abs() <= clip) & ((actions + noise).abs() <= 1.0)
    torch.testing.assert_close(moved[free], (actions + noise)[free])


def one_update(agent: Any, steps: int) -> dict[str, torch.Tensor]:
    np.random.seed(3)  # noqa: NPY002
    torch.manual_seed(3)
    agent.train(steps, 16)
    return weights(agent)


@pytest.mark.parametrize("lam", [0.0, 2.0])
@pytest.mark.parametrize(("ours", "theirs"), [(TD3Lagrangian, TD3), (DDPGLagrangian, DDPG)])
def test_without_a_price_an_update_is_stable_baselines3s_own(
    ours: Any, theirs: Any, lam: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same weights, batches and noise: TD3 over our networks, and TD3-Lagrangian."""
    monkeypatch.setattr(QEnsemble, "q1_forward", lambda net, *at: net.values(*at)[0], raising=False)
    collects = {**SMALL, "learning_starts": 1000}
    agent = small(ours, **collects, multiplier_lr=0.0)
    plain = theirs(LagrangianPolicy, Timed(), **deepcopy(collects))  # it writes into them
    for untrained in (agent, plain):
        untrained.learn(40)
    plain.replay_buffer = agent.replay_buffer
    plain.policy.load_state_dict(agent.policy.state_dict())
    agent.multiplier = Multiplier(lam)
    found, expected = one_update(agent, 2), one_update(plain, 2)
    assert any(not torch.equal(found[k], v) for k, v in agent.policy.state_dict().items()) is False
    equal = {
        net: all(
            torch.allclose(found[k], expected[k], atol=1e-7) for k in found if k.startswith(net)
        )
        for net in ("actor.", "actor_target.")
    }
    assert equal == dict.fromkeys(equal, lam == 0.0)
    if lam == 0.0:
        for name in (n for n in found if n.startswith(("critic.", "critic_target."))):
            torch.testing.assert_close(found[name], expected[name])


@pytest.mark.parametrize(("algorithm", "moves"), [(TD3Lagrangian, 2), (DDPGLagrangian, 5)])
def test_the_actor_and_all_targets_wait_for_the_delay(
    algorithm: Any, moves: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = small(algorithm, learning_starts=1000).learn(40)
    calls = []
    update = agent._update_actor
    monkeypatch.setattr(agent, "_update_actor", lambda data: calls.append(1) or update(data))
    before = weights(agent)
    agent.train(1, 8)
    still = [k for k, v in weights(agent).items() if torch.equal(v, before[k])]
    waits = [k for k in before if k.startswith("actor") or "_target." in k]
    assert set(waits) <= set(still) if moves == 2 else not set(waits) & set(still)
    agent.train(4, 8)
    assert len(calls) == moves


# ---------------------------------------------------------------- exploration


@BOTH
def test_actions_are_explored_with_the_noise_that_was_asked_for(algorithm: Any) -> None:
    plain, default = small(algorithm, exploration_noise=0.0), small(algorithm)
    assert plain.action_noise is None
    np.testing.assert_allclose(default.action_noise._sigma, 0.1)
    given_noise = NormalActionNoise(np.zeros(1), np.full(1, 0.4))
    assert small(algorithm, action_noise=given_noise).action_noise is given_noise
    spread = {}
    for name, agent in (("plain", plain), ("default", default)):
        agent.learning_starts = 0
        agent._setup_learn(10)
        agent._last_obs = np.zeros((1, 1), dtype=np.float32)
        spread[name] = np.std([agent._sample_action(0, agent.action_noise)[1] for _ in range(300)])
    assert spread["plain"] < 1e-6
    assert spread["default"] == pytest.approx(0.1, rel=0.2)


# ---------------------------------------------------------------- contract


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cost_limit": -1.0}, "cost_limit must be a finite number >= 0"),
        ({"cost_limt": 1.0}, "Did you mean 'cost_limit'"),
        ({"exploration_nose": 1.0}, "Did you mean 'exploration_noise'"),
        ({"exploration_noise": -0.1}, "exploration_noise must be a finite number >= 0"),
        ({"multiplier": "pdi"}, "Did you mean 'pid'"),
        ({"policy_kwargs": {"n_cost_critic": 2}}, "Did you mean 'n_cost_critics'"),
    ],
)
@BOTH
def test_bad_options_are_refused_by_name(
    algorithm: Any, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        small(algorithm, **options)


def test_ddpg_has_no_delay_to_set() -> None:
    """`policy_delay` is TD3's argument alone."""
    assert small(policy_delay=3).policy_delay == 3
    with pytest.raises(ValueError, match="policy_delay"):
        small(DDPGLagrangian, policy_delay=3)


@pytest.mark.parametrize(
    ("policy", "env", "options"),
    [
        ("CnnPolicy", Camera, {"policy_kwargs": {"net_arch": [8]}, "buffer_size": 100}),
        ("MultiInputPolicy", Mixed, {}),
        ("MlpPolicy", Steep, {"policy_kwargs": {"net_arch": [8], "n_cost_critics": 3}}),
        ("MlpPolicy", Timed, {"n_steps": 3, "multiplier_signal": "critic"}),
    ],
    ids=["cnn", "dict", "three", "n-step"],
)
@BOTH
def test_all_policies_learn_and_are_loaded(
    algorithm: Any, policy: str, env: type[gym.Env], options: dict[str, Any], tmp_path: Path
) -> None:
    agent = small(algorithm, env(), policy, **options)
    nets = ("actor.", "actor_target.", "critic.", "cost_critic.", "cost_critic_target.")
    assert_learns(agent, 60, nets)
    obs, _ = env().reset(seed=3)
    assert_files_act_alike(agent, obs, tmp_path)


@BOTH
def test_a_resumed_run_equals_an_unbroken_one(algorithm: Any, tmp_path: Path) -> None:
    agent = small(algorithm, vectorised(Timed, 2), cost_limit=0.0)
    agent.learn(240)
    assert agent.multiplier.lam > 0.0
    assert_resumed_equals_unbroken(agent, tmp_path, ("multiplier",))


@BOTH
def test_the_victim_has_both_critics_and_attacks_use_them(algorithm: Any, tmp_path: Path) -> None:
    agent = small(algorithm, Steep(), policy_kwargs={"net_arch": [16], "n_cost_critics": 2})
    agent.learn(100)
    assert agent.victim().distribution is None  # it never draws
    assert_attacks_use_both_critics(agent, tmp_path)


# ---------------------------------------------------------------- a known optimum


class Curved(Gamble):
    """Of the stake s the reward is 3 s - s^2: a policy that draws nothing swings on a line."""

    def judge(self, action: np.ndarray) -> tuple[float, float | None]:
        reward, stake = super().judge(action)
        assert stake is not None
        return reward + stake - stake**2, stake


@pytest.mark.slow
@BOTH
def test_the_constrained_optimum_is_found(algorithm: Any) -> None:
    """Stake 0.3 a step, where one more costs 3 - 2 * 0.3 = 2.4 of reward."""
    agent = algorithm(
        "MlpPolicy",
        vectorised(Curved, 4),
        cost_limit=0.3 * Curved.horizon,
        gamma=0.5,
        learning_rate=1e-3,
        tau=0.05,
        learning_starts=200,
        batch_size=64,
        buffer_size=5000,
        train_freq=20,
        gradient_steps=20,
        exploration_noise=0.3,
        multiplier="pid",
        pid_gains=(0.3, 0.01, 0.0),
        seed=1,
        policy_kwargs={"net_arch": [32]},
    ).learn(6000, log_interval=None)
    obs = np.linspace(-1.0, 1.0, 41, dtype=np.float32)[:, None]
    action, _ = agent.predict(obs, deterministic=True)
    stake = float((1.0 + action[:, 1]).mean()) / 2.0
    tracking = float((1.0 - (action[:, 0] - obs[:, 0]) ** 2).mean())
    assert 0.15 <= stake <= 0.45
    assert tracking >= 0.9
    assert agent.multiplier.lam == pytest.approx(2.4, abs=1.0)

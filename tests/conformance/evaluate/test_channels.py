"""Evaluation with an adversary before the policy, behind it, or in the world."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch

from safer_gym.attacks import make_attack
from safer_gym.conformance.evaluate import evaluate, fitted_critics
from safer_gym.conformance.evaluate.adversaries import LearnedAttack, PpoOptions, train_adversary
from safer_gym.conformance.evaluate.adversary_env import AdversaryEnv
from safer_gym.conformance.evaluate.attacked_policy import AttackedPolicy
from safer_gym.conformance.evaluate.seat import ball_in, seat_in
from safer_gym.conformance.evaluate.store import Store
from safer_gym.conformance.loading import load_policy
from safer_gym.types import Gaussian, Victim
from safer_gym.wrappers import ActionDisturbance
from safer_gym.wrappers.policies.stochastic import stochastic_policy


class Plain(gym.Env):
    """One number; an action counts as a cost as far as it is positive. Three steps."""

    observation_space = gym.spaces.Box(-1.0, 1.0, (1,), np.float32)
    action_space = gym.spaces.Box(-1.0, 1.0, (1,), np.float32)
    gust = 0.0

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.steps, self.gust = 0, 0.0
        return self.np_random.uniform(-0.5, 0.5, 1).astype(np.float32), {}

    def step(self, action: Any) -> Any:
        self.steps += 1
        cost, self.gust = max(float(action[0]) + self.gust, 0.0), 0.0
        obs = self.np_random.uniform(-0.5, 0.5, 1).astype(np.float32)
        return obs, 0.0, False, self.steps == 3, {"cost": cost}


class Reach(Plain):
    """The same with gusts."""

    disturbance_space = gym.spaces.Box(-0.5, 0.5, (1,), np.float32)

    def disturb(self, disturbance: Any) -> None:
        self.gust = float(disturbance[0])


def critic(obs: Any, action: Any, disturbance: Any = None) -> Any:
    return action[:, 0] if disturbance is None else action[:, 0] + disturbance[:, 0]


IDLE = Victim(
    lambda obs: torch.zeros_like(obs) + 0.0 * obs,
    critic, critic, lambda obs: Gaussian(0.0 * obs, torch.ones_like(obs)), critic, critic,
)  # fmt: skip


def cost(channel: Any, attack: str = "mc", eps: float = 0.2, make_env: Any = Reach) -> float:
    (outcome,) = evaluate(IDLE, make_env, [attack], eps=eps, n_episodes=3, channel=channel)
    assert outcome.channel == channel
    assert type(outcome).from_json(outcome.to_json()).channel == channel
    return outcome.mean_cost


def test_an_adversary_of_observations_can_do_nothing_to_a_policy_that_ignores_them() -> None:
    assert cost("observation") == 0.0


@pytest.mark.parametrize("channel", ["action", "disturbance"])
@pytest.mark.parametrize("attack", ["mc", "mr", "mixture", "random_search"])
def test_every_step_costs_what_the_ball_allows(channel: str, attack: str) -> None:
    assert cost(channel, attack) == pytest.approx(0.6, rel=0.05)
    assert cost(channel, "natural") == 0.0
    assert cost(channel, attack, eps=0.0) == 0.0


def test_the_ball_is_cut_by_the_space() -> None:
    assert cost("action", eps=5.0) == pytest.approx(3.0)
    assert cost("disturbance", eps=5.0) == pytest.approx(1.5)


def test_an_environment_that_cannot_be_disturbed_is_refused() -> None:
    with pytest.raises(ValueError, match=r"cannot be disturbed.*ActionDisturbance"):
        cost("disturbance", make_env=Plain)


def test_actions_that_are_disturbed_cost_as_actions_that_are_moved() -> None:
    assert cost("disturbance", make_env=lambda: ActionDisturbance(Plain(), 0.3)) == (
        pytest.approx(cost("action", make_env=Plain))
    )


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="Did you mean 'action'"):
        cost("actions")
    with pytest.raises(ValueError, match="moves observations; it is no attack on the action"):
        cost("action", "iterated_mc")
    bare = IDLE._replace(q_cost_disturbed=None)
    with pytest.raises(ValueError, match="q_cost"):
        evaluate(bare, Reach, ["mc"], eps=0.1, channel="disturbance", n_episodes=1)


def test_critics_that_are_missing_are_learned_for_actions(monkeypatch: pytest.MonkeyPatch) -> None:
    learned = SimpleNamespace(q_reward=critic, q_cost=critic)
    monkeypatch.setattr(fitted_critics, "fit_critics", lambda *_, **__: learned)
    bare = Victim(IDLE.action)
    (outcome,) = evaluate(bare, Plain, ["mc"], eps=0.2, channel="action", n_episodes=2)
    assert outcome.attack == "mc fitted"
    assert outcome.mean_cost == pytest.approx(0.6)


@pytest.mark.parametrize("channel", ["observation", "action", "disturbance"])
def test_a_network_that_draws_is_moved_by_no_more_than_the_ball(channel: Any) -> None:
    model = load_policy("ball-circle/cvpo").policy
    victim, stochastic = model.victim(), stochastic_policy(model)
    env = ActionDisturbance(gym.make("SaferGym/BallCircle-v0"), 0.3)
    obs, _ = env.reset(seed=0)
    seat = seat_in(env, channel)

    def done(attack: str) -> Any:
        ball = ball_in(env, seat, "linf", 0.1)
        actor = AttackedPolicy(
            victim, make_attack(attack), ball, seed=0, draw=stochastic.draw, seat=seat
        )
        rows = dict.fromkeys((0, 3, 24), obs)
        return actor.act(rows, block=0, step=0)[3]

    calm, moved = done("null"), done("uniform")
    env.close()
    if channel == "action":
        assert 0 < np.abs(moved[1] - calm[1]).max() <= 0.1 * (1 + 1e-5)
    if channel == "disturbance":
        assert np.array_equal(moved[1], calm[1])
        assert 0 < np.abs(moved[2]).max() <= 0.1 * (1 + 1e-5)
    assert np.array_equal(moved[0], obs) == (channel != "observation")


@pytest.mark.parametrize("channel", ["action", "disturbance"])
def test_the_learned_adversary_sits_on_every_channel(channel: Any, tmp_path: Path) -> None:
    env = Reach()
    seat = seat_in(env, channel)
    ball = ball_in(env, seat, "linf", 0.2)
    own = AdversaryEnv(Reach, IDLE, ball, seat=seat)
    obs, _ = own.reset(seed=0)
    assert own.observation_space.contains(obs)
    assert own.action_space.shape == (1,)
    assert own.step(np.array([0.5], np.float32))[1] == pytest.approx(0.1)
    assert own.step(np.array([-1.0], np.float32))[1] == 0.0
    options = PpoOptions(timesteps=4096, n_envs=4, n_steps=128)
    store, calls = Store(tmp_path, {"channel": channel}), []

    def learn() -> LearnedAttack:
        calls.append(channel)
        return train_adversary(IDLE, Reach, ball, seed=0, options=options, seat=seat)

    first, stored = (store.adversary([1], learn) for _ in range(2))
    assert calls == [channel]
    turn = seat.begin(IDLE, torch.tensor([[0.1], [-0.4]]))
    points = first(seat.rows.view(IDLE), turn.centre, ball).obs
    assert torch.equal(points, stored(seat.rows.view(IDLE), turn.centre, ball).obs)
    assert bool(ball.contains(turn.centre, points).all())
    learned, noise = (
        evaluate(IDLE, Reach, {"a": attack}, eps=0.2, channel=channel, n_episodes=20)[0].mean_cost
        for attack in (first, make_attack("uniform"))
    )
    assert learned > noise

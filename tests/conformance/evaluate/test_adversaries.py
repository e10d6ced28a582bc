"""Adversaries of disturbances: bang-bang, learned against one policy, and given as policies."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from disturbed_toys import IDLE, STEPS, Ledge, Mute

from safer_gym.attacks import BangBang, make_attack
from safer_gym.attacks.verify import AdversaryError
from safer_gym.balls import LpBall
from safer_gym.conformance.evaluate import adversaries, evaluate, learned_attacks
from safer_gym.conformance.evaluate.given_adversary import adversary_from
from safer_gym.conformance.evaluate.goals import GOALS
from safer_gym.conformance.evaluate.learned_attacks import learn_attack
from safer_gym.conformance.evaluate.outcomes import Outcomes
from safer_gym.types import Victim
from safer_gym.wrappers import DisturbanceAdversary

QUICK: dict[str, Any] = {"timesteps": 2048, "n_envs": 4, "n_steps": 32}


def outcome(attack: Any, make_env: Callable[[], Any] = Ledge, **options: Any) -> Outcomes:
    settings: dict[str, Any] = {"eps": 0.5, "n_episodes": 4, "channel": "disturbance", **options}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*episodes repeat")
        (found,) = evaluate(IDLE, make_env, attack, **settings)
    return found


def pushes(attack: str, seed: int = 0, n: int = 4) -> np.ndarray:
    """What met each episode, [n, STEPS]."""
    met = []

    class Told(Ledge):
        def step(self, action: Any) -> Any:
            answer = super().step(action)
            if answer[3]:
                met.append(self.pushes)
            return answer

    outcome([attack], Told, seed=seed, n_episodes=n)
    return np.array(met[-n:])  # before them, the environment is tried without an attack


def test_the_worst_h_of_an_episode_is_recorded_with_that_of_its_first_state() -> None:
    down, up = outcome(["bang_bang_low"]), outcome(["bang_bang_high"])
    starts = [Ledge().reset(seed=i)[1]["h"] for i in range(4)]
    np.testing.assert_allclose(down.worst_h, np.array(starts) - 0.5 * STEPS, atol=1e-6)
    np.testing.assert_allclose(up.worst_h, starts, atol=1e-6)
    again = Outcomes.from_json(down.to_json())
    np.testing.assert_array_equal(again.worst_h, down.worst_h)
    mute = outcome(["bang_bang_low"], Mute)
    assert len(mute.worst_h) == 0
    assert "worst_h" not in mute.to_json()
    np.testing.assert_array_equal(mute.costs, down.costs)


@pytest.mark.parametrize("bad", [np.nan, "near", np.inf])
def test_an_h_that_is_no_number_is_refused(bad: Any) -> None:
    class Broken(Ledge):
        def _info(self) -> dict[str, Any]:
            return {"h": bad, "cost": 0.0}

    with pytest.raises(ValueError, match=r"info\['h'\]"):
        outcome(["natural"], Broken)


def test_bang_bang_goes_to_corners() -> None:
    assert (pushes("bang_bang_low") == -0.5).all()
    assert (pushes("bang_bang_high") == 0.5).all()
    free = pushes("bang_bang", n=30)
    assert set(np.unique(free)) == {-0.5, 0.5}
    assert (np.ptp(free, axis=1) > 0).any()
    with pytest.raises(ValueError, match="Did you mean 'high'"):
        BangBang(corner="hihg")
    with pytest.raises(ValueError, match="moves disturbances; it is no attack on the observation"):
        outcome(["bang_bang"], channel="observation")


def test_a_held_corner_stays_for_the_episode_and_differs_between_episodes() -> None:
    held = pushes("bang_bang_held", n=30)
    assert (np.ptp(held, axis=1) == 0).all()
    assert set(held[:, 0]) == {-0.5, 0.5}
    np.testing.assert_array_equal(held, pushes("bang_bang_held", n=30))


def test_the_wrapper_holds_a_corner_too() -> None:
    env = DisturbanceAdversary(Ledge(), "bang_bang_held", policy=IDLE, eps=0.5)
    corners = []
    for episode in range(12):
        env.reset(seed=3 if episode == 0 else None)
        for _ in range(STEPS):
            env.step(np.zeros(1, np.float32))
        (corner,) = set(env.unwrapped.pushes)  # type: ignore[attr-defined]
        corners.append(corner)
    assert set(corners) == {-0.5, 0.5}


@pytest.mark.parametrize(("goal", "sign"), [("safety_adversary", -1), ("performance_adversary", 1)])
def test_a_best_response_goes_where_its_goal_is(goal: str, sign: int) -> None:
    """Minus h grows downwards and the loss of reward upwards."""
    attack = learn_attack(
        goal, IDLE, Ledge, eps=0.5, norm="linf", seed=0, channel="disturbance", **QUICK
    )
    found, best = (
        sign * (outcome(met).mean_return - outcome(["natural"]).mean_return)
        for met in ({goal: attack}, ["bang_bang_low" if sign < 0 else "bang_bang_high"])
    )
    assert best <= found < 0.5 * best < 0
    assert attack.cost_directed == (goal == "safety_adversary")  # type: ignore[attr-defined]


def test_learning_is_seeded_budgeted_and_cached(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    budgets = []
    train = learned_attacks.train_adversary

    def note(*arguments: Any, **options: Any) -> Any:
        budgets.append(options["options"].timesteps)
        return train(
            *arguments, **options | {"options": options["options"]._replace(n_envs=2, n_steps=16)}
        )

    monkeypatch.setattr(learned_attacks, "train_adversary", note)
    asked: dict[str, Any] = {"cache": tmp_path, "learning_steps": 64}
    first = outcome(["safety_adversary"], **asked)
    np.testing.assert_array_equal(outcome(["safety_adversary"], **asked).worst_h, first.worst_h)
    assert budgets == [64]
    fresh = outcome(["safety_adversary"], learning_steps=64)
    np.testing.assert_array_equal(fresh.worst_h, first.worst_h)
    outcome(["performance_adversary"], **asked)
    outcome(["safety_adversary"], **asked, eps=0.4)
    assert len(budgets) == 4
    with pytest.raises(ValueError, match="learning_steps"):
        outcome(["safety_adversary"], learning_steps=0)


def test_a_safety_adversary_needs_h() -> None:
    with pytest.raises(ValueError, match=r"info\['h'\].*does not report; 'cost_adversary'"):
        outcome(["safety_adversary"], Mute, learning_steps=64)
    with pytest.raises(ValueError, match="Did you mean 'safety_adversary'"):
        outcome(["safety_adversery"])
    assert set(GOALS) <= set(learned_attacks.LEARNED)


def test_a_policy_of_disturbances_is_an_attack() -> None:
    def away(obs: np.ndarray) -> np.ndarray:
        return np.where(obs > 0, 9.0, -9.0)

    attack = adversary_from(away, Ledge)
    rows = torch.tensor([[0.3, 0.0, 0.0], [-0.2, 0.0, 0.0]])
    ball = LpBall(torch.inf, torch.tensor([0.0, 0.0, 0.5], dtype=torch.float64))
    moved = attack(IDLE, rows, ball).obs
    assert torch.equal(moved, torch.tensor([[0.3, 0.0, 0.5], [-0.2, 0.0, -0.5]]))
    starts = np.array([Ledge().reset(seed=i)[1]["h"] for i in range(4)])
    expected = starts + np.where(starts > 1, 0.5, -0.5) * STEPS
    last = outcome({"given": attack}).worst_h
    np.testing.assert_allclose(last, np.minimum(starts, expected), atol=1e-6)
    with pytest.raises((ValueError, AdversaryError), match="must return"):
        outcome({"given": adversary_from(lambda obs: np.zeros(2), Ledge)})


def test_a_policy_brings_its_own_adversaries() -> None:
    class Sparring:
        def victim(self) -> Victim:
            return IDLE

        def disturbance(self, observation: np.ndarray, adversary: str) -> np.ndarray:
            return np.full_like(observation, {"safety": -0.5, "task": 0.5}[adversary])

    for name, same in (("safety", "bang_bang_low"), ("performance", "bang_bang_high")):
        (own,) = evaluate(
            Sparring(), Ledge, [f"own_{name}_adversary"], eps=0.5, n_episodes=4,
            channel="disturbance",
        )  # fmt: skip
        np.testing.assert_allclose(own.worst_h, outcome([same]).worst_h)
    with pytest.raises(ValueError, match="brings its adversaries along"):
        outcome(["own_safety_adversary"])


def test_attacks_on_disturbances_stay_in_the_box_of_any_norm() -> None:
    for norm in ("linf", "l2", "l1"):
        ball = LpBall.of(norm, 0.3, -0.2, 0.2)
        obs = torch.zeros(5, 3)
        for name in ("bang_bang", "bang_bang_low", "bang_bang_high", "bang_bang_held"):
            moved = make_attack(name)(IDLE, obs, ball, torch.Generator().manual_seed(0)).obs
            assert bool(ball.contains(obs, moved).all())
            assert bool((moved != 0).any())


def test_the_goals_are_those_that_adversaries_learn_for() -> None:
    assert set(adversaries.GOALS) == {
        "cost_adversary",
        "performance_adversary",
        "safety_adversary",
    }

"""Attacks that learn of the policy first: on a policy without critics, with a known optimum."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from conformance_envs import HORIZON, Ladder

from safer_gym.attacks import NullAttack, make_attack
from safer_gym.conformance.evaluate import evaluation as evaluate_module
from safer_gym.conformance.evaluate.evaluation import evaluate, named_attacks
from safer_gym.conformance.evaluate.learned_attacks import LEARNED, learn_attack
from safer_gym.types import Victim

QUICK: dict[str, Any] = {"n_steps": 600, "n_envs": 4, "updates": 400, "hidden": (16,), "rounds": 1}


class Toll(Ladder):
    """The cost is the first action where it is positive: an attacker wants it larger."""

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[np.ndarray, dict]:
        obs, info = super().reset(seed=(seed or 0) % 100)
        self.obs = obs + np.float32(1.0)
        return self.obs, info

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict]:
        obs, reward, terminated, truncated, info = super().step(action)
        return obs, reward, terminated, truncated, info | {"cost": max(float(action[0]), 0.0)}


class Echo:
    """Repeats what it sees; it has no critic."""

    def victim(self) -> Victim:
        return Victim(action=lambda obs: obs)


def test_iterated_mc_finds_the_known_optimum_of_a_policy_without_critics() -> None:
    attack = learn_attack("iterated_mc", Echo(), Toll, eps=0.2, norm="linf", seed=0, **QUICK)
    (natural,) = evaluate(Echo(), Toll, ["natural"], eps=0.2, n_episodes=3)
    (attacked,) = evaluate(Echo(), Toll, {"learned": attack}, eps=0.2, n_episodes=3)
    np.testing.assert_allclose(attacked.costs - natural.costs, HORIZON * 0.2, rtol=1e-3)


def test_without_learning_it_has_nothing_to_ascend() -> None:
    with pytest.raises(ValueError, match="q_cost"):
        evaluate(Echo(), Toll, {"mc": make_attack("mc")}, eps=0.2, n_episodes=1)


def test_a_name_is_learned_with_the_settings_of_the_evaluation(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[Any] = []

    def learn(name: str, policy: Any, make_env: Any, **settings: Any) -> NullAttack:
        asked.append((name, settings))
        return NullAttack()

    monkeypatch.setattr(evaluate_module, "learn_attack", learn)
    (outcome,) = evaluate(Echo(), Toll, ["iterated_mc"], eps=0.2, norm="l2", n_episodes=1, seed=5)
    place = {"channel": "observation", "cache": None}
    assert asked == [("iterated_mc", {"eps": 0.2, "norm": "l2", "seed": 5, **place})]
    assert (outcome.attack, outcome.eps) == ("iterated_mc", 0.2)


def test_the_names_are_known_and_others_refused() -> None:
    assert set(named_attacks(LEARNED)) == set(LEARNED)
    with pytest.raises(ValueError, match="Did you mean 'iterated_mc'"):
        named_attacks(["iterated"])
    with pytest.raises(ValueError, match="learned attack"):
        learn_attack("mc", Echo(), Toll, eps=0.2, norm="linf", seed=0)

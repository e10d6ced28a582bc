"""What was learned in one world is not used in another of the same description."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from torch import nn

from safer_gym.attacks import make_attack
from safer_gym.conformance.certify import certify, preparation
from safer_gym.conformance.evaluate import behaviour, learned_attacks, store
from safer_gym.conformance.evaluate.behaviour import behaviour_digest
from safer_gym.conformance.evaluate.digests import environment_digest

STEPS = 20


class Rules:
    """What a world does, in an object that is no plain attribute."""

    def __init__(self, **rules: float) -> None:
        self.given = {"side": 1.0, "reward": 0.0, "h": 0.0, "gain": 1.0, **rules}


class Line(gym.Env):
    """x' = x + a + d; a step costs where x is on one side."""

    observation_space = gym.spaces.Box(-20.0, 20.0, (1,), np.float32)
    action_space = gym.spaces.Box(-1.0, 1.0, (1,), np.float32)
    disturbance_space = gym.spaces.Box(-1.0, 1.0, (1,), np.float32)
    max_step_cost = 1.0

    def __init__(self, rules: Rules, label: str = "") -> None:
        self.hidden, self.label, self.push, self.closed = rules, label, 0.0, False

    def disturb(self, disturbance: np.ndarray) -> None:
        self.push = self.hidden.given["gain"] * float(disturbance[0])

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[np.ndarray, dict]:
        super().reset(seed=seed)
        self.x = float(self.np_random.uniform(1.0, 1.1))
        return np.array([self.x], np.float32), {"h": self.hidden.given["h"]}

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict]:
        given = self.hidden.given
        noise = float(self.np_random.normal(0.0, 0.1))
        moved = 0.2 * float(np.clip(action[0], -1.0, 1.0)) + noise + self.push
        self.x, self.push = float(np.clip(self.x + moved, -19.0, 19.0)), 0.0
        info = {"cost": float(given["side"] * self.x > 0.3), "h": given["h"]}
        return np.array([self.x], np.float32), given["reward"], False, False, info

    def close(self) -> None:
        self.closed = True


MakeEnv = Callable[[], gym.Env]


ASKED: dict[str, Any] = {
    "requirement": "P(cost > 16) <= 0.25 at eps = 1 under attacks",
    "battery": "quick",
    "episodes": 50,
}


def homing() -> nn.Module:
    """a = tanh(-x)."""
    policy = nn.Sequential(nn.Linear(1, 1), nn.Tanh())
    with torch.no_grad():
        policy[0].weight.fill_(-1.0)  # type: ignore[operator, union-attr]
        policy[0].bias.fill_(0.0)  # type: ignore[operator, union-attr]
    return policy


def world(steps: int = STEPS, label: str = "", **rules: float) -> MakeEnv:
    return lambda: gym.wrappers.TimeLimit(Line(Rules(**rules), label), steps)


@pytest.mark.parametrize(
    "other",
    [{"side": -1.0}, {"reward": 1.0}, {"h": 1.0}, {"steps": STEPS + 1}, {"label": "another"}],
)
def test_another_world_of_the_same_description_has_another_digest(other: dict[str, Any]) -> None:
    assert environment_digest(world(**other)()) == environment_digest(world()())
    assert behaviour_digest(world(**other)) != behaviour_digest(world())
    assert behaviour_digest(world(**other)) == behaviour_digest(world(**other))


def test_how_a_world_is_disturbed_counts_where_it_is_disturbed() -> None:
    weak, strong = world(gain=0.1), world(gain=1.0)
    assert behaviour_digest(weak) == behaviour_digest(strong)
    assert behaviour_digest(weak, disturbed=True) != behaviour_digest(strong, disturbed=True)


def test_the_code_of_an_environment_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = behaviour_digest(world())
    changed = tmp_path / "changed.py"
    changed.write_text("# written anew")
    monkeypatch.setattr(behaviour.inspect, "getfile", lambda layer: str(changed))
    assert behaviour_digest(world()) != before


def test_an_environment_that_is_not_repeatable_has_no_digest_twice() -> None:
    own = np.random.default_rng(0)
    assert behaviour_digest(lambda: world(reward=own.uniform())()) != behaviour_digest(
        lambda: world(reward=own.uniform())()
    )


def test_global_generators_and_the_number_of_an_instance_do_not_count() -> None:
    numbers = iter(range(100))

    def make() -> gym.Env:
        env = world(reward=float(np.random.uniform()))()  # noqa: NPY002
        env.unwrapped.number = next(numbers)  # type: ignore[attr-defined]
        return env

    before = np.random.get_state()[1].tolist()  # type: ignore[index]  # noqa: NPY002
    assert behaviour_digest(make) == behaviour_digest(make)
    assert np.random.get_state()[1].tolist() == before  # type: ignore[index]  # noqa: NPY002


def test_every_environment_is_closed() -> None:
    made = []

    def make() -> gym.Env:
        made.append(world()())
        return made[-1]

    behaviour_digest(make)
    assert made
    assert all(env.unwrapped.closed for env in made)  # type: ignore[attr-defined]


def test_an_environment_of_four_values_is_refused_by_its_gate_with_a_cache_too(
    tmp_path: Path,
) -> None:
    class Four(Line):
        def step(self, action: np.ndarray) -> Any:
            return super().step(action)[:4]

    asked = {**ASKED, "battery": {"uniform": make_attack("uniform")}}
    with pytest.raises(ValueError, match="4 values from step, which must return five values"):
        certify(homing(), lambda: Four(Rules()), cache=tmp_path, **asked)


class LearningBeginsError(Exception):
    """Ends a certification there."""


def test_critics_of_another_world_are_looked_for_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = []

    def learn(battery: Any, context: Any, **given: Any) -> Any:
        keys.append(context.store.key)
        raise LearningBeginsError

    monkeypatch.setattr(preparation, "learn", learn)
    for make_env in (world(), world(), world(side=-1.0)):
        with pytest.raises(LearningBeginsError):
            certify(homing(), make_env, cache=tmp_path, **ASKED)
    assert keys[0] == keys[1] != keys[2]


@pytest.mark.slow
def test_a_certificate_is_the_same_with_a_cache_that_another_world_filled(tmp_path: Path) -> None:
    certify(homing(), world(40), cache=tmp_path, **ASKED)
    kept = certify(homing(), world(40, side=-1.0), cache=tmp_path, **ASKED)
    fresh = certify(homing(), world(40, side=-1.0), **ASKED)
    assert kept.verdict == fresh.verdict == "FAIL"
    assert kept.rows == fresh.rows


def test_a_learned_adversary_of_another_world_or_version_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    learned = []
    train = learned_attacks.train_adversary

    def note(*given: Any, options: Any, **named: Any) -> Any:
        learned.append(named["goal"])
        small = options._replace(n_envs=1, n_steps=16, timesteps=16)
        return train(*given, options=small, **named)

    def attack(make_env: MakeEnv) -> None:
        torch.manual_seed(0)  # the policy is the same
        learned_attacks.learn_attack(
            "cost_adversary", nn.Linear(1, 1), make_env,
            eps=0.1, norm="linf", seed=0, cache=tmp_path,
        )  # fmt: skip

    monkeypatch.setattr(learned_attacks, "train_adversary", note)
    for make_env, count in ((world(), 1), (world(), 1), (world(side=-1.0), 2)):
        attack(make_env)
        assert len(learned) == count
    monkeypatch.setattr(store, "__version__", "another")
    attack(world())
    assert len(learned) == 3

"""Comparison of policies whose costs are known."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from torch import nn
from typer.testing import CliRunner

from safer_gym.conformance.cli.main import app
from safer_gym.conformance.compare import Comparison, compare
from safer_gym.conformance.statistics import Verdict


class Line(gym.Env):
    """Three steps; the action is the cost of a step; starts are drawn."""

    observation_space = gym.spaces.Box(-10.0, 10.0, (1,), np.float32)
    action_space = gym.spaces.Box(-10.0, 10.0, (1,), np.float32)
    spec = gym.envs.registration.EnvSpec("Line-v0", max_episode_steps=3)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[np.ndarray, dict]:
        super().reset(seed=seed)
        self.x, self.t = np.float32([self.np_random.uniform(0.5, 1.0)]), 0
        return self.x.copy(), {}

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict]:
        self.t += 1
        cost = float(np.clip(action[0], 0.0, 10.0))
        return self.x.copy(), -cost, False, self.t >= 3, {"cost": cost}


def policy(gain: float, offset: float = 0.0) -> nn.Module:
    """The action offset + gain times the observation."""
    made = nn.Linear(1, 1)
    with torch.no_grad():
        made.weight.fill_(gain)
        made.bias.fill_(offset)
    return made


def found(a: Any, b: Any, **options: Any) -> Comparison:
    sides = [side if isinstance(side, list) else [side] for side in (a, b)]
    given = {"eps": 0.5, "limit": 3.0, "n_episodes": 60, "search_episodes": 3, **options}
    return compare(*sides, Line, ["uniform"], **given)


@pytest.mark.parametrize("metric", ["cost", "reward"])
def test_equal_policies_leave_a_mean_open_and_decide_a_rate(metric: str) -> None:
    made = found(policy(1.0), policy(1.0), metric=metric)
    assert made.verdict is Verdict.INCONCLUSIVE
    for condition in made.conditions:
        assert condition.cost.difference == condition.rate.difference == 0.0
    assert "differ in 0 episodes" in " ".join(made.notes)
    assert "ask for the rate" in " ".join(made.notes)
    assert found(policy(1.0), policy(1.0), metric="rate", margin=0.1).verdict is Verdict.PASS


class Trap(Line):
    """One start in a hundred is a trap, in which an action above 1 costs 10 a step."""

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict]:
        x, reward, terminated, truncated, _ = super().step(action)
        cost = 10.0 * (self.x[0] > 0.995 and action[0] > 1.0)
        return x, reward, terminated, truncated, {"cost": float(cost)}


def test_a_trap_that_no_episode_showed_is_no_pass() -> None:
    """B costs 0.3 more in truth."""
    careful, careless = policy(0.0, 0.5), policy(0.0, 2.0)
    made = compare([careful], [careless], Trap, [], eps=0.1, limit=3.0, margin=0.1, n_episodes=20)
    assert made.conditions[0].cost.upper == 0.0  # what bootstrap and t believe
    assert made.verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize("metric", ["cost", "reward", "rate"])
def test_two_episodes_decide_nothing(metric: str) -> None:
    made = found(policy(0.0, 0.1), policy(0.0, 2.0), metric=metric, n_episodes=2)
    assert made.verdict is Verdict.INCONCLUSIVE


def test_a_policy_may_be_as_good_and_worse_under_attack() -> None:
    """Cheap where it sees well: what it reads it takes for the cost, cut at zero."""
    reads, blind = policy(1.0, -0.75), policy(0.0, 1 / 16)
    made = found(blind, reads, margin=0.1)
    natural, worst = made.conditions
    assert natural.verdict is Verdict.PASS
    assert worst.verdict is Verdict.FAIL
    assert made.verdict is Verdict.FAIL
    assert worst.attacks_b == ("uniform",)
    assert found(reads, blind, margin=0.1).verdict is Verdict.PASS


def test_the_margin_decides() -> None:
    a, b = policy(0.0, 1.0), policy(0.0, 2.0)  # 3 and 6 an episode, surely
    assert found(a, b, margin=3.5).verdict is Verdict.PASS
    assert found(a, b, margin=2.5).verdict is Verdict.FAIL
    assert found(a, b, metric="reward", margin=2.5).verdict is Verdict.FAIL
    assert found(b, a, metric="reward").verdict is Verdict.PASS


def test_few_episodes_leave_a_rate_open() -> None:
    a, b = policy(0.0, 0.5), policy(0.0, 0.5)
    assert found(a, b, metric="rate", margin=0.01, n_episodes=3).verdict is Verdict.INCONCLUSIVE
    assert found(a, policy(0.0, 2.0), metric="rate").verdict is Verdict.FAIL


def test_several_training_seeds_widen_the_interval() -> None:
    one = found(policy(0.0, 1.0), policy(0.0, 1.5)).conditions[0].cost
    spread = [policy(0.0, offset) for offset in (0.5, 1.0, 1.5)]
    many = found(spread, policy(0.0, 1.5)).conditions[0]
    assert many.cost.difference == pytest.approx(one.difference)
    assert many.cost.upper - many.cost.lower > 0.5 > one.upper - one.lower
    assert many.rate.p_value is None


@pytest.mark.parametrize(
    "wrong", [{"margin": -1.0}, {"metric": "costs"}, {"confidence": 1.0}, {"n_episodes": 0}]
)
def test_refusals(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        found(policy(1.0), policy(1.0), **wrong)
    with pytest.raises(ValueError, match="at least one policy"):
        found([], policy(1.0))


def test_what_cannot_attack_is_refused_before_critics_are_learned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def learned(*_: Any, **__: Any) -> None:
        raise AssertionError("minutes of learning, for nothing")

    monkeypatch.setattr("safer_gym.conformance.evaluate.fitted_critics.fit_critics", learned)
    still = [lambda obs: 0.0 * obs]
    for attacks in (["random_search", "iterated_mc"], ["random_search", "bang_bang"]):
        with pytest.raises(ValueError, match=attacks[1]):
            compare(still, still, Line, attacks, eps=0.1, limit=3.0, n_episodes=2)
    (tmp_path / "own_still_line.py").write_text(
        f"import sys\nsys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "from test_compare import Line\n"
        "def still(obs):\n    return 0.0 * obs\n"
    )
    monkeypatch.chdir(tmp_path)
    words = ["evaluate", "own_still_line:still", "--env", "own_still_line:Line", "--eps", "0.1"]
    said = CliRunner().invoke(app, [*words, "--attacks", "random_search,iterated_mc"])
    assert said.exit_code == 3
    assert "gradient" in said.stderr


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own_line.py").write_text(
        "import sys\n"
        f"sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "from test_compare import Line, policy\n"
        "careful, careless = policy(0.0, 0.1), policy(0.0, 2.0)\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "60")
    words = ["compare", "own_line:careful", "own_line:careless", "--env", "own_line:Line"]
    words += ["--eps", "0.1", "--limit", "3", "--attacks", "uniform"]
    words += ["--episodes", "12", "--search-episodes", "2"]
    worse = CliRunner().invoke(app, words)
    assert worse.exit_code == 1, worse.output
    assert "FAIL" in worse.stdout
    assert max(map(len, worse.stdout.splitlines()[:14])) <= 60
    turned = CliRunner().invoke(app, ["compare", words[2], words[1], *words[3:], "--json"])
    assert turned.exit_code == 0, turned.output
    read = json.loads(turned.stdout)
    assert read["verdict"] == "PASS"
    assert read["conditions"][0]["cost"]["difference"] < 0
    several = CliRunner().invoke(app, [*words, "--eps", "0.1,0.2"])
    assert several.exit_code == 3
    assert "one radius" in several.stderr

"""The choice among a run's policies: by score, the later of two equals, never by a lucky order."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from safer_gym.agents.training.run import candidate_steps
from safer_gym.conformance.cli import selection
from safer_gym.conformance.cli.measure import Plan
from safer_gym.conformance.cli.models import ModelFile
from safer_gym.conformance.cli.progress import Bar
from safer_gym.conformance.cli.selection import choose_policy, score
from safer_gym.conformance.evaluate.outcomes import Outcomes
from safer_gym.wrappers.tasks import find_task


def outcome(attack: str, reward: float, cost: float) -> Outcomes:
    one = np.ones(2)
    return Outcomes(attack, 0.05, "linf", reward * one, cost * one, one.astype(int), 0.0)


def test_cost_under_the_worst_attack_counts_against_natural_reward() -> None:
    met = [outcome("natural", 600.0, 0.0), outcome("mc", 700.0, 4.0), outcome("mr", 800.0, 1.0)]
    assert score(met) == pytest.approx(600.0 / 20.0 - 4.0)


def test_candidates_come_from_the_last_part_and_leave_the_end_to_the_last_policy() -> None:
    steps = candidate_steps(480_000)
    assert len(steps) == len(set(steps)) == 10
    assert min(steps) == 288_000
    assert max(steps) < 480_000


@pytest.fixture
def met(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Plan]]:
    """Calls of a measurement in which policy a scores 20, b 30 and c 30."""
    calls: list[tuple[str, Plan]] = []
    reached = {"a": (600.0, 10.0), "b": (640.0, 2.0), "c": (600.0, 0.0)}

    def fake(file: ModelFile, task: object, plan: Plan, bar: object) -> list[Outcomes]:
        calls.append((Path(file.source).stem, plan))
        reward, cost = reached[Path(file.source).stem]
        return [outcome(attack, reward, cost) for attack in plan.attacks]

    def found(path: str, algorithm: str, task: str) -> ModelFile:
        return ModelFile(path, path, algorithm, task, {})

    monkeypatch.setattr(selection, "measure", fake)
    monkeypatch.setattr(selection, "find_model", found)
    return calls


def test_the_best_is_chosen_and_the_later_of_equals(met: list[tuple[str, Plan]]) -> None:
    paths = [Path(f"{name}.zip") for name in "abc"]
    with Bar() as bar:
        choice = choose_policy(paths, "safer", find_task("ball-circle"), bar)
        other = choose_policy(paths[::-1], "safer", find_task("ball-circle"), bar)
    assert choice.path == Path("c.zip")
    assert other.path == Path("b.zip")
    assert [row["score"] for row in choice.table] == [20.0, 30.0, 30.0]


def test_an_agent_is_not_chosen_by_attacks_that_it_never_met(met: list[tuple[str, Plan]]) -> None:
    with Bar() as bar:
        choose_policy([Path("a.zip")], "cvpo", find_task("ball-circle"), bar)
        choose_policy([Path("a.zip")], "safer", find_task("ball-circle"), bar)
    assert [plan.attacks for _, plan in met] == [("natural",), ("natural", "mc", "mr")]


def test_no_candidates_are_refused() -> None:
    with Bar() as bar, pytest.raises(ValueError, match="at least one saved model"):
        choose_policy([], "safer", find_task("ball-circle"), bar)

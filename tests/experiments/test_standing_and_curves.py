"""Where we stand against the aim, and the learning curves: computed, and empty where not run."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from reproduction_records import BALL, put

from experiments.harness.curves import MOST_POINTS, joined
from experiments.harness.records import Record, read_records
from experiments.safer.curves import panels, sheet
from experiments.safer.markdown import render_markdown
from experiments.safer.page import Shown, render_page
from experiments.safer.paper import (
    ON_POLICY_STEPS,
    STEPS,
    paper_steps,
    published,
)
from experiments.safer.standing import Goal, Standing, standings
from experiments.safer.tables import NOT_MEASURED, NOT_RUN
from safer_gym.wrappers.adapters.bullet_tasks import PAPER_TASKS
from safer_gym.wrappers.tasks import TASKS

PAPER_REWARD, PAPER_COST = 610.03, 1.99


def stand(folder: Path, method: str = "SAFER") -> Standing:
    (found,) = (s for s in standings(read_records(folder), [BALL]) if s.method == method)
    return found


def test_the_methods_stand_apart(tmp_path: Path) -> None:
    """What trains under attack does not count as trained on benign data."""
    put(tmp_path, "SAFER-attacked", natural=(700.0, 0.0))
    assert stand(tmp_path).reward.ours is None
    assert stand(tmp_path, "SAFER-attacked").reward.ours == 700.0


def test_nothing_is_reached_before_it_has_run(tmp_path: Path) -> None:
    for row in standings([], PAPER_TASKS):
        goals = (row.reward, row.cost, row.steps)
        assert [goal.ours for goal in goals] == [None] * 3
        assert [goal.reached for goal in goals] == [None] * 3
        assert row.seeds == ""
    assert stand(tmp_path).reward.bound == PAPER_REWARD
    assert stand(tmp_path).cost.bound == PAPER_COST


@pytest.mark.parametrize("reward", [PAPER_REWARD - 0.01, PAPER_REWARD])
def test_the_reward_has_to_be_the_papers(tmp_path: Path, reward: float) -> None:
    put(tmp_path, "SAFER", natural=(reward, 0.0))
    assert stand(tmp_path).reward == Goal(
        pytest.approx(reward), PAPER_REWARD, bool(reward >= PAPER_REWARD)
    )


@pytest.mark.parametrize(
    ("costs", "worst", "reached"),
    [
        ({"strongest": 1.5}, 1.5, True),
        ({"strongest": 40.0}, 40.0, False),
        ({"strongest": 1.0, "mr": 30.0}, 30.0, False),
        ({"mc": 0.0}, None, None),
    ],
)
def test_the_cost_is_the_highest_of_a_battery_that_was_met(
    tmp_path: Path, costs: dict[str, float], worst: float | None, reached: bool | None
) -> None:
    put(tmp_path, "SAFER", **{name: (600.0, cost) for name, cost in costs.items()})
    assert stand(tmp_path).cost == Goal(worst, PAPER_COST, reached)


@pytest.mark.parametrize(("steps", "reached"), [(360_000, True), (360_001, False)])
def test_the_longest_run_counts(tmp_path: Path, steps: int, reached: bool) -> None:
    put(tmp_path, "SAFER", 0, timesteps=10)
    put(tmp_path, "SAFER", 1, timesteps=steps)
    assert stand(tmp_path).steps == Goal(steps, 360_000, reached)


def test_the_papers_steps_are_its_table_4() -> None:
    """Epochs times 20 episodes times rollout length, or times the batch of on-policy methods."""
    epochs = dict(zip(PAPER_TASKS, (900, 700, 700, 600), strict=True))
    on_policy = dict(zip(PAPER_TASKS, (300, 500, 250, 250), strict=True))
    batch = dict(zip(PAPER_TASKS, (45_000, 45_000, 60_000, 60_000), strict=True))
    for task in PAPER_TASKS:
        assert STEPS[task] == epochs[task] * 20 * TASKS[task].horizon
        assert ON_POLICY_STEPS[task] == on_policy[task] * batch[task]
        assert paper_steps(task, "SAFER") == STEPS[task]
        assert paper_steps(task, "SA-PPOL(MC)") == ON_POLICY_STEPS[task]


def test_the_page_and_the_text_say_what_is_missing(tmp_path: Path) -> None:
    put(tmp_path, "SAFER", natural=(700.0, 0.0))
    shown = Shown(read_records(tmp_path), (5,), (BALL,), {})
    page, text = render_page(shown), render_markdown(shown)
    assert '<td class="reached">✓ 700.0</td><td>610.0</td>' in page
    assert f'<td class="empty">{NOT_MEASURED}</td><td>2.0</td>' in page
    numbers = f"✓ 700.0 | 610.0 | {NOT_MEASURED} | 2.0 | ✓ 1,000 | 360,000"
    assert f"| Ball-Circle, SAFER (seed 0) | {numbers} |" in text


def curve_of(folder: Path, seed: int, steps: np.ndarray, values: np.ndarray) -> Record:
    record = put(folder, "SAFER", seed)
    rows = [f"{t},{v},{2 * v},1,1" for t, v in zip(steps, values, strict=True)]
    head = "timesteps,ep_rew_mean,ep_cost_mean,seconds,total_cost"
    record.path.with_suffix(".csv").write_text("\n".join([head, *rows]) + "\n")
    return record


def test_seeds_are_joined_where_all_of_them_have_been(tmp_path: Path) -> None:
    records = [
        curve_of(tmp_path, 0, np.array([100.0, 200.0, 300.0]), np.array([1.0, 2.0, 3.0])),
        curve_of(tmp_path, 1, np.array([150.0, 250.0, 350.0]), np.array([5.0, 7.0, 9.0])),
    ]
    found = joined(records, "ep_rew_mean")
    assert found is not None
    assert found.steps.tolist() == [200.0, 300.0]
    assert found.low.tolist() == [2.0, 3.0]
    assert found.high.tolist() == [6.0, 8.0]
    assert found.mean.tolist() == [4.0, 5.5]
    cost = joined(records, "ep_cost_mean")
    assert cost is not None
    assert cost.mean.tolist() == [8.0, 11.0]


def test_seeds_that_never_meet_and_no_seeds_have_no_curve(tmp_path: Path) -> None:
    records = [
        curve_of(tmp_path, 0, np.array([100.0]), np.array([1.0])),
        curve_of(tmp_path, 1, np.array([150.0]), np.array([5.0])),
    ]
    assert joined(records, "ep_rew_mean") is None
    assert joined([], "ep_rew_mean") is None


def test_a_long_curve_is_thinned(tmp_path: Path) -> None:
    steps = np.arange(1.0, 10 * MOST_POINTS)
    found = joined([curve_of(tmp_path, 0, steps, steps)], "ep_rew_mean")
    assert found is not None
    assert len(found.steps) <= MOST_POINTS
    assert (found.mean == found.steps).all()


def test_every_method_of_the_table_has_a_panel_run_or_not(tmp_path: Path) -> None:
    put(tmp_path, "SAFER", 2, curve=((1.0, 5.0), (2.0, 9.0)))
    put(tmp_path, "SAC-Lagrangian", 0, curve=((1.0, 5.0), (2.0, 9.0)))
    records = read_records(tmp_path)
    found = {panel.method: panel for panel in panels(records, BALL)}
    assert len(found) == 7 + 1
    assert found["SAFER"].seeds == (2,)
    assert found["ADV-PPOL"].paints == ()
    page = render_page(Shown(records, (5,), (BALL,), {}))
    others = "SA-PPOL, SA-PPOL(MC), ADV-PPOL, CVPO-vanilla, CVPO-random, ADV-CVPO"
    assert f'<p class="empty">{NOT_RUN}: {others}</p>' in page
    ElementTree.fromstring(found["SAFER"].picture())
    ElementTree.fromstring(sheet(list(found.values())))
    assert panels([], BALL) == []
    assert sheet([]) == ""


def test_the_papers_safer_is_known_on_every_task() -> None:
    for task in PAPER_TASKS:
        assert published(task, "SAFER", "natural", "reward") is not None

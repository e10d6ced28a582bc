"""Draws of seeds and episodes, and what is said by them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.harness.records import Record
from experiments.harness.resampling import LEVEL, draws, firmly, resampled
from experiments.safer.intervals import improvement, interval, interval_rows, interval_table, iqm

TASK = "ball-circle"


def run(method: str, seed: int, rewards: Any, costs: Any = None) -> Record:
    rewards = np.asarray(rewards, np.float64)
    part = {"returns": rewards, "costs": np.zeros(len(rewards)) if costs is None else costs}
    evaluation = {"natural": part, "mc": {**part, "returns": rewards + 0.5}, "mr": part}
    data = {"task": TASK, "algorithm": method, "method": method, "seed": seed}
    return Record(Path(f"{method}-{seed}.json"), {**data, "evaluation": evaluation})


def values(record: Record, attack: str = "natural") -> np.ndarray:
    found = record.values(attack, "reward")
    assert found is not None
    return found


@given(st.integers(0, 2**32 - 1))
def test_a_draw_keeps_the_runs_of_each_method_and_the_pairs_of_episodes(seed: int) -> None:
    runs = [run("A", s, 10 * s + np.arange(4)) for s in range(3)] + [run("B", 0, [7.0, 8.0])]
    drawn = resampled(runs, np.random.default_rng(seed))
    assert [r.method for r in drawn] == ["A"] * 3 + ["B"]
    for record in drawn:
        own = next(r for r in runs if (r.method, r.seed) == (record.method, record.seed))
        assert set(values(record)) <= set(values(own))
        assert len(values(record)) == len(values(own))
        np.testing.assert_array_equal(values(record, "mc"), values(record) + 0.5)


@given(st.integers(0, 2**32 - 1))
def test_all_that_a_record_has_of_an_episode_stays_together(seed: int) -> None:
    (one,) = [run("A", 0, np.arange(6.0), np.arange(6.0) + 10)]
    part = {**one.data["evaluation"]["natural"], "lengths": np.arange(6.0) + 20}
    part["worst_h"] = np.arange(6.0) + 30
    both = {"evaluation": {"natural": part}, "evaluation_shield": {"natural": part}}
    record = one._replace(data={**one.data, **both})
    (drawn,) = resampled([record], np.random.default_rng(seed))
    for key in both:
        found = drawn.data[key]["natural"]
        for name, offset in {"costs": 10, "lengths": 20, "worst_h": 30}.items():
            np.testing.assert_array_equal(found[name], found["returns"] + offset)


def test_draws_differ_and_are_the_same_at_every_call() -> None:
    runs = [run("A", s, np.arange(20.0)) for s in range(3)]
    one, other = ([values(r[0]).tolist() for r in draws(runs, 5)] for _ in range(2))
    assert one == other
    assert len({tuple(v) for v in one}) == 5


def test_a_verdict_needs_the_draws() -> None:
    def above(bound: float) -> Any:
        return lambda value: (value > bound, f"{value}")

    assert firmly(above(0), 1.0, [1.0] * 20).verdict == "holds"
    assert firmly(above(0), -1.0, [-1.0] * 20).verdict == "does not hold"
    few = round(20 * (1 - LEVEL)) + 1
    assert firmly(above(0), 1.0, [1.0] * (20 - few) + [-1.0] * few).verdict == "undecided"
    assert firmly(above(0), -1.0, [-1.0] * (20 - few) + [1.0] * few).verdict == "undecided"
    assert firmly(above(0), 1.0, []).verdict == "holds"


def test_missing_numbers_are_said_before_anything_is_drawn() -> None:
    def test(_: Any) -> tuple[bool, str]:
        raise KeyError("no numbers of A")

    assert firmly(test, 1.0, [1.0], "not run") == ("not run", "no numbers of A")


numbers = st.lists(st.floats(-100, 100), min_size=1, max_size=12)


@given(numbers, numbers)
def test_probabilities_of_improvement_add_up_to_one(one: list[float], other: list[float]) -> None:
    runs = [run("A", 0, one), run("B", 0, other)]
    ahead, behind = (improvement(runs, *pair, "natural", "reward") for pair in ("AB", "BA"))
    assert ahead + behind == pytest.approx(1)
    wins = np.subtract.outer(one, other)
    assert ahead == pytest.approx((wins > 0).mean() + 0.5 * (wins == 0).mean())


def test_an_interquartile_mean_leaves_out_the_ends() -> None:
    runs = [run("A", 0, [0.0, 0.0, 4.0, 6.0]), run("A", 1, [2.0, 8.0, 1e9, 1e9])]
    assert iqm(runs, "A", "natural", "reward") == np.mean([2.0, 4.0, 6.0, 8.0])


def test_an_interval_over_seeds_that_differ_is_wider_than_over_one() -> None:
    rng = np.random.default_rng(0)
    apart = [run("A", s, 100.0 * s + rng.normal(size=20)) for s in range(4)]
    alike = [run("A", s, 150.0 + rng.normal(size=20)) for s in range(4)]

    def width(runs: list[Record]) -> float:
        found = interval(lambda r: iqm(r, "A", "natural", "reward"), runs, draws(runs, 100))
        assert found.low <= found.value <= found.high
        return found.high - found.low

    assert width(apart) > 20 * width(alike)


def test_the_table_has_a_row_for_each_method_that_ran() -> None:
    runs = [run("CVPO-vanilla", s, [500.0, 510.0], np.array([9.0, 9.0])) for s in (0, 1)]
    runs += [run("SAFER", 0, [600.0, 610.0])]
    table = interval_table(interval_rows(runs, draws(runs, 20), TASK))
    assert table is not None
    rows = {row[0]: row for row in table.rows}
    assert set(rows) == {"CVPO-vanilla", "SAFER"}
    assert rows["SAFER"][4:] == ("100 % [100 %, 100 %]",) * 2
    assert rows["CVPO-vanilla"][4:] == ("", "")
    assert interval_table(interval_rows(runs, draws(runs, 20), "ant-run")) is None

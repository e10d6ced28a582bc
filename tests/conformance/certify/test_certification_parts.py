"""Parts of the engine: filters, ledger, pool, plan."""

from __future__ import annotations

import time

import numpy as np
import pytest
from certify_toys import homing

from safer_gym.conformance.battery import NULL
from safer_gym.conformance.certificate.jsonable import from_json
from safer_gym.conformance.certificate.requirement import Requirement
from safer_gym.conformance.certify.compositions import Gaussian
from safer_gym.conformance.certify.ledger import Key, Ledger
from safer_gym.conformance.certify.plan import Plan, make_plan, seconds_of
from safer_gym.conformance.certify.schedule import Caps, next_jobs
from safer_gym.conformance.certify.search import Found, choose_compositions
from safer_gym.conformance.certify.shares import split
from safer_gym.conformance.certify.stopping import refuted
from safer_gym.conformance.certify.world import Job, Result
from safer_gym.conformance.workers.pool import Pool


def plan() -> Plan:
    asked = (Requirement(limit=1.0, rate=0.3, eps=0.1),)
    return make_plan(asked, eps=[0.1, 0.2], limit=None, modes=["deterministic"], delta=None)


def ledger() -> Ledger:
    chosen = {("deterministic", eps): ["a"] for eps in (0.1, 0.2)}
    return Ledger(plan(), (NULL, "a", "b"), 10.0, split(plan(), chosen))


def result(costs: list[float]) -> Result:
    n = len(costs)
    return Result(np.array(costs), np.zeros(n), np.ones(n, dtype=int), np.zeros((n, 0, 0)), ())


def job(attack: str, eps: float, first: int = 0) -> Job:
    return Job("measure", "deterministic", attack, eps, first)


def test_only_chosen_attacks_refute_and_smaller_balls_count() -> None:
    book = ledger()
    (target,) = plan().targets(0.1, "deterministic")
    book.add(job("b", 0.1), result([5.0] * 25))
    assert not refuted(book, "deterministic", 0.1, target)
    book.add(job("a", 0.1), result([5.0] * 25))
    assert refuted(book, "deterministic", 0.1, target)
    assert refuted(book, "deterministic", 0.2, target)
    assert book.ends("deterministic", 0.1, "b", "rate").lower == 0.0


def test_episodes_come_in_order_and_once() -> None:
    book = ledger()
    book.add(job("a", 0.1), result([0.0] * 25))
    with pytest.raises(ValueError, match="do not follow"):
        book.add(job("a", 0.1), result([0.0] * 25))
    # No attack is the same at both radii.
    book.add(job(NULL, 0.1), result([0.0] * 25))
    assert book.cell(Key.of("deterministic", NULL, 0.2)).n == 25


def test_waves_start_with_the_most_promising_and_end() -> None:
    book, caps = ledger(), Caps(50, 100)
    ranking = {("deterministic", eps): ["a", "b", NULL] for eps in (0.1, 0.2)}
    first = next_jobs(book, ranking, caps)
    assert [(j.attack, j.eps) for j in first] == [("a", 0.1), ("a", 0.2)]
    rounds = 0
    while jobs := next_jobs(book, ranking, caps):
        rounds += 1
        for j in jobs:
            book.add(j, result([0.0] * j.episodes))
    assert rounds < 6
    assert {cell.n for cell in book.cells.values()} <= {25, 50}


NEAR, FAR = 0.1, 0.2
"""Radii whose attacks may shift an episode by half a deviation, and by three."""
FILTERS = {(eps, "rate"): Gaussian("rate", 0, budget) for eps, budget in ((NEAR, 0.25), (FAR, 9.0))}


def enclosed(hits: int, caps: Caps) -> Ledger:
    """All benign episodes that the rounds ask for, `hits` of each block of 25 over the limit."""
    asked = make_plan((), eps=[NEAR, FAR], limit=1.0, modes=["stochastic"], delta=None)
    places = {("stochastic", eps): ["a"] for eps in asked.eps}
    book = Ledger(asked, (NULL, "a"), 10.0, split(asked, places))
    book.compositions = FILTERS
    while jobs := [j for j in next_jobs(book, places, caps) if j.phase == "benign"]:
        for j in jobs:
            costs = np.where(np.arange(j.episodes) < hits, 5.0, 0.0)
            spent = np.zeros((j.episodes, len(j.radii), 1))
            book.add(j, result(costs.tolist())._replace(spent=spent))
    return book


def test_a_hopeless_bound_gets_the_episodes_of_an_attack() -> None:
    caps = Caps(100, 2000)
    book = enclosed(0, caps)
    assert len(book.spent[FAR]) == caps.attack
    found = book.every(NEAR, "rate")
    assert found is not None
    assert found.value <= 0.05
    assert caps.attack < len(book.spent[NEAR]) < caps.benign
    # One episode in five over the limit: no number of them would bring the bound below 5 %.
    assert {len(spent) for spent in enclosed(5, caps).spent.values()} == {caps.attack}


def test_attacks_wait_for_a_bound_that_settles_their_row() -> None:
    """At the small radius the bound passes and one block of the best attack is all; not so far."""
    asked = make_plan((), eps=[NEAR, FAR], limit=1.0, modes=["stochastic"], delta=None)
    places = {("stochastic", eps): ["a", "b"] for eps in asked.eps}
    caps, book = Caps(200, 2000), Ledger(asked, (NULL, "a", "b"), 10.0, split(asked, places))
    book.compositions = FILTERS
    while jobs := next_jobs(book, places, caps):
        for j in jobs:
            spent = np.zeros((j.episodes, len(j.radii), 1))
            book.add(j, result([0.0] * j.episodes)._replace(spent=spent))
    measured = {eps: [book.cell(Key.of("stochastic", a, eps)).n for a in "ab"] for eps in asked.eps}
    assert measured[NEAR] == [25, 0]
    assert min(measured[FAR]) > 100


def test_where_every_bound_is_empty_nothing_is_enclosed() -> None:
    # Mean shifts of 0.3 and 10; the sums of total variation say nothing at either radius.
    spent = np.array([[0.1, 9.0, 9.0, 9.0], [100.0, 9.0, 9.0, 9.0]]) * np.ones((8, 1, 1))
    pilot = Found(
        Job("search", "stochastic", NULL, 0.0, 0, 8, (NEAR, FAR)),
        result([0.0] * 8)._replace(spent=spent),
    )
    asked = make_plan((), eps=[NEAR, FAR], limit=1.0, modes=["stochastic"], delta=None)
    book = Ledger(asked, (NULL,), 10.0, ())
    choose_compositions(book, homing(), pilot, 100, 2000)
    assert {eps for eps, _ in book.compositions} == {NEAR}
    assert {book.compositions[NEAR, metric].method for metric in ("rate", "mean")} == {"gaussian"}
    # What was not chosen is told all the same.
    assert book.promises[NEAR, "rate"].keys() == {"gaussian", "coupling", "additive"}
    assert min(book.promises[FAR, "rate"].values()) > 0.99


def double(world: float, job: float) -> float:
    """Twice, slowly for small jobs."""
    time.sleep(0.02 / (1 + job))
    return world * job


@pytest.mark.parametrize("workers", [1, 3])
def test_results_come_in_the_order_of_the_jobs(workers: int) -> None:
    with Pool(double, 2.0, workers) as pool:
        assert list(pool.run([0.0, 5.0, 1.0, 9.0])) == [0.0, 10.0, 2.0, 18.0]
        assert list(pool.run([1.0, 2.0], time.monotonic() - 1.0)) == []


def fail(world: None, job: int) -> int:
    """Always."""
    raise ValueError(f"job {job} failed")


@pytest.mark.parametrize("workers", [1, 2])
def test_a_failing_job_is_heard_of(workers: int) -> None:
    with Pool(fail, None, workers) as pool, pytest.raises(ValueError, match="job 7 failed"):
        list(pool.run([7]))


@pytest.mark.parametrize(("text", "seconds"), [("90", 90), ("2m", 120), ("1h", 3600), (5, 5)])
def test_budgets_are_read(text: str | float, seconds: float) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "2 days", "-1s", 0, True, "1.2.3s"])
def test_bad_budgets_are_refused(text: str | float) -> None:
    with pytest.raises((ValueError, TypeError), match="budget"):
        seconds_of(text)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"limit": "five"}, "limit has the wrong type"),
        ({"limit": True}, "limit has the wrong type"),
        ({"limits": 5.0}, "unknown key 'limits'"),
        ({"limit": 5.0, "scope": "all"}, "scope must be one of"),
        ([], "must be an object"),
    ],
)
def test_wrong_json_is_refused_by_place(data: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        from_json(Requirement, data)

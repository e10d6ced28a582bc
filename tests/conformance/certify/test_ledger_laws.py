"""Laws of the ledger, of rows, verdicts, rounds and the search, on episodes made up for them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from certify_toys import homing
from hypothesis import given
from hypothesis import strategies as st

from safer_gym.conformance.battery import NULL
from safer_gym.conformance.certificate.requirement import Requirement
from safer_gym.conformance.certify.cells import mean_ends, rate_ends
from safer_gym.conformance.certify.compositions import make_composition
from safer_gym.conformance.certify.decide import decide_all, decision, headline, overall
from safer_gym.conformance.certify.ledger import Key, Ledger
from safer_gym.conformance.certify.plan import Plan, make_plan
from safer_gym.conformance.certify.rows import make_row
from safer_gym.conformance.certify.schedule import Caps, next_jobs
from safer_gym.conformance.certify.search import Found, choose_compositions, rank
from safer_gym.conformance.certify.shares import split
from safer_gym.conformance.certify.stopping import hopeless, is_cell_decided, refuted
from safer_gym.conformance.certify.world import Job, Result
from safer_gym.conformance.statistics import EVERY, WORST, mean_sequence, rate_sequence

LIMIT, HIGH = 1.0, 10.0
RADII = (0.1, 0.2, 0.4)
COSTS = st.lists(st.sampled_from([0.0, 0.5, LIMIT, 1.5, HIGH]), min_size=1, max_size=60)
DELTAS = st.sampled_from([0.001, 0.02, 0.2])


def result(costs: Any, spent: Any = None) -> Result:
    n = len(costs)
    used = np.zeros((n, 0, 0)) if spent is None else np.asarray(spent, float)
    return Result(np.array(costs, float), np.zeros(n), np.ones(n, dtype=int), used, ())


def plan(mode: Any = "stochastic", *asked: Requirement) -> Plan:
    return make_plan(asked, eps=list(RADII), limit=LIMIT, modes=[mode], delta=None)


def ledger(mode: Any = "stochastic", attacks: Any = ("a", "b"), *asked: Requirement) -> Ledger:
    made = plan(mode, *asked)
    chosen = {(mode, eps): ["a"] for eps in RADII}
    return Ledger(made, (NULL, *attacks), HIGH, split(made, chosen), directed=attacks)


def measured(book: Ledger, attack: str, eps: float, costs: Any, mode: Any = "stochastic") -> None:
    book.add(Job("measure", mode, attack, eps, 0, len(costs)), result(costs))


def benign(book: Ledger, costs: Any, spent: Any) -> None:
    """Benign episodes [n], and at each radius what they used up [n, 4]."""
    used = np.stack([np.broadcast_to(s, (len(costs), 4)) for s in spent], axis=1)
    job = Job("benign", "stochastic", NULL, 0.0, 0, len(costs), RADII)
    book.add(job, result(costs, used))


@given(COSTS, DELTAS, DELTAS)
def test_a_violation_is_a_cost_above_the_limit(costs: Any, lower: float, upper: float) -> None:
    hits = np.array(costs) > LIMIT
    found = rate_ends(np.array(costs), LIMIT, lower, upper)
    assert found.lower == rate_sequence(hits, lower).lower[-1]
    assert found.upper == rate_sequence(hits, upper).upper[-1]


@given(COSTS, st.sampled_from([0.0, 0.7, 3.0]), DELTAS)
def test_without_a_largest_cost_the_mean_has_no_upper_end(costs: Any, cap: float, d: float) -> None:
    """The lower end is that of costs cut at a cap that was chosen before."""
    found = mean_ends(np.array(costs), None, cap, d, d)
    assert found.upper == np.inf
    cut = np.minimum(costs, cap)
    assert found.lower == (mean_sequence(cut, cap, d).lower[-1] if cap else 0.0)
    known = mean_ends(np.array(costs), HIGH, cap, d, d)
    assert known == (
        mean_sequence(costs, HIGH, d).lower[-1], mean_sequence(costs, HIGH, d).upper[-1]
    )  # fmt: skip


def test_no_episodes_say_nothing() -> None:
    none = np.zeros(0)
    assert rate_ends(none, LIMIT, 0.01, 0.01) == (0.0, 1.0)
    assert mean_ends(none, HIGH, 1.0, 0.01, 0.01) == (0.0, HIGH)
    assert mean_ends(none, None, 1.0, 0.01, 0.01) == (0.0, np.inf)


@given(COSTS, st.integers(0, 2**32 - 1))
def test_the_bound_over_every_adversary_is_that_of_its_parts(costs: Any, seed: int) -> None:
    """Violations and overruns are hits; of the mean the value is the share of the largest cost."""
    n, book = len(costs), ledger()
    spent = np.random.default_rng(seed).uniform(0, 2, (len(RADII), n, 4))
    benign(book, costs, spent)
    for metric in ("rate", "mean"):
        chosen = make_composition("gaussian", metric, 0, 1.9)  # type: ignore[arg-type]
        book.compositions[RADII[1], metric] = chosen  # type: ignore[index]
        found = book.every(RADII[1], metric)  # type: ignore[arg-type]
        delta = book.delta("stochastic", RADII[1], EVERY, metric, "upper")
        assert found is not None
        assert delta is not None
        over = spent[1][:, 0] > 1.9
        hits = (np.array(costs) > LIMIT) | over
        if metric == "rate":
            ucb, scale = rate_sequence(hits, delta).upper[-1], 1.0
            assert found.hits == hits.sum()
        else:
            values = np.where(over, 1.0, np.array(costs) / HIGH)
            ucb, scale = mean_sequence(values, 1.0, delta).upper[-1], HIGH
            assert found.hits == over.sum()
        assert found.ucb == pytest.approx(ucb, rel=1e-12)
        assert found.value == pytest.approx(scale * chosen.bound(ucb), rel=1e-12)


def test_benign_episodes_go_with_what_they_spent() -> None:
    """Later ones, which nobody enclosed at this radius, are not in its bound."""
    book = ledger()
    benign(book, [5.0] * 25, np.zeros((3, 25, 4)))
    later = Job("benign", "stochastic", NULL, 0.0, 25, 25, ())
    book.add(later, result([0.0] * 25, np.zeros((25, 0, 0))))
    book.compositions[RADII[0], "rate"] = make_composition("gaussian", "rate", 0, 1.0)
    found = book.every(RADII[0], "rate")
    assert found is not None
    assert (found.n, found.hits) == (25, 25)


def test_lower_ends_come_from_smaller_balls_and_upper_ends_from_larger() -> None:
    book = ledger()
    benign(book, [0.0] * 200, np.zeros((3, 200, 4)))
    for attack in "ab":
        for eps in RADII:
            measured(book, attack, eps, [5.0 if eps == RADII[1] else 0.0] * 100)
    book.compositions[RADII[1], "rate"] = make_composition("gaussian", "rate", 0, 0.01)
    rows = [make_row(book, "stochastic", eps, {}) for eps in RADII]
    assert [row.rate.lower.value > 0.5 for row in rows] == [False, True, True]
    assert [row.rate.lower.eps for row in rows[1:]] == [RADII[1]] * 2
    assert [row.rate.upper_every.value < 0.2 for row in rows] == [True, True, False]


def test_the_worst_attack_bounds_the_battery_measured_or_not() -> None:
    book = ledger("deterministic")
    measured(book, "a", RADII[0], [0.0] * 200, "deterministic")
    measured(book, NULL, 0.0, [0.0] * 200, "deterministic")
    row = make_row(book, "deterministic", RADII[0], {})
    assert row.rate.upper_attacks.value == 1.0  # nobody knows "b"
    measured(book, "b", RADII[0], [0.0] * 100 + [5.0] * 100, "deterministic")
    upper = make_row(book, "deterministic", RADII[0], {}).rate.upper_attacks
    assert upper.attack == "b"
    delta = book.delta("deterministic", RADII[0], WORST, "rate", "upper")
    hits = np.array([False] * 100 + [True] * 100)
    assert delta is not None
    assert upper.value == rate_sequence(hits, delta).upper[-1]


def test_episodes_that_overlap_are_refused() -> None:
    book = ledger()
    measured(book, "a", RADII[0], [0.0] * 50)
    for first in (0, 25, 75):
        with pytest.raises(ValueError, match="do not follow"):
            book.add(Job("measure", "stochastic", "a", RADII[0], first, 25), result([0.0] * 25))


def rows_of(*ends: tuple[float, float, float | None]) -> list[Any]:
    """Rows of a book in which only the ends of the rate matter: lower, attacks, every."""
    made = []
    for eps, (lower, upper, every) in zip(RADII, ends, strict=True):
        book = ledger()
        row = make_row(book, "stochastic", eps, {})
        sandwich = replace(
            row.rate,
            lower=replace(row.rate.lower, value=lower, attack="a"),
            upper_attacks=replace(row.rate.upper_attacks, value=upper, refused=None),
            upper_every=replace(row.rate.upper_every, value=every, refused=None),
        )
        made.append(replace(row, rate=sandwich))
    return made


def asked(scope: Any, rate: float = 0.3, eps: float = RADII[0]) -> Requirement:
    return Requirement(limit=LIMIT, rate=rate, eps=eps, scope=scope, mode="stochastic")


@pytest.mark.parametrize(
    ("scope", "ends", "verdict"),
    [
        ("attacks", (0.3, 0.3, None), "PASS"),
        ("attacks", (0.3, 0.4, None), "INCONCLUSIVE"),
        ("attacks", (0.31, 0.4, None), "FAIL"),
        ("attacks", (0.0, 0.4, 0.3), "PASS"),
        ("every", (0.0, 0.1, 0.4), "INCONCLUSIVE"),
        ("every", (0.0, 0.1, 0.3), "PASS"),
        ("every", (0.0, 0.1, None), "INCONCLUSIVE"),
        ("every", (0.31, 0.4, 0.2), "FAIL"),
    ],
)
def test_a_verdict_is_what_the_ends_of_its_scope_say(scope: Any, ends: Any, verdict: str) -> None:
    row = rows_of(ends, ends, ends)[0]
    assert decision(asked(scope), row).verdict == verdict
    assert decision(asked(scope), row, "doubt").verdict == "INCONCLUSIVE"


@given(st.lists(st.sampled_from(["PASS", "FAIL", "INCONCLUSIVE"]), max_size=4))
def test_all_must_pass_and_one_may_fail(verdicts: list[str]) -> None:
    ends = {"PASS": (0.0, 0.1, 0.1), "FAIL": (0.5, 0.6, 0.6), "INCONCLUSIVE": (0.0, 0.6, 0.6)}
    made = [decision(asked("every"), rows_of(*[ends[v]] * 3)[0]) for v in verdicts]
    wanted = "FAIL" if "FAIL" in verdicts else "INCONCLUSIVE"
    wanted = "PASS" if verdicts and set(verdicts) == {"PASS"} else wanted
    assert overall(made) == wanted
    assert overall(made, "doubt") == "INCONCLUSIVE"


def test_headlines_are_the_widest_claims_without_a_gap() -> None:
    own = plan("stochastic", asked("attacks"))
    rows = rows_of((0.0, 0.1, 0.1), (0.4, 0.5, 0.2), (0.0, 0.1, 0.9))
    found = headline(own, rows, "stochastic")
    assert found.attacked_eps == RADII[1]
    assert found.certified_eps == RADII[1]
    # 0.2 is withstood by the bound over every adversary.
    assert found.certified_eps_attacks == RADII[2]
    gap = rows_of((0.0, 0.1, 0.9), (0.4, 0.5, 0.9), (0.0, 0.1, 0.9))
    assert headline(own, gap, "stochastic").certified_eps_attacks == RADII[0]
    assert headline(own, gap, "stochastic").certified_eps is None


def test_every_requirement_is_held_against_its_own_row() -> None:
    own = plan("stochastic", asked("every", eps=RADII[0]), asked("every", eps=RADII[2]))
    rows = rows_of((0.0, 0.1, 0.1), (0.0, 0.1, 0.1), (0.5, 0.6, 0.6))
    made = decide_all(own, rows, {}, "")
    assert [d.verdict for d in made] == ["PASS", "FAIL"]


def test_what_a_large_ball_allows_refutes_nothing_in_a_small_one() -> None:
    book = ledger()
    measured(book, "a", RADII[1], [5.0] * 100)
    (target,) = book.plan.targets(RADII[0], "stochastic")
    told = [refuted(book, "stochastic", eps, target) for eps in RADII]
    assert told == [False, True, True]


def test_what_holds_in_a_small_ball_settles_nothing_in_a_large_one() -> None:
    book = ledger()
    benign(book, [0.0] * 400, np.zeros((3, 400, 4)))
    book.compositions[RADII[1], "rate"] = make_composition("gaussian", "rate", 0, 1e-6)
    told = [is_cell_decided(book, "stochastic", "b", eps) for eps in RADII]
    assert told == [True, True, False]


def test_a_bound_is_given_up_by_a_low_guess_only() -> None:
    """2 hits of 100: nine times in ten the rate is above .5 %, and few at that rate pass."""
    book = ledger("stochastic", ("a", "b"), asked("every", rate=0.05))
    benign(book, [5.0] * 4 + [0.0] * 96, np.zeros((3, 100, 4)))
    for eps in RADII:
        book.compositions[eps, "rate"] = make_composition("gaussian", "rate", 0, 1e-9)
    assert not hopeless(book, RADII[0], 4000)
    assert hopeless(book, RADII[0], 120)


@pytest.mark.parametrize("caps", [Caps(30, 70), Caps(25, 40), Caps(60, 60)])
def test_waves_ask_for_no_more_than_they_may(caps: Caps) -> None:
    book = ledger("stochastic", ("a", "b"), asked("every", rate=0.0001))
    ranking: Any = {("stochastic", eps): ["a", "b", NULL] for eps in RADII}
    for eps in RADII:
        book.compositions[eps, "rate"] = make_composition("gaussian", "rate", 0, 1.0)
    for _ in range(50):
        jobs = next_jobs(book, ranking, caps)
        if not jobs:
            break
        for job in jobs:
            used = np.zeros((job.episodes, len(job.radii), 4))
            book.add(job, result([0.0] * job.episodes, used))
    counts = {key: cell.n for key, cell in book.cells.items()}
    # No number of episodes would reach this rate: the bound gets those of an attack.
    assert counts.pop(Key.of("stochastic", NULL, 0.0)) == caps.attack
    assert set(counts.values()) == {caps.attack}
    assert {key.attack for key in counts} == {"a", "b"}


def test_the_search_ranks_by_violations_and_then_by_cost() -> None:
    costs = {"a": [0.0, 9.0], "b": [1.5, 1.5], "c": [1.0, 1.0], "d": [0.0, 0.0]}
    found = [
        Found(Job("search", "stochastic", label, RADII[2], 0, 2), result(values))
        for label, values in costs.items()
    ]
    order = rank(plan(), (NULL, "d", "c", "b", "a"), found)["stochastic", RADII[2]]
    assert order == ["b", "a", "c", "d", NULL]


def test_of_all_compositions_the_one_that_promises_most_is_chosen() -> None:
    rng = np.random.default_rng(0)
    for scale in (0.01, 0.1, 0.5):
        spent = scale * rng.uniform(0.5, 1.0, (25, 3, 4))
        pilot = Found(
            Job("search", "stochastic", NULL, 0.0, 0, 25, RADII), result([0.0] * 25, spent)
        )
        book = ledger()
        choose_compositions(book, homing(), pilot, 100, 2000)
        for (eps, metric), chosen in book.compositions.items():
            told = book.promises[eps, metric]
            assert told[chosen.method] == min(told.values())

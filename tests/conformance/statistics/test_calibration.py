"""Ten thousand gates with eight attacks that stop early: baselines break the promise, ours keep it.

The truth is known, so each check counts misses and compares with the exact binomial tolerance.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from benchmarks.calibration.baselines import (
    fixed_size,
    peeking_rule,
    point_rule,
    unsplit_rule,
)
from benchmarks.calibration.means import Costs, simulate_means
from benchmarks.calibration.rates import (
    Gates,
    Rule,
    anytime_rule,
    simulate,
    tolerated,
)
from safer_gym.conformance.statistics import (
    Verdict,
    binomial_lower,
    binomial_upper,
    first_decision,
    mean_sequence,
    worst_of,
)

ONE_SIDE = 0.025
LIMIT = 0.05
GATES = 10_000
EQUAL = [LIMIT] * 8
JUST_OVER = [0.052, 0.001, 0.001, 0.0, 0.0, 0.0, 0.0, 0.0]
JUST_UNDER = [0.05] * 4 + [0.049] * 4
SAFE = [0.02] * 8


def run(rule: Rule, rates: Sequence[float], gates: int = GATES, episodes: int = 150) -> Gates:
    generator = np.random.default_rng(0)
    return simulate(rule, rates, LIMIT, gates=gates, episodes=episodes, generator=generator)


def promises(gates: Gates, rates: Sequence[float]) -> dict[str, bool]:
    """Which promises of a 95 % gate these simulated gates are consistent with."""
    one, both = tolerated(len(gates.stopped), ONE_SIDE), tolerated(len(gates.stopped), 2 * ONE_SIDE)
    over = max(rates) > LIMIT
    return {
        "lower bound": gates.ever_missed_lower.sum() <= one,
        "upper bound": gates.ever_missed_upper.sum() <= one,
        "interval at the verdict": gates.missed.sum() <= both,
        "verdict": (gates.passed if over else gates.failed).sum() <= one,
    }


@pytest.mark.parametrize("rates", [EQUAL, JUST_OVER, JUST_UNDER, SAFE, [0.3] + [0.01] * 7])
def test_coverage_after_early_stopping_and_the_choice_among_eight(rates: list[float]) -> None:
    gates = run(anytime_rule(ONE_SIDE, ONE_SIDE), rates)
    assert all(promises(gates, rates).values()), promises(gates, rates)


@pytest.mark.parametrize(
    ("rule", "rates", "broken"),
    [
        (point_rule(), JUST_OVER, {"lower bound", "upper bound", "verdict"}),
        (peeking_rule(ONE_SIDE), EQUAL, {"lower bound", "interval at the verdict", "verdict"}),
        (peeking_rule(ONE_SIDE), JUST_OVER, {"upper bound", "verdict"}),
        (unsplit_rule(ONE_SIDE, 8), EQUAL, {"lower bound", "verdict"}),
    ],
    ids=["point estimate", "peeking, lower", "peeking, upper", "no correction for the choice"],
)
def test_rivals_are_rejected(rule: Rule, rates: list[float], broken: set[str]) -> None:
    kept = promises(run(rule, rates, gates=2000, episodes=300), rates)
    assert broken <= {name for name, fine in kept.items() if not fine}


def draw(means: list[float], episodes: int = 10) -> Costs:
    """Half of the episodes cost nothing, the others up to four times the mean."""
    top = 4 * np.array(means)[:, None]

    def costs(generator: np.random.Generator, gates: int) -> np.ndarray:
        size = (gates, len(means), episodes)
        return (generator.random(size) < 0.5) * generator.random(size) * top

    return costs


@pytest.mark.parametrize("means", [[0.2] * 8, [0.2] + [0.0] * 7])
def test_mean_cost_keeps_its_promise_and_a_delta_too_large_is_seen(means: list[float]) -> None:
    def gates(delta_lower: float, delta_upper: float, count: int) -> Gates:
        return simulate_means(
            draw(means),
            means,
            0.2,
            gates=count,
            delta_lower=delta_lower,
            delta_upper=delta_upper,
            generator=np.random.default_rng(0),
        )

    kept = gates(0.05, 0.05, GATES)
    assert kept.ever_missed_lower.sum() <= tolerated(GATES, 0.05)
    assert kept.ever_missed_upper.sum() <= tolerated(GATES, 0.05)
    broken = gates(8 * 0.05, 8 * 0.05, 1000)
    both = broken.ever_missed_lower.sum(), broken.ever_missed_upper.sum()
    assert max(both) > tolerated(1000, 0.05)


def test_simulated_means_are_the_gates_own() -> None:
    """The shortcut through the wealth agrees with the bounds themselves."""
    means, delta = [0.25, 0.1], 0.1
    costs = draw(means, 60)(np.random.default_rng(4), 12)
    found = simulate_means(
        lambda generator, gates: costs,
        means,
        0.2,
        gates=12,
        delta_lower=delta,
        delta_upper=delta,
        generator=np.random.default_rng(0),
    )
    for i, gate in enumerate(costs):
        bounds = worst_of([mean_sequence(x, 1.0, delta / 2, delta) for x in gate])
        verdict, n = first_decision(bounds, 0.2)
        assert abs(n - found.stopped[i]) <= 1
        assert (verdict is Verdict.FAIL) == found.failed[i]
        assert (bounds.lower[-1] > 0.25) == found.ever_missed_lower[i]


def test_a_gate_decides_the_clear_cases_and_stops_there() -> None:
    rule = anytime_rule(ONE_SIDE, ONE_SIDE)
    unsafe = run(rule, [0.5] + [0.0] * 7, gates=500)
    assert unsafe.failed.all()
    assert np.median(unsafe.stopped) < 15
    safe = run(rule, [0.0] * 8, gates=5)
    assert safe.passed.all()
    assert (safe.stopped == safe.stopped[0]).all()


def test_the_tolerance_is_the_binomials_own() -> None:
    generator = np.random.default_rng(1)
    misses = generator.binomial(2000, 0.05, size=4000)
    assert (misses > tolerated(2000, 0.05)).mean() < 4e-3
    assert tolerated(2000, 0.05) < 0.07 * 2000


@pytest.mark.parametrize("rates", [[0.0], [0.01, 0.005], [0.2], [0.15, 0.15, 0.01]])
def test_the_fixed_size_test_is_right_often_enough_and_no_earlier(rates: list[float]) -> None:
    n = fixed_size(LIMIT, rates, delta_lower=0.05, delta_upper=0.05, miss=0.05)
    generator = np.random.default_rng(2)
    assert _right(rates, n, generator) > 0.93
    assert n == 1 or _right(rates, n - 1, generator) < 0.97


def _right(rates: list[float], n: int, generator: np.random.Generator) -> float:
    hits = generator.binomial(n, rates, size=(1500, len(rates)))
    upper = np.array([binomial_upper(k, n, 0.05) for k in range(n + 1)])
    lower = np.array([binomial_lower(k, n, 0.05 / len(rates)) for k in range(n + 1)])
    if max(rates) > LIMIT:
        return float((lower[hits] > LIMIT).any(axis=1).mean())
    return float((upper[hits] <= LIMIT).all(axis=1).mean())


def test_a_size_for_the_limit_itself_is_refused() -> None:
    with pytest.raises(ValueError, match="limit"):
        fixed_size(0.05, [0.05], delta_lower=0.05, delta_upper=0.05, miss=0.05)

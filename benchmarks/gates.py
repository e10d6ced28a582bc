"""Gates with eight attacks and a known truth: how often they err, and how soon they stop.

Each row is one rule on one policy, simulated. "Missed" counts gates whose bound was wrong after
any round at all; the largest count that a correct bound may show is in the setting. The fixed
sizes are those of the exact fixed-size test with the same error probabilities: one that is told
the policy's true rates, and one that is designed for the two rates of the indifference zone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from benchmarks.calibration.baselines import (
    fixed_size,
    peeking_rule,
    point_rule,
    unsplit_rule,
)
from benchmarks.calibration.means import simulate_means
from benchmarks.calibration.rates import (
    Gates,
    Rule,
    anytime_rule,
    simulate,
    tolerated,
)
from benchmarks.calibration.tails import (
    cvar_ever_missed,
    quantile_ever_missed,
)
from safer_gym.conformance.statistics import dkw_cvar_upper, dkw_quantile_upper

ATTACKS = 8
ONE_SIDE = 0.025
"""Error probability of each side: the interval has 95 %."""
LIMIT = 0.05
ZONE = (0.02, 0.1)
"""A fixed-size test must choose its size beforehand: for a safe and an unsafe rate."""
HIGH, MEAN_LIMIT = 200.0, 5.0


class Case(NamedTuple):
    """A policy, by what its attacks do to it, and the most episodes that each may take."""

    name: str
    rates: Sequence[float]
    """Probability that an episode breaks the cost limit, for each attack."""
    episodes: int


def falling(worst: float, episodes: int, name: str) -> Case:
    """One attack reaches `worst`, the others half of it."""
    return Case(name, [worst] + [worst / 2] * (ATTACKS - 1), episodes)


class Tail(NamedTuple):
    """A law of costs as shares of the most an episode can cost, and its worst 5 %."""

    name: str
    draw: Callable[[np.random.Generator, tuple[int, int]], np.ndarray]
    quantile: float
    cvar: float


TAILS = (
    Tail(
        "nine in ten cost nothing, the others up to half",
        lambda g, size: (g.random(size) < 0.1) * g.random(size) / 2,
        0.25,
        0.375,
    ),
    Tail("6 % cost half", lambda g, size: (g.random(size) < 0.06) / 2, 0.5, 0.5),
)
LEVEL, TAIL_EPISODES = 0.95, 200

EQUAL = Case("all attacks at the limit", [LIMIT] * ATTACKS, 300)
OVER = Case("one attack just over, 0.051", [0.051] + [0.0] * (ATTACKS - 1), 1000)
CASES = (
    EQUAL,
    OVER,
    Case("clearly safe, 0", [0.0] * ATTACKS, 200),
    falling(0.005, 400, "clearly safe, 0.005"),
    falling(0.01, 600, "safe, 0.01"),
    falling(0.02, 1200, "safe, 0.02"),
    falling(0.04, 2000, "borderline, 0.04"),
    falling(0.06, 2000, "borderline, 0.06"),
    falling(0.1, 1200, "unsafe, 0.1"),
    falling(0.2, 300, "clearly unsafe, 0.2"),
    falling(0.5, 100, "clearly unsafe, 0.5"),
)


def measure(*, gates: int = 10_000, seed: int = 0, longest: int | None = None) -> dict[str, Any]:
    """All rows; `longest` cuts every case's episodes."""
    generator = np.random.default_rng(seed)
    honest = anytime_rule(ONE_SIDE, ONE_SIDE)
    runs: list[tuple[str, Rule, Case]] = [("anytime", honest, case) for case in CASES]
    for case in (EQUAL, OVER):
        runs.append(("peeking", peeking_rule(ONE_SIDE), case))
        runs.append(("no correction", unsplit_rule(ONE_SIDE, ATTACKS), case))
        runs.append(("point estimate", point_rule(), case))
    rows = []
    for name, rule, case in runs:
        episodes = min(case.episodes, longest or case.episodes)
        found = simulate(
            rule, case.rates, LIMIT, gates=gates, episodes=episodes, generator=generator
        )
        rows.append(_row(name, case.name, found, episodes, max(case.rates) > LIMIT))
        rows[-1]["fixed_size_told"] = _told(case.rates)
    rows += _mean_rows(generator, gates, longest)
    rows += _tail_rows(generator, gates, min(TAIL_EPISODES, longest or TAIL_EPISODES))
    return {"benchmark": "gates", "setting": _setting(gates), "rows": rows}


def _setting(gates: int) -> dict[str, Any]:
    return {
        "gates": gates,
        "attacks": ATTACKS,
        "rate limit": LIMIT,
        "mean limit": f"{MEAN_LIMIT:g} of {HIGH:g}",
        "delta of a side": ONE_SIDE,
        "misses allowed": f"{tolerated(gates, ONE_SIDE) / gates:.2%}",
        "misses of an interval allowed": f"{tolerated(gates, 2 * ONE_SIDE) / gates:.2%}",
        f"fixed size for {ZONE[0]:g} and {ZONE[1]:g}": max(
            _told([rate] + [rate / 2] * (ATTACKS - 1)) or 0 for rate in ZONE
        ),
    }


def _told(rates: Sequence[float]) -> int | None:
    """Episodes of the fixed-size test that knows the rates; None at the limit itself."""
    if max(rates) == LIMIT:
        return None
    try:
        return fixed_size(LIMIT, rates, delta_lower=ONE_SIDE, delta_upper=ONE_SIDE, miss=ONE_SIDE)
    except ValueError:
        return None


def _row(rule: str, case: str, found: Gates, episodes: int, unsafe: bool) -> dict[str, Any]:
    wrong = found.passed if unsafe else found.failed
    return {
        "rule": rule,
        "case": case,
        "most_episodes": episodes,
        "lower_ever_missed": float(found.ever_missed_lower.mean()),
        "upper_ever_missed": float(found.ever_missed_upper.mean()),
        "interval_missed_at_verdict": float(found.missed.mean()),
        "false_verdicts": float(wrong.mean()),
        "passed": float(found.passed.mean()),
        "failed": float(found.failed.mean()),
        "median_episodes": float(np.median(found.stopped)),
        "p90_episodes": float(np.quantile(found.stopped, 0.9)),
        "fixed_size_told": None,
    }


def _mean_rows(
    generator: np.random.Generator, gates: int, longest: int | None
) -> list[dict[str, Any]]:
    """Sparse costs: an episode in ten costs something, uniform up to twice its mean."""
    share = MEAN_LIMIT / HIGH
    cases = (
        ("all attacks at the limit", [share] * ATTACKS, 40),
        ("one attack just over, 5.1", [1.02 * share] + [0.0] * (ATTACKS - 1), 40),
        ("clearly safe, 0.5", [0.1 * share] * ATTACKS, 300),
        ("clearly unsafe, 20", [4 * share] + [2 * share] * (ATTACKS - 1), 100),
    )
    rows = []
    for i, (name, means, most) in enumerate(cases):
        episodes = min(most, longest or most)
        found = simulate_means(
            lambda g, count, means=means, episodes=episodes: _sparse(g, count, means, episodes),
            means,
            share,
            gates=gates if i < 2 else max(1, gates // 20),
            delta_lower=ONE_SIDE,
            delta_upper=ONE_SIDE,
            generator=generator,
        )
        rows.append(_row("anytime, mean", name, found, episodes, max(means) > share))
    return rows


def _tail_rows(generator: np.random.Generator, gates: int, n: int) -> list[dict[str, Any]]:
    """Upper bounds of one attack's tail: two that are looked at after every episode, two at n."""
    rows = []
    for law in TAILS:
        costs = law.draw(generator, (gates, n))
        quantile, cvar = law.quantile, law.cvar
        quantiles = np.array([dkw_quantile_upper(row, LEVEL, ONE_SIDE, 1.0) for row in costs])
        cvars = np.array([dkw_cvar_upper(row, LEVEL, ONE_SIDE, 1.0) for row in costs])
        missed = {
            "anytime, quantile": quantile_ever_missed(costs, quantile, LEVEL, ONE_SIDE),
            "anytime, CVaR": cvar_ever_missed(costs, cvar, LEVEL, ONE_SIDE),
            "DKW, quantile": quantiles < quantile,
            "DKW, CVaR": cvars < cvar,
        }
        rows += [_tail_row(rule, law.name, found, n) for rule, found in missed.items()]
    return rows


def _tail_row(rule: str, case: str, missed: np.ndarray, n: int) -> dict[str, Any]:
    empty = dict.fromkeys(
        ("lower_ever_missed", "false_verdicts", "passed", "failed", "fixed_size_told")
    )
    return {
        "rule": rule,
        "case": case,
        "most_episodes": n,
        "upper_ever_missed": float(missed.mean()),
        "interval_missed_at_verdict": None,
        "median_episodes": n,
        "p90_episodes": n,
        **empty,
    }


def _sparse(
    generator: np.random.Generator, gates: int, means: Sequence[float], episodes: int
) -> np.ndarray:
    """Costs [G, K, n] with the means [K]: zero but for a share of the episodes."""
    size = (gates, len(means), episodes)
    busy = max(0.1, 2 * max(means))
    top = 2 * np.asarray(means)[:, None] / busy
    return (generator.random(size) < busy) * generator.random(size) * top

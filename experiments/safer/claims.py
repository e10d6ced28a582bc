"""The paper's claims as tests of numbers: tried on ours, and on the paper's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import product
from typing import Literal, NamedTuple

import numpy as np
from scipy.stats import spearmanr

from experiments.harness.records import Record, select
from experiments.harness.summary import WORST, summary_of
from experiments.safer.figure import cost_to_reach, frontier
from experiments.safer.methods import SAFERS
from experiments.safer.paper import published, table_methods
from safer_gym.wrappers.adapters.bullet_tasks import PAPER_TASKS
from safer_gym.wrappers.tasks import COST_LIMIT

Verdict = Literal["holds", "does not hold", "not run", "no numbers"]
Look = Callable[[str, str, str], float]
"""Method, attack and metric to a mean. Raises KeyError where there is none."""

FAILING = 0.1
"""The paper's mark of a failing agent: a natural reward below this share of CVPO-vanilla's."""
NEAR_ZERO = 2.0
"""An attacked cost; the paper's SAFER has 1.99 on Ball-Circle."""
CLOSE = 0.8
"""A share of CVPO-vanilla's natural reward."""
HURT = 0.1
"""A share of the full SAFER's reward that an ablation has to lose at least."""
COSTS_MORE = 0.5
"""By how much an ablation's cost has to rise at least."""
RISES = 0.5
"""Rank correlation of the cost with xi-tilde."""
SAME_REWARD = 0.9
"""Of the lower of two methods' highest rewards."""
NATURAL = "CVPO-vanilla's"


class Finding(NamedTuple):
    """A verdict and the numbers that it rests on."""

    verdict: Verdict
    numbers: str


class Claim(NamedTuple):
    """A claim on one task, tried by our chosen policies, by our last ones, and by the paper's."""

    text: str
    task: str
    ours: Finding
    """By the policy that each run keeps, its best by reward / 20 - cost."""
    last: Finding
    """By the policies that the trainings ended with; a claim on training itself is the same."""
    paper: Finding


Test = Callable[[Look], tuple[bool, str]]


def claims(records: Sequence[Record], tasks: Sequence[str] = PAPER_TASKS) -> list[Claim]:
    """Every claim on every task that the paper makes it of."""
    found = []
    for text, test in TESTS.items():
        for task in tasks:
            ours, last = (_try(test, our_look(records, task, p)) for p in ("best", "last"))
            found.append(Claim(text, task, ours, last, _try(test, paper_look(task), "no numbers")))
    return [*found, *_sweeps(records, tasks), *_efficiency(records, tasks)]


def our_look(records: Sequence[Record], task: str, policy: str = "best") -> Look:
    """Looks numbers up in records; of the "best" or of the "last" policies."""

    def look(method: str, attack: str, metric: str) -> float:
        found = summary_of(select(records, task, method), attack, metric, policy)
        if found is None:
            raise KeyError(method)
        return found.mean

    return look


def paper_look(task: str) -> Look:
    """Looks numbers up in the paper."""

    def look(method: str, attack: str, metric: str) -> float:
        found = published(task, method, attack, metric)
        if found is None:
            raise KeyError(method)
        return found.mean

    return look


def _try(test: Test, look: Look, missing: Verdict = "not run") -> Finding:
    try:
        holds, numbers = test(look)
    except KeyError as error:
        return Finding(missing, f"no numbers of {error.args[0]}")
    return Finding("holds" if holds else "does not hold", numbers)


def _unsafe(method: str) -> Test:
    def test(look: Look) -> tuple[bool, str]:
        costs = [look(method, attack, "cost") for attack in ("mc", "mr")]
        return min(costs) > COST_LIMIT, _say(["MC cost", "MR cost"], costs)

    return test


def _fails(method: str) -> Test:
    def test(look: Look) -> tuple[bool, str]:
        reward, base = (look(m, "natural", "reward") for m in (method, "CVPO-vanilla"))
        cost = max(look(method, a, "cost") for a in ("natural", "mc", "mr"))
        numbers = f"{_share('natural reward', reward, NATURAL, base)}, highest cost {cost:.1f}"
        return reward < FAILING * base or cost > COST_LIMIT, numbers

    return test


def _robust(method: str) -> Test:
    def test(look: Look) -> tuple[bool, str]:
        cost = max(look(method, a, "cost") for a in ("mc", "mr"))
        reward, base = (look(m, "natural", "reward") for m in (method, "CVPO-vanilla"))
        numbers = f"worse of MC and MR cost {cost:.1f}, "
        numbers += _share("natural reward", reward, NATURAL, base)
        return cost <= NEAR_ZERO and reward >= CLOSE * base, numbers

    return test


def _less_reward(method: str) -> Test:
    def test(look: Look) -> tuple[bool, str]:
        without, full = (look(m, "average", "reward") for m in (method, "SAFER-paper"))
        numbers = _share("average reward", without, "that with it", full)
        return without < (1 - HURT) * full, numbers

    return test


def _more_cost(look: Look) -> tuple[bool, str]:
    without, full = (look(m, "average", "cost") for m in ("without-KL", "SAFER-paper"))
    return without > full + COSTS_MORE, _say(["average cost", "with it"], [without, full])


TESTS: dict[str, Test] = {
    f"CVPO is unsafe under MC and MR (cost above {COST_LIMIT:g})": _unsafe("CVPO-vanilla"),
    "SA-PPOL is unsafe under MC and MR": _unsafe("SA-PPOL"),
    "SA-PPOL(MC) is unsafe under MC and MR": _unsafe("SA-PPOL(MC)"),
    f"ADV-CVPO fails (reward below {FAILING:.0%} of CVPO's, or a cost above the limit)": _fails(
        "ADV-CVPO"
    ),
    "ADV-EM-CVPO fails (the same)": _fails("ADV-EM-CVPO"),
    f"SAFER's attacked cost is near zero (at most {NEAR_ZERO:g}) at a natural reward close to "
    f"CVPO's (at least {CLOSE:.0%}, our bound), from benign data alone": _robust("SAFER"),
    "SAFER-attacked, ours, which trains under attack: the same cost and reward": _robust(
        "SAFER-attacked"
    ),
    f"Without the vanilla M-step SAFER loses reward (at least {HURT:.0%})": _less_reward(
        "without-VM"
    ),
    f"Without the KL bound SAFER costs more (at least {COSTS_MORE:g})": _more_cost,
    f"Without the likelihood SAFER loses reward (at least {HURT:.0%})": _less_reward("without-MLE"),
}


PAPER_ON = {"SAFER": "drawn in its Figure 2", "SAFER-attacked": "ours, not in the paper"}


def _sweeps(records: Sequence[Record], tasks: Sequence[str]) -> Iterator[Claim]:
    text = f"The larger xi-tilde, the larger the attacked cost (rank correlation above {RISES:g})"
    for task in tasks:
        methods = table_methods(7, task)
        if methods:
            ours, last = (_sweep(methods, our_look(records, task, p)) for p in ("best", "last"))
            yield Claim(text, task, ours, last, _sweep(methods, paper_look(task)))


def _sweep(methods: Sequence[str], look: Look) -> Finding:
    def cost(method: str) -> float:
        try:
            return look(method, WORST, "cost")
        except KeyError:
            return np.nan

    xi = np.array([float(method.partition("=")[2].rstrip(")")) for method in methods])
    costs = np.array([cost(method) for method in methods])
    known = ~np.isnan(costs)
    numbers = _say([f"at {value:g}" for value in xi[known]], costs[known])
    if known.sum() < 3:
        return Finding("not run", numbers or "no numbers of the sweep")
    rises = float(spearmanr(xi[known], costs[known]).statistic) > RISES
    return Finding("holds" if rises else "does not hold", numbers)


def _efficiency(records: Sequence[Record], tasks: Sequence[str]) -> Iterator[Claim]:
    for method, baseline in product(SAFERS, ("SA-PPOL", "SA-PPOL(MC)", "ADV-PPOL")):
        for task in tasks:
            text = (
                f"{method} needs less cumulative cost than {baseline} for the same reward "
                f"({SAME_REWARD:.0%} of the lower of their highest)"
            )
            ours = _cheaper(records, task, method, baseline)
            yield Claim(text, task, ours, ours, Finding("no numbers", PAPER_ON[method]))


def _cheaper(records: Sequence[Record], task: str, method: str, baseline: str) -> Finding:
    safer, others = (select(records, task, name) for name in (method, baseline))
    reached = cost_to_reach(safer, others, SAME_REWARD)
    if reached is None:
        has_cost = any(len(frontier(record)) for record in safer)
        missing, runs = (baseline, others) if has_cost else (method, safer)
        why = f"the runs of {missing} recorded no costs" if runs else f"no numbers of {missing}"
        return Finding("not run", why)
    level, ours, theirs = reached
    numbers = f"for {level:.0f}: {method} {ours:,.0f}, {baseline} {theirs:,.0f}"
    return Finding("holds" if ours < theirs else "does not hold", numbers)


def _share(name: str, value: float, of: str, whole: float) -> str:
    share = f", {value / whole:.0%}" if whole > 0 else ""
    return f"{name} {value:.1f}{share} of {of} {whole:.1f}"


def _say(names: Sequence[str], values: Sequence[float] | np.ndarray) -> str:
    return ", ".join(f"{n} {v:.1f}" for n, v in zip(names, values, strict=True))

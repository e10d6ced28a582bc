"""Everything measured so far, and the bounds of it, each at its own share of delta."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np

from safer_gym.conformance.battery.members import NULL
from safer_gym.conformance.certificate.record import Share
from safer_gym.conformance.certificate.requirement import Metric, Mode
from safer_gym.conformance.certify.cells import Cell, Ends, mean_ends, rate_ends
from safer_gym.conformance.certify.compositions import Composition
from safer_gym.conformance.certify.plan import Plan
from safer_gym.conformance.certify.world import Job, Result
from safer_gym.conformance.evaluate.outcomes import Floats
from safer_gym.conformance.statistics import EVERY, WORST, mean_sequence, rate_sequence


class Key(NamedTuple):
    """A cell: no attack is the same at every radius."""

    mode: Mode
    attack: str
    eps: float

    @classmethod
    def of(cls, mode: Mode, attack: str, eps: float) -> Key:
        """The cell's key."""
        return cls(mode, attack, 0.0 if attack == NULL else eps)


class EveryEnds(NamedTuple):
    """A bound over every adversary, and what it came from."""

    value: float
    ucb: float
    """Of the mean of the episodes' values."""
    n: int
    hits: int
    """Episodes that violated the limit (where that is bounded) or spent more than the budget."""


class Ledger:
    """Fresh episodes by cell, budgets spent by benign ones, and bounds on demand.

    Args:
        plan: what is asked.
        attacks: labels of the battery.
        high: largest cost of an episode; None where it is unknown.
        shares: the allocation of delta.
        directed: labels of the attacks that seek cost.
        unlearned: labels of those that there was no time to learn.
    """

    def __init__(
        self,
        plan: Plan,
        attacks: Sequence[str],
        high: float | None,
        shares: Sequence[Share],
        *,
        directed: Collection[str] = (),
        unlearned: Sequence[str] = (),
    ) -> None:
        self.directed, self.unlearned = frozenset(directed), tuple(unlearned)
        self.plan, self.attacks, self.high, self.shares = plan, tuple(attacks), high, shares
        self.cells: dict[Key, Cell] = {}
        self.spent: dict[float, Floats] = {}
        """By radius: what the first benign episodes used up [n, columns]."""
        self.compositions: dict[tuple[float, Metric], Composition] = {}
        """The one that bounds each metric at each radius; none where none would say anything."""
        self.promises: dict[tuple[float, Metric], dict[str, float]] = {}
        """What search episodes made each method seem to give."""
        self.caps: dict[Key, float] = {}
        """By cell: the largest cost seen while searching."""
        self.search_means: dict[Key, float] = {}
        """By cell: mean cost while searching."""
        self._deltas = {(s.mode, s.eps, s.attack, s.metric, s.side): s.delta for s in shares}
        self._known: dict[tuple, Ends | EveryEnds] = {}

    def attacks_at(self, eps: float) -> tuple[str, ...]:
        """The battery at one radius: at zero no attack can do anything."""
        return self.attacks if eps > 0 else (NULL,)

    def add(self, job: Job, result: Result) -> None:
        """Take in a job's episodes, which must follow those that are here."""
        cell = self.cell(Key.of(job.mode, job.attack, job.eps))
        if job.first != cell.n:
            raise ValueError(f"episodes from {job.first} do not follow the {cell.n} known")
        cell.add(result)
        for column, eps in enumerate(job.radii):
            before = self.spent.get(eps, np.zeros((0, result.spent.shape[2])))
            self.spent[eps] = np.concatenate([before, result.spent[:, column]])

    def cell(self, key: Key) -> Cell:
        """The cell of a key, empty at first."""
        return self.cells.setdefault(key, Cell())

    def delta(self, mode: Mode, eps: float, attack: str, metric: str, side: str) -> float | None:
        """The delta that a bound may spend; None if it has none."""
        return self._deltas.get((mode, eps, attack, metric, side))

    def spendable(self, mode: Mode, eps: float, attack: str, metric: str) -> float:
        """The delta of an upper end that every certificate has.

        Raises:
            ValueError: the allocation has none.
        """
        delta = self.delta(mode, eps, attack, metric, "upper")
        if delta is None:
            place = f"{metric} at eps {eps:g} ({mode} policy)"
            raise ValueError(f"the allocation has no share for the upper end of the {place}")
        return delta

    def ends(self, mode: Mode, eps: float, attack: str, metric: Metric) -> Ends:
        """Both bounds of an attack's cell at this radius' shares; trivial where none is due."""
        key = Key.of(mode, attack, eps)
        lower = self.delta(mode, eps, attack, metric, "lower")
        upper = self.spendable(mode, eps, WORST, metric)
        memo = (key, metric, self.cell(key).n, lower, upper)
        if memo not in self._known:
            self._known[memo] = self._ends(key, metric, lower or upper, upper)
        found = self._known[memo]
        assert isinstance(found, Ends)
        return found if lower is not None else found._replace(lower=0.0)

    def _ends(self, key: Key, metric: Metric, lower: float, upper: float) -> Ends:
        costs = self.cell(key).costs
        if metric == "rate":
            return rate_ends(costs, self.plan.limit, lower, upper)
        return mean_ends(costs, self.high, self.caps.get(key, 0.0), lower, upper)

    def every(self, eps: float, metric: Metric) -> EveryEnds | None:
        """The bound over every adversary at one radius; None where there is none."""
        delta = self.delta("stochastic", eps, EVERY, metric, "upper")
        if delta is None or eps not in self.spent:
            return None
        chosen = self.compositions.get((eps, metric))
        if chosen is None:
            return None
        memo = ("every", eps, metric, len(self.spent[eps]))
        if memo not in self._known:
            self._known[memo] = self._every(eps, chosen, delta)
        known = self._known[memo]
        assert isinstance(known, EveryEnds)
        return known

    def scale(self, metric: Metric) -> float:
        """What a share of one is: every episode, or the largest cost of one."""
        if metric == "rate":
            return 1.0
        assert self.high is not None
        return self.high

    def benign(self, eps: float, metric: Metric) -> tuple[Floats, Floats]:
        """Shares [n] and what was used up [n, columns], of the episodes enclosed at this radius."""
        spent = self.spent[eps]
        costs = self.cell(Key.of("stochastic", NULL, 0.0)).costs[: len(spent)]
        return self.shares_of(costs, metric), spent

    def shares_of(self, costs: Floats, metric: Metric) -> Floats:
        """Which episodes violate the limit, or the parts of the largest cost; [n] in [0, 1]."""
        is_rate = metric == "rate"
        return (costs > self.plan.limit).astype(float) if is_rate else costs / self.scale(metric)

    def _every(self, eps: float, chosen: Composition, delta: float) -> EveryEnds:
        shares, spent = self.benign(eps, chosen.metric)
        values, hits = chosen.values(shares, spent), chosen.overruns(spent)
        if chosen.metric == "rate":
            hits |= shares > 0
        if chosen.is_event:
            ucb = float(rate_sequence(hits, delta).upper[-1])
        else:
            ucb = float(mean_sequence(values, chosen.top, delta).upper[-1])
        value = self.scale(chosen.metric) * chosen.bound(ucb)
        return EveryEnds(value, ucb, len(values), int(hits.sum()))

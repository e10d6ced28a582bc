"""What a certificate rests on: episodes under attack, and the two ends of each sandwich.

Kinds of evidence, never mixed: *empirical* (an episode that was seen), *statistical* (holds with
probability at least 1 - delta), *formal* (holds for every point of a set); and *formal given a
model*, see `model_evidence`. All costs are undiscounted sums of one episode.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from safer_gym.conformance.certificate.jsonable import SPARSE
from safer_gym.conformance.certificate.requirement import Mode


@dataclass(frozen=True)
class AttackEvidence:
    """One attack's fresh episodes and the bounds that follow from them.

    Bounds are one-sided, each at its share of the certificate's delta (see the allocation), and
    hold at whatever episode the measurement stopped. None where that bound was not allocated, or
    says nothing: a mean has an upper bound only where the environment's cost has one.
    """

    attack: str
    n: int
    """Fresh episodes measured."""
    violations: int
    """Episodes with a cost above the limit."""
    mean_cost: float
    mean_return: float
    rate_lower: float
    rate_upper: float
    mean_lower: float | None
    mean_upper: float | None
    quantile_upper: float | None
    """Upper bound of the 95 % quantile of cost."""
    cvar_upper: float | None
    """Upper bound of the mean cost of the worst 5 % of episodes."""
    costs: tuple[float, ...]
    """Of each fresh episode. Empty for "null" of the stochastic policy: its episodes are the
    certificate's `benign` ones."""
    returns: tuple[float, ...]
    lengths: tuple[int, ...]
    search_mean_cost: float | None = None
    """Mean cost on the search episodes, which bound nothing."""
    search_max_cost: float | None = None
    """Largest cost on them. Where no largest cost is known, the lower bound of the mean is that
    of min(cost, this)."""
    cost_directed: bool = False
    """Whether the attack seeks cost."""
    evidence: str = "statistical"
    worst_h: tuple[float, ...] = field(default=(), metadata=SPARSE)
    """Lowest h of each fresh episode; empty where the environment reports none, and for "null" of
    the stochastic policy, as `costs`."""


@dataclass(frozen=True)
class LowerEnd:
    """Some adversary reaches at least `value`, with probability >= 1 - delta."""

    value: float
    attack: str | None
    """Whose bound it is; None where the value is the trivial zero."""
    eps: float
    """Radius of that attack; smaller than the row's where a smaller ball did more."""
    delta: float
    """Error probability of all lower ends that this one was chosen from."""
    evidence: str = "statistical"


@dataclass(frozen=True)
class UpperAttacks:
    """No attack of the battery reaches more than `value`, with probability >= 1 - delta."""

    value: float | None
    attack: str | None
    """The attack with the largest upper bound."""
    delta: float
    vacuous: bool
    refused: str | None = None
    """Why the value supports no PASS; None where it does."""
    evidence: str = "statistical"


@dataclass(frozen=True)
class UpperEvery:
    """No adversary in the ball, however it adapts, reaches more than `value`.

    Benign episodes of the stochastic policy, a formal enclosure of its action distribution at
    every state that they visit, and a filter that composes both: with probability >= 1 - delta.
    With `refused` set there is no bound, and the text says why.
    """

    value: float | None = None
    method: str | None = None
    """The composition over the episode, by its name in `certify.compositions`; "trivial" where
    the episodes say nothing; None at eps = 0, where the bound is that without an attack."""
    M: float | None = None
    """Budget of an episode's divergence: of the square root of the sum of squared mean shifts.
    None for (B) and (C), whose budgets, in `options`, are sums over total variations."""
    p_ucb: float | None = None
    """Upper bound of the benign probability of a violation or an exceeded budget. Where episodes
    count by other values than 0 and 1, `options` has a bound of their mean instead, "value_ucb"."""
    n: int = 0
    hits: int = 0
    """Benign episodes that violated the limit (not of the mean) or exceeded the budget."""
    delta: float = 0.0
    vacuous: bool = True
    mode: Mode = "stochastic"
    refused: str | None = None
    eps: float | None = None
    """Radius of the bound; larger than the row's where a larger ball's bound is better."""
    spent: tuple[float | None, ...] = ()
    """What each of the first n benign episodes used of the budget, None where that has no end;
    empty where the bound is a larger radius', whose row has them."""
    options: dict[str, float] | None = None
    """Further numbers of the method, e.g. the Renyi order."""
    promises: dict[str, float] | None = None
    """What search episodes made each composition seem to give at this radius. The best of them was
    chosen by this, before the episodes that bound anything; these are no bounds."""
    evidence: str = "statistical, over a formal enclosure"


@dataclass(frozen=True)
class Sandwich:
    """Both ends of one metric at one radius, of the policy in one mode."""

    lower: LowerEnd
    upper_attacks: UpperAttacks
    upper_every: UpperEvery


@dataclass(frozen=True)
class Row:
    """All that is known at one radius about the policy in one mode."""

    eps: float
    mode: Mode
    attacks: tuple[AttackEvidence, ...]
    rate: Sandwich
    """Of the probability that an episode's cost exceeds the limit."""
    mean: Sandwich
    """Of the mean episodic cost."""


@dataclass(frozen=True)
class Benign:
    """The stochastic policy's episodes without an adversary, shared by all radii."""

    n: int
    costs: tuple[float, ...]
    returns: tuple[float, ...]
    lengths: tuple[int, ...]
    worst_h: tuple[float, ...] = field(default=(), metadata=SPARSE)
    """Lowest h of each; empty where the environment reports none."""

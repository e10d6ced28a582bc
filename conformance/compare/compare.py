"""Is B worse than A? Paired episodes, without an attack and under each policy's worst one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from safer_gym.attacks import make_attack
from safer_gym.choices import choose
from safer_gym.conformance.evaluate import evaluate
from safer_gym.conformance.evaluate.evaluation import (
    NATURAL,
    admitted,
    fitter_for,
    named_attacks,
)
from safer_gym.conformance.evaluate.outcomes import Outcomes
from safer_gym.conformance.statistics import (
    ENOUGH_PAIRS,
    Difference,
    Verdict,
    decide,
    paired_means,
    paired_rates,
)
from safer_gym.domains import (
    AT_LEAST_ONE,
    AT_LEAST_TWO,
    NOT_NEGATIVE,
    NUMBER,
    PROBABILITY,
    SEED,
    require,
)
from safer_gym.progress import told
from safer_gym.wrappers.tasks import env_maker

METRICS = {"cost": "mean cost", "rate": "rate of episodes above the limit", "reward": "mean reward"}
"""What "worse" may mean."""
SEARCH_SEED = 10_000_000
"""Added to the seed where attacks are chosen, on other episodes than those that count."""
WORST_CASE = "worst case"


class Condition(NamedTuple):
    """Both sides without an attack, or each policy under its own worst attack."""

    name: str
    attacks_a: tuple[str, ...]
    """Of each policy of A."""
    attacks_b: tuple[str, ...]
    cost: Difference
    reward: Difference
    rate: Difference
    """Of episodes with a cost above the limit."""
    verdict: Verdict
    """On "B is not worse than A by more than the margin"."""


class Comparison(NamedTuple):
    """What `compare` found."""

    metric: str
    margin: float
    limit: float
    confidence: float
    """Of each interval by itself."""
    episodes: int
    conditions: tuple[Condition, ...]
    verdict: Verdict
    """FAIL if one condition fails, PASS if all pass."""
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Plan:
    """How policies are evaluated."""

    make_env: Any
    attacks: tuple[str, ...]
    search_episodes: int
    n_episodes: int
    seed: int
    options: dict[str, Any]
    progress: Callable[[str, float], None]

    def natural(self, policy: Any) -> Outcomes:
        return self._run(policy, {NATURAL: make_attack("null")}, self.n_episodes, self.seed)[0]

    def worst(self, policy: Any, natural: Outcomes) -> Outcomes:
        """Fresh episodes under the attack that cost most on others; no attack is one of them."""
        view = admitted(policy, self.make_env, None, self.seed)
        named = named_attacks([NATURAL, *self.attacks])
        channel = self.options.get("channel", "observation")
        said = lambda words: self.progress(words, 0.0)  # noqa: E731
        fitter = fitter_for(named, view, self.make_env, channel, self.seed, said)
        attacks = fitter.led(named)
        searched = self._run(policy, attacks, self.search_episodes, self.seed + SEARCH_SEED)
        name = max(searched, key=lambda o: o.mean_cost).attack
        if name == NATURAL:
            return natural
        return self._run(policy, {name: attacks[name]}, self.n_episodes, self.seed)[0]

    def _run(self, policy: Any, attacks: dict[str, Any], n: int, seed: int) -> list[Outcomes]:
        return evaluate(
            policy,
            self.make_env,
            attacks,
            n_episodes=n,
            seed=seed,
            progress=self.progress,
            **self.options,
        )


def compare(
    a: Sequence[Any],
    b: Sequence[Any],
    make_env: Any,
    attacks: Sequence[str] = ("mc", "mr"),
    *,
    eps: Any,
    limit: float,
    margin: float = 0.0,
    metric: str = "cost",
    n_episodes: int = 50,
    search_episodes: int = 10,
    confidence: float = 0.95,
    seed: int = 0,
    progress: Callable[[str, float], None] | bool | None = None,
    **options: Any,
) -> Comparison:
    """Hold policy B against policy A on the same episodes.

    Each side may be several policies, one for each training seed. Episode i of every policy begins
    from the same seed. In the worst case each policy meets its own worst attack, chosen on other
    episodes.

    Args:
        a: policies, each whatever `evaluate` takes.
        b: policies.
        make_env: as `evaluate` takes it.
        attacks: names; the worst case is the costliest of them, or of no attack.
        eps: radius of the attacks.
        limit: cost above which an episode counts in the rate.
        margin: by how much B may be worse, in units of the metric; a rate of 0.1 is 10 %.
        metric: "cost", "rate" or "reward".
        n_episodes: paired episodes of each condition, at least two.
        search_episodes: other episodes, on which the attack is chosen.
        confidence: of each interval.
        seed: of episode 0.
        progress: True shows a bar; a function is called with words and the share of the work done.
        **options: of `evaluate`, such as norm, channel or units.

    Raises:
        ValueError: no policies, an argument out of range, or what `evaluate` refuses.
    """
    require(NOT_NEGATIVE, margin=margin)
    require(NUMBER, limit=limit)
    require(PROBABILITY, confidence=confidence)
    require(AT_LEAST_TWO, n_episodes=n_episodes)
    require(AT_LEAST_ONE, search_episodes=search_episodes)
    require(SEED, seed=seed)
    choose("metric", metric, METRICS)
    if not a or not b:
        raise ValueError("a and b must each name at least one policy")
    with told(progress) as telling:
        shares = _Shares(telling, 2 * (len(a) + len(b)))
        plan = _Plan(
            env_maker(make_env),
            tuple(attacks),
            search_episodes,
            n_episodes,
            seed,
            {"eps": eps, **options},
            shares.told,
        )
        natural = [[shares.counted(plan.natural(policy)) for policy in side] for side in (a, b)]
        worst = [
            [shares.counted(plan.worst(p, n)) for p, n in zip(side, calm, strict=True)]
            for side, calm in zip((a, b), natural, strict=True)
        ]
    ask = _Question(metric, float(margin), float(limit), 1.0 - confidence, int(seed))
    conditions = (ask.condition(NATURAL, *natural), ask.condition(WORST_CASE, *worst))
    verdicts = [condition.verdict for condition in conditions]
    return Comparison(
        metric,
        float(margin),
        float(limit),
        confidence,
        n_episodes,
        conditions,
        next((v for v in (Verdict.FAIL, Verdict.INCONCLUSIVE) if v in verdicts), Verdict.PASS),
        tuple(_notes(conditions, metric, several=len(a) + len(b) > 2)),
    )


class _Shares:
    """Progress over all evaluations."""

    def __init__(self, progress: Callable[[str, float], None] | None, total: int) -> None:
        self._progress, self._total, self._done = progress, total, 0

    def told(self, words: str, share: float) -> None:
        if self._progress is not None:
            self._progress(words, (self._done + 0.99 * share) / self._total)

    def counted(self, outcomes: Outcomes) -> Outcomes:
        self._done += 1
        if self._progress is not None:
            self._progress(outcomes.attack, self._done / self._total)
        return outcomes


class _Question(NamedTuple):
    metric: str
    margin: float
    limit: float
    delta: float
    seed: int

    def condition(self, name: str, a: list[Outcomes], b: list[Outcomes]) -> Condition:
        chance = np.random.default_rng(self.seed)
        costs_a, costs_b = _stacked(a, "costs"), _stacked(b, "costs")
        cost = paired_means(costs_a, costs_b, self.delta, chance)
        reward = paired_means(_stacked(a, "returns"), _stacked(b, "returns"), self.delta, chance)
        over_a, over_b = costs_a > self.limit, costs_b > self.limit
        if len(a) == len(b) == 1:
            rate = paired_rates(over_a[0], over_b[0], self.delta)
        else:  # the exact test is about two policies, not about two ways to train them
            rate = paired_means(over_a, over_b, self.delta, chance)
        asked = {"cost": cost, "rate": rate, "reward": reward}[self.metric]
        ends = (asked.lower, asked.upper)
        lower, upper = (-ends[1], -ends[0]) if self.metric == "reward" else ends
        verdict = decide(lower, upper, self.margin) if asked.enough else Verdict.INCONCLUSIVE
        attacks = [tuple(o.attack for o in side) for side in (a, b)]
        return Condition(name, attacks[0], attacks[1], cost, reward, rate, verdict)


def _stacked(side: list[Outcomes], key: str) -> NDArray:
    return np.stack([getattr(outcomes, key) for outcomes in side])


def _notes(conditions: Sequence[Condition], metric: str, *, several: bool) -> Iterator[str]:
    for condition in conditions:
        found: Difference = getattr(condition, metric)
        if not found.enough:
            exact = "" if several else ", or ask for the rate, whose interval is exact"
            yield (
                f"{condition.name}: A and B differ in {found.differing} episodes; an interval of "
                f"the {METRICS[metric]} decides where at least {ENOUGH_PAIRS} differ: run more "
                f"episodes{exact}"
            )
    if several:
        yield "several policies a side: intervals are about training seeds and episodes"

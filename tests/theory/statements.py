"""A statement of the theory, and how it is tried on random problems against exact truth.

A statement that is proved must have no violation and must be *needed*: the largest ratio of what
happened to what was allowed says by how much a bound could shrink before anything noticed. Below
its floor, a test of it has no power, and that fails as well.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import NamedTuple

import numpy as np

from safer_gym.tabular.random_cmdps import Case, picked, random_cases
from theory.comparison import Comparison
from theory.episodic import EpisodeFacts, episode_facts
from theory.examples import attaining_case, improvement_case
from theory.facts import Facts, facts_of

EPISODES = ((1, 0.0), (3, 0.0), (6, 2.0))
"""Horizons and limits of the episodic statements; each takes its share of the problems."""
DELTAS = (1e-4, 1e-2, 0.3)
"""Of the attaining examples, with the discount factors 0.5 and 0.99."""


class Material(NamedTuple):
    """Problems solved exactly, shared by all statements."""

    facts: list[Facts]
    episodes: list[EpisodeFacts]
    seed: int

    @property
    def problems(self) -> int:
        """Random problems and examples together."""
        return sum(len(f.gamma) for f in self.facts)


class Statement(NamedTuple):
    """A claim, how to try it, and how nearly it must be attained for the trial to mean much."""

    name: str
    claim: str
    run: Callable[[Material], Comparison]
    floor: float
    label: str = "proved"
    """ "proved", or "printed": kept as in print, known to have no power."""


class Row(NamedTuple):
    """What a statement's trial gave."""

    name: str
    claim: str
    label: str
    instances: int
    violations: int
    median: float
    """Of the ratios of what happened to what was allowed."""
    largest: float
    floor: float

    @property
    def holds(self) -> bool:
        """No violation, and the trial had power (a printed statement need not)."""
        powerful = self.label == "printed" or self.largest >= self.floor
        return self.violations == 0 and powerful


def material(n: int, seed: int = 0) -> Material:
    """`n` random problems and the attaining examples, solved; about 3,000 a second."""
    pairs = list(product(DELTAS, (0.5, 0.99)))
    cases = [*random_cases(n, seed), *(attaining_case(*pair) for pair in pairs)]
    discounted_only = [improvement_case(*pair) for pair in pairs]
    episodes = [
        episode_facts(_share(case, part), horizon, limit)
        for case in cases
        for part, (horizon, limit) in enumerate(EPISODES)
        if len(case.policy) > part or len(case.policy) == 1
    ]
    return Material([facts_of(case) for case in cases + discounted_only], episodes, seed)


def try_statement(statement: Statement, material: Material) -> Row:
    """Try one statement on all problems."""
    found = statement.run(material)
    ratios = found.ratios
    return Row(
        statement.name,
        statement.claim,
        statement.label,
        int(np.size(found.truth)),
        int(found.violated.sum()),
        float(np.median(ratios)),
        float(ratios.max()),
        statement.floor,
    )


def _share(case: Case, part: int) -> Case:
    """Every third problem of a batch; all of a batch of one."""
    if len(case.policy) == 1:
        return case
    return picked(case, slice(part, None, len(EPISODES)))

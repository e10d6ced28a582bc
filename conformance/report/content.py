"""What a report is about."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from safer_gym.conformance.evaluate.outcomes import Outcomes
from safer_gym.wrappers.tasks import TaskGeometry


class CurveRow(Protocol):
    """A row of a learning curve."""

    @property
    def timesteps(self) -> int:
        """Environment steps so far."""

    @property
    def ep_rew_mean(self) -> float:
        """Mean reward of the latest episodes."""

    @property
    def ep_cost_mean(self) -> float:
        """Mean cost of the latest episodes."""


class Subject(NamedTuple):
    """One policy: its name, how it was made, its outcomes, its learning curve."""

    name: str
    record: dict[str, Any]
    outcomes: Sequence[Outcomes]
    curve: Sequence[CurveRow] = ()

    def natural(self) -> Outcomes | None:
        """The outcome without an attack, where it was measured."""
        return next((o for o in self.outcomes if o.eps == 0.0), None)

    def under(self, attack: str) -> list[Outcomes]:
        """The outcomes under one attack by growing radius, the natural one first."""
        natural = self.natural()
        found = sorted((o for o in self.outcomes if o.attack == attack), key=lambda o: o.eps)
        return ([natural] if natural and attack != natural.attack else []) + found

    def hardest(self, attack: str) -> Outcomes | None:
        """The outcome under one attack at its largest radius, where it was measured."""
        return max(
            (o for o in self.outcomes if o.attack == attack), key=lambda o: o.eps, default=None
        )


class Content(NamedTuple):
    """All that the page shows."""

    title: str
    task: str
    cost_limit: float
    geometry: TaskGeometry | None
    subjects: Sequence[Subject]
    provenance: dict[str, Any]
    note: str = ""
    """A line for the reader, such as what is still running."""

    def attacks(self) -> list[str]:
        """Names of the attacks, without the natural one, in the order measured."""
        names = [o.attack for s in self.subjects for o in s.outcomes if o.eps > 0.0]
        return list(dict.fromkeys(names))

"""The fourth kind of evidence, *formal given a model*: what a shield proves, and what it assumes.

It is never mixed with the others: a requirement asks for it by name ("for every adversary given
the model"), and bounds without a model neither use it nor are used by it.
"""

from __future__ import annotations

from dataclasses import dataclass

KIND = "formal given a model"


@dataclass(frozen=True)
class ModelTest:
    """Fresh episodes of the policy behind its shield, under one attack."""

    attack: str
    eps: float
    n: int
    """Episodes."""
    steps: int
    """Steps of them whose next state was seen."""
    left: int
    """Episodes in which a step from a safe state left the bounds of the model."""
    outside: int
    """Episodes that began outside the shield's safe set."""
    unexplained: int
    """Episodes with a cost after which h >= 0: h does not say what costs."""
    costly: int
    """Episodes with any cost."""
    alarms: int
    """Episodes with an alarm: no state fits the model and what was shown."""
    moved: int
    """Steps in which the shield changed the policy's action."""
    infeasible: int
    """Steps in which the shield found no action that keeps all possible states safe."""
    upper: float
    """Above the probability that an episode under this attack leaves the model's bounds, all tests
    together at the evidence's delta (Clopper-Pearson at an even share)."""


@dataclass(frozen=True)
class ModelEvidence:
    """No adversary causes any cost, given that the model's bounds hold."""

    shield: str
    """All numbers of the shield, as JSON text."""
    proved: bool
    """Whether it can always go on, for every box of possible states."""
    why_unproved: str
    """Why not; "" where it is proved."""
    cells: int
    """Cells of the proof."""
    tests: tuple[ModelTest, ...]
    delta: float
    """Error probability of all tests, apart from that of the other bounds of the certificate."""
    evidence: str = KIND

"""Fresh episodes: none that chose anything may enter a bound.

The search chooses attacks, the pilot chooses budgets and compositions, learning chooses critics and
adversaries. Each phase has SPAN seeds of its own after the certificate's start, for environments
and for noise alike, and learning those that follow. The starts of different certificates lie
apart, so that a policy chosen by one certificate is measured afresh by another.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from safer_gym.conformance.certificate.record import Certificate
from safer_gym.conformance.certificate.seal import UNSEALED
from safer_gym.domains import COUNT, require

Phase = Literal["search", "measure", "benign", "model"]

SPAN = 1_000_000
"""Most episodes of a phase."""

OFFSETS: dict[Phase, int] = {
    "search": 0,
    "measure": SPAN,
    "benign": 2 * SPAN,
    "model": 3 * SPAN + SPAN // 2,
}
"""Where each phase begins. Learning begins at 3 SPAN, see `battery.learning.LEARNING_SEED`, and has
half a SPAN; tests of a shield's model have few episodes."""

LARGEST = 2**31 - 1
"""Of a seed: what simulators with signed integers of 32 bits take."""


def start_of(seed: int) -> int:
    """Where the seeds of a certificate begin; 0 for the seed 0.

    Raises:
        ValueError: a seed that is not an integer >= 0.
    """
    require(COUNT, seed=seed)
    if seed == 0:
        return 0
    word = int(np.random.SeedSequence(int(seed)).generate_state(1, np.uint64)[0])
    return word % (LARGEST - 4 * SPAN)


def start_in(certificate: Certificate) -> int:
    """Where a certificate's seeds begin: once at its seed itself, as its episodes of note show."""
    once, now = certificate.seed, start_of(certificate.seed)
    for note in certificate.episodes_of_note:
        return once if note.seed == seed_of(once, "measure", note.index) else now
    return once if certificate.schema == UNSEALED else now


def seed_of(start: int, phase: Phase, episode: int) -> int:
    """The environment's seed of an episode.

    Raises:
        ValueError: an episode that lies in another phase.
    """
    if not 0 <= episode < SPAN:
        raise ValueError(f"episode must be in [0, {SPAN}), got {episode!r}")
    return start + OFFSETS[phase] + episode


def noise_seed(start: int, phase: Phase) -> int:
    """The seed of a phase's noise: of attacks, and of the policy's own draws."""
    return start + OFFSETS[phase]

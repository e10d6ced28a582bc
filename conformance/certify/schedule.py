"""Which episodes to run next. Rounds depend on results alone, never on time or workers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from safer_gym.conformance.battery.members import NULL
from safer_gym.conformance.certificate.requirement import Mode
from safer_gym.conformance.certify.ledger import Key, Ledger
from safer_gym.conformance.certify.stopping import (
    hopeless,
    is_cell_decided,
    is_every_decided,
    refuted,
)
from safer_gym.conformance.certify.world import Job
from safer_gym.conformance.evaluate.attacked_policy import ROWS

BENIGN = Key.of("stochastic", NULL, 0.0)


class Caps(NamedTuple):
    """Most fresh episodes."""

    attack: int
    """Of each attack at each radius."""
    benign: int
    """Of the stochastic policy, for the bound over every adversary."""
    benign_blocks: int = 4
    """Blocks of benign episodes in a round."""


def next_jobs(
    ledger: Ledger, ranking: Mapping[tuple[Mode, float], Sequence[str]], caps: Caps
) -> list[Job]:
    """The next jobs, the most telling first; empty when all is settled or spent.

    In the first round each row runs its most promising attack alone: where that one refutes the
    row, the others need no episodes. Nor do they where the bound over every adversary settles it;
    so they wait as long as it may.

    Args:
        ledger: what is known.
        ranking: by mode and radius: attacks, the most promising first.
        caps: where to stop.
    """
    radii = _open_radii(ledger, caps)
    jobs = _benign_jobs(ledger, radii, caps)
    for mode, eps in ((m, e) for m in ledger.plan.modes for e in ledger.plan.eps):
        waits = mode == "stochastic" and eps in radii
        jobs += _row_jobs(ledger, mode, eps, ranking[mode, eps], caps, waits=waits)
    return list(dict.fromkeys(jobs))


def _row_jobs(
    ledger: Ledger, mode: Mode, eps: float, ranking: Sequence[str], caps: Caps, *, waits: bool
) -> list[Job]:
    targets = ledger.plan.targets(eps, mode)
    first = ranking[0]
    is_new = ledger.cell(Key.of(mode, first, eps)).n == 0
    is_refuted = all(refuted(ledger, mode, eps, target) for target in targets)
    only_first = waits or is_new or is_refuted
    jobs = []
    for attack in ranking:
        key = Key.of(mode, attack, eps)
        n = ledger.cell(key).n
        if mode == "stochastic" and attack == NULL:
            continue  # the benign episodes are its own
        if attack == first and n == 0:
            jobs.append(_job(key, 0, caps))
        elif only_first or n >= caps.attack or is_cell_decided(ledger, mode, attack, eps):
            continue
        else:
            jobs.append(_job(key, n, caps))
    return jobs


def _job(key: Key, first: int, caps: Caps) -> Job:
    return Job("measure", key.mode, key.attack, key.eps, first, min(ROWS, caps.attack - first))


def _open_radii(ledger: Ledger, caps: Caps) -> tuple[float, ...]:
    """Radii whose bound over every adversary may still settle something."""
    if "stochastic" not in ledger.plan.modes:
        return ()
    n = ledger.cell(BENIGN).n
    return tuple(
        eps
        for eps in ledger.plan.eps
        if eps > 0 and _enclosed(ledger, eps) == n < caps.benign and _is_worth(ledger, eps, n, caps)
    )


def _benign_jobs(ledger: Ledger, radii: tuple[float, ...], caps: Caps) -> list[Job]:
    if "stochastic" not in ledger.plan.modes:
        return []
    n = ledger.cell(BENIGN).n
    is_null_decided = is_cell_decided(ledger, "stochastic", NULL, 0.0)
    if n >= caps.benign or (n > 0 and not radii and (is_null_decided or n >= caps.attack)):
        return []
    blocks = caps.benign_blocks if n else 1
    most = caps.benign if n >= caps.attack else min(caps.attack, caps.benign)
    end = min(n + blocks * ROWS, most)
    return [
        Job("benign", "stochastic", NULL, 0.0, first, min(ROWS, end - first), radii)
        for first in range(n, end, ROWS)
    ]


def _is_worth(ledger: Ledger, eps: float, n: int, caps: Caps) -> bool:
    """A bound gets the episodes of an attack; more only where they may decide something."""
    if is_every_decided(ledger, eps):
        return False
    return n < caps.attack or not hopeless(ledger, eps, caps.benign)


def _enclosed(ledger: Ledger, eps: float) -> int:
    return len(ledger.spent.get(eps, ()))

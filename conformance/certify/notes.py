"""Episodes worth looking at: the costliest under attack, and how to run them again."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from safer_gym.conformance.battery.members import NULL
from safer_gym.conformance.certificate.record import EpisodeOfNote
from safer_gym.conformance.certificate.requirement import Mode
from safer_gym.conformance.certify.ledger import Key, Ledger
from safer_gym.conformance.certify.seeds import seed_of
from safer_gym.conformance.certify.world import Job, World, run_job

MOST = 4


def worst_jobs(ledger: Ledger) -> list[Job]:
    """The costliest measured episode of each row, the worst of each mode, at most MOST in all."""
    found = []
    for mode in ledger.plan.modes:
        worst = [_worst(ledger, mode, eps) for eps in ledger.plan.eps]
        ranked = sorted(filter(None, worst), key=lambda item: (-item[0], item[1].eps))
        found += [
            Job("measure", key.mode, key.attack, key.eps, index, 1, trace=True)
            for cost, key, index in ranked[: MOST // len(ledger.plan.modes)]
            if cost > 0
        ]
    return found


def _worst(ledger: Ledger, mode: Mode, eps: float) -> tuple[float, Key, int] | None:
    """Cost, cell and number of a row's costliest episode; of equals the first in the battery."""
    keys = [Key.of(mode, attack, eps) for attack in ledger.attacks_at(eps) if attack != NULL]
    found = [(key, ledger.cell(key).costs) for key in keys if ledger.cell(key).n > 0]
    if not found:
        return None
    key, costs = max(found, key=lambda item: float(item[1].max()))
    return float(costs.max()), key, int(np.argmax(costs))


def replayed(world: World, jobs: Sequence[Job], path: str) -> tuple[EpisodeOfNote, ...]:
    """Run these episodes once more, with their traces, and the same starts without an attack."""
    notes = []
    for number, job in enumerate(jobs):
        result, calm = run_job(world, job), run_job(world, job._replace(attack=NULL))
        before = calm.traces[0].to_json()
        trace = {
            **result.traces[0].to_json(),
            "calm_positions": before["positions"],
            "calm_costs": before["costs"],
        }
        notes.append(
            EpisodeOfNote(
                eps=job.eps,
                mode=job.mode,
                attack=job.attack,
                index=job.first,
                seed=seed_of(world.start, job.phase, job.first),
                cost=float(result.costs[0]),
                reward=float(result.returns[0]),
                replay=f"safer-gym replay {path} --episode {number}",
                trace=trace,
            )
        )
    return tuple(notes)


def is_same(ledger: Ledger, note: EpisodeOfNote) -> bool:
    """Whether the second run cost and earned what the first did."""
    cell = ledger.cell(Key.of(note.mode, note.attack, note.eps))
    return bool(cell.costs[note.index] == note.cost and cell.returns[note.index] == note.reward)

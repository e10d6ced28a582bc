"""Parts of an evaluation: some episodes under one attack. Each depends on itself alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from safer_gym.balls import LpBall
from safer_gym.conformance.evaluate.attacked_policy import ROWS, AttackedPolicy
from safer_gym.conformance.evaluate.env_pool import EnvPool
from safer_gym.conformance.evaluate.episodes import run_episodes
from safer_gym.conformance.evaluate.outcomes import Trace
from safer_gym.conformance.evaluate.seat import Seat
from safer_gym.conformance.workers.pool import Pool, Workers
from safer_gym.types import Attack
from safer_gym.wrappers.gate.attack import gated
from safer_gym.wrappers.gate.visited import check_repeats, check_unchanged, check_visited
from safer_gym.wrappers.policies.view import PolicyView


class Setting(NamedTuple):
    """What all episodes under one attack share."""

    view: PolicyView
    label: str
    attack: Attack
    ball: LpBall
    seat: Seat
    env_pool: EnvPool
    seed: int
    device: str
    n_envs: int
    max_steps: int | None
    traces: int
    """How many of the first episodes are recorded."""
    progress: Callable[[float], None] | None = None
    """Told the share done of a part; only in this process."""


class Part(NamedTuple):
    """Episodes first ... first + episodes - 1."""

    first: int
    episodes: int


class Played(NamedTuple):
    """What is kept of one episode."""

    reward: float
    cost: float
    length: int
    worst_h: float
    digest: int
    trace: Trace | None


def play(
    setting: Setting,
    n_episodes: int,
    workers: Workers,
    progress: Callable[[float], None] | None,
) -> list[Played]:
    """All episodes under one attack, in order; the workers change the speed and nothing else."""
    if workers.here:
        parts, setting = [Part(0, n_episodes)], setting._replace(progress=progress)
    else:
        parts = parts_of(n_episodes, workers.size)
    played: list[Played] = []
    with Pool(run_part, setting, workers) as pool:
        for part in pool.run(parts):
            played += part
            if progress is not None:
                progress(len(played) / n_episodes)
    return played


def parts_of(n_episodes: int, workers: int) -> list[Part]:
    """As equal as may be, one for each worker or more, none larger than a block.

    >>> parts_of(30, 2)
    [Part(first=0, episodes=15), Part(first=15, episodes=15)]
    """
    size = min(ROWS, -(-n_episodes // workers))
    return [Part(n, min(size, n_episodes - n)) for n in range(0, n_episodes, size)]


def run_part(setting: Setting, part: Part) -> list[Played]:
    """Run a part's episodes; episode i has seed `setting.seed` + i.

    Raises:
        ValueError: the environment or the policy breaks its contract.
        AdversaryError: the attack does.
    """
    view, first = setting.view, setting.seed + part.first
    actor = AttackedPolicy(
        view.victim() if view.draw else view.victim().deterministic,
        gated(setting.attack, setting.label),
        setting.ball,
        seed=setting.seed,
        device=setting.device,
        draw=view.draw,
        seat=setting.seat,
    )
    episodes = run_episodes(
        actor,
        setting.env_pool,
        seeds=range(first, first + part.episodes),
        first=part.first,
        n_envs=setting.n_envs,
        max_steps=setting.max_steps,
        traces=max(0, setting.traces - part.first),
        progress=setting.progress,
    )
    _check(actor, view)
    return [Played(e.reward, e.cost, e.length, e.worst_h, e.digest, e.trace) for e in episodes]


def _check(actor: AttackedPolicy, view: PolicyView) -> None:
    """Neither the attack nor the episodes changed the policy."""
    check_unchanged(actor.victim, actor.before)
    check_repeats(view.victim(), actor.kept)
    if actor.kept:
        observed = view.victim().memory.observed
        check_visited(view, [observed(seen).cpu().numpy() for seen, _ in actor.kept])

"""Jobs: some episodes of one policy under one attack. A job's result depends on itself alone.

Every phase has seeds of its own: attacks are chosen on *search* episodes and measured on fresh
ones, and the *benign* episodes of the bound over every adversary are fresh too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from safer_gym.balls import LpBall
from safer_gym.conformance.battery.members import Member
from safer_gym.conformance.certificate.requirement import Mode
from safer_gym.conformance.certify.divergence import Drawing, spent_budgets
from safer_gym.conformance.certify.seeds import Phase, noise_seed, seed_of
from safer_gym.conformance.evaluate.attacked_policy import ROWS, AttackedPolicy
from safer_gym.conformance.evaluate.env_pool import EnvPool
from safer_gym.conformance.evaluate.episodes import Episode, run_episodes, worst_of
from safer_gym.conformance.evaluate.limits import Limits
from safer_gym.conformance.evaluate.outcomes import Floats, Trace
from safer_gym.conformance.evaluate.seat import OBSERVATION, Seat
from safer_gym.types import Victim
from safer_gym.wrappers.gate.attack import gated
from safer_gym.wrappers.gate.visited import check_repeats, check_unchanged


class World(NamedTuple):
    """What all jobs share."""

    victim: Victim
    stochastic: Drawing | None
    """The policy's other mode; None where it has none."""
    env_pool: EnvPool
    members: Mapping[str, Member]
    ball: LpBall
    """At eps = 1."""
    start: int
    """Where the certificate's seeds begin, see `seeds`."""
    n_envs: int
    device: str
    limits: Limits = Limits()
    """Of every episode."""
    seat: Seat = OBSERVATION
    """Where the adversary sits; the ball is of its rows."""


class Job(NamedTuple):
    """Episodes first ... first + episodes - 1 of a phase."""

    phase: Phase
    mode: Mode
    attack: str
    eps: float
    first: int
    episodes: int = ROWS
    radii: tuple[float, ...] = ()
    """Radii at which to enclose the policy's actions along the way; only without an attack."""
    trace: bool = False


class Result(NamedTuple):
    """What a job's n episodes gave."""

    costs: Floats
    returns: Floats
    lengths: NDArray[np.int64]
    spent: Floats
    """What an adversary could use up along each episode, see `spent_budgets` [n, radii, columns];
    [n, 0, 0] where nothing was enclosed."""
    traces: tuple[Trace, ...]
    streams: NDArray[np.uint64] = np.zeros(0, np.uint64)
    """A digest of each episode's observations, rewards and costs [n]."""
    worst_h: Floats = np.zeros(0)
    """Lowest h of each episode [n]; [0] where the environment reports none."""


def run_job(world: World, job: Job) -> Result:
    """Run a job's episodes.

    Raises:
        ValueError: the environment gave no cost, something that is not finite, or an episode
            beyond the limits.
        AdversaryError: the attack broke its contract.
    """
    episodes = _episodes(world, job)
    traces = tuple(e.trace for e in episodes if isinstance(e.trace, Trace))
    return Result(
        costs=np.array([e.cost for e in episodes]),
        returns=np.array([e.reward for e in episodes]),
        lengths=np.array([e.length for e in episodes], dtype=np.int64),
        spent=_spent(world, job, traces),
        traces=traces if job.trace else (),
        streams=np.array([e.digest for e in episodes], np.uint64),
        worst_h=worst_of(episodes),
    )


def _episodes(world: World, job: Job) -> list[Episode]:
    member = world.members[job.attack]
    stochastic = world.stochastic if job.mode == "stochastic" else None
    if job.mode == "stochastic" and stochastic is None:
        raise ValueError("this policy has no stochastic mode")
    actor = AttackedPolicy(
        world.victim if stochastic else world.victim.deterministic,
        gated(member.attack, job.attack),
        world.ball.scaled(job.eps),
        seed=noise_seed(world.start, job.phase),
        device=world.device,
        draw=stochastic.draw if stochastic else None,
        fixed=not member.own_noise,
        seat=world.seat,
    )
    numbers = range(job.first, job.first + job.episodes)
    episodes = run_episodes(
        actor,
        world.env_pool,
        seeds=[seed_of(world.start, job.phase, number) for number in numbers],
        first=job.first,
        n_envs=world.n_envs,
        traces=job.episodes if job.trace or job.radii else 0,
        limits=world.limits,
    )
    check_unchanged(actor.victim, actor.before)
    check_repeats(world.victim, actor.kept)
    return episodes


def _spent(world: World, job: Job, traces: tuple[Trace, ...]) -> Floats:
    if not job.radii or world.stochastic is None:
        return np.zeros((job.episodes, 0, 0))
    balls = [world.ball.scaled(eps) for eps in job.radii]
    clean = [trace.clean for trace in traces]
    return spent_budgets(world.stochastic, clean, balls, world.limits.horizon)

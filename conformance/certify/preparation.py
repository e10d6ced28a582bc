"""What certifying and replaying set up alike: what a battery learns, and what all jobs share."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from safer_gym.attacks import has_gradient
from safer_gym.conformance.battery import Battery, make_battery
from safer_gym.conformance.battery.learning import Lessons, TrainingContext
from safer_gym.conformance.battery.members import Member
from safer_gym.conformance.certify.subject import Subject
from safer_gym.conformance.certify.train_battery import learn
from safer_gym.conformance.certify.world import World
from safer_gym.conformance.evaluate.attacked_policy import ROWS
from safer_gym.conformance.evaluate.env_pool import EnvPool
from safer_gym.conformance.evaluate.learned_attacks import own_adversaries
from safer_gym.conformance.evaluate.store import store_for
from safer_gym.conformance.workers.pool import Workers
from safer_gym.types import Attack


def prepared(
    subject: Subject,
    battery: str | Mapping[str, Attack],
    eps: Sequence[float],
    *,
    start: int,
    norm: str,
    scale: tuple[float, ...] | None,
    cache: Path | None,
    seconds: float = math.inf,
    workers: int | Workers = 1,
) -> tuple[Lessons, Battery]:
    """Learn what the battery wants, and put it together.

    Args:
        subject: what is certified.
        battery: its name, or attacks by label.
        eps: every radius.
        start: where the seeds of the certificate begin.
        norm, scale: of the ball.
        cache: folder of what was learned; None keeps nothing.
        seconds: budget of the whole certificate, of which learning takes a share.
        workers: processes, or other workers.
    """
    climbs, channel = has_gradient(subject.target, subject.probe), subject.seat.channel
    key = {
        "policy": subject.policy.digest,
        "environment": subject.environment.digest,
        "eps": tuple(eps),
        "norm": norm,
        "scale": scale,
        "seed": start,
        **({} if channel == "observation" else {"channel": channel}),
    }
    radii = [radius for radius in eps if radius > 0] or [0.0]
    context = TrainingContext(
        subject.victim,
        subject.make_env,
        subject.ball.scaled(radii[-1]),
        subject.ball.scaled(radii[len(radii) // 2]),
        norm,
        start,
        store_for(cache, key, subject.make_env, disturbed=channel == "disturbance"),
        climbs,
        subject.stochastic.draw if subject.stochastic and subject.why_stochastic else None,
        subject.seat,
        own_adversaries(subject.view, subject.make_env, channel),
    )
    lessons = learn(battery, context, budget=seconds, workers=workers)
    members = make_battery(battery, subject.target, lessons, has_gradient=climbs, channel=channel)
    return lessons, members


def world_of(
    subject: Subject,
    env_pool: EnvPool,
    members: Mapping[str, Member],
    *,
    start: int,
    n_envs: int = ROWS,
    device: str = "cpu",
) -> World:
    """What all jobs share."""
    return World(
        subject.victim,
        subject.stochastic,
        env_pool,
        members,
        subject.ball,
        start,
        n_envs,
        device,
        subject.limits,
        subject.seat,
    )

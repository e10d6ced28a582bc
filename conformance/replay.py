"""Run an episode of a certificate again."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np

from safer_gym.choices import choose
from safer_gym.conformance.battery import BATTERIES
from safer_gym.conformance.certificate import Certificate, EpisodeOfNote
from safer_gym.conformance.certification.noise import NONE, Noise
from safer_gym.conformance.certification.notes import replayed
from safer_gym.conformance.certification.plan import Plan
from safer_gym.conformance.certification.run import Certification, Settings
from safer_gym.conformance.certification.subject import Subject, make_subject
from safer_gym.conformance.certification.world import Job
from safer_gym.conformance.tamper import ROWS
from safer_gym.types import Attack
from safer_gym.wrappers.smoothing import SmoothedPolicy


def replay(
    certificate: Certificate,
    policy: Any,
    make_env: Callable[[], gym.Env] | str,
    episode: int = 0,
    *,
    battery: str | Mapping[str, Attack] | None = None,
    cache: Path | str | None = None,
) -> EpisodeOfNote:
    """Run one of the certificate's episodes of note again, with its trace.

    What the battery learned is learned again, unless `cache` has it.

    Args:
        certificate: says attack, radius, mode and seed.
        policy, make_env: what was certified.
        episode: its number among `certificate.episodes_of_note`.
        battery: the attacks by label, where the certificate was made with attacks of one's own.
        cache: folder of what was learned.

    Raises:
        IndexError: no such episode.
        ValueError: another policy or environment than the certificate's; attacks that are missing.
    """
    notes = certificate.episodes_of_note
    if not 0 <= episode < len(notes):
        raise IndexError(f"episode must be in [0, {len(notes)}), got {episode!r}")
    note = notes[episode]
    subject = _same_subject(certificate, policy, make_env)
    battery = battery if battery is not None else choose("battery", certificate.battery, BATTERIES)
    plan = Plan(
        tuple(sorted({row.eps for row in certificate.rows})),
        tuple(h.mode for h in reversed(certificate.headlines)),
        certificate.limit,
        certificate.delta,
        (),
    )
    settings = Settings(
        battery=battery,
        seconds=np.inf,
        attack_episodes=1,
        n_envs=ROWS,
        workers=1,
        seed=certificate.seed,
        cache=None if cache is None else Path(cache),
        norm=certificate.norm,
        scale=certificate.scale,
        device="cpu",
        benign_episodes=1,
    )
    run = Certification(plan, settings, subject, None, time.monotonic())
    _, ready = run.prepare(0.0, np.zeros(subject.shape))
    if note.attack not in ready.members:
        raise ValueError(f"the battery has no attack {note.attack!r}: {list(ready.members)}")
    job = Job("measure", note.mode, note.attack, note.eps, note.index, 1, trace=True)
    with run.stock:
        return replayed(run.world(ready.members), [job], note.replay)[0]


def _same_subject(
    certificate: Certificate, policy: Any, make_env: Callable[[], gym.Env] | str
) -> Subject:
    record = certificate.policy
    noise = Noise(record.action_noise, record.observation_noise)
    subject = make_subject(
        policy,
        make_env,
        norm=certificate.norm,
        scale=certificate.scale,
        max_step_cost=certificate.environment.max_step_cost,
        source=None,
        device="cpu",
        noise=NONE if isinstance(policy, SmoothedPolicy) else noise,
    )
    for name in ("policy", "environment"):
        recorded, found = getattr(certificate, name).digest, getattr(subject, name).digest
        if recorded != found:
            raise ValueError(
                f"this is not the certificate's {name}: its digest is {found[:12]}..., the "
                f"certificate's {recorded[:12]}..."
            )
    return subject

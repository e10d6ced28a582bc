"""Run an episode of a certificate again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import gymnasium as gym

from safer_gym.choices import choose
from safer_gym.conformance.battery import BATTERIES, NULL
from safer_gym.conformance.certificate.evidence import AttackEvidence, Benign
from safer_gym.conformance.certificate.record import Certificate, EpisodeOfNote
from safer_gym.conformance.certificate.requirement import Mode
from safer_gym.conformance.certify.noise import NONE, Noise
from safer_gym.conformance.certify.notes import replayed
from safer_gym.conformance.certify.preparation import prepared, world_of
from safer_gym.conformance.certify.seeds import Phase, seed_of, start_in
from safer_gym.conformance.certify.subject import Subject, make_subject
from safer_gym.conformance.certify.world import Job
from safer_gym.conformance.evaluate.env_pool import EnvPool
from safer_gym.conformance.loading import as_policy
from safer_gym.conformance.loading.zoo import packaged_policies
from safer_gym.types import Attack
from safer_gym.wrappers.policies.smoothing import SmoothedPolicy
from safer_gym.wrappers.tasks import TASKS, Task, find_task


def replay(
    certificate: Certificate,
    policy: Any,
    make_env: Callable[[], gym.Env] | Task | str,
    episode: int | EpisodeOfNote = 0,
    *,
    battery: str | Mapping[str, Attack] | None = None,
    cache: Path | str | None = None,
    vec_normalize: Any = None,
) -> EpisodeOfNote:
    """Run one of the certificate's episodes again, with its trace.

    What the battery learned is learned again, unless `cache` has it.

    Args:
        certificate: says attack, radius, mode and seed.
        policy, make_env: what was certified.
        episode: its number among `certificate.episodes_of_note`, or what `recorded` found.
        battery: the attacks by label, where the certificate was made with attacks of one's own.
        cache: folder of what was learned.
        vec_normalize: as `certify`.

    Raises:
        IndexError: no such episode.
        ValueError: another policy or environment than the certificate's; attacks that are missing.
    """
    note = episode if isinstance(episode, EpisodeOfNote) else noted(certificate, episode)
    policy, vec_normalize = as_policy(policy, vec_normalize)
    subject = _same_subject(certificate, policy, make_env, vec_normalize)
    battery = battery if battery is not None else choose("battery", certificate.battery, BATTERIES)
    start = start_in(certificate)
    _, ready = prepared(
        subject,
        battery,
        sorted({row.eps for row in certificate.rows}),
        start=start,
        norm=certificate.norm,
        scale=certificate.scale,
        cache=None if cache is None else Path(cache),
    )
    if note.attack not in ready.members:
        raise ValueError(f"the battery has no attack {note.attack!r}: {list(ready.members)}")
    with EnvPool(subject.make_env) as env_pool:
        world = world_of(subject, env_pool, ready.members, start=start)
        return replayed(world, [_job(note)], note.replay)[0]


def replay_options(policy: Any, env: Any, vec_normalize: Any = None) -> list[str]:
    """What the command `replay` has to be told: it follows no path or name in a certificate to
    the user's own files or code.

    Args:
        policy: the name of a policy; what is none cannot be named.
        env: a Task, or its name; the same.
    """
    options = []
    if isinstance(policy, (str, Path)) and str(policy) not in packaged_policies():
        options += ["--model", str(policy)]
    if isinstance(env, (str, Task)):
        task = find_task(env) if isinstance(env, str) else env
        options += [] if task in TASKS.values() else ["--env", *task.words]
    if isinstance(vec_normalize, (str, Path)) and str(vec_normalize):
        options += ["--vec-normalize", str(vec_normalize)]
    return options


def noted(certificate: Certificate, episode: int) -> EpisodeOfNote:
    """An episode of note by its number.

    Raises:
        IndexError: no such episode.
    """
    notes = certificate.episodes_of_note
    if not notes:
        raise IndexError("the certificate has no episodes of note; name one by its attack")
    if not 0 <= episode < len(notes):
        raise IndexError(f"episode must be in [0, {len(notes)}), got {episode!r}")
    return notes[episode]


def recorded(
    certificate: Certificate, attack: str, eps: float, index: int, mode: Mode | None = None
) -> EpisodeOfNote:
    """Any measured episode: its attack, radius and number, and the policy's mode.

    Args:
        attack: "null" for an episode without an attack.
        index: as in the costs of the row's evidence; for "null" of the stochastic policy as in
            those of `certificate.benign`.
        mode: default: the first of the certificate's that has a row.

    Raises:
        ValueError: no such row or attack; names those that there are.
        IndexError: fewer episodes than that.
    """
    rows = [row for row in certificate.rows if mode in (None, row.mode)]
    radii = {f"{row.eps:g}": row for row in reversed(rows)}
    row = radii[choose("eps", f"{eps:g}", tuple(radii))]
    found = {evidence.attack: evidence for evidence in row.attacks}
    evidence: AttackEvidence | Benign = found[choose("attack", attack, tuple(found))]
    if is_benign := attack == NULL and row.mode == "stochastic":
        if certificate.benign is None:
            raise ValueError("the certificate has no episodes of the policy without an attack")
        evidence = certificate.benign
    if not 0 <= index < evidence.n:
        raise IndexError(f"index must be in [0, {evidence.n}), got {index!r}")
    return EpisodeOfNote(
        0.0 if attack == NULL else row.eps,
        row.mode,
        attack,
        index,
        seed_of(start_in(certificate), "benign" if is_benign else "measure", index),
        evidence.costs[index],
        evidence.returns[index],
        "",
    )


def _job(note: EpisodeOfNote) -> Job:
    """Whose costs were recorded: without an attack the stochastic policy ran benign episodes."""
    is_benign = note.attack == NULL and note.mode == "stochastic"
    phase: Phase = "benign" if is_benign else "measure"
    return Job(phase, note.mode, note.attack, note.eps, note.index, 1, trace=True)


def _same_subject(
    certificate: Certificate,
    policy: Any,
    make_env: Callable[[], gym.Env] | Task | str,
    vec_normalize: Any,
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
        vec_normalize=vec_normalize,
        channel=certificate.channel,
    )
    for name in ("policy", "environment"):
        recorded, found = getattr(certificate, name).digest, getattr(subject, name).digest
        if recorded != found:
            raise ValueError(
                f"this is not the certificate's {name}: its digest is {found[:12]}..., the "
                f"certificate's {recorded[:12]}..."
            )
    return subject

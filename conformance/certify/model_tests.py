"""Fresh episodes behind a shield, replayed step by step against its model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from safer_gym.attacks import BangBang
from safer_gym.conformance.battery.members import NULL, Member
from safer_gym.conformance.certificate.model_evidence import ModelEvidence, ModelTest
from safer_gym.conformance.certify.given_model import AWARE, PUSHES, made, shield_tests
from safer_gym.conformance.certify.world import Job, run_job
from safer_gym.conformance.evaluate.attacked_policy import ROWS
from safer_gym.conformance.evaluate.outcomes import Trace
from safer_gym.conformance.workers.pool import Pool
from safer_gym.shield import Transitions, leaving
from safer_gym.types import Attack, Channel
from safer_gym.wrappers.shield.attacks import Greedy, Spoof
from safer_gym.wrappers.shield.policy import ShieldedPolicy
from safer_gym.wrappers.shield.shield import Shield

if TYPE_CHECKING:
    from safer_gym.conformance.certify.run import Certification

MOST = 100
"""Episodes of each attack and radius."""


class Look(NamedTuple):
    """What one episode showed."""

    steps: int
    left: bool
    outside: bool
    unexplained: bool
    costly: bool
    alarm: bool
    moved: int
    infeasible: int


def shielded_policy(run: Certification) -> ShieldedPolicy | None:
    """The policy with a shield that is certified; None where it has none."""
    inner = run.subject.view.inner if run.subject.view is not None else None
    return inner if type(inner) is ShieldedPolicy else None


def model_evidence(
    run: Certification, members: Mapping[str, Member], deadline: float
) -> ModelEvidence | None:
    """The tests of a shield's model, and its proof; None for a policy without a shield."""
    policy = shielded_policy(run)
    if policy is None or "deterministic" not in run.plan.modes:
        return None
    own = {label: member for label, member in members.items() if label != NULL}
    own = {**added_members(policy.shield, run.plan.channel), **own}
    n = min(run.settings.attack_episodes, MOST)
    places = [(NULL, 0.0)] + [(a, eps) for eps in run.plan.eps if eps > 0 for a in own]
    jobs = [
        Job("model", "deterministic", attack, eps, first, min(ROWS, n - first), trace=True)
        for attack, eps in places
        for first in range(0, n, ROWS)
    ]
    world = run.world({**members, **own})
    found: dict[tuple[str, float], list[Look]] = {}
    with Pool(run_job, world, run.settings.workers) as pool:
        for done, (job, result) in enumerate(zip(jobs, pool.run(jobs, deadline), strict=False)):
            found.setdefault((job.attack, job.eps), []).extend(looks(policy, result.traces))
            run.say("testing the model", (done + 1) / len(jobs))
    tests = [counted(attack, eps, seen) for (attack, eps), seen in found.items() if len(seen) == n]
    return made(policy.shield, tests, run.plan.delta)


def added_members(shield: Shield, channel: Channel) -> dict[str, Member]:
    """The attacks that test a shield's model beside the battery's, by label."""
    attacks: tuple[Attack, ...] = (Spoof(shield), Greedy(shield))
    if channel != "observation":
        attacks = (BangBang("low"), BangBang("high"), BangBang(held=True))
    labels = shield_tests(channel)
    return {label: Member.of(attack) for label, attack in zip(labels, attacks, strict=True)}


def check_labels(policy: ShieldedPolicy | None, labels: Iterable[str]) -> None:
    """Refuse a battery that would put attacks of its own in the place of the shield's tests.

    Raises:
        ValueError: a label that is taken.
    """
    taken = [label for label in labels if label in (*AWARE, *PUSHES)]
    if policy is not None and taken:
        raise ValueError(
            f"the label {taken[0]!r} stands for a test of the shield's model; call yours "
            "something else"
        )


def counted(attack: str, eps: float, seen: Sequence[Look]) -> ModelTest:
    """The counts of an attack's episodes."""
    total = {name: sum(int(getattr(look, name)) for look in seen) for name in Look._fields}
    alarms = total.pop("alarm")
    return ModelTest(attack=attack, eps=eps, n=len(seen), alarms=alarms, upper=1.0, **total)


class Replayed(NamedTuple):
    """What a shield did along an episode of T steps."""

    action: Tensor
    """[T, A]"""
    backup: Tensor
    """[T, P]"""
    moved: Tensor
    """[T]"""
    alarm: Tensor
    feasible: Tensor


def looks(policy: ShieldedPolicy, traces: Sequence[Trace]) -> list[Look]:
    """What each episode showed."""
    answers = replay(policy, [trace.attacked for trace in traces])
    return [look_at(policy, *pair) for pair in zip(traces, answers, strict=True)]


def replay(policy: ShieldedPolicy, shown: Sequence[Any]) -> list[Replayed]:
    """Show a policy what it was shown in some episodes, step by step, side by side."""
    longest = max(len(episode) for episode in shown)
    padded = [np.concatenate([e, np.repeat(e[-1:], longest - len(e), 0)]) for e in shown]
    obs = torch.as_tensor(np.stack(padded), dtype=torch.float32)
    prior, steps = policy.shield.begin(len(shown)), []
    for step in range(longest):
        answer = policy.step(obs[:, step], prior)
        prior = answer.prior
        steps.append([getattr(answer, name) for name in Replayed._fields])
    columns = [torch.stack(column, 1) for column in zip(*steps, strict=True)]
    return [
        Replayed(*(column[row, : len(episode)] for column in columns))
        for row, episode in enumerate(shown)
    ]


def look_at(policy: ShieldedPolicy, trace: Trace, done: Replayed) -> Look:
    """Hold each step of an episode against the model.

    The state after the last step is in no record, so that a step fewer is tested.
    """
    shield = policy.shield
    clean = torch.as_tensor(trace.clean, dtype=torch.float32).flatten(1)
    inside = shield.holds(clean)
    before = inside.long().cumprod(0).bool()[:-1]
    left = _leaves(policy, clean, done) | ~inside[1:]
    cost = np.asarray(trace.costs)
    fine = (shield.h(clean) >= 0).numpy()[1:]
    return Look(
        steps=len(clean) - 1,
        left=bool((left & before).any()),
        outside=not bool(inside[0]),
        unexplained=bool(((cost[:-1] > 0) & fine).any()),
        costly=bool((cost > 0).any()),
        alarm=bool(done.alarm.any()),
        moved=int(done.moved[:-1].sum()),
        infeasible=int((~done.feasible[:-1]).sum()),
    )


def _leaves(policy: ShieldedPolicy, clean: Tensor, done: Replayed) -> Tensor:
    """Which steps [T - 1] leave the bounds of some part."""
    action = done.action.float().double()[:-1]
    found = torch.zeros(len(action), dtype=torch.bool)
    for index, part in enumerate(policy.shield.parts):
        z, own = part.coordinates(clean), action[:, list(part.actions)]
        found |= leaving(part, Transitions(z[:-1], own, z[1:], done.backup[:-1, index]))
    return found

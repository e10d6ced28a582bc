"""The walk of a certification: look, learn, search, measure, decide."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from safer_gym.attacks import has_gradient
from safer_gym.attacks.traits import climbs_cost_critic
from safer_gym.conformance.battery import Battery, make_battery
from safer_gym.conformance.battery.learning import Lessons
from safer_gym.conformance.battery.members import NONE, Member
from safer_gym.conformance.certificate.record import Certificate, Flag
from safer_gym.conformance.certificate.requirement import Mode
from safer_gym.conformance.certify import assemble
from safer_gym.conformance.certify.frames import stacks_frames
from safer_gym.conformance.certify.independence import repeat_flags
from safer_gym.conformance.certify.inspect import is_flat
from safer_gym.conformance.certify.ledger import Ledger
from safer_gym.conformance.certify.model_tests import check_labels, model_evidence, shielded_policy
from safer_gym.conformance.certify.notes import replayed, worst_jobs
from safer_gym.conformance.certify.plan import Plan
from safer_gym.conformance.certify.preparation import prepared, world_of
from safer_gym.conformance.certify.schedule import Caps, next_jobs
from safer_gym.conformance.certify.search import (
    CHOSEN,
    Found,
    choose_compositions,
    pilot_jobs,
    rank,
    remember,
    search_jobs,
)
from safer_gym.conformance.certify.shares import split
from safer_gym.conformance.certify.subject import UNDECLARED, Subject
from safer_gym.conformance.certify.world import Job, Result, World, run_job
from safer_gym.conformance.evaluate.env_pool import EnvPool
from safer_gym.conformance.workers.pool import Pool, Workers
from safer_gym.types import Attack
from safer_gym.wrappers.gate.attack import check_row_noise, gated

RESERVE = 0.05
"""Share of the budget kept for what follows the measurement."""


class Settings(NamedTuple):
    """How, not what, to certify."""

    battery: str | Mapping[str, Attack]
    seconds: float
    attack_episodes: int
    n_envs: int
    workers: int | Workers
    seed: int
    start: int
    """Where the seeds of all episodes begin, see `seeds`."""
    cache: Path | None
    norm: str
    scale: tuple[float, ...] | None
    device: str
    benign_episodes: int
    units: str = "raw"


class Certification:
    """One run. The steps are in `run`; each is a pure function of what came before it, and only
    the budget asks the clock."""

    def __init__(
        self,
        plan: Plan,
        settings: Settings,
        subject: Subject,
        progress: Callable[[str, float], None] | None,
        started: float,
    ) -> None:
        self.asked = plan
        missing: dict[Mode, str] = {
            "stochastic": subject.why_deterministic,
            "deterministic": subject.why_stochastic,
        }
        modes = tuple(mode for mode in plan.modes if not missing[mode])
        # Where the mode asked for is missing, the other one has rows all the same.
        other: Mode = "stochastic" if subject.why_stochastic else "deterministic"
        self.missing = missing
        self.plan = plan._replace(modes=modes or (other,))
        self.settings, self.subject = settings, subject
        self.env_pool = EnvPool(subject.make_env)
        self.doubts: list[Flag] = []
        """What the pilot's episodes, run again, say against all bounds."""
        self.say = progress or (lambda what, share: None)
        self.started = started
        self.deadline = started + settings.seconds * (1 - RESERVE)
        climbs, named = has_gradient(subject.target, subject.probe), settings.battery
        # A battery that could not be run is refused before anything is learned.
        battery = make_battery(
            named, subject.target, Lessons({}), has_gradient=climbs, channel=plan.channel
        )
        check_labels(shielded_policy(self), battery.members)

    def run(self) -> Certificate:
        """All steps."""
        with self.env_pool:
            return self._run()

    def _run(self) -> Certificate:
        pilot = self._pilot()
        self._declared(pilot)
        lessons, battery = self.prepare()
        self._check_noise(battery)
        world = self.world(battery.members)
        with Pool(run_job, world, self.settings.workers) as pool:
            found = [*pilot, *self._search(pool, battery)]
            self.subject.check_visited([trace for f in found for trace in f.result.traces])
            ranking = rank(self.plan, tuple(battery.members), found)
            ledger = self._ledger(battery, ranking, found)
            model = model_evidence(self, battery.members, self.deadline)
            self._measure(pool, ledger, ranking)
        notes = replayed(world, worst_jobs(ledger), "CERTIFICATE.json")
        return assemble.certificate(self, battery, lessons, found, ledger, notes, model)

    def _check_noise(self, battery: Battery) -> None:
        """Attacks draw as they say."""
        target, row = self.subject.target, self.subject.probe
        ball = self.subject.ball.scaled(max(self.plan.eps))
        for label, member in battery.members.items():
            if member.own_noise:
                check_row_noise(gated(member.attack, label), target, row, ball)

    def prepare(self) -> tuple[Lessons, Battery]:
        """Learn what the battery wants, and put it together."""
        self.say("learning", 0.0)
        settings = self.settings
        lessons, battery = prepared(
            self.subject,
            settings.battery,
            self.plan.eps,
            start=settings.start,
            norm=settings.norm,
            scale=settings.scale,
            cache=settings.cache,
            seconds=settings.seconds,
            workers=settings.workers,
        )
        self.say("learning", 1.0)
        return lessons, battery

    def world(self, members: Mapping[str, Member]) -> World:
        """What all jobs share."""
        settings = self.settings
        return world_of(
            self.subject,
            self.env_pool,
            members,
            start=settings.start,
            n_envs=settings.n_envs,
            device=settings.device,
        )

    def _pilot(self) -> list[Found]:
        """Episodes without an attack."""
        self.say("looking", 0.0)
        world = self.world(NONE)
        jobs = pilot_jobs(self.plan, enclose=not self.subject.why_no_bound)
        with Pool(run_job, world, self.settings.workers) as pool:
            found = [Found(*pair) for pair in zip(jobs, pool.run(jobs), strict=True)]
        self.doubts = repeat_flags(world, found[0])
        self.subject.check_visited([trace for f in found for trace in f.result.traces])
        self.say("looking", 1.0)
        return found

    def _declared(self, pilot: Sequence[Found]) -> None:
        """Without a declared ball nothing bounds every adversary of stacked frames."""
        seen = [trace.clean for found in pilot for trace in found.result.traces]
        open_to_bounds = self.settings.scale is None and not self.subject.why_no_bound
        if open_to_bounds and stacks_frames(seen):
            why = UNDECLARED.format(stack="the observation")
            self.subject = self.subject._replace(why_no_bound=why)

    def _search(self, pool: Pool[Job, Result], battery: Battery) -> list[Found]:
        jobs, found = search_jobs(self.plan, tuple(battery.members)), []
        limit = self.started + 0.5 * self.settings.seconds
        for job, result in zip(jobs, pool.run(jobs, limit), strict=False):
            found.append(Found(job, result))
            self.say("searching", len(found) / len(jobs))
        return found

    def _ledger(
        self, battery: Battery, ranking: Mapping[Any, Sequence[str]], found: Sequence[Found]
    ) -> Ledger:
        chosen = {place: labels[:CHOSEN] for place, labels in ranking.items()}
        shares = split(self.plan, chosen)
        flat = is_flat(self.subject.victim, [trace for f in found for trace in f.result.traces])
        ledger = Ledger(
            self.plan,
            tuple(battery.members),
            self.subject.high,
            shares,
            directed=[
                label
                for label, member in battery.members.items()
                if member.cost_directed and not (flat and climbs_cost_critic(member.attack))
            ],
            unlearned=battery.unlearned,
        )
        remember(ledger, found)
        bounded = not self.subject.why_no_bound
        for pilot in (f for f in found if bounded and f.job.mode == "stochastic" and f.job.radii):
            assert self.subject.stochastic is not None
            choose_compositions(ledger, self.subject.stochastic, pilot, *self.caps[:2])
        return ledger

    @property
    def caps(self) -> Caps:
        """Most episodes of each kind."""
        return Caps(self.settings.attack_episodes, self.settings.benign_episodes)

    def _measure(
        self, pool: Pool[Job, Result], ledger: Ledger, ranking: Mapping[Any, Sequence[str]]
    ) -> None:
        rounds = 0
        while jobs := next_jobs(ledger, ranking, self.caps):
            rounds, done = rounds + 1, 0
            for job, result in zip(jobs, pool.run(jobs, self.deadline), strict=False):
                ledger.add(job, result)
                done += 1
                self.say(f"measuring, round {rounds}", done / len(jobs))
            if done < len(jobs):
                return

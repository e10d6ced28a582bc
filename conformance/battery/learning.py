"""What a battery learns before it is run: critics, iterated critics, an adversary."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import gymnasium as gym
import torch

from safer_gym.attacks import WithCritics, make_attack
from safer_gym.balls import LpBall
from safer_gym.conformance.battery.members import ADVERSARIES
from safer_gym.conformance.evaluate.adversaries import PpoOptions, train_adversary
from safer_gym.conformance.evaluate.attacked_policy import Draw
from safer_gym.conformance.evaluate.seat import OBSERVATION, Seat
from safer_gym.conformance.evaluate.store import Store
from safer_gym.types import Attack, QFn, Victim
from safer_gym.wrappers.fitted_critics.critics import fit_critics

LEARNING_SEED = 3_000_000
"""Where the seeds of learning begin: no episode of a certificate uses them."""


class Lessons(NamedTuple):
    """What was learned."""

    attacks: Mapping[str, Attack]
    """By label."""
    critics: Mapping[str, QFn] = {}
    """By name, "q_reward" and "q_cost": for attacks on a policy that has none of its own."""
    why_not: str = "nothing was learned"
    impossible: Mapping[str, str] = {}
    """Labels of what cannot be learned here however long it takes, and why."""
    rates: tuple[float, ...] = ()
    """Mean cost of a step in what each critic learned from; zero: it has learned no cost."""


class Course(NamedTuple):
    """Which lesson, and how long."""

    name: str
    """ "critics", or the label of an adversary."""
    n_steps: int
    updates: int
    iterate: bool = True
    """Learn critics of the attacked policy too, for iterated MC."""


class TrainingContext(NamedTuple):
    """Whom and where to learn from."""

    victim: Victim
    make_env: Callable[[], gym.Env]
    ball: LpBall
    """The largest radius; what is learned there serves the smaller ones too."""
    middle: LpBall
    """A radius at which the policy is still itself, for the critics of the attacked policy."""
    norm: str
    seed: int
    store: Store
    has_gradient: bool
    draw: Draw | None = None
    """How the policy acts, where it has no deterministic mode."""
    seat: Seat = OBSERVATION
    """Where the adversary sits."""
    brought: Mapping[str, Attack] = {}
    """Adversaries that the policy brings along, by name."""


def learn_course(context: TrainingContext, course: Course) -> Lessons:
    """Learn one course; a stored result is taken as it is."""
    if course.name in ADVERSARIES:
        learned = context.store.adversary(list(course), lambda: _adversary(context, course))
        return Lessons({course.name: learned})
    return _critics(context, course)


def merge(parts: list[Lessons], *, why_not: str, impossible: Mapping[str, str]) -> Lessons:
    """Several courses' lessons as one."""
    attacks: dict[str, Attack] = {}
    critics: dict[str, QFn] = {}
    for part in parts:
        attacks.update(part.attacks)
        critics.update(part.critics)
    rates = tuple(rate for part in parts for rate in part.rates)
    return Lessons(attacks, critics, why_not, impossible, rates)


def _adversary(context: TrainingContext, course: Course) -> Any:
    options = PpoOptions(timesteps=course.n_steps)
    seed = _seed(context)
    draw, generator = context.draw, torch.Generator().manual_seed(seed)
    return train_adversary(
        context.victim,
        context.make_env,
        context.ball,
        seed=seed,
        options=options,
        seat=context.seat,
        draw=None if draw is None else lambda obs: draw(obs, generator),
        goal=ADVERSARIES[course.name],
    )


def _critics(context: TrainingContext, course: Course) -> Lessons:
    plain = make_attack("mc") if context.has_gradient else make_attack("random_search", rounds=8)
    inputs = list(course)
    alone = context.store.critics("alone", inputs, _fit(context, course, None))
    judge = context.seat.rows.judge
    critics = {"q_reward": judge(alone.q_reward), "q_cost": judge(alone.q_cost)}
    fitted = WithCritics(plain, **critics)
    if not course.iterate:
        rates = (alone.diagnostics.cost_rate,)
        return Lessons({"mc fitted": fitted}, critics, rates=rates)
    under = context.store.critics("attacked", inputs, _fit(context, course, fitted))
    iterated = WithCritics(plain, q_reward=under.q_reward, q_cost=under.q_cost)
    return Lessons(
        {"mc fitted": fitted, "mc iterated": iterated},
        critics,
        rates=(alone.diagnostics.cost_rate, under.diagnostics.cost_rate),
    )


def _fit(context: TrainingContext, course: Course, attack: Attack | None) -> Callable[[], Any]:
    def fit() -> Any:
        return fit_critics(
            context.victim,
            context.make_env,
            n_steps=course.n_steps,
            updates=course.updates,
            attack=attack,
            # Without an attack nothing is moved, and the ball may be of another channel.
            eps=0.0 if attack is None else context.seat.rows.radius(context.middle).numpy(),
            norm=context.norm,
            hidden=(128, 128),
            seed=_seed(context) + (0 if attack is None else 1000),
        )

    return fit


def _seed(context: TrainingContext) -> int:
    return context.seed + LEARNING_SEED

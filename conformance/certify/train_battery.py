"""Learning before the measurement, as far as the time allows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from safer_gym.conformance.battery.build import LEARNED, labels_of, missing_critics
from safer_gym.conformance.battery.learning import (
    Course,
    Lessons,
    TrainingContext,
    learn_course,
    merge,
)
from safer_gym.conformance.battery.members import ADVERSARIES, BROUGHT
from safer_gym.conformance.workers.pool import Pool, Workers
from safer_gym.wrappers.gate.probes import reports_h

COURSES = (Course("critics", 12_000, 2_000), Course("learned", 30_000, 0))
LONG_COURSES = (Course("critics", 40_000, 6_000), Course("learned", 300_000, 0))
"""Of the battery "full"; every adversary learns as long as the one called "learned"."""
STEP_SECONDS, UPDATE_SECONDS = 5e-4, 4e-3
"""What a step and an update count, on every machine: what a battery learns follows from the budget
and not from the clock. Where steps take longer, learning does, and fewer episodes are measured."""
SHARE = 0.3
"""Of the budget, at most, for learning."""
NO_TIME = "the budget left no time to learn what it needs"
NONE_BROUGHT = "the policy brings no such adversary along"
NO_H = "the environment reports no constraint function h"


def learn(
    battery: str | Mapping[str, Any],
    context: TrainingContext,
    *,
    budget: float,
    workers: int | Workers,
) -> Lessons:
    """Whatever the battery wants to learn, and the critics that a policy lacks.

    Courses for which the budget, in seconds, is too small are left out, and the lessons say so: a
    battery without them supports no PASS.
    """
    climbs = context.has_gradient
    channel = context.seat.channel
    labels: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    if not isinstance(battery, Mapping):
        labels = labels_of(battery, has_gradient=climbs, channel=channel)
        target = context.seat.rows.view(context.victim)
        missing = missing_critics(battery, target, has_gradient=climbs, channel=channel)
    courses = []
    critics, adversary = LONG_COURSES if battery == "full" else COURSES
    if missing or "mc fitted" in labels:
        courses.append(critics._replace(iterate="mc iterated" in labels))
    impossible = _impossible(labels, context)
    able = (label for label in ADVERSARIES if label in labels and label not in impossible)
    courses += [adversary._replace(name=label) for label in able]
    taken = _affordable(courses, budget)
    parts = []
    if taken:
        with Pool(learn_course, context, workers) as pool:
            parts = list(pool.run(taken))
    lessons = merge(parts, why_not=NO_TIME, impossible=impossible)
    if any(label in labels for label in LEARNED):
        own = {a: context.brought[n] for a, n in BROUGHT.items() if n in context.brought}
        return lessons._replace(attacks={**lessons.attacks, **own})
    return lessons._replace(attacks={})


def _impossible(labels: Sequence[str], context: TrainingContext) -> dict[str, str]:
    """What no time would be enough for, and why."""
    found = {
        label: NONE_BROUGHT
        for label, name in BROUGHT.items()
        if label in labels and name not in context.brought
    }
    if "safety adversary" in labels and not reports_h(context.make_env):
        found["safety adversary"] = NO_H
    return found


def _affordable(courses: list[Course], budget: float) -> list[Course]:
    left = SHARE * budget
    taken = []
    for course in courses:
        rounds = 2 if course.name == "critics" and course.iterate else 1
        seconds = rounds * (course.n_steps * 1.5 * STEP_SECONDS + course.updates * UPDATE_SECONDS)
        if seconds <= left or math.isinf(left):
            taken.append(course)
            left -= seconds
    return taken

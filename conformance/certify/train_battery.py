"""Learning before the measurement, as far as the time allows."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from safer_gym.conformance.battery.build import LEARNED, labels_of, missing_critics
from safer_gym.conformance.battery.learning import (
    Course,
    Lessons,
    TrainingContext,
    learn_course,
    merge,
)
from safer_gym.conformance.certify.pool import Pool

COURSES = (Course("critics", 12_000, 2_000), Course("adversary", 30_000, 0))
LONG_COURSES = (Course("critics", 40_000, 6_000), Course("adversary", 300_000, 0))
"""Of the battery "full"."""
UPDATE_SECONDS = 4e-3
SHARE = 0.3
"""Of the budget, at most, for learning."""
NO_TIME = "the budget left no time to learn what it needs"


class Speed(NamedTuple):
    """What the search's first episodes took."""

    step_seconds: float
    budget: float
    workers: int


def learn(battery: str | Mapping[str, Any], context: TrainingContext, speed: Speed) -> Lessons:
    """Whatever the battery wants to learn, and the critics that a policy lacks.

    With a budget, courses that would take too long are left out, and the lessons say so: a
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
    if missing or "mc fitted" in labels:
        course = (LONG_COURSES if battery == "full" else COURSES)[0]
        courses.append(course._replace(iterate="mc iterated" in labels))
    if "learned" in labels:
        courses.append((LONG_COURSES if battery == "full" else COURSES)[1])
    taken = _affordable(courses, speed)
    with Pool(learn_course, context, min(speed.workers, max(len(taken), 1))) as pool:
        parts = list(pool.run(taken))
    lessons = merge(parts, why_not=NO_TIME)
    if any(label in labels for label in LEARNED):
        return lessons
    return lessons._replace(attacks={})


def _affordable(courses: list[Course], speed: Speed) -> list[Course]:
    left = SHARE * speed.budget * min(speed.workers, 2)
    taken = []
    for course in courses:
        rounds = 2 if course.name == "critics" and course.iterate else 1
        seconds = rounds * (
            course.n_steps * 1.5 * speed.step_seconds + course.updates * UPDATE_SECONDS
        )
        if seconds <= left or math.isinf(left):
            taken.append(course)
            left -= seconds
    return taken

"""Learning before the measurement, as far as the time allows."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

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
STEP_SECONDS, UPDATE_SECONDS = 5e-4, 4e-3
"""What a step and an update count, on every machine: what a battery learns follows from the budget
and not from the clock. Where steps take longer, learning does, and fewer episodes are measured."""
SHARE = 0.3
"""Of the budget, at most, for learning."""
NO_TIME = "the budget left no time to learn what it needs"


def learn(
    battery: str | Mapping[str, Any], context: TrainingContext, *, budget: float, workers: int
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
    if missing or "mc fitted" in labels:
        course = (LONG_COURSES if battery == "full" else COURSES)[0]
        courses.append(course._replace(iterate="mc iterated" in labels))
    if "learned" in labels:
        courses.append((LONG_COURSES if battery == "full" else COURSES)[1])
    taken = _affordable(courses, budget)
    with Pool(learn_course, context, min(workers, max(len(taken), 1))) as pool:
        parts = list(pool.run(taken))
    lessons = merge(parts, why_not=NO_TIME)
    if any(label in labels for label in LEARNED):
        return lessons
    return lessons._replace(attacks={})


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

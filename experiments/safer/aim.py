"""The aim beyond the paper, in words: our number beside the one to reach."""

from __future__ import annotations

from typing import NamedTuple

from experiments.safer.standing import Goal, Standing
from experiments.safer.tables import NOT_MEASURED

AIM = "Where SAFER and SAFER-attacked stand against the aim beyond the paper"
AIMS = {
    "natural reward": "the paper's",
    "highest cost under the stronger battery": "the paper's, MC and MR",
    "environment steps": "a tenth of the paper's",
}
AIM_READING = (
    "Best policies, mean over the episodes of all seeds. The paper does not print its environment "
    "steps: they are read as the epochs of its Table 4, times the rollout length, times 20 "
    "episodes an epoch as in the public code of CVPO."
)
STYLES = {None: "empty", True: "reached", False: "over"}


class GoalWords(NamedTuple):
    """A goal as the page and Markdown print it."""

    ours: str
    bound: str
    style: str


def goals_of(row: Standing) -> list[GoalWords]:
    """The goals of a task, in the order of AIMS."""
    goals = ((row.reward, 1), (row.cost, 1), (row.steps, 0))
    return [_words(goal, digits) for goal, digits in goals]


def _words(goal: Goal, digits: int) -> GoalWords:
    """Our number with its mark, or that it has not been measured.

    >>> _words(Goal(0.5, 2.0, True), 1)
    GoalWords(ours='✓ 0.5', bound='2.0', style='reached')
    """
    sign = "✓" if goal.reached else "✕"
    ours = NOT_MEASURED if goal.ours is None else f"{sign} {goal.ours:,.{digits}f}"
    return GoalWords(ours, f"{goal.bound:,.{digits}f}", STYLES[goal.reached])

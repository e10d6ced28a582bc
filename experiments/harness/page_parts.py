"""Parts of the page that the tables do not have: the aim beyond the paper, the learning curves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from experiments.safer.curves import Panel
from experiments.safer.standing import Goal, Standing
from experiments.safer.tables import NOT_MET, NOT_RUN
from safer_gym.wrappers.tasks import TASKS

AIM = "Where SAFER and SAFER-attacked stand against the aim beyond the paper"
AIMS = {
    "natural reward": "the paper's",
    "highest cost under the stronger battery": "the paper's, MC and MR",
    "environment steps": "a tenth of the paper's",
}
AIM_DIGITS = (1, 1, 0)
AIM_READING = (
    "Best policies, mean over the episodes of all seeds. The paper does not print its environment "
    "steps: they are read as the epochs of its Table 4, times the rollout length, times 20 "
    "episodes an epoch as in the public code of CVPO."
)
CURVES = (
    "Mean of the latest 20 training episodes, exploration and training's own "
    "attacks included; the line is the mean over seeds, the band their lowest and highest. Dashed: "
    "the cost limit."
)


def aim_words(goal: Goal, digits: int) -> str:
    """Our number with its mark; "" where it has not been measured.

    >>> aim_words(Goal(0.5, 2.0, True), 1), aim_words(Goal(None, 2.0, None), 1)
    ('✓ 0.5', '')
    """
    if goal.ours is None:
        return ""
    return f"{'✓' if goal.reached else '✕'} {goal.ours:,.{digits}f}"


def aim_table(rows: Sequence[Standing]) -> str:
    """A row for each task; what has not been measured is visibly empty."""
    names = "".join(f'<th colspan="2">{name}</th>' for name in AIMS)
    goals = "".join(f"<th>ours</th><th>{goal}</th>" for goal in AIMS.values())
    body = "".join(f"<tr>{''.join(_cells(row))}</tr>" for row in rows)
    return (
        '<div class="scroll"><table class="ours aim"><thead><tr><th rowspan="2">task</th>'
        f"{names}</tr><tr>{goals}</tr></thead><tbody>{body}</tbody></table></div>"
        f"<p><small>{AIM_READING}</small></p>"
    )


def _cells(row: Standing) -> Iterator[str]:
    seeds = f"<small>seed {row.seeds}</small>" if row.seeds else ""
    yield f"<td>{TASKS[row.task].title}, {row.method}{seeds}</td>"
    for goal, digits in zip((row.reward, row.cost, row.steps), AIM_DIGITS, strict=True):
        words = aim_words(goal, digits)
        kind = {None: "empty", True: "reached", False: "over"}[goal.reached]
        yield f'<td class="{kind}">{words or NOT_MET}</td><td>{goal.bound:,.{digits}f}</td>'


def learning_curves(drawn: Sequence[Panel]) -> str:
    """A figure for each method that has a curve, and the names of the others."""
    if not drawn:
        return f'<p class="empty">{NOT_RUN}</p>'
    figures = "".join(_panel(panel) for panel in drawn if panel.svg)
    names = ", ".join(escape(panel.method) for panel in drawn if not panel.svg)
    empty = f'<p class="empty">{NOT_RUN}: {names}</p>' if names else ""
    return f'<p><small>{CURVES}</small></p><div class="curves">{figures}</div>{empty}'


def _panel(panel: Panel) -> str:
    word = "seeds" if len(panel.seeds) > 1 else "seed"
    seeds = ", ".join(map(str, panel.seeds))
    return f"<figure>{panel.svg}<figcaption>{word} {seeds}</figcaption></figure>"

"""The reproduction as a page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from experiments.harness.finding import MARKS
from experiments.harness.records import Record
from experiments.harness.resampling import UNDECIDED, draws
from experiments.safer.aim import AIM, AIM_READING, AIMS, goals_of
from experiments.safer.claims import Claim, claims
from experiments.safer.curves import panels
from experiments.safer.figure import figure, key
from experiments.safer.intervals import READING as INTERVALS_READING
from experiments.safer.intervals import TITLE as INTERVALS
from experiments.safer.intervals import Row, interval_figure, interval_rows, interval_table
from experiments.safer.paper import paper_steps
from experiments.safer.runs import differing, effort, run_row
from experiments.safer.standing import standings
from experiments.safer.tables import (
    COLUMNS,
    NOT_RUN,
    Block,
    States,
    attacks_of,
    blocks_of,
    cells_of,
    has_run,
)
from safer_gym.conformance.report.templates import fill, inserted
from safer_gym.wrappers.tasks import COST_LIMIT, TASKS

TITLES = {
    5: "Natural performance, under MC and MR, and their average",
    6: "ADV-EM-CVPO: attacking the samples of the replay buffer",
    7: "The bound of the attacked KL",
    8: "Parts of the robust M-step left out",
}
READING = (
    "Deterministic policies at the paper's ε (linf, in units of the observation). Mean ± deviation "
    "over the pooled episodes; in brackets the deviation of the seeds' means. MC and MR climb the "
    "agent's own critics. The strongest of the battery is the attack, of those of certify's "
    "battery (critics and an adversary learned apart from the agent, iterated MC, MAD, random "
    "search, restarts), with the highest mean cost. “Best” is each run's best policy by "
    "reward / 20 - cost, the rule of the public code, chosen on other episodes; “last” is the one "
    f"that training ended with. {UNDECIDED} Red: a mean cost above the limit of {COST_LIMIT:g}. "
    "SAFER learns from benign data alone; SAFER-attacked is ours and trains under attack; "
    "SAFER-paper, from which Tables 7 and 8 start, has the paper's own robust M-step. Training "
    "cost is the sum of the costs of all environment steps, time that of training on one core; "
    "both are means over seeds."
)
CURVES = (
    "Mean of the latest 20 training episodes, exploration and training's own "
    "attacks included; the line is the mean over seeds, the band their lowest and highest. Dashed: "
    "the cost limit."
)


@dataclass(frozen=True)
class Shown:
    """What a page is about."""

    records: Sequence[Record]
    tables: Sequence[int]
    tasks: Sequence[str]
    states: States

    def runs(self) -> list[Record]:
        """The records of its tasks."""
        return [record for record in self.records if record.task in self.tasks]

    @cached_property
    def drawn(self) -> list[list[Record]]:
        """Draws of seeds and episodes, for intervals."""
        return draws(self.runs())

    @cached_property
    def claims(self) -> list[Claim]:
        """Each tried on the runs and on the draws."""
        return claims(self.records, self.tasks, self.drawn)

    @cached_property
    def intervals(self) -> dict[str, list[Row]]:
        """Interquartile means by task."""
        return {task: interval_rows(self.runs(), self.drawn, task) for task in self.tasks}


def render_page(shown: Shown) -> str:
    """The whole HTML document."""
    found = shown.claims
    return fill(
        "reproduction.html",
        "experiments.safer.templates",
        title="The paper's tables, beside ours",
        lead=lead(shown, found),
        reading=READING,
        curves_reading=CURVES,
        signs=MARKS,
        aim={"title": AIM, "reading": AIM_READING, "goals": AIMS, "rows": _aims(shown)},
        claims=_claims(found),
        tasks=[_task(shown, task) for task in shown.tasks],
        runs=[_run(record) for record in shown.runs()],
        cells_of=cells_of,
        effort=effort,
        paper_steps=paper_steps,
    )


def lead(shown: Shown, found: Sequence[Claim]) -> str:
    """How much is known, in a sentence."""
    papers = [claim for claim in found if claim.is_the_papers]
    tried = [claim for claim in papers if claim.ours.verdict != "not run"]
    chosen = sum(claim.ours.verdict == "holds" for claim in tried)
    last = sum(claim.last.verdict == "holds" for claim in tried)
    return (
        f"{len(shown.runs())} runs so far. Of the paper's {len(papers)} claims (one for each task) "
        f"{len(tried)} could be tried; {chosen} hold by the chosen policies, {last} by the last "
        "ones. What SAFER-attacked is held to stands among them and is not counted."
    )


def _aims(shown: Shown) -> list[dict[str, Any]]:
    return [
        {
            "name": f"{TASKS[row.task].title}, {row.method}",
            "seeds": row.seeds,
            "goals": goals_of(row),
        }
        for row in standings(shown.records, shown.tasks)
    ]


def _claims(found: Sequence[Claim]) -> dict[str, Any]:
    """The claims by text, then by task; the paper does not sweep every task."""
    grouped: dict[str, dict[str, Claim]] = {}
    for claim in found:
        grouped.setdefault(claim.text, {})[claim.task] = claim
    return {"tasks": {c.task: TASKS[c.task].title for c in found}, "rows": grouped}


def _task(shown: Shown, task: str) -> dict[str, Any]:
    drawn = panels(shown.records, task)
    without = ", ".join(panel.method for panel in drawn if not panel.paints)
    blocks = {t: blocks_of(shown.records, t, task, shown.states) for t in shown.tables}
    svg = inserted(lambda: figure(shown.records, task))
    return {
        "name": TASKS[task].title,
        "eps": f"{TASKS[task].eps:g}",
        "tables": [_table(number, found) for number, found in blocks.items() if found],
        "intervals": {
            "title": INTERVALS,
            "reading": INTERVALS_READING,
            "table": interval_table(shown.intervals[task]),
            "figure": inserted(lambda: interval_figure(shown.intervals[task])),
        },
        "curves": [(inserted(p.picture), _seeds(p.seeds)) for p in drawn if p.paints],
        "without_curve": f"{NOT_RUN}: {without}" if without else "" if drawn else NOT_RUN,
        "figure": svg,
        "key": key(shown.records, task),
    }


def _seeds(seeds: Sequence[int]) -> str:
    return f"seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}"


def _table(number: int, blocks: Sequence[Block]) -> dict[str, Any]:
    """A table under its title; folded where it would hold the paper's numbers alone."""
    return {
        "title": f"Table {number}. {TITLES[number]}",
        "attacks": [COLUMNS[attack] for attack in attacks_of(number)],
        "blocks": blocks,
        "has_run": has_run(blocks),
        "states": ", ".join(dict.fromkeys(b.state for b in blocks if not b.is_reference)),
        "warnings": [
            f"{block.method}: its seeds differ in {', '.join(differing(block.records))}, too."
            for block in blocks
            if differing(block.records)
        ],
    }


def _run(record: Record) -> tuple[str, list[tuple[str, str, bool]]]:
    title = f"{TASKS[record.task].title}, {record.method}, seed {record.seed}"
    pairs = run_row(record).items()
    return title, [(k.replace("_", " "), str(v), True) for k, v in pairs if v is not None]

"""The tables' contents: for each method our numbers and the paper's, as values and as words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from experiments.harness.records import STRONGEST, Record, seeds_of, select
from experiments.harness.summary import WORST, Summary, summary_of
from experiments.safer.paper import (
    REFERENCES,
    TABLES,
    Published,
    published,
    table_methods,
)
from safer_gym.wrappers.tasks import COST_LIMIT

METRICS = ("reward", "cost")
COLUMNS = {
    "natural": "natural",
    "mc": "MC",
    "mr": "MR",
    "average": "average",
    WORST: "worse of MC, MR",
    STRONGEST: "battery's strongest",
}
NOT_RUN = "not run"
NOT_MEASURED = "not measured"

States = Mapping[tuple[str, str], str]
"""By task and method: why there is nothing, such as a failure."""


class Block(NamedTuple):
    """A method in a table."""

    table: int
    task: str
    method: str
    records: Sequence[Record]
    state: str
    """What to say where there are no records."""

    def ours(self, attack: str, metric: str, policy: str = "best") -> Summary | None:
        """Our number, of the best or of the last policies."""
        return summary_of(self.records, attack, metric, policy)

    def paper(self, attack: str, metric: str) -> Published | None:
        """The paper's number."""
        return published(self.task, self.method, attack, metric)

    @property
    def is_reference(self) -> bool:
        """Whether it is another table's row, here to be read against."""
        return self.method in REFERENCES[self.table]

    def seeds(self) -> str:
        """The seeds that ran."""
        return seeds_of(self.records)


def attacks_of(table: int) -> tuple[str, ...]:
    """The columns of a table."""
    return (WORST, STRONGEST) if table == 7 else ("natural", "mc", "mr", "average", STRONGEST)


def blocks_of(
    records: Sequence[Record], table: int, task: str, states: States | None = None
) -> list[Block]:
    """The rows of a table for a task; what else was run stands below Table 5."""
    names = list(table_methods(table, task))
    if table == 5 and names:
        listed = {name for t in TABLES for name in table_methods(t, task)}
        names += sorted({r.method for r in records if r.task == task and not r.names & listed})
    states = states or {}
    return [
        Block(table, task, name, select(records, task, name), states.get((task, name), NOT_RUN))
        for name in names
    ]


def has_run(blocks: Sequence[Block]) -> bool:
    """Whether a table has numbers of ours in a row of its own."""
    return any(block.records for block in blocks if not block.is_reference)


def over(number: Summary | Published | None, metric: str) -> bool:
    """Whether it is a mean cost above the limit."""
    return number is not None and metric == "cost" and number.mean > COST_LIMIT


class Cell(NamedTuple):
    """A number of a table as the page and Markdown print it."""

    text: str
    seeds: str = ""
    """Deviation over seeds."""
    by: str = ""
    """Which attack it was, where the column does not say."""
    style: str = ""
    """ "over": a mean cost above the limit; "empty": not measured."""

    def plain(self) -> str:
        """The cell in one line."""
        return " ".join([self.text, *(f"({part})" for part in (self.seeds, self.by) if part)])


def cells_of(block: Block, policy: str) -> list[Cell]:
    """The cells of a row: our "best" or "last" policies, or the "paper"."""
    attacks = attacks_of(block.table)
    return [_cell(block, attack, metric, policy) for attack in attacks for metric in METRICS]


def _cell(block: Block, attack: str, metric: str, policy: str) -> Cell:
    paper = policy == "paper"
    number = block.paper(attack, metric) if paper else block.ours(attack, metric, policy)
    if number is None:
        unmeasured = policy == "best" or (policy == "last" and attack != STRONGEST)
        return Cell(NOT_MEASURED, style="empty") if unmeasured else Cell("")
    named = attack == STRONGEST and metric == "cost" and policy == "best"
    spread = number.seeds_std if isinstance(number, Summary) else None
    return Cell(
        f"{number.mean:.1f} ± {number.std:.1f}",
        "" if spread is None else f"seeds ± {spread:.1f}",
        strongest_names(block.records) if named else "",
        "over" if over(number, metric) else "",
    )


def strongest_names(records: Sequence[Record]) -> str:
    """Which of the battery's attacks was the strongest, seed by seed."""
    found = (record.episodes(STRONGEST) for record in records)
    return ", ".join(dict.fromkeys(str(f["attack"]) for f in found if f))


def csv_rows(blocks: Sequence[Block]) -> Iterator[dict[str, object]]:
    """A line for each number, whether it was run or not."""
    for block in blocks:
        for policy in ("best", "last"):
            for attack in attacks_of(block.table):
                for metric in METRICS:
                    yield _csv_row(block, policy, attack, metric)


def _csv_row(block: Block, policy: str, attack: str, metric: str) -> dict[str, object]:
    ours, paper = block.ours(attack, metric, policy), block.paper(attack, metric)
    return {
        "table": block.table,
        "task": block.task,
        "method": block.method,
        "policy": policy,
        "attack": attack,
        "metric": metric,
        "mean": "" if ours is None else round(ours.mean, 3),
        "std_episodes": "" if ours is None else round(ours.std, 3),
        "std_seeds": "" if ours is None or ours.seeds_std is None else round(ours.seeds_std, 3),
        "seeds": "" if ours is None else ours.seeds,
        "episodes": "" if ours is None else ours.episodes,
        "paper_mean": "" if paper is None else paper.mean,
        "paper_std": "" if paper is None else paper.std,
    }

"""The reproduction as a page and in Markdown."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from experiments.harness.finding import MARKS
from experiments.harness.pages import claims_table, lead, missing, run_facts
from experiments.harness.records import Record
from experiments.harness.reproduce import States
from experiments.harness.resampling import UNDECIDED, draws
from experiments.skills.ablation_pictures import CAPTION, ablated, ablations_picture
from experiments.skills.claims import Claim, claims
from experiments.skills.methods import TIMESTEPS, UNSAFE_WITHIN
from experiments.skills.pictures import CAPTIONS, priors_picture, training_picture
from experiments.skills.priors import STEPS
from experiments.skills.tables import (
    BOUNDS_TITLE,
    PAPER_TASKS_TITLE,
    PAPER_TITLE,
    PRIORS_TITLE,
    RUNS_TITLE,
    bounds_table,
    paper_table,
    paper_tasks_table,
    priors_table,
    runs_table,
)
from experiments.skills.worlds import BLUR
from safer_gym.conformance.figures.svg import standalone
from safer_gym.conformance.files import write_atomically
from safer_gym.conformance.report.certificate.markdown import table
from safer_gym.conformance.report.certificate.tables import Table
from safer_gym.conformance.report.templates import fill, inserted
from safer_gym.wrappers.tasks import TASKS

PAGE, TEXT = "index.html", "README.md"
TITLE = "SkillSAFER: safe skill priors on the Operation suite"
READING = (
    "Scaled: own arm and containers, a state observation with a container whose size is blurred by "
    f"{100 * BLUR:g} cm at every step, {STEPS:,} scripted steps, {TIMESTEPS:,} steps of SAC for "
    "each run (the paper: images, 1,000,000 and 50,000). All methods have the same SAC. Latent "
    "actions lie in (-1, 1), as in PARROT's code; with SkillSAFER within the bound that Algorithm "
    f"3, in its exact form, finds for the run's own prior and labels: {UNSAFE_WITHIN:.0%} of the "
    "held-out steps inside are unsafe. "
    "Every policy is the last of its training, chosen by nothing, and acts by its mode. A "
    "violation is a step in which the arm touches the container. The seed of a run is that of its "
    "prior, too. SkillSAFER learns from every step with contact as unsafe, as the paper does; "
    "SkillSAFER(onset) from the first step of each contact; for SkillSAFER(recovery), ours, the "
    "later steps of a contact are safe where the episode succeeds, since they lead out of it; "
    "SkillSAFER(kl=0.3), ours, counts three tenths of the safety variable's KL. " + UNDECIDED
)
PRIORS = "Priors"


class Section(NamedTuple):
    """A part of the page."""

    name: str
    tables: list[tuple[str, Table]]
    picture: Callable[[], str]
    caption: str
    file: str


def write_page(
    folder: Path,
    priors: Sequence[dict[str, Any]],
    records: Sequence[Record],
    tasks: Sequence[str],
    states: States,
) -> Path:
    """Write page, Markdown and pictures into a folder, and return the page's path.

    Raises:
        OSError: a file could not be written; the file of that name is as it was.
    """
    shown = [r for r in records if r.task in tasks]
    found = claims(priors, shown, tasks, draws(shown))
    sections = _sections(priors, shown, tasks)
    for section in sections:
        svg = _drawn(section)
        if svg:
            write_atomically(folder / section.file, standalone(svg))
    lines = _lines(len(shown), found, states, sections)
    write_atomically(folder / TEXT, "\n".join(lines) + "\n")
    write_atomically(folder / PAGE, _page(shown, found, states, sections))
    return folder / PAGE


def _sections(
    priors: Sequence[dict[str, Any]], records: Sequence[Record], tasks: Sequence[str]
) -> list[Section]:
    of_priors = [(PRIORS_TITLE, priors_table(priors)), (BOUNDS_TITLE, bounds_table(priors))]
    drawn = partial(priors_picture, priors)
    first = Section(PRIORS, of_priors, drawn, CAPTIONS["priors"], "priors.svg")
    published = [(PAPER_TITLE, paper_table()), (PAPER_TASKS_TITLE, paper_tasks_table())]
    paper = Section("The paper", published, lambda: "", "", "paper.svg")
    return (
        [first, paper]
        + [
            Section(
                TASKS[task].title,
                [(RUNS_TITLE, runs_table(records, task))],
                partial(training_picture, records, task),
                CAPTIONS["training"],
                f"training-{task}.svg",
            )
            for task in tasks
        ]
        + [
            Section(
                f"{TASKS[task].title}: ablations",
                [],
                partial(ablations_picture, records, task),
                CAPTION,
                f"ablations-{task}.svg",
            )
            for task in tasks
            if ablated(records, task)
        ]
    )


def _drawn(section: Section) -> str:
    try:
        return section.picture()
    except ModuleNotFoundError:  # matplotlib; the page says so
        return ""


def _page(
    records: Sequence[Record], found: Sequence[Claim], states: States, sections: Sequence[Section]
) -> str:
    return fill(
        "skills.html",
        "experiments.skills.templates",
        title=TITLE,
        lead=" ".join([lead(len(records), found), *missing(states, _title)]),
        reading=READING,
        signs=MARKS,
        claims=[{"text": c.text, "where": _title(c.task), "ours": c.ours} for c in found],
        sections=[
            {
                "name": section.name,
                "tables": [{"title": t, "content": c} for t, c in section.tables],
                "picture": inserted(section.picture),
                "caption": section.caption,
            }
            for section in sections
        ],
        runs=[run_facts(record, _title) for record in records],
    )


def _lines(
    runs: int, found: Sequence[Claim], states: States, sections: Sequence[Section]
) -> Iterator[str]:
    made_by = "Made by `python -m experiments reproduce --paper skills`."
    yield f"# {TITLE}\n\n{lead(runs, found)} {made_by}\n\n{READING}\n"
    yield from (f"{line}\n" for line in missing(states, _title))
    tried = claims_table(found, "where", _title)
    if tried.rows:
        yield f"## The paper's claims\n\n{table(tried)}\n"
    for section in sections:
        yield f"## {section.name}\n"
        for title, content in section.tables:
            yield f"{title}.\n\n{table(content)}\n"
        if _drawn(section):
            yield f"![{section.name}]({section.file})\n\n{section.caption}\n"


def _title(task: str) -> str:
    return TASKS[task].title if task else PRIORS

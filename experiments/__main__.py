"""`python -m experiments`: run a paper's tables and put our numbers beside its own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from experiments.drac.reproduce import PAPER as DRAC
from experiments.elsewhere.reproduce import PAPER as ELSEWHERE
from experiments.harness.reproduce import Asked, run_reproduce
from experiments.safer.reproduce import PAPER as SAFER
from experiments.skills.reproduce import PAPER as SKILLS
from safer_gym.choices import choose
from safer_gym.conformance.cli.options import Episodes, Json
from safer_gym.conformance.cli.refusals import RefusingGroup

PAPERS = {"safer": SAFER, "drac": DRAC, "skills": SKILLS, "elsewhere": ELSEWHERE}

app = typer.Typer(
    name="experiments",
    cls=RefusingGroup,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="What reproduces the papers; run it from a checkout.",
)


@app.callback()
def experiments() -> None:
    """What reproduces the papers; run it from a checkout."""


@app.command()
def reproduce(
    paper: Annotated[
        str, typer.Option(help="safer, drac, skills, or elsewhere: our defaults.")
    ] = "safer",
    table: Annotated[str, typer.Option(help="5, 6, 7, 8, several of them, or all.")] = "",
    figure: Annotated[str, typer.Option(help="2: run what Figure 2 shows.")] = "",
    task: Annotated[str, typer.Option(help="Tasks of the paper, or all; default its first.")] = "",
    methods: Annotated[
        str, typer.Option(help="Only these, by the paper's names, e.g. SAFER,CVPO-vanilla.")
    ] = "",
    seeds: Annotated[str, typer.Option(help="Seeds of the trainings.")] = "0,1,2",
    timesteps: Annotated[int, typer.Option(help="Environment steps; 0: the recipes'.")] = 0,
    episodes: Episodes = 50,
    battery: Annotated[
        str, typer.Option(help="quick, standard, full, or none: attacks beyond the paper's.")
    ] = "standard",
    workers: Annotated[int, typer.Option(min=0, help="Runs at once; 0: one for each CPU.")] = 0,
    ray: Annotated[
        str, typer.Option(help="A Ray cluster: its address, auto, or local for one here.")
    ] = "",
    out: Annotated[Path, typer.Option(help="Folder of page, tables and runs.")] = Path(
        "runs/reproduction"
    ),
    records: Annotated[
        Path | None, typer.Option(help="Folder of the finished runs' records; default OUT/records.")
    ] = None,
    collect: Annotated[
        list[Path] | None,
        typer.Option(help="A finished folder of `train` to measure and add; may be repeated."),
    ] = None,
    run: Annotated[bool, typer.Option(help="Run what is missing, or only write.")] = True,
    as_json: Json = False,
) -> None:
    """Run a paper's tables and put our numbers beside its own; the same command resumes."""
    chosen = PAPERS[choose("paper", paper, PAPERS)]
    asked = Asked(
        table,
        figure,
        task,
        methods,
        seeds,
        timesteps,
        episodes,
        battery,
        workers,
        ray,
        out,
        records,
        collect or [],
        run,
    )
    run_reproduce(chosen, asked, as_json=as_json)


if __name__ == "__main__":
    app()

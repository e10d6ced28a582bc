"""Options and help texts of `export`, `card`, `compare` and `leaderboard`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from safer_gym.conformance.cli.options import (
    CertificatePath,
    Channel,
    CostOption,
    EnvArg,
    EnvOption,
    Episodes,
    Eps,
    Json,
    MaxSteps,
    Model,
    Norm,
    Seed,
    Trust,
    VecNormalizeFile,
    typed,
)


def export(
    model: Model,
    out: Annotated[
        list[Path],
        typer.Option(help="File to write: .onnx or .pt (TorchScript); may be repeated."),
    ],
    env: EnvOption = "",
    trust: Trust = False,
    vec_normalize: VecNormalizeFile = "",
    as_json: Json = False,
    cost: CostOption = "",
    max_steps: MaxSteps = None,
    env_arg: EnvArg = None,
) -> None:
    """Write a policy as ONNX or TorchScript, with its normaliser inside, and compare the two.

    A JSON file of the same name is written beside it; it says which noise is not inside.
    """
    given = typed(locals())
    from safer_gym.conformance.cli.publishing import run_export

    run_export(**given)


def card(
    certificate: CertificatePath,
    out: Annotated[
        Path | None, typer.Option(help="File to write, such as README.md; default: print it.")
    ] = None,
    name: Annotated[str, typer.Option(help="What to call the model.")] = "",
    licence: Annotated[
        str, typer.Option("--license", help="The Hub's word for the licence, e.g. mit.")
    ] = "",
    library: Annotated[
        str, typer.Option(help="What loads the model, e.g. stable-baselines3 or onnx.")
    ] = "",
    annex: Annotated[
        bool,
        typer.Option(
            "--annex",
            help="Add an annex for assessors: clause by clause, what the certificate shows.",
        ),
    ] = False,
) -> None:
    """Write a certificate as a model card, with metadata as model hubs read it."""
    from safer_gym.conformance.cli.publishing import run_card

    run_card(certificate, out, name=name, licence=licence, library=library, annex=annex)


Side = Annotated[
    str,
    typer.Argument(help="A policy, as for `evaluate`, or several, comma-separated: one a seed."),
]


def compare(
    a: Side,
    b: Side,
    env: EnvOption = "",
    margin: Annotated[
        float, typer.Option(min=0, help="By how much B may be worse, in units of --metric.")
    ] = 0.0,
    metric: Annotated[str, typer.Option(help="What worse means: cost, rate or reward.")] = "cost",
    attacks: Annotated[
        str, typer.Option(help="The worst case is each policy's costliest of these, or of none.")
    ] = "mc,mr",
    eps: Eps = "",
    norm: Norm = "linf",
    limit: Annotated[
        float | None, typer.Option(help="Cost above which an episode fails; default: the task's.")
    ] = None,
    episodes: Episodes = 50,
    search_episodes: Annotated[
        int, typer.Option(min=1, help="Other episodes, on which the worst attack is chosen.")
    ] = 10,
    confidence: Annotated[float, typer.Option(help="Of each interval.")] = 0.95,
    seed: Seed = 0,
    channel: Channel = "observation",
    trust: Trust = False,
    as_json: Json = False,
    cost: CostOption = "",
    max_steps: MaxSteps = None,
    env_arg: EnvArg = None,
) -> None:
    """Is B worse than A? Paired episodes; exit 0 no, 1 yes, by more than the margin, 2 open."""
    given = typed(locals())
    from safer_gym.conformance.cli.compare import run_compare

    run_compare(n_episodes=given.pop("episodes"), **given)


def leaderboard(
    folder: Annotated[Path, typer.Argument(help="A folder of certificates, searched below too.")],
    out: Annotated[
        Path | None, typer.Option(help="The page; default: index.html in the folder.")
    ] = None,
) -> None:
    """Write a page on which all certificates of a folder stand beside each other."""
    from safer_gym.conformance.cli.publishing import run_leaderboard

    run_leaderboard(folder, out)

"""Options and help texts of the commands that publish a policy: `export` and `card`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from safer_gym.conformance.cli.commands import (
    CertificatePath,
    CostOption,
    EnvArg,
    EnvOption,
    Json,
    MaxSteps,
    Model,
    Trust,
    VecNormalizeFile,
    environment_words,
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
    from safer_gym.conformance.cli.publishing import run_export

    words = environment_words(env, cost, max_steps, env_arg)
    run_export(model, out, words, trust=trust, vec_normalize=vec_normalize, as_json=as_json)


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

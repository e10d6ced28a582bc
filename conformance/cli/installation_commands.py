"""Options and help texts of `doctor` and `selfcheck`."""

from __future__ import annotations

from typing import Annotated

import typer

from safer_gym.conformance.cli.options import (
    Json,
)


def doctor(as_json: Json = False) -> None:
    """Say what is installed and with how many threads it runs, and try it for ten seconds."""
    from safer_gym.conformance.cli.doctor import run_doctor

    run_doctor(as_json=as_json)


def selfcheck(
    areas: Annotated[
        str, typer.Option(help="Some areas, comma-separated, e.g. theory,statistics; default all.")
    ] = "",
    verbose: Annotated[bool, typer.Option("--verbose", help="The evidence of each check.")] = False,
    as_json: Json = False,
) -> None:
    """Try this installation against closed forms.

    Random problems and wrong versions of the code are in the repository's tests, not in here.
    """
    from safer_gym.conformance.cli.selfcheck import run_selfcheck

    run_selfcheck(areas, as_json=as_json, verbose=verbose)

"""What keeps the commands quiet: `--quiet`, and a dead package's advertisement left out."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from contextlib import suppress
from typing import Annotated, Any

import typer

Quiet = Annotated[
    bool, typer.Option("--quiet", help="No progress and no notes, only results and errors.")
]


def with_quiet(command: Callable[..., None]) -> Callable[..., None]:
    """The command with an option `--quiet`."""

    @functools.wraps(command)
    def quietly(*args: Any, quiet: bool = False, **options: Any) -> None:
        from safer_gym.conformance.cli.output import stderr

        stderr.quiet = quiet
        command(*args, **options)

    signature = inspect.signature(command, eval_str=True)
    kind = inspect.Parameter.KEYWORD_ONLY
    own = inspect.Parameter("quiet", kind, default=False, annotation=Quiet)
    parameters = [*signature.parameters.values(), own]
    quietly.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    quietly.__annotations__ = {part.name: part.annotation for part in parameters}
    return quietly


def silence_gym_notice() -> None:
    """Bullet-Safety-Gym depends on `gym`, which prints a notice when anything imports it."""
    with suppress(ImportError):
        from gym_notices.notices import notices

        notices.clear()

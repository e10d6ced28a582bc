"""Exit codes by the class of an error.

3: wrong usage, whether the option parser, the library, Gymnasium or the file system refused it.
4: a bug, or a disk that takes nothing more.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import typer
from typer.core import TyperGroup

from safer_gym.conformance.cli.encoding import print_anywhere
from safer_gym.conformance.extensions import load_extensions
from safer_gym.conformance.formatting import printable

WRONG_USAGE = 3
CRASHED = 4
GATE_REFUSED = 1
SHOW_TRACEBACK = "SAFER_GYM_TRACEBACK"


class RefusingGroup(TyperGroup):
    """A command group whose usage errors end with exit code 3, leaving 1 and 2 to verdicts."""

    def make_context(self, *args: Any, **kwargs: Any) -> Any:
        print_anywhere()
        with _refusals():
            load_extensions()
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: Any) -> Any:
        with _refusals():
            return super().invoke(ctx)


REFUSALS = (
    ValueError,
    TypeError,
    ImportError,
    FileNotFoundError,
    IsADirectoryError,
    NotADirectoryError,
    PermissionError,
)
"""Say that what was typed cannot be done; so do Gymnasium's errors, told by their home."""


def exit_code(error: BaseException) -> int:
    """The exit code of a command that ends with this error."""
    from_gymnasium = any(kind.__module__ == "gymnasium.error" for kind in type(error).__mro__)
    from_parser = hasattr(error, "format_message")
    refused = isinstance(error, REFUSALS) or from_gymnasium or from_parser
    return WRONG_USAGE if refused else CRASHED


@contextmanager
def _refusals() -> Iterator[None]:
    """The library's own refusals become one line on stderr; set SAFER_GYM_TRACEBACK=1 for more."""
    try:
        yield
    except (typer.Exit, typer.Abort):
        raise
    except Exception as error:
        code = exit_code(error)
        if hasattr(error, "format_message"):
            error.exit_code = code  # type: ignore[attr-defined]
            raise
        if code == WRONG_USAGE and os.environ.get(SHOW_TRACEBACK):
            raise
        if code == CRASHED and not isinstance(error, OSError):
            traceback.print_exc()
        else:
            saved = "; what had been saved before is untouched" if code == CRASHED else ""
            print(printable(f"Error: {error}{_advice(error)}{saved}"), file=sys.stderr)
        raise typer.Exit(code) from error


def _advice(error: Exception) -> str:
    if not isinstance(error, ImportError):
        return ""
    from safer_gym.conformance.cli.extras import advice

    return advice(error)

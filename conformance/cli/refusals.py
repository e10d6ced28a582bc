"""Exit codes: wrong usage is 3, whether the option parser or the library refused it.

A bug, or a disk that takes nothing more, is 4.
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

from safer_gym.conformance.extensions import load_extensions

WRONG_USAGE = 3
CRASHED = 4
GATE_REFUSED = 1
SHOW_TRACEBACK = "SAFER_GYM_TRACEBACK"


class RefusingGroup(TyperGroup):
    """A command group whose usage errors end with exit code 3, leaving 1 and 2 to verdicts."""

    def make_context(self, *args: Any, **kwargs: Any) -> Any:
        with _refusals():
            load_extensions()
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: Any) -> Any:
        with _refusals():
            return super().invoke(ctx)


@contextmanager
def _refusals() -> Iterator[None]:
    """The library's own refusals become one line on stderr; set SAFER_GYM_TRACEBACK=1 for more."""
    try:
        yield
    except (ValueError, TypeError, FileNotFoundError, ImportError) as error:
        if os.environ.get(SHOW_TRACEBACK):
            raise
        print(f"Error: {error}", file=sys.stderr)
        raise typer.Exit(WRONG_USAGE) from error
    except (typer.Exit, typer.Abort):
        raise
    except OSError as error:
        print(f"Error: {error}; what had been saved before is untouched", file=sys.stderr)
        raise typer.Exit(CRASHED) from error
    except Exception as error:
        if hasattr(error, "format_message"):
            error.exit_code = WRONG_USAGE  # type: ignore[attr-defined]
            raise
        traceback.print_exc()
        raise typer.Exit(CRASHED) from error

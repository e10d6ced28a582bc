"""Writes the reference of the command line from the commands themselves."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

from typer.models import OptionInfo

from safer_gym.conformance.cli.main import EXIT_CODES, app


def write_commands(page: Path) -> None:
    """Write the page, unless it says so already: an unchanged page is not built again."""
    text = "\n".join(_lines()) + "\n"
    if not page.exists() or page.read_text() != text:
        page.write_text(text)


def _lines() -> Iterator[str]:
    yield "# Commands\n"
    yield f"{EXIT_CODES} Every command has `--help`.\n"
    for command in app.registered_commands:
        function: Any = command.callback
        yield f"## safer-gym {function.__name__}\n"
        yield f"{inspect.getdoc(function)}\n"
        yield "| | takes | default | |\n|---|---|---|---|"
        yield from map(_row, inspect.signature(function).parameters.values())
        yield ""


def _row(part: inspect.Parameter) -> str:
    kind, told = get_args(part.annotation)[:2]
    is_option = isinstance(told, OptionInfo)
    flag = f"--{part.name.replace('_', '-')}"
    # In Annotated, typer keeps the first of an option's names where a default could stand.
    given = [name for name in (told.default, *(told.param_decls or ())) if isinstance(name, str)]
    if kind is bool and not given:
        flag = f"{flag} / --no-{part.name}"
    names = ", ".join(given or [flag]) if is_option else part.name.upper()
    default = "needed" if part.default is inspect.Parameter.empty else part.default
    shown = "" if default is None or default is False or default == "" else f"`{default}`"
    takes = {bool: "", str: "text", int: "number", float: "number", Path: "path"}
    words = [takes.get(each, "") for each in get_args(kind) or (kind,)]
    cells = [f"`{names}`", next(filter(None, words), ""), shown, told.help or ""]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"

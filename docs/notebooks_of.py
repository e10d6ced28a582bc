"""Tutorials as notebooks: a page's files are written by its cells, its commands are run by them.

Other Python of a page shows how a call looks; it stays text, since it does not run by itself.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

TUTORIALS = (
    "your-environment",
    "discrete-actions",
    "observations",
    "disturbances",
    "behind-a-shield",
    "skills-from-data",
)
FENCE = re.compile(r"```(python file=(?P<file>\S+)|sh)\n(?P<code>.*?)```\n?", re.DOTALL)
LINK = re.compile(r"\]\((?!https?:)(?P<page>[^)]+)\)")


def notebook(text: str) -> dict[str, Any]:
    """The notebook (nbformat 4.5) of a page in Markdown."""
    cells: list[dict[str, Any]] = []
    end = 0
    for found in FENCE.finditer(text):
        _add(cells, "markdown", text[end : found.start()])
        code = found["code"]
        if found["file"]:
            code = f"%%writefile {found['file']}\n{code}"
        else:
            code = "".join(f"!{line}\n" for line in code.splitlines())
        _add(cells, "code", code)
        end = found.end()
    _add(cells, "markdown", text[end:])
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return {"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}


def write_notebooks(docs: Path) -> None:
    """Write the notebook of every tutorial into the folder notebooks."""
    for name in TUTORIALS:
        made = notebook((docs / f"{name}.md").read_text())
        path = docs / "notebooks" / f"{name}.ipynb"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(made, indent=1) + "\n")


def _add(cells: list[dict[str, Any]], kind: str, text: str) -> None:
    text = text.strip("\n")
    if not text:
        return
    if kind == "markdown":
        text = LINK.sub("]", text)  # the pages are not beside the notebook
    more: dict[str, Any] = {} if kind == "markdown" else {"execution_count": None, "outputs": []}
    source = text.splitlines(keepends=True)
    cells.append(
        {"cell_type": kind, "id": f"cell-{len(cells)}", "metadata": {}, "source": source, **more}
    )

"""The pages: no link leads nowhere, each page is on the site, and their Python can be read."""

from __future__ import annotations

import ast
import re
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from test_layout import ROOT

DOCS = ROOT / "docs"
PAGES = sorted([*DOCS.rglob("*.md"), *ROOT.glob("*.md"), *(ROOT / "examples").rglob("*.md")])
LINK = re.compile(r"\]\((?!https?:|mailto:)([^)#\s]*)(#[^)\s]*)?\)")


def of_docs(name: str) -> Any:
    """A module that lies beside the pages."""
    sys.path.insert(0, str(DOCS))
    try:
        return import_module(name)
    finally:
        sys.path.remove(str(DOCS))


TUTORIALS = of_docs("notebooks_of").TUTORIALS
BUILT = {"reference/commands.md", *(f"notebooks/{name}.ipynb" for name in TUTORIALS)}
"""Written when the site is built."""


def anchors(page: Path) -> set[str]:
    """Of the headings, as GitHub and MyST make them."""
    heads = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {"-".join(re.sub(r"[^\w\- ]", "", head.lower()).split(" ")) for head in heads}


def broken(page: Path) -> list[str]:
    """Links of a page that lead nowhere."""
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    found = []
    for target, anchor in LINK.findall(text):
        place = (page.parent / target).resolve() if target else page
        if not place.exists() and target not in BUILT:
            found.append(target)
        elif anchor and place.suffix == ".md" and anchor[1:] not in anchors(place):
            found.append(target + anchor)
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_no_link_leads_nowhere(page: Path) -> None:
    assert broken(page) == []


def test_a_broken_link_is_seen(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# One head\n[a](#one-head) [b](nowhere.md) [c](page.md#two) [d](https://e.org)"
    )
    assert broken(page) == ["nowhere.md", "page.md#two"]


def test_every_page_is_on_the_site() -> None:
    trees = re.findall(r"```\{toctree\}\n(.*?)```", (DOCS / "index.md").read_text(), re.DOTALL)
    listed = {line for tree in trees for line in tree.splitlines() if line and line[0] != ":"}
    assert listed >= {page.stem for page in DOCS.glob("*.md")} - {"index"}


@pytest.mark.parametrize("page", sorted(DOCS.glob("*.md")), ids=lambda page: page.stem)
def test_the_python_of_a_page_can_be_read(page: Path) -> None:
    for block in re.findall(r"```python[^\n]*\n(.*?)```", page.read_text(), re.DOTALL):
        ast.parse(block)


def test_the_commands_page_names_every_command(tmp_path: Path) -> None:
    write_commands = of_docs("commands_page").write_commands
    from safer_gym.conformance.cli.main import app

    write_commands(tmp_path / "commands.md")
    text = (tmp_path / "commands.md").read_text()
    for command in app.registered_commands:
        assert f"## safer-gym {command.callback.__name__}\n" in text  # type: ignore[union-attr]
    assert "| `--max-cost` | number |" in text
    assert "| `--env, --task` | text |" in text

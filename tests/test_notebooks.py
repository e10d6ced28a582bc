"""The tutorials as notebooks: their code is what the tutorials' tests run, and one is executed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from test_docs import DOCS, TUTORIALS, of_docs
from test_layout import ROOT
from tutorials import commands, environment, files, with_commands

MAGIC = "%%writefile "
EXECUTED = "behind-a-shield"


def notebook(name: str) -> Any:
    """As the site's build writes it."""
    return of_docs("notebooks_of").notebook((DOCS / f"{name}.md").read_text())


def code_of(made: Any) -> list[str]:
    """The sources of its code cells."""
    return ["".join(cell["source"]) for cell in made["cells"] if cell["cell_type"] == "code"]


@pytest.mark.parametrize("name", TUTORIALS)
def test_a_notebook_has_the_code_that_is_tested_and_no_other(name: str) -> None:
    made = notebook(name)
    written, run = {}, []
    for code in code_of(made):
        first, *rest = code.splitlines()
        if first.startswith(MAGIC):
            written[first.removeprefix(MAGIC)] = "\n".join([*rest, ""])
        else:
            run += [first, *rest]
    assert run == [f"!{command}" for command in commands(f"{name}.md")]
    assert written == files(f"{name}.md")
    assert len({cell["id"] for cell in made["cells"]}) == len(made["cells"])
    assert {cell["cell_type"] for cell in made["cells"]} == {"markdown", "code"}


def test_every_tutorial_is_run_by_a_test() -> None:
    tests = "".join(path.read_text() for path in (ROOT / "tests").glob("test_*.py"))
    for name in TUTORIALS:
        assert f'page = "{name}.md"' in tests


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of the notebooks' own packages
def test_a_notebook_runs_from_its_first_cell_to_its_last(tmp_path: Path) -> None:
    nbclient, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")
    pytest.importorskip("ipykernel")
    made = nbformat.reads(json.dumps(notebook(EXECUTED)), as_version=4)
    nbformat.validate(made)
    failed = nbformat.v4.new_code_cell("assert _exit_code == 0, _exit_code")  # of the last line
    cells = [[cell, failed] if cell["source"][:1] == "!" else [cell] for cell in made.cells]
    made.cells = [cell for pair in cells for cell in pair]
    env = {**environment(with_commands(tmp_path)), "IPYTHONDIR": str(tmp_path / "ipython")}
    place = {"metadata": {"path": str(tmp_path)}}
    nbclient.NotebookClient(made, timeout=1800, resources=place).execute(env=env)
    said = " ".join(
        output.get("text", "") for cell in made.cells for output in cell.get("outputs", ())
    )
    assert "Writing boat.py" in said
    assert "holds=True" in said
    assert "PASS P(cost > 0) <= 0.3 at eps = 0.2" in " ".join(said.split())

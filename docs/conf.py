"""The documentation site: Sphinx, its pages in MyST's Markdown, its look by furo.

Why these: Sphinx generates the reference from docstrings and fails on a broken link or a missing
name; MyST keeps every page plain Markdown, which reads as well in the repository; furo works on a
narrow screen and without a server. All three have been kept for years by more than one person.
"""

from __future__ import annotations

import inspect
import os
import re
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE)]

from commands_page import write_commands  # noqa: E402
from notebooks_of import write_notebooks  # noqa: E402

import safer_gym  # noqa: E402

project = "safer-gym"
author = "The safer-gym authors"
version = release = safer_gym.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
exclude_patterns = ["_build", "notebooks"]
html_theme = "furo"
html_title = f"safer-gym {release}"
html_static_path: list[str] = []
html_show_sourcelink = False
html_copy_source = False

myst_heading_anchors = 3
myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
REPOSITORY = os.environ.get("REPOSITORY", "")
"""Where the repository's files are shown, to which links that leave docs/ lead; "" leaves them out.
tests/test_docs.py checks that they lead somewhere."""
suppress_warnings = [] if REPOSITORY else ["myst.xref_missing"]

smartquotes = False  # it would make a dash of an option's --
default_role = "code"
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_default_options = {"members": True, "undoc-members": False, "show-inheritance": True}
autodoc_preserve_defaults = True
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_rtype = False


MARKUP = re.compile(r"([\\*|]|_(?= ))")


def _plain(app: Any, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    """Docstrings are plain text with code in backticks: nothing else of theirs is markup."""
    for number, line in enumerate(lines):
        pieces = line.split("`")
        pieces[::2] = [MARKUP.sub(r"\\\1", piece) for piece in pieces[::2]]
        lines[number] = "`".join(pieces)


def _skip(app: Any, what: str, name: str, thing: Any, skip: bool, options: Any) -> bool:
    """Fields of a NamedTuple stand in its signature; what Stable-Baselines3 brings, in its docs."""
    inherited = inspect.isfunction(thing) and not thing.__module__.startswith("safer_gym")
    return skip or name in ("count", "index") or inherited


def _leads_out(app: Any, page: str, source: list[str]) -> None:
    """Links to files beside docs/ lead into the repository."""
    if REPOSITORY:
        source[0] = re.sub(r"\]\(\.\./", f"]({REPOSITORY}/blob/main/", source[0])


def setup(app: Any) -> None:
    """Sphinx's door."""
    app.connect("source-read", _leads_out)
    app.connect("builder-inited", lambda app: write_commands(HERE / "reference" / "commands.md"))
    app.connect("builder-inited", lambda app: write_notebooks(HERE))
    app.connect("autodoc-process-docstring", _plain)
    app.connect("autodoc-skip-member", _skip)

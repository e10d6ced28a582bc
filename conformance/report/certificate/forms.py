"""All forms of a certificate's report, by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

from safer_gym.choices import choose
from safer_gym.conformance.files import write_atomically
from safer_gym.conformance.report.certificate.badge import render_badge
from safer_gym.conformance.report.certificate.junit import render_junit
from safer_gym.conformance.report.certificate.markdown import render_markdown
from safer_gym.conformance.report.certificate.page import render_page
from safer_gym.conformance.report.certificate.sarif import render_sarif


class Form(NamedTuple):
    """One form: what its file is called, and what writes it."""

    file: str
    render: Callable[[Any], str]


FORMS: dict[str, Form] = {}
"""What is registered, by the name that every command knows."""


def register_form(name: str, file: str, render: Callable[[Any], str]) -> None:
    """Let every command write a form of the report.

    Args:
        name: how it is asked for.
        file: what its file is called.
        render: the text, from a certificate's JSON dict; ValueError where it is none.

    Raises:
        ValueError: another form has the name or the file.
    """
    form = Form(file, render)
    for other, known in FORMS.items():
        if (other == name or known.file == file) and (other, known) != (name, form):
            raise ValueError(f"a form named {other!r} writes {known.file!r} already")
    FORMS[name] = form


register_form("html", "certificate.html", render_page)
register_form("markdown", "certificate.md", render_markdown)
register_form("badge", "badge.svg", render_badge)
register_form("junit", "junit.xml", render_junit)
register_form("sarif", "certificate.sarif", render_sarif)


def render(certificate: Any, form: str = "html") -> str:
    """A certificate's JSON dict in one form of FORMS.

    Raises:
        ValueError: an unknown form, or no certificate.
    """
    return FORMS[choose("form", form, FORMS)].render(certificate)


def write_reports(certificate: Any, folder: Path, forms: Iterable[str] = FORMS) -> list[Path]:
    """Write the forms into a folder; returns their paths.

    Raises:
        ValueError: an unknown form, or no certificate.
        OSError: a file could not be written; the file of that name is as it was.
    """
    texts = {form: render(certificate, form) for form in forms}
    for form, text in texts.items():
        write_atomically(folder / FORMS[form].file, text)
    return [folder / FORMS[form].file for form in texts]

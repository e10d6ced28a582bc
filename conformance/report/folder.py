"""Write a report: the page, the film and the numbers."""

from __future__ import annotations

from pathlib import Path

from safer_gym.conformance.evaluate.outcomes import Outcomes
from safer_gym.conformance.files import write_atomically, write_json
from safer_gym.conformance.report.content import Content
from safer_gym.conformance.report.page import render_page

PAGE, FILM, RESULTS = "index.html", "film.gif", "results.json"


def write_report(folder: Path, content: Content) -> Path:
    """Write everything into `folder` and return the page's path.

    The film needs Pillow and episodes with positions; without either the report has none.

    Raises:
        OSError: a file could not be written; the file of that name is as it was.
    """
    film = _film(content)
    if film is not None:
        write_atomically(folder / FILM, film)
    write_json(folder / RESULTS, _results(content))
    page = folder / PAGE
    write_atomically(page, render_page(content, film))
    return page


def _film(content: Content) -> bytes | None:
    try:
        from safer_gym.conformance.report.film import Scene, film
    except ImportError:
        return None
    if content.geometry is None:
        return None
    scenes = [Scene(title, o.traces[0]) for title, o in scenes_of(content) if _on_map(o)]
    return film(scenes, content.geometry) if scenes else None


def scenes_of(content: Content) -> list[tuple[str, Outcomes]]:
    """The film's columns: the first policy without and under attack, then the last one attacked."""
    if not content.subjects:
        return []
    first, last = content.subjects[0], content.subjects[-1]
    natural = first.natural()
    columns = [] if natural is None else [(f"{first.name}, no attack", natural)]
    for subject in (first, last)[: len(content.subjects)]:
        attacked = [o for o in subject.outcomes if o.eps > 0.0]
        if attacked:
            found = max(attacked, key=lambda o: (o.mean_cost, o.eps))
            columns.append((f"{subject.name}, {found.attack.upper()}, eps {found.eps:g}", found))
    return columns


def _on_map(outcome: Outcomes) -> bool:
    return bool(outcome.traces) and outcome.traces[0].positions.shape[1:] == (2,)


def _results(content: Content) -> dict[str, object]:
    return {
        "task": content.task,
        "cost_limit": content.cost_limit,
        "provenance": content.provenance,
        "policies": {
            subject.name: {
                "record": subject.record,
                "outcomes": [_without_traces(o.to_json()) for o in subject.outcomes],
            }
            for subject in content.subjects
        },
    }


def _without_traces(outcome: dict[str, object]) -> dict[str, object]:
    return {key: value for key, value in outcome.items() if key != "traces"}

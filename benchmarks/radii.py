"""One picture of what was attacked and what is certified: `python -m benchmarks.radii`.

For each packaged policy of Ball-Circle the smallest radius at which an attack exceeds the limit in
more than a quarter of the episodes, the largest at which no adversary does so (model-free, of the
policy that draws), and for policies behind a shield the largest at which none does so given the
model. Read from results/certificates.json and results/shield.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from safer_gym.conformance.certificate.record import Certificate
from safer_gym.conformance.figures.canvas import Frame, picture
from safer_gym.conformance.figures.svg import standalone
from safer_gym.conformance.figures.theme import light

FOLDER = Path(__file__).parent / "results"
RATE = 0.25
SMALLEST = 1e-4
"""Of the axis."""
KINDS = (
    ("attacked", "s0", "X", "an attack succeeds"),
    ("certified", "s1", "o", "certified, without a model"),
    ("given_model", "s2", "D", "certified given a model"),
)


class Line(NamedTuple):
    """One policy; None: at no radius."""

    policy: str
    attacked: float | None
    certified: float | None
    given_model: float | None = None


def lines(task: str = "ball-circle") -> list[Line]:
    """All policies of a task that were certified."""
    return [*_without_model(task), *_given_model(task)]


def _without_model(task: str) -> Iterator[Line]:
    results = json.loads((FOLDER / "certificates.json").read_text())["results"]
    rows = [row for result in results for row in result["rows"] if "at_most_battery" in row]
    rows = [row for row in rows if row["policy"].startswith(f"{task}/")]
    for name, noise in dict.fromkeys((row["policy"], row["action_noise"]) for row in rows):
        own = [row for row in rows if (row["policy"], row["action_noise"]) == (name, noise)]
        reached = [row["eps"] for row in own if row["at_least"] > RATE]
        kept = [row["eps"] for row in own if row["at_most_any"] <= RATE]
        title = name + ("" if noise is None else f", noise {noise:g}")
        yield Line(title, min(reached, default=None), max(kept, default=None))


def _given_model(task: str) -> Iterator[Line]:
    for path in sorted((FOLDER / "shield").glob(f"{task}-certificate.json")):
        certificate = Certificate.load(path)
        line = certificate.headlines[0]
        yield Line(
            f"{task}/cvpo, shielded",
            line.attacked_eps,
            line.certified_eps,
            line.certified_eps_given_model,
        )


def paint(ax: Any, found: list[Line]) -> None:
    """A row a policy, radii on a logarithmic axis; no mark: at none of the radii tried."""
    for row, line in enumerate(found):
        for number, (name, role, marker, _) in enumerate(KINDS):
            value = getattr(line, name)
            if value is not None:
                y = row + 0.18 * (number - 1)
                ax.plot([value], [y], marker, color=light(role))
    for _, role, marker, title in KINDS:
        ax.plot([], [], marker, color=light(role), label=title)
    ax.set_xscale("log")
    ax.set_xlim(SMALLEST, 0.1)
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    ax.xaxis.set_minor_formatter(lambda value, _: "")
    ax.set_yticks(range(len(found)), [line.policy for line in found])
    ax.set_ylim(len(found) - 0.5, -0.5)
    ax.set_xlabel("radius")
    ax.legend(loc="upper center", bbox_to_anchor=(0.35, -0.2), ncols=3, fontsize=9)


def main() -> None:
    """Write the picture, and print its numbers."""
    found = lines()
    for line in found:
        print(line)
    frame = Frame(640, 40 * len(found) + 100, left=230, bottom=80)
    drawn = picture(lambda ax: paint(ax, found), "attacked and certified radii", frame)
    (FOLDER / "shield" / "radii.svg").write_text(standalone(drawn), encoding="utf-8")


if __name__ == "__main__":
    main()

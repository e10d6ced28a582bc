"""The picture of radii shows the certificate's own figures, and nothing else."""

from __future__ import annotations

import copy
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from matplotlib.figure import Figure
from sample_certificates import sample

from safer_gym.conformance.figures.radius_bars import Bar, paint_radii
from safer_gym.conformance.formatting import radius
from safer_gym.conformance.report.certificate.page import render_page
from safer_gym.conformance.report.certificate.radii import (
    LABEL,
    radii_picture,
    radii_tried,
    radius_bars,
)

SHIELDED = (
    Path(__file__).parents[3] / "benchmarks" / "results" / "shield" / "ball-circle-certificate.json"
)
FIGURES = ("certified_eps_attacks", "attacked_eps", "certified_eps", "certified_eps_given_model")


def plain() -> dict[str, Any]:
    return sample()


def shielded() -> dict[str, Any]:
    return json.loads(SHIELDED.read_text())


def painted(bars: Sequence[Bar], tried: Sequence[float]) -> tuple[list[float], list[float]]:
    """Ends of the bars and places of the crosses."""
    ax = Figure().add_subplot()
    paint_radii(ax, bars, tried)
    ends = [patch.get_x() + patch.get_width() for patch in ax.patches]
    return ends[::-1], [float(line.get_xdata()[0]) for line in ax.lines][::-1]


@pytest.mark.parametrize("make", [plain, shielded])
def test_its_numbers_are_the_certificates(make: Any) -> None:
    data = make()
    bars = list(radius_bars(data))
    told = [h[name] for h in data["headlines"] for name in FIGURES if h.get(name) is not None]
    drawn = [value for bar in bars for value in (bar.holds, bar.broken) if value is not None]
    assert sorted(drawn) == sorted(told)
    ends, crosses = painted(bars, radii_tried(data))
    assert ends == [bar.holds for bar in bars if bar.holds]
    assert crosses == [bar.broken for bar in bars if bar.broken is not None]
    for bar in bars:
        assert bar.holds is None or f"{bar.name}: {radius(bar.holds)}" in str(radii_picture(data))


def test_another_figure_is_another_picture() -> None:
    """The specimen: a picture that did not follow the certificate would stay."""
    data = shielded()
    data["headlines"][0]["certified_eps_given_model"] = 0.04
    data["headlines"][0]["attacked_eps"] = 0.05
    assert radii_picture(data) != radii_picture(shielded())
    assert painted(list(radius_bars(data)), radii_tried(data)) == ([0.04], [0.05])


def test_two_bars_without_a_shield_and_three_with_one() -> None:
    assert [bar.role for bar in radius_bars(shielded())] == ["s0", "s1", "s2"]
    bare = {**shielded(), "model": None}
    assert [bar.role for bar in radius_bars(bare)] == ["s0", "s1"]
    assert len(list(radius_bars(plain()))) == 4  # two modes


def test_what_was_not_measured_is_said() -> None:
    words = {bar.name: bar.absent for bar in radius_bars(shielded())}
    assert words["certified ε"] == "no bound"
    data = shielded()
    for row in data["rows"]:
        row["attacks"] = []
    assert next(radius_bars(data)).absent == "not measured"


def without(change: str) -> dict[str, Any]:
    data = copy.deepcopy(plain())
    if change == "figures":
        for headline in data["headlines"]:
            headline |= dict.fromkeys(FIGURES)
    elif change == "radii":
        data["rows"] = [row for row in data["rows"] if row["eps"] == 0]
    else:
        data["flags"] = [{"name": "broken", "message": "it is", "level": "error"}]
    return data


@pytest.mark.parametrize("change", ["figures", "radii", "trust"])
def test_no_figures_no_picture(change: str) -> None:
    assert LABEL in render_page(plain())
    assert radii_picture(without(change)) is None
    if change != "radii":
        assert LABEL not in render_page(without(change))


def test_it_takes_the_colours_of_the_page() -> None:
    svg = str(radii_picture(shielded()))
    assert "var(--s2)" in svg
    assert "#" not in svg.replace("url(#", "").replace('href="#', "")

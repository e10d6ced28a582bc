"""Figures: well-formed, in the page's colours, equal when made twice; and Axes for notebooks."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from xml.etree import ElementTree as Xml

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sample_certificates import sample

from safer_gym.conformance.certificate.record import Certificate
from safer_gym.conformance.evaluate.outcomes import Outcomes
from safer_gym.conformance.figures.canvas import MISSING, grid, picture
from safer_gym.conformance.figures.columns import ZONES, Column, paint_columns
from safer_gym.conformance.figures.histograms import paint_histograms, sides
from safer_gym.conformance.figures.svg import standalone, tip
from safer_gym.conformance.figures.theme import COLOURS, MARKERS, MARKS, light
from safer_gym.conformance.report.certificate import render

pyplot = pytest.importorskip("matplotlib.pyplot")

HOSTILE = "<b>\"'&\x00\x1b[0m $\\frac{ 好\nend"


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    pyplot.close("all")


def hostile(ax: pyplot.Axes) -> None:
    ax.plot([0, 1], [0, 1], "o-", color=light("s0"))
    (bar,) = ax.bar(0.5, 0.25, color=light("alarm"), alpha=0.08)
    tip(bar, f"0.12345 of {HOSTILE}")
    ax.set(title=HOSTILE, xlabel="0.98765", xticks=[0.001, 0.025])


def test_a_figure_is_well_formed_whatever_its_names() -> None:
    svg = picture(hostile, HOSTILE)
    root = Xml.fromstring(svg)
    assert root.attrib["role"] == "img"
    assert root.attrib["aria-label"].startswith("<b>\"'&??[0m")
    assert {"svg", "g", "path", "text", "title", "use", "defs", "clipPath", "rect"} >= {
        element.tag for element in root.iter()
    }
    assert not re.search(r"[\x00\x1b]|<b>|http|url\((?!#)|href=\"(?!#)", svg)


def test_numbers_in_words_keep_their_digits() -> None:
    svg = picture(hostile, "x")
    for words in ("0.98765", "0.12345 of", "0.001", "0.025", "opacity: 0.08"):
        assert words in svg


def test_a_figure_has_no_colour_but_the_pages() -> None:
    inside = picture(hostile, "x")
    assert not re.search(r"#[0-9a-f]{6}\b", inside)
    assert {"var(--s0)", "var(--alarm)", "var(--rule)"} <= set(re.findall(r"var\(--\w+\)", inside))
    assert len({colour.light for colour in COLOURS.values()}) == len(COLOURS)


def test_the_same_figure_is_the_same_text() -> None:
    assert picture(hostile, "x") == picture(hostile, "x")


def test_a_file_of_its_own_brings_its_colours() -> None:
    svg = standalone(grid([hostile, hostile, hostile], "three", 2))
    root = Xml.fromstring(svg)
    assert root.attrib["viewBox"] == "0 0 720 500"
    assert "prefers-color-scheme:dark" in svg
    for role in set(re.findall(r"var\(--(\w+)\)", svg)):
        assert svg.count(f"--{role}:") == 2


def test_markers_have_their_characters() -> None:
    assert len(MARKERS) == len(MARKS)


@given(st.lists(st.floats(0.0, 20.0), max_size=30), st.floats(0.0, 20.0), st.booleans())
def test_no_bar_mixes_costs_of_both_sides_of_the_limit(
    costs: list[float], limit: float, limited: bool
) -> None:
    parts = sides(np.array(costs), limit if limited else None)
    assert sorted(float(c) for part, _ in parts for c in part) == sorted(costs)
    for part, role in parts:
        assert ((part > limit) == (role == "alarm")).all() or not limited


def test_every_episode_has_a_bar_that_can_be_seen() -> None:
    """One episode of a thousand is at least a twentieth of a row high."""
    _, ax = pyplot.subplots()
    paint_histograms(ax, [("mc", [0.0] * 999 + [50.0])], limit=5.0)
    heights = {patch.get_facecolor(): patch.get_path().get_extents().height for patch in ax.patches}
    assert len(heights) == 2
    assert min(heights.values()) >= 0.05


def test_the_zones_of_a_figure_are_those_of_its_columns() -> None:
    columns = [Column(0.0, 0.1, 0.2, 0.3), Column(0.1, 0.5, None, None)]
    svg = picture(lambda ax: paint_columns(ax, columns, "P", [(0.1, 0.4)], rate=True), "x")
    tips = [element.text or "" for element in Xml.fromstring(svg).iter("title")]
    assert [text.partition(", ")[2] for text in tips] == [
        "0 % to 10 %: shown to be reached",
        "10 % to 20 %: more episodes would tell",
        "20 % to 30 %: the attacks stay below; another adversary may get here",
        "30 % to 100 %: no adversary gets here",
        "0 % to 50 %: shown to be reached",
        "50 % to 100 %: more episodes would tell",
    ]


@pytest.mark.parametrize("value", [0.0, float("inf"), 7e47])
def test_a_bound_of_any_size_has_a_figure(value: float) -> None:
    columns = [Column(0.0, 0.0, value, value)]
    Xml.fromstring(picture(lambda ax: paint_columns(ax, columns, "mean", rate=False), "x"))


def test_a_certificate_draws_itself_on_axes() -> None:
    certificate = Certificate.from_json(sample())
    ax = certificate.plot()
    assert isinstance(ax, pyplot.Axes)
    assert ax.get_title("left") == "P(cost > 5)"
    named = {text.get_text() for text in ax.get_legend().get_texts()}
    assert named == set(ZONES.values())
    _, mine = pyplot.subplots()
    assert certificate.plot("mean", "stochastic", ax=mine) is mine
    assert mine.get_title("left") == "Mean cost of an episode"
    with pytest.raises(ValueError, match="metric must be one of"):
        certificate.plot("mode")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="mode must be one of"):
        certificate.plot(mode="stochastc")  # type: ignore[arg-type]


def test_outcomes_draw_themselves_on_axes() -> None:
    outcomes = Outcomes(
        "mc", 0.05, "linf", np.zeros(3), np.array([0.0, 1.0, 9.0]), np.ones(3, np.int64), 1.0
    )
    ax = outcomes.plot(cost_limit=5.0)
    assert ax.get_title("left") == "mc, eps = 0.05: mean cost 3.3"
    assert sum(bar.get_height() for bar in ax.patches) == 3
    assert outcomes.plot(ax=ax) is ax


def test_without_matplotlib_the_rest_of_the_page_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    page = render(sample())
    assert page.count("No figure: figures need matplotlib") == 2 * 2 + 2 * 4 + 2 * 6 + 1
    assert "What this certificate says" in page
    assert "<svg" not in page
    for plot in (Certificate.from_json(sample()).plot, lambda: picture(hostile, "x")):
        with pytest.raises(ModuleNotFoundError, match=re.escape(MISSING)):
            plot()

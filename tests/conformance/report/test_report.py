"""The report: it says what was found, holds everything itself, and is well formed."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from safer_gym.agents.training.curve import CurvePoint
from safer_gym.conformance.evaluate.outcomes import Outcomes, Trace
from safer_gym.conformance.report.content import Content, Subject
from safer_gym.conformance.report.folder import scenes_of, write_report
from safer_gym.conformance.report.page import render_page
from safer_gym.conformance.report.sentences import headline
from safer_gym.wrappers.tasks import TASKS

VOID = {"meta", "img", "br"}


def trace(reach: float) -> Trace:
    angle = np.linspace(0.0, 5.0, 60)
    positions = reach * np.stack([np.cos(angle), np.sin(angle)], 1)
    nothing = np.zeros((60, 8))
    return Trace(nothing, nothing, positions, (np.abs(positions[:, 0]) > 6.0).astype(float))


def outcome(attack: str, eps: float, cost: float) -> Outcomes:
    costs = np.array([cost, cost + 2.0])
    return Outcomes(
        attack, eps, "linf", np.array([600.0, 620.0]), costs, np.array([60, 60]), 1.0, (trace(6.5),)
    )


def subject(name: str, cost: float, curve: tuple[CurvePoint, ...] = ()) -> Subject:
    outcomes = [outcome("natural", 0.0, 0.0)]
    outcomes += [outcome(a, e, cost * e) for a in ("mc", "mr") for e in (0.01, 0.05)]
    return Subject(name, {"seed": 3, "command": "safer-gym train <x>"}, outcomes, curve)


@pytest.fixture
def content() -> Content:
    curve = (CurvePoint(100, 5.0, 9.0, 1.0), CurvePoint(20_000, 300.0, 1.0, 60.0))
    return Content(
        title="Ball-Circle under attack",
        task="SaferGym/BallCircle-v0",
        cost_limit=5.0,
        geometry=TASKS["ball-circle"].geometry,
        subjects=[subject("CVPO", 900.0), subject("SAFER <fresh>", 10.0, curve)],
        provenance={"command": "safer-gym demo", "versions": {"torch": "2.0"}},
    )


class Balance(HTMLParser):
    """Checks that tags close in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self.seen.append(tag)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list) -> None:
        self.seen.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_is_well_formed_and_asks_nobody(content: Content) -> None:
    page = render_page(content, b"GIF89a")
    parser = Balance()
    parser.feed(page)
    assert parser.open == []
    assert "script" not in parser.seen
    assert not re.search(r"""(src|href)=["'](?!data:|#)""", page)
    assert "http" not in page
    assert "SAFER &lt;fresh&gt;" in page
    assert "<fresh>" not in page


def test_the_page_holds_every_part(content: Content) -> None:
    page = render_page(content)
    for words in (
        "Under attack",
        "Seen from above",
        "All numbers",
        "Training of SAFER &lt;fresh&gt;",
        "What the attacks are",
        "Where the numbers come from",
        "cost limit",
        "safer-gym demo",
    ):
        assert words in page
    assert page.count("<svg") >= 4 + 6 + 2
    assert "Training of CVPO" not in page


def test_the_headline_names_who_broke_the_limit(content: Content) -> None:
    text = headline(content)
    assert "CVPO breaks the cost limit of 5: its mean cost rises to 46.0 under mc" in text
    assert "SAFER <fresh> stayed within the cost limit of 5 under the attacks that were run" in text
    assert "(mc, mr), up to ε = 0.05" in text
    assert "every attack" not in text


def test_one_measure_of_spread_and_no_words_of_machines(content: Content) -> None:
    page = render_page(content._replace(provenance={"options": {"eps": None}}))
    assert "standard deviation" in page
    assert "standard error" not in page
    assert "null" not in page


def test_the_cost_stands_before_what_a_phone_cuts_off(content: Content) -> None:
    page = render_page(content)
    head = re.findall(r"<th>([^<]*)</th>", page)
    assert head[:3] == ["attack", "ε", "cost"]


def test_control_characters_are_neutralised(content: Content) -> None:
    named = content._replace(title="a\x00b\x1b[2J\x9b\u202ec")
    page = render_page(named)
    assert "a?b?[2J??c" in page
    assert not set("\x00\x1b\x9b\u202e") & set(page)


def test_over_the_limit_is_marked_in_the_table(content: Content) -> None:
    assert render_page(content).count('class="over"') == 4


def test_the_folder_holds_page_film_and_numbers(content: Content, tmp_path: Path) -> None:
    page = write_report(tmp_path, content)
    assert page == tmp_path / "index.html"
    assert "data:image/gif;base64," in page.read_text()
    film = (tmp_path / "film.gif").read_bytes()
    assert film.startswith(b"GIF89a")
    assert len(film) < 3_000_000
    results = json.loads((tmp_path / "results.json").read_text())
    assert results["policies"]["CVPO"]["outcomes"][0]["attack"] == "natural"
    assert "traces" not in results["policies"]["CVPO"]["outcomes"][0]


def test_the_film_holds_as_many_frames_as_moments(content: Content, tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    write_report(tmp_path, content)
    with image.open(tmp_path / "film.gif") as film:
        assert film.n_frames == 60
    assert [title for title, _ in scenes_of(content)] == [
        "CVPO, no attack",
        "CVPO, MC, eps 0.05",
        "SAFER <fresh>, MC, eps 0.05",
    ]


def test_a_task_without_a_map_has_a_report_all_the_same(content: Content, tmp_path: Path) -> None:
    page = write_report(tmp_path, content._replace(geometry=None)).read_text()
    assert "Seen from above" not in page
    assert not (tmp_path / "film.gif").exists()


def test_an_empty_report_says_so(content: Content) -> None:
    assert "Nothing has been measured yet." in headline(content._replace(subjects=[]))

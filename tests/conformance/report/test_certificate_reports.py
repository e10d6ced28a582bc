"""Reports of a certificate: honest numbers, well-formed, alone in the world, hard to deceive."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as Xml

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sample_certificates import ATTACKS, EPS, sample
from sarif_rules import broken_rules
from typer.testing import CliRunner

from safer_gym.conformance.certificate.record import Certificate
from safer_gym.conformance.certificate.sandwiches import columns_of
from safer_gym.conformance.certificate.view import costs_of
from safer_gym.conformance.cli.main import app
from safer_gym.conformance.figures.columns import Column
from safer_gym.conformance.formatting import amount, percent
from safer_gym.conformance.report.certificate import FORMS, register_form, render, write_reports
from safer_gym.conformance.report.certificate.sentences import not_said, said
from safer_gym.conformance.report.certificate.tables import (
    allocation_summary,
    allocation_table,
    bounds_table,
    promises_table,
)

VOID = {"meta", "img", "br"}
ENUMS = {"mode", "level", "verdict", "metric", "scope", "schema", "created", "side", "evidence"}


class Balance(HTMLParser):
    """Checks that tags close in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self.seen.add(tag)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list) -> None:
        self.seen.add(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def number(text: str) -> float:
    return float(text.removesuffix(" %"))


@given(st.floats(0.0, 1.0))
def test_a_bound_is_never_rounded_to_its_flattering_side(rate: float) -> None:
    assert number(percent(rate, "down")) <= 100.0 * rate <= number(percent(rate, "up"))
    assert number(percent(rate, "up")) - number(percent(rate, "down")) <= 0.1 + 1e-9


@given(st.one_of(st.floats(0.0, 1e6), st.floats(0.0, 1e300)))
def test_neither_is_a_cost(cost: float) -> None:
    assert float(amount(cost, "down")) <= cost <= float(amount(cost, "up"))


def test_the_sample_is_a_certificate() -> None:
    for weakness in (1.0, 0.05):
        assert Certificate.from_json(sample(weakness)).to_json() == sample(weakness)


@pytest.fixture(scope="module")
def page() -> str:
    return render(sample())


def test_the_page_is_well_formed_and_asks_nobody(page: str) -> None:
    parser = Balance()
    parser.feed(page)
    assert parser.open == []
    assert not {"script", "link", "iframe"} & parser.seen
    assert not re.search(r"""(src|href)=["'](?!data:|#)""", page)
    assert "http" not in page
    assert "@import" not in page
    assert not re.search(r"url\((?!#)", page)


def test_the_page_holds_every_part(page: str) -> None:
    for words in (
        "What was required",
        "Reasons for doubt",
        "In three figures",
        "Worst case by radius",
        "What this certificate says",
        "What it does not say",
        "The worst episodes",
        "Costs of the episodes",
        "Where this comes from",
        "excludes nothing",
        "Attacks that were run: uniform, mad, mr, mc, random_search.",
        "refused",
        "95\u00a0% confidence",
        "safer-gym replay certificate.json --episode 1",
    ):
        assert words in page
    assert page.count("<svg") == 1 + 2 * 2 + 2 * 4 + 2 * len(EPS)  # the radii first
    assert page.count("data:image/png") == 2


def poisoned(value: Any, key: str = "") -> Any:
    """Every free text replaced by markup."""
    if isinstance(value, dict):
        return {k: poisoned(v, k) for k, v in value.items()}
    if isinstance(value, list):
        return [poisoned(item, key) for item in value]
    if isinstance(value, str) and key not in ENUMS:
        return "<script>alert('\"')</script>&\x00\x01\x1b[31m|`**$_{\n" + value
    return value


@pytest.mark.parametrize("form", FORMS)
def test_no_text_of_a_certificate_becomes_markup(form: str) -> None:
    text = render(poisoned(sample()), form)
    if form == "markdown":
        text = re.sub(r"`[^`\n]*`", "", text)  # code is shown as it stands
    if form != "sarif":
        assert not re.search(r"(?<!\\)<script", text)
        assert not re.search(r"[\x00\x01\x1b]", text)
    if form in ("badge", "junit"):
        Xml.fromstring(text)
    if form == "sarif":
        assert broken_rules(json.loads(text)) == []


def nothing(data: dict) -> None:
    for key in ("rows", "requirements", "headlines", "flags", "refusals", "allocation"):
        data[key] = []
    data["episodes_of_note"] = []
    data["attacked_eps"] = data["certified_eps"] = None


def no_attacks(data: dict) -> None:
    for row in data["rows"]:
        row["attacks"] = []


def no_means(data: dict) -> None:
    for row in data["rows"]:
        row["mean"]["upper_attacks"].update(value=None, attack=None, vacuous=True)
        row["mean"]["upper_every"].update(value=None, refused="the cost of a step has no bound")
        for attack in row["attacks"]:
            attack.update(mean_upper=None, cvar_upper=None, quantile_upper=None)


def one_row(data: dict) -> None:
    data["rows"] = data["rows"][:1]
    data["rows"][0]["eps"] = 0.0


def huge_moments(data: dict) -> None:
    for row in data["rows"]:
        row["mean"]["upper_every"].update(p_ucb=5.7e47, method="renyi", vacuous=True)
        row["rate"]["upper_every"].update(method="trivial", M=None, p_ucb=None, vacuous=True)


def no_positions(data: dict) -> None:
    data["episodes_of_note"][0]["trace"]["positions"] = [[] for _ in range(200)]
    data["episodes_of_note"][1]["trace"] = None


def silent_record(data: dict) -> None:
    data["command"] = data["policy"]["source"] = None
    data["environment"].update(horizon=None, max_step_cost=None)
    data["scale"] = [1.0] * 8


@pytest.mark.parametrize(
    "change", [nothing, no_attacks, no_means, huge_moments, one_row, no_positions, silent_record]
)
@pytest.mark.parametrize("form", FORMS)
def test_a_certificate_with_gaps_has_its_reports_too(
    form: str, change: Callable[[dict], None]
) -> None:
    data = sample()
    change(data)
    Certificate.from_json(data)
    assert render(data, form)


def test_something_else_is_refused() -> None:
    for form in FORMS:
        for wrong in ({}, {"schema": "other"}, [], None):
            with pytest.raises(ValueError, match="schema"):
                render(wrong, form)
    with pytest.raises(ValueError, match="sarif"):
        render(sample(), "sarf")


def test_a_bound_of_one_policy_never_stands_beside_the_other() -> None:
    data = sample()
    assert all(column.every is None for column in columns_of(data, "deterministic", "rate"))
    assert any(column.every is not None for column in columns_of(data, "stochastic", "rate"))
    words = [w for w in said(data) if "No adversary" in w]
    assert len(words) == 1
    assert "stochastic" in words[0]


@given(
    st.floats(0, 1), st.one_of(st.none(), st.floats(0, 1)), st.one_of(st.none(), st.floats(0, 1))
)
def test_the_zones_of_a_column_fill_it_in_order(
    lower: float, attacks: float | None, every: float | None
) -> None:
    cuts = Column(0.1, lower, attacks, every).cuts(1.0)
    assert list(cuts) == sorted(cuts)
    assert cuts[0] == lower
    assert cuts[-1] == 1.0
    if every is None:
        assert cuts[2] == 1.0, "without a bound nothing is barred"


def test_a_policy_that_fails_alone_is_not_said_to_be_attacked() -> None:
    data = sample()
    for row in data["rows"]:
        row["rate"]["lower"]["attack"] = "null"
    words = said(data)
    assert any(w.startswith("Without any attack, the stochastic policy") for w in words)
    assert not any("attack null" in w for w in words)
    assert "no attack" in render(data)


def test_what_was_not_measured_is_not_said_to_be_withstood(page: str) -> None:
    no_attacks(data := sample())
    for headline in data["headlines"]:
        headline.update(attacked_eps=None, certified_eps_attacks=None)
    assert render(data).count("not measured") == 4 + 2  # in the figure, of each mode
    assert "not measured" not in page


def test_attacks_that_were_not_measured_are_named() -> None:
    (sentence,) = (words for words in not_said(sample()) if "no fresh episodes" in words)
    assert sentence.startswith("Of the battery, learned had")


def test_benign_episodes_stand_for_those_without_an_attack() -> None:
    data = sample()
    data["benign"] = {"n": 9, "costs": [0.0] * 3 + [99.0] * 6, "returns": [], "lengths": []}
    attack = {**data["rows"][-1]["attacks"][0], "costs": [], "n": 4}
    assert costs_of(attack, data) == [0.0, 0.0, 0.0, 99.0]
    assert costs_of({**attack, "costs": [1.0]}, data) == [1.0]


def test_a_metric_of_which_nothing_is_known_has_no_chart(page: str) -> None:
    no_means(data := sample())
    for row in data["rows"]:
        row["mean"]["lower"].update(value=0.0, attack=None)
    title = "Mean cost of an episode</text>"
    assert page.count(title) == 2
    assert render(data).count(title) == 0


def test_a_vacuous_bound_bars_nothing() -> None:
    data = sample()
    last = columns_of(data, "stochastic", "rate")[-1]
    assert data["rows"][-1]["rate"]["upper_every"]["vacuous"]
    assert last.every is None
    assert bounds_table(data, "stochastic", "rate").rows[-1][-1] == "excludes nothing"


def test_the_allocation_sums_to_no_more_than_delta() -> None:
    data = sample()
    for table in (allocation_table(data), allocation_summary(data)):
        *parts, total = (float(row[-1]) for row in table.rows)
        assert total == pytest.approx(sum(s["delta"] for s in data["allocation"]), rel=1e-2)
        assert total == pytest.approx(sum(parts), rel=2e-2)
        assert total <= data["delta"]


def test_the_allocation_names_every_share_by_radius_attack_and_metric() -> None:
    """Each row's shares, count times share, sum to the row's last cell."""
    table = allocation_table(sample())
    claims = table.head[3:-1]
    assert claims[:2] == ("P at least, each attack", "P at most, battery")
    assert len(table.rows) == 2 * len(EPS) + 1
    for row in table.rows[:-1]:
        cells = [cell.split(" × ") for cell in row[3:-1]]
        total = sum(float(cell[-1]) * (int(cell[0]) if len(cell) == 2 else 1) for cell in cells)
        assert total == pytest.approx(float(row[-1]), rel=5e-2)
        assert row[2].split(", ") == ["no attack", *list(ATTACKS)[1:]]


def test_markdown_says_the_verdict_and_tables_are_whole() -> None:
    text = render(sample(), "markdown")
    assert text.startswith("# ❌ ball-circle/cvpo")
    tables = re.findall(r"(?:^\|.*\n)+", text, flags=re.MULTILINE)
    assert len(tables) == 4
    for table in tables:
        lines = table.replace("\\|", "").splitlines()
        assert len({line.count("|") for line in lines}) == 1


def test_noise_on_request_is_said_wherever_the_policy_is() -> None:
    data = sample(0.05)
    data["policy"]["action_noise"] = [0.3]
    for form in ("html", "markdown"):
        text = render(data, form)
        assert "the policy with Gaussian noise on its mean action (standard deviation 0.3)" in text
        assert "the stochastic policy (drawn action)" not in text


def test_the_badge_has_the_verdict_and_both_radii() -> None:
    badge = Xml.fromstring(render(sample(), "badge"))
    assert badge.attrib["aria-label"] == "safer-gym: FAIL · certified ε 0.005 · attacked ε 0.01"
    nothing(data := sample())
    assert "certified ε – · attacked ε –" in render(data, "badge")


def test_junit_has_a_case_for_each_requirement_and_only_pass_is_green() -> None:
    data = sample(0.05)
    assert [d["verdict"] for d in data["requirements"]] == ["INCONCLUSIVE", "PASS"]
    root = Xml.fromstring(render(data, "junit"))
    (suite,) = root
    assert suite.attrib["tests"] == "2"
    assert suite.attrib["failures"] == "1"
    cases = suite.findall("testcase")
    assert [case.attrib["name"] for case in cases] == [d["text"] for d in data["requirements"]]
    assert [case.find("failure") is not None for case in cases] == [True, False]
    assert cases[0].find("failure").attrib["type"] == "inconclusive"  # type: ignore[union-attr]


def test_sarif_keeps_the_rules_of_2_1_0() -> None:
    for weakness in (1.0, 0.05):
        log = json.loads(render(sample(weakness), "sarif"))
        assert broken_rules(log) == []
    levels = {r["level"] for r in json.loads(render(sample(), "sarif"))["runs"][0]["results"]}
    assert levels == {"error", "none", "warning"}


def mutants(log: dict) -> dict[str, dict]:
    def changed(change: Callable[[dict], Any]) -> dict:
        twin = copy.deepcopy(log)
        change(twin["runs"][0])
        return twin

    return {
        "version": {**log, "version": "2.0.0"},
        "pass with a level": changed(lambda run: run["results"][1].update(level="error")),
        "unknown kind": changed(lambda run: run["results"][0].update(kind="bad")),
        "unknown level": changed(lambda run: run["results"][0].update(level="high")),
        "rule of another index": changed(lambda run: run["results"][0].update(ruleIndex=2)),
        "no message": changed(lambda run: run["results"][0]["message"].clear()),
        "a space in an address": changed(
            lambda run: run["artifacts"][0]["location"].update(uri="a b")
        ),
        "a time without Z": changed(
            lambda run: run["invocations"][0].update(endTimeUtc="2026-11-20T14:00:00+01:00")
        ),
        "a line 0": changed(
            lambda run: run["results"][0]["locations"][0]["physicalLocation"]["region"].update(
                startLine=0
            )
        ),
        "an artifact out of range": changed(
            lambda run: run["results"][0]["locations"][0]["physicalLocation"][
                "artifactLocation"
            ].update(index=9)
        ),
        "two rules of one name": changed(
            lambda run: run["tool"]["driver"]["rules"][1].update(
                id=run["tool"]["driver"]["rules"][0]["id"]
            )
        ),
        "no tool": changed(lambda run: run["tool"]["driver"].pop("name")),
    }


def test_the_rules_reject_what_breaks_them() -> None:
    log = json.loads(render(sample(), "sarif"))
    for name, mutant in mutants(log).items():
        assert broken_rules(mutant), name


def test_all_forms_are_written_into_a_folder(tmp_path: Path) -> None:
    paths = write_reports(sample(), tmp_path / "reports")
    assert {path.name for path in paths} == {form.file for form in FORMS.values()}
    assert all(path.stat().st_size > 100 for path in paths)
    with pytest.raises(ValueError, match="form must be one of"):
        write_reports(sample(), tmp_path, ["html", "pdf"])


def test_what_the_compositions_promised_is_told_and_is_called_no_bound() -> None:
    data = sample(1.0)
    table = promises_table(data)
    assert table.head == ("of", "ε", "Gaussian filter", "coupling (B)", "additive (C)")
    told = [row for row in data["rows"] if row["rate"]["upper_every"]["promises"]]
    assert len(table.rows) == 2 * len(told) > 0
    page = render(data, "html")
    assert "seemed to give, by search episodes: no bounds" in page
    for row in data["rows"]:
        for metric in ("rate", "mean"):
            row[metric]["upper_every"]["promises"] = None
    assert promises_table(data).rows == []
    assert "seemed to give" not in render(data, "html")


@pytest.fixture
def line() -> Iterator[Callable[[dict], str]]:
    """What writes the form "line", which no test but this one knows."""
    yield lambda certificate: f"{certificate['verdict']}\n"
    FORMS.pop("line", None)


def test_a_form_of_ones_own_is_written_by_the_command(
    tmp_path: Path, line: Callable[[dict], str]
) -> None:
    register_form("line", "verdict.txt", line)
    register_form("line", "verdict.txt", line)
    for name, file in (("line", "other.txt"), ("lines", "verdict.txt"), ("html", "page.html")):
        with pytest.raises(ValueError, match="already"):
            register_form(name, file, line)
    path = tmp_path / "certificate.json"
    Certificate.from_json(sample()).save(path)
    told = CliRunner().invoke(app, ["report", str(path), "--out", str(tmp_path), "--forms", "line"])
    assert told.exit_code == 0, told.output
    assert (tmp_path / "verdict.txt").read_text() == "FAIL\n"

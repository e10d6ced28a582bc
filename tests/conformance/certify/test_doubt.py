"""An error among the flags decides nothing: no PASS, no FAIL, no radius, at any door."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import typer
from certify_toys import Line, Push, homing
from hypothesis import given
from hypothesis import strategies as st

from safer_gym.conformance.certificate.diff import diff
from safer_gym.conformance.certificate.record import Certificate, Flag
from safer_gym.conformance.certify import assemble, certify
from safer_gym.conformance.certify.decide import overall
from safer_gym.conformance.certify.inspect import contradiction_flags
from safer_gym.conformance.certify.verify import verify
from safer_gym.conformance.cli.certify import finish
from safer_gym.conformance.pytest_gate import explained
from safer_gym.conformance.report.certificate.forms import FORMS, render

ASKED = (
    "P(cost > 2) <= 0.2 at eps = 0.02 for every adversary",
    "P(cost > 2) <= 0.2 at eps = 2 under attacks",
)
ERROR = Flag("specimen", "the evaluation contradicts itself", "error")


def certified() -> Certificate:
    return certify(homing(), Line, requirement=ASKED, battery={"push": Push()}, episodes=25)


@pytest.fixture(scope="module")
def sound() -> Certificate:
    """PASS and FAIL, by its requirements."""
    return certified()


@pytest.fixture(scope="module")
def doubted() -> Certificate:
    """The same evidence, with an error."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(assemble, "critic_flags", lambda *_: [ERROR])
        return certified()


def test_an_error_decides_nothing(sound: Certificate, doubted: Certificate) -> None:
    assert [d.verdict for d in sound.requirements] == ["PASS", "FAIL"]
    assert sound.attacked_eps == 2.0
    assert sound.certified_eps == 0.02
    assert doubted.rows == sound.rows
    assert {d.verdict for d in doubted.requirements} == {"INCONCLUSIVE"}
    assert all(ERROR.message in d.why for d in doubted.requirements)
    assert (doubted.verdict, doubted.exit_code) == ("INCONCLUSIVE", 2)
    assert (doubted.attacked_eps, doubted.certified_eps) == (None, None)
    for line in doubted.headlines:
        assert (line.attacked_eps, line.certified_eps, line.certified_eps_attacks) == (None,) * 3
        assert ERROR.message in (line.reason or "")


def test_the_doors_say_so(doubted: Certificate) -> None:
    with pytest.raises(typer.Exit) as left:
        finish(doubted)
    assert left.value.exit_code == 2
    assert ERROR.message in explained(doubted)
    for form in set(FORMS) - {"badge"}:
        assert ERROR.message in render(doubted.to_json(), form)


def test_verify_agrees_and_refuses_a_verdict_in_spite_of_an_error(
    sound: Certificate, doubted: Certificate
) -> None:
    assert verify(sound) == verify(doubted) == ()
    for name in ("requirements", "headlines", "verdict"):
        forged = replace(doubted, **{name: getattr(sound, name)}).sealed()
        assert verify(forged)
    assert verify(replace(sound, flags=(*sound.flags, ERROR)).sealed())


def test_nothing_is_compared_with_what_decides_nothing(
    sound: Certificate, doubted: Certificate
) -> None:
    for pair in ((sound, doubted), (doubted, sound)):
        (change,) = diff(*pair)
        assert change.kind == "unsure"
        assert ERROR.message in change.what


@given(st.lists(st.sampled_from(["PASS", "FAIL", "INCONCLUSIVE"]), max_size=4))
def test_whatever_the_requirements_an_error_is_inconclusive(verdicts: list[str]) -> None:
    decisions: Any = [type("Decided", (), {"verdict": verdict}) for verdict in verdicts]
    assert overall(decisions, doubt="an error") == "INCONCLUSIVE"


@pytest.mark.parametrize("end", ["upper_every", "upper_attacks"])
@pytest.mark.parametrize("metric", ["rate", "mean"])
def test_a_lower_end_above_an_upper_one_is_an_error(
    sound: Certificate, end: str, metric: str
) -> None:
    """Whatever made it so: the bound is wrong or the attack left its ball."""
    assert contradiction_flags(sound.rows) == []
    place = next(i for i, r in enumerate(sound.rows) if (r.eps, r.mode) == (2.0, "stochastic"))
    row = sound.rows[place]
    sandwich = getattr(row, metric)
    least = sandwich.lower.value
    assert least > 0.0
    low = replace(getattr(sandwich, end), value=0.5 * least)
    specimen = replace(row, **{metric: replace(sandwich, **{end: low})})
    rows = tuple(specimen if i == place else r for i, r in enumerate(sound.rows))
    flags = contradiction_flags(rows)
    assert {flag.name for flag in flags} == {"ends-contradict"}
    assert {flag.level for flag in flags} == {"error"}
    assert all("eps 2 (stochastic) push" in flag.message for flag in flags)

"""The suite proves itself: laws hold, every mutant dies, and a blind law does not pass."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from safer_gym.conformance.cli.main import app
from safer_gym.conformance.selfcheck import AREAS, CHECKS, Check, Refuted, selfcheck, suite
from safer_gym.conformance.selfcheck.check import CRASHED, KILLED, SURVIVED, run_check


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: f"{check.area}-{check.name}")
def test_the_law_holds_and_every_mutant_dies(check: Check) -> None:
    result = run_check(check)
    assert result.holds, result.evidence
    assert {m.mutant: m.how for m in result.mutants if m.fate != KILLED} == {}
    assert result.passed


def test_every_check_has_a_mutant_and_a_name_of_its_own() -> None:
    assert all(check.mutants for check in CHECKS)
    assert len({(check.area, check.name) for check in CHECKS}) == len(CHECKS)
    assert sum(len(check.mutants) for check in CHECKS) > 80


def even(number: int) -> str:
    if number % 2:
        raise Refuted(f"{number} is odd")
    return f"{number} is even"


def blind(number: int) -> str:
    return "looks fine"


GOOD = Check("numbers", "even", "a number is even", even, 2, {"odd": 3})


@pytest.mark.parametrize(
    ("check", "holds", "fates"),
    [
        (GOOD, True, [KILLED]),
        (GOOD._replace(law=blind), True, [SURVIVED]),
        (GOOD._replace(subject=1), False, [KILLED]),
        (GOOD._replace(mutants={"no number": "x"}), True, [CRASHED]),
        (GOOD._replace(mutants={}), True, []),
        (GOOD._replace(subject=None), False, [KILLED]),
    ],
)
def test_only_a_law_that_holds_and_sees_passes(check: Check, holds: bool, fates: list[str]) -> None:
    result = run_check(check)
    assert result.holds == holds
    assert [mutant.fate for mutant in result.mutants] == fates
    assert result.passed == (holds and fates == [KILLED])


def test_areas_are_chosen_by_name() -> None:
    seen = []
    report = selfcheck(["balls"], seen.append)
    assert report.passed
    assert [result.area for result in seen] == ["balls", "balls"]
    assert report.mutants == (9, 9)
    assert json.loads(json.dumps(report.to_json()))["checks"][0]["mutants"][0]["fate"] == KILLED
    with pytest.raises(ValueError, match="balls"):
        selfcheck(["bals"])
    assert not selfcheck([]).passed
    assert len(AREAS) == 7


def test_the_command_prints_and_gates(monkeypatch: pytest.MonkeyPatch) -> None:
    run = CliRunner().invoke
    monkeypatch.setattr(suite, "CHECKS", (GOOD._replace(area="balls"),))
    good = run(app, ["selfcheck"])
    assert good.exit_code == 0
    assert "passed: 1 checks, 1 of 1 mutants killed" in good.output
    assert "3 is odd" in run(app, ["selfcheck", "--verbose"]).output
    told = json.loads(run(app, ["selfcheck", "--json"]).stdout)
    assert (told["passed"], told["mutants"]) == (True, {"killed": 1, "total": 1})
    monkeypatch.setattr(suite, "CHECKS", (GOOD._replace(area="balls", law=blind),))
    bad = run(app, ["selfcheck"])
    assert bad.exit_code == 1
    assert "survived: even, odd" in bad.output
    assert run(app, ["selfcheck", "--areas", "bals"]).exit_code == 3

"""`selfcheck`: closed forms hold here, and a law that is broken, blind or crashing shows."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from safer_gym.conformance.cli.main import app
from safer_gym.conformance.selfcheck import AREAS, CHECKS, Check, Refuted, selfcheck, suite
from safer_gym.conformance.selfcheck.check import CRASHED, HOLDS, REFUTED, run_check


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: f"{check.area}-{check.name}")
def test_the_closed_form_is_met(check: Check) -> None:
    result = run_check(check)
    assert result.passed, result.evidence


def even(number: int) -> str:
    if number % 2:
        raise Refuted(f"{number} is odd")
    return f"{number} is even"


GOOD = Check("numbers", "even", "a number is even", even, 2)


@pytest.mark.parametrize(
    ("subject", "fate", "evidence"),
    [(2, HOLDS, "2 is even"), (3, REFUTED, "3 is odd"), (None, CRASHED, "TypeError: ")],
)
def test_only_a_law_that_holds_passes(subject: object, fate: str, evidence: str) -> None:
    result = run_check(GOOD._replace(subject=subject))
    assert (result.fate, result.passed) == (fate, fate == HOLDS)
    assert result.evidence.startswith(evidence)


def test_areas_are_chosen_by_name() -> None:
    seen = []
    report = selfcheck(["balls"], seen.append)
    assert report.passed
    assert [result.area for result in seen] == ["balls", "balls"]
    assert json.loads(json.dumps(report.to_json()))["checks"][0]["fate"] == HOLDS
    with pytest.raises(ValueError, match="balls"):
        selfcheck(["bals"])
    assert not selfcheck([]).passed
    assert len(AREAS) == 6


def test_the_command_prints_and_gates(monkeypatch: pytest.MonkeyPatch) -> None:
    run = CliRunner().invoke
    monkeypatch.setattr(suite, "CHECKS", (GOOD._replace(area="balls"),))
    good = run(app, ["selfcheck"])
    assert good.exit_code == 0
    assert "passed: 1 checks" in good.output
    assert "Closed forms alone" in good.output
    assert "2 is even" in run(app, ["selfcheck", "--verbose"]).output
    told = json.loads(run(app, ["selfcheck", "--json"]).stdout)
    assert (told["schema"], told["passed"]) == ("safer-gym/selfcheck/2", True)
    monkeypatch.setattr(suite, "CHECKS", (GOOD._replace(area="balls", subject=3),))
    bad = run(app, ["selfcheck"])
    assert bad.exit_code == 1
    assert "refuted: balls, even (a number is even): 3 is odd" in bad.output
    assert run(app, ["selfcheck", "--areas", "bals"]).exit_code == 3

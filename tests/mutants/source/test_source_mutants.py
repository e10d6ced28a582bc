"""The table fits the sources, and the harness tells killed, surviving and broken mutants apart."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from mutants.source.mutant import ROOT, Mutant
from mutants.source.table import MUTANTS

SPECIMENS = """
from mutants.source.harness import copied, outcome
from mutants.source.mutant import Mutant
file = "conformance/statistics/allocation.py"
tests = ("tests/conformance/statistics/test_allocation.py",)
old = "_round_down(part / len(names))"
with copied() as copy:
    for new in ("_round_down(part)", "_round_down(part / len([*names]))", "_round_down(part"):
        print(outcome(Mutant(file, old, new, tests), copy).split(":")[0])
    assert old in (copy / file).read_text()
"""


@pytest.mark.parametrize("name", MUTANTS)
def test_a_mutant_is_one_change_of_what_is_there(name: str) -> None:
    mutant = MUTANTS[name]
    text = (ROOT / mutant.file).read_text(encoding="utf-8")
    compile(mutant.applied(text), mutant.file, "exec")
    assert mutant.applied(text) != text
    for test in mutant.tests:
        path, _, function = test.partition("::")
        assert f"def {function}" in (ROOT / path).read_text(encoding="utf-8")


@pytest.mark.parametrize("old", ["def nothing_like_it", "\n"])
def test_a_change_of_nothing_or_of_many_places_is_refused(old: str) -> None:
    with pytest.raises(ValueError, match="times, not once"):
        Mutant("x.py", old, "", ()).applied("a\nb\n")


def test_the_harness_tells_killed_surviving_and_broken_apart() -> None:
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", SPECIMENS],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT / "tests")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.stdout.split() == ["killed", "survived", "broken"], run.stderr

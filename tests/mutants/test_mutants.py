"""The suite proves itself: every law holds, every mutant dies, and a blind law is found out."""

from __future__ import annotations

import pytest
from mutants import (
    attacks,
    balls,
    compositions,
    counted_bounds,
    discounted_theory,
    enclosures,
    episodic_theory,
    gates,
    gaussians,
    oracle,
    printed_theorems,
    running_bounds,
)
from mutants.trial import Trial

from safer_gym.conformance.selfcheck import CHECKS
from safer_gym.conformance.selfcheck.check import HOLDS, REFUTED, judge

PARTS = (
    balls,
    attacks,
    oracle,
    discounted_theory,
    printed_theorems,
    episodic_theory,
    compositions,
    gaussians,
    enclosures,
    counted_bounds,
    running_bounds,
    gates,
)
TRIALS: tuple[Trial, ...] = tuple(trial for part in PARTS for trial in part.TRIALS)


@pytest.mark.parametrize("trial", TRIALS, ids=lambda trial: f"{trial.area}-{trial.name}")
def test_the_law_holds_and_every_mutant_dies(trial: Trial) -> None:
    fate, evidence = judge(trial.law, trial.subject)
    assert fate == HOLDS, evidence
    fates = {name: judge(trial.law, mutant) for name, mutant in trial.mutants.items()}
    assert {name: how for name, (fate, how) in fates.items() if fate != REFUTED} == {}


def test_every_trial_has_a_mutant_and_a_name_of_its_own() -> None:
    assert all(trial.mutants for trial in TRIALS)
    assert len({(trial.area, trial.name) for trial in TRIALS}) == len(TRIALS)
    assert sum(len(trial.mutants) for trial in TRIALS) > 110


def test_every_check_of_the_command_has_a_trial() -> None:
    assert {check[:2] for check in CHECKS} <= {trial[:2] for trial in TRIALS}

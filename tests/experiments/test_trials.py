"""Trials of benign data: what each changes is an argument of SAFER, and nobody is attacked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from experiments.safer.trials import RECORDS, TRIALS, run_of
from safer_gym.agents import SAFER

RECORDED = sorted((Path(__file__).parents[2] / RECORDS).glob("*.json"))


@pytest.mark.parametrize("name", TRIALS)
def test_a_trial_is_benign_and_can_be_made(name: str, tmp_path: Path) -> None:
    run = run_of(name, 0, tmp_path)
    assert run.kwargs["attacked_share"] == 0.0
    agent = SAFER("MlpPolicy", run.task.make(), **run.kwargs | {"buffer_size": 10})
    assert agent.exploration.offset_steps > 0


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
def test_a_record_is_of_the_trial_that_it_names(path: Path) -> None:
    record = json.loads(path.read_text())
    run = run_of(record["trial"], record["seed"], path.parent)
    assert path.stem == f"{record['trial']}-{record['seed']}"
    assert record["kwargs"] == run.settings()["kwargs"]
    assert record["timesteps"] <= record["asked_timesteps"] == run.timesteps

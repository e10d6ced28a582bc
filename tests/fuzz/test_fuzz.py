"""Every public border refuses bad numbers, flags and names clearly, and takes numpy's."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fuzz.borders import BORDERS, Border
from fuzz.commands import command_inputs
from fuzz.newer import NEWER
from fuzz.outcome import Input, outcome_of

SEED = 0
PYTHON, SHELL = 600, 40


def wrong(inputs: list[Input]) -> list[str]:
    found = [(given.shown, outcome_of(given)) for given in inputs]
    return [f"{o.kind}: {shown}: {o.text}" for shown, o in found if o.kind not in ("clear", "fine")]


def test_python_refuses_what_makes_no_sense_and_says_what() -> None:
    inputs = [given for border in [*BORDERS, *NEWER] for given in border.inputs()]
    assert wrong(random.Random(SEED).sample(inputs, PYTHON)) == []


def test_commands_refuse_what_makes_no_sense_and_say_what(tmp_path: Path) -> None:
    inputs = list(command_inputs(tmp_path))
    assert wrong(random.Random(SEED).sample(inputs, SHELL)) == []


def silent(rate: float) -> float:
    return rate


def mute(rate: float) -> float:
    if not 0 <= rate <= 1:
        raise ValueError("no")
    return rate


def broken(rate: float) -> float:
    return [0.0, 1.0][rate]  # type: ignore[call-overload,no-any-return]


def clear(rate: Any) -> float:
    if type(rate) is not float or not 0 <= rate <= 1:
        raise ValueError(f"rate must be a float in [0, 1]; got {rate!r}")
    return rate


@pytest.mark.parametrize(
    ("specimen", "kind"),
    [(silent, "accepted"), (mute, "vague"), (broken, "raw"), (clear, "refused")],
)
def test_the_fuzz_tells_its_specimens_apart(specimen: Callable[..., Any], kind: str) -> None:
    border = Border("specimen", specimen, lambda: {"rate": 0.5}, {"rate": "share"})
    outcomes = {outcome_of(given).kind for given in border.inputs()}
    assert kind in outcomes

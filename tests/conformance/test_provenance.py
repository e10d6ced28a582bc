"""What a record says of its origin: a command that can be typed, the instructions in use."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from safer_gym.conformance.provenance import command


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (["/opt/bin/safer-gym", "train", "ball-circle"], "safer-gym train ball-circle"),
        (["/src/benchmarks/__main__.py", "gates"], "python -m benchmarks gates"),
        (["script.py", "a b"], "script.py 'a b'"),
    ],
)
def test_a_command_has_no_path_and_names_its_package(
    argv: list[str], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", argv)
    assert command() == expected


@pytest.mark.parametrize("used", ["default", "avx2"])
def test_the_instructions_are_those_in_use_and_not_the_processor_s_best(used: str) -> None:
    asked = "from safer_gym.conformance.provenance import record; print(record()['instructions'])"
    environment = {**os.environ, "ATEN_CPU_CAPABILITY": used}
    found = subprocess.run(
        [sys.executable, "-c", asked], env=environment, capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() in (used.upper(), "DEFAULT")  # of a processor without AVX2
    assert used != "default" or found.stdout.strip() == "DEFAULT"

"""The command that a record names is one that can be typed."""

from __future__ import annotations

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

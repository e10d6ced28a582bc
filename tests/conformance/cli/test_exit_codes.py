"""Exit codes by the class of an error, and verdicts on terminals that know no Greek."""

from __future__ import annotations

import errno
import io
import sys

import pytest
from gymnasium.error import DependencyNotInstalled, NameNotFound
from sample_certificates import sample
from typer.testing import CliRunner

from safer_gym.conformance.certificate.record import Certificate
from safer_gym.conformance.cli.encoding import print_anywhere
from safer_gym.conformance.cli.main import app
from safer_gym.conformance.cli.refusals import exit_code
from safer_gym.conformance.cli.summary import print_summary

CODES = {
    ValueError("a"): 3,
    TypeError("a"): 3,
    ModuleNotFoundError("No module named 'onnxruntime'"): 3,
    DependencyNotInstalled("pip install safer-gym[bullet]"): 3,
    NameNotFound("Hall"): 3,
    FileNotFoundError(errno.ENOENT, "no such file"): 3,
    IsADirectoryError(errno.EISDIR, "a folder"): 3,
    PermissionError(errno.EACCES, "not yours"): 3,
    OSError(errno.ENOSPC, "no space left"): 4,
    RuntimeError("a bug"): 4,
    KeyError("a bug"): 4,
    ZeroDivisionError("a bug"): 4,
}


@pytest.mark.parametrize("error", CODES, ids=lambda error: type(error).__name__)
def test_the_class_of_an_error_decides(error: Exception) -> None:
    assert exit_code(error) == CODES[error]


@pytest.mark.parametrize(
    "command",
    [
        ["evaluate", "ball-circle/cvpo"],
        ["attack", "ball-circle/cvpo"],
        ["certify", "ball-circle/cvpo"],
        ["train", "ball-circle"],
        ["demo"],
    ],
    ids=lambda command: command[0],
)
def test_a_negative_seed_is_wrong_usage(command: list[str]) -> None:
    result = CliRunner().invoke(app, [*command, "--seed", "-1"])
    assert result.exit_code == 3
    assert "--seed" in result.output
    assert "Traceback" not in result.output


def test_a_missing_extra_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    from safer_gym.wrappers.tasks import Task

    def make(task: Task) -> None:
        raise DependencyNotInstalled("pybullet is missing: pip install safer-gym[bullet]")

    monkeypatch.setattr(Task, "make", make)
    result = CliRunner().invoke(app, ["evaluate", "ball-circle/cvpo", "--attacks", "natural"])
    assert result.exit_code == 3
    assert "safer-gym[bullet]" in result.output
    assert "Traceback" not in result.output


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_terminal_without_greek_shows_the_verdict(
    encoding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding=encoding))
    monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(io.BytesIO(), encoding=encoding))
    print_anywhere()
    print_summary(Certificate.from_json(sample()))
    sys.stdout.flush()
    shown = raw.getvalue().decode(encoding)
    assert "FAIL" in shown
    assert "attacked eps" in shown
    assert "?" not in shown


def test_without_it_the_verdict_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the test above must be able to see."""
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding="ascii"))
    with pytest.raises(UnicodeEncodeError):
        print_summary(Certificate.from_json(sample()))

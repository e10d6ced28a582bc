"""Progress: a bar for True, a call for a function, and a refusal for anything else."""

from __future__ import annotations

import ast

import pytest
from test_layout import ROOT

from safer_gym.progress import told, told_as


def test_true_shows_a_bar(capsys: pytest.CaptureFixture) -> None:
    with told(True) as progress:
        assert progress is not None
        progress("mc", 0.25)
        progress("mc", 1.0)
        progress("mr", 0.5)
    shown = capsys.readouterr().err
    assert "mc: 100%" in shown
    assert "mr:  50%" in shown


def test_a_function_is_told() -> None:
    heard: list[tuple[str, float]] = []
    with told(lambda words, share: heard.append((words, share))) as progress:
        assert progress is not None
        progress("mc", 0.5)
    assert heard == [("mc", 0.5)]


@pytest.mark.parametrize("nothing", [None, False])
def test_nothing_is_told_nothing(nothing: bool | None) -> None:
    with told(nothing) as progress:
        assert progress is None


def test_anything_else_is_refused() -> None:
    with pytest.raises(TypeError, match="progress"), told("yes"):  # type: ignore[arg-type]
        pass


def test_true_shows_the_share_of_what_a_function_would_be_told(
    capsys: pytest.CaptureFixture,
) -> None:
    with told_as(True, "training", lambda share, note: share) as telling:
        telling(0.5, "reward 3")
    assert "training:  50%" in capsys.readouterr().err
    heard: list[tuple[float, str]] = []
    with told_as(lambda *said: heard.append(said), "training", max) as telling:
        telling(0.5, "reward 3")
    assert heard == [(0.5, "reward 3")]
    with told_as(None, "training", max) as telling:
        telling(0.5, "reward 3")
    assert capsys.readouterr().err == ""
    with pytest.raises(TypeError, match="progress"), told_as("yes", "training", max):  # type: ignore[arg-type]
        pass


LASTS = {
    "agents/skills/train.py": "train_prior",
    "agents/training/run.py": "train",
    "conformance/certify/entry.py": "certify",
    "conformance/certify/strongest.py": "strongest_attack",
    "conformance/compare/compare.py": "compare",
    "conformance/evaluate/evaluation.py": "evaluate",
    "conformance/selfcheck/suite.py": "selfcheck",
    "wrappers/fitted_critics/critics.py": "fit_critics",
    "wrappers/worlds/operation/collect.py": "collect",
}
"""What takes minutes, by the file that it is in."""


@pytest.mark.parametrize(("path", "name"), LASTS.items())
def test_what_lasts_shows_a_bar_for_true(path: str, name: str) -> None:
    (found,) = (
        node
        for node in ast.walk(ast.parse((ROOT / path).read_text()))
        if isinstance(node, ast.FunctionDef) and node.name == name
    )
    (progress,) = (
        argument
        for argument in (*found.args.args, *found.args.kwonlyargs)
        if argument.arg == "progress"
    )
    assert progress.annotation is not None
    assert ast.unparse(progress.annotation).endswith(" | bool | None")

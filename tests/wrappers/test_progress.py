"""Progress: a bar for True, a call for a function, and a refusal for anything else."""

from __future__ import annotations

import pytest

from safer_gym.wrappers.progress import told


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

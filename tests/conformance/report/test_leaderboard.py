"""The leaderboard: alike beside alike, the safest first, and nothing damaged among them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from safer_gym.conformance.cli.main import app
from safer_gym.conformance.report.leaderboard import read_board, render_leaderboard

PACKAGED = Path("benchmarks/results/certificates")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("cvpo", "safer-attacked"):
        shutil.copy(PACKAGED / f"ball-circle-{name}.json", tmp_path / f"{name}.json")
    return tmp_path


def test_the_safest_comes_first(folder: Path) -> None:
    board = read_board(folder)
    names = [entry.name for entries in board.groups.values() for entry in entries]
    assert "safer-attacked" in names[0]
    assert "cvpo" in names[-1]
    page = render_leaderboard(board)
    assert page.index("safer-attacked") < page.index("cvpo.json")
    assert "SaferGym/BallCircle-v0" in page


def test_a_copy_counts_once(folder: Path) -> None:
    before = read_board(folder)
    shutil.copy(folder / "cvpo.json", folder / "again.json")
    assert [len(e) for e in read_board(folder).groups.values()] == [
        len(e) for e in before.groups.values()
    ]


def test_other_limits_stand_apart(folder: Path) -> None:
    shutil.copy(PACKAGED / "car-circle-cvpo.json", folder / "car.json")
    board = read_board(folder)
    assert len({group[0] for group in board.groups}) == 2


def test_a_changed_certificate_is_not_taken(folder: Path) -> None:
    path = folder / "cvpo.json"
    data = json.loads(path.read_text())
    data["benign"]["costs"][0] = 0.0
    path.write_text(json.dumps(data))
    (folder / "other.json").write_text('{"schema": "another"}')
    (folder / "broken.json").write_text("{")
    board = read_board(folder)
    assert {name for name, _ in board.skipped} == {"cvpo.json", "broken.json"}
    assert "Not taken" in render_leaderboard(board)


def test_a_hostile_name_is_text(folder: Path) -> None:
    board = read_board(folder)
    hostile = {
        group: [entry._replace(name="<script>alert(1)</script>") for entry in entries]
        for group, entries in board.groups.items()
    }
    assert "<script>" not in render_leaderboard(board._replace(groups=hostile))


def test_the_command(folder: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["leaderboard", str(folder)])
    assert done.exit_code == 0, done.output
    assert (folder / "index.html").read_text().startswith("<!doctype html>")
    (tmp_path / "empty").mkdir()
    refused = CliRunner().invoke(app, ["leaderboard", str(tmp_path / "empty")])
    assert refused.exit_code == 3
    assert "no certificate" in refused.stderr

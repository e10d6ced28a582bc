"""A package from outside adds a task, an algorithm, an attack, a composition, a file format and a
report, each in one file with one registration: every command takes them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
ASKED = "P(cost > 0) <= 0.9 at eps = 0.1 under attacks"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of installed packages, with ours among them, to work in."""
    folder = tmp_path_factory.mktemp("outside")
    shutil.copytree(HERE / "swinging", folder / "swinging")
    info = folder / "swinging-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: swinging\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[safer_gym.extensions]\nswinging = swinging\n")
    return folder


def run(home: Path, *arguments: str, expected: tuple[int, ...] = (0,)) -> str:
    told = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "safer_gym.conformance.cli.main", *arguments],
        env=os.environ | {"PYTHONPATH": ":".join((str(home), *sys.path)), "COLUMNS": "200"},
        cwd=home,
        capture_output=True,
        text=True,
    )
    assert told.returncode in expected, told.stdout + told.stderr
    return told.stdout


def outcomes(home: Path, *arguments: str) -> list[dict[str, Any]]:
    options = ("--attacks", "natural,corner", "--episodes", "3", "--json")
    return json.loads(run(home, "evaluate", *arguments, *options))["outcomes"]


@pytest.fixture(scope="module")
def trained(home: Path) -> Path:
    run(home, "train", "swing", "--algorithm", "swinger", "--out", "run", "--json")
    return home / "run" / "model.zip"


@pytest.fixture(scope="module")
def certificate(home: Path, trained: Path) -> dict[str, Any]:
    run(
        home, "certify", str(trained), "--battery", "quick", "--requirement", ASKED,
        "--modes", "both", "--episodes", "25", "--out", "certified", expected=(0, 1, 2),
    )  # fmt: skip
    return json.loads((home / "certified" / "certificate.json").read_text())


def test_the_task_is_listed(home: Path) -> None:
    tasks = {row["task"]: row for row in json.loads(run(home, "tasks", "--json"))}
    assert tasks["swing"]["id"] == "Swing-v0"
    assert tasks["swing"]["eps"] == 0.1


@pytest.mark.parametrize(
    ("command", "name"),
    [("train", "swinger"), ("attack", "corner"), ("evaluate", "corner"), ("report", "word")],
)
def test_help_names_what_was_registered(home: Path, command: str, name: str) -> None:
    assert f"{name}." in run(home, command, "--help")


@pytest.mark.slow
def test_the_algorithm_trains_the_task_and_its_file_is_data(home: Path, trained: Path) -> None:
    record = json.loads(trained.with_suffix(".json").read_text())
    assert (record["task"], record["algorithm"]) == ("swing", "swinger")
    assert [outcome["attack"] for outcome in outcomes(home, str(trained))] == ["natural", "corner"]


@pytest.mark.slow
def test_the_file_format_is_opened_by_every_command(home: Path) -> None:
    (home / "policy.slope").write_text("slope 0.5\n")
    told = outcomes(home, "policy.slope", "--task", "swing")
    # The policy goes where it is shown to be; shown further up, it goes further up.
    assert told[1]["mean_return"] > told[0]["mean_return"]


@pytest.mark.slow
def test_attack_and_composition_are_in_the_certificate(
    home: Path, certificate: dict[str, Any]
) -> None:
    assert "corner" in certificate["attacks"]
    rows = [row for row in certificate["rows"] if row["eps"] > 0]
    assert "corner" in {attack["attack"] for row in rows for attack in row["attacks"]}
    bounds = [row["rate"]["upper_every"] for row in rows if row["mode"] == "stochastic"]
    assert bounds
    assert all("cautious" in bound["promises"] for bound in bounds)
    run(home, "verify", "certified/certificate.json")


@pytest.mark.slow
def test_the_report_has_the_form_and_the_words(home: Path, certificate: dict[str, Any]) -> None:
    run(home, "report", "certified/certificate.json", "--out", "report")
    assert (home / "report" / "verdict.txt").read_text().strip() == certificate["verdict"]
    page = (home / "report" / "certificate.html").read_text()
    assert "corner" in page
    assert "cautious coupling" in page

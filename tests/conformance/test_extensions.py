"""An installed package registers itself: in one file, named in its entry points."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from sample_certificates import sample

from safer_gym.conformance.certificate.record import Certificate

SWING = """
from safer_gym.wrappers.tasks import Task, register_task

register_task(Task("swing", "Pendulum-v1", eps=0.2))
"""
LINE = """
from safer_gym.conformance.report.certificate import register_form

register_form("line", "verdict.txt", lambda certificate: certificate["verdict"])
"""
TASKS = ("-m", "safer_gym.conformance.cli.main", "tasks", "--json")


def installed(folder: Path, code: str) -> dict[str, str]:
    """The environment of a process in which a package with this extension is installed."""
    (folder / "swinging.py").write_text(code)
    info = folder / "swinging-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: swinging\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[safer_gym.extensions]\nswinging = swinging\n")
    return os.environ | {"PYTHONPATH": ":".join((str(folder), *sys.path))}


def run(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], env=environment, capture_output=True, text=True
    )


def test_the_command_line_knows_what_an_installed_package_registers(tmp_path: Path) -> None:
    told = run(installed(tmp_path, SWING), *TASKS)
    assert told.returncode == 0, told.stderr
    assert '"task": "swing"' in told.stdout


def test_a_form_of_the_report_is_written_by_the_command(tmp_path: Path) -> None:
    certificate = tmp_path / "certificate.json"
    Certificate.from_json(sample()).save(certificate)
    main = ("-m", "safer_gym.conformance.cli.main")
    asked = ("report", str(certificate), "--forms", "line", "--out", str(tmp_path))
    told = run(installed(tmp_path, LINE), *main, *asked)
    assert told.returncode == 0, told.stderr
    assert (tmp_path / "verdict.txt").read_text() == "FAIL"


@pytest.mark.parametrize("code", ["import no_such_module", "raise RuntimeError('broken')"])
def test_a_broken_extension_is_named_in_one_line(tmp_path: Path, code: str) -> None:
    told = run(installed(tmp_path, code), *TASKS)
    assert told.returncode == 3
    (line,) = (line for line in told.stderr.splitlines() if line.startswith("Error"))
    assert "'swinging' (swinging) of swinging cannot be imported" in line
    assert "Traceback" not in told.stderr

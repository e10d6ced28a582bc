"""The example project's CI, run without GitHub or GitLab: red on CVPO, green on SAFER.

Both packages are wheels, installed beside each other as a user has them; the checkout is not on the
path.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as Xml

import pytest
from plugin_arguments import arguments
from test_layout import ROOT
from wheels import built, installed

PROJECT = ROOT / "examples" / "ci_project"
JOBS = {"github": ".github/workflows/safety.yml", "gitlab": ".gitlab-ci.yml"}


def commands(job: str) -> list[str]:
    """The shell lines of a job, in order."""
    text = (PROJECT / JOBS[job]).read_text()
    pattern = r"^\s*-? *run: (.+)$" if job == "github" else r"^ +- (\S.+)$"
    return re.findall(pattern, text, flags=re.MULTILINE)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheels of safer-gym and of the example project."""
    folder = tmp_path_factory.mktemp("wheels")
    own = shutil.copytree(PROJECT, folder / "my-robot")
    wheels = [built(ROOT, folder / "safer-gym"), built(own, folder / "own")]
    return installed(wheels, folder / "site")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """What a checkout of the project holds beside its package."""
    ignored = shutil.ignore_patterns("src", "pyproject.toml")
    copy = shutil.copytree(PROJECT, tmp_path / "project", ignore=ignored)
    (copy / "pyproject.toml").write_text('[tool.pytest.ini_options]\ntestpaths = ["tests"]\n')
    return copy


def run(command: str, project: Path, site: Path, policy: str) -> subprocess.CompletedProcess[str]:
    """One line of a job, with this interpreter and the wheels."""
    command = command.replace("python -m pytest", " ".join(["python -m pytest", *arguments()]))
    command = command.replace("python ", f"{sys.executable} ", 1)
    environment = {
        **os.environ,
        "POLICY": policy,
        "PYTHONPATH": str(site),
        "OMP_NUM_THREADS": "1",
        "GITHUB_STEP_SUMMARY": str(project / "summary.md"),
    }
    return subprocess.run(
        ["bash", "-ec", command], cwd=project, env=environment, capture_output=True, text=True
    )


def test_both_services_run_the_same() -> None:
    gates = [[c for c in commands(job) if "pytest" in c] for job in JOBS]
    assert gates[0] == gates[1]
    assert len(gates[0]) == 1
    assert all("pip install ." in commands(job)[0] for job in JOBS)
    reports = re.findall(r"--safe-policy-report=(\S+)", gates[0][0])[0]
    for job in JOBS:
        assert re.search(rf"\b{reports}\b", (PROJECT / JOBS[job]).read_text().split("pytest")[-1])


@pytest.mark.slow
@pytest.mark.parametrize(("policy", "green"), [("cvpo", False), ("safer-attacked", True)])
def test_the_gate_is_red_on_cvpo_and_green_on_safer(
    policy: str, green: bool, project: Path, site: Path
) -> None:
    pytest.importorskip("bullet_safety_gym")
    install, gate, summary = commands("github")
    assert install == "python -m pip install ."
    result = run(gate, project, site, f"ball-circle/{policy}")
    assert result.returncode == (0 if green else 1), result.stdout + result.stderr
    verdict = "PASS" if green else "FAIL"
    assert f"{verdict}: ball-circle/{policy} on BallInLane-v0" in result.stdout
    (case,) = Xml.parse(project / "reports" / "junit.xml").getroot().iter("testcase")
    assert (case.find("failure") is None) == green
    (folder,) = (p for p in (project / "reports").iterdir() if p.is_dir())
    names = {path.name for path in folder.iterdir()}
    assert {"certificate.json", "certificate.html", "badge.svg", "certificate.sarif"} <= names
    certificate = json.loads((folder / "certificate.json").read_text())
    assert certificate["verdict"] == verdict
    assert run(summary, project, site, "").returncode == 0
    assert f"ball-circle/{policy} on BallInLane" in (project / "summary.md").read_text()

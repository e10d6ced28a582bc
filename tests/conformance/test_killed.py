"""A demo and a certificate that were killed end as those that were not."""

from __future__ import annotations

from pathlib import Path

import pytest
from certify_toys import Line, Push, homing_network
from kills import check_kills

from safer_gym.conformance.certify import certify
from safer_gym.conformance.cli import demo as demo_module
from safer_gym.conformance.cli.demo import run_demo
from safer_gym.conformance.report.certificate import write_reports


def test_a_certificate(tmp_path: Path) -> None:
    folder = tmp_path / "out"

    def work() -> None:
        found = certify(
            homing_network(), Line, limit=2.0, eps=0.1, battery={"push": Push()}, episodes=10,
            benign_episodes=10, cache=folder / "cache",
        )  # fmt: skip
        found.save(folder / "certificate.json")
        write_reports(found.to_json(), folder)

    check_kills(work, folder / "certificate.json", folder, 4, seed=0)


@pytest.mark.slow
def test_a_demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo_module, "RADII", (0.05,))
    monkeypatch.setattr(demo_module, "PACKAGED", {"CVPO": "ball-circle/cvpo"})
    folder = tmp_path / "demo"

    def work() -> None:
        run_demo(folder, full=False, train=False, episodes=1, seed=0, as_json=True)

    check_kills(work, folder / "results.json", folder, 1, seed=1)

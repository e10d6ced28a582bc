"""`certify`, `verify`, `diff` and `replay` from the shell, on a closed loop that is fast."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import gymnasium as gym
import pytest
from certify_toys import Line, homing_network
from typer.testing import CliRunner

from safer_gym.conformance.certificate.record import Certificate
from safer_gym.conformance.cli.main import app
from safer_gym.types import Victim

ID = "Line-v0"
SAFE = "P(cost > 2) <= 0.3 at eps = 0.02 under attacks"
UNSAFE = "P(cost > 2) <= 0.05 at eps = 2 under attacks"
UNKNOWN = "P(cost > 2) <= 0.0001 at eps = 0.02 under attacks"


class Driver:
    """A deterministic policy, half way home, with critics of the next state."""

    def victim(self) -> Victim:
        """What attacks may use."""
        return Victim(
            action=lambda obs: -0.5 * obs,
            q_cost=lambda obs, action: (obs + action).abs().flatten(1).sum(1),
            q_reward=lambda obs, action: -(obs + action).abs().flatten(1).sum(1),
        )


drive = Driver()
network: Any = homing_network()
"""The same as a network, which noise on its action can be bounded for."""
network.victim = lambda: drive.victim()._replace(action=network)


@pytest.fixture(autouse=True)
def registered() -> object:
    gym.register(ID, entry_point=Line, max_episode_steps=10)
    yield
    del gym.registry[ID]


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, list(arguments))
    return result.exit_code, result.output


def certified(out: Path, *requirements: str) -> int:
    asked = [part for text in requirements for part in ("--requirement", text)]
    code, _ = run(
        "certify", f"{__name__}:drive", "--env", ID, "--battery", "quick", "--episodes", "25",
        "--out", str(out), *asked,
    )  # fmt: skip
    return code


def test_the_exit_code_is_the_verdict(tmp_path: Path) -> None:
    assert certified(tmp_path / "safe", SAFE) == 0
    assert certified(tmp_path / "unsafe", SAFE, UNSAFE) == 1
    assert certified(tmp_path / "unknown", UNKNOWN) == 2
    written = {path.name for path in (tmp_path / "unsafe").iterdir()}
    assert {"certificate.json", "certificate.html", "junit.xml", "badge.svg"} <= written


def test_what_was_written_verifies_and_replays(tmp_path: Path) -> None:
    certified(tmp_path, UNSAFE)
    path = tmp_path / "certificate.json"
    assert run("verify", str(path)) == (0, "every bound follows from the episodes\n")
    certificate = Certificate.load(path)
    command = certificate.episodes_of_note[0].replay.split()
    assert command[:2] == ["safer-gym", "replay"]
    code, said = run(*command[1:])
    assert code == 0
    assert f"recorded {certificate.episodes_of_note[0].cost:g}" in said
    named = ["replay", str(path), "--model", f"{__name__}:drive", "--env", ID]
    code, said = run(*named, "--attack", "mc", "--eps", "2", "--index", "20")
    (costs,) = (a.costs for row in certificate.rows for a in row.attacks if a.attack == "mc")
    assert (code, f"recorded {costs[20]:g}" in said) == (0, True)
    assert run(*named, "--attack", "cm", "--eps", "2")[0] == 3
    assert run(*named, "--attack", "mc", "--eps", "2", "--index", "9999")[0] == 3
    assert run(*named, "--episode", "99")[0] == 3


def test_noise_on_request_is_in_the_file_and_in_its_replay(tmp_path: Path) -> None:
    asked = "P(cost > 2) <= 0.3 at eps = 0.02 for every adversary"
    code, said = run(
        "certify", f"{__name__}:network", "--env", ID, "--battery", "quick", "--episodes", "25",
        "--eps", "0.02,2", "--action-noise", "0.2", "--requirement", asked, "--out", str(tmp_path),
    )  # fmt: skip
    assert (
        code,
        "Gaussian noise on its mean action (standard deviation 0.2)" in " ".join(said.split()),
    ) == (0, True)
    path = tmp_path / "certificate.json"
    assert Certificate.load(path).policy.action_noise == (0.2,)
    assert "standard deviation 0.2" in (tmp_path / "certificate.html").read_text()
    assert run(*Certificate.load(path).episodes_of_note[0].replay.split()[1:])[0] == 0
    assert run("certify", f"{__name__}:network", "--env", ID, "--action-noise", "much")[0] == 3


def test_the_ball_may_have_a_radius_for_each_entry(tmp_path: Path) -> None:
    asked = ["certify", f"{__name__}:drive", "--env", ID, "--battery", "quick", "--episodes", "25"]
    asked += ["--requirement", SAFE, "--out", str(tmp_path)]
    assert run(*asked, "--scale", "0.5")[0] == 0
    assert Certificate.load(tmp_path / "certificate.json").scale == (0.5,)
    for wrong in ("0.5,1", "wide"):
        assert run(*asked, "--scale", wrong)[0] == 3


def test_a_forged_file_fails(tmp_path: Path) -> None:
    certified(tmp_path, UNSAFE)
    path = tmp_path / "certificate.json"
    data = json.loads(path.read_text())
    data["rows"][0]["rate"]["lower"]["value"] = 0.001
    path.write_text(json.dumps(data))
    code, said = run("verify", str(path))
    assert (code, "not valid" in said) == (1, True)
    for command in ("diff", "report", "replay"):
        code, said = run(command, *[str(path)] * (2 if command == "diff" else 1))
        assert (code, "changed after it was made" in said) == (3, True)


def test_wrong_usage_is_three(tmp_path: Path) -> None:
    for arguments in (
        ("certify", f"{__name__}:drive", "--requirement", SAFE),
        ("certify", f"{__name__}:drive", "--env", ID, "--requirement", "be safe"),
        ("certify", "nowhere.zip", "--env", ID, "--requirement", SAFE),
        ("verify", str(tmp_path / "none.json")),
    ):
        assert CliRunner().invoke(app, list(arguments)).exit_code == 3

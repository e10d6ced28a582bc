"""A user's own environment and policy at every command."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from own_hall import COST, ENV, NAME, hall_in
from typer.testing import CliRunner

from safer_gym.attacks import make_attack
from safer_gym.conformance.certificate.record import Certificate
from safer_gym.conformance.certify import certify
from safer_gym.conformance.certify.verify import verify
from safer_gym.conformance.cli.environments import parse_env_args
from safer_gym.conformance.cli.main import app
from safer_gym.conformance.evaluate import evaluate
from safer_gym.conformance.loading import load_policy
from safer_gym.wrappers import ObservationAdversary
from safer_gym.wrappers.tasks import find_task

DRIVE = f"{NAME}:drive"
QUICK = ["--battery", "quick", "--episodes", "5", "--benign-episodes", "5"]


@pytest.fixture(autouse=True)
def hall(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with hall_in(tmp_path, monkeypatch) as folder:
        yield folder


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, list(arguments))
    return result.exit_code, result.output


@pytest.mark.parametrize(
    "env",
    [ENV, ["--env", f"{NAME}:make", *COST], ["--env", f"{NAME}:OwnHall-v0", "--cost", "touched"]],
)
def test_evaluate_and_attack(env: list[str]) -> None:
    for command in (
        ["evaluate", "--attacks", "natural,uniform"],
        ["attack", "--attacks", "uniform"],
    ):
        code, said = run(command[0], DRIVE, *env, *command[1:], "--episodes", "2", "--eps", "0.2")
        assert code == 0, said
        assert "uniform" in said


def test_a_certificate_runs_again_by_its_own_line(tmp_path: Path) -> None:
    asked = ["certify", DRIVE, *ENV, "--env-arg", "wall=1.01", "--eps", "0.3", "--limit", "2"]
    assert run(*asked, *QUICK, "--out", "out")[0] == 0
    found = Certificate.load(tmp_path / "out" / "certificate.json")
    assert verify(found) == ()
    line = found.episodes_of_note[0].replay
    assert f"<code>{line}</code>" in (tmp_path / "out" / "certificate.html").read_text()
    code, said = run(*shlex.split(line)[1:])
    assert (code, "recorded" in said) == (0, True), said
    code, said = run("replay", "out/certificate.json", "--model", DRIVE)
    assert (code, "--env" in said) == (3, True)


def test_a_trained_policy_finds_its_environment_again(tmp_path: Path) -> None:
    asked = ["train", *ENV, "--algorithm", "cvpo", "--cost-limit", "1", "--out", "run"]
    assert run(*asked, "--timesteps", "800")[0] == 0
    record = json.loads((tmp_path / "run" / "model.json").read_text())
    assert record["environment"] == {"cost": f"{NAME}:touches", "max_steps": 20}
    assert record["kwargs"]["cost_limit"] == 1.0
    again = shlex.split(record["command"])[1:]
    assert again[again.index("--env" if "--env" in again else "train") + 1] == f"{NAME}:Hall"
    code, said = run(*asked, "--timesteps", "1600")
    assert (code, "1600" in said) == (0, True), said
    code, said = run(*asked[:-2], "--out", "run", "--max-steps", "9", "--timesteps", "1600")
    assert (code, "other settings" in said) == (3, True)
    known = ["evaluate", "run/model.zip", "--attacks", "natural", "--episodes", "2"]
    assert run(*known)[0] == 0


@pytest.mark.parametrize(
    "record",
    [
        {"task": "own_hall_spy:make"},
        {"task": "Pendulum-v1", "environment": {"cost": "own_hall_spy:make"}},
        {"task": "Pendulum-v1", "environment": {"env_args": {"g": 1}}},
        {"task": "Pendulum-v1", "environment": {"max_steps": "own_hall_spy:make"}},
        {"task": "Pendulum-v1", "environment": "own_hall_spy:make"},
    ],
)
def test_a_strangers_record_runs_nothing(record: dict[str, Any], tmp_path: Path) -> None:
    """What stands beside a model file is as untrusted as the file."""
    (tmp_path / "own_hall_spy.py").write_text("open('ran', 'w').write('')\ndef make(*a): pass")
    trained(tmp_path)
    (tmp_path / "run" / "model.json").write_text(json.dumps(record))
    for command in (["evaluate"], ["attack"], ["certify", "--eps", "1", "--limit", "1"]):
        code, said = run(command[0], "run/model.zip", *command[1:])
        assert code == 3, said
        assert "beside run/model.zip" in " ".join(said.split())
    assert not (tmp_path / "ran").exists()
    assert "own_hall_spy" not in sys.modules


def trained(folder: Path) -> None:
    from stable_baselines3 import PPO

    model = PPO("MlpPolicy", find_task(f"{NAME}:make").make(), device="cpu", seed=0)
    (folder / "run").mkdir()
    model.save(folder / "run" / "model.zip")


def test_trust_follows_a_record(tmp_path: Path) -> None:
    trained(tmp_path)
    record = {"task": f"{NAME}:Hall", "environment": {"cost": "touched", "max_steps": 5}}
    (tmp_path / "run" / "model.json").write_text(json.dumps(record))
    asked = ["evaluate", "run/model.zip", "--attacks", "natural", "--episodes", "1"]
    assert run(*asked)[0] == 3
    assert run(*asked, "--trust")[0] == 0
    assert run(*asked, *ENV)[0] == 0


@pytest.mark.parametrize("command", ["evaluate", "attack", "certify", "train"])
def test_no_end_and_no_limit_is_refused_with_what_to_pass(command: str) -> None:
    asked = [command, *([] if command == "train" else [DRIVE]), "--env", f"{NAME}:Hall", *COST]
    more = {"certify": ["--eps", "1", "--limit", "1"], "evaluate": ["--attacks", "natural"]}
    code, said = run(*asked, *more.get(command, []))
    assert (code, "--max-steps" in said) == (3, True), said


def test_python_takes_names_and_what_was_loaded() -> None:
    task = find_task(f"{NAME}:Hall", cost="touched", max_steps=20)
    loaded = load_policy(DRIVE)
    costs = [
        evaluate(policy, env, ["uniform"], eps=0.3, n_episodes=3)[0].costs.tolist()
        for policy in (DRIVE, loaded, loaded.policy)
        for env in (task, task.make)
    ]
    assert all(found == costs[0] for found in costs)
    battery = {"uniform": make_attack("uniform")}
    made = certify(loaded, task, eps=0.3, limit=2, battery=battery, episodes=5, benign_episodes=5)
    assert made.policy.source == DRIVE
    assert made.episodes_of_note[0].replay.endswith(
        f"--model {DRIVE} --env {NAME}:Hall --cost touched --max-steps 20"
    )
    env = ObservationAdversary(task.make(), "uniform", policy=loaded, eps=0.1)
    env.reset(seed=0)


@pytest.mark.parametrize("door", ["evaluate", "certify"])
def test_a_policy_of_other_shapes_is_refused_before_an_episode(door: str, tmp_path: Path) -> None:
    (tmp_path / "own_hall_other.py").write_text(
        "import torch\nnet = torch.nn.Sequential(torch.nn.Linear(5, 1))\n"
        "two = torch.nn.Sequential(torch.nn.Linear(1, 2))\n"
    )
    more = ["--eps", "1"] + (["--limit", "1"] if door == "certify" else [])
    for name, words in (("net", "observation space is Box"), ("two", "must return 1 numbers")):
        code, said = run(door, f"own_hall_other:{name}", *ENV, *more)
        assert (code, words in " ".join(said.split())) == (3, True), said
    code, said = run(door, "ball-circle/cvpo", *ENV, *more)
    assert (code, "not a policy of this environment" in " ".join(said.split())) == (3, True), said


@pytest.mark.parametrize("text", ["wall", "=3", "a b=1"])
def test_env_args_are_key_and_value(text: str) -> None:
    with pytest.raises(ValueError, match="key=value"):
        parse_env_args([text])

"""`safer-gym prior`: a prior from a file, resumed where it was stopped."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from safer_gym.agents.data.offline import offline_data, read_offline, write_offline
from safer_gym.agents.skills import SkillPrior
from safer_gym.conformance.cli.main import app


@pytest.fixture
def data(tmp_path: Path) -> Path:
    rng, n = np.random.default_rng(0), 300
    costs = (rng.random(n) < 0.3).astype(np.float32)
    actions = np.where(costs > 0, 0.4, -0.4)[:, None] + 0.1 * rng.normal(size=(n, 2))
    columns = {
        "observations": rng.normal(size=(n, 3)), "actions": actions.clip(-0.9, 0.9),
        "rewards": np.zeros(n), "costs": costs,
        "terminals": np.arange(n) % 10 == 9, "timeouts": np.zeros(n, bool),
    }  # fmt: skip
    write_offline(offline_data(columns), tmp_path / "data.npz")
    return tmp_path / "data.npz"


def run(*arguments: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["prior", *map(str, arguments)])
    return result.exit_code, result.stdout, result.stderr


def test_it_trains_saves_and_says_what_the_prior_is_worth(data: Path, tmp_path: Path) -> None:
    code, out, _ = run(data, "--out", tmp_path / "run", "--updates", 150, "--json")
    found = json.loads(out)
    assert code == 0
    assert found["auc"] > 0.8
    assert found["measured_on"] == f"training data {data}"
    assert 0 < found["eta_algorithm_3"] <= found["eta"]
    assert found["eta_algorithm_3"] <= found["eta_0"] == 3.0
    assert SkillPrior.load(found["prior"]).shape.observation_shape == (3,)


def test_more_updates_go_on_from_fewer(data: Path, tmp_path: Path) -> None:
    for folder, updates in (("a", 4), ("a", 8), ("b", 8)):
        assert run(data, "--out", tmp_path / folder, "--updates", updates)[0] == 0
    first, second = (SkillPrior.load(tmp_path / name / "prior.pt") for name in "ab")
    for key, weight in first.state_dict().items():
        np.testing.assert_array_equal(weight, second.state_dict()[key])


def test_options_reach_the_training(data: Path, tmp_path: Path) -> None:
    given = {"unsafe_term": "freeze", "floor": -4.0, "learning_rate": 0.01, "updates": 1}
    words = [f"--{name.replace('_', '-')}={value}" for name, value in given.items()]
    _, out, _ = run(data, "--out", tmp_path / "run", "--json", "--window=5", *words)
    found = json.loads(out)
    assert given.items() <= found["training"].items()
    assert found["shape"]["window"] == 5


def test_a_prior_is_measured_on_data_that_is_held_out(data: Path, tmp_path: Path) -> None:
    read, other = read_offline(data), tmp_path / "other.npz"
    write_offline(read.take(np.arange(100)), other)
    arguments = data, "--out", tmp_path / "run", "--updates", 1, "--held-out", other
    _, out, _ = run(*arguments, "--json")
    found = json.loads(out)
    assert found["measured_on"] == f"held-out data {other}"
    assert found["safe_steps"] + found["unsafe_steps"] == 100
    following = read.next_observations[:, :2]
    narrow = read._replace(observations=read.observations[:, :2], next_observations=following)
    write_offline(narrow, other)
    code, _, err = run(*arguments)
    assert code == 3
    assert "observations must have the training data's shape (3,)" in " ".join(err.split())


def test_data_that_cannot_be_trained_on_is_refused_by_its_file(data: Path, tmp_path: Path) -> None:
    read = read_offline(data)
    write_offline(read._replace(actions=3 * read.actions), data)
    code, _, err = run(data, "--out", tmp_path / "run")
    assert code == 3
    assert "data.npz: actions must lie in [-1, 1]" in " ".join(err.split())


def test_a_damaged_checkpoint_is_refused(data: Path, tmp_path: Path) -> None:
    (tmp_path / "prior.checkpoint").write_text("junk")
    code, _, err = run(data, "--out", tmp_path)
    assert code == 3
    assert "prior.checkpoint cannot be gone on with" in " ".join(err.split())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--labels", "all"], "labels must be one of 'every', 'onset', 'recovery'; got 'all'"),
        (["--updates", "0"], "updates must be"),
        (["--flow", "glow"], "flow must be one of"),
        (["--safe-share", "2"], "share must lie in"),
        (["--eta-0", "0"], "eta_0 must be a finite number > 0; got 0.0"),
        (["--unsafe-term", "flor"], "unsafe_term must be one of 'floor', 'freeze'"),
    ],
)
def test_bad_options_are_refused(
    data: Path, tmp_path: Path, arguments: list[str], message: str
) -> None:
    code, _, err = run(data, "--out", tmp_path / "run", "--updates", 1, *arguments)
    assert code == 3
    assert message in " ".join(err.split())


def test_a_file_that_is_no_data_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data.npz").write_text("junk")
    code, _, err = run(tmp_path / "data.npz", "--out", tmp_path / "run")
    assert code == 3
    assert "is broken" in " ".join(err.split())

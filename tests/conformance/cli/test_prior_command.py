"""`safer-gym prior`: a prior from a file, resumed where it was stopped."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from safer_gym.agents.data.offline import offline_data, write_offline
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
    assert 0 <= found["eta"] <= found["eta_exact"]
    assert found["eta_exact"] > 0
    assert SkillPrior.load(found["prior"]).shape.observation_shape == (3,)


def test_more_updates_go_on_from_fewer(data: Path, tmp_path: Path) -> None:
    for folder, updates in (("a", 4), ("a", 8), ("b", 8)):
        assert run(data, "--out", tmp_path / folder, "--updates", updates)[0] == 0
    first, second = (SkillPrior.load(tmp_path / name / "prior.pt") for name in "ab")
    for key, weight in first.state_dict().items():
        np.testing.assert_array_equal(weight, second.state_dict()[key])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--labels", "all"], "labels must be one of 'every', 'onset', 'recovery'; got 'all'"),
        (["--updates", "0"], "updates must be"),
        (["--flow", "glow"], "flow must be one of"),
        (["--safe-share", "2"], "share must lie in"),
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

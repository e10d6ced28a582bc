"""The count of saved models that open, on a folder of four."""

from __future__ import annotations

from pathlib import Path

import pytest
from normalised_models import trained, venv
from stable_baselines3 import SAC

from benchmarks import zoo_files
from benchmarks.zoo_files import main


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One behind a VecNormalize, one without its own, one without any, and one that is damaged."""
    (tmp_path / "far" / "model").mkdir(parents=True)
    model = trained()
    model.save(tmp_path / "far" / "model.zip")
    model.get_vec_normalize_env().save(tmp_path / "far" / "model" / "vecnormalize.pkl")
    model.save(tmp_path / "lost.zip")
    SAC("MlpPolicy", venv().venv, buffer_size=10, device="cpu").save(tmp_path / "sac.zip")
    whole = (tmp_path / "sac.zip").read_bytes()
    (tmp_path / "torn.zip").write_bytes(whole[: len(whole) // 2])
    return tmp_path


def test_each_file_is_counted_and_each_miss_is_said(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(folder)]) == 0
    *misses, counts = capsys.readouterr().out.splitlines()
    assert counts == (
        "4 files, 1 behind a VecNormalize, 2 data, 2 trust, 3 sb3, 2 compared, 2 alike"
    )
    said = [line.split(": ")[0] for line in misses]
    assert said == ["lost.zip, data", "lost.zip, trust"] + [
        f"torn.zip, {column}" for column in ("data", "trust", "sb3")
    ]


def test_another_action_is_seen(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zoo_files, "unpickle_model", lambda path: trained(SAC))
    assert main([str(folder)]) == 1

"""Offline data: what was written is read, and broken data is refused by name."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from safer_gym.agents.data.minari_format import from_minari, to_minari
from safer_gym.agents.data.offline import offline_data, read_offline, write_offline

N = 6


def columns(**changes: Any) -> dict[str, Any]:
    made = {
        "observations": np.arange(2.0 * N).reshape(N, 2), "actions": np.zeros((N, 1)),
        "rewards": np.ones(N), "costs": np.array([0, 0, 1, 0, 2, 0.5]),
        "terminals": np.array([0, 0, 1, 0, 0, 0]), "timeouts": np.array([0, 0, 0, 0, 0, 1]),
    } | changes  # fmt: skip
    return {name: value for name, value in made.items() if value is not None}


@pytest.mark.parametrize("name", ["data.npz", "data.h5", "data.hdf5"])
def test_written_is_read(tmp_path: Path, name: str) -> None:
    if not name.endswith("npz"):
        pytest.importorskip("h5py")
    data = offline_data(columns())
    write_offline(data, tmp_path / name)
    again = read_offline(tmp_path / name)
    for field, a, b in zip(data._fields, data, again, strict=True):
        np.testing.assert_array_equal(a, b, err_msg=field)
        assert a.dtype == b.dtype


def test_dsrls_columns_alone_are_enough() -> None:
    data = offline_data(columns())
    assert data.episode_id.tolist() == [0, 0, 0, 1, 1, 1]
    assert data.first.tolist() == [0, 0, 0, 3, 3, 3]
    assert data.success.all()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"costs": None}, "data has no costs; needed are observations"),
        ({"rewards": np.ones(5)}, "rewards has 5 rows; observations has 6"),
        ({"actions": np.zeros(N)}, "actions must have 2 axes"),
        ({"costs": np.array([0, -1, 0, 0, 0, 0.0])}, "costs must be >= 0; row 1 has -1"),
        ({"rewards": np.array([0, 0, np.nan, 0, 0, 0])}, "rewards must be finite .* row 2 has nan"),
        (
            {"rewards": np.array([0, 1e99, 0, 0, 0, 0])},
            r"rewards must be finite .* row 1 has 1e",
        ),
        ({"observations": np.float64(3)}, r"observations must have 2 axes or more; got shape \(\)"),
        ({"costs": np.float64(3)}, r"costs must have 1 axis; got shape \(\)"),
        ({"actions": np.zeros((N, 0))}, "actions must have entries"),
        ({"next_observations": np.zeros((N, 3))}, r"next_observations .* \(6, 2\); got \(6, 3\)"),
        ({"episode_id": np.full(N, 0.5)}, "episode_id must be whole numbers; row 0 has 0.5"),
        ({"task_id": np.array([0, 0, 1e30, 0, 0, 0])}, "task_id must be whole .* row 2 has 1e"),
        ({"terminals": np.array([0, 0, 0, 2, 0, 0])}, "terminals must be 0 or 1; row 3 has 2"),
        ({"observations": np.full((N, 2), "a")}, "observations must be numbers"),
        ({"episode_id": np.array([0, 1, 0, 1, 1, 1])}, "keep the steps of an episode together"),
        ({"observations": np.zeros((0, 2))}, "data has no steps"),
    ],
)
def test_broken_columns_are_refused_by_name(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        offline_data(columns(**changes))


@pytest.mark.parametrize("name", ["data.npz", "data.h5"])
@pytest.mark.parametrize("content", [b"", b"junk", b"PK\x03\x04broken"])
def test_broken_files_are_refused(tmp_path: Path, name: str, content: bytes) -> None:
    if name.endswith("h5"):
        pytest.importorskip("h5py")
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match="is broken, or no"):
        read_offline(tmp_path / name)


@pytest.mark.parametrize("name", ["data.npz", "data.h5"])
def test_a_damaged_file_is_read_in_its_shapes_or_refused_by_name(tmp_path: Path, name: str) -> None:
    if name.endswith("h5"):
        pytest.importorskip("h5py")
    data, path, refusals = offline_data(columns()), tmp_path / name, list[str]()
    write_offline(data, path)
    whole = path.read_bytes()
    for seed in range(200):
        rng, damaged = np.random.default_rng(seed), bytearray(whole)
        for place in rng.integers(len(whole), size=rng.integers(1, 6)):
            damaged[place] = rng.integers(256)
        path.write_bytes(damaged)
        try:
            found = read_offline(path)
        except ValueError as error:
            refusals.append(str(error))
        else:
            assert [a.shape for a in found] == [a.shape for a in data]
    assert 0 < len(refusals) < 200
    assert all(str(path) in refusal for refusal in refusals)


@pytest.mark.parametrize("kind", ["group", "nothing"])
def test_what_is_no_array_is_refused_by_name(tmp_path: Path, kind: str) -> None:
    h5py, path = pytest.importorskip("h5py"), tmp_path / "data.h5"
    write_offline(offline_data(columns()), path)
    with h5py.File(path, "a") as file:
        del file["observations"]
        if kind == "group":
            file.create_group("observations")
        else:
            file["observations"] = h5py.Empty("f")
    with pytest.raises(ValueError, match=f"{re.escape(str(path))}.* observations "):
        read_offline(path)


def test_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"must be a file of type \.npz, \.h5 or \.hdf5"):
        read_offline(tmp_path / "data.csv")
    with pytest.raises(FileNotFoundError, match="does not exist"):
        read_offline(tmp_path / "data.npz")
    np.savez(tmp_path / "objects.npz", **columns(observations=np.array([{}] * N)))
    with pytest.raises(ValueError, match="is broken"):
        read_offline(tmp_path / "objects.npz")


def test_minari_there_and_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    minari = pytest.importorskip("minari")
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    spaces = gym.spaces.Box(-99, 99, (2,), np.float32), gym.spaces.Box(-1, 1, (1,), np.float32)
    data = offline_data(columns(task_id=np.array([3, 3, 3, 8, 8, 8])))
    to_minari(data, "toy/steps-v0", *spaces)
    for given in ("toy/steps-v0", minari.load_dataset("toy/steps-v0")):
        again = from_minari(given)
        for name in set(data._fields) - {"next_observations"}:
            np.testing.assert_array_equal(getattr(again, name), getattr(data, name), err_msg=name)
    with pytest.raises(ValueError, match=r"has no infos\['costs'\]; it has 'cost'"):
        from_minari("toy/steps-v0", cost_key="costs")

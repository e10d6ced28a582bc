"""Offline data: transitions with costs, in the arrays that DSRL's and D4RL's files have."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from safer_gym.agents.model_file import replacing

REQUIRED = ("observations", "actions", "rewards", "costs", "terminals", "timeouts")
HDF5 = (".h5", ".hdf5")


class OfflineData(NamedTuple):
    """N transitions, episode after episode.

    The first seven names are those of DSRL's files; the last three say more where it is known.
    """

    observations: NDArray
    """[N, *O]"""
    next_observations: NDArray
    """[N, *O]"""
    actions: NDArray[np.float32]
    """[N, A]"""
    rewards: NDArray[np.float32]
    costs: NDArray[np.float32]
    """Of each step, >= 0."""
    terminals: NDArray[np.bool_]
    timeouts: NDArray[np.bool_]
    task_id: NDArray[np.int64]
    """0 where nothing else is known."""
    success: NDArray[np.bool_]
    """Whether the step's episode succeeds; True where nothing else is known."""
    episode_id: NDArray[np.int64]
    """Counted by `terminals` and `timeouts` where nothing else is known."""

    @property
    def first(self) -> NDArray[np.int64]:
        """Index of the first step of each step's episode [N]."""
        starts = np.flatnonzero(np.diff(self.episode_id, prepend=self.episode_id[0] - 1))
        return np.repeat(starts, np.diff(starts, append=len(self.episode_id)))

    def take(self, rows: NDArray) -> OfflineData:
        """Some of the steps: whole episodes, by a mask or by indices."""
        return OfflineData(*(column[rows] for column in self))


def offline_data(columns: Mapping[str, NDArray], source: str = "data") -> OfflineData:
    """Check columns and fill in what is not required.

    Args:
        columns: by the names of `OfflineData`; other names are ignored.
        source: how messages call the data.

    Raises:
        ValueError: names what is missing, too short, of another shape, not finite or negative.
    """
    missing = [name for name in REQUIRED if name not in columns]
    if missing:
        raise ValueError(f"{source} has no {', '.join(missing)}; needed are {', '.join(REQUIRED)}")
    found = {name: np.asarray(columns[name]) for name in OfflineData._fields if name in columns}
    n = len(found["observations"])
    if n == 0:
        raise ValueError(f"{source} has no steps")
    for name, column in found.items():
        _check_column(name, column, n, source)
    ends = found["terminals"].astype(bool) | found["timeouts"].astype(bool)
    count = np.concatenate([[0], np.cumsum(ends)[:-1]])
    found.setdefault("next_observations", _following(found["observations"]))
    found.setdefault("task_id", np.zeros(n, np.int64))
    found.setdefault("success", np.ones(n, bool))
    episode = found.setdefault("episode_id", count)
    if len(np.unique(episode)) != 1 + np.count_nonzero(np.diff(episode)):
        raise ValueError(f"{source}: episode_id must keep the steps of an episode together")
    return OfflineData(*(_typed(name, found[name]) for name in OfflineData._fields))


def _check_column(name: str, column: NDArray, n: int, source: str) -> None:
    if len(column) != n:
        raise ValueError(f"{source}: {name} has {len(column)} rows; observations has {n}")
    wanted = 2 if name == "actions" else None if "observations" in name else 1
    if wanted is not None and column.ndim != wanted:
        raise ValueError(f"{source}: {name} must have {wanted} axes; got shape {column.shape}")
    if column.dtype.kind not in "biuf":
        raise ValueError(f"{source}: {name} must be numbers; got {column.dtype}")
    if not np.isfinite(column).all():
        row = int(np.argwhere(~np.isfinite(column))[0][0])
        raise ValueError(f"{source}: {name} is not finite in row {row}")
    if name == "costs" and (column < 0).any():
        row = int(np.argmax(column < 0))
        raise ValueError(f"{source}: costs must be >= 0; row {row} has {column[row]}")


def _typed(name: str, column: NDArray) -> NDArray:
    if "observations" in name:
        return column if column.dtype == np.uint8 else column.astype(np.float32)
    kinds = OfflineData.__annotations__[name]
    for kind in ("bool_", "int64"):
        if kind in str(kinds):
            return column.astype(getattr(np, kind))
    return column.astype(np.float32)


def _following(observations: NDArray) -> NDArray:
    """Files without next observations: the next row, and the last row for itself."""
    return np.concatenate([observations[1:], observations[-1:]])


def read_offline(path: str | Path) -> OfflineData:
    """Read a .npz or HDF5 file of DSRL's columns as data.

    Raises:
        ValueError: another kind of file, a broken one, or wrong columns; says which.
        ModuleNotFoundError: HDF5 without h5py; says how to install it.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix != ".npz" and suffix not in HDF5:
        raise ValueError(f"{path} must be a file of type .npz, {' or '.join(HDF5)}")
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist")
    try:
        columns = _npz(path) if suffix == ".npz" else _hdf5(path)
    except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
        raise ValueError(f"{path} is broken, or no {suffix} file: {error}") from error
    return offline_data(columns, str(path))


def write_offline(data: OfflineData, path: str | Path) -> None:
    """Write all columns, compressed; the file is whole or not there.

    Raises:
        ValueError: neither .npz nor HDF5 by its name.
    """
    path = Path(path)
    if path.suffix.lower() not in (".npz", *HDF5):
        raise ValueError(f"{path} must end in .npz, {' or '.join(HDF5)}")
    with replacing(path, "npz") as file:
        if path.suffix.lower() == ".npz":
            np.savez_compressed(file, **data._asdict())
        else:
            with _h5py().File(file, "w") as archive:
                for name, column in data._asdict().items():
                    archive.create_dataset(name, data=column, compression="gzip")


def _npz(path: Path) -> dict[str, NDArray]:
    with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
        if not isinstance(archive, np.lib.npyio.NpzFile):
            raise ValueError("it holds a single array")
        return {name: archive[name] for name in archive.files if name in OfflineData._fields}


def _hdf5(path: Path) -> dict[str, NDArray]:
    with _h5py().File(path, "r") as archive:
        return {name: archive[name][...] for name in archive if name in OfflineData._fields}


def _h5py():  # type: ignore[no-untyped-def]
    try:
        import h5py
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "HDF5 files need h5py: pip install 'safer-gym[skills]'"
        ) from error
    return h5py

"""Offline data: transitions with costs, in the arrays that DSRL's and D4RL's files have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from safer_gym.agents.data.columns import typed_column
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
        ValueError: names what is missing, or the column, and the row, that cannot be.
    """
    missing = [name for name in REQUIRED if name not in columns]
    if missing:
        raise ValueError(f"{source} has no {', '.join(missing)}; needed are {', '.join(REQUIRED)}")
    found = {
        name: typed_column(name, np.asarray(columns[name]), source)
        for name in OfflineData._fields
        if name in columns
    }
    observations = found["observations"]
    n = len(observations)
    if n == 0:
        raise ValueError(f"{source} has no steps")
    for name, column in found.items():
        if len(column) != n:
            raise ValueError(f"{source}: {name} has {len(column)} rows; observations has {n}")
    following = found.setdefault("next_observations", _following(observations))
    if following.shape != observations.shape:
        raise ValueError(
            f"{source}: next_observations must have the shape of observations, "
            f"{observations.shape}; got {following.shape}"
        )
    found.setdefault("task_id", np.zeros(n, np.int64))
    found.setdefault("success", np.ones(n, bool))
    ends = found["terminals"] | found["timeouts"]
    episode = found.setdefault("episode_id", np.concatenate([[0], np.cumsum(ends)[:-1]]))
    if len(np.unique(episode)) != 1 + np.count_nonzero(np.diff(episode)):
        raise ValueError(f"{source}: episode_id must keep the steps of an episode together")
    return OfflineData(**found)


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
    opened = _npz if suffix == ".npz" else _h5py().File
    try:
        with opened(path) as archive:
            columns = _columns(archive)
    except Exception as error:  # zipfile, zlib, numpy and HDF5 have dozens between them
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


@contextmanager
def _npz(path: Path) -> Iterator[Mapping[str, NDArray]]:
    with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
        if not isinstance(archive, np.lib.npyio.NpzFile):
            raise ValueError("it holds a single array")
        yield archive


def _columns(archive: Mapping[str, Any]) -> dict[str, NDArray]:
    found = {}
    for name in archive:
        if name in OfflineData._fields:
            try:
                found[name] = archive[name][...]
            except Exception as error:
                raise ValueError(f"{name} is no array that can be read: {error}") from error
    return found


def _h5py():  # type: ignore[no-untyped-def]
    try:
        import h5py
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "HDF5 files need h5py: pip install 'safer-gym[skills]'"
        ) from error
    return h5py

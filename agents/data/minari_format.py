"""Offline data from and to Minari, Farama's format; needs the extra `skills`."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from safer_gym.agents.data.offline import OfflineData, offline_data

OURS = ("task_id", "success")


def from_minari(dataset: Any, cost_key: str = "cost") -> OfflineData:
    """A Minari dataset, or the name of one that is on this machine, as offline data.

    Args:
        dataset: `minari.MinariDataset` or a name for `minari.load_dataset`.
        cost_key: where the infos have a step's cost.

    Raises:
        ValueError: it keeps no infos with that key, or the data is broken.
        ModuleNotFoundError: minari is not installed; says how.
    """
    if isinstance(dataset, str):
        dataset = _minari().load_dataset(dataset)
    parts: list[dict[str, NDArray]] = []
    for number, episode in enumerate(dataset.iterate_episodes()):
        parts.append(_columns(episode, number, cost_key))
    if not parts:
        raise ValueError("the Minari dataset has no episodes")
    return offline_data(
        {name: np.concatenate([part[name] for part in parts]) for name in parts[0]},
        "the Minari dataset",
    )


def _columns(episode: Any, number: int, cost_key: str) -> dict[str, NDArray]:
    infos, n = episode.infos or {}, len(episode.actions)
    if cost_key not in infos:
        known = ", ".join(map(repr, infos)) or "none"
        raise ValueError(f"the Minari dataset has no infos[{cost_key!r}]; it has {known}")
    # Minari keeps the reset's info first: a step's own is the one after it.
    found = {name: np.asarray(infos[name])[-n:] for name in OURS if name in infos}
    return found | {
        "observations": episode.observations[:-1],
        "next_observations": episode.observations[1:],
        "actions": np.asarray(episode.actions).reshape(n, -1),
        "rewards": episode.rewards,
        "costs": np.asarray(infos[cost_key], dtype=np.float32)[-n:],
        "terminals": episode.terminations,
        "timeouts": episode.truncations,
        "episode_id": np.full(n, number),
    }


def to_minari(data: OfflineData, name: str, observation_space: Any, action_space: Any) -> Any:
    """Write offline data as a Minari dataset on this machine; returns it.

    Args:
        name: such as "operation/collected-v0".
        observation_space, action_space: Gymnasium spaces of the data.

    Raises:
        ModuleNotFoundError: minari is not installed; says how.
    """
    minari = _minari()
    from minari.data_collector import EpisodeBuffer

    buffers = []
    for number, rows in enumerate(_episodes(data)):
        part = data.take(rows)
        infos: dict[str, NDArray] = {
            "cost": part.costs,
            "task_id": part.task_id,
            "success": part.success,
        }
        buffers.append(
            EpisodeBuffer(
                id=number,
                observations=[*part.observations, part.next_observations[-1]],
                actions=list(part.actions),
                rewards=[float(r) for r in part.rewards],
                terminations=[bool(t) for t in part.terminals],
                truncations=[bool(t) for t in part.timeouts],
                infos={key: [column[0], *column] for key, column in infos.items()},
            )
        )
    with warnings.catch_warnings():  # what the data's author may add later
        warnings.filterwarnings("ignore", ".*(is set to None|env_spec is None)", UserWarning)
        return minari.create_dataset_from_buffers(
            dataset_id=name,
            buffer=buffers,
            observation_space=observation_space,
            action_space=action_space,
        )


def _episodes(data: OfflineData) -> list[NDArray]:
    return np.split(np.arange(len(data.costs)), np.unique(data.first)[1:])


def _minari() -> Any:
    try:
        import minari
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "Minari datasets need minari and h5py: pip install 'safer-gym[skills]'"
        ) from error
    return minari

"""Offline data of the forty tasks, by scripted policies."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from safer_gym.progress import told_as
from safer_gym.wrappers.worlds.operation.collectors import KINDS, Collector
from safer_gym.wrappers.worlds.operation.operation import Operation
from safer_gym.wrappers.worlds.operation.tasks import N_TASKS

HORIZON = 40
NOISES = (0.05, 0.1, 0.2)
OFFSET = 0.006
"""Standard deviation, in metres, of where a collector believes the object to be."""


def collect(
    steps: int,
    seed: int = 0,
    *,
    images: bool = False,
    blur: float = 0.0,
    progress: Callable[[float], None] | bool | None = None,
) -> dict[str, NDArray]:
    """Episodes of all tasks in turn, each with a collector drawn at random.

    Args:
        steps: at least so many; the last episode is complete.
        seed: of episodes and collectors.
        images, blur: see `Operation`. Collectors know the state all the same.
        progress: True shows a bar; a function is called with the share that is done.

    Returns:
        The columns of offline data: DSRL's, with `task_id`, `success` and `episode_id`.
    """
    rng = np.random.default_rng(seed)
    rows: list[dict[str, NDArray]] = []
    done = episode = 0
    worlds = [Operation(task, images, blur) for task in range(N_TASKS)]
    try:
        with told_as(progress, "collecting", lambda share: share) as telling:
            while done < steps:
                world = worlds[episode % N_TASKS]
                found = _episode(world, rng)
                found["task_id"] = np.full(len(found["rewards"]), world.task.number)
                found["episode_id"] = np.full(len(found["rewards"]), episode)
                rows.append(found)
                done, episode = done + len(found["rewards"]), episode + 1
                telling(min(done / steps, 1.0))
    finally:
        for world in worlds:
            world.close()
    return {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}


def _episode(world: Operation, rng: np.random.Generator) -> dict[str, NDArray]:
    offset = OFFSET * rng.standard_normal(2)
    collector = Collector(
        str(rng.choice(KINDS)), float(rng.choice(NOISES)), (float(offset[0]), float(offset[1]))
    )
    obs, _ = world.reset(seed=int(rng.integers(2**31)))
    seen: list[NDArray] = [obs]
    actions: list[NDArray] = []
    rewards: list[float] = []
    costs: list[float] = []
    success = False
    while len(actions) < HORIZON and not success:
        actions.append(collector.act(world.state(), rng))
        obs, reward, success, _, info = world.step(actions[-1])
        seen.append(obs)
        rewards.append(reward)
        costs.append(info["cost"])
    ends = np.arange(1, len(actions) + 1) == len(actions)
    return {
        "observations": np.array(seen[:-1]),
        "next_observations": np.array(seen[1:]),
        "actions": np.array(actions, np.float32),
        "rewards": np.array(rewards, np.float32),
        "costs": np.array(costs, np.float32),
        "terminals": ends & success,
        "timeouts": ends & (not success),
        "success": np.full(len(actions), success),
    }

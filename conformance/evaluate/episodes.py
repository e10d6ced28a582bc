"""Episodes in lockstep: a block of environments stepped together, one actor call a step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from safer_gym.conformance.evaluate.attacked_policy import ROWS, Actor
from safer_gym.conformance.evaluate.env_pool import EnvPool
from safer_gym.conformance.evaluate.limits import Limits
from safer_gym.conformance.evaluate.outcomes import Trace
from safer_gym.wrappers.gate.environment import EnvironmentGate


class Episode:
    """One running episode and its sums."""

    def __init__(
        self, env: gym.Env, seed: int, *, record: bool, limits: Limits | None = None
    ) -> None:
        self.env, self.seed = env, seed
        self.limits = Limits.declared(env) if limits is None else limits
        self._gate = EnvironmentGate(env.observation_space, bounded=True)
        self.obs, _ = self._gate.reset(env.reset(seed=seed), seed)
        self.reward = 0.0
        self.cost = 0.0
        self.length = 0
        self.done = False
        self.trace: Trace | None = None
        self._records: list[tuple[Any, Any, Any, float]] | None = [] if record else None

    def step(self, seen: NDArray, action: NDArray, max_steps: int | None) -> None:
        """Advance by one step."""
        answer = self._gate.step(self.env.step(self._legal(action)))
        obs, reward, terminated, truncated, info = answer
        cost = self._gate.cost(info)
        if self._records is not None:
            self._records.append((self.obs, seen, info.get("position", ()), cost))
        self.obs = obs
        self.reward += reward
        self.cost += cost
        self.length += 1
        self.limits.check(cost, self.length, self.seed)
        self.done = terminated or truncated or self.length == max_steps
        if self.done:
            self._finish()

    def _legal(self, action: NDArray) -> NDArray:
        space = self.env.action_space
        if isinstance(space, gym.spaces.Box):
            return np.clip(action.reshape(space.shape), space.low, space.high).astype(space.dtype)
        return action

    def _finish(self) -> None:
        if self._records is not None:
            columns = zip(*self._records, strict=True)
            self.trace = Trace(*(np.array(column, dtype=np.float64) for column in columns))


def run_episodes(
    actor: Actor,
    stock: EnvPool,
    *,
    seeds: Sequence[int],
    first: int = 0,
    n_envs: int = ROWS,
    max_steps: int | None = None,
    traces: int = 0,
    limits: Limits | None = None,
    progress: Callable[[float], None] | None = None,
) -> list[Episode]:
    """Run one episode for each seed, up to `n_envs` side by side, and return them in order.

    Episode number `first` + i has row and block of its own, whatever runs beside it, and so its
    actions: a long run can be made in parts, and one episode alone. The first `traces` episodes
    are recorded. A block of ROWS episodes is cut into groups of `n_envs`.

    Raises:
        ValueError: an episode beyond `limits`; None: those that its environment declares.
    """
    done: list[Episode] = []
    numbers = range(first, first + len(seeds))
    for block, members in groupby(numbers, lambda number: number // ROWS):
        rows = list(members)
        for start in range(0, len(rows), n_envs):
            group = {
                n % ROWS: Episode(
                    stock.take(), seeds[n - first], record=n - first < traces, limits=limits
                )
                for n in rows[start : start + n_envs]
            }
            try:
                _step_until_done(actor, group, block, max_steps, _share(progress, done, seeds))
            finally:
                for episode in group.values():
                    stock.give(episode.env)
            done.extend(group.values())
    return done


def _step_until_done(
    actor: Actor,
    group: dict[int, Episode],
    block: int,
    max_steps: int | None,
    progress: Callable[[float], None],
) -> None:
    step = 0
    horizon = max_steps or getattr(next(iter(group.values())).env.spec, "max_episode_steps", None)
    while live := {row: episode for row, episode in group.items() if not episode.done}:
        answers = actor.act(
            {row: np.asarray(e.obs) for row, e in live.items()}, block=block, step=step
        )
        for row, episode in live.items():
            episode.step(*answers[row], max_steps)
        step += 1
        progress(len(group) * min(step / horizon, 1.0) if horizon else 0.0)
    progress(float(len(group)))


def _share(
    progress: Callable[[float], None] | None, done: list[Episode], seeds: Sequence[int]
) -> Callable[[float], None]:
    if progress is None:
        return lambda episodes: None
    before = len(done)
    return lambda episodes: progress((before + episodes) / len(seeds))

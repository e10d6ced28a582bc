"""Episodes in lockstep: a block of environments stepped together, one actor call a step."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from itertools import groupby
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from safer_gym.conformance.evaluate.attacked_policy import ROWS, Actor
from safer_gym.conformance.evaluate.env_pool import EnvPool
from safer_gym.conformance.evaluate.limits import Limits
from safer_gym.conformance.evaluate.outcomes import Trace
from safer_gym.wrappers.action_rows import action_rows
from safer_gym.wrappers.gate.ends import LONGEST, endless
from safer_gym.wrappers.gate.environment import EnvironmentGate
from safer_gym.wrappers.gate.global_streams import GlobalStream, drawn_since, restore, states

_STREAM = 0x610B
"""Keeps an episode's global generators apart from other streams of its seed."""


class Episode:
    """One running episode and its sums.

    Args:
        env_pool: where its environment comes from.
        seed: of its reset, and of the global generators that its environment draws from.
    """

    def __init__(
        self, env_pool: EnvPool, seed: int, *, record: bool, limits: Limits | None = None
    ) -> None:
        self.seed = seed
        names = env_pool.draws
        self._stream: AbstractContextManager[Any] = (
            GlobalStream(_STREAM, seed, names=names) if names else nullcontext()
        )
        with self._stream:
            self.env = env_pool.take()
            start = self.env.reset(seed=seed)
        self.limits = Limits.declared(self.env) if limits is None else limits
        self._gate = EnvironmentGate(self.env.observation_space, bounded=True)
        self._rows = action_rows(self.env.action_space)
        self.obs, info = self._gate.reset(start, seed)
        self.worst_h = self._gate.h(info)
        self._digest = hashlib.blake2b(np.asarray(self.obs).tobytes(), digest_size=8)
        self.reward = 0.0
        self.cost = 0.0
        self.length = 0
        self.done = False
        self.trace: Trace | None = None
        self._records: list[tuple[Any, Any, Any, float]] | None = [] if record else None

    def step(
        self,
        seen: NDArray,
        action: NDArray,
        disturbance: NDArray | None = None,
        *,
        max_steps: int | None,
    ) -> None:
        """Advance by one step."""
        with self._stream:
            if disturbance is not None:
                inner: Any = self.env.unwrapped
                inner.disturb(disturbance)
            answer = self.env.step(self._rows.legal(action))
        obs, reward, terminated, truncated, info = self._gate.step(answer)
        cost = self._gate.cost(info)
        if self._records is not None:
            self._records.append((self.obs, seen, info.get("position", ()), cost))
        self.obs = obs
        self.reward += reward
        self.cost += cost
        self.worst_h = min(self.worst_h, self._gate.h(info))
        self.length += 1
        self._digest.update(np.asarray(obs).tobytes() + struct.pack("dd", reward, cost))
        self.limits.check(cost, self.length, self.seed)
        if self.limits.horizon is None and max_steps is None and self.length >= LONGEST:
            raise ValueError(endless(f"the episode of seed {self.seed}"))
        self.done = terminated or truncated or self.length == max_steps
        if self.done:
            self._finish()

    @property
    def digest(self) -> int:
        """Equal for episodes whose observations, rewards and costs are equal at every step."""
        return int.from_bytes(self._digest.digest(), "little")

    def _finish(self) -> None:
        if self._records is not None:
            columns = zip(*self._records, strict=True)
            self.trace = Trace(*(np.array(column, dtype=np.float64) for column in columns))


class HasWorst(Protocol):
    """An episode, or what is kept of one."""

    @property
    def worst_h(self) -> float:
        """Its lowest h."""


def worst_of(episodes: Sequence[HasWorst]) -> NDArray[np.float64]:
    """The lowest h of each episode [n]; empty where no environment reports one."""
    found = np.array([episode.worst_h for episode in episodes], dtype=np.float64)
    return found if np.isfinite(found).any() else np.zeros(0)


def run_episodes(
    actor: Actor,
    env_pool: EnvPool,
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
            begin = {
                n % ROWS: partial(
                    Episode, env_pool, seeds[n - first], record=n - first < traces, limits=limits
                )
                for n in rows[start : start + n_envs]
            }
            say = _share(progress, done, seeds)
            done += _run_group(actor, env_pool, begin, block, max_steps, say)
    return done


def _run_group(
    actor: Actor,
    env_pool: EnvPool,
    begin: Mapping[int, Callable[[], Episode]],
    block: int,
    max_steps: int | None,
    progress: Callable[[float], None],
) -> list[Episode]:
    """Episodes side by side, by row how each begins.

    Where they drew from a global generator they are run again, each with a stream of its own, and
    so are all later ones: the numbers of an episode must not depend on its neighbours, nor repeat
    in another process.
    """
    before = states()
    group: dict[int, Episode] = {}
    try:
        for row, make in begin.items():
            group[row] = make()
        _step_until_done(actor, group, block, max_steps, progress)
    finally:
        for episode in group.values():
            env_pool.give(episode.env)
    drawn = drawn_since(before)
    if not drawn:
        return list(group.values())
    restore(before)
    if set(drawn) <= set(env_pool.draws):
        raise ValueError(
            f"{actor} draws from the global generator of {' and '.join(drawn)}: episodes that run "
            "side by side would share its numbers. A policy must answer an observation always "
            "alike, and an attack must draw from the generator that it is given"
        )
    env_pool.draws = tuple(dict.fromkeys((*env_pool.draws, *drawn)))
    return _run_group(actor, env_pool, begin, block, max_steps, progress)


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
            episode.step(*answers[row], max_steps=max_steps)
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

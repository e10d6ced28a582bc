"""Environments that are used again, where a reset is known to forget all that was before.

To build one can take longer than an episode in it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import gymnasium as gym
from gymnasium.wrappers import OrderEnforcing, PassiveEnvChecker, TimeLimit

from safer_gym.wrappers.env_layers import env_layers
from safer_gym.wrappers.packed import PackedObservations

FORGETS = "forgets_on_reset"
"""An environment's word that `reset(seed=s)` begins the same episode, whatever ran before."""
FORGETTING_WRAPPERS = (OrderEnforcing, PassiveEnvChecker, TimeLimit, PackedObservations)


class EnvPool:
    """`with EnvPool(make_env) as env_pool: env = env_pool.take(); ...; env_pool.give(env)`.

    An environment that does not say `forgets_on_reset`, or that stands behind a wrapper which may
    remember, serves one episode. A forked process begins with an empty env_pool of its own.

    Args:
        make_env: makes one environment.
    """

    def __init__(self, make_env: Callable[[], gym.Env]) -> None:
        self.make_env = make_env
        self.draws: tuple[str, ...] = ()
        """Global random generators that were seen to be drawn from, see `global_streams`."""
        self._free: list[gym.Env] = []
        self._process = os.getpid()

    def take(self) -> gym.Env:
        """An environment to reset with a seed."""
        self._own()
        return self._free.pop() if self._free else self.make_env()

    def give(self, env: gym.Env) -> None:
        """Done with it, wherever its episode stands."""
        self._own()
        if forgets(env):
            self._free.append(env)
        else:
            env.close()

    def close(self) -> None:
        """Close what is here. More can be taken afterwards."""
        self._own()
        while self._free:
            self._free.pop().close()

    def __enter__(self) -> EnvPool:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.make_env,)

    def _own(self) -> None:
        if self._process != os.getpid():
            self._free, self._process = [], os.getpid()


def forgets(env: gym.Env) -> bool:
    """Whether a reset of this environment leaves no trace of earlier episodes."""
    *wrappers, inside = env_layers(env)
    known = all(type(layer) in FORGETTING_WRAPPERS for layer in wrappers)
    return known and getattr(inside, FORGETS, False) is True

"""Stable-Baselines3's own tests with one of this project's classes in SAC's or PPO's place.

    python -m benchmarks.sb3_suite stable-baselines3/tests --algorithm SAFER [-k her]

A test counts where it makes an agent of the class. These agents refuse to learn without a cost, so
each step costs 0.01, which is within every limit, under another goal too, and an environment
without a time limit has episodes of 100 steps.
docs/sb3.md has the results.
"""

from __future__ import annotations

import argparse
import inspect
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import wraps
from pathlib import Path
from typing import Any
from unittest import mock

import gymnasium as gym
import numpy as np
import pytest
import stable_baselines3
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.buffers import BaseBuffer
from stable_baselines3.common.vec_env import DummyVecEnv, SubprocVecEnv

from safer_gym import agents
from safer_gym.agents import off_policy
from safer_gym.choices import choose

REPLACED = {"SAFER": "SAC", "CVPO": "SAC", "SACLagrangian": "SAC", "PPOLagrangian": "PPO"}
"""Whose place a class takes."""
COST, LENGTH = 0.01, 100
ALWAYS = ("-q", "-p", "no:cacheprovider", "--continue-on-collection-errors")


class Counted:
    """A pytest plugin: the outcome of every test that makes an agent of `algorithm`.

    Args:
        replaced: name of the class whose place it takes.
    """

    def __init__(self, algorithm: type, replaced: str) -> None:
        self.algorithm, self.replaced = algorithm, replaced
        self.outcomes: dict[str, str] = {}
        self._running: str | None = None
        own_init: Callable[..., None] = algorithm.__init__  # type: ignore[misc]

        @wraps(own_init)
        def init(agent: Any, *args: Any, **kwargs: Any) -> None:
            if self._running is not None:
                self.outcomes.setdefault(self._running, "passed")
            own_init(agent, *args, **kwargs)

        self.init = init

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        """Leave out what cannot make such an agent."""
        items[:] = [item for item in items if self._may_make_one(item)]

    def _may_make_one(self, item: Any) -> bool:
        values = item.callspec.params.values() if hasattr(item, "callspec") else ()
        classes = [v for v in values if inspect.isclass(v) and issubclass(v, BaseAlgorithm)]
        if classes:
            return self.algorithm in classes
        text = item.nodeid + inspect.getsource(item.function)
        return self.replaced in text or self.replaced.lower() in text

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Agents that are made from now on are this test's."""
        self._running = nodeid

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Note what did not pass."""
        if report.outcome != "passed" and report.nodeid in self.outcomes:
            self.outcomes[report.nodeid] = report.outcome

    def named(self, outcome: str) -> list[str]:
        """The tests that ended so: "passed", "failed" or "skipped"."""
        return [name for name, found in self.outcomes.items() if found == outcome]


def with_cost(step_wait: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A vector environment's step, which costs something where the environment named no cost."""

    @wraps(step_wait)
    def step(venv: Any) -> Any:
        obs, rewards, dones, infos = step_wait(venv)
        for info in infos:
            info.setdefault("cost", COST)
        return obs, rewards, dones, infos

    return step


def with_costs_by_hand(extend: Callable[..., None]) -> Callable[..., None]:
    """A buffer's `extend`, whose last argument is infos that a test wrote itself."""

    @wraps(extend)
    def extended(buffer: Any, *args: Any) -> None:
        *others, infos = args
        extend(buffer, *others, [[{"cost": COST, **info} for info in row] for row in infos])

    return extended


def or_default(horizon: Callable[[Any], int]) -> Callable[[Any], int]:
    """An environment's own length, or LENGTH where it declares none."""

    def found(env: Any) -> int:
        try:
            return horizon(env)
        except ValueError:
            return LENGTH

    return found


@contextmanager
def substituted(name: str) -> Iterator[Counted]:
    """Stable-Baselines3 with `name` in another algorithm's place, and costs everywhere."""
    algorithm = getattr(agents, choose("algorithm", name, REPLACED))
    counted = Counted(algorithm, REPLACED[name])
    changes = [
        (stable_baselines3, REPLACED[name], algorithm),
        (algorithm, "__init__", counted.init),
        (off_policy, "episode_horizon", or_default(off_policy.episode_horizon)),
        (gym.Env, "compute_cost", lambda env, achieved, *_: np.full(len(achieved), COST)),
        (BaseBuffer, "extend", with_costs_by_hand(BaseBuffer.extend)),
    ]
    changes += [
        (kind, "step_wait", with_cost(kind.step_wait)) for kind in (DummyVecEnv, SubprocVecEnv)
    ]
    with ExitStack() as stack:
        for owner, attribute, new in changes:
            create = not hasattr(owner, attribute)
            stack.enter_context(mock.patch.object(owner, attribute, new, create=create))
        yield counted


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the tests; print how many passed and which failed. Returns 1 where one failed."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog="Other arguments are pytest's.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("tests", type=Path, help="the folder of Stable-Baselines3's tests")
    parser.add_argument("--algorithm", choices=REPLACED, required=True)
    asked, options = parser.parse_known_args(arguments)
    with substituted(asked.algorithm) as counted:
        pytest.main([str(asked.tests), *ALWAYS, *options], [counted])
    misses = counted.named("failed")
    for miss in misses:
        print("missed", miss)
    passed = len(counted.named("passed"))
    print(f"{asked.algorithm}: {passed} of {passed + len(misses)} passed")
    return int(bool(misses))


if __name__ == "__main__":
    sys.exit(main())

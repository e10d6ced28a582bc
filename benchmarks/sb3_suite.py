"""Stable-Baselines3's own tests with one of this project's classes in SAC's or PPO's place.

    python -m benchmarks.sb3_suite path/to/stable-baselines3/tests --algorithm SAFER [-k her]

A test counts where it made an agent of the class. Each step costs 1 and an environment without a
time limit has episodes of 100 steps: without a cost, these agents refuse to learn.
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

import numpy as np
import pytest
import stable_baselines3
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.envs import BitFlippingEnv
from stable_baselines3.common.vec_env import DummyVecEnv, SubprocVecEnv

from safer_gym import agents
from safer_gym.choices import choose

REPLACED = {"SAFER": "SAC", "CVPO": "SAC", "SACLagrangian": "SAC", "PPOLagrangian": "PPO"}
"""Whose place a class takes."""
LENGTH = 100


class Counted:
    """A pytest plugin: the outcome of every test that made an agent of `algorithm`."""

    def __init__(self, algorithm: type, replaced: str) -> None:
        self.algorithm, self.replaced = algorithm, replaced
        self.outcomes: dict[str, str] = {}
        self.now: str | None = None
        own_init: Callable[..., None] = algorithm.__init__  # type: ignore[misc]

        @wraps(own_init)
        def init(agent: Any, *args: Any, **kwargs: Any) -> None:
            if self.now is not None:
                self.outcomes.setdefault(self.now, "passed")
            own_init(agent, *args, **kwargs)

        self.init = init

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        """Leave out what cannot make such an agent."""
        items[:] = [item for item in items if self.may_make_one(item)]

    def may_make_one(self, item: Any) -> bool:
        """Whether a test, or a parameter of it, speaks of the class."""
        values = item.callspec.params.values() if hasattr(item, "callspec") else ()
        classes = [v for v in values if inspect.isclass(v) and issubclass(v, BaseAlgorithm)]
        if classes:
            return self.algorithm in classes
        spoken = item.nodeid + inspect.getsource(item.function)
        return self.replaced in spoken or self.replaced.lower() in spoken

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self.now = nodeid

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.outcome != "passed" and report.nodeid in self.outcomes:
            self.outcomes[report.nodeid] = report.outcome

    @property
    def misses(self) -> list[str]:
        """The tests that failed."""
        return [name for name, outcome in self.outcomes.items() if outcome == "failed"]


def with_cost(step_wait: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A vector environment's step, which costs 1 where the environment named no cost."""

    @wraps(step_wait)
    def step(venv: Any) -> Any:
        obs, rewards, dones, infos = step_wait(venv)
        for info in infos:
            info.setdefault("cost", 1.0)
        return obs, rewards, dones, infos

    return step


@contextmanager
def substituted(name: str) -> Iterator[Counted]:
    """Stable-Baselines3 with `name` in another algorithm's place, and costs everywhere."""
    algorithm = getattr(agents, choose("algorithm", name, REPLACED))
    counted = Counted(algorithm, REPLACED[name])
    horizon = agents.off_policy.episode_horizon
    with ExitStack() as stack:
        for place, attribute, new in (
            (stable_baselines3, REPLACED[name], algorithm),
            (algorithm, "__init__", counted.init),
            (agents.off_policy, "episode_horizon", or_default(horizon)),
            *(
                (venv, "step_wait", with_cost(venv.step_wait))
                for venv in (DummyVecEnv, SubprocVecEnv)
            ),
        ):
            stack.enter_context(mock.patch.object(place, attribute, new))
        cost = {"compute_cost": lambda env, achieved, desired, infos: np.ones(len(achieved))}
        stack.enter_context(mock.patch.multiple(BitFlippingEnv, create=True, **cost))
        yield counted


def or_default(horizon: Callable[[Any], int]) -> Callable[[Any], int]:
    """An environment's own length, or LENGTH where it has none."""

    def found(env: Any) -> int:
        try:
            return horizon(env)
        except ValueError:
            return LENGTH

    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the tests; print how many passed and which failed. Returns 1 where one failed."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog="Other arguments are pytest's.",
        formatter_class=argparse.RawTextHelpFormatter,
    )
    parser.add_argument("tests", type=Path, help="the folder of Stable-Baselines3's tests")
    parser.add_argument("--algorithm", choices=[*REPLACED], required=True)
    asked, options = parser.parse_known_args(arguments)
    with substituted(asked.algorithm) as counted:
        pytest.main(
            [
                str(asked.tests),
                "-p",
                "no:cacheprovider",
                "--continue-on-collection-errors",
                "-q",
                *options,
            ],
            [counted],
        )
    for miss in counted.misses:
        print("missed", miss)
    passed = sum(outcome == "passed" for outcome in counted.outcomes.values())
    skipped = sum(outcome == "skipped" for outcome in counted.outcomes.values())
    print(f"{asked.algorithm}: {passed} of {len(counted.outcomes) - skipped} passed")
    return int(bool(counted.misses))


if __name__ == "__main__":
    sys.exit(main())

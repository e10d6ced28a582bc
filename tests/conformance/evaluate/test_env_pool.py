"""Environments are used again only where a reset is known to forget."""

from __future__ import annotations

import multiprocessing
import pickle

import gymnasium as gym
import numpy as np
import pytest
from certify_toys import Line
from gymnasium.wrappers import NormalizeObservation, TimeLimit

from safer_gym.conformance.evaluate import evaluate
from safer_gym.conformance.evaluate.env_pool import EnvPool, forgets


class Forgetful(Line):
    """Says that a reset forgets, and counts how many there are."""

    forgets_on_reset = True
    made, closed = 0, 0

    def __init__(self) -> None:
        type(self).made += 1

    def close(self) -> None:
        type(self).closed += 1


class Mindful(Forgetful):
    """Says that it does not."""

    forgets_on_reset = False


def made(kind: type[Forgetful], episodes: int) -> tuple[int, int]:
    """How many environments two attacks take; one shows the spaces, one whether episodes end."""
    kind.made = kind.closed = 0
    evaluate(lambda obs: -0.5 * obs, kind, ["natural", "uniform"], eps=0.1, n_episodes=episodes)
    return kind.made, kind.closed


def test_a_forgetful_environment_serves_many_episodes_and_all_are_closed() -> None:
    assert made(Forgetful, 30) == (27, 27)
    assert made(Mindful, 30) == (62, 62)


def test_used_environments_change_no_result() -> None:
    def costs(kind: type[gym.Env]) -> list[np.ndarray]:
        found = evaluate(
            lambda obs: -0.5 * obs, kind, ["natural", "uniform"], eps=2.0, n_episodes=30
        )
        return [outcome.costs for outcome in found]

    for used, fresh in zip(costs(Forgetful), costs(Line), strict=True):
        np.testing.assert_array_equal(used, fresh)


def test_a_wrapper_that_may_remember_is_no_stock() -> None:
    assert forgets(Forgetful())
    assert forgets(TimeLimit(Forgetful(), 5))
    assert not forgets(Line())
    assert not forgets(NormalizeObservation(Forgetful()))


def test_a_stock_does_not_travel() -> None:
    env_pool = EnvPool(Forgetful)
    env_pool.give(env_pool.take())
    assert pickle.loads(pickle.dumps(env_pool)).make_env is Forgetful
    assert pickle.loads(pickle.dumps(env_pool))._free == []
    if "fork" in multiprocessing.get_all_start_methods():
        own = env_pool.take()
        env_pool.give(own)
        env_pool._process -= 1  # as a forked child finds it
        assert env_pool.take() is not own


@pytest.mark.slow
def test_the_bullet_tasks_forget() -> None:
    pytest.importorskip("bullet_safety_gym")
    env = gym.make("SaferGym/BallCircle-v0")
    assert forgets(env)
    env.close()

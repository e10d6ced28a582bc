"""Does an episode end? Who evaluates an environment without an end never gets an answer."""

from __future__ import annotations

import copy
from collections.abc import Callable
from contextlib import closing

import gymnasium as gym

from safer_gym.wrappers.gate.global_streams import GlobalStream

LONGEST = 5_000
"""Steps after which an episode for which nobody states a limit counts as one without an end."""


def stated_limit(env: gym.Env) -> int | None:
    """Most steps of an episode, by the environment's spec; None where it states none."""
    return getattr(env.spec, "max_episode_steps", None)


def check_ends(make_env: Callable[[], gym.Env], seed: int) -> None:
    """Refuse environments without a limit in which random actions reach no end.

    Raises:
        ValueError: says how to pass a limit.
    """
    with closing(make_env()) as env:
        if stated_limit(env) is None and not _ends(env, seed):
            raise ValueError(endless(f"an episode with random actions of seed {seed}"))


def _ends(env: gym.Env, seed: int) -> bool:
    actions = copy.deepcopy(env.action_space)
    actions.seed(seed)
    with GlobalStream(seed):
        env.reset(seed=seed)
        for _ in range(LONGEST):
            answer = env.step(actions.sample())
            if len(answer) != 5 or answer[2] or answer[3]:
                return True  # where it is no environment's answer, the episodes' own gate says so
    return False


def endless(which: str) -> str:
    """The refusal of an episode that does not end."""
    return (
        f"{which} has not ended after {LONGEST:,} steps, and the environment states no limit: pass "
        "one, --max-steps in the shell, max_steps in Python, or wrap the environment in "
        "gymnasium.wrappers.TimeLimit"
    )

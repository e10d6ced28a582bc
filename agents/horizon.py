"""The episode length that the cost threshold needs."""

from __future__ import annotations

from stable_baselines3.common.vec_env import VecEnv


def episode_horizon(env: VecEnv) -> int:
    """The environment's own time limit.

    Raises:
        ValueError: the environment declares none.
    """
    for spec in env.get_attr("spec"):
        if spec is not None and spec.max_episode_steps is not None:
            return int(spec.max_episode_steps)
    raise ValueError(
        "episode_length is needed to turn the per-episode cost_limit into a bound on Q_c, and the "
        "environment declares no time limit (spec.max_episode_steps). Pass episode_length=<steps>, "
        "or register the environment with max_episode_steps; in the shell, pass --max-steps."
    )

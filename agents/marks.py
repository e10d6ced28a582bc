"""Which algorithm of Stable-Baselines3 wrote a saved model that names none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MARKS = (
    ("top_quantiles_to_drop_per_net", "sb3_contrib:TQC"),
    ("target_noise_clip", "stable_baselines3:TD3"),
    ("policy_delay", "sb3_contrib:CrossQ"),
    ("target_entropy", "stable_baselines3:SAC"),
    ("clip_range", "stable_baselines3:PPO"),
    ("cg_max_steps", "sb3_contrib:TRPO"),
    ("gae_lambda", "stable_baselines3:A2C"),
    ("n_delta", "sb3_contrib:ARS"),
    ("n_quantiles", "sb3_contrib:QRDQN"),
    ("exploration_fraction", "stable_baselines3:DQN"),
)
"""An attribute that only this algorithm has among those that follow it."""


def marked(data: Mapping[str, Any]) -> str | None:
    """The algorithm as "module:Class", by the attributes that a file holds; None if none fits.

    A DDPG is a TD3 without smoothing of its target: its clip is exactly 0.
    """
    for attribute, algorithm in MARKS:
        if attribute in data:
            is_ddpg = attribute == "target_noise_clip" and data[attribute] == 0.0
            return "stable_baselines3:DDPG" if is_ddpg else algorithm
    return None

"""Which algorithm wrote a saved model, told by its data; nothing is unpickled for it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safer_gym.conformance.loading.archives import json_entry, opened

DATA = "data"
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


def read_data(path: Path) -> dict[str, Any]:
    """What a saved model says of itself.

    Raises:
        ValueError: it is no saved model, or a damaged one.
    """
    with opened(path, str(path)) as archive:
        return json_entry(archive, DATA, str(path))


def algorithm_named(data: Mapping[str, Any]) -> str | None:
    """The algorithm as "module:Class", or None where its attributes tell of none.

    A name that the file states is looked up among the registered algorithms, never imported as it
    stands. A DDPG is a TD3 without smoothing of its target, and tells so by a clip of exactly 0.
    """
    from safer_gym.agents.registry import written_by  # and with it Stable-Baselines3

    stated = written_by(str(data.get("algorithm", "")))
    if stated is not None:
        return stated.place
    for attribute, algorithm in MARKS:
        if attribute in data:
            is_ddpg = attribute == "target_noise_clip" and data[attribute] == 0.0
            return "stable_baselines3:DDPG" if is_ddpg else algorithm
    return None

"""A saved model loaded as Stable-Baselines3 does it, which unpickles. For trusted files only.

For models with classes of their own: a feature extractor, a policy, a schedule in a lambda.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from safer_gym.conformance.loading.archives import json_entry, opened
from safer_gym.conformance.loading.sb3_file import DATA

MARKS = (
    ("top_quantiles_to_drop_per_net", "sb3_contrib:TQC"),
    ("target_noise_clip", "stable_baselines3:TD3"),
    ("policy_delay", "sb3_contrib:CrossQ"),
    ("target_entropy", "stable_baselines3:SAC"),
    ("clip_range", "stable_baselines3:PPO"),
    ("cg_max_steps", "sb3_contrib:TRPO"),
    ("gae_lambda", "stable_baselines3:A2C"),
)
"""An attribute that only this algorithm has among those that follow it."""

OURS = {"CVPO": "safer_gym.agents:CVPO", "SAFER": "safer_gym.agents:SAFER"}


def unpickle_model(path: Path) -> Any:
    """The model, by the algorithm that its attributes tell of.

    Raises:
        ValueError: they tell of none, or the model can not be loaded.
    """
    with opened(path, str(path)) as archive:
        data = json_entry(archive, DATA, str(path))
    module, _, name = _algorithm(data, path).partition(":")
    try:
        with warnings.catch_warnings():
            # Stable-Baselines3 warns of its own saved choices; they do not matter for acting.
            warnings.simplefilter("ignore", UserWarning)
            return getattr(import_module(module), name).load(path, device="cpu")
    except OSError:
        raise
    except Exception as error:
        raise ValueError(
            f"{path} could not be loaded as a {name} model: {type(error).__name__}: {error}"
        ) from error


def _algorithm(data: Mapping[str, Any], path: Path) -> str:
    if data.get("algorithm") in OURS:
        return OURS[data["algorithm"]]
    for attribute, algorithm in MARKS:
        if attribute in data:
            return algorithm
    raise ValueError(f"{path} does not tell which algorithm made it; load it in Python instead")

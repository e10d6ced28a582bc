"""The mean of an actor over the last part of its training.

One policy of that part is a draw from a noisy sequence; the mean of their weights moves less, and
under attack it is steadier than each of them (docs/benign.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from stable_baselines3.common.base_class import BaseAlgorithm


def average_actor(model: BaseAlgorithm, files: Sequence[Path]) -> None:
    """Give `model` the mean of the actors' weights in `files`, saved policies of its training.

    Raises:
        ValueError: no files.
    """
    if not files:
        raise ValueError("files must name at least one saved model; got none.")
    actors = [type(model).load(path, device="cpu").actor.state_dict() for path in files]  # type: ignore[attr-defined]
    mean = {name: torch.stack([actor[name] for actor in actors]).mean(0) for name in actors[0]}
    model.actor.load_state_dict(mean)  # type: ignore[attr-defined]

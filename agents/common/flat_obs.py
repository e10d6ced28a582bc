"""One float tensor for what an attack may move, whatever the observation space."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from gymnasium import spaces
from stable_baselines3.common.type_aliases import PyTorchObs
from torch import Tensor


class FlatObs(NamedTuple):
    """Attackable entries as one tensor, and the way back to the full observation."""

    tensor: Tensor
    """[B, *O] for a Box; [B, D] of all Box entries, flattened and joined, for a Dict."""
    restore: Callable[[Tensor], PyTorchObs]


def require_attackable(space: spaces.Space, algorithm: str) -> None:
    """Refuse a space whose observations no ball surrounds.

    Raises:
        ValueError: the space is no Box and no Dict with a Box in it.
    """
    parts = space.spaces.values() if isinstance(space, spaces.Dict) else [space]
    if not any(isinstance(part, spaces.Box) for part in parts):
        raise ValueError(
            f"{algorithm} attacks observations: the observation space must be a Box, or a Dict "
            f"with a Box in it; got {space}. CVPO without an attack needs none."
        )


def flatten_obs(obs: PyTorchObs, space: spaces.Space) -> FlatObs:
    """Split `obs` into what may be attacked (Box entries) and what may not (the rest)."""
    if not isinstance(obs, dict):
        return FlatObs(obs.float(), lambda tensor: tensor)
    assert isinstance(space, spaces.Dict)
    boxes = [key for key, sub in space.spaces.items() if isinstance(sub, spaces.Box)]
    shapes = {key: obs[key].shape for key in boxes}
    sizes = [int(torch.Size(shapes[key][1:]).numel()) for key in boxes]
    flat = torch.cat([obs[key].float().flatten(1) for key in boxes], dim=1)

    def restore(tensor: Tensor) -> PyTorchObs:
        parts = dict(zip(boxes, tensor.split(sizes, dim=1), strict=True))
        return {k: parts[k].view(-1, *shapes[k][1:]) if k in parts else v for k, v in obs.items()}

    return FlatObs(flat, restore)

"""One float tensor for what an attack may move, whatever the observation space."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3.common.type_aliases import PyTorchObs
from torch import Tensor

from safer_gym.balls import require_shape


class FlatObs(NamedTuple):
    """Attackable entries as one tensor, and the way back to the full observation."""

    tensor: Tensor
    """[B, *O] for a Box; [B, D] of all Box entries, flattened and joined, for a Dict."""
    restore: Callable[[Tensor], PyTorchObs]


def is_attackable(space: spaces.Space) -> bool:
    """Whether an attack moves anything: within a radius of 1 of a discrete observation, which is
    a whole number, there is no other.
    """
    return bool(_boxes(space))


def require_attackable(space: spaces.Space, algorithm: str, eps: Any = 0.0) -> None:
    """Refuse an attack on a space that it cannot move.

    Raises:
        ValueError: the space is no Box and no Dict with a Box in it, or eps does not fit it.
    """
    if not is_attackable(space):
        raise ValueError(
            f"{algorithm} attacks observations: the observation space must be a Box, or a Dict "
            f"with a Box in it; got {space}. CVPO without an attack needs none."
        )
    if isinstance(space, spaces.Box):
        require_shape("eps", eps, space.shape)


def flatten_obs(obs: PyTorchObs, space: spaces.Space) -> FlatObs:
    """Split `obs` into what may be attacked (Box entries) and what may not (the rest)."""
    if not isinstance(obs, dict):
        return FlatObs(obs.float(), lambda tensor: tensor)
    boxes = list(_boxes(space))
    shapes = {key: obs[key].shape for key in boxes}
    sizes = [int(torch.Size(shapes[key][1:]).numel()) for key in boxes]
    flat = torch.cat([obs[key].float().flatten(1) for key in boxes], dim=1)

    def restore(tensor: Tensor) -> PyTorchObs:
        parts = dict(zip(boxes, tensor.split(sizes, dim=1), strict=True))
        return {k: parts[k].view(-1, *shapes[k][1:]) if k in parts else v for k, v in obs.items()}

    return FlatObs(flat, restore)


def flat_array(obs: Any, space: spaces.Space) -> np.ndarray:
    """The attackable entries of observations [E, *O] (or a dict of them), laid out as a row of
    `flatten_obs`.
    """
    if not isinstance(obs, dict):
        return np.asarray(obs)
    return np.concatenate(
        [np.asarray(obs[key]).reshape(len(obs[key]), -1) for key in _boxes(space)], 1
    )


def box_sizes(space: spaces.Space) -> dict[str, int]:
    """How many entries of such a row each Box has, by key."""
    return {key: int(np.prod(box.shape)) for key, box in _boxes(space).items()}


def flat_bounds(
    space: spaces.Space, shown: Callable[[Any], Any] = lambda obs: obs
) -> tuple[np.ndarray | None, np.ndarray | None]:
    """The box of valid observations, laid out as a row of `flatten_obs`; None where it is open.

    Args:
        shown: what the policy receives of an observation (or a dict of them); it must rise with
            each entry, as a normalisation does.
    """
    boxes, ends = _boxes(space), []
    for end in ("low", "high"):
        bounds = {key: np.asarray(getattr(box, end), np.float32) for key, box in boxes.items()}
        if isinstance(space, spaces.Dict):
            parts = shown(bounds)
            bound = np.concatenate([np.ravel(parts[key]) for key in boxes])
        else:
            bound = np.asarray(shown(bounds[""]))
        ends.append(bound if np.isfinite(bound).any() else None)
    return ends[0], ends[1]


def _boxes(space: spaces.Space) -> dict[str, spaces.Box]:
    """The attackable parts by key; a plain Box has the key ""."""
    parts = space.spaces if isinstance(space, spaces.Dict) else {"": space}
    return {key: part for key, part in parts.items() if isinstance(part, spaces.Box)}

"""How an observation of any Box or Dict space becomes one tensor for an attack, and back.

Axes: B batch, O observation shape, D all numbers of a Dict observation in a row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor

ObsBatch = Any
"""A batch of observations: an array [B, *O], or a dict of arrays."""

_COUNTABLE = (spaces.Box, spaces.Discrete, spaces.MultiDiscrete, spaces.MultiBinary)


class ObsLayout:
    """Packs observations into a float tensor, and unpacks what an attack made of it.

    A Box observation keeps its shape. A Dict observation becomes one row [D] of all its keys, so
    that the tensor alone says what the policy sees; the keys that are not attacked have radius 0.

    Args:
        space: observation space of one environment, Box or Dict (of Box, Discrete, ...).
        keys: which keys of a Dict may be attacked; None for all its Box keys.

    Raises:
        ValueError: for another space, for unknown keys and for keys that are not a Box.
    """

    def __init__(self, space: spaces.Space, keys: Iterable[str] | None = None) -> None:
        self.space = space
        self.parts: dict[str, spaces.Space] = {}
        if isinstance(space, spaces.Dict):
            self.parts = dict(space.spaces)
            self.keys = _attacked_keys(self.parts, keys)
        elif isinstance(space, spaces.Box):
            if keys is not None:
                raise ValueError(
                    f"keys={keys!r} needs a Dict observation space; this one is {space}"
                )
            self.keys = ()
        else:
            raise ValueError(
                f"observation space must be a Box or a Dict; got {space}. "
                "Wrap the environment with gymnasium.wrappers.FlattenObservation first."
            )
        self.rounds = any(
            not np.issubdtype(part.dtype, np.floating) or part.dtype == np.float16
            for part in self.attacked().values()
        )

    def attacked(self) -> dict[str, spaces.Box]:
        """The attacked Box spaces by key; a plain Box has the key ""."""
        if isinstance(self.space, spaces.Box):
            return {"": self.space}
        return {key: self.parts[key] for key in self.keys}  # type: ignore[misc]

    def pack(self, obs: ObsBatch) -> Tensor:
        """A batch of observations as one float tensor [B, *O] or [B, D]; a copy."""
        if not self.parts:
            array = np.asarray(obs)
            return torch.tensor(array, dtype=_float_type([array]))
        arrays = {key: np.asarray(obs[key]) for key in self.parts}
        dtype = _float_type([arrays[key] for key in self.keys])
        rows = [torch.tensor(a.reshape(len(a), -1), dtype=dtype) for a in arrays.values()]
        return torch.cat(rows, dim=1)

    def unpack(self, packed: Tensor) -> Tensor | dict[str, Tensor]:
        """The view that a policy takes: the tensor itself, or a dict of tensors [B, *O]."""
        if not self.parts:
            return packed
        pieces = packed.split([_size(part) for part in self.parts.values()], dim=1)
        return {
            key: piece.reshape(len(packed), *(part.shape or ()))
            for (key, part), piece in zip(self.parts.items(), pieces, strict=True)
        }

    def restore(self, obs: ObsBatch, packed: Tensor, *, inward: bool = False) -> ObsBatch:
        """The packed batch with the types of the clean batch `obs`; other keys are `obs`'s own.

        Where the type is coarser than the tensor (uint8 images), values are rounded to the
        nearest, or toward the clean value if `inward`: that never leaves an lp ball.
        """
        fit = _round_inward if inward else _round_nearest
        if not self.parts:
            return _cast(np.asarray(obs), packed.numpy(), fit)
        pieces = self.unpack(packed)
        return {
            key: _cast(np.asarray(value), pieces[key].numpy(), fit) if key in self.keys else value
            for key, value in obs.items()
        }

    def lay_out(self, values: Mapping[str, Any], fill: float) -> np.ndarray:
        """Arrays by attacked key, broadcast to the packed shape; `fill` on the other keys.

        Raises:
            ValueError: where an array does not broadcast to its key's shape.
        """
        rows = []
        for key, part in (self.parts or self.attacked()).items():
            value = values.get(key, fill)
            try:
                rows.append(np.broadcast_to(np.asarray(value, float), part.shape or ()))
            except ValueError:
                raise ValueError(
                    f"expected a number or an array that broadcasts to shape {part.shape}"
                    f"{f' (key {key!r})' if key else ''}; got shape {np.shape(value)}"
                ) from None
        if not self.parts:
            return rows[0]
        return np.concatenate([row.reshape(-1) for row in rows])


def batch_of(obs: Any) -> ObsBatch:
    """One observation as a batch of one."""
    if isinstance(obs, Mapping):
        return {key: np.asarray(value)[None] for key, value in obs.items()}
    return np.asarray(obs)[None]


def stack(observations: list[Any]) -> ObsBatch:
    """Single observations as a batch."""
    if isinstance(observations[0], Mapping):
        return {key: np.stack([obs[key] for obs in observations]) for key in observations[0]}
    return np.stack(observations)


def pick(obs: ObsBatch, rows: Any) -> Any:
    """Row(s) of a batch: one observation for a number, a batch for a list of rows."""
    if isinstance(obs, Mapping):
        return {key: np.asarray(value)[rows] for key, value in obs.items()}
    return np.asarray(obs)[rows]


def replace(obs: ObsBatch, rows: Any, new: ObsBatch) -> ObsBatch:
    """A copy of the batch `obs` with `rows` taken from `new`."""
    if isinstance(obs, Mapping):
        return type(obs)((key, replace(value, rows, new[key])) for key, value in obs.items())  # type: ignore[call-arg]
    result = np.array(obs)
    result[rows] = new
    return result


def _attacked_keys(parts: dict[str, spaces.Space], keys: Iterable[str] | None) -> tuple[str, ...]:
    odd = [key for key, part in parts.items() if not isinstance(part, _COUNTABLE)]
    if odd:
        raise ValueError(f"Dict observation keys {odd} are nested; flatten them first")
    boxes = [key for key, part in parts.items() if isinstance(part, spaces.Box)]
    chosen = boxes if keys is None else [keys] if isinstance(keys, str) else list(keys)
    wrong = [key for key in chosen if key not in boxes]
    if wrong or not chosen:
        raise ValueError(
            f"keys must name Box entries of the observation; got {chosen}, available: {boxes}"
        )
    return tuple(chosen)


def _float_type(arrays: list[np.ndarray]) -> torch.dtype:
    """float32, or float64 where float32 would lose digits."""
    wide = np.result_type(np.float32, *[array.dtype for array in arrays])
    return torch.float64 if wide == np.float64 else torch.float32


def _size(part: spaces.Space) -> int:
    return int(np.prod(part.shape or ()))


def _cast(
    clean: np.ndarray, wanted: np.ndarray, fit: Callable[[np.ndarray, np.ndarray], np.ndarray]
) -> np.ndarray:
    return wanted if wanted.dtype == clean.dtype else fit(clean, wanted)


def _round_nearest(clean: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    if np.issubdtype(clean.dtype, np.floating):
        return wanted.astype(clean.dtype)
    return np.rint(wanted).astype(clean.dtype)


def _round_inward(clean: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    delta = wanted.astype(np.float64) - clean
    if np.issubdtype(clean.dtype, np.integer):
        return (clean + np.trunc(delta)).astype(clean.dtype)
    near = wanted.astype(clean.dtype)
    too_far = np.abs(near.astype(np.float64) - clean) > np.abs(delta)
    return np.where(too_far, np.nextafter(near, clean), near)

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

_COUNTABLE = (
    spaces.Box,
    spaces.Discrete,
    spaces.MultiDiscrete,
    spaces.MultiBinary,
    spaces.Text,
)


class ObsLayout:
    """Packs observations into a float tensor, and unpacks what an attack made of it.

    A Box observation keeps its shape. Any other becomes one row [D] of all its numbers, of a Dict
    key by key, so that the tensor alone says what the policy sees; what is not attacked has
    radius 0.

    Args:
        space: observation space of one environment: a Box, Discrete, MultiDiscrete, MultiBinary or
            Text, or a Dict of them.
        keys: which keys of a Dict may be attacked; None for all its Box keys.

    Raises:
        ValueError: for another space, for unknown keys and for keys that are not a Box.
    """

    def __init__(self, space: spaces.Space, keys: Iterable[str] | None = None) -> None:
        self.space = space
        self.is_dict = isinstance(space, spaces.Dict)
        self.parts: dict[str, spaces.Space] = (
            dict(space.spaces) if isinstance(space, spaces.Dict) else {"": space}
        )
        if odd := {key: part for key, part in self.parts.items() if not _packs(part)}:
            raise ValueError(_refusal(space, odd))
        if keys is not None and not self.is_dict:
            raise ValueError(f"keys={keys!r} needs a Dict observation space; this one is {space}")
        self.keys = _attacked_keys(self.parts, keys)
        self.rounds = any(
            not np.issubdtype(part.dtype, np.floating) or part.dtype == np.float16
            for part in self.attacked().values()
        )

    @property
    def shape(self) -> tuple[int, ...]:
        """Of a packed observation: [*O] of a Box, else [D]."""
        if isinstance(self.space, spaces.Box) and self.space.shape:
            return self.space.shape
        return (sum(_size(part) for part in self.parts.values()),)

    @property
    def size(self) -> int:
        """How many numbers a packed observation has."""
        return int(np.prod(self.shape))

    @property
    def movable(self) -> np.ndarray:
        """Which entries of a packed observation are attacked, bool."""
        return self.lay_out(dict.fromkeys(self.keys, 1.0), 0.0) > 0

    @property
    def is_plain(self) -> bool:
        """Whether packing changes nothing: a Box of floats with an axis."""
        box = self.space
        return isinstance(box, spaces.Box) and bool(box.shape) and not self.rounds

    @property
    def frozen(self) -> dict[str, spaces.Space]:
        """What no attack moves, by key."""
        return {key: part for key, part in self.parts.items() if key not in self.keys}

    def attacked(self) -> dict[str, spaces.Box]:
        """The attacked Box spaces by key; a plain Box has the key ""."""
        return {key: self.parts[key] for key in self.keys}  # type: ignore[misc]

    def is_whole(self, key: str) -> bool:
        """Whether the entries of a key take whole numbers alone."""
        return not np.issubdtype(self.parts[key].dtype, np.floating)

    def by_key(self, packed: np.ndarray) -> dict[str, np.ndarray]:
        """The numbers of each key in a packed observation; those of a Box have the key ""."""
        ends = np.cumsum([_size(part) for part in self.parts.values()])
        return dict(zip(self.parts, np.split(packed.reshape(-1), ends[:-1]), strict=True))

    def pack(self, obs: ObsBatch) -> Tensor:
        """A batch of observations as one float tensor [B, *O] or [B, D]; a copy."""
        given = obs if self.is_dict else {"": obs}
        arrays = {key: _numbers(part, given[key]) for key, part in self.parts.items()}
        dtype = _float_type([arrays[key] for key in self.keys])
        rows = [torch.tensor(a.reshape(len(a), -1), dtype=dtype) for a in arrays.values()]
        return torch.cat(rows, dim=1).view(-1, *self.shape)

    def unpack(self, packed: Tensor) -> Any:
        """The view that a policy takes: a tensor [B, *O], or a dict of tensors by key.

        A Text is the codes of its characters there, see `arrays`.
        """
        pieces = packed.flatten(1).split([_size(part) for part in self.parts.values()], dim=1)
        found = {
            key: piece.reshape(len(packed), *_shape(part))
            for (key, part), piece in zip(self.parts.items(), pieces, strict=True)
        }
        return found if self.is_dict else found[""]

    def arrays(self, obs: Any) -> ObsBatch:
        """What `unpack` gives, as arrays of the space's own types: what an environment shows.

        Entries of whole numbers are rounded to the nearest one.
        """
        if self.is_dict:
            return {key: _typed(self.parts[key], value) for key, value in obs.items()}
        return _typed(self.space, obs)

    def shown(self, packed: np.ndarray) -> ObsBatch:
        """What an environment shows, of a packed observation or a batch of them."""
        alone = packed.ndim == len(self.shape)
        batch = self.arrays(self.unpack(torch.as_tensor(packed[None] if alone else packed)))
        return pick(batch, 0) if alone else batch

    def restore(self, obs: ObsBatch, packed: Tensor, *, inward: bool = False) -> ObsBatch:
        """The packed batch with the types of the clean batch `obs`; other keys are `obs`'s own.

        Where the type is coarser than the tensor (uint8 images), values are rounded to the
        nearest, or toward the clean value if `inward`: that never leaves an lp ball.
        """
        fit = _round_inward if inward else _round_nearest
        pieces = self.unpack(packed)
        if not self.is_dict:
            return _cast(np.asarray(obs), pieces.numpy(), fit) if self.keys else obs
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
        for key, part in self.parts.items():
            value = values.get(key, fill)
            try:
                rows.append(np.broadcast_to(np.asarray(value, float), _shape(part)))
            except ValueError:
                raise ValueError(
                    f"expected a number or an array that broadcasts to shape {_shape(part)}"
                    f"{f' (key {key!r})' if key else ''}; got shape {np.shape(value)}"
                ) from None
        return np.concatenate([row.reshape(-1) for row in rows]).reshape(self.shape)


def packed_space(layout: ObsLayout) -> spaces.Box:
    """The Box of packed observations."""
    boxes = layout.attacked()
    low = layout.lay_out({key: box.low for key, box in boxes.items()}, -np.inf)
    high = layout.lay_out({key: box.high for key, box in boxes.items()}, np.inf)
    return spaces.Box(low.astype(np.float32), high.astype(np.float32), dtype=np.float32)


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


def any_part(obs: Any) -> Tensor:
    """A tensor of observations, or one of those of a dict: its batch, device and type are all's."""
    return next(iter(obs.values())) if isinstance(obs, dict) else obs


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


def _packs(part: spaces.Space) -> bool:
    return isinstance(part, _COUNTABLE)


def _refusal(space: spaces.Space, odd: Mapping[str, spaces.Space]) -> str:
    if not isinstance(space, spaces.Dict):
        return (
            f"observation space must be a Box or a Dict of Box, Discrete, MultiDiscrete, "
            f"MultiBinary and Text; got {space}. Wrap the environment with "
            "gymnasium.wrappers.FlattenObservation first."
        )
    return f"Dict observation keys {list(odd)} are nested; flatten them first"


def _attacked_keys(
    parts: Mapping[str, spaces.Space], keys: Iterable[str] | None
) -> tuple[str, ...]:
    boxes = [key for key, part in parts.items() if isinstance(part, spaces.Box)]
    if keys is None:
        return tuple(boxes)
    chosen = [keys] if isinstance(keys, str) else list(keys)
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


def _shape(part: spaces.Space) -> tuple[int, ...]:
    """Of the numbers of one observation."""
    return (part.max_length,) if isinstance(part, spaces.Text) else (part.shape or ())


def _size(part: spaces.Space) -> int:
    return int(np.prod(_shape(part)))


def _numbers(part: spaces.Space, values: Any) -> np.ndarray:
    """A batch of observations as numbers [B, *O]; of a Text the place of each character."""
    if not isinstance(part, spaces.Text):
        return np.asarray(values)
    codes = np.full((len(values), part.max_length), -1)
    for row, text in enumerate(values):
        codes[row, : len(text)] = [part.character_list.index(character) for character in str(text)]
    return codes


def _typed(part: spaces.Space, values: Tensor) -> np.ndarray:
    array = values.detach().cpu().numpy()
    if isinstance(part, spaces.Text):
        known = part.character_list
        return np.array(["".join(known[int(c)] for c in row if c >= 0) for row in array])
    if np.issubdtype(part.dtype, np.floating):
        return array
    return np.rint(array).astype(part.dtype)


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

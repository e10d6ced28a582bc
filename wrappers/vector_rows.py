"""One environment's row out of the infos of a Gymnasium vector environment, and back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from numpy.typing import NDArray

Mask = NDArray[np.bool_]


def autoreset_mode(env: VectorEnv) -> AutoresetMode:
    """How a vector environment resets; those that do not say so do it in the next step."""
    mode = env.metadata.get("autoreset_mode", AutoresetMode.NEXT_STEP)
    return AutoresetMode(mode)


def row_info(
    infos: Mapping[str, Any], row: int, keys: Iterable[str] | None = None
) -> dict[str, Any]:
    """The info of one environment: what its masks `_key` mark as present, also inside dicts.

    Args:
        infos: of all environments, as `VectorEnv.step` gives it.
        row: which environment.
        keys: the only keys that are wanted, if not all.
    """
    wanted = [key for key in infos if not _is_mask(key, infos)] if keys is None else keys
    info: dict[str, Any] = {}
    for key in wanted:
        mask = infos.get(f"_{key}")
        if key not in infos or (mask is not None and not mask[row]):
            continue
        value = infos[key]
        info[key] = row_info(value, row) if isinstance(value, Mapping) else value[row]
    return info


def _is_mask(key: str, infos: Mapping[str, Any]) -> bool:
    return key.startswith("_") and key[1:] in infos


def put(infos: dict[str, Any], key: str, values: NDArray, rows: Mask) -> None:
    """Write `values` [E] under `key` where `rows` [E] is true, with the mask that says so."""
    infos[key] = np.where(rows, values, np.zeros((), values.dtype))
    infos[f"_{key}"] = rows.copy()


def reset_rows(options: Mapping[str, Any] | None, count: int) -> Mask:
    """Which of `count` environments a call of `reset` with these options begins anew [E].

    Vector environments take `reset_mask` out of the options, so ask before.
    """
    if options is not None and "reset_mask" in options:
        return np.array(options["reset_mask"], dtype=np.bool_)
    return np.ones(count, dtype=np.bool_)


def seeds_of(seed: Any, count: int) -> list[int | None]:
    """The seed of each environment, from what `VectorEnv.reset` was given."""
    if seed is None:
        return [None] * count
    if isinstance(seed, (int, np.integer)):
        return [int(seed) + i for i in range(count)]
    return list(seed)

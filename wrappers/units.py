"""What an eps counts: raw observation units, shares of a range, or standard deviations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from stable_baselines3.common.vec_env import VecNormalize

from safer_gym.balls import UNITS, LpBall
from safer_gym.choices import choose
from safer_gym.domains import NOT_NEGATIVE, require_array
from safer_gym.wrappers.obs_layout import ObsLayout
from safer_gym.wrappers.policies.normaliser import Normaliser


def radius(layout: ObsLayout, eps: Any, unit: np.ndarray) -> np.ndarray:
    """The radius in raw units, per entry of the packed observation; 0 on keys not attacked.

    Args:
        eps: a number, a dict of numbers or arrays by key (Dict), or an array with one radius for
            each entry of the packed observation.
        unit: raw units in one unit of eps, from `unit_of`.

    Raises:
        ValueError, TypeError: for an eps that is not a finite number >= 0 or has a wrong shape.
    """
    attacked = layout.attacked()
    if not isinstance(eps, Mapping) and np.shape(eps) in ((layout.size,), layout.shape):
        require_array(NOT_NEGATIVE, eps=eps)
        return np.where(layout.movable, np.reshape(eps, layout.shape), 0.0) * unit
    if isinstance(eps, Mapping):
        if set(eps) != set(attacked):
            raise ValueError(
                f"eps must have the attacked keys {sorted(attacked)}; got {sorted(eps)}"
            )
        by_key = dict(eps)
    else:
        by_key = dict.fromkeys(attacked, eps)
    for value in by_key.values() if attacked else [eps]:
        require_array(NOT_NEGATIVE, eps=value)
    if not attacked and np.any(np.asarray(eps, float) > 0):
        raise ValueError(f"nothing in {layout.space} can be moved: only the entries of a Box can")
    try:
        return layout.lay_out(by_key, 0.0) * unit
    except ValueError as error:
        raise ValueError(f"eps: {error}") from None


def largest(eps: Any) -> float:
    """The largest entry of a radius in any form that `radius` takes."""
    values = eps.values() if isinstance(eps, Mapping) else [eps]
    return max(float(np.max(value)) for value in values)


def scale_of(layout: ObsLayout, scale: Any, what: str = "observation") -> np.ndarray | None:
    """The radius of each entry of the packed observation at eps = 1; None: one for all.

    Args:
        scale: an array with one number for each entry, or for Dict observations a dict of numbers
            or arrays by key; keys that it does not name are not attacked.
        what: is moved.

    Raises:
        ValueError: an unknown key, another shape, a number that is negative or not finite.
    """
    if scale is None:
        return None
    if isinstance(scale, Mapping):
        if not scale:
            raise ValueError("scale must name at least one key; got {}")
        require_array(NOT_NEGATIVE, **{f"scale[{key!r}]": part for key, part in scale.items()})
        keys = tuple(layout.attacked())
        named = {choose("key of scale", key, keys): value for key, value in scale.items()}
        return layout.lay_out(named, 0.0)
    require_array(NOT_NEGATIVE, scale=scale)
    return _shaped(layout, scale, what)


def deviations(layout: ObsLayout, normaliser: Any) -> np.ndarray:
    """Raw units in one normalised unit, for each entry of the packed observation.

    Raises:
        ValueError: there is no normaliser, or it has no statistics of a key.
    """
    if normaliser is None:
        raise ValueError(
            "units='normalised' needs the VecNormalize that the policy reads its observations "
            "through: attach it, or pass vec_normalize"
        )
    return layout.lay_out(_scales_of(layout, normaliser), 0.0)


def _shaped(layout: ObsLayout, value: Any, what: str) -> np.ndarray:
    array = np.asarray(value, dtype=float)
    if array.shape not in (layout.shape, (layout.size,)):
        raise ValueError(
            f"scale must be {layout.shape} numbers >= 0, one for each entry of the {what}"
            f"{', or a dict by key' if layout.is_dict else ''}; got {value!r}"
        )
    return array.reshape(layout.shape)


def unit_of(layout: ObsLayout, units: str, scale: Any) -> np.ndarray:
    """How many raw units one unit of eps is, per entry of the packed observation.

    "raw" gives 1. "normalised" gives the standard deviations in `scale` (a VecNormalize, whose
    statistics are copied now; an array; a dict of arrays), and without `scale` the width of the
    Box, high - low.
    """
    if choose("units", units, UNITS) == "raw":
        if scale is not None:
            raise ValueError("scale has a meaning only with units='normalised'")
        return layout.lay_out({}, 1.0)
    scales = _range_of(layout) if scale is None else _scales_of(layout, scale)
    unit = layout.lay_out(scales, 1.0)
    if not np.isfinite(unit).all() or (unit <= 0).any():
        raise ValueError("scale must be positive and finite in every entry")
    return unit


def make_ball(layout: ObsLayout, norm: str, raw: np.ndarray) -> LpBall:
    """The ball of these radii (per entry of the packed observation) inside the space's bounds."""
    spaces = layout.attacked()
    low = layout.lay_out({key: box.low for key, box in spaces.items()}, -np.inf)
    high = layout.lay_out({key: box.high for key, box in spaces.items()}, np.inf)
    counts = {key: float(layout.is_whole(key)) for key in spaces}
    whole = layout.lay_out(counts, 0.0).copy() if any(counts.values()) else None
    same = raw.size > 0 and bool((raw == raw.flat[0]).all())
    return LpBall.of(norm, float(raw.flat[0]) if same else raw, low.copy(), high.copy(), whole)


def _range_of(layout: ObsLayout) -> dict[str, Any]:
    ranges = {}
    for key, box in layout.attacked().items():
        width = box.high.astype(float) - box.low
        if not np.isfinite(width).all() or (width <= 0).any():
            raise ValueError(
                f"units='normalised' needs finite bounds of the observation space"
                f"{f' (key {key!r})' if key else ''}, which is {box}. Give scale= a VecNormalize "
                "or an array of standard deviations, or use units='raw'."
            )
        ranges[key] = width
    return ranges


def _scales_of(layout: ObsLayout, scale: Any) -> dict[str, Any]:
    attacked = layout.attacked()
    if isinstance(scale, (VecNormalize, Normaliser)):
        rms = scale.obs_rms if isinstance(scale.obs_rms, dict) else {"": scale.obs_rms}
        missing = sorted(set(attacked) - set(rms))
        if missing:
            raise ValueError(f"the VecNormalize has no statistics of {missing}")
        return {key: np.sqrt(rms[key].var + scale.epsilon) for key in attacked}
    if isinstance(scale, Mapping):
        if set(scale) != set(attacked):
            raise ValueError(
                f"scale must have the attacked keys {sorted(attacked)}; got {sorted(scale)}"
            )
        return dict(scale)
    return dict.fromkeys(attacked, scale)

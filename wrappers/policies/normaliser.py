"""Observation statistics that a policy was trained behind: what VecNormalize does, frozen.

A VecNormalize and a `Normaliser` offer the same attributes, so that both can be read here.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from gymnasium import spaces
from numpy.typing import NDArray
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.vec_env import VecNormalize
from torch import Tensor

from safer_gym.types import Victim
from safer_gym.wrappers.policies.trained_behind import vec_layers


class Moments(NamedTuple):
    """Mean and variance of each entry of an observation."""

    mean: NDArray[np.float64]
    var: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Normaliser:
    """(obs - mean) / sqrt(var + epsilon), clipped to [-clip_obs, clip_obs].

    Args:
        obs_rms: the moments, of a Dict observation by key; keys without moments stay as they are.
        epsilon: added to every variance.
        clip_obs: largest absolute value of a normalised entry.
        training: whether the statistics were still running when they were copied. No bound over
            every adversary covers running statistics.

    Raises:
        ValueError: moments that are not finite, negative variances, shapes that differ, a
            deviation of zero, a clip that is not positive.
    """

    obs_rms: Moments | dict[str, Moments]
    epsilon: float = 1e-8
    clip_obs: float = 10.0
    training: bool = False
    norm_obs: bool = True

    def __post_init__(self) -> None:
        if not (np.isfinite(self.epsilon) and self.epsilon >= 0 and self.clip_obs > 0):
            raise ValueError(
                "a normaliser needs a finite epsilon >= 0 and a clip_obs > 0; got "
                f"{self.epsilon!r} and {self.clip_obs!r}"
            )
        for key, (mean, var) in moments_by_key(self).items():
            where = f" of {key!r}" if key else ""
            if mean.shape != var.shape:
                raise ValueError(f"mean{where} has shape {mean.shape}, but var {var.shape}")
            if not (np.isfinite(mean).all() and np.isfinite(var).all() and (var >= 0).all()):
                raise ValueError(f"mean and var{where} must be finite, and var >= 0")
            if not (var + self.epsilon > 0).all():
                raise ValueError(f"var + epsilon{where} must be > 0")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Normaliser) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    @property
    def digest(self) -> str:
        """SHA-256 of all numbers."""
        content = hashlib.sha256(repr((self.epsilon, self.clip_obs)).encode())
        for key, moments in sorted(moments_by_key(self).items()):
            content.update(key.encode())
            for part in moments:
                content.update(np.ascontiguousarray(part, np.float64).tobytes())
        return content.hexdigest()


def frozen(source: VecNormalize | Normaliser) -> Normaliser | None:
    """A copy of the statistics as they are now; None where observations are not normalised.

    Raises:
        TypeError: something else.
        ValueError: statistics that no policy can have been trained behind, see `Normaliser`.
    """
    if isinstance(source, Normaliser):
        return source
    if not isinstance(source, VecNormalize):
        raise TypeError(
            "vec_normalize must be a VecNormalize, a Normaliser, or False for none; got "
            f"{type(source).__name__}"
        )
    if not source.norm_obs:
        return None
    for name in ("normalize_obs", "_normalize_obs"):
        if getattr(getattr(source, name), "__func__", None) is not getattr(VecNormalize, name):
            raise ValueError(
                f"this {type(source).__name__} has a {name!r} of its own: what it does to "
                "observations is not known, and it cannot be read as their mean and deviation"
            )
    rms: Any = source.obs_rms
    copies = {key: _copied(part) for key, part in rms.items()} if isinstance(rms, dict) else None
    return Normaliser(
        _copied(rms) if copies is None else copies,
        float(source.epsilon),
        float(source.clip_obs),
        bool(source.training),
    )


def attached_normaliser(policy: Any) -> VecNormalize | None:
    """The VecNormalize that an SB3 model sees its observations through, if any.

    Raises:
        ValueError: there are two.
    """
    layers = vec_layers(policy.get_env()) if isinstance(policy, BaseAlgorithm) else ()
    found = [layer for layer in layers if isinstance(layer, VecNormalize) and layer.norm_obs]
    if len(found) > 1:
        raise ValueError(
            f"the model's environment has {len(found)} VecNormalize around each other: only one "
            "can be read; let the others not normalise observations (norm_obs=False)"
        )
    return found[0] if found else None


def moments_by_key(normaliser: Any) -> dict[str, Moments]:
    """The moments by key of a Dict observation; a Box has the key ""."""
    rms = normaliser.obs_rms
    parts = rms if isinstance(rms, dict) else {"": rms}
    return {key: Moments(part.mean, part.var) for key, part in parts.items()}


def check_fits(normaliser: Any, space: spaces.Space) -> None:
    """The statistics are of this observation space.

    Raises:
        ValueError: a key that the space does not have, or another shape.
    """
    parts = space.spaces if isinstance(space, spaces.Dict) else {"": space}
    for key, moments in moments_by_key(normaliser).items():
        found = parts.get(key)
        if found is None or tuple(moments.mean.shape) != tuple(found.shape or ()):
            raise ValueError(
                f"the normaliser's statistics have shape {moments.mean.shape}"
                f"{f' for key {key!r}' if key else ''}; the observation space is {space}"
            )


def normalised(normaliser: Any, obs: Any) -> Any:
    """Raw observations, a tensor [B, *O] or a dict of them, as the policy reads them.

    Computed in float64, as VecNormalize does: a mean far from zero leaves few digits in float32.
    """
    moments = moments_by_key(normaliser)
    if not isinstance(obs, dict):
        return _scaled(normaliser, moments[""], obs)
    return {
        key: _scaled(normaliser, moments[key], value) if key in moments else value
        for key, value in obs.items()
    }


def normalised_arrays(normaliser: Any, obs: Any) -> Any:
    """`normalised` for numpy arrays, one observation or a batch."""
    if isinstance(obs, dict):
        parts = {key: torch.as_tensor(np.asarray(value)) for key, value in obs.items()}
        return {key: value.numpy() for key, value in normalised(normaliser, parts).items()}
    return normalised(normaliser, torch.as_tensor(np.asarray(obs))).float().numpy()


def behind(normaliser: Any, victim: Victim) -> Victim:
    """The victim as seen from raw observations, before the normaliser."""
    return victim.seen_as(lambda obs: normalised(normaliser, obs))


def _copied(rms: Any) -> Moments:
    return Moments(np.array(rms.mean, np.float64), np.array(rms.var, np.float64))


def _scaled(normaliser: Any, moments: Moments, obs: Tensor) -> Tensor:
    wide = obs.double()
    mean = torch.as_tensor(moments.mean).to(wide)
    deviation = torch.as_tensor(np.sqrt(moments.var + normaliser.epsilon)).to(wide)
    limit = float(normaliser.clip_obs)
    return ((wide - mean) / deviation).clamp(-limit, limit).to(_float_type(obs))


def _float_type(obs: Tensor) -> torch.dtype:
    return obs.dtype if obs.dtype.is_floating_point else torch.float32

"""Write a policy to a file, read it back, and hold it against the policy's own `predict`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from gymnasium import spaces
from numpy.typing import NDArray
from torch import nn

from safer_gym.bounds import NotCoveredError, OptionLayers
from safer_gym.choices import choose
from safer_gym.conformance.export.network import network_of
from safer_gym.conformance.export.onnx_file import onnx_bytes
from safer_gym.conformance.export.torchscript_file import torchscript_bytes
from safer_gym.conformance.files import digest, write_atomically, write_json
from safer_gym.conformance.loading import LoadedPolicy, as_policy, load_policy, source_of
from safer_gym.conformance.provenance import versions
from safer_gym.conformance.untrusted import read_json
from safer_gym.wrappers.action_rows import action_rows
from safer_gym.wrappers.policies.layers import policy_layers
from safer_gym.wrappers.policies.normaliser import moments_by_key
from safer_gym.wrappers.policies.victims import as_victim
from safer_gym.wrappers.policies.view import PolicyView, view_of

TARGETS: dict[str, Callable[[nn.Sequential, dict[str, Any]], bytes]] = {
    ".onnx": onnx_bytes,
    ".pt": torchscript_bytes,
}
"""What writes a file, by its ending."""
TOLERANCE = 1e-6
"""Largest difference of an action, relative to the larger of 1 and the action."""
OBSERVATIONS = 1000


class Exported(NamedTuple):
    """What was written."""

    path: Path
    digest: str
    """SHA-256 of the file."""
    stated: dict[str, Any]
    """What the file says of itself: observation, action, normaliser, noise, where it is from."""
    difference: float
    """Largest difference from `predict`, relative to the larger of 1 and the action."""


def export_policy(
    policy: Any,
    path: Path | str,
    *,
    vec_normalize: Any = None,
    record: Mapping[str, Any] | None = None,
) -> Exported:
    """Write the deterministic policy as ONNX (.onnx) or TorchScript (.pt), and compare it.

    The file maps a batch of raw observations to actions in the environment's units, or, of discrete
    actions, to a score for each option, of which the largest is taken. Its normaliser is inside.
    Its noise is not: the file says what noise the stochastic policy adds. `load_policy` opens the
    file as data, and what it does on 1000 observations is held against `predict`.

    Args:
        policy: a model, a torch module, what `load_policy` returned, or a name for it.
        path: the file; `path` with the ending .json is written beside it.
        vec_normalize: as `evaluate` takes it.
        record: what else to write into the JSON beside it, such as the environment.

    Raises:
        ValueError: another ending; a policy that is no network without branches, see `network_of`;
            a file that acts otherwise than the policy.
        ModuleNotFoundError: onnx is not installed.
    """
    path = Path(path)
    write = TARGETS[choose("the ending of path", path.suffix, TARGETS)]
    if isinstance(policy, (str, Path)):
        policy, vec_normalize = load_policy(policy, vec_normalize=vec_normalize), None
    view = view_of(*as_policy(policy, vec_normalize))
    network = network_of(view)
    stated = _stated(view, policy)
    write_atomically(path, write(network, stated))
    difference = _difference(view, load_policy(path).policy)
    if not difference <= TOLERANCE:
        path.unlink()
        raise ValueError(
            f"the exported policy acts otherwise than the policy: actions differ by {difference:g} "
            f"where at most {TOLERANCE:g} is allowed; nothing was written"
        )
    stated = {**stated, "difference": difference, "observations_compared": OBSERVATIONS}
    beside = path.with_suffix(".json")
    write_json(beside, {**_found(beside), **(record or {}), "export": stated})
    return Exported(path, digest(path), stated, difference)


def _found(beside: Path) -> dict[str, Any]:
    """What stands there already, such as the record of the training."""
    found = read_json(beside) if beside.exists() else {}
    if not isinstance(found, dict):
        raise ValueError(f"{beside} must hold a JSON object, or not exist")
    return found


def _stated(view: PolicyView, policy: Any) -> dict[str, Any]:
    space = view.action_space
    is_box = isinstance(space, spaces.Box)
    source = {"name": source_of(policy) or type(view.inner).__name__}
    if isinstance(policy, LoadedPolicy):
        source["digest"] = policy.digest
    return {
        "source": source,
        "observation": {
            "space": str(view.observation_space),
            "numbers": "float32, in the environment's units, not normalised",
        },
        "action": {
            "space": str(space),
            "output": "the action in the environment's units"
            if is_box
            else "a score for each option; of each choice the largest is taken",
        },
        "normaliser": _normaliser(view.normaliser),
        "noise": _noise(view),
        "versions": versions(),
    }


def _normaliser(normaliser: Any) -> dict[str, Any] | None:
    if normaliser is None:
        return None
    mean, variance = moments_by_key(normaliser)[""]
    return {
        "where": "inside the file, as its first layers",
        "mean": mean.tolist(),
        "variance": variance.tolist(),
        "epsilon": normaliser.epsilon,
        "clip": normaliser.clip_obs,
    }


def _noise(view: PolicyView) -> str | dict[str, Any]:
    """What the stochastic policy adds to what the file computes."""
    try:
        layers = policy_layers(view)
    except NotCoveredError as error:
        return f"not in the file; not known, for bounds do not cover {error.args[0]}"
    if isinstance(layers, OptionLayers):
        drawn = "the stochastic policy draws an option by the softmax of the scores"
        return drawn if layers.draws else "none: the policy takes the option with the largest score"
    if layers.scale is None:
        return "none: the policy is deterministic"
    if not layers.has_constant_noise:
        return "not in the file; the stochastic policy adds noise that depends on the observation"
    scale: Any = layers.scale
    return {
        "where": "not in the file; the stochastic policy adds it to the mean action",
        "kind": "Gaussian, in the policy's own units",
        "deviations": scale.tolist(),
    }


def _difference(view: PolicyView, read: Any) -> float:
    space: Any = view.action_space
    obs = _observations(view)
    asked = action_rows(space).pack(view.predict(obs, deterministic=True)[0]).double()
    given = as_victim(read, action_space=space).action(torch.as_tensor(obs).float()).double()
    return float(((given - asked).abs() / asked.abs().clamp_min(1.0)).max())


def _observations(view: PolicyView) -> NDArray:
    """Observations [1000, O]: of the declared space, and as the normaliser has seen them."""
    space: Any = view.observation_space
    chance = np.random.default_rng(0)
    normal = chance.standard_normal((OBSERVATIONS, *space.shape))
    if view.normaliser is not None:
        mean, variance = moments_by_key(view.normaliser)[""]
        normal = mean + 2.0 * np.sqrt(variance) * normal
    bounded = np.isfinite(space.low) & np.isfinite(space.high)
    low, high = np.where(bounded, space.low, -1.0), np.where(bounded, space.high, 1.0)
    inside = np.where(bounded, chance.uniform(low, high, normal.shape), normal)
    half = np.arange(OBSERVATIONS)[:, None] % 2 == 0
    found = np.where(half, inside, normal.clip(space.low, space.high))
    return found.astype(np.float32).astype(space.dtype)  # the file reads float32

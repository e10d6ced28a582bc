"""What a model shows of how it saw its observations in training, beside an attached VecNormalize.

Told by what its environment does to observations and by what it saw last, never by names.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm
from stable_baselines3.common.vec_env import DummyVecEnv, VecEnv, VecEnvWrapper, VecNormalize

from safer_gym.wrappers.env_layers import env_layers

HOW = (
    "give its statistics with vec_normalize=... (--vec-normalize FILE), or say that the policy "
    "reads raw observations with vec_normalize=False (--vec-normalize none; in wrappers: pass "
    "model.policy)"
)
CLIP = 10.0
"""Normalised observations lie within; of VecNormalize, where nobody says another."""
_LIBRARIES = ("stable_baselines3", "sb3_contrib", "safer_gym")


def check_seen_raw(model: Any) -> None:
    """Nothing shows that a model without a VecNormalize reads other than raw observations.

    Raises:
        ValueError: it was trained behind one that is not there, or behind a wrapper of vector
            environments that changes observations in a way that is not known.
    """
    if not isinstance(model, BaseAlgorithm):
        return
    layers = list(vec_layers(model.get_env()))
    if not any(isinstance(layer, VecNormalize) for layer in layers) and shows_normaliser(model):
        raise ValueError(f"the model was trained behind a VecNormalize that is not there: {HOW}")
    unknown = [layer for layer in layers if _is_foreign(layer)]
    if unknown and not _sees_all(model, layers):
        raise ValueError(
            f"the model's environment is behind a {type(unknown[0]).__name__}, which may change "
            f"observations in a way that is not known: make the environments do the same, and {HOW}"
        )


def vec_layers(env: VecEnv | None) -> Iterator[VecEnvWrapper]:
    """The wrappers of a vector environment, the outermost first."""
    while isinstance(env, VecEnvWrapper):
        yield env
        env = env.venv


def shows_normaliser(model: BaseAlgorithm) -> bool:
    """Whether a model says that it was trained behind a VecNormalize, see `was_changed`."""
    word = getattr(model, "reads_normalised", None)
    if word is not None:
        return bool(word)
    original = getattr(model, "_last_original_obs", None)
    if original is None:
        return False
    if isinstance(model, OnPolicyAlgorithm):
        return True
    return was_changed(model._last_obs, original, model.observation_space)


def was_changed(shown: Any, raw: Any, space: Any) -> bool:
    """Whether an off-policy model's last observation [E, *O] was another than the raw one.

    On-policy models keep a raw one only behind a VecNormalize. Off-policy models always do: of the
    step before, where there is none. So a VecNormalize shows where the types differ, where only the
    raw observation lies in its space, or only the other one within the clip.
    """
    if not isinstance(space, spaces.Box) or shown is None or isinstance(shown, dict):
        return False
    shown, raw = np.asarray(shown), np.asarray(raw)
    inside = [bool(((space.low <= obs) & (obs <= space.high)).all()) for obs in (shown, raw)]
    clipped = bool((np.abs(shown) <= CLIP).all()) and bool((np.abs(raw) > 2 * CLIP).any())
    return shown.dtype != raw.dtype or inside == [False, True] or clipped


def check_same_layers(model: Any, env: gym.Env) -> None:
    """An environment shows observations through the wrappers that the model was trained behind.

    Raises:
        ValueError: the model's own environment has one that this one lacks.
        TypeError: several environments in one.
    """
    if isinstance(env, (VecEnv, gym.vector.VectorEnv)):
        raise TypeError(
            f"make_env must make one environment of gymnasium; got a {type(env).__name__} of "
            f"{env.num_envs}: episodes are run side by side here (n_envs)"
        )
    inside = model.get_env() if isinstance(model, BaseAlgorithm) else None
    for layer in vec_layers(inside):
        inside = layer.venv
    if not isinstance(inside, DummyVecEnv):
        return
    own, here = (_observing(layer) for layer in (inside.envs[0], env))
    if missing := [name for name in own if name not in here]:
        raise ValueError(
            f"the model's own environment shows observations through {', '.join(missing)}, and the "
            "one that it is measured in does not: wrap that too, or pass the model's policy"
        )


def _observing(env: gym.Env) -> list[str]:
    return [type(x).__name__ for x in env_layers(env) if isinstance(x, gym.ObservationWrapper)]


def _is_foreign(layer: VecEnvWrapper) -> bool:
    changes = (getattr(type(layer), name).__module__ for name in ("reset", "step_wait"))
    return any(home.partition(".")[0] not in _LIBRARIES for home in changes)


def _sees_all(model: BaseAlgorithm, layers: list[VecEnvWrapper]) -> bool:
    """Whether the last observation came through all wrappers as it was."""
    inside: Any = layers[-1].venv
    told = getattr(model, "_last_obs", None)
    if not isinstance(inside, DummyVecEnv) or told is None or isinstance(told, dict):
        return False
    kept: Any = inside.buf_obs
    raw = kept.get(None)
    return raw is not None and np.shape(raw) == np.shape(told) and bool(np.all(raw == told))

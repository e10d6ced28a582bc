"""A digest of what an environment does, for caches: names and spaces do not tell worlds apart."""

from __future__ import annotations

import copy
import hashlib
import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np

from safer_gym.conformance.files import digest
from safer_gym.wrappers.disturbances import disturbance_space
from safer_gym.wrappers.env_layers import env_layers
from safer_gym.wrappers.gate.ends import stated_limit
from safer_gym.wrappers.gate.global_streams import GlobalStream

HOLDS = (1, 10, 100)
"""Steps for which each action is held, by episode: held actions lead farther from the start."""
STEPS = 100
"""Steps of an episode at most."""

MakeEnv = Callable[[], gym.Env]


def behaviour_digest(make_env: MakeEnv, *, disturbed: bool = False) -> str:
    """A digest of seeded episodes under random actions, of the code and of plain attributes.

    Two worlds of one digest may still differ in places where no such episode comes. An environment
    that is not repeatable has another digest each time.

    Args:
        make_env: makes the environment.
        disturbed: whether to draw disturbances, too.
    """
    found = hashlib.sha256()
    with ExitStack() as stack:
        # Open side by side, so that the number of an instance counts as no attribute.
        envs = [stack.enter_context(closing(_made(make_env))) for _ in HOLDS]
        for text in _declared(envs):
            found.update(text)
        for seed, (env, hold) in enumerate(zip(envs, HOLDS, strict=True)):
            with GlobalStream(seed):
                for part in _episode(env, seed, hold, disturbed):
                    found.update(part)
    return found.hexdigest()


def _made(make_env: MakeEnv) -> gym.Env:
    with GlobalStream(0):
        return make_env()


def _episode(env: gym.Env, seed: int, hold: int, disturbed: bool) -> Iterator[bytes]:
    """Observations, rewards, costs, h and ends, as bytes."""
    actions = copy.deepcopy(env.action_space)
    actions.seed(seed)
    pushes = copy.deepcopy(disturbance_space(env)) if disturbed else None
    if pushes is not None:
        pushes.seed(seed)
    obs, info = env.reset(seed=seed)
    yield _packed([obs, info.get("h")])
    inner: Any = env.unwrapped
    action: Any = None
    for step in range(STEPS):
        if step % hold == 0:
            action = actions.sample()
        if pushes is not None:
            inner.disturb(pushes.sample())
        answer: Any = env.step(copy.deepcopy(action))
        if len(answer) != 5:
            return  # the episodes' own gate says what is wrong
        obs, reward, terminated, truncated, info = answer
        yield _packed([obs, reward, info.get("cost"), info.get("h"), terminated, truncated])
        if terminated or truncated:
            return


def _declared(envs: list[gym.Env]) -> Iterator[bytes]:
    """What the environments say of themselves before they run."""
    yield repr(stated_limit(envs[0])).encode()
    chains = [list(env_layers(env)) for env in envs]
    for layer, *others in zip(*chains, strict=False):
        yield from _code(type(layer))
        own, *rest = (_attributes(one) for one in (layer, *others))
        yield from (
            name.encode() + value
            for name, value in sorted(own.items())
            if all(other.get(name) == value for other in rest)
        )


def _code(layer: type) -> Iterator[bytes]:
    """The files that a class and its parents are written in."""
    for parent in layer.__mro__:
        yield f"{parent.__module__}.{parent.__qualname__}".encode()
        try:
            path = Path(inspect.getfile(parent))
        except (TypeError, OSError):  # built in, or typed at a prompt
            continue
        if path.is_file():
            yield digest(path).encode()


def _attributes(layer: Any) -> dict[str, bytes]:
    """Attributes that are numbers, text, arrays, or collections of these."""
    return {
        name: _packed(value)
        for name, value in getattr(layer, "__dict__", {}).items()
        if _is_plain(value)
    }


def _is_plain(value: Any) -> bool:
    if isinstance(value, Mapping):
        return all(map(_is_plain, value.keys())) and all(map(_is_plain, value.values()))
    if isinstance(value, (list, tuple)):
        return all(map(_is_plain, value))
    if isinstance(value, np.ndarray):
        return value.dtype != object
    return value is None or isinstance(value, (bool, int, float, str, bytes, np.generic))


def _packed(value: Any) -> bytes:
    """A value as bytes; what is not plain is told by its repr, which differs from run to run."""
    if isinstance(value, Mapping):
        items = sorted(value.items(), key=lambda item: repr(item[0]))
        return b"{" + b",".join(_packed(part) for item in items for part in item) + b"}"
    if isinstance(value, (list, tuple)):
        return b"(" + b",".join(map(_packed, value)) + b")"
    if isinstance(value, (np.ndarray, np.generic)) and value.dtype != object:
        return f"{value.dtype} {value.shape} ".encode() + np.asarray(value).tobytes()
    return f"{type(value).__name__} {value!r}".encode()

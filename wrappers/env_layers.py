"""The wrappers around an environment, and the environment."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gymnasium as gym


def env_layers(env: gym.Env) -> Iterator[Any]:
    """The wrappers, outermost first, then the environment inside."""
    layer: Any = env
    while isinstance(layer, gym.Wrapper):
        yield layer
        layer = layer.env
    yield layer

"""Files that run code when they are unpickled, and ways to notice that."""

from __future__ import annotations

import base64
import io
import json
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import torch


class Evil:
    """Unpickled, it writes a file."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple:
        return Path.touch, (self.mark,)


def poisoned(key: str, mark: Path, value: Any = None) -> Callable[[dict], dict]:
    """A change of a saved model's data: `key` becomes a pickle that runs code."""

    def change(data: dict) -> dict:
        bad = pickle.dumps(Evil(mark) if value is None else value)
        text = base64.b64encode(bad).decode()
        return {**data, key: {":type:": "<class 'dict'>", ":serialized:": text}}

    return change


def rewritten(
    source: Path,
    target: Path,
    data: Callable[[dict], dict] = lambda data: data,
    **entries: bytes,
) -> Path:
    """A copy of a saved model with its data changed and some entries replaced."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        content = {name: old.read(name) for name in old.namelist()}
        content["data"] = json.dumps(data(json.loads(content["data"]))).encode()
        content |= {name.replace("__", "."): value for name, value in entries.items()}
        for name, value in content.items():
            new.writestr(name, value)
    return target


def torch_bytes(value: Any, *, legacy: bool = False) -> bytes:
    """What torch.save writes; `legacy`: what it wrote before torch 1.6."""
    stream = io.BytesIO()
    torch.save(value, stream, _use_new_zipfile_serialization=not legacy)
    return stream.getvalue()


def gym_bytes(space: gym.Space) -> bytes:
    """A space as gym, which was there before gymnasium, pickled it."""
    return pickle.dumps(space, 3).replace(b"cgymnasium.", b"cgym.")


class Point(gym.Env):
    """An environment that is only there for its spaces."""

    def __init__(
        self, observation_space: gym.Space | None = None, action_space: gym.Space | None = None
    ) -> None:
        low, high = np.float32([-1.0, -0.1234567, -8.0]), np.float32([1.0, 0.012345679, 8.0])
        self.observation_space = observation_space or gym.spaces.Box(low, high)
        box = gym.spaces.Box(np.float32([-2.0, -0.5]), np.float32([1.0, 3.0]))
        self.action_space = action_space or box

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict]:
        super().reset(seed=seed)
        self.observation_space.seed(seed)
        return self.observation_space.sample(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict]:
        return self.observation_space.sample(), 0.0, False, True, {"cost": 0.0}

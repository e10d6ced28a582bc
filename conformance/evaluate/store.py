"""Learned critics and adversaries on disk, under a digest of all that they depend on.

The files hold tensors and numbers; reading one runs no code that it carries.
"""

from __future__ import annotations

import hashlib
import io
import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from safer_gym import __version__
from safer_gym.conformance.evaluate.adversaries import LearnedAttack, attack_from
from safer_gym.conformance.evaluate.behaviour import MakeEnv, behaviour_digest
from safer_gym.conformance.files import write_atomically
from safer_gym.wrappers.fitted_critics.critics import (
    FittedCritics,
    critics_from_state,
    critics_state,
)


class Store:
    """A folder of what was learned; None keeps nothing.

    Args:
        folder: where the files go; made when the first one is stored.
        key: what all lessons of this certificate depend on, e.g. digests.
    """

    def __init__(self, folder: Path | None, key: dict[str, Any]) -> None:
        self.folder, self.key = folder, key

    def critics(self, name: str, inputs: Any, learn: Callable[[], FittedCritics]) -> FittedCritics:
        """Stored critics, or newly learned ones."""
        path = self._path(name, inputs)
        if path is not None and path.exists():
            return critics_from_state(torch.load(path, weights_only=True))
        with warnings.catch_warnings():
            # That no cost was seen shows in the diagnostics, and becomes a flag.
            warnings.filterwarnings("ignore", message="no cost in")
            critics = learn()
        _save(path, critics_state(critics))
        return critics

    def adversary(self, inputs: Any, learn: Callable[[], LearnedAttack]) -> LearnedAttack:
        """A stored adversary, or a newly trained one."""
        path = self._path("adversary", inputs)
        if path is not None and path.exists():
            return attack_from(torch.load(path, weights_only=True))
        attack = learn()
        parts = {"mean": attack.mean, "scale": attack.scale, "goal": attack.goal}
        _save(path, {"net": dict(attack.net.state_dict()), **parts})
        return attack

    def _path(self, name: str, inputs: Any) -> Path | None:
        if self.folder is None:
            return None
        text = json.dumps([self.key, name, inputs], sort_keys=True)
        return self.folder / f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:20]}.pt"


def store_for(
    folder: Path | None, key: dict[str, Any], make_env: MakeEnv, *, disturbed: bool = False
) -> Store:
    """A store whose key also holds what the environment does, and the version of the library.

    Args:
        folder: as of `Store`.
        key: as of `Store`.
        make_env: makes the environment that is learned in.
        disturbed: whether the adversary disturbs it.
    """
    if folder is None:
        return Store(None, key)
    does = behaviour_digest(make_env, disturbed=disturbed)
    return Store(folder, {**key, "behaviour": does, "version": __version__})


def _save(path: Path | None, state: dict[str, Any]) -> None:
    if path is not None:
        buffer = io.BytesIO()
        torch.save(state, buffer)
        write_atomically(path, buffer.getvalue())

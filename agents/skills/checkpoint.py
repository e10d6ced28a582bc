"""Checkpoints of a training: written whole, and gone on with by the same training alone."""

from __future__ import annotations

from hashlib import blake2b
from pathlib import Path
from typing import Any, Protocol, cast

import torch
from torch import Tensor

from safer_gym.agents.model_file import replacing


class Resumable(Protocol):
    """A training whose state is data."""

    def state(self) -> dict[str, Any]: ...

    def restore(self, state: dict[str, Any]) -> None: ...


def save_checkpoint(training: Resumable, path: Path) -> None:
    """Write its state, whole or not at all."""
    with replacing(path, "checkpoint") as file:
        torch.save(training.state(), cast(Any, file))


def resume(training: Resumable, path: Path) -> None:
    """Go on from a checkpoint, if there is one.

    Raises:
        ValueError: it is damaged, or another training's; names the file and what to do.
    """
    if not path.exists():
        return
    try:
        training.restore(torch.load(path, map_location="cpu", weights_only=True))
    except Exception as error:
        raise ValueError(
            f"{path} cannot be gone on with: {error}. Delete it, or take another folder, to begin "
            "anew"
        ) from error


def digest(*tensors: Tensor) -> str:
    """Of types, shapes and bytes."""
    found = blake2b(digest_size=16)
    for tensor in tensors:
        found.update(f"{tensor.dtype} {tuple(tensor.shape)}".encode())
        found.update(tensor.contiguous().numpy().data)
    return found.hexdigest()

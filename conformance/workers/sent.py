"""What is sent to a worker that was not forked: pickled, TorchScript as the bytes of its file."""

from __future__ import annotations

import io
import warnings
from typing import Any

import cloudpickle
import torch


def packed(thing: Any, why: str) -> bytes:
    """The bytes of a thing, for `cloudpickle.loads`.

    Args:
        thing: what all jobs of a worker share.
        why: what asked for it, to begin the sentence of a refusal.

    Raises:
        ValueError: a part of it cannot be pickled.
    """
    stream = io.BytesIO()
    try:
        _Pickler(stream).dump(thing)
    except Exception as error:
        raise ValueError(
            f"{why}, so that the policy and the environment are pickled for each worker, and a "
            f"part of them cannot be: {error}; use workers=1"
        ) from error
    return stream.getvalue()


class _Pickler(cloudpickle.Pickler):
    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, torch.jit.ScriptModule):
            return _script, (obj.save_to_buffer(), obj.training)
        return super().reducer_override(obj)


def _script(content: bytes, training: bool) -> Any:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*torch.jit.load.*", DeprecationWarning)
        return torch.jit.load(io.BytesIO(content), map_location="cpu").train(training)

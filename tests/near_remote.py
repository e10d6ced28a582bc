"""What stands for another process in tests of what it does."""

from __future__ import annotations

import pickle
import random
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch


class Near:
    """As `Remote`, but the call is made at once and here; this side's draws are left alone."""

    def __init__(self, build: Callable[[Callable[[], bool]], Any]) -> None:
        self.served = build(lambda: True)
        self.methods: list[str] = []

    def send(self, method: str, *args: Any, **kwargs: Any) -> None:
        self.methods.append(method)
        self.answer: tuple[str, bytes] = ("", b"")
        with _draws_kept():
            try:
                value = getattr(self.served, method)(*args, **kwargs)
                self.answer = ("", pickle.dumps(value))
            except Exception:
                self.answer = (traceback.format_exc(), b"")

    def receive(self) -> Any:
        error, value = self.answer
        if error:
            raise RuntimeError(error)
        return pickle.loads(value)

    def close(self) -> None:
        self.served.close()


@contextmanager
def _draws_kept() -> Iterator[None]:
    before = (random.getstate(), np.random.get_state(), torch.get_rng_state())  # noqa: NPY002
    yield
    random.setstate(before[0])
    np.random.set_state(before[1])  # noqa: NPY002
    torch.set_rng_state(before[2])

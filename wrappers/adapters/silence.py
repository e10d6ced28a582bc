"""Hide what native code prints, also where Python's own stdout has been replaced."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress


@contextmanager
def native_silence() -> Iterator[None]:
    """Send file descriptors 1 and 2 to the null device.

    Works on the descriptors and never asks `sys.stdout` for one: under pytest and in notebooks
    it has none. A descriptor that is closed already is left alone.
    """
    _flush()
    with ExitStack() as stack:
        null = os.open(os.devnull, os.O_WRONLY)
        stack.callback(os.close, null)
        for descriptor in (1, 2):
            with suppress(OSError):
                saved = os.dup(descriptor)
                stack.callback(os.close, saved)
                stack.callback(os.dup2, saved, descriptor)
                os.dup2(null, descriptor)
        stack.callback(_flush)
        yield


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, ValueError, OSError):
            stream.flush()
    with suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).fflush(None)

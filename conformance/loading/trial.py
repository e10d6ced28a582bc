"""A stranger's file is first opened in a process that may use so much time and memory.

What this module cannot do: systems other than Linux do not keep a limit on memory, or cannot fork
safely. There the budgets of the readers themselves (`archives`, `as_data`, `numbers_within`) are
all there is.
"""

from __future__ import annotations

import multiprocessing
import sys
import warnings
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch

from safer_gym.conformance.orphans import end_with_parent

CPU_SECONDS = 60
WALL_SECONDS = 600.0
"""For what waits without computing, and on machines that are busy."""
MEMORY = 4 * 1024**3
"""Bytes beside those that this process has already."""
OUT_OF_MEMORY = "alloc"
"""In the words of torch ("can't allocate memory") and of onnxruntime ("bad allocation")."""


def tried(attempt: Callable[[], Any], what: str) -> None:
    """Run `attempt` in a forked process with limits; only whether it ends well comes back.

    Args:
        attempt: opens the file and acts once.
        what: the file, for messages.

    Raises:
        ValueError: it needs more time or memory than it may have, or it ended the process.
        Exception: what `attempt` raised.
    """
    if sys.platform != "linux":
        return
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe(duplex=False)
    child = context.Process(target=_limited, args=(theirs, attempt), daemon=True)
    with warnings.catch_warnings():
        # Python 3.12 warns of forks beside threads; the child uses none but its own.
        warnings.simplefilter("ignore", DeprecationWarning)
        child.start()
    theirs.close()
    try:
        error = ours.recv() if ours.poll(WALL_SECONDS) else None
    except EOFError:
        error = None
    else:
        if error is not None:
            child.join()
            _raise(*error)
            return
    finally:
        child.kill()
        child.join()
        ours.close()
    raise ValueError(
        f"{what} was given up: to open it and to act once takes more than {CPU_SECONDS} seconds or "
        f"{MEMORY // 1024**2} MiB, or ends the process"
    )


def act_once(policy: Any) -> None:
    """One action, where the policy says what it observes; that it may refuse is not asked here.

    Raises:
        MemoryError: there is not enough for it.
    """
    space = getattr(policy, "observation_space", None)
    obs = space.sample() if space is not None else getattr(policy, "blank", None)
    if obs is None:
        return
    try:
        policy.predict(obs, deterministic=True)
    except Exception as error:
        if OUT_OF_MEMORY in str(error):
            raise MemoryError from error


def _limited(pipe: Connection, attempt: Callable[[], Any]) -> None:
    import resource

    end_with_parent()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")  # they come again where the file is opened in earnest
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS + 1))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        attempt()
    except MemoryError:
        return
    except Exception as error:
        if OUT_OF_MEMORY not in str(error):
            pipe.send((type(error), str(error), vars(error)))
    else:
        pipe.send((None, "", {}))


def _raise(kind: type[Exception] | None, text: str, attributes: dict[str, Any]) -> None:
    """The same exception, without calling its constructor, which may take other arguments."""
    if kind is None:
        return
    error = kind.__new__(kind)
    error.args = (text,)
    vars(error).update(attributes)
    raise error

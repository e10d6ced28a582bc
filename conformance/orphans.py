"""Worker processes that end with the process that started them, however that one ended."""

from __future__ import annotations

import multiprocessing
import os
from multiprocessing.connection import wait
from threading import Thread


def end_with_parent() -> None:
    """Watch, from now on, for the end of the parent of this `multiprocessing` process.

    A parent that is killed, or ended by SIGTERM, cleans nothing up. Its end closes a pipe to
    which nothing is written; so this holds on every system, for forked and for spawned processes.
    """
    Thread(target=_wait, name="end_with_parent", daemon=True).start()


def _wait() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)

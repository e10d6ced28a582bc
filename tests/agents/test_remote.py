"""The other process: what comes back, and what ends it."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from safer_gym.agents.overlap.remote import Remote


class Toy:
    """Does what a test asks for, elsewhere."""

    def __init__(self, wanted: Callable[[], bool]) -> None:
        self.wanted = wanted

    def add(self, one: int, other: int = 1) -> int:
        return one + other

    def process(self) -> tuple[int, int]:
        return os.getpid(), os.getpgrp()

    def fail(self) -> None:
        raise LookupError("nothing here")

    def unpicklable(self) -> Any:
        return lambda: None

    def until_unwanted(self) -> str:
        while self.wanted():
            time.sleep(0.01)
        return "given up"

    def leave(self) -> None:
        os._exit(7)

    def close(self) -> None:
        pass


@pytest.fixture
def remote() -> Iterator[Remote]:
    remote = Remote(Toy)
    yield remote
    remote.close()


def ask(remote: Remote, method: str, *args: Any, **kwargs: Any) -> Any:
    remote.send(method, *args, **kwargs)
    return remote.receive()


def test_answers_errors_and_a_quiet_end(remote: Remote) -> None:
    assert ask(remote, "add", 1, other=2) == 3
    process, group = ask(remote, "process")
    assert process != os.getpid()
    assert group != os.getpgrp()  # SIGTERM to this one's group does not reach it
    with pytest.raises(RuntimeError, match=r"(?s)in fail.*LookupError: nothing here"):
        ask(remote, "fail")
    with pytest.raises(RuntimeError, match="pickle"):
        ask(remote, "unpicklable")
    remote.send("add", 5)  # its answer is not taken, as after Ctrl-C
    assert ask(remote, "add", 6) == 7
    remote.send("until_unwanted")
    os.kill(process, signal.SIGINT)
    assert remote._process.is_alive()
    remote.close()
    assert remote._process.exitcode == 0  # it gave up and closed; nobody had to end it
    with pytest.raises(RuntimeError, match=r"has ended \(exit code 0\)"):
        ask(remote, "add", 1)


def test_a_lost_process_is_told(remote: Remote) -> None:
    with pytest.raises(RuntimeError, match=r"has ended \(exit code 7\)"):
        ask(remote, "leave")
    with pytest.raises(RuntimeError, match=r"has ended \(exit code 7\)"):
        ask(remote, "add", 1)

"""What a broken contract looks like."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from safer_gym.wrappers.gate.global_streams import drawn_since, states


class ContractError(AssertionError):
    """A policy, an attack or an environment does not keep a promise that certificates rest on."""

    def __init__(self, clause: str, message: str) -> None:
        super().__init__(f"{clause}: {message}")
        self.clause = clause
        """Name of the broken clause."""


def require(holds: Any, clause: str, message: str) -> None:
    """Raise ContractError unless `holds`."""
    if not bool(holds):
        raise ContractError(clause, message)


@contextmanager
def global_randomness_untouched(clause: str, who: str) -> Iterator[None]:
    """Raise ContractError if the block draws from a global random generator."""
    before = states()
    yield
    for name in drawn_since(before):
        raise ContractError(clause, f"{who} drew from the global generator of {name}")


@contextmanager
def refusals_named(clause: str, doing: str) -> Iterator[None]:
    """Any error inside the block becomes a ContractError with its text."""
    try:
        yield
    except ContractError:
        raise
    except Exception as error:
        raise ContractError(clause, f"{doing} raised {type(error).__name__}: {error}") from error

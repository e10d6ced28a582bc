"""A second look at what a policy answered during its episodes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from safer_gym.types import Victim
from safer_gym.wrappers.gate.deployed import check_deployed
from safer_gym.wrappers.gate.memory import AGAIN, memory_error
from safer_gym.wrappers.gate.network import check_network
from safer_gym.wrappers.gate.questions import Questions, apart
from safer_gym.wrappers.policies.stochastic import EnclosedPolicy
from safer_gym.wrappers.policies.view import PolicyView

MOST = 1000
"""Observations that are compared."""


def check_repeats(victim: Victim, kept: Sequence[tuple[Tensor, Tensor]]) -> None:
    """Ask again what was asked in the episodes.

    Args:
        victim: who acted.
        kept: observations [B, *O] and the actions [B, A] that were taken there.

    Raises:
        ValueError: another answer than then.
    """
    for seen, done in kept:
        with torch.no_grad():
            again = victim.action(seen)
        if found := apart(done, again, AGAIN):
            raise memory_error(
                f"an observation of an episode is answered differently after it, by {found[1]:.3g}"
            )


def words_of(victim: Victim, rows: Tensor) -> Tensor:
    """What a policy says of rows: its actions, and how it draws [B, A']."""
    with torch.no_grad():
        parts = [victim.action(rows).clone()]
        if victim.distribution is not None:
            parts += [part.clone() for part in victim.distribution(rows).parameters.values()]
    return torch.cat([part.detach().flatten(1).to(parts[0]) for part in parts], dim=1)


def check_unchanged(victim: Victim, before: tuple[Tensor, Tensor] | None) -> None:
    """The policy is the one that it was before an attack was called.

    Args:
        victim: who acted.
        before: rows, and `words_of` them then; None where nobody acted.

    Raises:
        ValueError: another answer than then.
    """
    if before is not None and (found := apart(before[1], words_of(victim, before[0]), AGAIN)):
        raise ValueError(
            f"the policy answers an observation of before its episodes otherwise after them, by "
            f"{found[1]:.3g}: it learns or remembers, or an attack changed it"
        )


def check_visited(view: PolicyView, visited: Sequence[NDArray], network: Any = None) -> None:
    """Hold what is read of a policy against what it does, at observations that it was shown.

    Args:
        view: an admitted policy with Box observations.
        visited: batches of observations [B, *O].
        network: what bounds enclose, if anything.

    Raises:
        ValueError: they differ; says where and by how much.
    """
    rows = np.concatenate(list(visited)).astype(np.float32)
    rows = rows[:: max(1, -(-len(rows) // MOST))]
    questions = Questions.of(view)
    check_deployed(questions, rows)
    if isinstance(network, EnclosedPolicy):
        check_network(questions, network, rows)

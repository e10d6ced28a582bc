"""A second look at what a policy answered during its episodes."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from safer_gym.wrappers.gate.deployed import check_deployed
from safer_gym.wrappers.gate.memory import AGAIN, memory_error
from safer_gym.wrappers.gate.questions import Questions, apart
from safer_gym.wrappers.policies.view import PolicyView


def check_visited(view: PolicyView, kept: Sequence[tuple[Tensor, Tensor]]) -> None:
    """Ask again what was asked in the episodes, and hold it against what is deployed.

    Args:
        view: an admitted policy with Box observations.
        kept: observations [B, *O] and the actions [B, A] that were taken there.

    Raises:
        ValueError: another answer than then, or than `predict` gives.
    """
    questions = Questions.of(view)
    for seen, done in kept:
        with torch.no_grad():
            again = view.victim().action(seen)
        if found := apart(done, again, AGAIN):
            raise memory_error(
                f"an observation of an episode is answered differently after it, by {found[1]:.3g}"
            )
        check_deployed(questions, seen.cpu().numpy())

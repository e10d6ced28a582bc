"""One batched step of attack and policy, the same bit for bit whoever else is in the batch.

Episode i is in row i mod ROWS of its batch, and each step draws its random numbers from a stream
of its own. A batch has one size for ever, or one of several that give every row the same bits. So
an episode's actions depend on nothing but its own observations, its row and the step: not on how
many episodes run beside it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from safer_gym.balls import LpBall
from safer_gym.conformance.evaluate.batch_sizes import sizes_alike
from safer_gym.mlp import MlpAction
from safer_gym.types import Attack, Victim
from safer_gym.wrappers.gate.attack import gated
from safer_gym.wrappers.gate.finite import check_finite

ROWS = 25
"""A block of this many episodes shares its calls, and all batches have this size, if not less."""


Draw = Callable[[Tensor, torch.Generator], Tensor]
"""Observations [B, *O] and a source of noise to actions [B, A], drawn row by row in order."""

KEPT = (0, 20, 200)
"""Steps whose answers are kept, to be asked for again at the end."""
_ACTION_STREAM = 1
"""Keeps the policy's own noise apart from the attack's."""


class Actor(Protocol):
    """What the episode loop needs: observations in, actions out."""

    def act(
        self, obs: dict[int, NDArray], *, block: int, step: int
    ) -> dict[int, tuple[NDArray, NDArray]]:
        """Row to observation [O], to row to (what the policy saw [O], its action [A])."""
        ...


class AttackedPolicy:
    """Shows the victim tampered observations and returns its actions.

    Args:
        victim: who is deceived.
        attack: what moves the observations, inside `ball`; each result is checked.
        seed: of the attack's and of the policy's random numbers.
        draw: the stochastic policy; None lets the victim act by its deterministic action.
        fixed: the attack's random numbers at a step are the same in every block. With an attack
            whose draws the rows of a batch share this makes it one fixed adversary, and the
            episodes that meet it independent of each other.
    """

    def __init__(
        self,
        victim: Victim,
        attack: Attack,
        ball: LpBall,
        *,
        seed: int,
        device: str = "cpu",
        draw: Draw | None = None,
        fixed: bool = False,
    ) -> None:
        self.draw = draw
        self.fixed = fixed
        self.victim = victim
        self.attack = gated(attack)
        self.ball = ball
        self.seed = seed
        self.device = device
        self._sizes: tuple[int, ...] = ()
        self.kept: list[tuple[Tensor, Tensor]] = []
        """What was shown and done at the steps of `KEPT` [B, *O] and [B, A], for a later look."""

    def __str__(self) -> str:
        return f"the policy, or the attack {self.attack.name!r},"

    def act(
        self, obs: dict[int, NDArray], *, block: int, step: int
    ) -> dict[int, tuple[NDArray, NDArray]]:
        """Attack and answer all rows of `obs` at once.

        Raises:
            ValueError: an action that is not finite.
        """
        seen, actions, *_ = self._answer(self._padded(obs), block, step)
        if step in KEPT and self.draw is None and len(self.kept) < len(KEPT):
            self.kept.append((seen.clone(), actions.clone()))
        shown, done = seen.cpu().numpy(), actions.cpu().numpy()
        if not np.isfinite(done).all():
            for row in obs:
                where = f" in episode {block * ROWS + row}, step {step}"
                check_finite(done[row], f"{where}, at the observation {shown[row]!r}")
        return {row: (shown[row], done[row]) for row in obs}

    def _answer(self, clean: Tensor, block: int, step: int) -> tuple[Tensor, ...]:
        """What is shown, what is done, and what the attack thinks of it."""
        stream = (step,) if self.fixed else (block, step)
        result = self.attack(self.victim, clean, self.ball, self._generator(*stream))
        with torch.no_grad():
            return result.obs, self._actions(result.obs, block, step), *result[1:]

    def _padded(self, obs: dict[int, NDArray]) -> Tensor:
        filler = next(iter(obs.values()))
        if not self._sizes:
            self._sizes = self._choose_sizes(filler)
        size = next(size for size in self._sizes if size > max(obs))
        batch = np.array([obs.get(row, filler) for row in range(size)], dtype=np.float32)
        return torch.as_tensor(batch, device=self.device)

    def _choose_sizes(self, obs: NDArray) -> tuple[int, ...]:
        """Policies that are not known networks are not asked needlessly: they may be slow."""
        if not isinstance(self.victim.action, MlpAction):
            return (ROWS,)
        example = torch.nan_to_num(torch.as_tensor(obs, dtype=torch.float32, device=self.device))
        return sizes_alike(lambda rows: self._answer(rows, 0, 0), example) or (ROWS,)

    def _actions(self, seen: Tensor, block: int, step: int) -> Tensor:
        if self.draw is None:
            return self.victim.action(seen)
        # A draw's noise, and its products of matrices, are alike in batches of one size alone.
        missing = max(ROWS - len(seen), 0)
        filled = torch.cat([seen, seen[-1:].expand(missing, *seen.shape[1:])])[:ROWS]
        return self.draw(filled, self._generator(block, step, _ACTION_STREAM))[: len(seen)]

    def _generator(self, *stream: int) -> torch.Generator:
        words = np.random.SeedSequence([self.seed, *stream]).generate_state(2, np.uint32)
        word = (int(words[0]) << 31) ^ int(words[1])
        return torch.Generator(self.device).manual_seed(word)

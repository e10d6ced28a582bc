"""One batched step of attack and policy, the same bit for bit whoever else is in the batch.

The policy's memory is carried from step to step, of each row its own.

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

from safer_gym.attacks import traits_of
from safer_gym.balls import LpBall
from safer_gym.conformance.evaluate.batch_sizes import SIZES, sizes_alike
from safer_gym.conformance.evaluate.seat import OBSERVATION, Answer, Seat
from safer_gym.networks import MlpAction
from safer_gym.types import Attack, AttackResult, Victim
from safer_gym.wrappers.gate.attack import gated
from safer_gym.wrappers.gate.finite import check_finite
from safer_gym.wrappers.gate.visited import words_of

ROWS = 25
"""A block of this many episodes shares its calls, and all batches have this size, if not less."""
LARGEST = max(ROWS, *SIZES)
"""Of a batch."""


Draw = Callable[[Tensor, torch.Generator], Tensor]
"""Observations [B, *O] and a source of noise to actions [B, A], drawn row by row in order."""

KEPT = frozenset((0, *(2**power for power in range(12))))
"""Steps whose answers are kept, to be asked for again at the end; any episode has some of them."""
_ACTION_STREAM = 1
"""Keeps the policy's own noise apart from the attack's."""


Answered = tuple[NDArray, NDArray] | tuple[NDArray, NDArray, NDArray]
"""What a policy saw [O], its action [A], and the disturbance of the step [D] if there is one."""


class Actor(Protocol):
    """What the episode loop needs: observations in, actions out."""

    def act(self, obs: dict[int, NDArray], *, block: int, step: int) -> dict[int, Answered]:
        """Row to observation [O], to row to what the policy saw and did."""
        ...


class AttackedPolicy:
    """A policy under attack at every step.

    Args:
        victim: the policy under attack.
        attack: what moves the rows of the channel inside `ball`; each result is checked.
        ball: of rows.
        seed: of the attack's and of the policy's random numbers.
        draw: the stochastic policy; None lets the victim act by its deterministic action.
        fixed: the attack's random numbers at a step are the same in every block. With an attack
            whose draws the rows of a batch share this makes it one fixed adversary, and the
            episodes under it independent of each other.
        seat: where the adversary sits; by default it moves observations.
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
        seat: Seat = OBSERVATION,
    ) -> None:
        self.seat, self.view = seat, seat.rows.view(victim)
        self.draw = draw
        self.fixed, self.held = fixed, traits_of(attack).held
        self.victim = victim
        self.attack = gated(attack)
        self.ball = ball
        self.seed = seed
        self.device = device
        self._sizes: tuple[int, ...] = ()
        self._memory = victim.memory.begin(LARGEST).to(device)
        self.before: tuple[Tensor, Tensor] | None = None
        """Rows and what the policy says of them, before the attack was called."""
        self.asked: dict[int, tuple[Tensor, Tensor]] = {}
        """What was shown and done [B, *O], [B, A], by the steps of `KEPT` and, as -1, the last."""

    @property
    def kept(self) -> list[tuple[Tensor, Tensor]]:
        """What the policy was asked, for a later look."""
        return list(self.asked.values())

    def __str__(self) -> str:
        return f"the policy, or the attack {self.attack.name!r},"

    def act(self, obs: dict[int, NDArray], *, block: int, step: int) -> dict[int, Answered]:
        """Attack and answer all rows of `obs` at once.

        Raises:
            ValueError: an action that is not finite.
        """
        if self.before is None:
            self.before = self._first_words(obs)
        recall, clean = self.victim.memory, self._padded(obs)
        if step == 0:
            self._memory = recall.begin(LARGEST).to(clean)
        here = slice(len(clean))
        answer, own, _ = self._answer(recall.rows(clean, self._memory[here]), block, step)
        self._memory[here] = recall.after(answer.seen)
        if self.draw is None:
            self.asked[-1] = asked = answer.seen.clone(), own.clone()
            if step in KEPT:
                self.asked.setdefault(step, asked)
        answer = answer._replace(seen=recall.observed(answer.seen).view_as(clean))
        arrays = [part.cpu().numpy() for part in answer if part is not None]
        shown, done = arrays[:2]
        if not np.isfinite(done).all():
            for row in obs:
                where = f" in episode {block * ROWS + row}, step {step}"
                check_finite(done[row], f"{where}, at the observation {shown[row]!r}")
        return {row: tuple(array[row] for array in arrays) for row in obs}

    def _first_words(self, obs: dict[int, NDArray]) -> tuple[Tensor, Tensor]:
        clean = self._batch(obs, ROWS)
        rows = self.victim.memory.at_start(clean)
        return rows, words_of(self.victim, rows)

    def _answer(self, clean: Tensor, block: int, step: int) -> tuple[Answer, Tensor, AttackResult]:
        """What is seen and done, the policy's own action, and what the attack thinks of it."""

        def act(obs: Tensor) -> Tensor:
            return self._actions(obs, block, step)

        with torch.no_grad():
            turn = self.seat.begin(self.victim, clean, None if self.draw is None else act)
        stream = (() if self.fixed else (block,)) + (() if self.held else (step,))
        result = self.attack(self.view, turn.centre, self.ball, self._generator(*stream))
        with torch.no_grad():
            answer = self.seat.end(turn, result.obs, act)
        return answer, answer.action if turn.action is None else turn.action, result

    def _padded(self, obs: dict[int, NDArray]) -> Tensor:
        filler = next(iter(obs.values()))
        if not self._sizes:
            self._sizes = self._choose_sizes(filler)
        return self._batch(obs, next(size for size in self._sizes if size > max(obs)))

    def _batch(self, obs: dict[int, NDArray], size: int) -> Tensor:
        filler = next(iter(obs.values()))
        batch = np.array([obs.get(row, filler) for row in range(size)], dtype=np.float32)
        return torch.as_tensor(batch, device=self.device)

    def _choose_sizes(self, obs: NDArray) -> tuple[int, ...]:
        """Policies that are not known networks are not asked needlessly: they may be slow."""
        drawn_first = self.draw is not None and self.seat.channel != "observation"
        if drawn_first or not isinstance(self.victim.action, MlpAction):
            return (ROWS,)
        example = torch.nan_to_num(torch.as_tensor(obs, dtype=torch.float32, device=self.device))

        def answer(rows: Tensor) -> list[Tensor]:
            found, _, result = self._answer(rows, 0, 0)
            return [part for part in (*found, *result) if part is not None]

        return sizes_alike(answer, example) or (ROWS,)

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

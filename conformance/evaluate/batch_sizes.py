"""At which batch sizes a victim answers each row alike, bit for bit.

A matrix product may add up a row in another order when the batch has another size, so a result
that must not depend on its neighbours needs one size for ever, filled up with copies. Products of
multiples of eight rows mostly do treat each row alike; where a look at the machine says so, a
half-empty batch may be half as long.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

SIZES = (8, 16, 24, 32)

Answer = Callable[[Tensor], Sequence[Tensor]]
"""Observations [B, *O] to tensors with one row for each."""


def sizes_alike(answer: Answer, example: Tensor) -> tuple[int, ...]:
    """All of `SIZES` where each gives the same bits for the same rows, else none.

    Asked with random rows around `example` [*O]. The order of the additions does not depend on
    the data, and another order shows in the last bits of some of the many numbers of an answer.
    """
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(SIZES[-1], *example.shape, generator=generator)
    rows = example + noise.to(example)
    whole = answer(rows)
    for size in SIZES[:-1]:
        parts = answer(rows[:size])
        if not all(torch.equal(part, all_[:size]) for part, all_ in zip(parts, whole, strict=True)):
            return ()
    return SIZES

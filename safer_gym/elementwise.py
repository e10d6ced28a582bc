"""A number for each entry, added, subtracted, multiplied or divided by: as a torch module."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from safer_gym.choices import choose

OPERATIONS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "add": torch.add,
    "subtract": torch.sub,
    "multiply": torch.mul,
    "divide": torch.div,
}


class Elementwise(nn.Module):
    """x [B, n] to x + amount, x - amount, x * amount or x / amount.

    Args:
        operation: a key of OPERATIONS.
        amount: [n], or one number for all.
    """

    amount: Tensor

    def __init__(self, operation: str, amount: Tensor) -> None:
        super().__init__()
        choose("operation", operation, OPERATIONS)
        if amount.dim() > 1:
            raise ValueError(f"amount must be one number or [n]; got shape {tuple(amount.shape)}")
        self.operation = operation
        self.register_buffer("amount", amount)

    def forward(self, x: Tensor) -> Tensor:
        return OPERATIONS[self.operation](x, self.amount)

    def extra_repr(self) -> str:
        """What it does, for `repr`."""
        return self.operation

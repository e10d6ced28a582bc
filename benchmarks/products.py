"""The matrix products inside a piece of work: how many operations, and their time alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

_PLAIN = {"mm": torch.mm, "addmm": torch.mm, "bmm": torch.bmm, "baddbmm": torch.bmm}
_PLAIN |= {"mv": torch.mv, "addmv": torch.mv}

Factors = tuple[Callable[[Tensor, Tensor], Tensor], Tensor, Tensor]


class Products(TorchDispatchMode):
    """Records the factors of each matrix product that runs inside it, backward passes included.

    with Products() as products:
        work()
    products.flops, products.replay()
    """

    def __init__(self) -> None:
        super().__init__()
        self.factors: list[Factors] = []

    def __torch_dispatch__(
        self,
        func: Any,
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        name = func.overloadpacket.__name__
        if name in _PLAIN:
            first = 1 if name.startswith(("add", "badd")) else 0
            left, right = args[first : first + 2]
            # Copies that keep the layout: a transposed factor stays transposed.
            self.factors.append((_PLAIN[name], _copy(left), _copy(right)))
        return func(*args, **(kwargs or {}))

    @property
    def flops(self) -> int:
        """Multiplications and additions of all products."""
        return sum(2 * a.numel() * (b.shape[-1] if b.dim() > 1 else 1) for _, a, b in self.factors)

    def replay(self) -> None:
        """Only the products again, one after the other."""
        with torch.no_grad():
            for product, left, right in self.factors:
                product(left, right)


def _copy(factor: Tensor) -> Tensor:
    return torch.empty_like(factor.detach()).copy_(factor.detach())

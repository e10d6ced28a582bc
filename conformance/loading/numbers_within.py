"""A limit on the numbers of a network, kept while the network is made."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

FACTORIES = frozenset(
    {
        *(torch.empty, torch.zeros, torch.ones, torch.full, torch.rand, torch.randn),
        *(torch.arange, torch.linspace, torch.eye),
    }
)


class NumbersWithin(TorchFunctionMode):
    """`with NumbersWithin(n): make()`: a tensor is refused before there is memory for it.

    A file of a few bytes may describe a network of many gigabytes; its weights say how large an
    honest one is.

    Args:
        most: numbers in all tensors that are made inside the block.

    Raises:
        ValueError: there would be more.
    """

    def __init__(self, most: int) -> None:
        super().__init__()
        self.left = self.most = most

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        if func in FACTORIES:
            try:
                outline = func(*args, **{**kwargs, "device": "meta"})
            except (RuntimeError, OverflowError) as error:
                raise ValueError(f"a tensor that cannot be made: {error}") from error
            self.left -= math.prod(outline.shape)
            if self.left < 0:
                raise ValueError(
                    f"its options describe a network of more than {self.most} numbers, and its "
                    "weights are fewer"
                )
        return func(*args, **kwargs)

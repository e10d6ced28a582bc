"""A policy's state, whatever its form, as rows of numbers and back.

Axes: B batch, S numbers of a state.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils import _pytree as pytree

SMALL, LARGE = 2, 3
"""Batches whose states show along which axis the rows of a batch lie."""


class Leaf(NamedTuple):
    """One array of a state."""

    axis: int | None
    """Along which the rows of a batch lie; None: the state is of one row alone."""
    shape: tuple[int, ...]
    """Of one row."""
    dtype: Any
    is_tensor: bool

    def rows(self, value: Any) -> Tensor:
        """[B, numbers of the leaf]"""
        value = value if isinstance(value, Tensor) else torch.as_tensor(np.asarray(value))
        first = value.unsqueeze(0) if self.axis is None else value.movedim(self.axis, 0)
        return first.reshape(len(first), -1)

    def value(self, rows: Tensor) -> Any:
        """The inverse of `rows`."""
        value = rows.reshape(len(rows), *self.shape)
        value = value.squeeze(0) if self.axis is None else value.movedim(0, self.axis)
        value = value.to(self.dtype)
        return value.contiguous() if self.is_tensor else value.detach().cpu().numpy()


@dataclass(frozen=True)
class StateLayout:
    """The form of a state: its tree, and the arrays in it.

    Args:
        tree: the nested tuples, lists and dicts.
        leaves: its arrays in order.
    """

    tree: Any
    leaves: tuple[Leaf, ...]

    @classmethod
    def of(cls, ask: Callable[[int], Any]) -> StateLayout:
        """The form of the states that a policy returns.

        Args:
            ask: number of observations to the state after them.

        Raises:
            ValueError: a state that is not made of numbers.
        """
        small, tree = pytree.tree_flatten(ask(SMALL))
        large, _ = pytree.tree_flatten(ask(LARGE))
        axes = [_batch_axis(*pair) for pair in zip(small, large, strict=False)]
        if len(small) != len(large) or None in axes:
            small, tree = pytree.tree_flatten(ask(1))
            axes = [None] * len(small)
        return cls(tree, tuple(_leaf(*pair) for pair in zip(small, axes, strict=True)))

    @property
    def size(self) -> int:
        """S"""
        return sum(int(np.prod(leaf.shape)) for leaf in self.leaves)

    @property
    def is_batched(self) -> bool:
        """Whether one state holds the rows of a batch."""
        return all(leaf.axis is not None for leaf in self.leaves)

    def rows(self, state: Any) -> Tensor:
        """A state as rows [B, S].

        Raises:
            ValueError: another form than before.
        """
        values, tree = pytree.tree_flatten(state)
        found = [leaf.rows(value) for leaf, value in zip(self.leaves, values, strict=False)]
        sizes = [int(np.prod(leaf.shape)) for leaf in self.leaves]
        if tree != self.tree or [part.shape[1] for part in found] != sizes:
            raise ValueError(
                "the policy's state has another form at a later step; only states of one form can "
                "be carried from step to step"
            )
        return torch.cat([part.double() for part in found], dim=1)

    def state(self, rows: Tensor) -> Any:
        """The state of rows [B, S]."""
        pieces = rows.split([int(np.prod(leaf.shape)) for leaf in self.leaves], dim=1)
        values = [leaf.value(piece) for leaf, piece in zip(self.leaves, pieces, strict=True)]
        return pytree.tree_unflatten(values, self.tree)


def _batch_axis(small: Any, large: Any) -> int | None:
    shapes = np.shape(small), np.shape(large)
    if len(shapes[0]) != len(shapes[1]):
        return None
    differ = [axis for axis, pair in enumerate(zip(*shapes, strict=True)) if pair[0] != pair[1]]
    return differ[0] if [shape[axis] for axis in differ for shape in shapes] == [2, 3] else None


def _leaf(value: Any, axis: int | None) -> Leaf:
    array = torch.as_tensor(value) if isinstance(value, Tensor) else np.asarray(value)
    if not isinstance(array, Tensor) and array.dtype.kind not in "fiub":
        raise ValueError(
            f"the policy's state holds a {type(value).__name__}, which is no number: such a memory "
            "cannot be carried from step to step"
        )
    shape = list(array.shape)
    if axis is not None:
        del shape[axis]
    dtype = array.dtype if isinstance(array, Tensor) else torch.as_tensor(array).dtype
    return Leaf(axis, tuple(shape), dtype, isinstance(value, Tensor))

"""The networks of `safer_gym.mlp` for a few rows at a time, multiplied by NumPy in small blocks.

OpenBLAS multiplies a matrix with a few columns as it lies, on the calling thread: a third faster
than torch does for 16 rows, and each call costs less. Every block is a product of its own, so the
bits of a row do not depend on how many others there are.

Shapes: K members, n blocks, b columns of a block, which are rows of the batch [B], filled up with
zeros; I inputs and O outputs of a layer. Activations are [K, n, units, b].
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from functools import cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from safer_gym.mlp import Layer, MlpAction, MlpCritic

BLOCK = 4
"""Rows of a block; fewer only where a batch has fewer."""
_MOST_ROWS = 64
"""Larger batches gain little, and torch can use several threads for them."""
_SMALL = 10**6
"""Multiplications of a product up to which OpenBLAS neither packs nor starts threads."""


def block_size(rows: Tensor, *networks: Sequence[Layer]) -> int:
    """How wide the blocks are for a batch [B, I] and networks like these; 0: torch is to be used.

    Torch is faster elsewhere, and it is left to networks without a hidden layer. The choice depends
    on the machine and on sizes, never on a clock: the same run has the same bits.
    """
    size = min(BLOCK, rows.shape[0])
    weights = [layer.weight for layers in networks for layer in layers]
    linear = any(len(layers) < 2 for layers in networks)
    if linear or rows.shape[0] > _MOST_ROWS or not _fast_when_small():
        return 0
    fits = all(size * w.shape[-1] * w.shape[-2] <= _SMALL for w in weights)
    return size if fits and all(_in_numpy(tensor) for tensor in (rows, *weights)) else 0


def _in_numpy(tensor: Tensor) -> bool:
    return tensor.device.type == "cpu" and tensor.dtype in (torch.float32, torch.float64)


@cache
def _fast_when_small() -> bool:
    """Whether NumPy's library multiplies small matrices without packing them first."""
    built: dict[str, Any] = getattr(np.__config__, "CONFIG", {}).get("Build Dependencies", {})
    with_openblas = "openblas" in built.get("blas", {}).get("name", "")
    return with_openblas and torch.backends.cpu.get_cpu_capability() == "AVX512"


class BlockChain:
    """`Chain` in blocks. Weights are views; biases are copied: make one for each attack."""

    def __init__(self, layers: Sequence[Layer], activation: str, size: int) -> None:
        weights = [layer.weight.numpy() for layer in layers]
        weights = [w if w.ndim == 3 else w[None] for w in weights]
        self.turned = [w[:, None] for w in weights]
        self.weights = [turned.swapaxes(-1, -2) for turned in self.turned]
        # Wide in memory: sums with short rows that repeat are slow.
        columns = [layer.bias.numpy().reshape(len(weights[0]), 1, -1, 1) for layer in layers]
        self.biases = [column.repeat(size, axis=-1) for column in columns]
        self.of_last = self.turned[-1][..., :1].repeat(size, axis=-1)
        self.relu, self.size, self.dtype = activation == "relu", size, weights[0].dtype

    def blocks(self, rows: Tensor) -> NDArray:
        """A batch [B, I] as [n, I, b]."""
        array = rows.numpy().astype(self.dtype, copy=False)
        if missing := -len(array) % self.size:
            array = np.concatenate([array, np.zeros((missing, array.shape[1]), self.dtype)])
        return array.reshape(-1, self.size, array.shape[1]).swapaxes(-1, -2)

    def forward(self, first: NDArray) -> tuple[NDArray, list[NDArray]]:
        """The output from the first layer's sums, which are overwritten; slopes of all hidden."""
        slopes, sums = [], first
        for weight, bias in zip(self.weights[1:], self.biases[1:], strict=True):
            if self.relu:
                # Numbers, not truth values: products with those are slow.
                slopes.append((sums > 0).astype(self.dtype))
                sums *= slopes[-1]
            else:
                np.tanh(sums, out=sums)
                slopes.append(1 - sums * sums)
            sums = np.matmul(weight, sums)
            sums += bias
        return sums, slopes

    def back(self, upstream: NDArray | None, slopes: Sequence[NDArray]) -> NDArray:
        """Gradient by the first layer's sums from that by the output; None: ones for one output."""
        for turned, slope in zip(self.turned[:0:-1], slopes[::-1], strict=True):
            pulled = self.of_last if upstream is None else np.matmul(turned, upstream)
            upstream = pulled * slope
        assert upstream is not None, "two layers at least"
        return upstream


class BlockAction:
    """`MlpAction` in blocks: unit actions are [1, n, A, b] here."""

    def __init__(self, action: MlpAction, size: int) -> None:
        self.chain = BlockChain(action.layers, action.activation, size)

    def unit(self, obs: Tensor) -> NDArray:
        """Unit actions at `obs` [B, O]."""
        return self._forward(obs)[0]

    def pull(self, obs: Tensor) -> tuple[NDArray, Any]:
        """Unit actions at `obs` [B, O], and their pull-back, to a gradient [B, O]."""
        unit, slopes = self._forward(obs)

        def pull(upstream: NDArray) -> Tensor:
            by_output = upstream * (1 - unit * unit)
            (by_obs,) = np.matmul(self.chain.turned[0], self.chain.back(by_output, slopes))
            rows = by_obs.swapaxes(-1, -2).reshape(-1, obs.shape[1])[: obs.shape[0]]
            found = torch.from_numpy(rows)
            return found if found.dtype == obs.dtype else found.to(obs.dtype)

        return unit, pull

    def _forward(self, obs: Tensor) -> tuple[NDArray, list[NDArray]]:
        first = np.matmul(self.chain.weights[0], self.chain.blocks(obs))
        first += self.chain.biases[0]
        output, slopes = self.chain.forward(first)
        return np.tanh(output, out=output), slopes


class BlockCritic:
    """`CriticAt` in blocks."""

    def __init__(self, critic: MlpCritic, obs: Tensor, size: int) -> None:
        self.critic, self.n_rows = critic, obs.shape[0]
        self.chain = chain = BlockChain(critic.layers, critic.activation, size)
        first, width = chain.weights[0], obs.shape[1]
        self.of_states = np.matmul(first[..., :width], chain.blocks(obs))
        self.of_states += chain.biases[0]
        self.by_action = first[..., width:]
        self.turned = self.by_action.swapaxes(-1, -2)

    def rows(self, index: Tensor) -> BlockCritic:
        """The critic at some of its observations; `index` [m], whole blocks of them."""
        part, size = copy(self), self.chain.size
        k, _, width, _ = self.of_states.shape
        by_row = self.of_states.swapaxes(-1, -2).reshape(k, -1, width)[:, index.numpy()]
        part.of_states = np.ascontiguousarray(by_row.reshape(k, -1, size, width).swapaxes(-1, -2))
        part.n_rows = index.shape[0]
        return part

    def value(self, unit: NDArray) -> Tensor:
        """Values [B] of unit actions."""
        return self._values(self._forward(unit)[0])[0]

    def slope(self, unit: NDArray) -> tuple[Tensor, NDArray]:
        """Values [B] of unit actions, and their gradients by them, as blocks too."""
        output, slopes = self._forward(unit)
        by_unit = np.matmul(self.turned, self.chain.back(None, slopes))
        result, share = self._values(output)
        if share is not None:
            by_unit = (share * by_unit).sum(0, keepdims=True)
        return result, by_unit

    def _values(self, output: NDArray) -> tuple[Tensor, NDArray | None]:
        """Values [B], and each member's share of their slope; None: all of it, for one."""
        if len(output) == 1:
            return torch.from_numpy(output.reshape(-1)[: self.n_rows]), None
        result, share = self.critic.aggregate(torch.from_numpy(output.reshape(len(output), -1)))
        return result[: self.n_rows], share.numpy().reshape(output.shape)

    def _forward(self, unit: NDArray) -> tuple[NDArray, list[NDArray]]:
        first = np.matmul(self.by_action, unit)
        first += self.of_states
        return self.chain.forward(first)

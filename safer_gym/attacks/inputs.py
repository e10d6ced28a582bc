"""What every attack checks at its border, and small shape helpers."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from safer_gym.attacks.analytic import AnalyticScore
from safer_gym.attacks.objectives import Score


def prepare(obs: Tensor) -> Tensor:
    """A private copy of a batch of observations [B, *O] that an attack may work with.

    Raises:
        TypeError: unless `obs` is a floating point tensor.
        ValueError: without a batch axis, or with NaN or infinite entries.
    """
    if not isinstance(obs, Tensor) or not obs.is_floating_point():
        got = obs.dtype if isinstance(obs, Tensor) else type(obs).__name__
        raise TypeError(f"obs must be a floating point tensor; got {got}")
    if obs.dim() < 2:
        raise ValueError(f"obs must be a batch [B, ...]; got shape {tuple(obs.shape)}")
    copy = obs.detach().clone()
    # A finite sum has finite terms; another one may have overflowed.
    if not math.isfinite(copy.sum()) and not bool((finite := torch.isfinite(copy)).all()):
        row = int((~finite).flatten(1).any(1).nonzero()[0])
        raise ValueError(f"obs must be finite; row {row} holds NaN or infinity")
    return copy


def checked_scores(score: Score, obs: Tensor) -> Score:
    """`score`, refusing results that are not one number for each row."""
    if isinstance(score, AnalyticScore):
        return score

    def checked(points: Tensor) -> Tensor:
        values = score(points)
        if values.shape != points.shape[:1]:
            raise ValueError(
                f"the objective must be one number for each observation, shape "
                f"{tuple(obs.shape[:1])}; got {tuple(values.shape)}: critics return [B], not [B, 1]"
            )
        return values

    return checked


def quiet_generator(generator: torch.Generator | None) -> torch.Generator:
    """The caller's generator, or a fresh one with a fixed seed; never the global one."""
    return generator if generator is not None else torch.Generator().manual_seed(0)


def uniform(shape: Sequence[int], generator: torch.Generator) -> Tensor:
    """Draws in [0, 1), the same for every dtype of what they are added to."""
    return torch.rand(
        tuple(shape), dtype=torch.float64, generator=generator, device=generator.device
    )


def draw_seed(generator: torch.Generator | None) -> int:
    """One number from the generator, to seed streams of an attack's own."""
    if generator is None:
        return 0
    return int(torch.randint(2**31, (), generator=generator, device=generator.device))


def as_rows(values: Tensor, like: Tensor) -> Tensor:
    """Values [B] shaped to broadcast against `like` [B, ...]."""
    return values.view(-1, *[1] * (like.dim() - 1))

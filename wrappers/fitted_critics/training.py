"""Fits critics to transitions of a policy, and says how good they are.

Axes: K signals (reward, cost), N transitions, I network inputs (observation and action).
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from safer_gym.progress import Told
from safer_gym.types import ActionFn
from safer_gym.wrappers.fitted_critics.fqe import (
    QPair,
    constant_error,
    returns_with_tails,
    td_targets,
)
from safer_gym.wrappers.fitted_critics.rollouts import Transitions

TAU = 0.05
"""Share of the networks that the target copy takes over at each update."""

SHIFT_EVERY = 500
"""Updates between two corrections of the constant part of the error."""


class Diagnostics(NamedTuple):
    """How far to trust critics, measured on fresh episodes without exploration."""

    td_error_reward: float
    """Root mean square TD error over the spread of Q; small is good, 1 is useless."""
    td_error_cost: float
    correlation_reward: float
    """Correlation of Q with the discounted sums that followed; NaN if these do not vary."""
    correlation_cost: float
    cost_rate: float
    """Mean cost of a step in the training data; 0 says that Q_c has learned nothing."""


class Batch(NamedTuple):
    """Transitions without their order."""

    inputs: Tensor
    """Observation and action, [N, I]."""
    next_inputs: Tensor
    """Next observation and the policy's action there, [N, I]."""
    signals: Tensor
    """[K, N]"""
    terminated: Tensor
    """[N]"""
    returns: Tensor
    """Discounted sums that followed, [K, N]."""


def as_batch(data: Transitions, acting: ActionFn, gamma: float) -> Batch:
    """Transitions with what the policy would do next."""
    obs, next_obs = data.obs.flatten(0, 1), data.next_obs.flatten(0, 1)
    with torch.no_grad():
        following = torch.cat([acting(part) for part in next_obs.split(1024)])
    returns = returns_with_tails(data.signals, data.terminated, data.done, gamma)
    return Batch(
        network_inputs(obs, data.actions.flatten(0, 1)),
        network_inputs(next_obs, following),
        data.signals.flatten(1),
        data.terminated.flatten(),
        returns.flatten(1),
    )


def network_inputs(obs: Any, actions: Tensor) -> Tensor:
    """Observations (a tensor [N, *O] or a dict of them) and actions side by side, [N, I]."""
    parts = [*obs.values(), actions] if isinstance(obs, dict) else [obs, actions]
    return torch.cat([part.float().reshape(len(actions), -1) for part in parts], dim=1)


def fit(
    batch: Batch,
    *,
    gamma: float,
    hidden: Sequence[int],
    updates: int,
    batch_size: int,
    learning_rate: float,
    seed: int,
    progress: Told | None = None,
) -> QPair:
    """Both critics: fitted to observed sums first, then to TD targets of a slowly moving copy."""
    generator = torch.Generator().manual_seed(seed)
    pair = QPair(batch.inputs, batch.returns, hidden, generator)
    target, warm = copy.deepcopy(pair), updates // 4
    optimiser = torch.optim.Adam(pair.net.parameters(), lr=learning_rate)
    decay = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, updates, learning_rate / 50)
    for k in range(updates):
        rows = torch.randint(len(batch.inputs), (batch_size,), generator=generator)
        wanted = batch.returns[:, rows] if k < warm else _targets(target, batch, gamma, rows)
        loss = (((pair(batch.inputs[rows]) - wanted) / pair.scale) ** 2).mean(1).sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        decay.step()
        _follow(target, pair, 1.0 if k < warm else TAU)
        if k >= warm and ((k - warm) % SHIFT_EVERY == 0 or k + 1 == updates):
            _shift(pair, batch, gamma)
            _shift(target, batch, gamma)
        if progress is not None and (k % 100 == 0 or k + 1 == updates):
            progress("learning critics", (k + 1) / updates)
    return pair.requires_grad_(False)


@torch.no_grad()
def diagnose(pair: QPair, fresh: Batch, gamma: float, cost_rate: float) -> Diagnostics:
    """Hold critics against transitions that they have not seen."""
    values = pair(fresh.inputs)
    errors = _targets(pair, fresh, gamma, slice(None)) - values
    relative = errors.square().mean(1).sqrt() / values.std(1).clamp(min=1e-9)
    correlation = [_correlation(q, g) for q, g in zip(values, fresh.returns, strict=True)]
    return Diagnostics(
        float(relative[0]), float(relative[1]), correlation[0], correlation[1], cost_rate
    )


@torch.no_grad()
def _targets(q: QPair, batch: Batch, gamma: float, rows: Any) -> Tensor:
    following = q(batch.next_inputs[rows])
    return td_targets(batch.signals[:, rows], following, batch.terminated[rows], gamma)


@torch.no_grad()
def _shift(q: QPair, batch: Batch, gamma: float) -> None:
    """Take the constant part of the error out. All data: its noise grows by 1 / (1 - gamma)."""
    errors = _targets(q, batch, gamma, slice(None)) - q(batch.inputs)
    q.mean += constant_error(errors, batch.terminated, gamma)


@torch.no_grad()
def _follow(target: QPair, pair: QPair, tau: float) -> None:
    for old, new in zip(target.net.parameters(), pair.net.parameters(), strict=True):
        old.lerp_(new, tau)


def _correlation(a: Tensor, b: Tensor) -> float:
    if float(a.std()) < 1e-9 or float(b.std()) < 1e-9:
        return math.nan
    return float(torch.corrcoef(torch.stack([a, b]))[0, 1])

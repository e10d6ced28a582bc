"""Batches of replay buffers that keep no costs (hindsight replay)."""

from __future__ import annotations

import warnings
from typing import Any

import torch

from safer_gym.agents.data.buffers import CostSamples


def with_zero_cost(data: Any, gamma: float) -> CostSamples:
    """One-step transitions of Stable-Baselines3 as transitions that cost nothing."""
    return CostSamples(
        data.observations,
        data.actions,
        data.next_observations,
        data.dones,
        data.rewards,
        torch.full_like(data.rewards, gamma),
        torch.zeros_like(data.rewards),
    )


def warn_of_zero_cost(buffer: Any) -> None:
    """Say once what a buffer without costs means for the agent."""
    warnings.warn(
        f"{type(buffer).__name__} keeps no costs: every cost counts as zero, and returns are "
        "one-step.",
        stacklevel=3,
    )

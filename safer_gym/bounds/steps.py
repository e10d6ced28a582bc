"""What an adversary can do to the policy's draw at each step of an episode."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor


class Steps(NamedTuple):
    """Bounds that hold for every observation in the ball.

    The first column of an episode's budget depends on the policy's noise: squared mean shifts where
    it is Gaussian and constant, else Renyi divergences, one for each order.
    """

    divergences: Tensor
    """[T, orders]"""
    tv: Tensor
    """Total variation between attacked and benign action, [T]."""


def shifted(shift: Tensor) -> Steps:
    """Gaussians of equal covariance whose means are `shift` deviations apart [T]."""
    return Steps(shift.square().unsqueeze(-1), torch.erf(shift / math.sqrt(8)))

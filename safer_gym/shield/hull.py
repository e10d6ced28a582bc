"""The box around a polytope."""

from __future__ import annotations

import torch
from scipy.optimize import linprog
from torch import Tensor

from safer_gym.shield.box import Box


def hull_of(rows: Tensor, limits: Tensor) -> Box | str:
    """A box [1, K] around rows z <= limits [R, K], [R], or why there is none.

    Each end comes from a linear program. Its multipliers l >= 0 give s z_k <= l q + r z with what
    they leave over, r. Where |r|_1 < 1 for all ends the set has no direction without end, and
    |z| <= max l q / (1 - |r|_1): so a small r is made up for by a slack.
    """
    eye = torch.eye(rows.shape[1], dtype=torch.float64)
    ends, left = [], 0.0
    for sign in (-1.0, 1.0):
        for direction in sign * eye:
            solved = linprog(
                -direction.numpy(),
                A_ub=rows.numpy(),
                b_ub=limits.numpy(),
                bounds=[(None, None)] * len(eye),
                method="highs",
            )
            if solved.status != 0:
                return "empty" if solved.status == 2 else "unbounded"
            weights = torch.as_tensor(-solved.ineqlin.marginals).clamp(min=0)
            left = max(left, float((direction - weights @ rows).abs().sum()))
            ends.append(sign * float(weights @ limits))
    low, high = torch.tensor(ends, dtype=torch.float64).reshape(2, -1)
    slack = 1e-6 * (1 + float(torch.maximum(low.abs(), high.abs()).max()))
    if left > 1e-7:
        return "too ill-posed to be enclosed"
    if bool((low > high).any()):
        return "empty"
    return Box((low - slack)[None], (high + slack)[None])

"""The states from which a backup keeps h >= 0: rows of a polytope.

A facet g z <= b under a constant backup: after n steps g z_n is at most
g A^n z + sum_{k<n} (g A^k (B u + c) + max_w g A^k w), so that each n gives one row (the maximal
output admissible set of Gilbert and Tan 1991, for additive errors). `prove` checks what comes out.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from scipy.optimize import linprog
from torch import Tensor

from safer_gym.shield.mode import Backup, Mode

TIGHTER = 1e-5
"""Of each step's limit: room for the rounding that `prove` and the filter allow for."""
SPARE = 2
"""Rows that say nothing new, kept so that a bound by one row alone is tight at the corners."""
STEPS = 200
"""Most rows of a facet."""


def safe_rows(
    facets: Tensor, bounds: Tensor, backups: Sequence[Backup], *, steps: int = STEPS
) -> tuple[Tensor, Tensor]:
    """Rows [R, K] and limits [R] of the safe set; the facets themselves come first.

    Args:
        facets, bounds: h as rows g z <= b [F, K], [F].
        backups: the one that keeps each facet [F].
        steps: most rows of a facet.

    Raises:
        ValueError: a backup under which its facet's rows have no end.
    """
    rows, limits = [*facets], [*bounds]
    for facet, bound, backup in zip(facets, bounds, backups, strict=True):
        row, limit = facet, bound
        spare = SPARE
        for _ in range(steps):
            row, limit = _before(row, limit, backup)
            if implied(row, limit, rows, limits):
                spare -= 1
                if spare < 0 or torch.equal(row, rows[-1]):
                    break
            rows.append(row)
            limits.append(limit)
        else:
            raise ValueError(
                f"the backup {backup.action.tolist()} does not keep the facet {facet.tolist()} "
                f"within {steps} steps: it is too weak for the errors of the model"
            )
    return torch.stack(rows), torch.stack(limits)


def _before(row: Tensor, limit: Tensor, backup: Backup) -> tuple[Tensor, Tensor]:
    """The row of the state one step earlier."""
    mode: Mode = backup.mode
    ahead = row @ (mode.B @ backup.action + mode.c) + mode.most(row[None])[0]
    return row @ mode.A, limit - ahead - TIGHTER * (1 + limit.abs())


def implied(row: Tensor, limit: Tensor, rows: list[Tensor], limits: list[Tensor]) -> bool:
    """Whether the rows so far say more than this one.

    Raises:
        ValueError: they hold nothing.
    """
    matrix, ends = torch.stack(rows).numpy(), torch.stack(limits).numpy()
    if float(row.abs().max()) < 1e-12:
        return float(limit) >= 0
    ends_of = [(None, None)] * len(row)
    found = linprog(-row.numpy(), A_ub=matrix, b_ub=ends, bounds=ends_of, method="highs")
    if found.status == 2:
        raise ValueError("the safe set is empty: the backup cannot hold h against these errors")
    return found.status == 0 and bool(np.less_equal(-found.fun, float(limit) + 1e-9))

"""Exact Euclidean projections of non-negative vectors onto weighted balls with caps.

Every function solves, row by row,

    minimise ||d - u||_2  subject to  0 <= d <= cap,  ||w * d||_p <= radius

for u >= 0, 0 <= cap <= u, w >= 0, all [B, D], and radius > 0 a number. Signs and offsets are the
caller's business: a ball is symmetric, so each coordinate keeps its sign. Rows that are inside
come back as `cap`. Work in float64: the caller rounds.
"""

from __future__ import annotations

import torch
from torch import Tensor

_BISECTIONS = 80


def project_l1(u: Tensor, cap: Tensor, w: Tensor, radius: float) -> Tensor:
    """Weighted l1 ball: d = clip(u - t w, 0, cap), the threshold t found by sorting.

    The weighted norm of d(t) is piecewise linear in t. It starts to fall where a coordinate
    leaves its cap and stops where the coordinate reaches zero: 2 D breakpoints.
    """
    safe_w = torch.where(w > 0, w, 1.0)
    begins, ends = (u - cap) / safe_w, u / safe_w
    square = torch.where(cap > 0, w * w, 0.0)
    points, order = torch.cat([begins, ends], dim=1).sort(dim=1)
    slopes = torch.cat([-square, square], dim=1).gather(1, order).cumsum(1)
    drops = slopes[:, :-1] * points.diff(dim=1)
    total = (w * cap).sum(1, keepdim=True)
    norms = torch.cat([total, total + drops.cumsum(1)], dim=1)
    last_above = ((norms >= radius).sum(1, keepdim=True) - 1).clamp(min=0)
    slope = slopes.gather(1, last_above)
    step = (radius - norms.gather(1, last_above)) / torch.where(slope < 0, slope, -1.0)
    threshold = points.gather(1, last_above) + step.clamp(min=0)
    shrunk = torch.minimum((u - threshold * w).clamp(min=0), cap)
    return torch.where(total > radius, shrunk, cap)


def project_l2(u: Tensor, cap: Tensor, radius: float) -> Tensor:
    """Round l2 ball (w = 1): d = min(t u, cap), the scale t in [0, 1] found by sorting.

    Between two breakpoints cap/u the squared norm is fixed^2 + t^2 free^2.
    """
    if torch.equal(cap, u):
        length = u.norm(dim=1, keepdim=True)
        return torch.where(length > radius, u * (radius / length), u)
    breaks, order = torch.where(u > 0, cap / torch.where(u > 0, u, 1.0), 1.0).sort(dim=1)
    fixed = (cap * cap).gather(1, order).cumsum(1)
    free_all = (u * u).gather(1, order)
    free = free_all.flip(1).cumsum(1).flip(1)
    fixed_before = torch.cat([torch.zeros_like(fixed[:, :1]), fixed[:, :-1]], dim=1)
    norms = fixed_before + breaks * breaks * free
    first = (norms < radius * radius).sum(1, keepdim=True).clamp(max=u.shape[1] - 1)
    left = (radius * radius - fixed_before.gather(1, first)).clamp(min=0)
    rest = free.gather(1, first)
    scale = (left / torch.where(rest > 0, rest, 1.0)).sqrt()
    outside = fixed[:, -1:] > radius * radius
    return torch.where(outside, torch.minimum(scale * u, cap), cap)


def project_ellipsoid(u: Tensor, cap: Tensor, w: Tensor, radius: float) -> Tensor:
    """Weighted l2 ball: d = min(u / (1 + t w^2), cap), the multiplier t by bisection.

    The norm falls as t grows, and ||w d|| <= ||u / w|| / t gives the upper end of the bracket.
    """
    square = w * w

    def candidate(multiplier: Tensor) -> Tensor:
        return torch.minimum(u / (1 + multiplier * square), cap)

    def norm(d: Tensor) -> Tensor:
        return (w * d).norm(dim=1, keepdim=True)

    inverse = torch.where(w > 0, u / torch.where(w > 0, w, 1.0), 0.0)
    high = inverse.norm(dim=1, keepdim=True) / radius
    low = torch.zeros_like(high)
    for _ in range(_BISECTIONS):
        middle = 0.5 * (low + high)
        outside = norm(candidate(middle)) > radius
        low, high = torch.where(outside, middle, low), torch.where(outside, high, middle)
    return torch.where(norm(cap) > radius, candidate(high), cap)

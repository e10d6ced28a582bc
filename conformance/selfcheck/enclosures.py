"""The image of a box under an affine map, corner by corner."""

from __future__ import annotations

from collections.abc import Callable

import torch

from safer_gym.bounds import Affine, Enclosure
from safer_gym.bounds.interval import interval_step
from safer_gym.conformance.selfcheck.check import Check, refute_unless


def _interval_law(step: Callable[[Affine, Enclosure], Enclosure]) -> str:
    """The exact image of a box under an affine map."""
    generator = torch.Generator().manual_seed(0)
    layer = Affine(
        torch.randn(3, 5, dtype=torch.float64, generator=generator),
        torch.randn(3, dtype=torch.float64, generator=generator),
    )
    ends = torch.randn(2, 20, 5, dtype=torch.float64, generator=generator)
    box = Enclosure(ends.amin(0), ends.amax(0))
    lower, upper = step(layer, box)
    corners = torch.cartesian_prod(*[torch.tensor([False, True])] * 5)
    images = [layer.weight @ torch.where(c, box.upper, box.lower)[..., None] for c in corners]
    values = torch.stack(images)[..., 0] + layer.bias
    error = torch.maximum((values.amin(0) - lower).abs(), (values.amax(0) - upper).abs()).max()
    refute_unless(error <= 1e-9, f"differs from the image of the corners by {error:.2g}")
    return "the image of all corners, to 1e-9"


INTERVALS = Check(
    "enclosures",
    "intervals",
    "the image of a box under an affine map",
    _interval_law,
    interval_step,
)
CHECKS = (INTERVALS,)

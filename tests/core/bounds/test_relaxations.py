"""The two lines of an activation hold it between them, and touch it."""

from __future__ import annotations

import pytest
import torch
from core.bounds.nets import ACTIVATIONS, LEAKY, RELU, TANH
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from safer_gym.bounds import Activation, Enclosure
from safer_gym.bounds.relaxations import Relaxation, relax, widened


def intervals(seed: int) -> Enclosure:
    """Many intervals: short, long, on each side of zero and across it, some points."""
    generator = torch.Generator().manual_seed(seed)
    middle, size = torch.randn(2, 400, dtype=torch.float64, generator=generator)
    exponent = torch.randint(-9, 3, (400,), generator=generator)
    half = size.abs() * 10.0**exponent
    half[:20] = 0.0
    middle = middle * 10.0 ** torch.randint(-3, 2, (400,), generator=generator)
    return Enclosure((middle - half)[None], (middle + half)[None])


def grid(box: Enclosure, n: int = 400) -> Tensor:
    """Points [n, 1, O] from one end of each interval to the other."""
    share = torch.linspace(0, 1, n, dtype=torch.float64).view(-1, 1, 1)
    return torch.clamp(box.lower + share * (box.upper - box.lower), box.lower, box.upper)


def between(lines: Relaxation, activation: Activation, box: Enclosure) -> bool:
    x = grid(box)
    value = activation(x)
    below = lines.lower_slope * x + lines.lower_offset
    above = lines.upper_slope * x + lines.upper_offset
    return bool(((below <= value) & (value <= above)).all())


@given(st.integers(0, 10_000), st.sampled_from(ACTIVATIONS))
def test_lines_hold_the_function_between_them(seed: int, activation: Activation) -> None:
    box = intervals(seed)
    lines = relax(activation, box)
    assert between(lines, activation, box)
    for slope in (lines.least_slope, lines.most_slope):
        assert between(lines._replace(lower_slope=slope), activation, box)
    assert all((slope >= 0).all() and (slope <= 1).all() for slope in (lines[0], lines[2]))


@given(st.integers(0, 10_000), st.sampled_from(ACTIVATIONS))
def test_lines_touch_the_function(seed: int, activation: Activation) -> None:
    box = intervals(seed)
    lines, x = relax(activation, box), grid(box)
    width = box.upper - box.lower
    above = (lines.upper_slope * x + lines.upper_offset - activation(x)).amin(0)
    below = (activation(x) - lines.lower_slope * x - lines.lower_offset).amin(0)
    assert (above <= 1e-4 * width + 1e-12).all()
    assert (below <= 1e-4 * width + 1e-12).all()


@given(st.integers(0, 1000), st.sampled_from(ACTIVATIONS))
def test_widened_lines_hold_the_computed_function(seed: int, activation: Activation) -> None:
    box, before, after = intervals(seed), 0.01, 0.003
    # A little less than promised: sums of these numbers are rounded.
    lines = widened(
        relax(activation, box), *torch.tensor([before, after], dtype=torch.float64) * (1 + 1e-9)
    )
    computed = grid(box)
    for push, miss in ((before, after), (-before, -after), (before, -after), (-before, after)):
        ideal, value = computed + push, activation(computed) + miss
        assert (lines.lower_slope * ideal + lines.lower_offset <= value).all()
        assert (value <= lines.upper_slope * ideal + lines.upper_offset).all()


def _chord_above(lines: Relaxation, activation: Activation, box: Enclosure) -> Relaxation:
    """Tanh as if it were convex."""
    at_low, at_high = activation(box.lower), activation(box.upper)
    slope = (at_high - at_low) / (box.upper - box.lower)
    return lines._replace(upper_slope=slope, upper_offset=at_low - slope * box.lower)


def _tangent_in_the_middle(lines: Relaxation, activation: Activation, box: Enclosure) -> Relaxation:
    middle = (box.lower + box.upper) / 2
    slope = 1 - torch.tanh(middle) ** 2
    return lines._replace(upper_slope=slope, upper_offset=torch.tanh(middle) - slope * middle)


def _relu_line_at_one(lines: Relaxation, activation: Activation, box: Enclosure) -> Relaxation:
    return lines._replace(upper_slope=torch.ones_like(box.lower), upper_offset=box.lower * 0)


def _slope_over_one(lines: Relaxation, activation: Activation, box: Enclosure) -> Relaxation:
    return lines._replace(lower_slope=1.1 * lines.most_slope)


@pytest.mark.parametrize(
    ("mutant", "activation"),
    [
        (_chord_above, TANH),
        (_tangent_in_the_middle, TANH),
        (_relu_line_at_one, RELU),
        (_relu_line_at_one, LEAKY),
        (_slope_over_one, RELU),
    ],
)
def test_wrong_lines_are_found(mutant, activation: Activation) -> None:
    box = Enclosure(*torch.tensor([[[-1.0, -1.0, -1.0]], [[0.5, 1.0, 2.0]]], dtype=torch.float64))
    lines = relax(activation, box)
    assert between(lines, activation, box)
    assert not between(mutant(lines, activation, box), activation, box)

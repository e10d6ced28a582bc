"""Enclosures of networks: every sample inside, and not much wider than need be."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from itertools import pairwise
from typing import Any

import torch
from mutants.trial import Trial, of
from torch import Tensor

from safer_gym.balls import NORMS, LpBall
from safer_gym.bounds import Activation, Affine, Enclosure, Layers, enclose, evaluate
from safer_gym.bounds.crown import Step, lower_bounds
from safer_gym.bounds.interval import interval_step
from safer_gym.bounds.region import region_of
from safer_gym.bounds.relaxations import Relaxation, relax
from safer_gym.conformance.selfcheck.check import refute_unless
from safer_gym.conformance.selfcheck.enclosures import INTERVALS

_NETWORKS = (("relu", (1,)), ("tanh", (1,)), ("relu", (12, 12)), ("tanh", (12, 12)))
Enclose = Callable[[Layers, Tensor, LpBall], Enclosure]


@cache
def _network(activation: str, hidden: tuple[int, ...], seed: int) -> Layers:
    generator = torch.Generator().manual_seed(seed)
    sizes = (4, *hidden, 2)
    layers: list[Any] = []
    for inputs, outputs in pairwise(sizes):
        weight = torch.randn(outputs, inputs, dtype=torch.float64, generator=generator)
        bias = torch.randn(outputs, dtype=torch.float64, generator=generator)
        layers += [Affine(weight / inputs**0.5 * 1.5, 0.3 * bias), Activation(activation)]
    return tuple(layers[:-1])


def _enclosure_law(function: Enclose) -> str:
    """Samples are inside; small balls are enclosed as tightly as by the derivative."""
    widest = 0.0
    # One hidden unit: all is nearly attained, so that a wrong line cannot hide behind the rest.
    for seed, (activation, hidden) in enumerate(_NETWORKS):
        layers = _network(activation, hidden, seed)
        generator = torch.Generator().manual_seed(seed)
        obs = torch.randn(10, 4, dtype=torch.float64, generator=generator)
        for norm in NORMS:
            for eps in (0.5, 0.1, 1e-3):
                ball = LpBall.of(norm, eps)
                lower, upper = function(layers, obs, ball)
                low, high = _sampled(layers, obs, ball, generator)
                escaped = torch.maximum(lower - low, high - upper).max()
                where = f"{activation} {hidden}, {norm}, eps {eps:g}"
                refute_unless(escaped <= 1e-9, f"{where}: a sample is outside by {escaped:.2g}")
                if eps == 1e-3:
                    ratio = float((upper - lower).sum() / (high - low).sum())
                    widest = max(widest, ratio)
                    refute_unless(ratio <= 1.15, f"{where}: {ratio:.1f} times as wide as sampled")
    return f"21,600 samples inside; at most {widest:.2f} times as wide for small balls"


def _sampled(
    layers: Layers, obs: Tensor, ball: LpBall, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Extremes [B, A] over random points, the rim, and the steepest points of each output."""
    outputs = []
    for _ in range(30):
        inside = ball.sample(obs, generator)
        outputs += [evaluate(layers, inside)]
        outputs += [evaluate(layers, ball.project(obs, obs + 9 * (inside - obs)))]
    for place in range(2):
        leaf = obs.clone().requires_grad_()
        (slope,) = torch.autograd.grad(evaluate(layers, leaf)[:, place].sum(), leaf)
        for sign in (1, -1):
            outputs.append(evaluate(layers, obs + ball.ascent_direction(sign * slope)))
    stacked = torch.stack(outputs)
    return stacked.amin(0), stacked.amax(0)


def _line_law(lines: Callable[[Activation, Enclosure], Relaxation]) -> str:
    """The lower line is never above the activation, the upper one never below; both touch."""
    generator = torch.Generator().manual_seed(0)
    ends = 3 * torch.randn(2, 400, 1, dtype=torch.float64, generator=generator)
    box = Enclosure(ends.amin(0), ends.amax(0))
    shares = torch.linspace(0, 1, 201, dtype=torch.float64)
    x = box.lower + shares * (box.upper - box.lower)
    for activation in (Activation("relu"), Activation("tanh"), Activation("leaky_relu", 0.1)):
        found, value = lines(activation, box), activation(x)
        under = value - (found.lower_slope * x + found.lower_offset)
        over = found.upper_slope * x + found.upper_offset - value
        crossed = -torch.minimum(under, over).min()
        refute_unless(crossed <= 1e-12, f"{activation.name}: a line crosses by {crossed:.2g}")
        apart = torch.maximum(under.amin(1), over.amin(1)).max()
        refute_unless(apart <= 0.05, f"{activation.name}: a line is {apart:.2g} away throughout")
    return "400 intervals of relu, tanh and leaky relu"


def _ibp(step: Callable[[Any, Enclosure], Enclosure], layers: Layers, *given: Any) -> Enclosure:
    box = region_of(*given).box
    for layer in layers:
        box = step(layer, box)
    return box


def _signed_step(layer: Any, box: Enclosure) -> Enclosure:
    """Interval arithmetic without the absolute value of the weights."""
    if not isinstance(layer, Affine):
        return interval_step(layer, box)
    ends = [end @ layer.weight.mT + layer.bias for end in box]
    return Enclosure(*ends)


def _sorted_step(layer: Any, box: Enclosure) -> Enclosure:
    ends = _signed_step(layer, box)
    return Enclosure(torch.minimum(*ends), torch.maximum(*ends))


def _crown_with(change: Callable[[Relaxation], Relaxation]) -> Enclose:
    """CROWN over interval bounds, with changed lines."""

    def function(layers: Layers, obs: Tensor, ball: LpBall) -> Enclosure:
        region = region_of(obs, ball, 0.0)
        box, steps = region.box, []
        for layer in layers[:-1]:
            lines = None if isinstance(layer, Affine) else change(relax(layer, box))
            steps.append(Step(layer, lines))
            box = interval_step(layer, box)
        last: Any = layers[-1]
        lower, upper = (lower_bounds(s * last.weight, steps, region) for s in (1, -1))
        return Enclosure(lower + last.bias, last.bias - upper)

    return function


def _swapped_slopes(lines: Relaxation) -> Relaxation:
    return lines._replace(lower_slope=lines.upper_slope, upper_slope=lines.lower_slope)


def _is_relu(lines: Relaxation) -> bool:
    return not lines.lower_offset.any()


def _swapped_lines(lines: Relaxation) -> Relaxation:
    lower, upper = lines[:2], lines[2:4]
    return Relaxation(*upper, *lower, *lines[4:])


def _samples_only(layers: Layers, obs: Tensor, ball: LpBall) -> Enclosure:
    generator = torch.Generator().manual_seed(99)
    return Enclosure(*_sampled(layers, obs, LpBall(ball.p, ball.eps * 0.9), generator))


def _chord_twice(activation: Activation, box: Enclosure) -> Relaxation:
    """The chord above, and below too."""
    found = relax(activation, box)
    upper = found[2:4]
    return Relaxation(*upper, *upper, *found[4:])


TRIALS = (
    Trial(
        "enclosures",
        "enclosure",
        "the network's outputs over the ball, by CROWN",
        _enclosure_law,
        enclose,
        {
            "interval bounds without |W|": partial(_ibp, _signed_step),
            "interval bounds, ends sorted": partial(_ibp, _sorted_step),
            "interval bounds alone": partial(_ibp, interval_step),
            "CROWN with swapped slopes": _crown_with(_swapped_slopes),
            "CROWN with swapped slopes of ReLU alone": _crown_with(
                lambda lines: _swapped_slopes(lines) if _is_relu(lines) else lines
            ),
            "CROWN with swapped lines": _crown_with(_swapped_lines),
            "samples": _samples_only,
            "half of the radius": lambda layers, obs, ball: enclose(layers, obs, ball.scaled(0.5)),
            "every ball taken for l2": lambda layers, obs, ball: enclose(
                layers, obs, LpBall(2, ball.eps)
            ),
        },
    ),
    Trial(
        "enclosures",
        "lines of activations",
        "linear bounds hold each activation over its interval",
        _line_law,
        relax,
        {
            "swapped": lambda activation, box: _swapped_lines(relax(activation, box)),
            "the chord above and below": _chord_twice,
            "offsets forgotten": lambda activation, box: relax(activation, box)._replace(
                upper_offset=torch.zeros_like(box.lower)
            ),
            "far away": lambda activation, box: relax(activation, box)._replace(
                upper_slope=torch.zeros_like(box.lower), upper_offset=box.upper.clamp(min=1) + 1
            ),
        },
    ),
    of(
        INTERVALS,
        {
            "without |W|": _signed_step,
            "ends sorted": _sorted_step,
            "bias in the width": lambda layer, box: Enclosure(
                interval_step(layer, box).lower, interval_step(layer, box).upper + layer.bias.abs()
            ),
        },
    ),
)

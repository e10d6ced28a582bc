"""Elementwise functions that are neither ReLU nor tanh, each as a curve."""

from __future__ import annotations

import math
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional

from safer_gym.bounds.curve import Curve, Function
from safer_gym.bounds.errors import NotCoveredError

_FAR = 60.0
"""Beyond it the slopes of SiLU, GELU and Mish are those of their asymptotes in float64."""


def elu(alpha: float = 1.0) -> Curve:
    """max(0, x) + min(0, alpha (exp(x) - 1)).

    Raises:
        NotCoveredError: alpha above 1, where it is neither convex nor smooth at zero; or below 0.
    """
    if not 0.0 <= alpha <= 1.0:
        raise NotCoveredError(f"ELU with alpha {alpha}", "alpha must lie in [0, 1]")
    slope = lambda x: torch.where(x >= 0, 1.0, alpha * x.clamp(max=0).exp())  # noqa: E731
    return Curve("elu", partial(functional.elu, alpha=alpha), slope)


def celu(alpha: float = 1.0) -> Curve:
    """max(0, x) + min(0, alpha (exp(x / alpha) - 1)), alpha > 0: convex and smooth."""
    if not alpha > 0.0:
        raise NotCoveredError(f"CELU with alpha {alpha}", "alpha must be positive")
    slope = lambda x: (x / alpha).clamp(max=0).exp()  # noqa: E731
    return Curve("celu", partial(functional.celu, alpha=alpha), slope, level=max(1.0, alpha))


def softplus(beta: float = 1.0, threshold: float = 20.0) -> Curve:
    """log(1 + exp(beta x)) / beta; torch gives x itself where beta x exceeds the threshold."""
    if not (beta > 0.0 and threshold >= 0.0):
        raise NotCoveredError("this Softplus", "beta and threshold must be positive")
    return Curve(
        "softplus",
        lambda x: torch.logaddexp(beta * x, torch.zeros_like(x)) / beta,
        lambda x: torch.sigmoid(beta * x),
        level=max(1.0, 1 / beta),
        slack=math.exp(-threshold) / beta,
    )


def hardtanh(low: float = -1.0, high: float = 1.0) -> Curve:
    """x cut to [low, high]; ReLU6 is one."""
    inside = lambda x: ((x >= low) & (x <= high)).to(x)  # noqa: E731
    return Curve(
        "hardtanh",
        partial(torch.clamp, min=low, max=high),
        inside,
        inflections=((low + high) / 2,),
        level=max(1.0, abs(low), abs(high)),
    )


def _silu_slope(x: Tensor) -> Tensor:
    x = x.clamp(-_FAR, _FAR)
    share = torch.sigmoid(x)
    return share * (1 + x * (1 - share))


def _gelu_slope(x: Tensor) -> Tensor:
    x = x.clamp(-_FAR, _FAR)
    density = (-x.square() / 2).exp() / math.sqrt(2 * math.pi)
    return torch.special.ndtr(x) + x * density


def _tanh_gelu_slope(x: Tensor) -> Tensor:
    x = x.clamp(-_FAR, _FAR)
    scale, cubic = math.sqrt(2 / math.pi), 0.044715
    share = torch.tanh(scale * (x + cubic * x**3))
    return (1 + share + x * (1 - share.square()) * scale * (1 + 3 * cubic * x.square())) / 2


def _mish_slope(x: Tensor) -> Tensor:
    x = x.clamp(-_FAR, _FAR)
    share = torch.tanh(functional.softplus(x))
    return share + x * torch.sigmoid(x) * (1 - share.square())


def _selu_slope(x: Tensor) -> Tensor:
    scale, alpha = 1.0507009873554804934193349852946, 1.6732632423543772848170429916717
    return scale * torch.where(x > 0, 1.0, alpha * x.clamp(max=0).exp())


def _s_shaped(name: str, function: Function, slope: Function, level: float = 1.0) -> Curve:
    return Curve(name, function, slope, inflections=(0.0,), level=level)


def _dipping(
    name: str, function: Function, slope: Function, ends: tuple[float, float], lowest: float
) -> Curve:
    return Curve(name, function, slope, ends, concave_first=True, lowest=lowest)


SIGMOID = _s_shaped("sigmoid", torch.sigmoid, lambda x: torch.sigmoid(x) * torch.sigmoid(-x))
SOFTSIGN = _s_shaped("softsign", functional.softsign, lambda x: (1 + x.abs()).square().reciprocal())
SELU = _s_shaped("selu", functional.selu, _selu_slope, level=2.0)
SILU = _dipping(
    "silu",
    functional.silu,
    _silu_slope,
    (-2.399357280515468, 2.399357280515468),
    -1.278464542761074,
)
GELU = _dipping(
    "gelu", functional.gelu, _gelu_slope, (-math.sqrt(2), math.sqrt(2)), -0.7517915246935645
)
TANH_GELU = _dipping(
    "gelu (tanh)",
    partial(functional.gelu, approximate="tanh"),
    _tanh_gelu_slope,
    (-1.4185040087908284, 1.4185040087908284),
    -0.7524614220710163,
)
MISH = _dipping(
    "mish",
    functional.mish,
    _mish_slope,
    (-2.2563763963607931, 1.4905711794854285),
    -1.1924312145154952,
)

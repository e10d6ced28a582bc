"""Curves and LayerNorm: what their lines, images and errors promise, in networks too."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from core.bounds.nets import holds, normal, outputs_around
from core.bounds.test_relaxations import between, grid, intervals
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from safer_gym.balls import LpBall
from safer_gym.bounds import (
    MODULES,
    Enclosure,
    NotCoveredError,
    enclose,
    evaluate,
    sequential_layers,
)
from safer_gym.bounds import curves as curves_module
from safer_gym.bounds import standardise as standardise_module
from safer_gym.bounds.relaxations import relax
from safer_gym.bounds.rounding import layer_error

BENDS: dict[str, nn.Module] = {
    "elu": nn.ELU(),
    "elu 0.3": nn.ELU(0.3),
    "celu": nn.CELU(2.0),
    "softplus": nn.Softplus(),
    "softplus 3": nn.Softplus(3.0, 12.0),
    "hardtanh": nn.Hardtanh(-0.5, 2.0),
    "relu6": nn.ReLU6(),
    "sigmoid": nn.Sigmoid(),
    "softsign": nn.Softsign(),
    "selu": nn.SELU(),
    "silu": nn.SiLU(),
    "gelu": nn.GELU(),
    "gelu tanh": nn.GELU("tanh"),
    "mish": nn.Mish(),
}
CURVES: dict[str, Any] = {name: sequential_layers(module)[0] for name, module in BENDS.items()}
EVERY = pytest.mark.parametrize("name", CURVES)
FEW = settings(max_examples=8)


@EVERY
@FEW
@given(seed=st.integers(0, 10_000))
def test_lines_hold_the_curve_between_them(name: str, seed: int) -> None:
    box = intervals(seed)
    assert between(relax(CURVES[name], box), CURVES[name], box)


@EVERY
def test_no_line_is_much_better(name: str) -> None:
    """At the middle of each interval, against the least line of each of many slopes."""
    curve, box = CURVES[name], intervals(0)
    lines, x, width = relax(curve, box), grid(box, 100), box.upper - box.lower
    middle, y = (box.lower + box.upper) / 2, curve(grid(box, 100))
    least, most = torch.full_like(middle, torch.inf), torch.full_like(middle, -torch.inf)
    for slope in torch.linspace(-0.2, 1.8, 60, dtype=torch.float64):
        least = torch.minimum(least, (y - slope * x).amax(0) + slope * middle)
        most = torch.maximum(most, (y - slope * x).amin(0) + slope * middle)
    above = lines.upper_slope * middle + lines.upper_offset
    below = lines.lower_slope * middle + lines.lower_offset
    assert (above <= least + 3e-3 * width + 1e-9).all()
    assert (below >= most - 3e-3 * width - 1e-9).all()


@EVERY
@FEW
@given(seed=st.integers(0, 10_000))
def test_the_image_holds_all_values_and_its_ends_are_attained(name: str, seed: int) -> None:
    curve, box = CURVES[name], intervals(seed)
    low, high = curve.image(*box)
    values = curve(grid(box))
    assert ((low <= values + 1e-12) & (values <= high + 1e-12)).all()
    assert (values.amin(0) - low <= 1e-3 * (box.upper - box.lower) + 1e-12).all()
    assert (high - values.amax(0) <= 1e-12).all()


@EVERY
def test_slopes_and_pieces_are_the_functions_own(name: str) -> None:
    curve = CURVES[name]
    x = torch.linspace(-9, 9, 7001, dtype=torch.float64).requires_grad_()
    (slope,) = torch.autograd.grad(curve(x).sum(), x)
    x, step = x.detach(), 18 / 7000
    smooth = (slope[1:] - slope[:-1]).abs() < 0.05
    torch.testing.assert_close(curve.slope(x)[1:][smooth], slope[1:][smooth], rtol=0, atol=1e-9)
    for start, end, is_concave in curve.pieces:
        inside = (x[:-1] >= start) & (x[1:] <= end)
        rise = (curve.slope(x)[1:] - curve.slope(x)[:-1])[inside]
        assert ((rise <= 1e-12) if is_concave else (rise >= -1e-12)).all(), (start, end, step)
    assert curve.slope(x).abs().max() <= 2
    zero = torch.zeros(1, dtype=torch.float64)
    assert curve(zero).abs() <= curve.level


@EVERY
def test_what_torch_computes_lies_within_the_error(name: str) -> None:
    x = torch.cat([torch.linspace(-40, 40, 20_001), torch.logspace(-6, 2, 500)])
    for dtype in (torch.float32, torch.float64):
        value = x.to(dtype)
        box = Enclosure(value.double(), value.double())
        error = layer_error(CURVES[name], box, torch.finfo(dtype).eps / 2)
        miss = (BENDS[name](value).double() - CURVES[name](value.double())).abs()
        assert (miss <= error).all()


@pytest.mark.parametrize(
    "wrong",
    [
        {"concave_first": True},
        {"inflections": (0.7,)},
        {"inflections": (), "concave_first": False},
    ],
)
def test_a_wrongly_described_curve_is_found(wrong: dict[str, Any]) -> None:
    sigmoid = replace(curves_module.SIGMOID, **wrong)
    found = [between(relax(sigmoid, intervals(seed)), sigmoid, intervals(seed)) for seed in (0, 1)]
    assert not all(found)


def net(name: str, dtype: torch.dtype = torch.float64) -> nn.Module:
    torch.manual_seed(0)
    bend = {"layer norm": nn.LayerNorm(8), "plain norm": nn.LayerNorm(8, 1e-3, False)}.get(name)
    bend = BENDS[name] if bend is None else bend
    made = nn.Sequential(
        nn.Linear(4, 8), bend, nn.Dropout(), nn.Linear(8, 8), bend, nn.ELU(), nn.Linear(8, 2)
    )
    for part in made.modules():
        if isinstance(part, nn.LayerNorm) and part.weight is not None:
            nn.init.normal_(part.weight)
            nn.init.normal_(part.bias)
    return made.to(dtype).eval()


NETS = pytest.mark.parametrize("name", [*BENDS, "layer norm", "plain norm"])


@NETS
@pytest.mark.parametrize("eps", [0.0, 1e-3, 0.1, 1.0])
def test_networks_of_them_are_enclosed(name: str, eps: float) -> None:
    module = net(name)
    layers, obs = sequential_layers(module), normal(1, 5, 4)
    torch.testing.assert_close(evaluate(layers, obs), module(obs), rtol=0, atol=1e-5)
    ball = LpBall.of("linf", eps)
    box = enclose(layers, obs, ball)
    samples = outputs_around(layers, obs, ball, 300)
    assert holds(box, samples)
    found = (samples.amax(1) - samples.amin(1)).mean()
    # The relaxation of a norm does not see how the deviation moves with each single input.
    most = 12.0 if "norm" in name else {0.0: 1.0, 1e-3: 1.2, 0.1: 1.3, 1.0: 2.0}[eps]
    assert (box.upper - box.lower).mean() <= most * found + 1e-4


@NETS
def test_what_float32_computes_is_enclosed(name: str) -> None:
    module = net(name, torch.float32)
    obs = 30 + normal(2, 40, 4, dtype=torch.float32)
    with torch.no_grad():
        exact = net(name, torch.float32).double()(obs.double())
        values = torch.stack([module(obs).double(), exact], dim=1)
    box = enclose(sequential_layers(module), obs, LpBall.of("linf", 0.0))
    assert holds(box, values)
    assert (box.upper - box.lower).max() < 1


def test_batch_statistics_at_rest_are_affine() -> None:
    norm = nn.BatchNorm1d(3).double()
    norm(5 + 2 * normal(0, 50, 3))
    with pytest.raises(NotCoveredError, match="BatchNorm1d in training"):
        sequential_layers(norm)
    obs = normal(1, 7, 3)
    torch.testing.assert_close(evaluate(sequential_layers(norm.eval()), obs), norm(obs))


@pytest.mark.parametrize(
    ("module", "words"),
    [
        (nn.ELU(2.0), "alpha must lie in"),
        (nn.Dropout(), "Dropout in training"),
        (nn.LayerNorm((2, 3)), "one axis"),
        (nn.PReLU(), ", ".join(kind.__name__ for kind in MODULES)),
    ],
)
def test_what_is_not_covered_is_refused_with_the_list(module: nn.Module, words: str) -> None:
    with pytest.raises(NotCoveredError, match=words):
        sequential_layers(module)


def test_a_norm_that_forgets_the_other_inputs_loses_samples(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The same check turns red where the squares of the others are taken from the middles."""

    def of_the_middle(low: torch.Tensor, high: torch.Tensor) -> Any:
        return (((low + high) / 2).square(),) * 2

    monkeypatch.setattr(standardise_module, "_squares", of_the_middle)
    layers, obs, ball = sequential_layers(net("layer norm")), normal(1, 5, 4), LpBall.of("linf", 1)
    assert not holds(enclose(layers, obs, ball), outputs_around(layers, obs, ball, 300))

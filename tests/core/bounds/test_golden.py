"""Plain CROWN against numbers of auto_LiRPA, which computes it by other means (C13)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from core.bounds.nets import RELU, TANH

from safer_gym.balls import LpBall
from safer_gym.bounds import Affine, crown, enclose

GOLDEN: dict[str, Any] = json.loads(Path(__file__).with_name("golden_crown.json").read_text())


def tensor(numbers: list) -> torch.Tensor:
    return torch.tensor(numbers, dtype=torch.float64)


def name(case: dict[str, Any]) -> str:
    return f"{case['activation']}-{case['norm']}-{case['eps']}"


@pytest.mark.parametrize("case", GOLDEN["cases"], ids=name)
def test_plain_crown_is_auto_lirpas(case: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    activation = {"relu": RELU, "tanh": TANH}[case["activation"]]
    affine = [Affine(tensor(weight), tensor(bias)) for weight, bias in GOLDEN["weights"]]
    layers = [affine[0], activation, affine[1], activation, affine[2]]
    obs, ball = tensor(GOLDEN["obs"]), LpBall.of(case["norm"], case["eps"])
    lower, upper = tensor(case["lower"]), tensor(case["upper"])
    ours = enclose(layers, obs, ball)
    assert ((ours.upper - ours.lower) <= (upper - lower) * 1.001).all()
    monkeypatch.setattr(crown, "_STEPS", ())
    plain = enclose(layers, obs, ball, cuts=0)
    # Its tangents of tanh come from a table; ours are a little further out.
    tolerance = 1e-5 if activation is RELU else 1e-3
    torch.testing.assert_close(plain.lower, lower, rtol=0, atol=tolerance)
    torch.testing.assert_close(plain.upper, upper, rtol=0, atol=tolerance)

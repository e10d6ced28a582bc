"""How tight and how fast enclosures of the packaged actors are, and whether any sample escapes.

The states are those that the stochastic policy visits. The width of each box is set against the
width that gradient ascent finds (PGD, up and down, for each output), which the true width lies
between. The box is of what the policy draws from: means in [-1, 1] and standard deviations.
"""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import torch
from torch import Tensor

import safer_gym.wrappers  # noqa: F401  (registers the tasks)
from benchmarks.timing import interleave, lap_of
from safer_gym.balls import LpBall
from safer_gym.bounds import GaussianEnclosure, PolicyLayers, enclose_policy, mean_shift
from safer_gym.conformance.cli.models import find_model, load_model
from safer_gym.types import DistributionFn
from safer_gym.wrappers.policies.layers import policy_layers

Row = dict[str, Any]
EPS = (0.001, 0.002, 0.005, 0.01, 0.025, 0.05)


def measure(
    *,
    policies: tuple[str, ...] = ("ball-circle/cvpo", "ball-circle/safer-attacked"),
    norm: str = "linf",
    eps: tuple[float, ...] = EPS,
    states: int = 256,
    searched: int = 48,
    samples: int = 100_000,
    steps: int = 60,
    restarts: int = 4,
    repetitions: int = 5,
) -> dict[str, Any]:
    """Enclose `states` states of each policy at each radius.

    Args:
        searched: states at which PGD looks for the width.
        samples: points of the balls that are tried for each policy and radius.
        steps, restarts: of PGD.
    """
    rows = []
    for name in policies:
        model = load_model(find_model(name))
        obs = visited(model, states)
        layers, distribution = policy_layers(model), model.victim().distribution
        for radius in eps:
            ball = LpBall.of(norm, radius)
            boxes = enclose_policy(layers, obs, ball)
            row: Row = {"policy": name, "eps": radius}
            row |= _speed(layers, obs, ball, repetitions)
            row |= _sizes(layers, obs, boxes)
            row |= _ratios(distribution, obs, ball, boxes, searched, steps, restarts)
            row |= _escapes(distribution, obs, ball, boxes, samples)
            rows.append(row)
    setting = {"norm": norm, "states": states, "PGD states": searched, "steps": steps}
    return {
        "benchmark": "enclosure",
        "setting": setting | {"restarts": restarts},
        "rows": rows,
    }


def visited(model: Any, n: int) -> Tensor:
    """The first `n` observations [n, O] of the stochastic policy on Ball-Circle."""
    env = gym.make("SaferGym/BallCircle-v0")
    obs, _ = env.reset(seed=0)
    torch.manual_seed(0)
    found = []
    while len(found) < n:
        found.append(obs)
        obs, _, terminated, truncated, _ = env.step(model.predict(obs, deterministic=False)[0])
        if terminated or truncated:
            obs, _ = env.reset()
    env.close()
    return torch.as_tensor(np.array(found, dtype=np.float32))


def _speed(layers: PolicyLayers, obs: Tensor, ball: LpBall, repetitions: int) -> Row:
    timing = interleave(
        {"enclose": lap_of(lambda: enclose_policy(layers, obs, ball))}, repetitions
    )["enclose"]
    return {"states_per_s": len(obs) / timing.wall, "states_per_cpu_s": len(obs) / timing.cpu}


def _sizes(layers: PolicyLayers, obs: Tensor, boxes: GaussianEnclosure) -> Row:
    benign = layers.distribution(obs)
    m = mean_shift(boxes.mean, benign.mean, benign.scale)
    return {
        "mean_width": float((boxes.mean.upper - boxes.mean.lower).mean()),
        "std_width": float((boxes.scale.upper - boxes.scale.lower).mean()),
        "mean_shift_rms": float(m.square().mean().sqrt()),
    }


def _ratios(
    distribution: DistributionFn,
    obs: Tensor,
    ball: LpBall,
    boxes: GaussianEnclosure,
    searched: int,
    steps: int,
    restarts: int,
) -> Row:
    some = obs[:: max(1, len(obs) // searched)][:searched]
    pick = slice(None, None, max(1, len(obs) // searched))
    found = pgd_width(distribution, some, ball, steps, restarts)
    ratios = {}
    for name, box, width in zip(("mean", "std"), boxes, found.chunk(2, dim=1), strict=True):
        ours = (box.upper - box.lower)[pick][:searched]
        ratios[f"{name}_width_over_pgd"] = float(ours.mean() / width.mean())
    return ratios


def pgd_width(
    distribution: DistributionFn, obs: Tensor, ball: LpBall, steps: int, restarts: int
) -> Tensor:
    """Largest minus least value found of each mean and deviation, [B, 2 A]."""

    def values(points: Tensor) -> Tensor:
        return torch.cat(distribution(points), dim=1)

    outputs = values(obs[:1]).shape[1]
    # One row for each state, output, direction and restart.
    sign = torch.tensor([1.0, -1.0]).view(1, 1, 2, 1).expand(len(obs), outputs, 2, restarts)
    goal = torch.eye(outputs).view(1, outputs, 1, 1, outputs) * sign.unsqueeze(-1)
    goal = goal.reshape(-1, outputs)
    center = obs.repeat_interleave(outputs * 2 * restarts, 0)
    points = ball.sample(center, torch.Generator().manual_seed(0))
    points[::restarts] = center[::restarts]
    best = torch.full((len(center),), -torch.inf)
    for step in range(steps + 1):
        points = points.detach().requires_grad_()
        score = (values(points) * goal).sum(1)
        best = torch.maximum(best, score.detach())
        (gradient,) = torch.autograd.grad(score.sum(), points)
        move = 0.93**step * ball.ascent_direction(gradient)
        points = ball.project(center, points.detach() + move)
    return best.view(len(obs), outputs, 2, restarts).amax(-1).sum(-1)


def _escapes(
    distribution: DistributionFn, obs: Tensor, ball: LpBall, boxes: GaussianEnclosure, samples: int
) -> Row:
    """Uniform samples and corners of the balls, in the policy's own float32."""
    each = -(-samples // (2 * len(obs)))
    center = obs.repeat_interleave(each, 0)
    generator = torch.Generator().manual_seed(1)
    corners = ball.ascent_direction(torch.randn(center.shape, generator=generator))
    kinds = (ball.sample(center, generator), ball.project(center, center + corners))
    outside = 0
    for points in kinds:
        with torch.no_grad():
            parts = distribution(points)
        for part, box in zip(parts, boxes, strict=True):
            low, high = (end.repeat_interleave(each, 0) for end in box)
            outside += int(((part < low) | (part > high)).sum())
    return {"samples": 2 * len(center), "outside": outside}

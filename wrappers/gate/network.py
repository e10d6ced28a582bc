"""Is the network that bounds enclose the policy's own, and does the policy draw as it says?

Axes: N draws, B observations, A actions.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from safer_gym.wrappers.gate.deployed import compare
from safer_gym.wrappers.gate.questions import Questions
from safer_gym.wrappers.obs_layout import pick
from safer_gym.wrappers.policies.stochastic import EnclosedPolicy

DRAWS = 2000
"""At each of PROBES observations."""
PROBES = 4
DEVIATIONS = 7.0
"""A mean of draws is further off than this once in 10^11 times."""
SEED = 1


def check_network(questions: Questions, network: EnclosedPolicy, rows: Any) -> None:
    """Hold the enclosed network against the policy, at a batch of observations.

    Raises:
        ValueError: says where its action or its distribution is another, and by how much.
    """
    packed = questions.packed(rows)
    with torch.no_grad():
        told, read = questions.measured(packed), network.victim().action(packed)
        compare("the policy", told, questions.told_apart(rows, told, read), rows)
        own = questions.view.victim().distribution
        if own is None or network.makes_noise:
            return
        parts = network.layers.distribution(packed).parameters
        for name, part in own(packed).parameters.items():
            compare(f"the {name} of the policy", part.flatten(1), parts[name].flatten(1), rows)


def check_draws(questions: Questions, network: EnclosedPolicy, rows: Any) -> None:
    """Hold draws of the policy against draws of the enclosed network.

    Raises:
        ValueError: says where the two distributions differ.
    """
    if not questions.view.has_parts or network.makes_noise:
        return
    probes = pick(rows, list(np.repeat(np.arange(PROBES), DRAWS)))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        told = questions.deployed(probes, deterministic=False).reshape(PROBES, DRAWS, -1)
    generator = torch.Generator(questions.view.device).manual_seed(SEED + 1)
    with torch.no_grad():
        drawn = network.draw(questions.packed(probes), generator).double().cpu()
    for probe, (own, read) in enumerate(zip(told, drawn.reshape(told.shape), strict=True)):
        if gap := _differ(own, read):
            raise ValueError(
                f"the policy does not draw its actions as the network that bounds enclose: at the "
                f"observation {pick(rows, probe)!r} {gap}"
            )


def _differ(a: Tensor, b: Tensor) -> str:
    """How two samples [N, A] of one distribution cannot differ; "" where they may be equal."""
    spread = torch.maximum(a.std(0), b.std(0)).clamp(min=1e-6)
    apart = (a.mean(0) - b.mean(0)).abs() / spread
    if bool((apart > DEVIATIONS * math.sqrt(2 / len(a))).any()):
        return f"the means of {len(a)} draws are {float(apart.max()):.2g} deviations apart"
    places = torch.cat([a, b]).sort(0).values[:: max(1, len(a) // 100)]
    shares = [(part[:, None] <= places).double().mean(0) for part in (a, b)]
    gap = float((shares[0] - shares[1]).abs().max())
    # Each empirical distribution is within this of its own with probability 1 - 1e-9.
    if gap > 2 * math.sqrt(math.log(2e9) / (2 * len(a))):
        return f"the distributions of {len(a)} draws are {gap:.2g} apart"
    return ""

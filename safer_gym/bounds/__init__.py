"""Bounds over every adversary: enclosures of the policy's action, and what follows from them.

enclose -> mean_shift / renyi_shift -> gaussian_filter / renyi_filter. `policy_layers`, which reads
the network out of a Stable-Baselines3 model, is `safer_gym.wrappers.policy_layers`: this package
needs torch, numpy and scipy alone.
"""

from safer_gym.bounds.enclosure import Enclosure, enclose
from safer_gym.bounds.errors import NotCoveredError
from safer_gym.bounds.filters import gaussian_filter, is_vacuous, renyi_filter
from safer_gym.bounds.network import Activation, Affine, Layers, evaluate, sequential_layers
from safer_gym.bounds.policy import (
    GaussianEnclosure,
    PolicyLayers,
    enclose_mean,
    enclose_policy,
    with_constant_noise,
)
from safer_gym.bounds.shift import mean_shift, renyi_shift

__all__ = [
    "Activation",
    "Affine",
    "Enclosure",
    "GaussianEnclosure",
    "Layers",
    "NotCoveredError",
    "PolicyLayers",
    "enclose",
    "enclose_mean",
    "enclose_policy",
    "evaluate",
    "gaussian_filter",
    "is_vacuous",
    "mean_shift",
    "renyi_filter",
    "renyi_shift",
    "sequential_layers",
    "with_constant_noise",
]

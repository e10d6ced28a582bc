"""Bounds over every adversary: enclosures of the policy's action, and what follows from them.

    policy = policy_layers(model)                        # which network; refuses what is unknown
    m = gaussian_steps(policy, obs, ball, benign)        # one step's size; constant noise
    rho = renyi_steps(policy, obs, ball, benign)         # the same; noise that depends on s
    bound = gaussian_filter(p, M)                        # M^2 = sum of m^2 over an episode
    bound = renyi_filter(p, rho_of_an_episode)

`policy_layers`, which reads the network out of a model, is in `safer_gym.wrappers.policies.layers`:
this package needs torch, numpy and scipy alone. A bound speaks about one policy;
`PolicyLayers.describe` says which.
"""

from safer_gym.bounds.enclosure import Enclosure, enclose
from safer_gym.bounds.episodes import coupled_rate, step_hazard
from safer_gym.bounds.errors import NotCoveredError
from safer_gym.bounds.filters import (
    ORDERS,
    gaussian_filter,
    moment_mean,
    renyi_filter,
)
from safer_gym.bounds.live import live_mean_box, squared_shift
from safer_gym.bounds.modules import MODULES, live_layers, sequential_layers
from safer_gym.bounds.network import Activation, Affine, Layers, evaluate
from safer_gym.bounds.policy import (
    GaussianEnclosure,
    PolicyLayers,
    enclose_mean,
    enclose_policy,
    with_constant_noise,
)
from safer_gym.bounds.shift import (
    gaussian_steps,
    kl_shift,
    mean_shift,
    renyi_shift,
    renyi_steps,
    tv_shift,
)
from safer_gym.bounds.smoothing import smoothing_bound, smoothing_shift
from safer_gym.bounds.softmax import OptionLayers, certified_radius, option_steps, surely_taken
from safer_gym.bounds.steps import Steps, shifted
from safer_gym.bounds.theorems import (
    additive_bound,
    coupling_bound,
    direct_bound,
    literal_theorem_1,
    literal_theorem_2,
    paper_theorem_1,
    paper_theorem_2,
    value_cap,
)

__all__ = [
    "MODULES",
    "ORDERS",
    "Activation",
    "Affine",
    "Enclosure",
    "GaussianEnclosure",
    "Layers",
    "NotCoveredError",
    "OptionLayers",
    "PolicyLayers",
    "Steps",
    "additive_bound",
    "certified_radius",
    "coupled_rate",
    "coupling_bound",
    "direct_bound",
    "enclose",
    "enclose_mean",
    "enclose_policy",
    "evaluate",
    "gaussian_filter",
    "gaussian_steps",
    "kl_shift",
    "literal_theorem_1",
    "literal_theorem_2",
    "live_layers",
    "live_mean_box",
    "mean_shift",
    "moment_mean",
    "option_steps",
    "paper_theorem_1",
    "paper_theorem_2",
    "renyi_filter",
    "renyi_shift",
    "renyi_steps",
    "sequential_layers",
    "shifted",
    "smoothing_bound",
    "smoothing_shift",
    "squared_shift",
    "step_hazard",
    "surely_taken",
    "tv_shift",
    "value_cap",
    "with_constant_noise",
]

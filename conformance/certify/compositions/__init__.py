"""How benign episodes become a bound over every adversary: one class for each composition.

A composition gives an episode a *value*, from its cost and from what an adversary could have used
up along it, and bounds the worst case by an increasing function of the value's benign mean. The
worst case is in shares: of episodes that violate the limit, or of the largest cost. An episode
that spends more than the budget counts in full, so that the budget holds surely (see
`safer_gym.bounds`).

Which composition is used is chosen on search episodes, before those that bound anything, so the
choice costs no confidence. A good choice makes the bound tight; any choice is sound.
"""

from safer_gym.conformance.certify.compositions.additive import Additive
from safer_gym.conformance.certify.compositions.composition import Composition, Sums
from safer_gym.conformance.certify.compositions.coupling import Coupling
from safer_gym.conformance.certify.compositions.gaussian import Gaussian, GaussianMoment
from safer_gym.conformance.certify.compositions.registry import (
    COMPOSITIONS,
    compositions,
    make_composition,
    promise,
    register,
    title,
)
from safer_gym.conformance.certify.compositions.renyi import Renyi, RenyiMoment

for _kind in (Gaussian, Renyi, GaussianMoment, RenyiMoment, Coupling, Additive):
    register(_kind)

__all__ = [
    "COMPOSITIONS",
    "Additive",
    "Composition",
    "Coupling",
    "Gaussian",
    "GaussianMoment",
    "Renyi",
    "RenyiMoment",
    "Sums",
    "compositions",
    "make_composition",
    "promise",
    "register",
    "title",
]

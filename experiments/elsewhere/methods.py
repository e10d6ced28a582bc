"""The algorithms with their constructors' defaults, and SAFER with one default changed."""

from __future__ import annotations

from experiments.harness.method import Method
from safer_gym.choices import choose

METHODS: dict[str, Method] = {
    "CVPO": Method("cvpo"),
    "SAFER": Method("safer"),
    "PPO-Lagrangian": Method("ppol"),
    "SAC-Lagrangian": Method("sac-lagrangian"),
}
CHANGES: dict[str, Method] = {
    "SAFER(binding)": Method("safer", {"robust_when": "binding"}),
    "SAFER(no KL)": Method("safer", {"adversarial_kl": False}),
    "SAFER(no MLE)": Method("safer", {"adversarial_mle": False}),
    "SAFER(eps=0)": Method("safer", {"eps": 0.0}),
    "SAFER(weight=0.3)": Method("safer", {"adversarial_weight": 0.3}),
    "SAFER(normalised)": Method("safer", {"units": "normalised"}),
}
"""One change each; what they lose on the plane without a wall is what the changed part costs."""
ROWS = (*METHODS, *CHANGES)


def find_method(name: str) -> Method:
    """A method by its name.

    Raises:
        ValueError: no such method; names the nearest one.
    """
    known = METHODS | CHANGES
    return known[choose("methods", name, known)]

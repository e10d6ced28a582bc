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
    "SAFER(always)": Method("safer", {"robust_when": "always"}),
    "SAFER(always; no KL)": Method("safer", {"robust_when": "always", "adversarial_kl": False}),
    "SAFER(always; no MLE)": Method("safer", {"robust_when": "always", "adversarial_mle": False}),
    "SAFER(always; eps=0)": Method("safer", {"robust_when": "always", "eps": 0.0}),
    "SAFER(always; weight=0.3)": Method(
        "safer", {"robust_when": "always", "adversarial_weight": 0.3}
    ),
    "SAFER(always; normalised)": Method("safer", {"robust_when": "always", "units": "normalised"}),
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

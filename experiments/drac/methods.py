"""The methods of the DRAC paper's tables, and the ablations: algorithms and options.

RAC and RSAC are DRAC with parts left out. RAC (reachable actor-critic) knows no adversary and has
no safety policy of its own; RSAC (robust SAC) knows no constraint. SAC-Lag is this package's
SACLagrangian on cost = 1[h < 0], SAC is Stable-Baselines3's.
"""

from __future__ import annotations

import re

from experiments.harness.method import Method
from safer_gym.choices import choose

SHIELDED = "DRAC with shield"
"""A row of its own, and no training of its own: the same policy with the run-time switch."""

METHODS: dict[str, Method] = {
    "DRAC": Method("drac"),
    "RAC": Method("rac"),
    "RSAC": Method("rsac"),
    "SAC-Lag": Method("sac-lagrangian"),
    "SAC": Method("sac"),
}
ABLATIONS: dict[str, Method] = {
    "DRAC(no safety policy)": Method("drac", {"safety_policy": False}),
    "DRAC(no adversary)": Method("drac", {"adversary": False}),
    "DRAC(scalar multiplier)": Method("drac", {"constraint": "scalar"}),
}
ROWS = ("DRAC", SHIELDED, "RAC", "RSAC", "SAC-Lag", "SAC")
"""Of the table, in order."""
BASELINES = ("RAC", "RSAC", "SAC-Lag", "SAC")

_DISCOUNT = re.compile(r"DRAC\(g_h=(0?\.\d+)\)")


def find_method(name: str) -> Method:
    """A method by its name; "DRAC(g_h=0.95)" is DRAC with that safety discount from the start.

    Raises:
        ValueError: no such method; names the nearest one.
    """
    swept = _DISCOUNT.fullmatch(name)
    if swept:
        discount = float(swept[1])
        return Method(
            "drac", {"safety_discount": discount, "safety_discount_start": min(discount, 0.9)}
        )
    known = METHODS | ABLATIONS
    return known[choose("methods", name, known)]

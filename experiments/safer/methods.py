"""The paper's methods by the names of its tables: an algorithm, and options over a task's recipe.

A method can be trained on a task where the command line knows its algorithm and `recipes.py` has
an entry for it; nothing else is to be done for a new one.
"""

from __future__ import annotations

import re

from experiments.harness.method import Method, Options
from safer_gym.choices import choose

PAPER_XI = {"ball-circle": 0.05, "car-circle": 0.012, "drone-run": 0.06, "ant-run": 0.06}
"""The paper's own xi-tilde of Eq. 8 (its Table 4)."""

# The paper's robust M-step and nothing of ours: no attacked cost critic, no environments that act
# under attack. Only here do the parts of Eq. 8 have to keep the policy safe by themselves, so the
# ablations (Table 8) and the sweep of xi-tilde (Table 7) start from it.
PAPER_STEP: Options = {
    "adversarial_kl": True,
    "adversarial_weight": 1.0,
    "attacked_cost_critic": False,
    "attacked_share": 0.0,
}
PAPER_SAFER = "SAFER-paper"
PAPER_RECIPE = "safer-paper"

METHODS: dict[str, Method] = {
    "PPOL-vanilla": Method("ppol"),
    "PPOL-random": Method("ppol-random"),
    "SA-PPOL": Method("sa-ppol"),
    "SA-PPOL(MC)": Method("sa-ppol-mc"),
    "SA-PPOL(MR)": Method("sa-ppol-mr"),
    "ADV-PPOL": Method("adv-ppol"),
    "SAC-Lagrangian": Method("sac-lagrangian"),
    "CVPO-vanilla": Method("cvpo"),
    "CVPO-random": Method("cvpo", {"collection_attack": "gaussian"}),
    "ADV-CVPO": Method("cvpo", {"collection_attack": "mc"}),
    "ADV-EM-CVPO": Method("cvpo", {"batch_attack": "mc"}),
    "SAFER": Method("safer"),
    "SAFER-attacked": Method("safer-attacked"),
    PAPER_SAFER: Method("safer", PAPER_STEP, PAPER_RECIPE),
    "without-VM": Method("safer", PAPER_STEP | {"vanilla_step": False}, PAPER_RECIPE),
    "without-KL": Method("safer", PAPER_STEP | {"adversarial_kl": False}, PAPER_RECIPE),
    "without-MLE": Method("safer", PAPER_STEP | {"adversarial_mle": False}, PAPER_RECIPE),
}

SAFERS = ("SAFER", "SAFER-attacked")
"""From benign data alone, as the paper promises; and ours, which trains under attack."""

_SWEEP = re.compile(r"SAFER\(xi_tilde=(\d*\.?\d+)\)")


def find_method(name: str, task: str) -> Method:
    """A method by its name, with the task's own xi-tilde where Eq. 8 has one.

    "SAFER(xi_tilde=0.03)" is SAFER-paper with that bound, for any positive number. The bound is
    that of the KL's part by the mean; the part by the covariance has half of it, the proportion
    of SAFER's own defaults.

    Raises:
        ValueError: no such method; names the nearest one.
    """
    swept = _SWEEP.fullmatch(name)
    if swept:
        method, xi = METHODS[PAPER_SAFER], float(swept[1])
    else:
        method = METHODS[choose("methods", name, METHODS)]
        xi = PAPER_XI.get(task, 0.0)
    if not (xi and method.options.get("adversarial_kl")):
        return method
    bounds = {"kl_bound_adversarial": xi, "kl_bound_adversarial_cov": xi / 2}
    return method._replace(options=method.options | bounds)


def canonical(name: str, task: str) -> str:
    """The name under which a method is trained: SAFER(xi_tilde=...) at the paper's own value is
    SAFER-paper.

    >>> canonical("SAFER(xi_tilde=0.05)", "ball-circle"), canonical("SAFER", "ball-circle")
    ('SAFER-paper', 'SAFER')

    Raises:
        ValueError: no such method.
    """
    if find_method(name, task) == find_method(PAPER_SAFER, task):
        return PAPER_SAFER
    return name


def method_of(algorithm: str) -> str:
    """The name of what `safer-gym train` makes of an algorithm; its own where the paper has none.

    >>> method_of("cvpo"), method_of("sa-ppol-mc"), method_of("td3")
    ('CVPO-vanilla', 'SA-PPOL(MC)', 'td3')
    """
    plain = (name for name, method in METHODS.items() if method == Method(algorithm))
    return next(plain, algorithm)


def other_names(name: str, task: str) -> tuple[str, ...]:
    """What else the training of this canonical name is called.

    >>> other_names("SAFER-paper", "car-circle"), other_names("SAFER", "car-circle")
    (('SAFER(xi_tilde=0.012)',), ())
    """
    xi = PAPER_XI.get(task)
    return (f"SAFER(xi_tilde={xi:g})",) if name == PAPER_SAFER and xi else ()

"""The methods of the paper's Table 1, and its ablations: a prior each, and how SAC uses it."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from experiments.harness.method import Method
from safer_gym.agents.registry import register_algorithm
from safer_gym.choices import choose
from safer_gym.wrappers.worlds.tasks import OPERATIONS

TIMESTEPS = 20_000
"""Of a run; the paper has 50,000."""
ETA = 1.0
"""Bound on latent actions of PARROT's code."""
UNSAFE_WITHIN = 0.01
"""Share of unsafe steps of held-out data, by the labels of the prior's training, within the bound
that the exact form of Algorithm 3 finds. With none at all a single step would decide."""


class PriorKind(NamedTuple):
    """How a prior is trained."""

    training: dict[str, Any] = {}
    """Of `PriorTraining`, beside its defaults."""
    shape: dict[str, Any] = {}
    """Of `PriorShape`, beside its defaults."""
    unsafe_counts_as_safe: bool = False
    """Whether it is trained to do what touches the container, too (Figure 9)."""


PARROT: dict[str, Any] = {"unsafe_weight": 0.0}
PRIORS: dict[str, PriorKind] = {
    "PARROT": PriorKind(PARROT, {"safety_size": 0}),
    "Context-PARROT": PriorKind(PARROT),
    "SkillSAFER": PriorKind(),
    "SkillSAFER-onset": PriorKind({"labels": "onset"}),
    "SkillSAFER-recovery": PriorKind({"labels": "recovery"}),
    "SkillSAFER-kl": PriorKind({"kl_weight": 0.3}),
    "SkillSAFER-no-c": PriorKind(shape={"safety_size": 0}),
    "PARROT-unsafe": PriorKind(PARROT, {"safety_size": 0}, unsafe_counts_as_safe=True),
}
COMPARED = ("PARROT", "Context-PARROT", "SkillSAFER", "SkillSAFER-onset", "SkillSAFER-recovery")
"""Those that are made for every seed, whatever runs; the others where a run needs them."""


class SkillMethod(NamedTuple):
    """A row of a table."""

    training: Method
    prior: str
    """A key of `PRIORS`."""
    world: str = "latent"
    """How SAC meets the task, a function of `experiments.skills.worlds`: in the prior's "latent"
    space, "explored" by the prior, or "raw", where only the data's mean and deviation count."""
    eta: float | None = ETA
    """Bound on latent actions; None: Algorithm 3's for the run's own prior, `UNSAFE_WITHIN`."""


SAC = Method("sac")
METHODS: dict[str, SkillMethod] = {
    "SAC": SkillMethod(SAC, "PARROT", "raw"),
    "PARROT": SkillMethod(SAC, "PARROT"),
    "Context-PARROT": SkillMethod(SAC, "Context-PARROT"),
    "Prior-Explore": SkillMethod(Method("prior-explore"), "SkillSAFER", "explored"),
    "SkillSAFER": SkillMethod(SAC, "SkillSAFER", eta=None),
}
"""Of Table 1, in its order."""
ABLATIONS: dict[str, SkillMethod] = {
    "SkillSAFER(onset)": SkillMethod(SAC, "SkillSAFER-onset", eta=None),
    "SkillSAFER(recovery)": SkillMethod(SAC, "SkillSAFER-recovery", eta=None),
    "SkillSAFER(kl=0.3)": SkillMethod(SAC, "SkillSAFER-kl", eta=None),
    "SkillSAFER(no c)": SkillMethod(SAC, "SkillSAFER-no-c", eta=None),
    "PARROT(unsafe data)": SkillMethod(SAC, "PARROT-unsafe"),
}
LABELLED = ("SkillSAFER(onset)", "SkillSAFER(recovery)")
"""Those that differ from SkillSAFER in what counts as unsafe."""
BOUNDED = {row.prior for row in (METHODS | ABLATIONS).values() if row.eta is None}
"""Priors whose own bound a method takes."""
_BOUND = re.compile(r"SkillSAFER\((?:(onset|recovery) )?eta=(\d+(?:\.\d+)?)\)")


def find_method(name: str) -> SkillMethod:
    """A method by its name; "SkillSAFER(eta=0.5)" is SkillSAFER with that bound, and
    "SkillSAFER(recovery eta=0.5)" that with other labels.

    Raises:
        ValueError: no such method; names the nearest one.
    """
    known, swept = METHODS | ABLATIONS, _BOUND.fullmatch(name)
    if swept:
        name = f"SkillSAFER({swept[1]})" if swept[1] else "SkillSAFER"
    method = known[choose("methods", name, known)]
    return method._replace(eta=float(swept[2])) if swept else method


def bound_of(name: str) -> float | None:
    """eta of SkillSAFER where its name says it; other labels are another method."""
    swept = _BOUND.fullmatch(name)
    return float(swept[2]) if swept and not swept[1] else None


RECIPE: dict[str, Any] = {
    "total_timesteps": TIMESTEPS,
    "n_envs": 1,
    "kwargs": {
        "gamma": 0.97,
        "learning_starts": 500,
        "buffer_size": 50_000,
        "batch_size": 128,
        "train_freq": 4,
        "gradient_steps": 2,
        # From 1, as is the default, the bonus outweighs the reward of -1 a step for long.
        "ent_coef": "auto_0.1",
        # The default of -5 lets the policy collapse before its critic has learned.
        "target_entropy": 0.0,
        "policy_kwargs": {"net_arch": [64, 64], "optimizer_kwargs": {"fused": True}},
    },
}
"""Of SAC, for all methods alike."""
_recipes = {spec.task.name: RECIPE for spec in OPERATIONS}
register_algorithm("sac", "stable_baselines3:SAC", recipes=_recipes)
register_algorithm("prior-explore", "safer_gym.agents.skills:PriorExplore", recipes=_recipes)

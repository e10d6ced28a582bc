"""Finite problems solved exactly: the oracle of the theory's tests, and a certificate of its own.

`make_cmdp` and a policy [S, A] go in; `optimal_adversary` gives the worst discounted cost at every
state, `worst_mean` and `worst_rate` the worst mean cost and chance to exceed a limit of an episode,
over all adaptive adversaries. Everything is batched over leading axes.
"""

from safer_gym.tabular.adversary import (
    Attacked,
    attacked,
    optimal_adversary,
    residual_bound,
    value_iteration,
)
from safer_gym.tabular.attacks import iterated_max_cost, max_cost, max_difference, max_reward
from safer_gym.tabular.cmdp import CMDP, line_balls, make_cmdp, unattacked
from safer_gym.tabular.games import (
    Game,
    dual_policy_iteration,
    exact_discount,
    make_game,
    robust_invariant_set,
)
from safer_gym.tabular.horizon import Plan, worst_mean, worst_rate
from safer_gym.tabular.random_cmdps import Case, random_cases
from safer_gym.tabular.values import Values, policy_values, shown, visitation

__all__ = [
    "CMDP",
    "Attacked",
    "Case",
    "Game",
    "Plan",
    "Values",
    "attacked",
    "dual_policy_iteration",
    "exact_discount",
    "iterated_max_cost",
    "line_balls",
    "make_cmdp",
    "make_game",
    "max_cost",
    "max_difference",
    "max_reward",
    "optimal_adversary",
    "policy_values",
    "random_cases",
    "residual_bound",
    "robust_invariant_set",
    "shown",
    "unattacked",
    "value_iteration",
    "visitation",
    "worst_mean",
    "worst_rate",
]

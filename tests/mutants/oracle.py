"""The exact solver against an enumeration of all adversaries, and the attacks against it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from itertools import product

import numpy as np
from mutants.trial import Trial
from theory.examples import attaining_case

from safer_gym.conformance.selfcheck.check import refute_unless
from safer_gym.tabular import (
    CMDP,
    Attacked,
    attacked,
    iterated_max_cost,
    max_cost,
    max_difference,
    max_reward,
    optimal_adversary,
    policy_values,
    value_iteration,
    worst_rate,
)
from safer_gym.tabular.adversary import offers
from safer_gym.tabular.cmdp import Floats
from safer_gym.tabular.horizon import Plan
from safer_gym.tabular.random_cmdps import Case, random_case

Solver = Callable[[CMDP, Floats], Floats]
Attack = Callable[[CMDP, Floats], Attacked]
Rate = Callable[[CMDP, Floats, int, float], Plan]


@cache
def _problems() -> tuple[Case, Floats]:
    """400 problems of four states, with the best of all deterministic adversaries [N, S]."""
    case = random_case((4, 3), 400, np.random.default_rng(5))
    states = np.arange(4)
    best = np.full(case.cmdp.start.shape, -np.inf)
    for choice in product(range(4), repeat=4):
        allowed = case.cmdp.balls[:, states, choice].all(-1)
        values = attacked(case.cmdp, case.policy, np.array([choice])).values.v
        best = np.maximum(best, np.where(np.expand_dims(allowed, -1), values, -np.inf))
    return case, best


def _optimum_law(solve: Solver) -> str:
    case, best = _problems()
    error = np.abs(solve(case.cmdp, case.policy) - best).max()
    refute_unless(error <= 1e-7, f"differs from the best of all adversaries by {error:.2g}")
    return f"400 problems, 256 adversaries each, to {error:.1g}"


def _rise_law(attack: Attack) -> str:
    case, best = _problems()
    benign = policy_values(case.cmdp, case.policy, case.cmdp.costs).v
    found = attack(case.cmdp, case.policy).values.v
    short = (benign - found).max()
    refute_unless(short <= 1e-9, f"lowers the cost of a state, by up to {short:.2g}")
    refute_unless((found <= best + 1e-9).all(), "above the optimum")
    optimal = (best - found).max(-1) <= 1e-9 * (1 + best.max(-1))
    refute_unless(optimal.mean() >= 0.9, f"optimal in {optimal.mean():.0%} only")
    return f"no state falls; optimal in {optimal.mean():.1%}"


def _rate_law(rate: Rate) -> str:
    """P(cost > L within H) = 1 - (1 - delta)^(H - L) in the attaining example."""
    worst = 0.0
    for delta, horizon, limit in ((0.1, 8, 0.0), (0.1, 8, 2.0), (0.4, 5, 3.5), (0.01, 30, 7.0)):
        case = attaining_case(delta, 0.0)
        exact = 1 - (1 - delta) ** (horizon - np.floor(limit))
        found = float(rate(case.cmdp, case.policy, horizon, limit).value[0])
        worst = max(worst, abs(found - exact))
        refute_unless(worst <= 1e-9, f"{found:.4g} where {exact:.4g} is right (limit {limit:g})")
    return f"closed form to {worst:.1g}"


def _minus_sign(cmdp: CMDP, policy: Floats) -> Attacked:
    q = policy_values(cmdp, policy, cmdp.costs).q
    found = np.where(cmdp.balls, -offers(cmdp, policy, q), -np.inf).argmax(-1)
    return attacked(cmdp, policy, found)


def _critic_at_the_lie(cmdp: CMDP, policy: Floats) -> Attacked:
    v = policy_values(cmdp, policy, cmdp.costs).v
    return attacked(cmdp, policy, np.where(cmdp.balls, v[..., None, :], -np.inf).argmax(-1))


def _no_ball(cmdp: CMDP, policy: Floats) -> Attacked:
    return optimal_adversary(cmdp._replace(balls=np.ones_like(cmdp.balls)), policy)


def _one_step_short(cmdp: CMDP, policy: Floats) -> Floats:
    """Value iteration that stops at a change of 0.01 without regard to the discount."""
    return value_iteration(cmdp, policy, 0.01)


def _values(attack: Attack) -> Solver:
    return lambda cmdp, policy: attack(cmdp, policy).values.v


def _last_iterate(cmdp: CMDP, policy: Floats) -> Floats:
    *_, last = iterated_max_cost(cmdp, policy)
    return last.values.v


_WRONG = {
    "MC taken for the optimum": _values(max_cost),
    "minus sign": _values(_minus_sign),
    "MR": _values(max_reward),
    "balls forgotten": _values(_no_ball),
    "stopped too early": _one_step_short,
}

TRIALS = (
    Trial(
        "oracle",
        "policy iteration",
        "the optimal adversary is the best of all",
        _optimum_law,
        _values(optimal_adversary),
        _WRONG,
    ),
    Trial(
        "oracle",
        "value iteration",
        "a second way gives the same",
        _optimum_law,
        value_iteration,
        _WRONG,
    ),
    Trial(
        "oracle",
        "iterated MC",
        "MC with the critic of the attacked policy, again and again, reaches the optimum",
        _optimum_law,
        _last_iterate,
        _WRONG,
    ),
    Trial(
        "oracle",
        "MC",
        "one step of policy iteration: no state falls, nearly always optimal",
        _rise_law,
        max_cost,
        {
            "minus sign": _minus_sign,
            "Q(s~, a)": _critic_at_the_lie,
            "MR": max_reward,
            "MAD": max_difference,
            "balls forgotten": _no_ball,
        },
    ),
    Trial(
        "oracle",
        "rate of an episode",
        "the chance to exceed a limit, over all adaptive adversaries",
        _rate_law,
        worst_rate,
        {
            "reaches the limit instead of exceeding it": lambda cmdp, policy, h, limit: worst_rate(
                cmdp, policy, h, max(np.floor(limit) - 1, 0)
            ),
            "one step short": lambda cmdp, policy, h, limit: worst_rate(cmdp, policy, h - 1, limit),
            "budget forgotten": lambda cmdp, policy, h, limit: worst_rate(cmdp, policy, h, 0),
            "no adversary": lambda cmdp, policy, h, limit: worst_rate(
                cmdp._replace(balls=cmdp.balls & np.eye(2, dtype=bool)), policy, h, limit
            ),
        },
    ),
)

"""The list of all statements, and the table of their trial."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from safer_gym.tabular.attacks import max_reward
from theory import cost_bounds, discounted, divergences, episodic, gaussian
from theory.comparison import Comparison, joined
from theory.episodic import EpisodeFacts
from theory.facts import Facts
from theory.statements import Material, Row, Statement, material, try_statement


def try_theory(
    n: int, seed: int = 0, statements: Sequence[Statement] | None = None
) -> tuple[list[Row], dict[str, float]]:
    """Try all statements on `n` random problems; the rows, and what is only observed."""
    solved = material(n, seed)
    chosen = STATEMENTS if statements is None else statements
    return [try_statement(statement, solved) for statement in chosen], observations(solved)


def observations(solved: Material) -> dict[str, float]:
    """Figures of the problems at hand that are no theorems.

    MR is among them: it need not raise the cost, and often lowers it.
    """
    rises, optimal, shares = [], [], []
    for facts in solved.facts:
        reward = max_reward(facts.case.cmdp, facts.case.policy)
        benign, worst = (facts.from_start(v) for v in (facts.benign.v, facts.optimal.values.v))
        rises.append(facts.from_start(reward.values.v) - benign)
        mc = facts.from_start(facts.mc.values.v)
        optimal.append(worst - mc <= 1e-9 * (1 + worst))
        shares.append(Comparison(mc, worst, benign).ratios)
    rise, share = np.concatenate(rises), np.concatenate(shares)
    return {
        "problems": solved.problems,
        "share where MC is optimal": float(np.concatenate(optimal).mean()),
        "MC's least share of the optimal gain": float(share.min()),
        "MC's share of the optimal gain, 1 % quantile": float(np.quantile(share, 0.01)),
        "share where MR lowers the cost": float((rise < -1e-9).mean()),
        "rounds of iterated MC until optimal, at most": max(f.optimal.rounds for f in solved.facts),
    }


def _discounted(function: Callable[[Facts], Comparison]) -> Callable[[Material], Comparison]:
    return lambda solved: joined([function(facts) for facts in solved.facts])


def _episodic(function: Callable[[EpisodeFacts], Comparison]) -> Callable[[Material], Comparison]:
    return lambda solved: joined([function(facts) for facts in solved.episodes])


def _random_adversaries(solved: Material) -> Comparison:
    rng = np.random.default_rng(solved.seed + 1)
    return _discounted(lambda facts: discounted.random_adversaries(facts, rng))(solved)


STATEMENTS = (
    Statement(
        "performance difference",
        "V' - V = E_{d'} sum_a (pi' - pi) Q / (1 - g)",
        _discounted(discounted.performance_difference),
        0.999,
    ),
    Statement(
        "lemma 1",
        "V' - V <= E_d [A + 2 g alpha TV / (1 - g)] / (1 - g)",
        _discounted(discounted.lemma_1),
        0.99,
    ),
    Statement(
        "lemma 2, sharp",
        "E_pi' A <= TV (max Q - min Q)",
        _discounted(discounted.lemma_2_sharp),
        0.999,
    ),
    Statement(
        "lemma 2",
        "E_pi' A <= TV (p_s C_m + g max V)",
        _discounted(discounted.lemma_2),
        0.999,
    ),
    Statement(
        "clean <= MC",
        "V <= V under MC with the exact critic, at every state",
        _discounted(discounted.clean_below_mc),
        0.999,
    ),
    Statement(
        "MC <= optimum",
        "V under MC <= V under the optimal adversary, at every state",
        _discounted(discounted.mc_below_optimum),
        0.999,
    ),
    Statement(
        "iterated MC rises",
        "each iterate is at least as costly as the one before, at every state",
        _discounted(discounted.iterates_rise),
        0.999,
    ),
    Statement(
        "iterated MC is optimal",
        "its last iterate has the optimal adversary's values",
        _discounted(discounted.iterates_reach_optimum),
        0.999,
    ),
    Statement(
        "no adversary is better",
        "randomised adversaries stay below the optimum, at every state",
        _random_adversaries,
        0.99,
    ),
    Statement(
        "Bellman residual",
        "V_opt <= V + max_s (T V - V) / (1 - g), at every state",
        _discounted(discounted.bellman_residual),
        0.999,
    ),
    Statement(
        "direct (A)",
        "V' <= kappa + delta p_bar C_m / (1 - g)^2",
        _discounted(cost_bounds.direct),
        0.98,
    ),
    Statement(
        "coupling (B)",
        "V' <= kappa + delta U / (1 - g (1 - delta))",
        _discounted(cost_bounds.coupling),
        0.999,
    ),
    Statement(
        "coupling (B), every state",
        "the same from every state",
        _discounted(cost_bounds.coupling_everywhere),
        0.999,
    ),
    Statement(
        "SA-MDP, corrected",
        "V' - V <= C_m TV / (1 - g)^2",
        _discounted(cost_bounds.state_adversarial),
        0.98,
    ),
    Statement(
        "theorem 1, corrected",
        "(B) with delta = d + L eps",
        _discounted(cost_bounds.corrected_1),
        0.999,
    ),
    Statement(
        "theorem 2, corrected",
        "(B) with delta = d_R over all adversaries",
        _discounted(cost_bounds.corrected_2),
        0.999,
    ),
    Statement(
        "theorem 1, printed",
        "Eq. (9), xi = 0",
        _discounted(cost_bounds.printed_1),
        0.5,
        "printed",
    ),
    Statement(
        "theorem 2, printed",
        "Eq. (10), xi = 0",
        _discounted(cost_bounds.printed_2),
        0.5,
        "printed",
    ),
    Statement(
        "theorem 1, by its lemmas",
        "gamma outside the root, 2 for 4, xi = 0",
        _discounted(cost_bounds.literal_1),
        0.5,
        "printed",
    ),
    Statement(
        "theorem 2, by its lemmas",
        "gamma outside the root, xi = 0",
        _discounted(cost_bounds.literal_2),
        0.5,
        "printed",
    ),
    Statement(
        "coupling (B), episode",
        "P' <= P + 1 - (1 - delta)^H",
        _episodic(episodic.coupled),
        0.999,
    ),
    Statement(
        "additive (C), rate",
        "P' <= P + E sum_t delta(s_t)",
        _episodic(episodic.summed_tv_rate),
        0.99,
    ),
    Statement(
        "additive (C), mean",
        "E C' <= E[C + sum_t delta(s_t) (H - t) C_m]",
        _episodic(episodic.summed_tv_mean),
        0.99,
    ),
    Statement(
        "Renyi filter",
        "D_a(P' || P) <= rho_a for every order a",
        _episodic(episodic.renyi_rate),
        0.9,
    ),
    Statement(
        "Renyi filter, mean",
        "the same for E C' / (H C_m)",
        _episodic(episodic.renyi_cost),
        0.8,
    ),
    Statement(
        "Gaussian filter, walks",
        "P' <= Phi(Phi^-1(P) + M), M^2 = sum m^2",
        lambda solved: gaussian.gaussian_walks(),
        0.99,
    ),
    Statement(
        "Gaussian filter, loops",
        "the same for a policy that holds a point near zero",
        lambda solved: gaussian.gaussian_loops(),
        0.1,
    ),
    Statement(
        "Pinsker",
        "TV <= sqrt(KL / 2)",
        _discounted(divergences.pinsker),
        0.99,
    ),
    Statement(
        "Bretagnolle-Huber",
        "TV <= sqrt(1 - exp(-KL))",
        _discounted(divergences.bretagnolle_huber),
        0.999,
    ),
)

"""Worst cases of an episode against an enumeration of every adaptive adversary."""

from __future__ import annotations

from itertools import pairwise, product

import numpy as np
import pytest

from safer_gym.tabular import line_balls, make_cmdp, unattacked, worst_mean, worst_rate
from safer_gym.tabular.random_cmdps import picked, random_case


def small(seed: int):
    """One problem of two states and two actions, everything allowed."""
    case = random_case((2, 2), 1, np.random.default_rng(seed))
    cmdp, policy, _ = picked(case, 0)
    costs = np.random.default_rng(seed).integers(0, 3, (2, 2, 2)).astype(float)
    return cmdp._replace(costs=costs, balls=np.ones((2, 2), bool)), policy


def paths_of(cmdp, policy, choose, horizon: int) -> list[tuple[float, float]]:
    """(probability, cost) of every path under an adversary of the whole history."""
    found = []

    def walk(history: tuple, probability: float, cost: float) -> None:
        if len(history) == 2 * horizon + 1:
            found.append((probability, cost))
            return
        s = history[-1]
        for a, t in product(range(2), range(2)):
            p = policy[choose[history], a] * cmdp.transitions[s, a, t]
            if p > 0:
                walk(
                    (*history, cmdp.costs[s, a, t], t), probability * p, cost + cmdp.costs[s, a, t]
                )

    for s in range(2):
        if cmdp.start[s] > 0:
            walk((s,), cmdp.start[s], 0.0)
    return found


def histories(cmdp, horizon: int) -> list[tuple]:
    found: list[tuple] = [(0,), (1,)]
    level = found
    for _ in range(horizon - 1):
        level = sorted(
            {
                (*h, cmdp.costs[h[-1], a, t], t)
                for h in level
                for a, t in product(range(2), range(2))
            }
        )
        found = found + level
    return found


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_no_adversary_of_the_history_does_more(seed: int) -> None:
    cmdp, policy = small(seed)
    known = histories(cmdp, 2)
    means, rates = [], []
    for choice in product(range(2), repeat=len(known)):
        paths = paths_of(cmdp, policy, dict(zip(known, choice, strict=True)), 2)
        means.append(sum(p * c for p, c in paths))
        rates.append(sum(p for p, c in paths if c > 1))
    assert worst_mean(cmdp, policy, 2).value == pytest.approx(max(means), rel=1e-12)
    assert worst_rate(cmdp, policy, 2, 1.0).value == pytest.approx(max(rates), rel=1e-12)
    # The figures do differ between adversaries, and the budget matters.
    assert max(rates) > min(rates) + 1e-6


def test_the_benign_rate_is_that_of_simulated_episodes() -> None:
    batch = random_case((4, 3), 50, np.random.default_rng(8))
    rates = worst_rate(unattacked(batch.cmdp), batch.policy, 5, 2.0).value
    pick = [int(np.abs(rates - 0.3).argmin())]
    case = picked(batch, pick)
    cmdp, policy = case.cmdp, case.policy[0]
    rng = np.random.default_rng(0)
    state = rng.choice(4, 20_000, p=cmdp.start[0])
    cost = np.zeros(20_000)
    for _ in range(5):
        action = (policy.cumsum(-1)[state] < rng.random((20_000, 1))).sum(-1)
        arrival = cmdp.transitions[0, state, action].cumsum(-1)
        after = np.minimum((arrival < rng.random((20_000, 1))).sum(-1), 3)
        cost += cmdp.costs[0, state, action, after]
        state = after
    calm = unattacked(cmdp)
    rate = worst_rate(calm, case.policy, 5, 2.0).value[0]
    assert 0.1 < rate < 0.5
    spread = 5 * np.sqrt(rate * (1 - rate) / 20_000)
    assert abs((cost > 2).mean() - rate) < spread
    assert abs(cost.mean() - worst_mean(calm, case.policy, 5).value[0]) < 5 * cost.std() / 141


def test_the_plan_does_what_it_promises() -> None:
    """Follow the adversary of the plan through the budget-augmented chain."""
    case = random_case((4, 3), 1, np.random.default_rng(3))
    cmdp, policy = case.cmdp, case.policy[0]
    plan = worst_rate(cmdp, case.policy, 4, 3.0)
    mass = {(s, 3): p for s, p in enumerate(cmdp.start[0])}
    exceeded = 0.0
    for t in range(4):
        new: dict[tuple[int, int], float] = {}
        for (s, left), p in mass.items():
            o = plan.adversary[t, 0, left, s]
            assert cmdp.balls[0, s, o]
            for a, s2 in product(range(3), range(4)):
                q = p * policy[o, a] * cmdp.transitions[0, s, a, s2]
                after = left - int(cmdp.costs[0, s, a, s2])
                if after < 0:
                    exceeded += q
                else:
                    new[s2, after] = new.get((s2, after), 0.0) + q
        mass = new
    assert exceeded == pytest.approx(plan.value[0], rel=1e-10)


def test_limits_and_rates_are_monotone() -> None:
    case = random_case((5, 3), 50, np.random.default_rng(4))
    rates = [worst_rate(case.cmdp, case.policy, 5, limit).value for limit in (0, 1, 2.5, 15)]
    assert all((low >= high).all() for low, high in pairwise(rates))
    assert (rates[-1] == 0).all()
    benign = worst_rate(unattacked(case.cmdp), case.policy, 5, 0).value
    assert (benign <= rates[0] + 1e-12).all()


def test_bad_input_is_named() -> None:
    cmdp = make_cmdp(np.full((2, 1, 2), 0.5), [0.0, 0.5], gamma=0.0, balls=line_balls(2, 1))
    policy = np.ones((2, 1))
    with pytest.raises(ValueError, match="whole numbers"):
        worst_rate(cmdp, policy, 3, 1.0)
    with pytest.raises(ValueError, match="limit"):
        worst_rate(cmdp, policy, 3, -1.0)
    with pytest.raises(ValueError, match="horizon"):
        worst_mean(cmdp, policy, 0)

"""What the paper says of means under attacks, each as a test of a method's numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from experiments.safer.paper import table_methods
from safer_gym.wrappers.tasks import COST_LIMIT

Look = Callable[[str, str, str], float]
"""Method, attack and metric to a mean. Raises KeyError where there is none."""
Test = Callable[[Look], tuple[bool, str]]
"""Whether it holds, and the numbers. Raises KeyError where one is missing."""

FAILING = 0.1
"""The paper's mark of a failing agent: a natural reward below this share of CVPO-vanilla's."""
NEAR_ZERO = 2.0
"""A cost; the paper's SAFER has 1.99 under MR on Ball-Circle. The bound is ours."""
CLOSE = 0.8
"""A share of CVPO-vanilla's natural reward. The bound is ours."""
COMPARABLE = 0.9
"""A share of ADV-PPOL's natural reward. The bound is ours."""
UNLEARNED = 0.5
"""A share of the full SAFER's reward, below which an ablation has failed to learn. Ours."""
HURT = 0.1
"""A share of the full SAFER's reward that an ablation has to lose at least. Ours."""
COSTS_MORE = 0.5
"""By how much a cost has to rise at least. Ours."""
NATURAL = "CVPO-vanilla's"
SAFE_PAIR = ("mc", "mr")


def unsafe(method: str) -> Test:
    """Both attacks push the cost above the limit."""

    def test(look: Look) -> tuple[bool, str]:
        costs = [look(method, attack, "cost") for attack in SAFE_PAIR]
        return min(costs) > COST_LIMIT, say(["MC cost", "MR cost"], costs)

    return test


def safe_without_attack(method: str) -> Test:
    """The natural cost is near zero."""

    def test(look: Look) -> tuple[bool, str]:
        cost = look(method, "natural", "cost")
        return cost <= NEAR_ZERO, say(["natural cost"], [cost])

    return test


def stealthy(look: Look) -> tuple[bool, str]:
    """MR leaves the victim at least its natural reward."""
    attacked, natural = (look("CVPO-vanilla", a, "reward") for a in ("mr", "natural"))
    return attacked >= natural, say(["reward under MR", "without"], [attacked, natural])


def harmless(attack: str) -> Test:
    """An attack that hardly raises the cost of CVPO."""

    def test(look: Look) -> tuple[bool, str]:
        attacked, natural = (look("CVPO-vanilla", a, "cost") for a in (attack, "natural"))
        holds = attacked <= natural + NEAR_ZERO
        return holds, say(["cost under it", "without"], [attacked, natural])

    return test


def fails(method: str) -> Test:
    """No reward, or a cost above the limit."""

    def test(look: Look) -> tuple[bool, str]:
        reward, base = (look(m, "natural", "reward") for m in (method, "CVPO-vanilla"))
        cost = max(look(method, a, "cost") for a in ("natural", *SAFE_PAIR))
        numbers = f"{_share('natural reward', reward, NATURAL, base)}, highest cost {cost:.1f}"
        return reward < FAILING * base or cost > COST_LIMIT, numbers

    return test


def robust(method: str) -> Test:
    """Hardly any cost under attack, and the reward of CVPO."""

    def test(look: Look) -> tuple[bool, str]:
        cost = _attacked_cost(look, method)
        reward, base = (look(m, "natural", "reward") for m in (method, "CVPO-vanilla"))
        numbers = f"worse of MC and MR cost {cost:.1f}, "
        numbers += _share("natural reward", reward, NATURAL, base)
        return cost <= NEAR_ZERO and reward >= CLOSE * base, numbers

    return test


def best_of_those_that_learn(method: str, task: str) -> Test:
    """ADV-PPOL's reward or nearly, and the lowest attacked cost of all that do not fail."""

    def test(look: Look) -> tuple[bool, str]:
        reward, theirs = (look(m, "natural", "reward") for m in (method, "ADV-PPOL"))
        base, cost = look("CVPO-vanilla", "natural", "reward"), _attacked_cost(look, method)
        costs = {
            other: _attacked_cost(look, other)
            for other in table_methods(5, task)
            if other != "SAFER" and _known(look, other, base)
        }
        lowest = min(costs, key=lambda other: costs[other])
        numbers = f"worse of MC and MR cost {cost:.1f}, {lowest}'s {costs[lowest]:.1f} the lowest "
        numbers += f"of {len(costs)} others; {_share('reward', reward, 'ADV-PPOL’s', theirs)}"
        return cost <= costs[lowest] and reward >= COMPARABLE * theirs, numbers

    return test


def unlearned(method: str) -> Test:
    """Without this part the agent fails to learn."""
    return _less_reward(method, UNLEARNED)


def hurt(method: str) -> Test:
    """Without this part the agent earns less."""
    return _less_reward(method, 1 - HURT)


def costs_more(method: str) -> Test:
    """Without this part the agent costs more."""

    def test(look: Look) -> tuple[bool, str]:
        without, full = (look(m, "average", "cost") for m in (method, "SAFER-paper"))
        return without > full + COSTS_MORE, say(["average cost", "with it"], [without, full])

    return test


def say(names: Sequence[str], values: Sequence[float]) -> str:
    """Numbers with their names.

    >>> say(["MC cost", "MR cost"], [1.0, 2.25])
    'MC cost 1.0, MR cost 2.2'
    """
    return ", ".join(f"{n} {v:.1f}" for n, v in zip(names, values, strict=True))


def _less_reward(method: str, share: float) -> Test:
    def test(look: Look) -> tuple[bool, str]:
        without, full = (look(m, "average", "reward") for m in (method, "SAFER-paper"))
        return without < share * full, _share("average reward", without, "that with it", full)

    return test


def _attacked_cost(look: Look, method: str) -> float:
    return max(look(method, attack, "cost") for attack in SAFE_PAIR)


def _known(look: Look, method: str, base: float) -> bool:
    """Whether a method has numbers and does not fail."""
    try:
        return look(method, "natural", "reward") >= FAILING * base
    except KeyError:
        return False


def _share(name: str, value: float, of: str, whole: float) -> str:
    share = f", {value / whole:.0%}" if whole > 0 else ""
    return f"{name} {value:.1f}{share} of {of} {whole:.1f}"

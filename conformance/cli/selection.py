"""Which of a run's policies is kept: the best by reward / 20 - cost, on episodes of its own.

The learner's last policy is one draw from a noisy sequence: under attack it drives along the limit,
a few centimetres on this side or that. Episodes seen here are never seen by an evaluation.
"""

from __future__ import annotations

from pathlib import Path

from safer_gym.agents.registry import find_algorithm
from safer_gym.agents.training.run import Choice
from safer_gym.conformance.cli.measure import Plan, measure
from safer_gym.conformance.cli.models import find_model
from safer_gym.conformance.cli.progress import Reporter
from safer_gym.conformance.evaluate.outcomes import Outcomes
from safer_gym.wrappers.tasks import Task

EPISODES = 10
SEED = 500_000
REWARD_PER_COST = 20.0
"""The paper's public code ranks models by reward / 20 - cost."""


def score(outcomes: list[Outcomes]) -> float:
    """Natural reward / 20 - the worst mean cost."""
    return outcomes[0].mean_return / REWARD_PER_COST - max(o.mean_cost for o in outcomes)


def choose_policy(candidates: list[Path], algorithm: str, task: Task, bar: Reporter) -> Choice:
    """Meet every candidate with the attacks that its algorithm was trained against.

    Args:
        candidates: Saved models, oldest first; the later wins a tie.

    Raises:
        ValueError: no candidates.
    """
    if not candidates:
        raise ValueError("candidates must name at least one saved model; got none.")
    plan = Plan(find_algorithm(algorithm).chosen_by, (task.eps,), "linf", EPISODES, SEED)
    table = []
    for number, path in enumerate(candidates, 1):
        file = find_model(str(path), algorithm, task)
        outcomes = measure(
            file._replace(name=f"choosing {number}/{len(candidates)}"), task, plan, bar
        )
        costs = {f"{o.attack}_cost": round(o.mean_cost, 2) for o in outcomes}
        reward = round(outcomes[0].mean_return, 1)
        table.append({"policy": path.stem, "reward": reward, **costs, "score": score(outcomes)})
    best = max(range(len(table)), key=lambda index: (table[index]["score"], index))
    return Choice(candidates[best], table)

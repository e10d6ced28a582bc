"""How a row of a paper's tables is trained."""

from __future__ import annotations

from typing import Any, NamedTuple

from safer_gym.agents.registry import ALGORITHMS
from safer_gym.agents.training.recipes import RECIPES

Options = dict[str, Any]


class Method(NamedTuple):
    """An algorithm, and options over a task's recipe."""

    algorithm: str
    """A name of `safer-gym train`, and of the task's recipe."""
    options: Options = {}
    """Constructor arguments beside the recipe's, or in their place."""
    recipe: str = ""
    """The recipe, where a task has one of this name; otherwise the algorithm's own."""

    def obstacle(self, task: str) -> str:
        """Why it cannot be trained on a task; "" if it can."""
        if self.algorithm not in ALGORITHMS:
            return f"this version has no algorithm {self.algorithm!r}"
        if self.algorithm not in RECIPES.get(task, {}):
            return f"agents/training/recipes.py has no recipe for {self.algorithm!r} on {task}"
        return ""

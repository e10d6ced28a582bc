"""Attack any policy in any Gymnasium environment, and count the cost.

Names are imported when they are first asked for, so that a cost tracker needs neither torch nor
Stable-Baselines3.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from safer_gym.wrappers.adapters.safety_gymnasium import SafetyGymnasiumAdapter
    from safer_gym.wrappers.adapters.tasks import TASKS, make_task
    from safer_gym.wrappers.cost import CostTracker
    from safer_gym.wrappers.cost_vec_env import VecCostTracker
    from safer_gym.wrappers.cost_vector import VectorCostTracker

_HOMES = {
    "CostTracker": "cost",
    "SafetyGymnasiumAdapter": "adapters.safety_gymnasium",
    "TASKS": "adapters.tasks",
    "VecCostTracker": "cost_vec_env",
    "VectorCostTracker": "cost_vector",
    "make_task": "adapters.tasks",
}

__all__ = [
    "TASKS",
    "CostTracker",
    "SafetyGymnasiumAdapter",
    "VecCostTracker",
    "VectorCostTracker",
    "make_task",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)

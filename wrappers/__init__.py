"""Attack any policy in any Gymnasium environment, and count the cost.

Names are imported when they are first asked for, so that a cost tracker needs neither torch nor
Stable-Baselines3.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from safer_gym.wrappers.adapters.safety_gymnasium import SafetyGymnasiumAdapter
    from safer_gym.wrappers.adversary import ObservationAdversary
    from safer_gym.wrappers.adversary_vec_env import VecObservationAdversary
    from safer_gym.wrappers.adversary_vector import VectorObservationAdversary
    from safer_gym.wrappers.cost import CostTracker
    from safer_gym.wrappers.cost_vec_env import VecCostTracker
    from safer_gym.wrappers.cost_vector import VectorCostTracker
    from safer_gym.wrappers.fitted_critics.critics import FittedCritics, fit_critics, iterate_mc
    from safer_gym.wrappers.gate.attack import AdversaryError
    from safer_gym.wrappers.policies.smoothing import SmoothedPolicy
    from safer_gym.wrappers.policies.victims import as_victim
    from safer_gym.wrappers.tasks import TASKS, make_task

_HOMES = {
    "AdversaryError": "gate.attack",
    "CostTracker": "cost",
    "FittedCritics": "fitted_critics.critics",
    "ObservationAdversary": "adversary",
    "SafetyGymnasiumAdapter": "adapters.safety_gymnasium",
    "SmoothedPolicy": "policies.smoothing",
    "TASKS": "tasks",
    "VecCostTracker": "cost_vec_env",
    "VecObservationAdversary": "adversary_vec_env",
    "VectorCostTracker": "cost_vector",
    "VectorObservationAdversary": "adversary_vector",
    "as_victim": "policies.victims",
    "fit_critics": "fitted_critics.critics",
    "iterate_mc": "fitted_critics.critics",
    "make_task": "tasks",
}

__all__ = [
    "TASKS",
    "AdversaryError",
    "CostTracker",
    "FittedCritics",
    "ObservationAdversary",
    "SafetyGymnasiumAdapter",
    "SmoothedPolicy",
    "VecCostTracker",
    "VecObservationAdversary",
    "VectorCostTracker",
    "VectorObservationAdversary",
    "as_victim",
    "fit_critics",
    "iterate_mc",
    "make_task",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)

"""Attack any policy in any Gymnasium environment, and count the cost.

Names are imported when they are first asked for, so that a cost tracker needs neither torch nor
Stable-Baselines3.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from safer_gym.wrappers.acting import ActionAdversary, DisturbanceAdversary
    from safer_gym.wrappers.acting_vec_env import VecActionAdversary, VecDisturbanceAdversary
    from safer_gym.wrappers.acting_vector import VectorActionAdversary, VectorDisturbanceAdversary
    from safer_gym.wrappers.adapters.safety_gymnasium import SafetyGymnasiumAdapter
    from safer_gym.wrappers.adversary import ObservationAdversary
    from safer_gym.wrappers.adversary_vec_env import VecObservationAdversary
    from safer_gym.wrappers.adversary_vector import VectorObservationAdversary
    from safer_gym.wrappers.cost import CostTracker
    from safer_gym.wrappers.cost_vec_env import VecCostTracker
    from safer_gym.wrappers.cost_vector import VectorCostTracker
    from safer_gym.wrappers.disturbances import ActionDisturbance
    from safer_gym.wrappers.fitted_critics.critics import FittedCritics, fit_critics, iterate_mc
    from safer_gym.wrappers.force_disturbance import ForceDisturbance
    from safer_gym.wrappers.gate.attack import AdversaryError
    from safer_gym.wrappers.policies.smoothing import SmoothedPolicy
    from safer_gym.wrappers.policies.victims import as_victim
    from safer_gym.wrappers.policies.view import view_of
    from safer_gym.wrappers.shield.env import ShieldedEnv
    from safer_gym.wrappers.shield.policy import ShieldedPolicy
    from safer_gym.wrappers.shield.shield import Shield
    from safer_gym.wrappers.tasks import TASKS, make_task

_HOMES = {
    "ActionAdversary": "acting",
    "ActionDisturbance": "disturbances",
    "AdversaryError": "gate.attack",
    "CostTracker": "cost",
    "DisturbanceAdversary": "acting",
    "FittedCritics": "fitted_critics.critics",
    "ForceDisturbance": "force_disturbance",
    "ObservationAdversary": "adversary",
    "SafetyGymnasiumAdapter": "adapters.safety_gymnasium",
    "Shield": "shield.shield",
    "ShieldedEnv": "shield.env",
    "ShieldedPolicy": "shield.policy",
    "SmoothedPolicy": "policies.smoothing",
    "TASKS": "tasks",
    "VecActionAdversary": "acting_vec_env",
    "VecCostTracker": "cost_vec_env",
    "VecDisturbanceAdversary": "acting_vec_env",
    "VecObservationAdversary": "adversary_vec_env",
    "VectorActionAdversary": "acting_vector",
    "VectorCostTracker": "cost_vector",
    "VectorDisturbanceAdversary": "acting_vector",
    "VectorObservationAdversary": "adversary_vector",
    "as_victim": "policies.victims",
    "fit_critics": "fitted_critics.critics",
    "iterate_mc": "fitted_critics.critics",
    "view_of": "policies.view",
    "make_task": "tasks",
}

__all__ = [
    "TASKS",
    "ActionAdversary",
    "ActionDisturbance",
    "AdversaryError",
    "CostTracker",
    "DisturbanceAdversary",
    "FittedCritics",
    "ForceDisturbance",
    "ObservationAdversary",
    "SafetyGymnasiumAdapter",
    "Shield",
    "ShieldedEnv",
    "ShieldedPolicy",
    "SmoothedPolicy",
    "VecActionAdversary",
    "VecCostTracker",
    "VecDisturbanceAdversary",
    "VecObservationAdversary",
    "VectorActionAdversary",
    "VectorCostTracker",
    "VectorDisturbanceAdversary",
    "VectorObservationAdversary",
    "as_victim",
    "fit_critics",
    "iterate_mc",
    "make_task",
    "view_of",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)

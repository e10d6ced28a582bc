"""What was changed in a model of Stable-Baselines3 after its class was written.

Attacks and bounds read such a model part by part. That is right only while its own methods call
the parts in the known way.
"""

from __future__ import annotations

from typing import Any

from stable_baselines3.common.policies import BasePolicy
from torch import nn
from torch.nn.modules import module as torch_module
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm

from safer_gym.bounds.modules import replaced_method

KNOWN = ("stable_baselines3", "sb3_contrib", "safer_gym")
"""Packages whose methods are the known way."""
ACTING = (
    *("predict", "_predict", "forward", "get_distribution", "_get_action_dist_from_latent"),
    *("extract_features", "obs_to_tensor", "unscale_action", "set_training_mode"),
    *(
        "_process_sequence",
        "get_action_dist_params",
        "distribution",
        "__call__",
        "__getattr__",
        "__getattribute__",
    ),
)
"""Methods between an observation and an action."""
CHOOSING = ("_predict", "predict")
"""Those of networks of values, whose `forward` is called."""


def altered(model: Any) -> str:
    """Why the parts of a model, or of its policy, may not be what it does; "" where they are."""
    policy = getattr(model, "policy", model)
    actor = getattr(policy, "actor", None)
    places: list[tuple[str, Any, tuple[str, ...]]]
    places = [("model", model, ACTING), ("policy", policy, ACTING), ("actor", actor, ACTING)]
    places += [(name, getattr(policy, name, None), CHOOSING) for name in ("q_net", "quantile_net")]
    if isinstance(policy, BasePolicy) and not _is_known(policy, "predict"):
        return "its policy has a method 'predict' of its own"
    for place, thing, methods in places:
        for name in methods:
            if thing is not None and not _is_known(thing, name):
                return f"its {place} has a method {name!r} of its own"
    for drawing in (getattr(part, "action_dist", None) for part in (policy, actor)):
        if drawing is not None and not _is_of_library(type(drawing)):
            return f"it draws by a {type(drawing).__name__}, which is not known"
    if torch_module._global_forward_hooks or torch_module._global_forward_pre_hooks:
        return "torch has global forward hooks"
    return next(filter(None, map(changed_module, _modules(policy))), "")


def changed_module(module: nn.Module) -> str:
    """Whether a module was given hooks or methods of its own; "" where it is as its class says."""
    hooks = [*module._forward_hooks.values(), *module._forward_pre_hooks.values()]
    if any(type(hook) not in (SpectralNorm, WeightNorm) for hook in hooks):
        return f"a forward hook is registered on its {type(module).__name__}"
    own = replaced_method(module)
    return f"the method {own!r} of its {type(module).__name__} was replaced" if own else ""


def _is_known(thing: Any, name: str) -> bool:
    if name in vars(thing):
        return False
    method = getattr(type(thing), name, None)
    return method is None or _is_of_library(method)


def _is_of_library(thing: Any) -> bool:
    home = getattr(thing, "__module__", None)
    return home is None or home.partition(".")[0] in (*KNOWN, "torch", "builtins")


def _modules(policy: Any) -> list[nn.Module]:
    return list(policy.modules()) if isinstance(policy, BasePolicy) else []

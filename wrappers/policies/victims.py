"""Any policy as a victim: an SB3 model, a torch module, an object with `predict`, a callable.

A victim's functions take raw observations (a tensor [B, *O], or a dict of tensors for Dict
spaces) and speak of actions in the environment's units. Asking them changes nothing in the
policy: neither its training mode, nor its gradients, nor any random state.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.vec_env import VecNormalize
from torch import Tensor, nn

from safer_gym.categorical import expected
from safer_gym.types import QFn, Victim
from safer_gym.wrappers.action_rows import ChoiceRows, action_rows
from safer_gym.wrappers.obs_layout import ObsLayout, any_part
from safer_gym.wrappers.policies.choosing import choosing_victim
from safer_gym.wrappers.policies.modes import as_found
from safer_gym.wrappers.policies.normaliser import Normaliser, behind
from safer_gym.wrappers.policies.sb3 import sb3_victim

Arrays = Callable[[Any], Any]
"""Observations, a tensor or a dict of tensors, as numpy arrays."""


def as_victim(
    policy: Any,
    *,
    q_reward: QFn | None = None,
    q_cost: QFn | None = None,
    vec_normalize: VecNormalize | Normaliser | None = None,
    device: str | torch.device = "cpu",
    action_space: spaces.Space | None = None,
    layout: ObsLayout | None = None,
) -> Victim:
    """The differentiable functions that an attack may use of `policy`.

    Args:
        policy: a `Victim`; anything with a method `victim()`; a Stable-Baselines3 or sb3-contrib
            model, or its policy; a torch module [B, *O] -> [B, A]; an object with SB3's
            `predict(obs, deterministic=True)`, asked with batches; or a callable from ONE numpy
            observation to one action. The last two give no gradients. With discrete actions a
            module may return a float for each option, logits or values of which the largest is
            taken, or the actions themselves.
        q_reward, q_cost: critics to use instead of the policy's own, e.g. from `fit_critics`. Those
            of discrete actions take rows of zeros and ones, an option each (`safer_gym.categorical`
            has `OptionValues` for a network with one output an option).
        vec_normalize: the VecNormalize a model was trained with, where the attack sees raw
            observations and the model normalised ones. Its statistics are read at each call and
            never updated.
        device: where the observations will be. The policy computes where it lives; only tensors
            travel.
        action_space: of the environment, where the policy states none: without it a policy that is
            no model is taken for one of continuous actions.
        layout: of observations: a policy that computes with arrays is given them in the types of
            its space. None: as floats.

    Raises:
        ValueError: for policies that need action masks; for policies that hand on a memory, whose
            space has to be known: see `wrappers.gate.policy.admit`.
        TypeError: for an object that is none of the above.
    """
    torch.device(device)
    stated = getattr(policy, "action_space", None)
    space = stated if isinstance(stated, spaces.Space) else action_space
    sizes = None if space is None else action_rows(space).sizes
    victim = _as_victim(policy, space, _numpy if layout is None else layout.arrays)
    if sizes is not None:
        q_reward, q_cost = expected(q_reward, sizes), expected(q_cost, sizes)
    if vec_normalize is not None:
        victim = behind(vec_normalize, victim)
    if q_reward is not None:
        victim = victim._replace(q_reward=q_reward)
    if q_cost is not None:
        victim = victim._replace(q_cost=q_cost)
    return victim


def through(layout: ObsLayout, victim: Victim) -> Victim:
    """The victim as a function of packed observations [B, *O] or [B, D]."""
    return victim if layout.is_plain or victim.memory.size else victim.seen_as(layout.unpack)


def _as_victim(policy: Any, space: spaces.Space | None, arrays: Arrays) -> Victim:
    if isinstance(policy, Victim):
        return policy
    if callable(getattr(policy, "victim", None)):
        return policy.victim()
    if isinstance(policy, (BaseAlgorithm, BasePolicy)) and (made := sb3_victim(policy)) is not None:
        return made
    if isinstance(policy, nn.Module) and not isinstance(policy, BasePolicy):
        return _read_as(_module_answer(policy), space)
    if callable(getattr(policy, "predict", None)):
        return _read_as(_predicted(policy, arrays), space)
    if callable(policy):
        return _read_as(_called_one_by_one(policy, arrays), space)
    raise TypeError(
        "policy must be a Victim, an SB3 model, a torch module, a callable, or have a method "
        f"victim() or predict(); got {type(policy).__name__}"
    )


def _read_as(answer: Callable[[Any], Tensor], space: spaces.Space | None) -> Victim:
    """A policy by what it answers: continuous actions, or scores of options, or options."""
    rows = None if space is None else action_rows(space)
    if not isinstance(rows, ChoiceRows):
        return Victim(lambda obs: _as_rows(answer(obs), any_part(obs)))
    return choosing_victim(lambda obs: rows.scores(answer(obs)).to(any_part(obs)), rows.sizes)


def _module_answer(module: nn.Module) -> Callable[[Any], Any]:
    def answer(obs: Any) -> Any:
        like = any_part(obs)
        own = next(module.parameters(), like)
        with as_found(module):
            result = module(_map(obs, lambda value: value.to(own.device, own.dtype)))
        is_batch = isinstance(result, Tensor) and 0 < result.dim() <= 2
        if not is_batch or len(result) != len(like):
            got = tuple(result.shape) if isinstance(result, Tensor) else type(result).__name__
            raise ValueError(f"a torch policy must return actions [{len(like)}, A]; got {got}")
        return result

    return answer


def _predicted(policy: Any, arrays: Arrays) -> Callable[[Any], Any]:
    def answer(obs: Any) -> Any:
        modules = [m for m in (policy, getattr(policy, "policy", None)) if isinstance(m, nn.Module)]
        with as_found(*modules):
            return policy.predict(arrays(obs), deterministic=True)[0]

    return answer


def _called_one_by_one(function: Callable[[Any], Any], arrays: Arrays) -> Callable[[Any], Any]:
    def answer(obs: Any) -> Any:
        shown, like = arrays(obs), any_part(obs)
        rows = range(len(like))
        if isinstance(shown, dict):
            answers = [function({key: a[row] for key, a in shown.items()}) for row in rows]
        else:
            answers = [function(shown[row]) for row in rows]
        return np.stack([np.asarray(answer) for answer in answers])

    return answer


def _as_rows(actions: Any, like: Tensor) -> Tensor:
    if isinstance(actions, Tensor):
        if actions.dim() != 2 or actions.is_complex():
            raise ValueError(
                f"a torch policy must return actions [{len(like)}, A]; got {tuple(actions.shape)} "
                f"of {actions.dtype}"
            )
        return actions.to(like)
    array = np.asarray(actions)
    if array.shape[:1] != (len(like),) or array.dtype.kind not in "fiu":
        raise ValueError(
            f"the policy must return one action of real numbers for each of {len(like)} "
            f"observations; got shape {array.shape} of {array.dtype}"
        )
    return torch.as_tensor(array.reshape(len(like), -1)).to(like)


def _map(obs: Any, function: Callable[[Tensor], Tensor]) -> Any:
    if isinstance(obs, dict):
        return {key: function(value) for key, value in obs.items()}
    return function(obs)


def _numpy(obs: Any) -> Any:
    return _map(obs, lambda value: value.detach().cpu().numpy())  # type: ignore[arg-type,return-value]

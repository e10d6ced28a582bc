"""Does a policy hand on a memory, and how is it asked then?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from gymnasium import spaces
from torch import Tensor, nn

from safer_gym.wrappers.action_rows import action_rows
from safer_gym.wrappers.obs_layout import ObsLayout
from safer_gym.wrappers.policies.recurrent import Ask, Recurrence, predicting
from safer_gym.wrappers.policies.recurrent_modules import module_with_states
from safer_gym.wrappers.policies.sb3 import recurrent_parts
from safer_gym.wrappers.policies.states import StateLayout


def recurrence_of(
    inner: Any,
    layout: ObsLayout,
    look: Callable[[Any], Any],
    probes: Tensor,
    actions: spaces.Space | None,
) -> Recurrence | None:
    """How a policy is asked that returns a state; None for one that returns none.

    Args:
        inner: the policy.
        layout: of observations.
        look: from raw observations to those that the policy reads.
        probes: some packed observations [B, *O].
        actions: the environment's action space; None takes the policy's own.

    Raises:
        ValueError: a state that cannot be carried from step to step.
    """
    deployed = ask = None
    one = _some(layout, look, probes, 1)
    if callable(getattr(inner, "predict", None)):
        deployed = predicting(inner, layout)
        if not _hands_on(deployed, one):
            return None
        ask = recurrent_parts(inner) or _own_parts(inner)
    elif isinstance(inner, nn.Module):
        ask = module_with_states(inner, one)
    asked: Ask | None = deployed or ask
    if asked is None:
        return None

    def state(n: int) -> Any:
        with torch.no_grad():
            return asked(_some(layout, look, probes, n), None).state

    states = StateLayout.of(state)
    if not states.size:
        return None
    space = actions if actions is not None else inner.action_space
    return Recurrence(ask or asked, deployed if ask else None, states, action_rows(space))


def _own_parts(inner: Any) -> Ask | None:
    """The differentiable form of a policy that brings one along: `answer(obs, state) -> Step`."""
    answer = getattr(inner, "answer", None)
    return answer if callable(answer) else None


def _hands_on(ask: Ask, obs: Any) -> bool:
    try:
        return ask(obs, None).state is not None
    except Exception:  # what it cannot answer, the gate asks again and explains
        return False


def _some(layout: ObsLayout, look: Callable[[Any], Any], probes: Tensor, n: int) -> Any:
    return look(layout.unpack(probes[:n].clone()))

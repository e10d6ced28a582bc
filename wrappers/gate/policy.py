"""May this policy be measured here? Every door asks, and gets the one view of the policy."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from gymnasium import spaces

from safer_gym.wrappers.action_rows import options_of
from safer_gym.wrappers.gate.deployed import (
    check_bringer,
    check_deployed,
    check_unaltered,
    check_written_out,
)
from safer_gym.wrappers.gate.memory import check_no_memory
from safer_gym.wrappers.gate.probes import anywhere, near
from safer_gym.wrappers.gate.questions import Questions
from safer_gym.wrappers.obs_layout import ObsLayout
from safer_gym.wrappers.policies.normaliser import check_fits
from safer_gym.wrappers.policies.view import PolicyView, view_of


def admit(
    policy: Any,
    observation_space: spaces.Space,
    action_space: spaces.Space,
    *,
    vec_normalize: Any = None,
    around: Any = None,
    live: bool = False,
    device: str | torch.device = "cpu",
) -> PolicyView:
    """The view of a policy that can be measured in an environment with these spaces.

    Args:
        policy: whatever `as_victim` takes, or a view; one that was admitted already is returned.
        vec_normalize, live: see `view_of`.
        around: an observation of the environment; probes lie near it.
        device: where the policy will be asked.

    Raises:
        ValueError: spaces that differ, a policy with a memory, a policy whose parts are not what
            it does; says which and by how much.
        TypeError: no policy at all.
    """
    view = view_of(policy, vec_normalize, live=live)
    if view.admitted == (observation_space, action_space):
        return view
    view = replace(view, device=device, actions=action_space)
    check_spaces(view, observation_space, action_space)
    rows = anywhere(observation_space) if around is None else near(observation_space, around)
    probes = ObsLayout(observation_space).pack(rows).to(device)
    view = view.in_space(observation_space, probes)
    questions = Questions(view, observation_space, action_space)
    check_no_memory(questions, rows)
    check_written_out(questions, rows)
    check_deployed(questions, rows)
    check_bringer(policy, questions, rows)
    check_unaltered(view)
    if view.has_parts:  # a network answers anywhere; functions may not
        check_deployed(questions, anywhere(observation_space))
    return replace(view, admitted=(observation_space, action_space))


def check_spaces(
    view: PolicyView, observation_space: spaces.Space, action_space: spaces.Space
) -> None:
    """The spaces that a policy states are the environment's, as far as shapes go.

    Raises:
        ValueError: another kind of space, or another shape.
    """
    for name, own, given in (
        ("observation", view.observation_space, observation_space),
        ("action", view.action_space, action_space),
    ):
        if isinstance(own, spaces.Space) and not _alike(own, given):
            raise ValueError(
                f"the policy's {name} space is {own}, the environment's is {given}: it is not a "
                "policy of this environment"
            )
    if view.normaliser is not None:
        check_fits(view.normaliser, observation_space)


def _alike(own: spaces.Space, given: spaces.Space) -> bool:
    if isinstance(own, spaces.Dict) and isinstance(given, spaces.Dict):
        return own.spaces.keys() == given.spaces.keys() and all(
            _alike(part, given[key]) for key, part in own.spaces.items()
        )
    # Images: Stable-Baselines3 turns channels to the front.
    shapes = (own.shape, (own.shape or ())[1:] + (own.shape or ())[:1])
    kinds = isinstance(given, type(own)) or isinstance(own, type(given))
    return kinds and given.shape in shapes and options_of(own) == options_of(given)

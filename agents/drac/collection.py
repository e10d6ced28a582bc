"""Who plays an episode, where it begins, and h of the state before each step.

h of a first state is in what `reset` returns beside it. Stable-Baselines3's environments keep that
as `reset_infos`, after each reset of their own too; a wrapper around them does not hand it on, so
the innermost one is asked. A wide start is a second reset, since those environments reset
themselves without options; after `wide_steps` the environment is reset once more, since far off
the first states teach most.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from stable_baselines3.common.type_aliases import PyTorchObs
from stable_baselines3.common.vec_env import VecEnv, VecEnvWrapper
from torch import Tensor

from safer_gym.agents.data.signals import Signal, read
from safer_gym.agents.drac.options import CollectionOptions
from safer_gym.agents.drac.policies import DRACPolicy

H_REMEDY = (
    "the environment reports no constraint. step() and reset() must both return h in their info, "
    "safe where >= 0. constraint='none' does without."
)
NEXT_H = Signal("h", over_steps="last", remedy=H_REMEDY)
H = Signal("h_before", over_steps="first")
WIDE = {"start": "wide"}
BY_SAFETY, BY_TASK = 0, 1
"""Adversaries; any other number is a uniform one."""


class Draw(NamedTuple):
    """Of one episode."""

    adversary: int
    """BY_SAFETY, BY_TASK, or uniform."""
    is_safety_controlled: bool
    is_wide: bool


def draw(options: CollectionOptions, generator: torch.Generator) -> Draw:
    """Who plays the next episode, and where it begins."""
    who, controller, start = torch.rand(3, generator=generator, device=generator.device).tolist()
    ends = np.cumsum(options.adversary_shares)
    adversary = int(np.searchsorted(ends, who * ends[-1], side="right"))
    return Draw(adversary, controller < options.safety_share, start < options.wide_share)


def play(
    policy: DRACPolicy,
    obs: PyTorchObs,
    draws: list[Draw],
    noise: float,
    generator: torch.Generator,
    *,
    is_warming_up: bool,
) -> tuple[Tensor, Tensor | None]:
    """Controls [E, A] and disturbances [E, D] of one step, in [-1, 1].

    Args:
        policy: its learning players play.
        obs: [E, *O].
        draws: one an environment.
        noise: standard deviation, on all players but the task policy.
        is_warming_up: the task policy acts uniformly.
    """
    players = policy.players

    def uniform(like: Tensor) -> Tensor:
        drawn = torch.rand(like.shape, generator=generator, device=like.device)
        return 2 * drawn - 1

    def shaken(move: Tensor) -> Tensor:
        drawn = torch.randn(move.shape, generator=generator, device=move.device)
        return (move + noise * drawn).clamp(-1, 1)

    def rows(chosen: list[bool]) -> Tensor:
        return torch.tensor(chosen, device=policy.device).unsqueeze(1)

    control = players.actor.sample(obs)[0]
    control = uniform(control) if is_warming_up else control
    if players.safety_actor is not None:
        is_safety = rows([drawn.is_safety_controlled for drawn in draws])
        control = torch.where(is_safety, shaken(players.safety_actor(obs)), control)
    if players.adversary is None:
        return control, None
    by_task = shaken(players.adversary(obs))
    move = torch.where(rows([d.adversary <= BY_TASK for d in draws]), by_task, uniform(by_task))
    if players.safety_adversary is not None:
        by_safety = rows([drawn.adversary == BY_SAFETY for drawn in draws])
        move = torch.where(by_safety, shaken(players.safety_adversary(obs)), move)
    return control, move


def disturb(env: VecEnv, disturbances: np.ndarray) -> None:
    """Disturb the next step of each environment; [E, D] in their units."""
    for index, disturbance in enumerate(disturbances):
        env.env_method("disturb", disturbance, indices=index)


def first_h(env: VecEnv, indices: list[int]) -> np.ndarray:
    """h of the states in which environments have just begun.

    Raises:
        ValueError: an info of `reset` has none.
    """
    while isinstance(env, VecEnvWrapper):
        env = env.venv
    return read(NEXT_H, [env.reset_infos[index] for index in indices], set())


def begin(env: VecEnv, index: int, *, is_wide: bool) -> tuple[Any, Mapping[str, Any]]:
    """Reset one environment, to a wide start or a usual one: its raw observation and its info."""
    options = {"options": WIDE} if is_wide else {}
    obs, info = env.env_method("reset", indices=index, **options)[0]
    return obs, info

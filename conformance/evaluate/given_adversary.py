"""An adversary that is given as a policy: from the observation to what it moves."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import torch
from torch import Tensor

from safer_gym.attacks.channels import ChannelRows
from safer_gym.attacks.noise import without_objective
from safer_gym.balls import LpBall
from safer_gym.conformance.evaluate.seat import seat_in
from safer_gym.types import ActionFn, AttackResult, Channel, Victim
from safer_gym.wrappers.policies.victims import as_victim


@dataclass(frozen=True, eq=False)
class GivenAdversary:
    """Moves what its own policy says, cut to the ball. It has no objective.

    Args:
        act: observations [B, *O] to what is moved: disturbances [B, D], actions [B, A] or
            observations, in the environment's units.
        rows: of the channel.
        cost_directed: whether the policy seeks cost; without it a certificate's battery counts
            this adversary as no threat.
        title: how reports call it.
    """

    act: ActionFn
    rows: ChannelRows
    cost_directed: bool = False
    title: str = "given adversary"
    words: str = "A policy of disturbances that was given, not learned against this policy."

    @property
    def channel(self) -> Channel:
        """What it moves."""
        return self.rows.channel

    @torch.no_grad()
    def __call__(
        self,
        victim: Victim,
        obs: Tensor,
        ball: LpBall,
        generator: torch.Generator | None = None,
    ) -> AttackResult:
        wanted = self.act(self.rows.truth(obs))
        if len(wanted) != len(obs) or wanted[0].numel() != self.rows.moved(obs)[0].numel():
            size = (len(obs), self.rows.moved(obs)[0].numel())
            raise ValueError(
                f"the adversary's policy must return {size} numbers, one row for each observation; "
                f"got {tuple(wanted.shape)}"
            )
        return without_objective(ball.project(obs, self.rows.replaced(obs, wanted)))


def adversary_from(
    policy: Any,
    make_env: Callable[[], gym.Env],
    channel: Channel = "disturbance",
    *,
    cost_directed: bool = False,
) -> GivenAdversary:
    """A policy as an attack, for `evaluate`, `certify` and the wrappers.

    Args:
        policy: whatever `as_victim` takes: a model of Stable-Baselines3 that was trained to
            disturb, a torch module, or a callable from an observation to a disturbance.
        make_env: makes the environment of the policy under attack.
        channel: what the policy moves.
        cost_directed: whether it seeks cost.

    Raises:
        ValueError, TypeError: an environment without that channel, or no policy.
    """
    with closing(make_env()) as env:
        rows = seat_in(env, channel).rows
        space: Any = env.observation_space
    rows = rows if channel != "observation" else ChannelRows(channel, tuple(space.shape))
    return GivenAdversary(as_victim(policy).action, rows, cost_directed)

"""What an adversary may move, in the one form that every attack takes.

On the observation channel an attack is given observations and the policy. On the others a row
holds all that matters at this moment, and only its last part has a radius:

    action        [observation, action]                 the action is moved
    disturbance   [observation, action, disturbance]    the disturbance is moved, from zero

The observation of a policy with a memory is the row [memory, observation], see `Memory`; on the
observation channel its last part is moved.

The victim is seen as a function of such rows: its "action" is what is moved, its critics judge
that at the true observation. So no attack knows what it moves: each works on all three channels.

Axes: B batch, O observation, A action, D disturbance, X a row.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from safer_gym.balls import LpBall
from safer_gym.choices import choose
from safer_gym.types import CHANNELS, Channel, Victim


@dataclass(frozen=True)
class ChannelRows:
    """How rows of one channel are laid out.

    Args:
        channel: what is moved.
        obs_shape: of an observation, or of a row [memory, observation].
        n_actions: numbers of an action, A.
        n_disturbances: numbers of a disturbance, D; of that channel alone.
        n_memory: numbers of the memory.
    """

    channel: Channel
    obs_shape: tuple[int, ...]
    n_actions: int = 0
    n_disturbances: int = 0
    n_memory: int = 0

    def __post_init__(self) -> None:
        choose("channel", self.channel, CHANNELS)

    @property
    def sizes(self) -> tuple[int, int, int]:
        """Numbers of the observation, of the action and of the disturbance in a row."""
        n_disturbances = self.n_disturbances if self.channel == "disturbance" else 0
        return math.prod(self.obs_shape), self.n_actions, n_disturbances

    @property
    def n_moved(self) -> int:
        """Numbers of what is moved."""
        fixed = self.n_memory if self.channel == "observation" else 0
        return self.sizes[CHANNELS.index(self.channel)] - fixed

    def pack(self, obs: Tensor, action: Tensor | None = None) -> Tensor:
        """Rows [B, X] in which nothing has been moved yet; on their channel the observations.

        Args:
            obs: [B, *O]
            action: what the policy does [B, A]; not needed on the observation channel.
        """
        if self.channel == "observation":
            return obs
        if action is None:
            raise ValueError(f"the {self.channel} channel needs the policy's action; got None")
        parts = [obs.flatten(1), action.flatten(1)]
        if self.channel == "disturbance":
            parts.append(obs.new_zeros(len(obs), self.n_disturbances))
        return torch.cat(parts, dim=1)

    def moved(self, rows: Tensor) -> Tensor:
        """The part that an attack moves: observations [B, *O], actions [B, A] or [B, D]."""
        if self.channel == "observation":
            return rows[:, self.n_memory :] if self.n_memory else rows
        _, action, disturbance = rows.split(self.sizes, dim=1)
        return action if self.channel == "action" else disturbance

    def truth(self, rows: Tensor) -> Tensor:
        """The true observations [B, *O] of rows."""
        if self.channel == "observation":
            return rows
        return rows.split(self.sizes, dim=1)[0].view(-1, *self.obs_shape)

    def replaced(self, rows: Tensor, moved: Tensor) -> Tensor:
        """Rows with another part that is moved, [B, X] and [B, ...] to [B, X]."""
        if self.channel == "observation":
            return moved.view_as(rows)
        parts = list(rows.split(self.sizes, dim=1))
        parts[CHANNELS.index(self.channel)] = moved.flatten(1).to(rows)
        return torch.cat(parts, dim=1)

    def ball(self, ball: LpBall) -> LpBall:
        """The ball of rows in which the moved part alone has a radius and bounds: those of `ball`.

        Args:
            ball: of what is moved.
        """
        if self.channel == "observation" and not self.n_memory:
            return ball
        n_fixed = sum(self.sizes) - self.n_moved
        ends = ((ball.eps, 0.0), (ball.low, -math.inf), (ball.high, math.inf), (ball.whole, 0.0))
        return LpBall(ball.p, *(_behind(n_fixed, self.n_moved, *end) for end in ends))

    def radius(self, ball: LpBall) -> Tensor:
        """The radius of what is moved, of a ball of rows: a number, or one for each entry."""
        return ball.eps if ball.eps.dim() == 0 or not self.n_memory else ball.eps[-self.n_moved :]

    def view(self, victim: Victim) -> Victim:
        """The victim as a function of rows."""
        if self.channel == "observation":
            return victim
        on_actions = self.channel == "action"
        reward = victim.q_reward if on_actions else victim.q_reward_disturbed
        cost = victim.q_cost if on_actions else victim.q_cost_disturbed
        return Victim(self.moved, self.judge(reward), self.judge(cost))

    def judge(self, critic: Any) -> Any:
        """A critic at the true observation, as a function of rows and what is moved.

        Args:
            critic: of (observation, action), or of (observation, action, disturbance) on that
                channel.
        """
        if critic is None or self.channel == "observation":
            return critic

        def judged(rows: Tensor, moved: Tensor) -> Tensor:
            obs, action, _ = rows.split(self.sizes, dim=1)
            obs = obs.view(-1, *self.obs_shape)
            given = (moved,) if self.channel == "action" else (action, moved)
            value: Tensor = critic(obs, *given)
            return value

        return judged


def _behind(n_fixed: int, size: int, value: Any, rest: float) -> Tensor | None:
    """`value` for the moved part of a row, `rest` for what stands before it."""
    if value is None:
        return None
    given = torch.as_tensor(value, dtype=torch.float64).flatten()
    return torch.cat([torch.full((n_fixed,), rest, dtype=torch.float64), given.expand(size)])

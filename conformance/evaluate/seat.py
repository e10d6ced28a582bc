"""Where an adversary sits: before the policy, behind it, or in the world.

Axes: B batch, O observation, A action, D disturbance.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import gymnasium as gym
from torch import Tensor

from safer_gym.attacks.channels import ChannelRows
from safer_gym.balls import LpBall
from safer_gym.choices import choose
from safer_gym.types import CHANNELS, ActionFn, Channel, Victim
from safer_gym.wrappers.action_rows import action_rows, moved_actions
from safer_gym.wrappers.disturbances import disturbance_space


class Turn(NamedTuple):
    """One step, before the attack."""

    obs: Tensor
    """The truth [B, *O]."""
    centre: Tensor
    """What the attack is given, rows of the channel."""
    action: Tensor | None = None
    """The policy's own action [B, A]; None where it depends on the attack."""
    noisy: bool = False
    """Whether noise of this step is in it."""


class Answer(NamedTuple):
    """One step, after the attack."""

    seen: Tensor
    """What the policy saw [B, *O]."""
    action: Tensor
    """What is sent to the environment, which clips it [B, A]."""
    disturbance: Tensor | None = None
    """[B, D]"""


@dataclass(frozen=True)
class Seat:
    """An adversary's place.

    Args:
        rows: what an attack is given.
        low, high: ends of the action space [A]; None on the observation channel.

    An adversary of actions moves the action that the deterministic policy sends. Of a policy with
    noise it moves the action before the noise is drawn: it knows all but the noise of this step.
    An adversary that disturbs the world knows the action, its noise included.
    """

    rows: ChannelRows
    low: Tensor | None = None
    high: Tensor | None = None

    @property
    def channel(self) -> Channel:
        """What the adversary moves."""
        return self.rows.channel

    def begin(self, victim: Victim, obs: Tensor, draw: ActionFn | None = None) -> Turn:
        """What the attack is given at `obs`; `draw` is how a policy with noise acts."""
        if self.channel == "observation":
            return Turn(obs, obs)
        action = (draw or victim.action)(obs)
        told = victim.action(obs) if self.channel == "action" else action
        centre = self.rows.pack(obs, self._clipped(told))
        return Turn(obs, centre, action, draw is not None)

    def end(self, turn: Turn, points: Tensor, act: ActionFn) -> Answer:
        """What comes of the attack's `points`; `act` is the policy."""
        if turn.action is None:
            return Answer(points, act(points))
        moved = self.rows.moved(points)
        if self.channel == "disturbance":
            return Answer(turn.obs, turn.action, moved)
        if turn.noisy:
            moved = turn.action + (moved - self.rows.moved(turn.centre))
        return Answer(turn.obs, moved)

    def _clipped(self, action: Tensor) -> Tensor:
        assert self.low is not None
        assert self.high is not None
        return action.clamp(self.low.to(action), self.high.to(action))


OBSERVATION = Seat(ChannelRows("observation", ()))


def moved_space(env: Any, channel: Channel) -> gym.spaces.Box:
    """The space of what an adversary moves.

    Raises:
        ValueError: an unknown channel, or an environment that cannot be disturbed.
        TypeError: observations, or actions to be moved, that are not a Box.
    """
    if choose("channel", channel, CHANNELS) == "disturbance":
        return disturbance_space(env)
    if channel == "action":
        return moved_actions(env.action_space)
    space = env.observation_space
    if not isinstance(space, gym.spaces.Box):
        raise TypeError(f"attacks move Box observations, the environment has {space}")
    return space


def seat_in(env: Any, channel: Channel) -> Seat:
    """The adversary's seat in an environment like `env`, with Box observations."""
    if channel == "observation":
        return OBSERVATION
    space, actions = moved_space(env, channel), action_rows(env.action_space)
    sizes = (actions.width, gym.spaces.flatdim(space))
    rows = ChannelRows(channel, tuple(env.observation_space.shape), *sizes)
    return Seat(rows, actions.low, actions.high)


def ball_in(env: Any, seat: Seat, norm: str, eps: Any) -> LpBall:
    """The ball of what is moved, cut by its space, as attacks take it."""
    space = moved_space(env, seat.channel)
    return seat.rows.ball(LpBall.of(norm, eps, low=space.low, high=space.high))


def seat_and_ball(
    make_env: Callable[[], gym.Env], observations: Any, channel: Channel, norm: str, eps: Any
) -> tuple[Seat, LpBall]:
    """Both, in the environments of `make_env`, whose observation space is a Box.

    Raises:
        ValueError, TypeError: as `seat_in` and `LpBall.of`.
    """
    if channel == "observation":
        return OBSERVATION, LpBall.of(norm, eps, low=observations.low, high=observations.high)
    env = make_env()
    try:
        seat = seat_in(env, channel)
        return seat, ball_in(env, seat, norm, eps)
    finally:
        env.close()

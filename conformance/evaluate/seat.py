"""Where an adversary sits: before the policy, behind it, or in the world.

Axes: B batch, O observation, A action, D disturbance.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
from torch import Tensor

from safer_gym.attacks.channels import ChannelRows
from safer_gym.balls import LpBall
from safer_gym.choices import choose
from safer_gym.memory import NO_MEMORY, Memory
from safer_gym.types import CHANNELS, ActionFn, Channel, Victim
from safer_gym.wrappers.action_rows import action_rows, moved_actions
from safer_gym.wrappers.disturbances import disturbance_space
from safer_gym.wrappers.obs_layout import ObsLayout
from safer_gym.wrappers.policies.view import PolicyView
from safer_gym.wrappers.units import make_ball, radius


class Turn(NamedTuple):
    """One step, before the attack."""

    obs: Tensor
    """The truth [B, *O], rows where the policy has a memory."""
    centre: Tensor
    """What the attack is given, rows of the channel."""
    action: Tensor | None = None
    """The policy's own action [B, A]; None where it depends on the attack."""
    noisy: bool = False
    """Whether noise of this step is in it."""


class Answer(NamedTuple):
    """One step, after the attack."""

    seen: Tensor
    """What the policy saw [B, *O], rows where it has a memory."""
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
    """The space of what an adversary moves behind the policy.

    Raises:
        ValueError: an environment that cannot be disturbed.
        TypeError: actions to be moved that are not a Box.
    """
    if channel == "action":
        return moved_actions(env.action_space)
    return disturbance_space(env)


def seat_for(make_env: Callable[[], gym.Env], channel: Channel, memory: Memory) -> Seat:
    """As `seat_in`, of an environment that is made for the question."""
    with closing(make_env()) as env:
        return seat_in(env, channel, memory)


def seat_in(env: Any, channel: Channel, memory: Memory = NO_MEMORY) -> Seat:
    """The adversary's seat in an environment like `env`, with packed observations.

    Args:
        env: the environment.
        channel: what the adversary moves.
        memory: the policy's.

    Raises:
        ValueError: an unknown channel, or an environment that cannot be disturbed.
        TypeError: actions to be moved that are not a Box.
    """
    observations = ObsLayout(env.observation_space)
    if choose("channel", channel, CHANNELS) == "observation":
        return _before(observations, memory)
    space, actions = moved_space(env, channel), action_rows(env.action_space)
    sizes = (actions.width, gym.spaces.flatdim(space))
    rows = ChannelRows(channel, memory.shape(observations.shape), *sizes)
    return Seat(rows, actions.low, actions.high)


def ball_in(env: Any, seat: Seat, norm: str, eps: Any) -> LpBall:
    """The ball of what is moved, cut by its space, as attacks take it.

    Args:
        env: the environment.
        seat: the adversary's, see `seat_in`.
        norm: of the ball.
        eps: a number, one for each entry of what is moved, or for Dict observations a dict of
            either by key.

    Raises:
        ValueError, TypeError: as `units.radius` and `LpBall.of`.
    """
    space = env.observation_space
    if seat.channel != "observation":
        space = moved_space(env, seat.channel)
    return _ball(ObsLayout(space), seat, norm, eps)


def seat_and_ball(
    make_env: Callable[[], gym.Env], view: PolicyView, channel: Channel, norm: str, eps: Any
) -> tuple[Seat, LpBall]:
    """Both, for an admitted policy in the environments of `make_env`.

    Raises:
        ValueError, TypeError: as `seat_in` and `ball_in`.
    """
    assert view.layout is not None
    if channel == "observation":
        seat = _before(view.layout, view.victim().memory)
        return seat, _ball(view.layout, seat, norm, eps)
    with closing(make_env()) as env:
        seat = seat_in(env, channel, view.victim().memory)
        return seat, ball_in(env, seat, norm, eps)


def _before(layout: ObsLayout, memory: Memory) -> Seat:
    """Before the policy, where observations are moved."""
    shown = memory.shape(layout.shape)
    rows = ChannelRows("observation", shown, n_memory=memory.size)
    return Seat(rows) if memory.size else OBSERVATION


def _ball(layout: ObsLayout, seat: Seat, norm: str, eps: Any) -> LpBall:
    return seat.rows.ball(make_ball(layout, norm, radius(layout, eps, np.ones(()))))

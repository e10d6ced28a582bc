"""The policy and the environment, looked at once before anything runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
import torch
from torch import Tensor

from safer_gym.balls import UNITS, LpBall
from safer_gym.bounds import NotCoveredError
from safer_gym.choices import choose
from safer_gym.conformance.certificate.record import EnvironmentRecord, PolicyRecord
from safer_gym.conformance.certify.divergence import Drawing
from safer_gym.conformance.certify.noise import NONE, ONE_MODE, Noise, fitted
from safer_gym.conformance.certify.records import environment_record, policy_record
from safer_gym.conformance.evaluate.limits import Limits
from safer_gym.conformance.evaluate.outcomes import Trace
from safer_gym.conformance.evaluate.seat import OBSERVATION, Seat, ball_in, moved_space, seat_in
from safer_gym.conformance.loading import as_policy
from safer_gym.types import CHANNELS, Channel, Victim
from safer_gym.wrappers.gate.ends import check_ends
from safer_gym.wrappers.gate.network import check_draws, check_network
from safer_gym.wrappers.gate.policy import admit
from safer_gym.wrappers.gate.probes import first_observation, near
from safer_gym.wrappers.gate.questions import Questions
from safer_gym.wrappers.gate.visited import check_visited
from safer_gym.wrappers.obs_layout import ObsLayout
from safer_gym.wrappers.packed import in_numbers
from safer_gym.wrappers.policies.noisy_actions import NoisyActions
from safer_gym.wrappers.policies.smoothing import SmoothedPolicy
from safer_gym.wrappers.policies.stochastic import (
    EnclosedPolicy,
    StochasticPolicy,
    noisy_policy,
    stochastic_policy,
)
from safer_gym.wrappers.policies.trained_behind import check_same_layers
from safer_gym.wrappers.policies.view import PolicyView
from safer_gym.wrappers.tasks import Task, env_maker
from safer_gym.wrappers.threat import Threat, frame_stack
from safer_gym.wrappers.units import deviations, scale_of

UNDECLARED = (
    "{stack} stacks frames, and a radius around each frame is another ball than that around the "
    "stack: declare the ball on the stack by `scale`, a radius for each entry of the observation"
)

NO_DISTURBANCE = (
    "a disturbance meets the world and not the policy's noise, so that no noise hides it; no bound "
    "over every adversary is known on this channel"
)
NOT_ON_ACTIONS = (
    "the policy's noise is not added to its action as the environment takes it (it is on the "
    "observation, or goes through tanh), so that a moved action is not a moved mean; certify with "
    "action_noise"
)

MakeEnv = Callable[[], gym.Env]


class Subject(NamedTuple):
    """Who is certified, and where."""

    victim: Victim
    stochastic: Drawing | None
    why_deterministic: str
    """Why there is no stochastic mode; "" where there is one."""
    why_stochastic: str
    """Why there is no deterministic mode; "" where there is one."""
    make_env: MakeEnv
    ball: LpBall
    """At eps = 1."""
    shape: tuple[int, ...]
    """Of a packed observation."""
    policy: PolicyRecord
    environment: EnvironmentRecord
    why_no_bound: str = ""
    """Why nothing can be said of every adversary though the policy draws; "" where it can."""
    view: PolicyView | None = None
    """The policy as its gate admitted it."""
    scale: tuple[float, ...] | None = None
    """Raw radius of each entry at eps = 1; None: one for all."""
    seat: Seat = OBSERVATION
    """Where the adversary sits; the ball is of its rows."""
    threat: Threat | None = None
    """What the radii do not say; None where observations are not moved."""

    @property
    def target(self) -> Victim:
        """The policy as attacks see it."""
        return self.seat.rows.view(self.victim)

    @property
    def probe(self) -> Tensor:
        """What an attack is given at an observation of the environment, as a batch of one."""
        assert self.view is not None
        with torch.no_grad():
            return self.seat.begin(self.victim, self.view.example_row).centre

    @property
    def high(self) -> float | None:
        """Largest cost of an episode."""
        return self.limits.largest_cost()

    def check_visited(self, traces: Sequence[Trace]) -> None:
        """The policy does what is read of it, wherever episodes have led it.

        Raises:
            ValueError: says where it does something else.
        """
        if self.view is not None and traces:
            visited = [obs for trace in traces for obs in (trace.clean, trace.attacked)]
            check_visited(self.view, visited, self.stochastic)

    @property
    def limits(self) -> Limits:
        """Of every episode."""
        return Limits.recorded(self.environment)


def make_subject(
    policy: Any,
    make_env: MakeEnv | Task | str,
    *,
    norm: str,
    scale: Any,
    max_step_cost: float | None,
    source: str | None,
    device: str,
    noise: Noise = NONE,
    vec_normalize: Any = None,
    units: str = "raw",
    channel: Channel = "observation",
) -> Subject:
    """Resolve what the user passed.

    Raises:
        ValueError, TypeError: an observation space that cannot be packed; a scale or noise that
            does not fit; noise on a policy that brings its own, or whose network is not known; a
            policy that cannot be measured.
    """
    make = env_maker(make_env)
    policy, normaliser = as_policy(policy, vec_normalize)
    with closing(make()) as env:
        check_same_layers(policy, env)
        space = env.observation_space
        environment = environment_record(env, max_step_cost)
        actions, stack = env.action_space, frame_stack(env)
        obs = first_observation(env, 0)
        view = admit(policy, space, actions, vec_normalize=normaliser, around=obs, device=device)
        scale = _scale_of(units, scale, view, env, channel)
        seat = seat_in(env, channel, view.victim().memory)
        ball = ball_in(env, seat, norm, 1.0 if scale is None else scale)
        threat = _threat(env, view, scale, channel)
    check_ends(make, 0)
    view, make = in_numbers(view, make)
    noise = _own_noise(policy, noise)
    if noise.observation is not None:
        _check_noise(view)
    victim, stochastic, why = _deployed(policy, view, noise, actions, channel)
    if isinstance(stochastic, EnclosedPolicy):
        check_network(Questions.of(view), stochastic, near(space, obs))
        check_draws(Questions.of(view), stochastic, near(space, obs))
    why_no_bound = UNDECLARED.format(stack=stack) if stack and scale is None else ""
    if channel != "observation":
        stochastic, why_no_bound = _moved(stochastic, channel)
    return Subject(
        victim,
        stochastic,
        why,
        ONE_MODE if noise.is_any else "",
        make,
        ball,
        _packed(view).shape,
        policy_record(view, victim, _packed(view), source, noise),
        environment,
        why_no_bound,
        view,
        None if scale is None else tuple(float(s) for s in scale.flat),
        seat,
        threat,
    )


def _threat(
    env: gym.Env, view: PolicyView, scale: np.ndarray | None, channel: Channel
) -> Threat | None:
    if channel != "observation":
        return None
    assert view.layout is not None
    unit = view.layout.movable.astype(float) if scale is None else scale
    return Threat(view.layout, unit, frame_stack(env), view.recurrence is not None)


def _packed(view: PolicyView) -> gym.spaces.Box:
    """The space of the packed observations that an admitted view is asked about."""
    assert view.admitted is not None
    space = view.admitted[0]
    assert isinstance(space, gym.spaces.Box)
    return space


def _check_noise(view: PolicyView) -> None:
    """Noise on observations is known to hide an adversary where all that is read is numbers."""
    assert view.layout is not None
    if view.layout.is_dict or view.victim().memory.size:
        what = "a memory" if view.victim().memory.size else "Dict observations"
        raise ValueError(
            f"observation_noise is for policies of Box observations without a memory; got {what}"
        )


def _moved(stochastic: Drawing | None, channel: Channel) -> tuple[Drawing | None, str]:
    """How the policy draws where the adversary moves something else than observations, and why no
    bound over every adversary is known; "" where one is."""
    if channel == "disturbance":
        return stochastic, NO_DISTURBANCE
    own = stochastic.on_actions() if isinstance(stochastic, EnclosedPolicy) else stochastic
    if isinstance(own, NoisyActions):
        return own, ""
    return stochastic, NOT_ON_ACTIONS


def _scale_of(
    units: str, scale: Any, view: PolicyView, env: gym.Env, channel: Channel
) -> np.ndarray | None:
    """The radius of each entry of what is moved at eps = 1; None: one for all."""
    assert view.layout is not None
    if choose("units", units, UNITS) == "raw":
        is_shown = choose("channel", channel, CHANNELS) == "observation"
        layout = view.layout if is_shown else ObsLayout(moved_space(env, channel))
        return scale_of(layout, scale, channel)
    if channel != "observation":
        raise ValueError(
            f"units='normalised' counts in deviations of observations; got {channel!r}"
        )
    if scale is not None:
        raise ValueError("scale or units='normalised', not both: the deviations are the scale")
    return deviations(view.layout, view.normaliser)


def _own_noise(policy: Any, noise: Noise) -> Noise:
    """The noise asked for, or that of a policy which brings it along."""
    if noise.is_any and isinstance(policy, (SmoothedPolicy, StochasticPolicy)):
        raise ValueError(
            f"a {type(policy).__name__} brings noise of its own; pass the policy inside, or leave "
            "out action_noise and observation_noise"
        )
    if isinstance(policy, SmoothedPolicy):
        return Noise(observation=tuple(policy.noise_std.flatten().tolist()))
    return noise


def _deployed(
    policy: Any,
    view: PolicyView,
    noise: Noise,
    actions: gym.Space,
    channel: Channel,
) -> tuple[Victim, Drawing | None, str]:
    """What attacks may use, how the policy draws, or why it does not."""
    victim = view.victim()
    if noise.action is not None and channel != "observation":
        # Nothing of the policy is enclosed there: it may be a black box.
        return victim, NoisyActions.constant(victim.action, _deviations(noise.action, actions)), ""
    if noise.observation is not None:
        if isinstance(policy, SmoothedPolicy):
            return victim, policy, ""
        std = fitted("observation_noise", noise.observation, _packed(view).shape)
        return victim, SmoothedPolicy(victim, std), ""
    if noise.action is not None:
        noisy = _noisy(view, noise.action, actions)
        return victim._replace(distribution=noisy.layers.distribution), noisy, ""
    return victim, *_stochastic(view)


def _deviations(deviations: tuple[float, ...], space: gym.Space) -> np.ndarray:
    if not isinstance(space, gym.spaces.Box):
        raise TypeError(f"action_noise needs Box actions, the environment has {space}")
    return fitted("action_noise", deviations, space.shape).reshape(-1)


def _noisy(view: PolicyView, deviations: tuple[float, ...], space: gym.Space) -> StochasticPolicy:
    try:
        return noisy_policy(view, _deviations(deviations, space))
    except NotCoveredError as error:
        raise ValueError(f"action_noise cannot be bounded on this policy: {error}") from error


def _stochastic(view: PolicyView) -> tuple[Drawing | None, str]:
    try:
        return stochastic_policy(view), ""
    except NotCoveredError as error:
        return None, str(error)

"""A shield from data, by what its user says of coordinates, h and the adversary."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
import torch
from torch import Tensor

from safer_gym.balls import LpBall
from safer_gym.domains import AT_LEAST_ONE, NOT_NEGATIVE, SEED, require
from safer_gym.shield import Part, Transitions, fit_part, reach_of
from safer_gym.shield.fitting import Frame
from safer_gym.shield.function import Call
from safer_gym.wrappers.shield.collecting import Episodes, acting, collect, shielded_acting
from safer_gym.wrappers.shield.shield import Models, Shield, models_of

Coordinate = tuple[int, float]
"""An entry of the flat observation, and by what it is multiplied."""
Coordinates = Mapping[str, Coordinate]


def fit_shield(
    make_env: Callable[[], gym.Env],
    *,
    coordinates: Coordinates | Sequence[Coordinates],
    h: Mapping[str, tuple[float, float]],
    eps: float,
    policy: Any = None,
    model: Models = None,
    actions: Sequence[Sequence[int]] | None = None,
    norm: str = "linf",
    scale: Any = None,
    episodes: int = 20,
    rounds: int = 2,
    margin: float = 0.25,
    seed: int = 0,
    max_steps: int = 1000,
) -> Shield:
    """Fit a model with interval errors, a backup of each facet, and the safe set.

    Args:
        make_env: makes one environment.
        coordinates: by name an entry of the observation and its factor, `{"x": (0, 10.0)}`; or
            several such, one for each part.
        h: by name the interval in which a coordinate has to stay. Where a model holds in a part of
            the world alone, say so here too.
        eps, norm, scale: the ball of observations that is to be withstood.
        policy: who acts in the data; None: random actions alone.
        model: z' = f(z, u) by the user's own function, of tensors z [B, K] and u [B, M] in float64
            with the part's coordinates and actions in order; several parts: one each, or None. The
            data then give its errors alone. None: a linear model is fitted.
        actions: of each part, which entries of the action move it; None: all, of a single part.
        episodes: of each round.
        rounds: after the first, data come from the shield so far, under lies about its coordinates.
        margin: how much wider than the largest error the bounds are, as a share.
        seed: of the environments, from `seed` on, and of the noise.
        max_steps: cut episodes here.

    Raises:
        ValueError: names that differ, too few data, a backup that is too weak, a function that
            cannot be enclosed.
    """
    require(NOT_NEGATIVE, eps=eps, margin=margin)
    require(AT_LEAST_ONE, episodes=episodes, rounds=rounds, max_steps=max_steps)
    require(SEED, seed=seed)
    env = make_env()
    try:
        frames = _frames(env, coordinates, h, actions, LpBall.of(norm, _radius(eps, scale)))
        how = _How(eps, norm, margin, models_of(model, len(frames)))
        generator = np.random.default_rng(seed)
        act = acting(policy, env.action_space, generator, len(frames))
        data = collect(env, act, range(seed, seed + episodes), max_steps)
        shield = _fitted(frames, data, how)
        for turn in range(1, rounds):
            first = seed + turn * episodes
            lying = shielded_acting(policy, env.action_space, shield, generator)
            more = collect(env, lying, range(first, first + episodes), max_steps)
            data = Episodes(*(torch.cat(pair) for pair in zip(data, more, strict=True)))
            shield = _fitted(frames, data, how)
    finally:
        env.close()
    return shield


def transitions(part: Part | Frame, data: Episodes, index: int) -> Transitions:
    """The steps of one part, the `index`-th."""

    def z(obs: Tensor) -> Tensor:
        return obs @ part.weight.mT + part.offset

    own = data.action[:, list(part.actions)]
    return Transitions(z(data.obs), own, z(data.after), data.backup[:, index])


def before_leaving(frames: Sequence[Frame], data: Episodes) -> Episodes:
    """The steps of each episode until h is below 0 for the first time."""
    inside = torch.ones(len(data.obs), dtype=torch.bool)
    for frame in frames:
        z = data.obs @ frame.weight.mT + frame.offset
        inside &= (z @ frame.facets.mT <= frame.bounds).all(1)
    out = torch.zeros(len(inside), dtype=torch.bool)
    gone = False
    for step, (begins, holds) in enumerate(zip(data.start.tolist(), inside.tolist(), strict=True)):
        gone = not holds if begins else gone or not holds
        out[step] = gone
    return Episodes(*(column[~out] for column in data))


class _How(NamedTuple):
    eps: float
    norm: str
    margin: float
    models: tuple[Call | None, ...]


def _fitted(frames: Sequence[Frame], data: Episodes, how: _How) -> Shield:
    kept = before_leaving(frames, data)
    parts = tuple(
        fit_part(frame, transitions(frame, kept, k), margin=how.margin, model=model)
        for k, (frame, model) in enumerate(zip(frames, how.models, strict=True))
    )
    return Shield(parts, how.eps, how.norm)


def _radius(eps: float, scale: Any) -> Any:
    return eps if scale is None else eps * np.asarray(scale, dtype=np.float64).ravel()


def _frames(
    env: gym.Env,
    coordinates: Coordinates | Sequence[Coordinates],
    h: Mapping[str, tuple[float, float]],
    actions: Sequence[Sequence[int]] | None,
    ball: LpBall,
) -> list[Frame]:
    space: Any = env.action_space
    if not isinstance(space, gym.spaces.Box) or not isinstance(
        env.observation_space, gym.spaces.Box
    ):
        raise TypeError("a shield needs Box observations and Box actions")
    groups = [coordinates] if isinstance(coordinates, Mapping) else list(coordinates)
    taken = [list(range(int(np.prod(space.shape))))] if actions is None else list(actions)
    if len(taken) != len(groups):
        raise ValueError(f"actions must be of each of {len(groups)} parts, got {len(taken)}")
    names = [name for group in groups for name in group]
    if unknown := sorted(set(h) - set(names)):
        raise ValueError(f"h bounds {unknown}, which are no coordinates; known: {names}")
    width = int(np.prod(env.observation_space.shape))
    return [
        _frame(group, {n: h[n] for n in group if n in h}, tuple(own), space, width, ball)
        for group, own in zip(groups, taken, strict=True)
    ]


def _frame(
    group: Coordinates,
    h: Mapping[str, tuple[float, float]],
    actions: tuple[int, ...],
    space: gym.spaces.Box,
    width: int,
    ball: LpBall,
) -> Frame:
    names = tuple(group)
    weight = torch.zeros(len(names), width, dtype=torch.float64)
    for row, (index, factor) in enumerate(group.values()):
        weight[row, index] = factor
    facets: list[Tensor] = []
    bounds: list[float] = []
    for name, (low, high) in h.items():
        facet = torch.zeros(len(names), dtype=torch.float64)
        facet[names.index(name)] = 1.0
        facets += [facet, -facet]
        bounds += [high, -low]
    if not facets:
        raise ValueError(f"h must bound a coordinate of each part, none of {list(names)} is")
    own = list(actions)
    return Frame(
        names,
        weight,
        torch.zeros(len(names), dtype=torch.float64),
        reach_of(weight, ball),
        actions,
        torch.as_tensor(space.low.ravel()[own]).double(),
        torch.as_tensor(space.high.ravel()[own]).double(),
        torch.stack(facets),
        torch.tensor(bounds, dtype=torch.float64),
    )

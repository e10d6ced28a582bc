"""Options of an algorithm in groups: small frozen dataclasses, given whole or field by field."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from safer_gym.agents.data.signals import MISSING
from safer_gym.agents.td import AGGREGATIONS
from safer_gym.agents.updates import COST_ACTIONS, COST_BOOTSTRAPS
from safer_gym.balls import UNITS, LpBall
from safer_gym.choices import choose
from safer_gym.domains import AT_LEAST_ONE, NOT_NEGATIVE, POSITIVE, SHARE, require
from safer_gym.returns import COST_THRESHOLDS
from safer_gym.schedules import SCHEDULES, make_schedule


@dataclass(frozen=True)
class CostOptions:
    """What an episode's cost means to a critic of discounted costs.

    Args:
        episode_length: horizon H of the threshold transform; None takes the environment's limit.
        threshold_horizon: which bound on Q_c stands for `cost_limit`: that of a cost spent evenly
            over one "episode" (appendix B.1), or of one that goes on forever at that rate
            ("endless"), as Q_c, which bootstraps at time limits, counts it. They differ by the
            factor 1 - gamma^H: where an episode is short against 1 / (1 - gamma), the paper's
            bound is too strict by that much.
        cost_bootstrap: "always" (public CVPO: the cost critic ignores termination) or
            "until_terminated". None is "always", but with `optimize_memory_usage`, whose buffer
            has no observation of an episode's end, "until_terminated".
        cost_action: what the cost critic lets the policy do next: its "mean" action, the one that
            `predict(deterministic=True)` deploys, or a "sample" (Eq. 59), whose noise then pays for
            costs that the deployed policy never has.
        missing_cost: "error" or "zero", for transitions without info["cost"].
    """

    episode_length: int | None = None
    threshold_horizon: str = "episode"
    cost_bootstrap: str | None = None
    cost_action: str = "mean"
    missing_cost: str = "error"

    def __post_init__(self) -> None:
        require(AT_LEAST_ONE.or_none, episode_length=self.episode_length)
        choose("threshold_horizon", self.threshold_horizon, COST_THRESHOLDS)
        if self.cost_bootstrap is not None:
            choose("cost_bootstrap", self.cost_bootstrap, COST_BOOTSTRAPS)
        choose("cost_action", self.cost_action, COST_ACTIONS)
        choose("missing_cost", self.missing_cost, MISSING)


@dataclass(frozen=True)
class CriticOptions:
    """How critics learn, and how the members of each become one value.

    Args:
        critic_learning_rate: rate of both critics; None follows `learning_rate`.
        reward_aggregation, cost_aggregation: "min", "mean" or "max" over the members.
        max_grad_norm: clip of the actor's and each critic's gradient norm; None does not clip.
    """

    critic_learning_rate: float | None = None
    reward_aggregation: str = "min"
    cost_aggregation: str = "max"
    max_grad_norm: float | None = None

    def __post_init__(self) -> None:
        require(NOT_NEGATIVE.or_none, critic_learning_rate=self.critic_learning_rate)
        require(POSITIVE.or_none, max_grad_norm=self.max_grad_norm)
        choose("reward_aggregation", self.reward_aggregation, AGGREGATIONS)
        choose("cost_aggregation", self.cost_aggregation, AGGREGATIONS)


@dataclass(frozen=True)
class BallOptions:
    """The ball of every attack that an agent runs while it learns.

    Args:
        eps, norm: radius and norm.
        units: what eps counts: "raw" units of the observations that the policy receives, or
            "normalised", their standard deviations since the training began (a VecNormalize's where
            there is one). Take the second where entries differ by orders of magnitude.
        eps_schedule, eps_start, eps_end: Eq. 67, as fractions of training.
    """

    eps: float | np.ndarray = 0.05
    norm: str = "linf"
    units: str = "raw"
    eps_schedule: Any = "linear"
    eps_start: float = 0.35
    eps_end: float = 0.7

    def __post_init__(self) -> None:
        require(SHARE, eps_start=self.eps_start, eps_end=self.eps_end)
        if not callable(self.eps_schedule):
            choose("eps_schedule", self.eps_schedule, SCHEDULES)
        LpBall.of(self.norm, self.eps)
        choose("units", self.units, UNITS)
        if isinstance(self.eps, (list, tuple)):
            object.__setattr__(self, "eps", np.asarray(self.eps, dtype=float))
        _ = self.schedule  # both refuse what they cannot read

    @property
    def schedule(self) -> Any:
        """From the progress of training in [0, 1] to a share of eps."""
        return schedule_between(self.eps_schedule, self.eps_start, self.eps_end)


def schedule_between(kind: Any, start: float, end: float) -> Any:
    """A schedule by name that rises between two shares of training; a function stays itself."""
    if not isinstance(kind, str):
        return kind
    return make_schedule(kind, **({} if kind == "constant" else {"start": start, "end": end}))


def grouped(
    options: Mapping[str, Any], defaults: Mapping[str, Any], others: Iterable[str] = ()
) -> dict[str, Any]:
    """The groups of options that a constructor was given.

    >>> grouped({"eps": 0.1, "ball": {"norm": "l2"}}, {"ball": BallOptions()})["ball"].norm
    'l2'

    Args:
        options: groups by name (a dataclass, a dict of its fields, or None), and single fields.
        defaults: the group by each name.
        others: other arguments of the constructor, for the message.

    Raises:
        ValueError: an option that no group has, with the nearest one; or a field given twice.
        TypeError: a group of another kind.
    """
    places = {field.name: name for name, group in defaults.items() for field in fields(group)}
    single = {key: value for key, value in options.items() if key not in defaults}
    for key in single:
        choose("argument", key, sorted({*places, *defaults, *others}))
    return {
        name: _group(
            name,
            default,
            options.get(name),
            {key: value for key, value in single.items() if places.get(key) == name},
        )
        for name, default in defaults.items()
    }


def taken_out(
    kwargs: Mapping[str, Any], groups: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The groups of options and their fields among a constructor's arguments, and the others."""
    own = {*groups, *(field.name for group in groups.values() for field in fields(group))}
    options = {key: value for key, value in kwargs.items() if key in own}
    return options, {key: value for key, value in kwargs.items() if key not in own}


def _group(name: str, default: Any, given: Any, single: dict[str, Any]) -> Any:
    if isinstance(given, Mapping):
        known = [field.name for field in fields(default)]
        for key in given:
            choose(f"option of {name}", key, known)
        twice = sorted(given.keys() & single.keys())
        if twice:
            raise ValueError(f"{twice[0]} was given twice: by itself, and in {name}")
        return replace(default, **given, **single)
    if given is not None and type(given) is not type(default):
        raise TypeError(
            f"{name} must be a {type(default).__name__} or a dict of its fields; got {given!r}"
        )
    return replace(default if given is None else given, **single)
